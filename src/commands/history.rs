//! `rushhour history`: the soaks that were judged, from the first to the last.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::reports::history_file;
use crate::reports::output_file::write_atomically;
use rushhour_report::render::{JudgedHistory, counted, history_page, history_text};
use rushhour_report::soak::NightlyComparison;

const HELP: &str = "\
Examples:
  # List the soaks of every profile
  rushhour history
  # List those of one profile, and chart them in reports/history.html
  rushhour history soak --html

Each `rushhour soak` appends a line to history.jsonl in the folder of reports. Soaks are \
compared only if their profiles are the same in everything.";

/// List the results of earlier soaks, and chart them.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct HistoryArgs {
    /// The name of a profile; without it, all profiles are listed.
    #[arg(value_name = "PROFILE_NAME")]
    profile: Option<String>,
    /// The folder that contains the sessions' folders.
    #[arg(long, value_name = "FOLDER", default_value = "reports", value_hint = ValueHint::DirPath)]
    reports: PathBuf,
    /// Write a page with charts too.
    ///
    /// A name without a folder is put into the folder of reports.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        default_missing_value = "history.html",
        value_hint = ValueHint::FilePath
    )]
    html: Option<PathBuf>,
}

pub(crate) fn history(arguments: &HistoryArgs) -> Result<Exit, CliError> {
    let history = history_file::read(&arguments.reports)?;
    let path = history_file::path_in(&arguments.reports);
    let is_listed = |name: &str| arguments.profile.as_ref().is_none_or(|profile| profile == name);
    let mut profiles: BTreeMap<(&str, &str), JudgedHistory<'_>> = BTreeMap::new();
    for night in history.runs.iter().filter(|night| is_listed(&night.profile)) {
        let judged = NightlyComparison::of(night, &history);
        let key = (night.profile.as_str(), night.profile_hash.as_str());
        profiles.entry(key).or_default().push((night, judged));
    }
    if history.unreadable > 0 {
        print::stderr(&format!(
            "note: {}: {} cannot be read, and will be ignored",
            path.display(),
            counted(history.unreadable, "line")
        ));
    }
    let mut profiles: Vec<JudgedHistory<'_>> = profiles.into_values().collect();
    // The profile of the latest soak comes last, where the reader's eye is.
    profiles.sort_by_key(|nights| nights.last().map(|(night, _)| night.started.clone()));
    if profiles.is_empty() {
        let of = arguments.profile.as_ref().map_or(String::new(), |name| format!(" of {name}"));
        return Err(CliError::usage(format!("{} contains no soaks{of}", path.display()))
            .with_hint("`rushhour soak` adds one for each session that it judges"));
    }
    print::stdout(&history_text(&profiles, print::stdout_style()));
    if let Some(file) = &arguments.html {
        let is_bare_name = file.components().count() == 1;
        let file = if is_bare_name { arguments.reports.join(file) } else { file.clone() };
        write_atomically(&file, history_page(&profiles).as_bytes())?;
        print::stdout(&format!("The page is {}", file.display()));
    }
    Ok(Exit::Passed)
}
