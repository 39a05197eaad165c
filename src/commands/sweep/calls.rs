//! The evaluator's calls of a dead session that are still open.
//!
//! A call carries no mark of its session. While it is open its room is there, and that does: a call whose room is gone, or
//! is somebody else's, may be anybody's, whatever the journal says.

use std::collections::HashSet;

use super::local_sessions::SessionTrail;
use crate::credentials::from_environment;
use crate::error::CliError;
use crate::print;
use rushhour_core::evaluator::{Evaluator, RunState};
use rushhour_core::units::{EvaluatorRunId, RunIndex};
use rushhour_driver::cekura::{Cekura, CekuraConfig};

/// The open calls of a session.
pub(crate) enum OpenCalls {
    /// None, or nobody who could be asked; why, where that is worth saying.
    None(Option<&'static str>),
    /// These, at Cekura.
    AtCekura(Box<Cekura>, Vec<OpenCall>),
}

/// A call that is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenCall {
    pub(crate) run: EvaluatorRunId,
    /// The evaluator's own word for its state.
    pub(crate) state: String,
    /// Whether its room is there, and carries the mark of its session and its run.
    pub(crate) is_proven: bool,
}

/// Asks the evaluator which calls are open of those whose end the journal does not have. `marked` are the runs whose
/// rooms carry the session's mark.
pub(crate) async fn find_open_calls(
    trail: &SessionTrail,
    marked: &HashSet<RunIndex>,
) -> Result<OpenCalls, CliError> {
    if trail.calls.is_empty() {
        return Ok(OpenCalls::None(None));
    }
    let Some(settings) = trail.header.profile.evaluator.cekura() else {
        let why = "the session's calls were made by Rushhour's own callers, which ended with it";
        return Ok(OpenCalls::None(Some(why)));
    };
    let Some(url) = &settings.url else {
        let why = "the session's calls were made by the embedded sandbox, which ended with it";
        return Ok(OpenCalls::None(Some(why)));
    };
    let key = from_environment("CEKURA_API_KEY").map_err(|error| {
        error.context(format!("calls that may still be open at Cekura: {}", trail.calls.len()))
    })?;
    let config = CekuraConfig { url: url.clone(), key, settings: settings.clone() };
    let cekura =
        Cekura::new(config, &trail.header.profile.limits).map_err(CliError::from_internal)?;
    let mut open = Vec::new();
    let calls: Vec<(&RunIndex, &EvaluatorRunId)> = trail.calls.iter().collect();
    for asked in calls.chunks(cekura.capabilities().runs_per_poll) {
        let runs = asked.iter().map(|(_, call)| (*call).clone()).collect();
        let statuses = cekura.poll(runs).await.map_err(|error| {
            CliError::usage("cannot find out which calls are still open").caused_by(error)
        })?;
        open.extend(statuses.into_iter().filter_map(|status| {
            // An answer may list calls that nobody asked about.
            let (run, _) = asked.iter().find(|(_, call)| **call == status.run)?;
            let is_proven = marked.contains(run);
            match status.state {
                RunState::InProgress(_) | RunState::Unknown => {
                    Some(OpenCall { run: status.run, state: status.status.to_string(), is_proven })
                }
                RunState::Ended(_) => None,
            }
        }));
    }
    Ok(OpenCalls::AtCekura(Box::new(cekura), open))
}

/// Ends calls, and returns how many it ended.
pub(crate) async fn end_calls(evaluator: &impl Evaluator, calls: &[&OpenCall]) -> usize {
    let mut ended = 0;
    for call in calls {
        match evaluator.end_call(call.run.clone()).await {
            Ok(()) => ended += 1,
            Err(error) => print::stderr(&format!("cannot end call {}: {error}", call.run)),
        }
    }
    ended
}
