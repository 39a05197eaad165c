//! The reports of a session, from its journal: the same after a run as with `rushhour report`.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use tracing::info;

use super::journal::read_session;
use super::output_file::{CsvFile, remove_unfinished, to_json, write_atomically};
use super::recordings::read_recordings;
use super::soak_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::print;
use crate::session::folder::{JOURNAL, JUDGED};
use rushhour_core::event::{EventKind, SessionHeader, StopReason};
use rushhour_report::fold::{EndedRuns, FoldedSession};
use rushhour_report::judged::{JudgedFold, JudgingResult};
use rushhour_report::render::{
    PageParts, RecordedRuns, RunsCsv, TurnsCsv, funnel_csv, histogram_csv, hlog, judged_csv,
    judging_sentences, junit, pairs_csv, percentiles_csv, session_json, session_markdown,
    session_notice, session_page_with, session_parts, session_text, timeseries_csv,
};
use rushhour_report::session::{Criterion, SessionVerdict, Summary};

/// The summary, in a session's folder.
pub(crate) const SUMMARY: &str = "summary.json";
/// The thresholds as test cases, in a session's folder.
pub(crate) const JUNIT: &str = "junit.xml";
const RUNS: &str = "runs.csv";
const TURNS: &str = "turns.csv";

/// A format in which one report can be printed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// A summary on one screen.
    Text,
    /// A short summary for a pull request.
    Markdown,
    /// The content of summary.json.
    Json,
    /// The content of junit.xml.
    Junit,
    /// The content of report.html.
    Html,
}

/// A session whose reports were written.
pub(crate) struct ReportedSession {
    folded: FoldedSession,
    verdict: SessionVerdict,
    pub(crate) exit: Exit,
}

/// Whether a session's page plays the recordings that lie beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordingsOnPage {
    /// As far as they are there.
    Linked,
    /// The page can be passed on without them.
    LeftOut,
}

impl RecordingsOnPage {
    fn read(self, folder: &Path) -> RecordedRuns {
        match self {
            Self::Linked => read_recordings(folder),
            Self::LeftOut => RecordedRuns::default(),
        }
    }
}

/// Writes all reports of a session, prints the summary, and returns the exit code.
pub(crate) fn write_and_print_reports(
    folder: &Path,
    criterion: Criterion,
) -> Result<Exit, CliError> {
    write_and_print_reports_with(folder, criterion, RecordingsOnPage::Linked)
}

/// The same, with or without recordings on the page.
pub(crate) fn write_and_print_reports_with(
    folder: &Path,
    criterion: Criterion,
    recordings: RecordingsOnPage,
) -> Result<Exit, CliError> {
    let ReportedSession { folded, verdict, exit } =
        write_reports_with(folder, criterion, recordings)?;
    print::stdout(&session_text(&folded, &verdict, criterion, print::stdout_style()));
    print::stdout(&format!("Reports are in {}", folder.display()));
    Ok(exit)
}

/// Rewrites all reports of a session whose runs were judged, and prints only what the judging found.
pub(crate) fn rewrite_after_judging(folder: &Path, criterion: Criterion) -> Result<(), CliError> {
    let ReportedSession { verdict, .. } = write_reports(folder, criterion)?;
    if let Some(judged) = &verdict.judged {
        print::stdout(&format!("\n{}", judging_sentences(judged).join("\n")));
        print::stdout(&format!("Reports are in {}", folder.display()));
    }
    Ok(())
}

/// Writes all reports of a session next to its journal.
pub(crate) fn write_reports(
    folder: &Path,
    criterion: Criterion,
) -> Result<ReportedSession, CliError> {
    write_reports_with(folder, criterion, RecordingsOnPage::Linked)
}

fn write_reports_with(
    folder: &Path,
    criterion: Criterion,
    recordings: RecordingsOnPage,
) -> Result<ReportedSession, CliError> {
    let folded = fold_and_write_runs(folder)?;
    let judged = read_judged(folder, &folded)?;
    let verdict = SessionVerdict { judged, ..SessionVerdict::of(&folded, criterion) };
    let write = |name: &str, bytes: Vec<u8>| write_atomically(&folder.join(name), &bytes);
    write("percentiles.csv", rendered(|to| percentiles_csv(&folded, to))?)?;
    write("histogram.csv", rendered(|to| histogram_csv(&folded, to))?)?;
    write("funnel.csv", rendered(|to| funnel_csv(&folded, to))?)?;
    if folded.pairs.is_some() {
        write("pairs.csv", rendered(|to| pairs_csv(&folded, to))?)?;
    }
    write("timeseries.csv", rendered(|to| timeseries_csv(&folded, to))?)?;
    write("latency.hlog", rendered(|to| hlog(&folded, to))?)?;
    write(SUMMARY, to_json(&Summary::new(&folded, &verdict))?)?;
    write("session.json", to_json(&session_json(&folded))?)?;
    let soak = soak_file::read(folder, &folded.opening.session);
    write(JUNIT, rendered(|to| junit(&folded, &verdict, soak.as_ref(), to))?)?;
    let page = session_page_with(&folded, &verdict, criterion, &recordings.read(folder));
    write("report.html", page.into_bytes())?;
    if let Some(judged) = &verdict.judged {
        write("judged.csv", rendered(|to| judged_csv(judged, to))?)?;
    }
    info!(folder = %folder.display(), "wrote the reports");
    let exit = exit_of(&folded, &verdict);
    Ok(ReportedSession { folded, verdict, exit })
}

/// What a report's writer renders into memory.
pub(crate) fn rendered<T, E: std::error::Error + Send + Sync + 'static>(
    render: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    render(&mut bytes).map_err(CliError::from_internal)?;
    Ok(bytes)
}

/// Prints one report of a session, writes nothing, and returns the exit code.
pub(crate) fn print_report(
    folder: &Path,
    criterion: Criterion,
    format: ReportFormat,
    recordings: RecordingsOnPage,
) -> Result<Exit, CliError> {
    let (folded, verdict) = read_judged_session(folder, criterion)?;
    let text = match format {
        ReportFormat::Text => session_text(&folded, &verdict, criterion, print::stdout_style()),
        ReportFormat::Markdown => session_markdown(&folded, &verdict, criterion),
        ReportFormat::Html => {
            session_page_with(&folded, &verdict, criterion, &recordings.read(folder))
        }
        ReportFormat::Json => to_text(&to_json(&Summary::new(&folded, &verdict))?),
        ReportFormat::Junit => {
            let soak = soak_file::read(folder, &folded.opening.session);
            to_text(&rendered(|to| junit(&folded, &verdict, soak.as_ref(), to))?)
        }
    };
    print::stdout(text.trim_end());
    Ok(exit_of(&folded, &verdict))
}

/// What a session's end is told as.
pub(crate) fn notice_text(folder: &Path, criterion: Criterion) -> Result<String, CliError> {
    let (folded, verdict) = read_judged_session(folder, criterion)?;
    Ok(session_notice(&folded, &verdict, criterion))
}

/// The report's page, for those who watched the session.
pub(crate) fn page_parts(folder: &Path, criterion: Criterion) -> Result<PageParts, CliError> {
    let (folded, verdict) = read_judged_session(folder, criterion)?;
    Ok(session_parts(&folded, &verdict, criterion))
}

/// A session, with what judging found where it was judged.
fn read_judged_session(
    folder: &Path,
    criterion: Criterion,
) -> Result<(FoldedSession, SessionVerdict), CliError> {
    let folded = read_session(&folder.join(JOURNAL), |_, _| Ok(()))?;
    let judged = read_judged(folder, &folded)?;
    let verdict = SessionVerdict { judged, ..SessionVerdict::of(&folded, criterion) };
    Ok((folded, verdict))
}

/// Rendered bytes as text, for printing.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Combines a session with the one that judged its runs, where there is one.
fn read_judged(folder: &Path, session: &FoldedSession) -> Result<Option<JudgingResult>, CliError> {
    let journal = folder.join(JUDGED).join(JOURNAL);
    if !journal.is_file() {
        return Ok(None);
    }
    let mut fold: Option<JudgedFold> = None;
    let judging = read_session(&journal, |event, ended| {
        match (&event.kind, ended, &mut fold) {
            (EventKind::Opened(header), ..) => fold = JudgedFold::new(header, &session.opening),
            (_, EndedRuns::Run(record), Some(fold)) => fold.add_rerun(record),
            _ => {}
        }
        Ok(())
    })?;
    let Some(mut fold) = fold else { return Ok(None) };
    judging.open.iter().for_each(|record| fold.add_rerun(record));
    read_session(&folder.join(JOURNAL), |_, ended| {
        if let EndedRuns::Run(record) = ended {
            fold.add_original(record);
        }
        Ok(())
    })?;
    Ok(Some(fold.finish(&judging, session)))
}

/// Folds the journal, and writes the files that have a row for each run or turn while it does so.
fn fold_and_write_runs(folder: &Path) -> Result<FoldedSession, CliError> {
    let mut files = RowFiles::default();
    let folded = read_session(&folder.join(JOURNAL), |event, ended| match &event.kind {
        EventKind::Opened(header) => files.create(folder, header),
        _ => files.write(ended),
    });
    let folded = folded.and_then(|folded| {
        files.finish(&folded)?;
        Ok(folded)
    });
    if folded.is_err() {
        for name in [RUNS, TURNS] {
            remove_unfinished(&folder.join(name));
        }
    }
    folded
}

/// The files with a row for each run, and for each turn of Rushhour's own callers.
#[derive(Default)]
struct RowFiles {
    runs: Option<CsvFile<RunsCsv<BufWriter<File>>>>,
    turns: Option<CsvFile<TurnsCsv<BufWriter<File>>>>,
}

impl RowFiles {
    fn create(&mut self, folder: &Path, header: &SessionHeader) -> Result<(), CliError> {
        self.runs = Some(CsvFile::create(folder.join(RUNS), |to| RunsCsv::new(header, to))?);
        if header.profile.evaluator.cekura().is_none() {
            self.turns = Some(CsvFile::create(folder.join(TURNS), |to| TurnsCsv::new(header, to))?);
        }
        Ok(())
    }

    fn write(&mut self, ended: &EndedRuns) -> Result<(), CliError> {
        if let Some(runs) = &mut self.runs {
            runs.write(|csv| csv.write(ended))?;
        }
        if let (Some(turns), EndedRuns::Run(record)) = (&mut self.turns, ended) {
            turns.write(|csv| csv.write(record))?;
        }
        Ok(())
    }

    /// Adds the runs that have not ended, and gives the files their names.
    fn finish(self, folded: &FoldedSession) -> Result<(), CliError> {
        if let Some(mut runs) = self.runs {
            runs.write(|csv| folded.open.iter().try_for_each(|record| csv.write_open(record)))?;
            runs.finish(RunsCsv::finish)?;
        }
        if let Some(mut turns) = self.turns {
            turns.write(|csv| folded.open.iter().try_for_each(|record| csv.write(record)))?;
            turns.finish(TurnsCsv::finish)?;
        }
        Ok(())
    }
}

/// The exit code of a session.
pub(crate) fn exit_of(folded: &FoldedSession, verdict: &SessionVerdict) -> Exit {
    let stopped =
        |reasons: &[StopReason]| folded.stops.iter().any(|(reason, _)| reasons.contains(reason));
    if stopped(&[StopReason::Credentials, StopReason::Rejected]) {
        Exit::Usage
    } else if stopped(&[StopReason::Journal]) {
        Exit::Internal
    } else if !folded.closed {
        // Killed, or still running: what is known so far is no verdict.
        Exit::Stopped
    } else if stopped(&[StopReason::Threshold]) && !stopped(&[StopReason::Drain]) {
        if verdict.validity.holds() { Exit::ThresholdFailed } else { Exit::Invalid }
    } else if stopped(&[StopReason::Budget]) && !stopped(&[StopReason::Drain]) {
        Exit::Budget
    } else if stopped(&[StopReason::Drain, StopReason::Now]) {
        Exit::Stopped
    } else if verdict.is_invalid() || stopped(&[StopReason::Workers]) {
        Exit::Invalid
    } else if verdict.any_failed() || verdict.nothing_completed.is_some() {
        Exit::ThresholdFailed
    } else if verdict.any_undecided() {
        Exit::Undecided
    } else {
        Exit::Passed
    }
}
