//! `rushhour stop`: stops a session that runs.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::mark::ask_session;
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::session::control::ControlRequest;

const HELP: &str = "\
Examples:
  rushhour stop reports/20261122T213015Z-desk
  # End the runs in flight too
  rushhour stop reports/20261122T213015Z-desk --now

The same as Ctrl-C in its terminal, once or twice: every planned run has an outcome, rooms are \
deleted and reports are written. A capacity search ends with the level that runs, or between two \
levels with the next one; judging that runs or would follow is stopped too. Only the session's owner can stop it, on the session's machine, \
because this goes through a socket in the session's folder.

Exit codes:
  0    the session was told
  2    no session runs in the folder";

/// Stop a running session, as Ctrl-C in its terminal does.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct StopArgs {
    /// The folder of the session, also while it is judged, or of a capacity search.
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// End the runs in flight at once, instead of finishing them.
    #[arg(long)]
    now: bool,
}

pub(crate) fn stop(arguments: &StopArgs) -> Result<Exit, CliError> {
    let told = ask_session(&arguments.folder, &ControlRequest::Stop { now: arguments.now })?;
    print::stdout(match (told, arguments.now) {
        (None, _) => {
            "Every run has ended. The session waits for nothing more, and writes its reports."
        }
        (_, true) => "The session ends its runs, deletes their rooms and writes its reports.",
        (_, false) => "The session starts no more runs, and finishes those in flight.",
    });
    Ok(Exit::Passed)
}
