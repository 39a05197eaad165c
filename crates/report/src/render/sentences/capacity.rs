//! A search for capacity: its answer, and its progress.

use super::capacity_quality::quality_loss;
use super::first_to_give::{figure, first_to_give};
use super::listed;
use crate::capacity::{
    BurstAnswer, CapacityAnswer, CapacityBound, CapacityRange, Ceiling, LevelVerdict,
    NeededVerdict, Purpose, Recovery, SearchEnd, Trial, TrialFinding,
};
use crate::session::{Verdict, WORKERS_AWAITED};
use rushhour_core::units::Micros;

/// How many conversations the agent holds, what gives way first and why, in one sentence without a full stop.
pub fn capacity_headline(answer: &CapacityAnswer<'_>) -> String {
    let but = answer
        .first_loss()
        .map_or(String::new(), |loss| format!(" by its thresholds, but {}", quality_loss(loss)));
    let holds = match answer.range {
        CapacityRange::Between(passed, failed) if failed.in_flight - passed.in_flight == 1 => {
            format!("holds {} at once, and not {}{but}", passed.in_flight, failed.in_flight)
        }
        CapacityRange::Between(passed, failed) => {
            format!("holds {} to {} at once{but}", passed.in_flight, failed.in_flight)
        }
        CapacityRange::AtLeast(passed, ceiling) => {
            let why = match ceiling {
                Ceiling::Most => "more were not tried".to_owned(),
                Ceiling::Generator(level) => {
                    format!(
                        "at {level} the load generator was the limit, which says nothing about the agent"
                    )
                }
                Ceiling::Undecided(level) => format!("from {level} on the search is undecided"),
                Ceiling::Ended => {
                    format!("the search ended before more were tried: {}", ending(answer.ending))
                }
            };
            format!("holds at least {} at once{but}; {why}", passed.in_flight)
        }
        CapacityRange::FewerThan(CapacityBound { in_flight: 1, .. }) => {
            "does not hold even 1".to_owned()
        }
        CapacityRange::FewerThan(failed) => {
            format!(
                "holds fewer than {} at once, and no lower level was seen to pass",
                failed.in_flight
            )
        }
        CapacityRange::Unknown => {
            format!("it is unknown how many it holds: {}", ending(answer.ending))
        }
    };
    match &answer.first_failure {
        Some(gave_way) => {
            let first = if but.is_empty() { "thing" } else { "threshold" };
            format!("{holds}; the first {first} to give is {}", first_to_give(gave_way))
        }
        None => holds,
    }
}

/// How often each end of the range was confirmed; `None` if no level was decided.
fn confidence(answer: &CapacityAnswer<'_>) -> Option<String> {
    let times = |end: CapacityBound, verb: &str| match end.sessions {
        1 => format!("{} {verb} once", end.in_flight),
        2 => format!("{} {verb} twice", end.in_flight),
        more => format!("{} {verb} {more} times", end.in_flight),
    };
    let ends = match answer.range {
        CapacityRange::Between(passed, failed) => {
            format!("{}, {}", times(passed, "passed"), times(failed, "failed"))
        }
        CapacityRange::AtLeast(passed, _) => times(passed, "passed"),
        CapacityRange::FewerThan(failed) => times(failed, "failed"),
        CapacityRange::Unknown => return None,
    };
    Some(format!(
        "{ends}; each time by its whole 95 % interval: a level passes where every threshold's lies inside its bound, and fails where one lies outside"
    ))
}

/// The last passed level, started at one instant.
fn burst(answer: &BurstAnswer<'_>) -> String {
    let level = answer.burst.in_flight();
    let compared = |burst: &TrialFinding| -> Vec<String> {
        burst
            .thresholds
            .iter()
            .zip(&answer.ramped.thresholds)
            .filter(|(burst, _)| burst.verdict != Verdict::Passed)
            .map(|(burst, ramped)| {
                format!(
                    "{} is {} and was {} when ramped",
                    burst.threshold.measure,
                    figure(&burst.threshold, burst.estimated),
                    figure(&ramped.threshold, ramped.estimated)
                )
            })
            .collect()
    };
    let held = answer.stalled.and_then(|first| first.stalled.as_ref());
    let again = held.map_or(String::new(), |stalled| {
        let held_back = format!(
            "LiveKit's dispatcher held {} of {} dispatches back for up to {WORKERS_AWAITED}",
            stalled.held(),
            stalled.joins
        );
        if answer.burst.purpose() == Purpose::BurstAgain {
            format!(
                "; the first time, {held_back}, so the burst was held again right after the server had looked for workers"
            )
        } else {
            format!("; {held_back}, before any of the agent's workers was asked")
        }
    });
    let text = match answer.burst.result.verdict {
        LevelVerdict::Passed => format!("{level} at the same instant are held too"),
        LevelVerdict::Failed => {
            format!(
                "{level} at the same instant are not held: {}",
                compared(answer.burst).join(", ")
            )
        }
        LevelVerdict::Generator => {
            format!("{level} at the same instant were more than the generator could start")
        }
        LevelVerdict::Undecided => format!(
            "whether {level} are held at the same instant cannot be decided: {}",
            compared(answer.burst).join(", ")
        ),
        other => format!("{level} at the same instant: {}", other.label()),
    };
    text + &again
}

/// The levels at which the server's dispatcher held dispatches back: their joins say less about the agent.
fn stalled_levels(stalled: &[&TrialFinding]) -> Option<String> {
    let (mut held, mut joins) = (0, 0);
    for found in stalled.iter().filter_map(|finding| finding.stalled.as_ref()) {
        held += found.held();
        joins += found.joins;
    }
    let numbers: Vec<String> = stalled.iter().map(|finding| finding.number.to_string()).collect();
    let sessions = if numbers.len() == 1 { "session" } else { "sessions" };
    let sessions = format!("{sessions} {}", listed(&numbers));
    let undecided = stalled.iter().filter(|finding| finding.result.is_the_dispatchers());
    let again: Vec<String> = undecided.map(|finding| finding.number.to_string()).collect();
    let again = match again.len() {
        0 => String::new(),
        1 => format!("; session {} did not pass for it and decides nothing", again[0]),
        _ => format!("; sessions {} did not pass for it and decide nothing", listed(&again)),
    };
    (held > 0).then(|| {
        format!(
            "in {sessions} LiveKit's dispatcher held {held} of {joins} dispatches back for up to {WORKERS_AWAITED}, before any of the agent's workers was asked{again}",
        )
    })
}

/// How soon the agent recovered.
fn recovery(recovery: &Recovery) -> String {
    let Recovery { failed_level, probed_level, earliest, latest, observed_for } = recovery;
    let head = format!("after the first {failed_level} at once, {probed_level} at once");
    match latest {
        Some(latest) if *earliest == Micros::ZERO => {
            format!(
                "{head} were inside the thresholds again at most {latest} after the last of them had ended"
            )
        }
        Some(latest) => format!(
            "{head} were inside the thresholds again between {earliest} and {latest} after the last of them had ended"
        ),
        None => format!("{head} were not inside the thresholds again within {observed_for}"),
    }
}

/// Whether the agent holds as many as needed.
fn needed(needed: NeededVerdict) -> String {
    match needed {
        NeededVerdict::Met(needed) => format!("the {needed} that are needed are held"),
        NeededVerdict::NotMet(needed) => format!("the {needed} that are needed are not held"),
        NeededVerdict::Unknown(needed) => {
            format!("it is unknown whether the {needed} that are needed are held")
        }
    }
}

/// Why a search ended.
const fn ending(ending: SearchEnd) -> &'static str {
    match ending {
        SearchEnd::Complete => "every level was undecided, or too high for the load generator",
        SearchEnd::Stopped => "stopped by a signal",
        SearchEnd::Budget => "a cap on money, runs or minutes was reached",
        SearchEnd::Time => "its time limit was reached",
        SearchEnd::Workers => "the workers hold fewer callers than the next level has",
        SearchEnd::Broken => "a session did not finish",
    }
}

/// What the reader must know beside the headline, one sentence each, without full stops.
pub fn capacity_remarks(answer: &CapacityAnswer<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    remarks.extend(answer.needed.map(needed));
    remarks.extend(confidence(answer));
    if let (Some(first), Some(last)) = (answer.undecided.first(), answer.undecided.last()) {
        let levels = if first == last { first.to_string() } else { format!("{first} to {last}") };
        remarks.push(format!("{levels} at once could not be decided, held as long as allowed"));
    }
    let told = usize::from(answer.first_loss().is_some());
    remarks.extend(answer.quality_losses.iter().skip(told).map(quality_loss));
    remarks.extend(stalled_levels(&answer.stalled));
    remarks.extend(answer.burst.as_ref().map(burst));
    remarks.extend(answer.recovery.as_ref().map(recovery));
    if answer.ending != SearchEnd::Complete {
        remarks.push(format!("the search did not finish: {}", ending(answer.ending)));
    }
    remarks
}

/// A session that is about to start.
pub fn trial_line(number: u32, trial: &Trial) -> String {
    let level = trial.in_flight;
    let what = match trial.purpose {
        Purpose::Step => format!("{level} at once"),
        Purpose::Bisect => format!("{level} at once, in between"),
        Purpose::Confirm => format!("{level} at once, to confirm"),
        Purpose::Again => format!(
            "{level} at once again, right after LiveKit looked for workers: it had held dispatches back"
        ),
        Purpose::Burst => return format!("session {number}: {level} at the same instant"),
        Purpose::BurstAgain => {
            return format!(
                "session {number}: {level} at the same instant again, right after LiveKit looked for workers: it had held dispatches back"
            );
        }
        Purpose::Recover => format!("{level} at once, to see whether the agent has recovered"),
    };
    format!("session {number}: {what}, {} measured", trial.duration)
}

/// The result of a session.
pub fn trial_result_line(finding: &TrialFinding) -> String {
    let (ended, failed) = (finding.runs, finding.failed);
    let verdict = finding.result.verdict.label();
    let not_passed = finding.thresholds.iter().filter(|found| found.verdict != Verdict::Passed);
    let figures: Vec<String> = not_passed
        .take(2)
        .map(|found| format!("{} is {}", found.threshold.measure, found.found))
        .collect();
    let why = match finding.result.verdict {
        LevelVerdict::Failed | LevelVerdict::Undecided => figures.join(", "),
        LevelVerdict::Generator => finding.generator_faults.join(", "),
        _ => finding.stopped.clone().unwrap_or_default(),
    };
    let why = if why.is_empty() { why } else { format!(": {why}") };
    let stalled = finding.stalled.as_ref().map_or(String::new(), |stalled| {
        format!(
            "; LiveKit's dispatcher held {} of {} dispatches back",
            stalled.held(),
            stalled.joins
        )
    });
    format!("  {verdict}, {failed} of {ended} runs failed{why}{stalled}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::simulation::{finding, search_with};
    use crate::capacity::{CapacitySearch, LevelVerdict::*, Purpose::*};
    use crate::fold::JoinTime;
    use crate::session::StalledJoins;
    use rushhour_core::event::FailureClass;
    use rushhour_core::units::SessionTime;

    type Session = (crate::capacity::Purpose, u32, LevelVerdict, u64, FailureClass);

    const NONE: FailureClass = FailureClass::Cancelled;
    const REJECTED: FailureClass = FailureClass::DispatchUnassigned;

    fn findings(sessions: &[Session]) -> Vec<TrialFinding> {
        (1..)
            .zip(sessions)
            .map(|(number, (purpose, level, verdict, failed, class))| {
                finding(number, *purpose, *level, *verdict, *failed, *class)
            })
            .collect()
    }

    fn answered(capacity: &str, sessions: &[Session], ending: SearchEnd) -> (String, Vec<String>) {
        let findings = findings(sessions);
        let (_, search): (_, CapacitySearch) = search_with(capacity, &findings);
        let answer = CapacityAnswer::of(&search, &findings, ending);
        (capacity_headline(&answer), capacity_remarks(&answer))
    }

    #[test]
    fn the_answer_says_how_many_and_what_fails_first_and_why() {
        let (headline, remarks) = answered(
            "start = 20\nneeded = 33",
            &[
                (Step, 20, Passed, 0, NONE),
                (Step, 30, Passed, 1, REJECTED),
                (Step, 33, Failed, 40, REJECTED),
                (Recover, 20, Failed, 30, REJECTED),
                (Recover, 20, Failed, 30, REJECTED),
                (Recover, 20, Passed, 1, NONE),
                (Confirm, 33, Failed, 20, REJECTED),
                (Confirm, 30, Passed, 1, NONE),
                (Burst, 30, Failed, 60, REJECTED),
            ],
            SearchEnd::Complete,
        );
        assert_eq!(
            headline,
            "holds 30 to 33 at once; the first thing to give is the share of runs that fail, at 33, where it is 10.0 % [6.6 %, 14.9 %] against a bound of 5%, because workers reject, or none is free (dispatch_unassigned, 20 of 200 runs)"
        );
        assert_eq!(remarks[0], "the 33 that are needed are not held");
        assert!(remarks[1].starts_with("30 passed twice, 33 failed twice; "), "{remarks:?}");
        assert!(remarks[2].starts_with("30 at the same instant are not held: failed is 30.0 % ["));
        assert_eq!(
            remarks[3],
            "after the first 33 at once, 20 at once were inside the thresholds again between 60.0s and 3m00s after the last of them had ended"
        );
    }

    #[test]
    fn what_was_not_found_is_not_claimed() {
        let cases: [(&str, &[Session], SearchEnd, &str); 6] = [
            (
                "most = 30",
                &[(Step, 30, Passed, 0, NONE)],
                SearchEnd::Complete,
                "holds at least 30 at once; more were not tried",
            ),
            (
                "start = 20",
                &[
                    (Step, 20, Passed, 0, NONE),
                    (Step, 30, Generator, 90, REJECTED),
                    (Step, 30, Generator, 90, REJECTED),
                ],
                SearchEnd::Complete,
                "holds at least 20 at once; at 30 the load generator was the limit, which says nothing about the agent",
            ),
            (
                "start = 20",
                &[(Step, 20, Passed, 0, NONE), (Step, 30, Budget, 0, NONE)],
                SearchEnd::Budget,
                "holds at least 20 at once; the search ended before more were tried: a cap on money, runs or minutes was reached",
            ),
            (
                "start = 20",
                &[(Step, 20, Passed, 0, NONE)],
                SearchEnd::Workers,
                "holds at least 20 at once; the search ended before more were tried: the workers hold fewer callers than the next level has",
            ),
            (
                "start = 1",
                &[(Step, 1, Failed, 200, FailureClass::AgentMute)],
                SearchEnd::Complete,
                "does not hold even 1; the first thing to give is the share of runs that fail, at 1, where it is 100.0 % [98.1 %, 100.0 %] against a bound of 5%, because agents joined and said nothing (agent_mute, 200 of 200 runs)",
            ),
            (
                "start = 4",
                &[(Step, 4, Stopped, 0, NONE)],
                SearchEnd::Stopped,
                "it is unknown how many it holds: stopped by a signal",
            ),
        ];
        for (capacity, sessions, ending, expected) in cases {
            assert_eq!(answered(capacity, sessions, ending).0, expected);
        }
    }

    #[test]
    fn a_burst_that_the_dispatcher_held_back_is_answered_by_the_one_that_was_held_again() {
        let stalled = |mut finding: TrialFinding| {
            let join = |at: u64, wait: u64| {
                let requested = SessionTime(at);
                JoinTime { requested, joined: requested + Micros::from_millis(wait) }
            };
            let joins: Vec<JoinTime> = (0..26).map(|n| join(n, 5_100 + n)).collect();
            finding.stalled = StalledJoins::find(&joins);
            finding.result.stalled = finding.stalled.is_some();
            finding
        };
        let step = finding(1, Step, 26, Passed, 0, NONE);
        let first = stalled(finding(2, Burst, 26, Failed, 60, REJECTED));
        let remark = |again: LevelVerdict| {
            let again = finding(3, BurstAgain, 26, again, 0, NONE);
            let findings = [step.clone(), first.clone(), again];
            let (_, search) = search_with("start = 26\nmost = 26", &findings);
            let answer = CapacityAnswer::of(&search, &findings, SearchEnd::Complete);
            let remarks = capacity_remarks(&answer);
            remarks.into_iter().find(|one| one.contains("same instant")).unwrap()
        };
        let held = "LiveKit's dispatcher held 26 of 26 dispatches back for up to 5.00s";
        assert_eq!(
            remark(Passed),
            format!(
                "26 at the same instant are held too; the first time, {held}, so the burst was held again right after the server had looked for workers"
            )
        );
        let unclear = remark(Generator);
        assert!(unclear.starts_with("26 at the same instant are not held"), "{unclear}");
        assert!(unclear.ends_with(&format!("{held}, before any of the agent's workers was asked")));
    }
}
