//! The judging of a session in plain sentences.

use super::figures::{JudgedFigures, WeightedShare};
use super::fold::JudgingResult;

/// What the judging comes to, the figure first; one sentence or two in each.
pub fn judged_words(judged: &JudgingResult) -> Vec<String> {
    let figures = &judged.figures;
    let mut words = vec![headline(figures)];
    if figures.judged() > 0 {
        words.push(format!(
            "The judged runs were held again afterwards, at most {} at once: they judge the conversation, not how it goes under the load, and not that same conversation.",
            figures.in_flight
        ));
    }
    words.extend(failures(figures));
    words.extend(differences(figures));
    if figures.apart > 0 {
        words.push(format!(
            "{} other measured runs say nothing of the conversation, and are in none of these shares.",
            figures.apart
        ));
    }
    if !figures.without_verdict.is_empty() {
        let list: Vec<String> =
            figures.without_verdict.iter().map(|(why, count)| format!("{why} {count}")).collect();
        let count: u64 = figures.without_verdict.values().sum();
        words.push(format!("{count} chosen runs have no verdict: {}.", list.join(", ")));
    }
    if !figures.closed {
        words.push(
            "The judging did not come to its end: `rushhour resume` on the folder `judged` takes it up."
                .to_owned(),
        );
    }
    words.extend(judged.bill.iter().map(|bill| format!("The judging: {}", lower(bill))));
    words
}

fn headline(figures: &JudgedFigures) -> String {
    let (passed, failed) = (&figures.passed, &figures.failed);
    let found = match &figures.success {
        Some(share) => format!("success {}, weighted back", with_interval(share)),
        None => "nothing can be said".to_owned(),
    };
    format!(
        "{} runs by our callers; {} judged by {} ({} of {} that passed, {} of {} that failed): {found}.",
        figures.in_all(),
        figures.judged(),
        figures.by,
        passed.judged,
        passed.in_all,
        failed.judged,
        failed.in_all,
    )
}

/// Failures that come back without the load are the agent's; those that do not may be the load's.
fn failures(figures: &JudgedFigures) -> Option<String> {
    let failed = &figures.failed;
    let classes: Vec<String> = figures
        .failures
        .iter()
        .map(|(class, of)| format!("{class} {} of {}", of.did_not_come_back, of.judged))
        .collect();
    (failed.judged > 0).then(|| {
        format!(
            "{} of {} failures did not come back alone ({}), {} did.",
            failed.judged_passed,
            failed.judged,
            classes.join(", "),
            failed.judged_failed()
        )
    })
}

fn differences(figures: &JudgedFigures) -> Option<String> {
    let agreement = figures.agreement.as_ref()?;
    let both = figures
        .success_with_both
        .as_ref()
        .map_or(String::new(), |share| format!("; with both, {} succeed", with_interval(share)));
    let passed = &figures.passed;
    Some(format!(
        "Of {} that our callers passed, {} failed {}. Both say the same of {}{both}.",
        passed.judged,
        figures.by,
        passed.judged_failed(),
        with_interval(agreement),
    ))
}

/// A share and its interval, in percent.
pub(in crate::report) fn with_interval(share: &WeightedShare) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    let (low, high) = (percent(share.low), percent(share.high));
    match share.share {
        Some(point) => format!("{} % [{low}, {high}]", percent(point)),
        None => format!(
            "between {low} and {high} % ({} % of the runs are of a kind of which none was judged)",
            percent(share.unseen)
        ),
    }
}

fn lower(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_lowercase().chain(characters).collect())
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use super::super::super::test_sessions::ordinary;
    use super::super::csv::judged_csv;
    use super::super::fold::{JudgedRun, RunVerdict};
    use super::*;
    use rushhour_core::event::{FailureClass, Outcome};
    use rushhour_core::profile::{CallersVerdict, JudgingSelection};
    use rushhour_core::units::{EvaluatorRunId, RoomName, RunIndex, SessionId};

    fn held(run: u64, outcome: Outcome) -> RunVerdict {
        RunVerdict {
            run: RunIndex(run),
            room: Some(RoomName::new(format!("room-{run}"))),
            evaluator_run: Some(EvaluatorRunId::new("77")),
            outcome: Some(outcome),
        }
    }

    fn run(number: u64, verdict: CallersVerdict, judged: Option<bool>) -> JudgedRun {
        let ours = match verdict {
            CallersVerdict::Passed => Outcome::Completed { judged: None },
            CallersVerdict::Failed => Outcome::failed(FailureClass::AgentMute, "said nothing"),
        };
        let again =
            judged.map(|passed| held(900 + number, Outcome::Completed { judged: Some(passed) }));
        let scenario = "greet".to_owned();
        JudgedRun { scenario, verdict, ours: held(number, ours), again, judged }
    }

    /// Of 400 runs that passed 20 are judged and 2 of them fail; of 12 that failed 10 are, and 8 pass.
    pub(in crate::report) fn example(failed: u64) -> JudgingResult {
        let passed = (0..20).map(|n| run(n, CallersVerdict::Passed, Some(n >= 2)));
        let again = (20..30).map(|n| run(n, CallersVerdict::Failed, Some(n >= 22)));
        let left = (30..32).map(|n| run(n, CallersVerdict::Failed, None));
        let judged = failed.min(10);
        let runs: Vec<JudgedRun> = passed
            .chain(again.take(usize::try_from(judged).unwrap()))
            .chain(left.take(usize::try_from(failed - judged).unwrap()))
            .collect();
        let selection = JudgingSelection {
            session: SessionId::new("made-up"),
            passed: 400,
            failed: 12,
            excluded: 3,
            scenarios: Vec::new(),
        };
        let ((judging, _), (session, _)) = (ordinary(1, ""), ordinary(1, ""));
        let figures = JudgedFigures::new(&selection, &runs, (&judging, &session));
        JudgingResult { figures, runs, bill: Some("It cost about 2 USD.".to_owned()) }
    }

    #[test]
    fn the_judging_is_told_with_what_it_rests_on() {
        let words = judged_words(&example(12));
        // (400 * 0.9 + 12 * 0.8) / 412, by Zou's method around Wilson's intervals.
        assert_eq!(
            words[0],
            "412 runs by our callers; 30 judged by the stand-in for Cekura (20 of 400 that passed, 10 of 12 that failed): success 89.7 % [70.2, 96.7], weighted back."
        );
        assert!(words[1].contains("not how it goes under the load"), "{words:?}");
        assert_eq!(
            words[2],
            "8 of 10 failures did not come back alone (agent_mute 8 of 10), 2 did."
        );
        // Both say pass of 90 % of 400, and both say failed of 20 % of 12.
        assert!(words[3].starts_with("Of 20 that our callers passed, the stand-in for Cekura failed 2. Both say the same of 88.0 % "), "{words:?}");
        assert!(words[3].contains("; with both, 87.4 % "), "{words:?}");
        assert!(words[4].starts_with("3 other measured runs"), "{words:?}");
        assert_eq!(words[5], "2 chosen runs have no verdict: not held again 2.");
        assert_eq!(words[6], "The judging: it cost about 2 USD.");
    }

    #[test]
    fn a_kind_of_which_none_was_judged_leaves_room_for_anything() {
        let words = judged_words(&example(0));
        assert!(words[0].contains("0 of 12 that failed): success between "), "{words:?}");
        assert!(words[0].contains("(2.9 % of the runs are of a kind"), "{words:?}");
        assert!(!words.iter().any(|words| words.contains("come back")), "{words:?}");
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
