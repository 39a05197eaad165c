use super::*;

/// Two alternating scenarios, while everything is slow in every other minute.
fn alternating(factor: f64) -> Arm {
    let mut noise = Noise(7);
    let runs: Vec<TestRun> = (0..1_200_u32)
        .map(|n| {
            let shared = if n / 60 % 2 == 0 { 4.0 } else { 16.0 };
            let own = if n % 2 == 0 { 1.0 } else { factor };
            TestRun { scenario: n % 2, ..completed(shared * own * noise.factor(0.2)) }
        })
        .collect();
    session("s", profile("chat", 1, 2), &runs)
}

fn halves(session: &Arm, split: &str) -> Result<(Arm, Arm), PartError> {
    session.split(&split.parse().unwrap())
}

fn scenarios(session: &Arm) -> String {
    let names = &session.folded.names.scenarios;
    format!("scenario={},{}", names[0], names[1])
}

fn staged(runs: &[TestRun]) -> Arm {
    let stages: String = [("warm", false), ("low", true), ("high", true), ("none", true)]
        .map(|(name, measured)| {
            format!("[[stage]]\nname = \"{name}\"\nmeasured = {measured}\nrate = \"1/s\"\nlasts = \"10m\"\n")
        })
        .concat();
    let profile = profile_of(&format!(
        "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\n{stages}"
    ));
    session("s", profile, runs)
}

fn in_stages(of: [(u32, f64); 3]) -> Vec<TestRun> {
    let mut noise = Noise(5);
    let each = of.into_iter().flat_map(|stage| [stage; 300]);
    each.map(|(stage, median)| TestRun { stage, ..completed(median * noise.factor(0.3)) }).collect()
}

#[test]
fn a_slowdown_of_both_scenarios_does_not_hide_that_one_is_slower() {
    let session = alternating(1.3);
    let (a, b) = halves(&session, &scenarios(&session)).unwrap();
    let found = compared(&a, &b);
    assert_eq!((found.baseline.started_runs, found.candidate.completed), (600, 600));
    let named = format!("scenario {}", session.folded.names.scenarios[1]);
    assert_eq!(found.candidate.part, Some(named));
    let paired = percentile(&found, "p50");
    assert_eq!(
        (paired.finding, paired.regression),
        (ComparisonFinding::Slower, true),
        "{paired:?}"
    );
    assert_eq!(found.notes, [ComparisonNote::SameTime, ComparisonNote::DifferentScenarios]);
}

#[test]
fn equal_scenarios_do_not_differ() {
    let session = alternating(1.0);
    let (a, b) = halves(&session, &scenarios(&session)).unwrap();
    let found = compared(&a, &b);
    assert!(found.regressions.is_empty(), "{:?}", found.regressions);
    assert_eq!(percentile(&found, "p50").finding, ComparisonFinding::NoDifference);
}

#[test]
fn stages_run_one_after_the_other_and_unmeasured_or_empty_ones_are_refused() {
    let session = staged(&in_stages([(0, 90.0), (1, 10.0), (2, 15.0)]));
    let (low, high) = halves(&session, "stage=low,high").unwrap();
    let found = compared(&low, &high);
    assert_eq!((found.baseline.started_runs, found.candidate.started_runs), (300, 300));
    assert_eq!(percentile(&found, "p50").finding, ComparisonFinding::Slower);
    assert_eq!(found.notes[0], ComparisonNote::OneAfterTheOther);
    let back = compared(&high, &low);
    assert_eq!(percentile(&back, "p50").finding, ComparisonFinding::Faster);
    let refused = |split| halves(&session, split).unwrap_err().to_string();
    assert!(refused("stage=warm,low").contains("the stage is not measured"));
    assert_eq!(refused("stage=low,none"), "stage none has no measured run; name another");
    assert!(refused("stage=low,peak").ends_with("`peak`; it has: warm, low, high, none"));
    assert!(refused("mode=chat,voice").starts_with("mode voice has no measured run"));
}

#[test]
fn modes_of_one_session_are_compared_without_an_extra_option() {
    let mut runs = noisy(1, 400, 10.0);
    for run in runs.iter_mut().skip(1).step_by(2) {
        run.mode = Mode::Voice;
        run.seconds *= 2.0;
    }
    let session = session("s", profile("chat", 1, 1), &runs);
    let (chat, voice) = halves(&session, "mode=chat,voice").unwrap();
    let found = compared(&chat, &voice);
    assert_eq!((&*found.baseline.mode, &*found.candidate.mode), ("chat", "voice"));
    assert_eq!(percentile(&found, "p50").finding, ComparisonFinding::Slower);
    let modes =
        ComparisonNote::Modes { baseline: SessionMode::Chat, candidate: SessionMode::Voice };
    assert!(found.notes.contains(&modes), "{:?}", found.notes);
}

#[test]
fn failures_that_both_parts_have_at_the_same_time_are_no_difference() {
    let bad_minute = |n: usize| (n / 60).is_multiple_of(5);
    let session_of = |more: usize| {
        let mut runs = noisy(3, 1_200, 1.0);
        for (n, run) in runs.iter_mut().enumerate() {
            run.scenario = u32::from(n % 2 == 1);
            if bad_minute(n) || n % 2 == 1 && n % more == 1 {
                run.outcome = Some(Outcome::failed(FailureClass::AgentLeft, ""));
            }
        }
        session("s", profile("chat", 1, 2), &runs)
    };
    let worse = session_of(8);
    let (a, b) = halves(&worse, &scenarios(&worse)).unwrap();
    let found = compared(&a, &b);
    assert_eq!(found.rates[0].finding, ComparisonFinding::More, "{:?}", found.rates[0]);
    let same = session_of(5_000);
    let (a, b) = halves(&same, &scenarios(&same)).unwrap();
    assert_eq!(compared(&a, &b).rates[0].finding, ComparisonFinding::NoDifference);
}
