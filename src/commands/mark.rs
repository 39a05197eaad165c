//! `rushhour mark`: marks a moment of a session that runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::reports::search_log;
use crate::session::control::{ControlAnswer, ControlError, ControlRequest, MAX_MARK, ask};
use crate::session::folder::{JOURNAL, JUDGED, LEVELS};
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
    /// The folder of the session, or of a capacity search, whose running level is marked; between two, the next one.
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
    let Some(at) = ask_session(&arguments.folder, &request)? else {
        let shown = arguments.folder.display();
        return Err(CliError::usage(format!("every run of the session in {shown} has ended")));
    };
    print::stdout(&format!("Marked at {} of the session: {text}", at.since(SessionTime::START)));
    Ok(Exit::Passed)
}

/// How often a search between two levels is asked again.
const NEXT_LEVEL_INTERVAL: Duration = Duration::from_millis(200);

/// Asks the session in `folder`, its judging, or the running level of a search; between two levels, the next one. Returns
/// the time at which it did what was asked; `None` if every run had ended.
pub(super) fn ask_session(
    folder: &Path,
    request: &ControlRequest,
) -> Result<Option<SessionTime>, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::from_internal)?;
    let mut is_between = false;
    loop {
        // Asked before the sessions are: a level that begins in between is asked the next time.
        let goes_on = search_log::is_running(folder);
        let (mut has_ended, mut not_running) = (false, None);
        for session in sessions_in(folder) {
            let shown = session.display();
            match runtime.block_on(ask(&session, request)) {
                Ok(ControlAnswer::Done { at_us }) => {
                    return Ok(Some(SessionTime::START + Micros(at_us)));
                }
                Ok(ControlAnswer::Ended) => has_ended = true,
                Ok(ControlAnswer::Refused { reason }) => {
                    return Err(CliError::usage(format!(
                        "the session in {shown} refuses: {reason}"
                    )));
                }
                Err(error @ ControlError::NotRunning(_)) => not_running = Some(error),
                Err(error) => {
                    let silent = format!("the session in {shown} does not answer");
                    return Err(CliError::usage(silent).caused_by(error));
                }
            }
        }
        // A search is stopped by a level that has ended, and marked in one that has not.
        let is_done = has_ended && matches!(request, ControlRequest::Stop { .. });
        if is_done || (has_ended && !goes_on) {
            return Ok(None);
        }
        if !goes_on {
            let nobody = CliError::usage(format!("no session runs in {}", folder.display()))
                .with_hint("name the folder that `rushhour run` created for the session");
            return Err(match not_running {
                Some(error) => nobody.caused_by(error),
                None => nobody,
            });
        }
        if !is_between {
            print::stderr("the search is between two levels; waiting for the next one");
        }
        is_between = true;
        // Made within the runtime, which has the timer.
        runtime.block_on(async { tokio::time::sleep(NEXT_LEVEL_INTERVAL).await });
    }
}

/// The folders in which a session of `folder` may run.
fn sessions_in(folder: &Path) -> Vec<PathBuf> {
    if folder.join(JOURNAL).exists() {
        return vec![folder.to_owned(), folder.join(JUDGED)];
    }
    let levels = std::fs::read_dir(folder.join(LEVELS));
    // Their names begin with the time at which they began.
    let last = levels.ok().and_then(|all| all.filter_map(|entry| Some(entry.ok()?.path())).max());
    vec![last.unwrap_or_else(|| folder.to_owned())]
}
