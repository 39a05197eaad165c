//! A search's reports, from what was decided and the journals of its sessions alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::log;
use crate::arguments::ReportFormat;
use crate::exit::{CliError, Exit};
use crate::folder::{JOURNAL, SEARCH};
use crate::journal_reader::read_session;
use crate::print;
use crate::report_writer::{json, replace};
use rushhour_core::bill::{Budget, BudgetLimits};
use rushhour_core::event::EventKind;
use rushhour_core::units::Micros;
use rushhour_report::capacity::{
    CapacityAnswer, CapacityRange, CapacitySearch, CapacitySummary, Ceiling, CompletedSearch,
    LogOpening, LogTrial, NeededVerdict, SearchEnd, SearchRules, SearchSpend, TrialFinding,
    capacity_csv, capacity_page, headline, remarks,
};
use rushhour_report::report::{Criterion, SessionVerdict};

/// The folder of a search, where the path leads to one.
pub(crate) fn search_folder(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    folder.join(SEARCH).is_file().then(|| folder.to_owned())
}

/// What the session of one trial says, from its journal.
pub(crate) fn finding(
    folder: &Path,
    opening: &LogOpening,
    held: &LogTrial,
) -> Result<TrialFinding, CliError> {
    let mut purse: Option<Budget> = None;
    let folded = read_session(&folder.join(&held.folder).join(JOURNAL), |event, _| {
        if let EventKind::Opened(opened) = &event.kind {
            purse = Some(Budget::new(BudgetLimits::of(&opened.profile)));
        }
        if let Some(purse) = &mut purse {
            purse.take(&event.kind, event.at);
        }
        Ok(())
    })?;
    let overall = SessionVerdict::of(&folded, Criterion::Interval);
    let spent = SearchSpend {
        money: purse.as_ref().map(Budget::spent).unwrap_or_default(),
        runs: folded.tally.started,
        conversation_duration: purse.as_ref().map(Budget::talked).unwrap_or_default(),
    };
    let begins = since(&opening.began, &folded.opening.anchor);
    Ok(TrialFinding::of(&folded, &overall, held, begins, spent))
}

/// From one wall clock to a later one; nothing where either is none.
fn since(began: &str, at: &str) -> Micros {
    let micros = |text: &str| text.parse::<Timestamp>().map_or(0, Timestamp::as_microsecond);
    Micros(u64::try_from(micros(at) - micros(began)).unwrap_or(0))
}

/// Makes all reports of a search, prints its answer, and tells how it ended.
pub(crate) fn render(folder: &Path) -> Result<Exit, CliError> {
    with_search(folder, |searched| {
        write_files(folder, searched)?;
        print::out("");
        print::out(&answer_text(searched));
        print::out(&format!("Reports are in {}", folder.display()));
        Ok(())
    })
}

/// Reads what was decided and what the sessions say, and tells how the search ended.
fn with_search(
    folder: &Path,
    tell: impl FnOnce(&CompletedSearch<'_>) -> Result<(), CliError>,
) -> Result<Exit, CliError> {
    let read = log::read(folder)?;
    let findings: Vec<TrialFinding> = read
        .held
        .iter()
        .map(|held| finding(folder, &read.opening, held))
        .collect::<Result<_, _>>()?;
    let mut search = CapacitySearch::new(SearchRules::of(&read.opening.profile));
    for finding in &findings {
        search.add(finding.result);
    }
    let ending = read.ending.unwrap_or(SearchEnd::Broken);
    let searched =
        CompletedSearch { opening: &read.opening, search: &search, findings: &findings, ending };
    tell(&searched)?;
    Ok(exit_of(&searched.answer()))
}

/// The answer as it is printed.
fn answer_text(searched: &CompletedSearch<'_>) -> String {
    let answer = searched.answer();
    let mut text = format!("{}: {}.", searched.opening.profile.name, headline(&answer));
    for remark in remarks(&answer) {
        let _ = write!(text, "\n  {remark}.");
    }
    text
}

fn write_files(folder: &Path, searched: &CompletedSearch<'_>) -> Result<(), CliError> {
    let mut bytes = Vec::new();
    json(&CapacitySummary::new(searched), &mut bytes).map_err(CliError::internal)?;
    replace(&folder.join("capacity.json"), &bytes)?;
    bytes.clear();
    capacity_csv(searched, &mut bytes).map_err(CliError::internal)?;
    replace(&folder.join("capacity.csv"), &bytes)?;
    replace(&folder.join("report.html"), capacity_page(searched).as_bytes())
}

/// `rushhour report` of a search.
pub(crate) fn report(folder: &Path, format: Option<ReportFormat>) -> Result<Exit, CliError> {
    let Some(format) = format else { return render(folder) };
    with_search(folder, |searched| {
        let text = match format {
            ReportFormat::Text => answer_text(searched),
            ReportFormat::Html => capacity_page(searched),
            ReportFormat::Json => {
                let mut bytes = Vec::new();
                json(&CapacitySummary::new(searched), &mut bytes).map_err(CliError::internal)?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            ReportFormat::Markdown | ReportFormat::Junit => {
                return Err(CliError::usage(format!(
                    "{} is a search for capacity, which has text, json and html; each of its sessions has all formats",
                    folder.display()
                )));
            }
        };
        print::out(text.trim_end());
        Ok(())
    })
}

fn exit_of(answer: &CapacityAnswer<'_>) -> Exit {
    match (answer.needed, answer.ending) {
        (_, SearchEnd::Stopped) => return Exit::Stopped,
        (Some(NeededVerdict::Met(_)), _) => return Exit::Passed,
        (Some(NeededVerdict::NotMet(_)), _) => return Exit::ThresholdFailed,
        (_, SearchEnd::Budget) => return Exit::Budget,
        (_, SearchEnd::Broken) => return Exit::Internal,
        (Some(NeededVerdict::Unknown(_)), _) => {
            let generator =
                matches!(answer.range, CapacityRange::AtLeast(_, Ceiling::Generator(_)));
            return if generator { Exit::Invalid } else { Exit::Undecided };
        }
        (None, SearchEnd::Complete | SearchEnd::Time) => {}
    }
    match answer.range {
        CapacityRange::Between(..) | CapacityRange::AtLeast(_, Ceiling::Most) => Exit::Passed,
        CapacityRange::AtLeast(_, Ceiling::Generator(_)) => Exit::Invalid,
        CapacityRange::FewerThan(end) if end.in_flight == 1 => Exit::ThresholdFailed,
        CapacityRange::AtLeast(..) | CapacityRange::FewerThan(_) | CapacityRange::Unknown => {
            Exit::Undecided
        }
    }
}
