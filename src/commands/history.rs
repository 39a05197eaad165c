//! `rushhour history`: the nights that were judged, from the first to the last.

use std::collections::BTreeMap;

use crate::arguments::HistoryArguments;
use crate::exit::{CliError, Exit};
use crate::history_file;
use crate::print;
use crate::report_writer::replace;
use rushhour_report::report::{JudgedNights, history_page, history_text};
use rushhour_report::soak::NightlyComparison;

pub(crate) fn history(arguments: &HistoryArguments) -> Result<Exit, CliError> {
    let history = history_file::read(&arguments.reports)?;
    let wanted = |name: &str| arguments.profile.as_ref().is_none_or(|profile| profile == name);
    let mut profiles: BTreeMap<(&str, &str), JudgedNights<'_>> = BTreeMap::new();
    for night in history.runs.iter().filter(|night| wanted(&night.profile)) {
        let judged = NightlyComparison::of(night, &history);
        let key = (night.profile.as_str(), night.profile_hash.as_str());
        profiles.entry(key).or_default().push((night, judged));
    }
    if history.unreadable > 0 {
        print::err(&format!(
            "note: {}: {} lines cannot be read, and are passed over",
            history_file::path_in(&arguments.reports).display(),
            history.unreadable
        ));
    }
    let mut profiles: Vec<JudgedNights<'_>> = profiles.into_values().collect();
    // The profile of the last night comes last, where the reader's eye is.
    profiles.sort_by_key(|nights| nights.last().map(|(night, _)| night.started.clone()));
    if profiles.is_empty() {
        let of = arguments.profile.as_ref().map_or(String::new(), |name| format!(" of {name}"));
        return Err(CliError::usage(format!(
            "{} holds no nights{of}; `rushhour soak` writes one for each session that it judges",
            history_file::path_in(&arguments.reports).display()
        )));
    }
    print::out(&history_text(&profiles, print::out_style()));
    if let Some(file) = &arguments.html {
        let is_bare = file.components().count() == 1;
        let file = if is_bare { arguments.reports.join(file) } else { file.clone() };
        replace(&file, history_page(&profiles).as_bytes())?;
        print::out(&format!("The page is {}", file.display()));
    }
    Ok(Exit::Passed)
}
