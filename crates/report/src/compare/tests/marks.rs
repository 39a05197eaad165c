use super::*;

/// A session, one run a second, that was marked after so many seconds.
fn marked(at: u64, runs: &[TestRun]) -> Arm {
    let mark = EventKind::Mark { text: "deployed v2".into() };
    let event = Event { at: SessionTime(at * 1_000_000), kind: mark };
    session_with("s", profile("chat", 1, 1), runs, &[event])
}

fn at_the_mark(session: &Arm) -> Result<SessionComparison, PartError> {
    let (before, after) = session.split(&"mark=before,after".parse().unwrap())?;
    Ok(compared(&before, &after))
}

/// Forty minutes of runs that take a minute each, of which one in ten fails after so many seconds.
fn in_steady_state(seconds: f64) -> Vec<TestRun> {
    let run = |n: u32| match n % 10 {
        7 => failed(FailureClass::AgentLeft, seconds),
        _ => completed(60.0),
    };
    (0..2_400).map(run).collect()
}

fn note_at_mark(found: &SessionComparison) -> String {
    let mut notes = found.notes.iter().map(ToString::to_string);
    notes.find(|note| note.contains("in flight at the mark")).unwrap_or_default()
}

#[test]
fn runs_that_a_deployment_ended_are_not_those_before_it() {
    let mut runs = in_steady_state(60.0);
    // Those that started in the minute before the mark die of it.
    for (n, run) in runs.iter_mut().enumerate().take(1_200).skip(1_140) {
        *run = failed(FailureClass::AgentLeft, 1_205.0 - n as f64);
    }
    let found = at_the_mark(&marked(1_200, &runs)).unwrap();
    assert_eq!(found.rates[0].finding, ComparisonFinding::NoDifference, "{:?}", found.rates[0]);
    let latency = &found.latencies[0];
    assert_eq!((latency.baseline_n, latency.candidate_n), (1_026, 1_080), "{latency:?}");
    let runs = found.at_mark.unwrap();
    assert_eq!((runs.in_flight, runs.failed), (60, 60));
    let note = note_at_mark(&found);
    assert!(note.contains("60 of 60 failed (100.0 %), against 10.0 % of those before"), "{note}");
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["at_mark"]["failed"], 60);
}

#[test]
fn failures_that_come_first_do_not_weigh_more_before_the_mark() {
    // Failures take a second and other runs a minute: of the last minute before the mark only failures have ended.
    for mark in [90, 200, 1_200] {
        let found = at_the_mark(&marked(mark, &in_steady_state(1.0))).unwrap();
        let rate = &found.rates[0];
        let share = rate.baseline_count as f64 / rate.baseline_n as f64;
        assert!((0.08..=0.115).contains(&share), "marked after {mark} s: {rate:?}");
        assert!(found.at_mark.unwrap().left_out > 0, "{:?}", found.at_mark);
        assert!(note_at_mark(&found).contains("Left out too: "), "{}", note_at_mark(&found));
    }
}

#[test]
fn one_run_that_hangs_costs_no_others() {
    let mut runs = vec![completed(0.5); 1_200];
    runs[100].seconds = 900.0;
    let found = at_the_mark(&marked(600, &runs)).unwrap();
    assert_eq!((found.baseline.started_runs, found.candidate.started_runs), (599, 600));
    let runs = found.at_mark.unwrap();
    assert_eq!((runs.in_flight, runs.failed, runs.left_out), (1, 0, 0));
}

#[test]
fn a_mark_before_any_run_has_ended_has_nothing_before_it() {
    let refused = at_the_mark(&marked(50, &in_steady_state(60.0))).unwrap_err().to_string();
    assert!(refused.starts_with("all 50 measured runs that were due before the mark"), "{refused}");
}
