//! The evaluator's calls of a dead session: which are still held, and ending them.

use super::sessions::SessionTrail;
use crate::credentials::{CredentialRequest, find};
use crate::exit::CliError;
use rushhour_core::evaluator::{Evaluator, RunState};
use rushhour_core::units::EvaluatorRunId;
use rushhour_driver::cekura::{Cekura, CekuraConfig};

/// What is known of a session's calls.
pub(crate) enum Calls {
    /// There is nothing to ask after, or nobody to be asked; why, in words, where that is worth saying.
    Nothing(Option<&'static str>),
    /// These are still held.
    Held(Box<Cekura>, Vec<Call>),
}

/// A call that is still held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) run: EvaluatorRunId,
    /// The evaluator's own word for its state.
    pub(crate) word: String,
}

/// Asks the evaluator after the calls that a journal did not see end.
pub(crate) async fn held_calls(trail: &SessionTrail) -> Result<Calls, CliError> {
    if trail.calls.is_empty() {
        return Ok(Calls::Nothing(None));
    }
    let Some(settings) = trail.opening.profile.evaluator.cekura() else {
        let gone = "the session's calls were held by its own callers, which ended with it";
        return Ok(Calls::Nothing(Some(gone)));
    };
    if settings.url.is_none() {
        let gone = "the session's calls were held by the embedded stand-in, which ended with it";
        return Ok(Calls::Nothing(Some(gone)));
    }
    let wanted = CredentialRequest { variable: "CEKURA_API_KEY", file: None, setting: "" };
    let key = find(&wanted, std::path::Path::new(".")).map_err(|trouble| {
        let calls = trail.calls.len();
        CliError::usage(format!("{calls} calls may still be held at Cekura; {}", trouble.message))
    })?;
    let config =
        CekuraConfig { url: trail.opening.evaluator_url.clone(), key, settings: settings.clone() };
    let cekura = Cekura::new(config, &trail.opening.profile.limits).map_err(CliError::internal)?;
    let mut held = Vec::new();
    for runs in trail.calls.chunks(cekura.capabilities().runs_per_poll) {
        let sights = cekura.poll(runs.to_vec()).await.map_err(|error| {
            CliError::usage(format!("cannot see which calls are still held: {error}"))
        })?;
        held.extend(sights.into_iter().filter_map(|sight| match sight.state {
            RunState::InProgress(_) | RunState::Unknown => {
                Some(Call { run: sight.run, word: sight.status })
            }
            RunState::Ended(_) => None,
        }));
    }
    Ok(Calls::Held(Box::new(cekura), held))
}
