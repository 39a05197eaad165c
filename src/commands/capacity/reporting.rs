//! A search's reports, from what was decided and the journals of its sessions alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::log;
use crate::arguments::ReportFormat;
use crate::exit::{Exit, Trouble};
use crate::folder::{JOURNAL, SEARCH};
use crate::journal_reader::read_session;
use crate::print;
use crate::report_writer::{json, replace};
use rushhour_core::bill::{Caps, Purse};
use rushhour_core::event::Happening;
use rushhour_core::units::Micros;
use rushhour_report::capacity::{
    Answer, CapacitySummary, Ceiling, Ending, Finding, Holds, LogHeld, LogOpening, Needed, Rules,
    Search, Searched, Spent, capacity_csv, capacity_page, headline, remarks,
};
use rushhour_report::report::{Judgement, Overall};

/// The folder of a search, where the path leads to one.
pub(crate) fn search_folder(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    folder.join(SEARCH).is_file().then(|| folder.to_owned())
}

/// What the session of one trial says, from its journal.
pub(crate) fn finding(
    folder: &Path,
    opening: &LogOpening,
    held: &LogHeld,
) -> Result<Finding, Trouble> {
    let mut purse: Option<Purse> = None;
    let folded = read_session(&folder.join(&held.folder).join(JOURNAL), |event, _| {
        if let Happening::Opened(opened) = &event.happening {
            purse = Some(Purse::new(Caps::of(&opened.profile)));
        }
        if let Some(purse) = &mut purse {
            purse.take(&event.happening, event.at);
        }
        Ok(())
    })?;
    let overall = Overall::of(&folded, Judgement::Interval);
    let spent = Spent {
        money: purse.as_ref().map(Purse::spent).unwrap_or_default(),
        runs: folded.tally.started,
        talked: purse.as_ref().map(Purse::talked).unwrap_or_default(),
    };
    let begins = since(&opening.began, &folded.opening.anchor);
    let tried = (held.number, held.trial, held.folder.clone());
    Ok(Finding::of(&folded, &overall, tried, begins, spent))
}

/// From one wall clock to a later one; nothing where either is none.
fn since(began: &str, at: &str) -> Micros {
    let micros = |text: &str| text.parse::<Timestamp>().map_or(0, Timestamp::as_microsecond);
    Micros(u64::try_from(micros(at) - micros(began)).unwrap_or(0))
}

/// Makes all reports of a search, prints its answer, and tells how it ended.
pub(crate) fn render(folder: &Path) -> Result<Exit, Trouble> {
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
    tell: impl FnOnce(&Searched<'_>) -> Result<(), Trouble>,
) -> Result<Exit, Trouble> {
    let read = log::read(folder)?;
    let findings: Vec<Finding> = read
        .held
        .iter()
        .map(|held| finding(folder, &read.opening, held))
        .collect::<Result<_, _>>()?;
    let mut search = Search::new(Rules::of(&read.opening.profile));
    for finding in &findings {
        search.add(finding.tried);
    }
    let ending = read.ending.unwrap_or(Ending::Broken);
    let searched =
        Searched { opening: &read.opening, search: &search, findings: &findings, ending };
    tell(&searched)?;
    Ok(exit_of(&searched.answer()))
}

/// The answer as it is printed.
fn answer_text(searched: &Searched<'_>) -> String {
    let answer = searched.answer();
    let mut text = format!("{}: {}.", searched.opening.profile.name, headline(&answer));
    for remark in remarks(&answer) {
        let _ = write!(text, "\n  {remark}.");
    }
    text
}

fn write_files(folder: &Path, searched: &Searched<'_>) -> Result<(), Trouble> {
    let mut bytes = Vec::new();
    json(&CapacitySummary::new(searched), &mut bytes).map_err(Trouble::internal)?;
    replace(&folder.join("capacity.json"), &bytes)?;
    bytes.clear();
    capacity_csv(searched, &mut bytes).map_err(Trouble::internal)?;
    replace(&folder.join("capacity.csv"), &bytes)?;
    replace(&folder.join("report.html"), capacity_page(searched).as_bytes())
}

/// `rushhour report` of a search.
pub(crate) fn report(folder: &Path, format: Option<ReportFormat>) -> Result<Exit, Trouble> {
    let Some(format) = format else { return render(folder) };
    with_search(folder, |searched| {
        let text = match format {
            ReportFormat::Text => answer_text(searched),
            ReportFormat::Html => capacity_page(searched),
            ReportFormat::Json => {
                let mut bytes = Vec::new();
                json(&CapacitySummary::new(searched), &mut bytes).map_err(Trouble::internal)?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            ReportFormat::Markdown | ReportFormat::Junit => {
                return Err(Trouble::usage(format!(
                    "{} is a search for capacity, which has text, json and html; each of its sessions has all formats",
                    folder.display()
                )));
            }
        };
        print::out(text.trim_end());
        Ok(())
    })
}

fn exit_of(answer: &Answer<'_>) -> Exit {
    match (answer.needed, answer.ending) {
        (_, Ending::Stopped) => return Exit::Stopped,
        (Some(Needed::Met(_)), _) => return Exit::Passed,
        (Some(Needed::NotMet(_)), _) => return Exit::ThresholdFailed,
        (_, Ending::Budget) => return Exit::Budget,
        (_, Ending::Broken) => return Exit::Internal,
        (Some(Needed::Unknown(_)), _) => {
            let generator = matches!(answer.holds, Holds::AtLeast(_, Ceiling::Generator(_)));
            return if generator { Exit::Invalid } else { Exit::Undecided };
        }
        (None, Ending::Complete | Ending::Time) => {}
    }
    match answer.holds {
        Holds::Between(..) | Holds::AtLeast(_, Ceiling::Most) => Exit::Passed,
        Holds::AtLeast(_, Ceiling::Generator(_)) => Exit::Invalid,
        Holds::FewerThan(end) if end.in_flight == 1 => Exit::ThresholdFailed,
        Holds::AtLeast(..) | Holds::FewerThan(_) | Holds::Unknown => Exit::Undecided,
    }
}
