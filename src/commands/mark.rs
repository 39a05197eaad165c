//! `rushhour mark`: marks a moment of a session that runs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::session::control::{ControlAnswer, ControlError, ControlRequest, MAX_MARK, ask};
use crate::session::folder::{JOURNAL, LEVELS};
use rushhour_core::units::{Micros, SessionTime};

const HELP: &str = "\
Examples:
  rushhour mark reports/20261122T213015Z-desk 'deployed v2'
  # Afterwards: what became slower, and what failed more often?
  rushhour compare reports/20261122T213015Z-desk --arms mark=before,after

The mark is in the journal and on every chart over time. Only the session's owner can make it, on \
the session's machine, because it goes through a socket in the session's folder.

Exit codes:
  0    marked
  2    no session runs in the folder";

/// Mark a moment of a running session, such as a deployment.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct MarkArgs {
    /// The folder of the session, or of a capacity search, whose running level is marked.
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// What happened, in a few words.
    #[arg(value_name = "TEXT")]
    text: String,
}

pub(crate) fn mark(arguments: &MarkArgs) -> Result<Exit, CliError> {
    let text = arguments.text.trim();
    if text.is_empty() || text.len() > MAX_MARK {
        return Err(CliError::usage(format!(
            "a mark has a text of at most {MAX_MARK} bytes, because charts show it"
        )));
    }
    let request = ControlRequest::Mark { text: text.to_owned() };
    let at = ask_session(&arguments.folder, &request)?;
    print::stdout(&format!("Marked at {} of the session: {text}", at.since(SessionTime::START)));
    Ok(Exit::Passed)
}

/// Asks the session in `folder`, and returns the time at which it did what was asked.
pub(super) fn ask_session(
    folder: &Path,
    request: &ControlRequest,
) -> Result<SessionTime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let folder = running_level(folder).unwrap_or_else(|| folder.to_owned());
    let shown = folder.display();
    match runtime.block_on(ask(&folder, request)) {
        Ok(ControlAnswer::Done { at_us }) => Ok(SessionTime::START + Micros(at_us)),
        Ok(ControlAnswer::Refused { reason }) => {
            Err(CliError::usage(format!("the session in {shown} refuses: {reason}")))
        }
        Err(error @ ControlError::NotRunning(_)) => {
            Err(CliError::usage(format!("no session runs in {shown}"))
                .caused_by(error)
                .with_hint("name the folder that `rushhour run` created for the session"))
        }
        Err(error) => {
            Err(CliError::usage(format!("the session in {shown} does not answer")).caused_by(error))
        }
    }
}

/// The folder of the last level of a search for capacity; none where `folder` is a session's.
fn running_level(folder: &Path) -> Option<PathBuf> {
    if folder.join(JOURNAL).exists() {
        return None;
    }
    let levels = std::fs::read_dir(folder.join(LEVELS)).ok()?;
    // Their names begin with the time at which they began.
    levels.filter_map(|entry| Some(entry.ok()?.path())).max()
}
