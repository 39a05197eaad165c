//! The reports of a capacity search, from its log and the journals of its sessions alone.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use tracing::info;

use super::journal::read_session;
use super::output_file::{to_json, write_atomically};
use super::search_log;
use super::session_reports::{ReportFormat, rendered, to_text};
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::session::folder::JOURNAL;
use rushhour_core::bill::{Budget, BudgetLimits};
use rushhour_core::event::EventKind;
use rushhour_core::units::Micros;
use rushhour_report::capacity::{
    CapacityAnswer, CapacityRange, CapacitySearch, Ceiling, CompletedSearch, LogOpening, LogTrial,
    NeededVerdict, SearchEnd, SearchRules, SearchSpend, TrialFinding,
};
use rushhour_report::render::{
    CapacitySummary, PageParts, capacity_csv, capacity_headline, capacity_page, capacity_parts,
    capacity_remarks,
};
use rushhour_report::session::{Criterion, SessionVerdict};

/// The summary, in a search's folder.
pub(crate) const SUMMARY: &str = "capacity.json";

/// What the session of one trial found, from its journal.
pub(crate) fn trial_finding(
    folder: &Path,
    opening: &LogOpening,
    trial: &LogTrial,
) -> Result<TrialFinding, CliError> {
    let mut budget: Option<Budget> = None;
    let folded = read_session(&folder.join(&trial.folder).join(JOURNAL), |event, _| {
        if let EventKind::Opened(header) = &event.kind {
            budget = Some(Budget::new(BudgetLimits::new(&header.profile)));
        }
        if let Some(budget) = &mut budget {
            budget.apply(&event.kind, event.at);
        }
        Ok(())
    })?;
    let verdict = SessionVerdict::of(&folded, Criterion::Interval);
    let spent = SearchSpend {
        money: budget.as_ref().map(Budget::spent).unwrap_or_default(),
        runs: folded.tally.started,
        conversation_duration: budget.as_ref().map(Budget::conversation_time).unwrap_or_default(),
    };
    let begins = elapsed(&opening.began, &folded.opening.anchor);
    Ok(TrialFinding::of(&folded, &verdict, trial, begins, spent))
}

/// The time from one RFC 3339 timestamp to a later one; zero where either is invalid.
fn elapsed(from: &str, to: &str) -> Micros {
    let micros = |text: &str| text.parse::<Timestamp>().map_or(0, Timestamp::as_microsecond);
    Micros(u64::try_from(micros(to) - micros(from)).unwrap_or(0))
}

/// A search whose reports were written.
pub(crate) struct ReportedSearch {
    pub(crate) exit: Exit,
    /// What its end is told as.
    pub(crate) answer: String,
    /// What those see who watched it.
    pub(crate) page: PageParts,
}

/// Writes all reports of a search, and prints its answer.
pub(crate) fn write_and_print_reports(folder: &Path) -> Result<ReportedSearch, CliError> {
    with_search(folder, |search| {
        write_reports(folder, search)?;
        let answer = answer_text(search);
        print::stdout("");
        print::stdout(&answer);
        print::stdout(&format!("Reports are in {}", folder.display()));
        let exit = exit_of(&search.answer());
        Ok(ReportedSearch { exit, answer, page: capacity_parts(search) })
    })
}

/// Prints one report of a search, and returns the exit code.
pub(crate) fn print_report(folder: &Path, format: ReportFormat) -> Result<Exit, CliError> {
    with_search(folder, |search| {
        let text = match format {
            ReportFormat::Text => answer_text(search),
            ReportFormat::Html => capacity_page(search),
            ReportFormat::Json => to_text(&to_json(&CapacitySummary::new(search))?),
            ReportFormat::Markdown | ReportFormat::Junit => {
                return Err(CliError::usage(format!(
                    "{} is a capacity search, which has the formats text, json and html",
                    folder.display()
                ))
                .with_hint("name one of its sessions, in its folder `levels`"));
            }
        };
        print::stdout(text.trim_end());
        Ok(exit_of(&search.answer()))
    })
}

/// Passes a search, read from its log and its sessions, to `each`.
fn with_search<T>(
    folder: &Path,
    each: impl FnOnce(&CompletedSearch<'_>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let logged = search_log::read(folder)?;
    let findings: Vec<TrialFinding> = logged
        .trials
        .iter()
        .map(|trial| trial_finding(folder, &logged.opening, trial))
        .collect::<Result<_, _>>()?;
    let mut search = CapacitySearch::new(SearchRules::of(&logged.opening.profile));
    for finding in &findings {
        search.add(finding.result);
    }
    let ending = logged.end.unwrap_or(SearchEnd::Broken);
    let completed =
        CompletedSearch { opening: &logged.opening, search: &search, findings: &findings, ending };
    each(&completed)
}

fn answer_text(search: &CompletedSearch<'_>) -> String {
    let answer = search.answer();
    let mut text = format!("{}: {}.", search.opening.profile.name, capacity_headline(&answer));
    for remark in capacity_remarks(&answer) {
        let _ = write!(text, "\n  {remark}.");
    }
    text
}

fn write_reports(folder: &Path, search: &CompletedSearch<'_>) -> Result<(), CliError> {
    let write = |name: &str, bytes: &[u8]| write_atomically(&folder.join(name), bytes);
    write(SUMMARY, &to_json(&CapacitySummary::new(search))?)?;
    write("capacity.csv", &rendered(|to| capacity_csv(search, to))?)?;
    write("report.html", capacity_page(search).as_bytes())?;
    info!(folder = %folder.display(), "wrote the search's reports");
    Ok(())
}

fn exit_of(answer: &CapacityAnswer<'_>) -> Exit {
    match (answer.needed, answer.ending) {
        (_, SearchEnd::Stopped) => return Exit::Stopped,
        (Some(NeededVerdict::Met(_)), _) => return Exit::Passed,
        (Some(NeededVerdict::NotMet(_)), _) => return Exit::ThresholdFailed,
        (_, SearchEnd::Budget) => return Exit::Budget,
        (_, SearchEnd::Broken) => return Exit::Internal,
        (_, SearchEnd::Workers) => return Exit::Invalid,
        (Some(NeededVerdict::Unknown(_)), _) => {
            let is_generator =
                matches!(answer.range, CapacityRange::AtLeast(_, Ceiling::Generator(_)));
            return if is_generator { Exit::Invalid } else { Exit::Undecided };
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
