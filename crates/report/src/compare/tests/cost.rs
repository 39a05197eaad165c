use super::*;

/// Conversations of a given length: a minute of the agent costs a cent, and everything else costs the same.
fn lasting(seconds: f64) -> Arm {
    let mut noise = Noise(3);
    let runs: Vec<TestRun> = (0..300).map(|_| completed(seconds * noise.factor(0.05))).collect();
    chat("s", &runs)
}

#[test]
fn a_higher_cost_is_found_with_its_ratio() {
    let (short, long) = (lasting(30.0), lasting(150.0));
    let cost = compared(&short, &long).cost.expect("both are charged");
    assert_eq!(
        (cost.baseline_n, cost.candidate_n, cost.finding),
        (300, 300, ComparisonFinding::CostsMore)
    );
    // Two more minutes of the agent and of the caller's connection, except in the few runs of more than three.
    assert!((cost.candidate_usd - cost.baseline_usd - 0.021).abs() < 1e-4, "{cost:?}");
    let ratio = cost.candidate_usd / cost.baseline_usd;
    assert!((cost.ratio.unwrap() - ratio).abs() < 1e-9 && cost.ratio_low.unwrap() > 1.0);
    assert_eq!(compared(&long, &short).cost.unwrap().finding, ComparisonFinding::CostsLess);
    let same = compared(&short, &lasting(31.0));
    assert_eq!(same.cost.as_ref().unwrap().finding, ComparisonFinding::NoDifference);
    assert!(same.regressions.is_empty(), "a cost is never a regression");
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
fn there_is_no_cost_if_a_side_is_charged_for_nothing() {
    let free = profile_of(
        "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n[bill]\nwithout = [\"agent_session\", \"participant\", \"model_input\", \"model_output\", \"evaluator_chat\"]\n",
    );
    let runs = vec![completed(30.0); 40];
    let comparison = compared(&chat("s", &runs), &session("t", free, &runs));
    assert_eq!(comparison.cost, None);
}
