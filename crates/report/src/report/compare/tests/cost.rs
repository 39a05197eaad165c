use super::*;
use crate::report::{Style, comparison_csv, comparison_markdown};

/// Conversations whose minutes differ: an agent's minute costs a cent, and the rest is the same.
fn lasting(seconds: f64) -> Arm {
    let mut noise = Noise(3);
    let runs: Vec<Made> = (0..300).map(|_| completed(seconds * noise.factor(0.05))).collect();
    chat("s", &runs)
}

#[test]
fn what_costs_more_is_said_to_and_by_how_much() {
    let (short, long) = (lasting(30.0), lasting(150.0));
    let cost = compared(&short, &long).cost.expect("both are charged");
    assert_eq!(
        (cost.baseline_n, cost.candidate_n, cost.finding),
        (300, 300, ComparisonFinding::CostsMore)
    );
    // Two agent minutes and two of the caller's connection more, but for the few of more than three.
    assert!((cost.candidate_usd - cost.baseline_usd - 0.021).abs() < 1e-4, "{cost:?}");
    let ratio = cost.candidate_usd / cost.baseline_usd;
    assert!((cost.ratio.unwrap() - ratio).abs() < 1e-9 && cost.ratio_low.unwrap() > 1.0);
    assert_eq!(compared(&long, &short).cost.unwrap().finding, ComparisonFinding::CostsLess);
    let same = compared(&short, &lasting(31.0));
    assert_eq!(same.cost.as_ref().unwrap().finding, ComparisonFinding::NoDifference);
    assert!(same.regressions.is_empty(), "no cost is a regression");
    let comparison = compared(&short, &long);
    let mut csv = Vec::new();
    comparison_csv(&comparison, &mut csv).unwrap();
    for text in [
        comparison_text(&comparison, Style::Plain),
        comparison_markdown(&comparison),
        String::from_utf8(csv).unwrap(),
    ] {
        assert!(text.contains("costs more"), "{text}");
    }
}

#[test]
fn a_side_that_is_charged_for_nothing_has_no_cost() {
    let free = profile_of(
        "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n[bill]\nwithout = [\"agent_session\", \"participant\", \"model_input\", \"model_output\", \"evaluator_chat\"]\n",
    );
    let runs = vec![completed(30.0); 40];
    let comparison = compared(&chat("s", &runs), &session("t", free, &runs));
    assert_eq!(comparison.cost, None);
}
