//! `rushhour report`: regenerates the reports of a session from its journal.

use clap::Args;

use crate::arguments::{CriterionArgs, SessionArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::reports::locate::{search_folder, session_folder};
use crate::reports::session_reports::{RecordingsOnPage, ReportFormat};
use crate::reports::{search_reports, session_reports};

const HELP: &str = "\
Examples:
  rushhour report reports/20261122T213015Z-quickstart
  rushhour report reports/20261122T213015Z-quickstart --point-estimate
  # Print a summary for a pull request
  rushhour report reports/20261122T213015Z-quickstart --format markdown
  # Write the page anew without the recordings, to pass it on
  rushhour report reports/20261122T213015Z-quickstart --without-recordings

Without --format, all reports are written next to the journal. With it, one is printed and \
nothing is written. The folder of a capacity search is accepted too.

The exit code is that of the session, as after `rushhour run`.";

/// Regenerate the reports of a session from its journal.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    criterion: CriterionArgs,
    /// Print one report instead of writing all of them.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<ReportFormat>,
    /// Leave the recordings out of the page, so that it can be passed on without them.
    ///
    /// Their files stay where they are.
    #[arg(long)]
    without_recordings: bool,
}

pub(crate) fn report(arguments: &ReportArgs) -> Result<Exit, CliError> {
    let path = &arguments.session.session;
    if let Some(folder) = search_folder(path) {
        if arguments.without_recordings {
            return Err(CliError::usage("the page of a capacity search plays no recordings").with_hint(
                "name the folder of one of its sessions, in `levels`, to write its page without them",
            ));
        }
        return match arguments.format {
            None => Ok(search_reports::write_and_print_reports(&folder)?.exit),
            Some(format) => search_reports::print_report(&folder, format),
        };
    }
    let (folder, criterion) = (session_folder(path)?, arguments.criterion.criterion());
    let recordings = if arguments.without_recordings {
        RecordingsOnPage::LeftOut
    } else {
        RecordingsOnPage::Linked
    };
    match arguments.format {
        None => session_reports::write_and_print_reports_with(&folder, criterion, recordings),
        Some(format) => session_reports::print_report(&folder, criterion, format, recordings),
    }
}
