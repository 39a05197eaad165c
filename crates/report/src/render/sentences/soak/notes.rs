//! What else a reader of a soak has to know.

use crate::render::sentences::session::stall_sentence;
use crate::soak::{MIN_NIGHTS, NightlyComparison, SoakAnalysis};

/// Limits of the analysis, one sentence each without its full stop.
pub(crate) fn soak_notes(soak: &SoakAnalysis) -> Vec<String> {
    let mut notes = Vec::new();
    if soak.runs == 0 {
        notes.push("no measured run ended".to_owned());
    } else if soak.failed == soak.runs {
        notes.push(format!("all {} measured runs failed: there are no latencies", soak.runs));
    }
    notes.extend(worker_note(soak));
    if !soak.closed {
        notes.push("the session did not complete: this covers only the part that ran".to_owned());
    }
    if soak.resumed {
        notes.push(
            "the session was interrupted and resumed: windows around that time have fewer runs"
                .to_owned(),
        );
    }
    // Notes have no full stop of their own.
    let stall = soak.stalled.as_ref().map(stall_sentence);
    notes.extend(stall.map(|text| text.trim_end_matches('.').to_owned()));
    notes.extend(nightly_notes(&soak.nightly));
    notes
}

fn worker_note(soak: &SoakAnalysis) -> Option<String> {
    if !soak.polls_worker {
        return Some(
            "the agent's jobs, processes and memory were not observed: the profile has no [agent_health]"
                .to_owned(),
        );
    }
    match (soak.worker_samples.len(), soak.failed_worker_polls) {
        (0, 0) => Some("the agent's worker reported nothing: it was never polled".to_owned()),
        (0, failed) => Some(format!("the agent's worker reported nothing: {failed} polls failed")),
        (_, 0) => None,
        (answered, failed) => {
            Some(format!("{failed} polls of the agent's worker failed, {answered} succeeded"))
        }
    }
}

fn nightly_notes(nightly: &NightlyComparison) -> Vec<String> {
    let mut notes = Vec::new();
    if nightly.compared < MIN_NIGHTS as u64 {
        notes.push(format!(
            "previous nightly runs of this profile: {}; a comparison needs {MIN_NIGHTS}",
            nightly.compared
        ));
    }
    if nightly.left_out > 0 {
        notes.push(format!(
            "previous nightly runs without a conclusive result, left out: {}",
            nightly.left_out
        ));
    }
    if nightly.other_profiles > 0 {
        notes.push(format!(
            "nightly runs of other profiles, or of this one before it changed, not compared: {}",
            nightly.other_profiles
        ));
    }
    if nightly.unreadable > 0 {
        notes.push(format!("unreadable lines of the history: {}", nightly.unreadable));
    }
    notes
}
