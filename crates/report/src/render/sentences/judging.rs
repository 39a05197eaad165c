//! The judging of a sample of a session's runs.

use super::bill::bill_sentence;
use crate::judged::{JudgedFigures, JudgingResult, WeightedShare};

/// The result of the judging, the figure first, and how to read it.
pub fn judging_sentences(judged: &JudgingResult) -> Vec<String> {
    let figures = &judged.figures;
    let mut sentences = vec![headline(figures)];
    if figures.judged() > 0 {
        sentences.push(format!(
            "The judged runs are reruns, made afterwards with at most {} in flight. They judge the conversation, but neither how it goes under load nor the original conversation.",
            figures.in_flight
        ));
    }
    sentences.extend(failures(figures));
    sentences.extend(agreement(figures));
    if figures.apart > 0 {
        sentences.push(format!(
            "{} other measured runs say nothing about the conversation and are in none of these shares.",
            figures.apart
        ));
    }
    if !figures.without_verdict.is_empty() {
        let reasons: Vec<String> = figures
            .without_verdict
            .iter()
            .map(|(reason, count)| format!("{} {count}", reason_label(reason)))
            .collect();
        let count: u64 = figures.without_verdict.values().sum();
        sentences.push(format!("{count} chosen runs have no verdict: {}.", reasons.join(", ")));
    }
    if !figures.closed {
        sentences.push(
            "The judging did not finish; `rushhour resume` on the folder `judged` continues it."
                .to_owned(),
        );
    }
    sentences.extend(judged.bill.map(|bill| bill_sentence("The judging", &bill)));
    sentences
}

fn headline(figures: &JudgedFigures) -> String {
    let (passed, failed) = (&figures.passed, &figures.failed);
    let success = match &figures.success {
        Some(share) => format!("success {}, weighted back", with_interval(share)),
        None => "no success rate can be estimated".to_owned(),
    };
    format!(
        "{} runs by our callers; {} judged by {} ({} of {} that passed, {} of {} that failed): {success}.",
        figures.in_all(),
        figures.judged(),
        figures.by,
        passed.judged,
        passed.in_all,
        failed.judged,
        failed.in_all,
    )
}

/// Failures that occur again without the load are the agent's; the others may be due to the load.
fn failures(figures: &JudgedFigures) -> Option<String> {
    let failed = &figures.failed;
    let classes: Vec<String> = figures
        .failures
        .iter()
        .map(|(class, of)| format!("{class} {} of {}", of.did_not_come_back, of.judged))
        .collect();
    (failed.judged > 0).then(|| {
        format!(
            "{} of {} failures passed without the load ({}), {} failed again.",
            failed.judged_passed,
            failed.judged,
            classes.join(", "),
            failed.judged_failed()
        )
    })
}

fn agreement(figures: &JudgedFigures) -> Option<String> {
    let agreement = figures.agreement.as_ref()?;
    let both = figures
        .success_with_both
        .as_ref()
        .map_or(String::new(), |share| format!("; {} pass with both", with_interval(share)));
    let passed = &figures.passed;
    Some(format!(
        "Of {} that our callers passed, {by} failed {}. Our callers and {by} agree on {} of all runs{both}.",
        passed.judged,
        passed.judged_failed(),
        with_interval(agreement),
        by = figures.by,
    ))
}

/// A reason of `summary.json` for people.
fn reason_label(reason: &str) -> &str {
    match reason {
        "not held again" => "not rerun",
        other => other,
    }
}

/// A share and its interval, in percent.
fn with_interval(share: &WeightedShare) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    let (low, high) = (percent(share.low), percent(share.high));
    match share.share {
        Some(point) => format!("{} % [{low}, {high}]", percent(point)),
        None => format!(
            "between {low} and {high} % (no run was judged of a kind that makes up {} % of the runs)",
            percent(share.unseen)
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::judged::{JudgedRun, RunVerdict};
    use crate::render::csv::judged_csv;
    use crate::session::BillTotals;
    use crate::session::test_sessions::ordinary;
    use rushhour_core::event::{FailureClass, Outcome};
    use rushhour_core::profile::{CallersVerdict, JudgingSelection};
    use rushhour_core::units::{EvaluatorRunId, RoomName, RunIndex, SessionId};

    fn run_verdict(run: u64, outcome: Outcome) -> RunVerdict {
        RunVerdict {
            run: RunIndex(run),
            room: Some(RoomName::new(format!("room-{run}"))),
            evaluator_run: Some(EvaluatorRunId::new("77")),
            outcome: Some(outcome),
        }
    }

    fn judged_run(number: u64, verdict: CallersVerdict, judged: Option<bool>) -> JudgedRun {
        let original = match verdict {
            CallersVerdict::Passed => Outcome::Completed { judged: None },
            CallersVerdict::Failed => Outcome::failed(FailureClass::AgentMute, "said nothing"),
        };
        let rerun = judged
            .map(|passed| run_verdict(900 + number, Outcome::Completed { judged: Some(passed) }));
        let original = run_verdict(number, original);
        JudgedRun { scenario: "greet".to_owned(), verdict, original, rerun, judged }
    }

    /// Of 400 runs that passed, 20 are judged and 2 of them fail. Of 12 that failed, 10 are judged and 8 pass.
    pub(crate) fn example(failed: u64) -> JudgingResult {
        let passed = (0..20).map(|n| judged_run(n, CallersVerdict::Passed, Some(n >= 2)));
        let rerun = (20..30).map(|n| judged_run(n, CallersVerdict::Failed, Some(n >= 22)));
        let without_rerun = (30..32).map(|n| judged_run(n, CallersVerdict::Failed, None));
        let judged = failed.min(10);
        let runs: Vec<JudgedRun> = passed
            .chain(rerun.take(usize::try_from(judged).unwrap()))
            .chain(without_rerun.take(usize::try_from(failed - judged).unwrap()))
            .collect();
        let selection = JudgingSelection {
            session: SessionId::new("made-up"),
            passed: 400,
            failed: 12,
            excluded: 3,
            scenarios: Vec::new(),
        };
        let ((judging, _), (session, _)) = (ordinary(1, ""), ordinary(1, ""));
        let figures = JudgedFigures::new(&selection, &runs, &judging, &session);
        JudgingResult { figures, runs, bill: BillTotals::of(&judging) }
    }

    #[test]
    fn the_result_of_the_judging_comes_first() {
        let sentences = judging_sentences(&example(12));
        // (400 * 0.9 + 12 * 0.8) / 412, by Zou's method around Wilson's intervals.
        assert_eq!(
            sentences[0],
            "412 runs by our callers; 30 judged by the stand-in for Cekura (20 of 400 that passed, 10 of 12 that failed): success 89.7 % [70.2, 96.7], weighted back."
        );
        assert!(sentences[1].contains("neither how it goes under load"), "{sentences:?}");
        assert_eq!(
            sentences[2],
            "8 of 10 failures passed without the load (agent_mute 8 of 10), 2 failed again."
        );
        // Both pass 90 % of 400, and both fail 20 % of 12.
        assert!(sentences[3].starts_with("Of 20 that our callers passed, the stand-in for Cekura failed 2. Our callers and the stand-in for Cekura agree on 88.0 % "), "{sentences:?}");
        assert!(sentences[3].contains("; 87.4 % "), "{sentences:?}");
        assert!(sentences[4].starts_with("3 other measured runs"), "{sentences:?}");
        assert_eq!(sentences[5], "2 chosen runs have no verdict: not rerun 2.");
        assert!(sentences[6].starts_with("The judging would have cost "), "{sentences:?}");
    }

    #[test]
    fn a_stratum_without_a_judged_run_leaves_room_for_anything() {
        let sentences = judging_sentences(&example(0));
        assert!(sentences[0].contains("0 of 12 that failed): success between "), "{sentences:?}");
        assert!(sentences[0].contains("makes up 2.9 % of the runs"), "{sentences:?}");
        assert!(!sentences.iter().any(|sentence| sentence.contains("again")), "{sentences:?}");
    }

    #[test]
    fn every_chosen_run_has_a_line_with_the_weight_of_its_verdict() {
        let mut bytes = Vec::new();
        judged_csv(&example(12), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 33);
        assert_eq!(
            lines[1],
            "0,greet,room-0,completed,,,passed,20.000,900,room-900,77,completed,,,failed,false,"
        );
        assert_eq!(
            lines[23],
            "22,greet,room-22,failed,agent_mute,said nothing,failed,1.200,922,room-922,77,completed,,,passed,false,did not come back"
        );
        assert_eq!(lines[31], "30,greet,room-30,failed,agent_mute,said nothing,failed,,,,,,,,,,");
    }
}
