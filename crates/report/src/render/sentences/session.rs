//! A session in sentences: its verdict, what happened, and what the reader must know first.

use std::fmt::Write;

use super::counted;
use super::heard::heard_notes;
use super::quality::{break_up_note, connection_note, sound_note};
use super::rules::rule_notes;
use super::threshold::needs_note;
use crate::fold::{FoldedSession, FoldedWorker, Mark, ResumptionRecord};
use crate::session::{
    Criterion, OverallVerdict, SessionVerdict, StalledJoins, ThresholdResult, Verdict,
};
use rushhour_core::event::MediaPath;
use rushhour_core::units::{SessionTime, WorkerId};

/// In reports of invalid sessions.
pub(crate) const INVALID: &str = "The load generator did not deliver the requested load, so the session says nothing about the agent.";
/// In reports of sessions that were killed or are still running.
pub(crate) const NOT_FINISHED: &str =
    "The session did not finish: it was killed, or it is still running.";

impl OverallVerdict {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed | Self::NothingCompleted => "Failed",
            Self::Undecided => "Not enough data",
            Self::Invalid | Self::EnvironmentFailed => "Invalid",
            Self::NoThresholds => "No verdict",
        }
    }
}

/// The verdict with its reason and its confidence, without a full stop.
pub(crate) fn verdict_sentence(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> String {
    let all = verdict.thresholds.len() as u64;
    let of = |wanted: &dyn Fn(Verdict) -> bool| -> Vec<&ThresholdResult> {
        verdict.thresholds.iter().filter(|result| wanted(result.verdict)).collect()
    };
    let undecided = of(&|verdict| matches!(verdict, Verdict::Undecided { .. }));
    let runs = counted(folded.measured.ended(), "measured run");
    match OverallVerdict::of(verdict) {
        OverallVerdict::Invalid => {
            let broken: Vec<&str> =
                verdict.validity.broken().map(|rule| rule.figure.label()).collect();
            format!(
                "the session says nothing about the agent, because the load generator did not deliver the requested load ({})",
                broken.join(", ")
            )
        }
        OverallVerdict::NothingCompleted => {
            format!("no run completed: {}", failures_by_party(folded))
        }
        OverallVerdict::EnvironmentFailed if folded.tally.failed.is_empty() => {
            "no run was started, so nothing was measured".to_owned()
        }
        OverallVerdict::EnvironmentFailed => format!(
            "no run completed, so the session says nothing about the agent: {}",
            failures_by_party(folded)
        ),
        OverallVerdict::Failed => {
            let failed = of(&|verdict| verdict.is_failure());
            let named: Vec<String> = failed
                .iter()
                .map(|result| format!("{}, measured {}", result.name(), result.found))
                .collect();
            let rest = match undecided.len() {
                0 => String::new(),
                1 => "; 1 is undecided".to_owned(),
                some => format!("; {some} are undecided"),
            };
            let do_not = if failed.len() == 1 { "does not" } else { "do not" };
            format!(
                "{} of {} {do_not} hold{}: {}{rest}",
                failed.len(),
                counted(all, "threshold"),
                confidence(criterion, failed.len()),
                named.join("; ")
            )
        }
        OverallVerdict::Undecided => {
            let named: Vec<String> =
                undecided.iter().map(|result| undecided_threshold(result)).collect();
            let rest = match all - undecided.len() as u64 {
                0 => String::new(),
                1 => "; 1 other holds".to_owned(),
                more => format!("; {more} others hold"),
            };
            let are = if undecided.len() == 1 { "is" } else { "are" };
            format!(
                "{} of {} {are} undecided after {runs}; {}{rest}",
                undecided.len(),
                counted(all, "threshold"),
                named.join("; ")
            )
        }
        OverallVerdict::Passed => {
            let all_hold = match all {
                1 => "the one threshold holds".to_owned(),
                more => format!("all {more} thresholds hold"),
            };
            let confidence = confidence(criterion, verdict.thresholds.len());
            format!("{all_hold}{confidence}, over {runs}")
        }
        OverallVerdict::NoThresholds if folded.tally.started == 0 => {
            "no run was started, so nothing was measured".to_owned()
        }
        OverallVerdict::NoThresholds => {
            format!("the profile sets no thresholds; {runs} ended")
        }
    }
}

/// A session's end in a few lines: its verdict, and what became of its runs.
pub fn session_notice(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> String {
    let label = OverallVerdict::of(verdict).label();
    let sentence = verdict_sentence(folded, verdict, criterion);
    let stops = stop_notes(folded).iter().fold(String::new(), |all, note| format!("{all}\n{note}"));
    let session = folded.opening.session.as_str();
    format!("{label}: {sentence}.\n{}{stops}\nSession {session}", outcome_sentence(folded))
}

/// How many failures can be whose fault.
fn failures_by_party(folded: &FoldedSession) -> String {
    let parties = folded.tally.failures_by_party();
    let parts: Vec<String> = parties
        .iter()
        .map(|(party, count)| {
            format!("{} can be the fault of the {party}", counted(*count, "failure"))
        })
        .collect();
    parts.join(", ")
}

const fn confidence(criterion: Criterion, thresholds: usize) -> &'static str {
    match (criterion, thresholds) {
        (Criterion::Interval, 1) => ", with 95 % confidence",
        (Criterion::Interval, _) => ", each with 95 % confidence",
        (Criterion::PointEstimate, _) => ", by the figures alone, without their intervals",
    }
}

fn undecided_threshold(result: &ThresholdResult) -> String {
    let needs = needs_note(result.verdict).map_or(String::new(), |note| format!(", and {note}"));
    format!("{}: {}{needs}", result.name(), result.found)
}

/// The number of runs by outcome, in one sentence.
pub(crate) fn outcome_sentence(folded: &FoldedSession) -> String {
    let tally = &folded.tally;
    let profile = &folded.opening.profile;
    let mut parts = vec![format!("{} completed", tally.completed)];
    if tally.judged_passed + tally.judged_failed > 0 {
        let _ = write!(
            parts[0],
            " ({} judged as passed, {} not)",
            tally.judged_passed, tally.judged_failed
        );
    }
    for (count, word) in [
        (tally.failed_total(), "failed"),
        (tally.skipped, "skipped"),
        (tally.not_started, "not started"),
        (tally.open(), "still open"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let judges = profile.judges.as_ref().map_or(String::new(), |judges| {
        format!(" They are reruns of runs of {}, to be judged.", judges.session)
    });
    format!(
        "{}: {} {} runs in {}: {}.{judges}",
        profile.name,
        tally.planned(),
        profile.mode,
        folded.last_event.since(SessionTime::START),
        parts.join(", ")
    )
}

/// How conversations ended that the caller did not end, and what else was special about them.
pub(crate) fn conversation_note(folded: &FoldedSession) -> Option<String> {
    let tally = &folded.conversations;
    let mut parts: Vec<String> =
        tally.ended.iter().map(|(end, count)| format!("{count} {}", end.meaning())).collect();
    for (count, one, several) in [
        (tally.hand_offs, "hand-off", "hand-offs"),
        (tally.hidden, "with a hidden agent", "with a hidden agent"),
        (
            tally.several_agents,
            "with several agents in the room, which may both answer",
            "with several agents in the room, which may both answer",
        ),
        (
            tally.unheard_turns,
            "turn said again that nobody had heard, before a session began, in a greeting or in a hand-off",
            "turns said again that nobody had heard, before a session began, in a greeting or in a hand-off",
        ),
        (tally.ignored_interruptions, "interruption ignored", "interruptions ignored"),
        (
            tally.rules_used_up,
            "rule heard once more than it is followed",
            "rules heard more often than they are followed",
        ),
        (
            tally.incomplete_texts,
            "text of the agent arrived with a part missing",
            "texts of the agent arrived with a part missing",
        ),
    ] {
        match count {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            _ => parts.push(format!("{count} {several}")),
        }
    }
    if tally.backchannels > 0 {
        let (stopped, of) = (tally.false_interruptions, tally.backchannels);
        parts.push(format!("the agent stopped for {stopped} of {of} back-channels"));
    }
    if tally.redials > 0 {
        let calls = counted(tally.redials, "call");
        let failed = tally.failed_redials;
        parts.push(format!("{calls} by callers that called again ({failed} failed)"));
    }
    (!parts.is_empty()).then(|| format!("In the conversations: {}.", parts.join(", ")))
}

/// Which way media and data of our own callers went, as a sentence.
pub(crate) fn path_note(folded: &FoldedSession) -> Option<String> {
    Some(format!("Media and data of {}.", media_ways(folded)?))
}

/// The same where it was not UDP alone, which is usual.
fn unusual_path_note(folded: &FoldedSession) -> Option<String> {
    let mut paths = folded.conversations.media_paths.keys();
    if paths.all(|path| *path == MediaPath::Udp) { None } else { path_note(folded) }
}

/// How many callers went which way.
pub(crate) fn media_ways(folded: &FoldedSession) -> Option<String> {
    let tally = &folded.conversations;
    let ways: Vec<String> = tally
        .media_paths
        .iter()
        .map(|(path, count)| format!("{} went over {path}", counted(*count, "caller")))
        .collect();
    if ways.is_empty() {
        return None;
    }
    let changes = match tally.path_changes {
        0 => String::new(),
        changes => format!("; {} changed", counted(changes, "way")),
    };
    Some(format!("{}{changes}", ways.join(", of ")))
}

/// When the session's process died and another one resumed it, and what that means for the figures.
pub(crate) fn resumption_notes(folded: &FoldedSession) -> Vec<String> {
    let note = |resumption: &ResumptionRecord| {
        let torn = match resumption.torn_bytes {
            0 => String::new(),
            torn => format!(" {torn} bytes of an incomplete line were cut off the journal."),
        };
        format!(
            "The process died, and the session was resumed at {}. It was not observed for {}, with {} under way; runs that ended in that time count as longer than the time observed.{torn}",
            resumption.wall,
            resumption.gap.length(),
            counted(resumption.open_runs, "run"),
        )
    };
    folded.resumptions.iter().map(note).collect()
}

/// Why no more runs were started.
pub(crate) fn stop_notes(folded: &FoldedSession) -> Vec<String> {
    let note = |(reason, detail): &(rushhour_core::event::StopReason, String)| {
        format!("Stopped ({}): {detail}.", reason.name())
    };
    folded.stops.iter().map(note).collect()
}

/// That the ids of runs at the evaluator are assumptions.
pub(crate) fn assumption_note(folded: &FoldedSession) -> Option<String> {
    (folded.assumed_mappings > 0).then(|| {
        format!(
            "The evaluator's ids of {} are an assumption, based on their order.",
            counted(folded.assumed_mappings, "run")
        )
    })
}

/// That completions were seen late, because status polls failed or waited.
pub(crate) fn poll_note(folded: &FoldedSession) -> Option<String> {
    let health = &folded.health;
    let interval = folded.opening.profile.evaluator.cekura()?.poll_every.micros();
    let (failed, late) = (health.status_polls_failed, health.poll_lag > interval);
    if failed == 0 && !late {
        return None;
    }
    let mut causes = Vec::new();
    if failed > 0 {
        let polls = health.status_polls + failed;
        causes.push(format!("{failed} of {} failed", counted(polls, "status poll")));
    }
    if late {
        causes.push(format!("a due one waited up to {}", health.poll_lag));
    }
    Some(format!(
        "The ends of runs were seen late: {}. Completion latencies show the later bound.",
        causes.join(", and ")
    ))
}

/// That the server's dispatcher held dispatches back. Nothing is excused: figures and verdicts stay as they are.
pub(crate) fn stall_note(folded: &FoldedSession) -> Option<String> {
    StalledJoins::of_session(folded).map(|found| stall_sentence(&found))
}

/// What stalls did to the joins of a session.
pub(crate) fn stall_sentence(found: &StalledJoins) -> String {
    let times = match found.stalls.len() {
        1 => "at one moment".to_owned(),
        more => format!("together, at {more} moments"),
    };
    let without =
        found.p95_without.map_or(String::new(), |p95| format!(", and {p95} without those"));
    format!(
        "LiveKit's dispatcher held the dispatches of {} of {} back and released them {times}: livekit-server looks for workers once a minute, waits 5 s for them, and meanwhile serves only the first some tens of dispatches. The p95 of agent joins is {}{without}. The agent's workers were not asked before.",
        found.held(),
        counted(found.joins, "agent"),
        found.p95
    )
}

/// That clocks of workers jumped, and what that means for what crosses machines.
pub(crate) fn clock_notes(folded: &FoldedSession) -> Vec<String> {
    let jumped = folded.workers.iter().filter(|(_, worker)| worker.clock_jumps > 0);
    let note = |(id, worker): (WorkerId, &FoldedWorker)| {
        format!(
            "The clock of worker {id} jumped {}, or its machine was suspended: joins and completions of its runs at that time are known within {} only. What began and ended on the worker is exact, unless it was suspended.",
            counted(u64::from(worker.clock_jumps), "time"),
            worker.clock_within.unwrap_or_default(),
        )
    };
    jumped.map(note).collect()
}

/// That rooms were left behind.
pub(crate) fn room_note(folded: &FoldedSession) -> Option<String> {
    (folded.rooms_not_deleted > 0).then(|| {
        format!(
            "{} could not be deleted; `rushhour sweep` finds and deletes them.",
            counted(folded.rooms_not_deleted, "room")
        )
    })
}

/// That tokens and media were not encrypted on their way.
pub(crate) fn in_clear_notes(folded: &FoldedSession) -> Vec<String> {
    let addresses = folded.opening.profile.livekit.addresses_in_clear();
    let note =
        |address: &str| format!("{address} is not encrypted: tokens and media travelled in clear.");
    addresses.into_iter().map(note).collect()
}

/// What the agents asked of our callers by RPC.
pub(crate) fn rpc_note(folded: &FoldedSession) -> Option<String> {
    let calls = &folded.rpc_calls;
    if calls.is_empty() {
        return None;
    }
    let all = counted(calls.answered + calls.unsupported, "time");
    if calls.unsupported == 0 {
        return Some(format!(
            "Agents called the callers by RPC {all}; each call was answered from the profile."
        ));
    }
    let methods: Vec<String> = calls.methods.iter().map(|name| format!("`{name}`")).collect();
    let because = if methods.is_empty() {
        String::new()
    } else {
        format!(", because [evaluator.rpc] does not have {}", methods.join(", "))
    };
    let were = if calls.unsupported == 1 { "was" } else { "were" };
    Some(format!(
        "Agents called the callers by RPC {all}; {} {were} answered as unsupported{because}.",
        counted(calls.unsupported, "call")
    ))
}

/// That callers lost their connections, and came back.
pub(crate) fn reconnect_note(folded: &FoldedSession) -> Option<String> {
    let found = &folded.reconnects;
    let count = found.count();
    if count == 0 {
        return None;
    }
    let causes: Vec<String> = found
        .by_cause
        .iter()
        .map(|(cause, times)| format!("{} {}", cause.meaning(), counted(*times, "time")))
        .collect();
    let rejoined = match found.rejoined {
        0 => String::new(),
        times => format!("; {} they had to join again", counted(times, "time")),
    };
    let turns = match found.turns_away {
        0 => String::new(),
        1 => " 1 turn fell into that, and counts in no latency.".to_owned(),
        turns => format!(" {turns} turns fell into that, and count in no latency."),
    };
    Some(format!(
        "Callers lost their connection to LiveKit {} in {}, and came back within {} each time ({}{rejoined}).{turns}",
        counted(count, "time"),
        counted(found.runs, "conversation"),
        found.longest,
        causes.join(", "),
    ))
}

/// The moments that somebody marked.
pub(crate) fn mark_note(folded: &FoldedSession) -> Option<String> {
    let mark = |mark: &Mark| format!("{} at {}", mark.text, mark.at.since(SessionTime::START));
    let marks: Vec<String> = folded.marks.iter().map(mark).collect();
    (!marks.is_empty()).then(|| format!("Marked: {}.", marks.join("; ")))
}

/// What the reader must know first.
pub(crate) fn warnings(folded: &FoldedSession) -> Vec<String> {
    let mut notes = stop_notes(folded);
    notes.extend(mark_note(folded));
    notes.extend(resumption_notes(folded));
    notes.extend((!folded.closed && !folded.is_running).then(|| NOT_FINISHED.to_owned()));
    notes.extend(conversation_note(folded));
    notes.extend(assumption_note(folded));
    notes.extend(poll_note(folded));
    notes.extend(stall_note(folded));
    notes.extend(clock_notes(folded));
    notes.extend(room_note(folded));
    notes.extend(in_clear_notes(folded));
    notes.extend(reconnect_note(folded));
    notes.extend(heard_notes(folded));
    notes.extend(rule_notes(folded));
    notes.extend(sound_note(folded).filter(|_| folded.quality.sum.sound.gaps() > 0));
    notes.extend(break_up_note(folded));
    notes.extend(connection_note(folded).filter(|_| folded.connections.are_bad()));
    notes.extend(rpc_note(folded));
    notes.extend(unusual_path_note(folded));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::SessionBuilder;

    #[test]
    fn turns_that_were_said_again_are_told_with_all_their_causes() {
        let (mut folded, _) = SessionBuilder::chat("").closed();
        for (turns, told) in [(1, "1 turn said again that"), (2, "2 turns said again that")] {
            folded.conversations.unheard_turns = turns;
            let note = conversation_note(&folded).unwrap();
            assert!(note.contains(told), "{note}");
            assert!(note.ends_with("session began, in a greeting or in a hand-off."), "{note}");
        }
    }

    #[test]
    fn callers_that_called_again_are_told() {
        let (mut folded, _) = SessionBuilder::chat("").closed();
        assert_eq!(conversation_note(&folded), None);
        (folded.conversations.redials, folded.conversations.failed_redials) = (3, 1);
        let told = "In the conversations: 3 calls by callers that called again (1 failed).";
        assert_eq!(conversation_note(&folded).as_deref(), Some(told));
    }
}
