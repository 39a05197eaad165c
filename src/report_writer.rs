//! Making a session's reports from its journal, always the same way: after a run, and with `report`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::arguments::ReportFormat;
use crate::exit::{CliError, Exit};
use crate::folder::{JOURNAL, JUDGED};
use crate::journal_reader::read_session;
use crate::print;
use rushhour_core::event::{EventKind, StopReason};
use rushhour_report::fold::{EndedRuns, FoldedSession};
use rushhour_report::report::{
    Criterion, JudgedFold, JudgingResult, RunsCsv, SessionVerdict, Summary, TurnsCsv, funnel_csv,
    histogram_csv, hlog, judged_csv, judged_words, junit, markdown, page, pairs_csv,
    percentiles_csv, session_json, terminal, timeseries_csv,
};

/// The files that are written run by run.
const RUNS: &str = "runs.csv";
const TURNS: &str = "turns.csv";

/// Reads the journal of a session, writes all reports beside it, prints the summary, and tells how the session ended.
pub(crate) fn render(folder: &Path, judgement: Criterion) -> Result<Exit, CliError> {
    let Reported { folded, overall, exit } = write_reports(folder, judgement)?;
    print::out(&terminal(&folded, &overall, print::out_style()));
    print::out(&format!("Reports are in {}", folder.display()));
    Ok(exit)
}

/// Writes all reports of a session again, and prints only what its judging comes to.
pub(crate) fn render_judging(folder: &Path, judgement: Criterion) -> Result<(), CliError> {
    let Reported { overall, .. } = write_reports(folder, judgement)?;
    if let Some(judged) = &overall.judged {
        print::out(&format!("\n{}", judged_words(judged).join("\n")));
        print::out(&format!("Reports are in {}", folder.display()));
    }
    Ok(())
}

/// A session whose reports were written.
pub(crate) struct Reported {
    folded: FoldedSession,
    overall: SessionVerdict,
    /// How the session ended.
    pub(crate) exit: Exit,
}

/// Reads the journal of a session and writes all reports beside it.
pub(crate) fn write_reports(folder: &Path, judgement: Criterion) -> Result<Reported, CliError> {
    let folded = fold_and_write_runs(folder)?;
    let judged = read_judged(folder, &folded)?;
    let overall = SessionVerdict { judged, ..SessionVerdict::of(&folded, judgement) };
    let write = |name: &str, render: &dyn Fn(&mut Vec<u8>) -> Result<(), String>| {
        let mut bytes = Vec::new();
        render(&mut bytes).map_err(CliError::internal)?;
        replace(&folder.join(name), &bytes)
    };
    let csv_words = |error: csv::Error| error.to_string();
    write("percentiles.csv", &|to| percentiles_csv(&folded, to).map_err(csv_words))?;
    write("histogram.csv", &|to| histogram_csv(&folded, to).map_err(csv_words))?;
    write("funnel.csv", &|to| funnel_csv(&folded, to).map_err(csv_words))?;
    if folded.pairs.is_some() {
        write("pairs.csv", &|to| pairs_csv(&folded, to).map_err(csv_words))?;
    }
    write("timeseries.csv", &|to| timeseries_csv(&folded, to).map_err(csv_words))?;
    write("latency.hlog", &|to| hlog(&folded, to).map_err(|error| error.to_string()))?;
    write("summary.json", &|to| json(&Summary::new(&folded, &overall), to))?;
    write("session.json", &|to| json(&session_json(&folded), to))?;
    write("junit.xml", &|to| junit(&folded, &overall, to).map_err(|error| error.to_string()))?;
    write("report.html", &|to| {
        to.extend(page(&folded, &overall, judgement).into_bytes());
        Ok(())
    })?;
    if let Some(judged) = &overall.judged {
        write("judged.csv", &|to| judged_csv(judged, to).map_err(csv_words))?;
    }
    let exit = exit_of(&folded, &overall);
    Ok(Reported { folded, overall, exit })
}

/// Brings a session and the one that judged its runs together, where there is one.
fn read_judged(folder: &Path, session: &FoldedSession) -> Result<Option<JudgingResult>, CliError> {
    let journal = folder.join(JUDGED).join(JOURNAL);
    if !journal.is_file() {
        return Ok(None);
    }
    let mut fold: Option<JudgedFold> = None;
    let judging = read_session(&journal, |event, told| {
        match (&event.kind, told, &mut fold) {
            (EventKind::Opened(opening), ..) => fold = JudgedFold::new(opening, &session.opening),
            (_, EndedRuns::Run(record), Some(fold)) => fold.add_again(record),
            _ => {}
        }
        Ok(())
    })?;
    let Some(mut fold) = fold else { return Ok(None) };
    judging.open.iter().for_each(|record| fold.add_again(record));
    read_session(&folder.join(JOURNAL), |_, told| {
        if let EndedRuns::Run(record) = told {
            fold.add_ours(record);
        }
        Ok(())
    })?;
    Ok(Some(fold.finish(&judging, session)))
}

/// Finds the session's folder from the folder itself or its journal.
pub(crate) fn session_folder(path: &Path) -> Result<PathBuf, CliError> {
    let folder = if path.is_dir() {
        path.to_owned()
    } else {
        path.parent().unwrap_or_else(|| Path::new(".")).to_owned()
    };
    if folder.join(JOURNAL).is_file() {
        return Ok(folder);
    }
    Err(CliError::usage(format!(
        "{} holds no {JOURNAL}; name the folder of a session, such as reports/20261122T213015Z-quickstart",
        path.display()
    )))
}

/// A value as indented JSON with a last line feed.
pub(crate) fn json(value: &impl serde::Serialize, to: &mut Vec<u8>) -> Result<(), String> {
    serde_json::to_writer_pretty(&mut *to, value).map_err(|error| error.to_string())?;
    to.push(b'\n');
    Ok(())
}

/// Reads the journal of a session, prints one report, writes nothing, and tells how the session ended.
pub(crate) fn print_one(
    folder: &Path,
    judgement: Criterion,
    format: ReportFormat,
) -> Result<Exit, CliError> {
    let folded = read_session(&folder.join(JOURNAL), |_, _| Ok(()))?;
    let judged = read_judged(folder, &folded)?;
    let overall = SessionVerdict { judged, ..SessionVerdict::of(&folded, judgement) };
    let mut bytes = Vec::new();
    let text = match format {
        ReportFormat::Text => terminal(&folded, &overall, print::out_style()),
        ReportFormat::Markdown => markdown(&folded, &overall, judgement),
        ReportFormat::Html => page(&folded, &overall, judgement),
        ReportFormat::Json => {
            json(&Summary::new(&folded, &overall), &mut bytes).map_err(CliError::internal)?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        ReportFormat::Junit => {
            junit(&folded, &overall, &mut bytes).map_err(CliError::internal)?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    print::out(text.trim_end());
    Ok(exit_of(&folded, &overall))
}

fn fold_and_write_runs(folder: &Path) -> Result<FoldedSession, CliError> {
    let folded = fold_into_files(folder);
    if folded.is_err() {
        for name in [RUNS, TURNS] {
            // What is not whole is of no use to anybody, and may not be there.
            let _ = fs::remove_file(unfinished(folder, name));
        }
    }
    folded
}

fn unfinished(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.unfinished"))
}

fn fold_into_files(folder: &Path) -> Result<FoldedSession, CliError> {
    let mut runs: Option<RunFile<RunsCsv<BufWriter<File>>>> = None;
    let mut turns: Option<RunFile<TurnsCsv<BufWriter<File>>>> = None;
    let folded = read_session(&folder.join(JOURNAL), |event, told| {
        if let EventKind::Opened(opening) = &event.kind {
            runs = Some(RunFile::begin(folder, RUNS, |to| RunsCsv::new(opening, to))?);
            if opening.profile.evaluator.cekura().is_none() {
                turns = Some(RunFile::begin(folder, TURNS, |to| TurnsCsv::new(opening, to))?);
            }
            return Ok(());
        }
        if let Some(runs) = &mut runs {
            runs.with(|csv| csv.write(told))?;
        }
        if let (Some(turns), EndedRuns::Run(record)) = (&mut turns, told) {
            turns.with(|csv| csv.write(record))?;
        }
        Ok(())
    })?;
    if let Some(mut runs) = runs {
        runs.with(|csv| folded.open.iter().try_for_each(|record| csv.write_open(record)))?;
        runs.end(RunsCsv::finish)?;
    }
    if let Some(mut turns) = turns {
        turns.with(|csv| folded.open.iter().try_for_each(|record| csv.write(record)))?;
        turns.end(TurnsCsv::finish)?;
    }
    Ok(folded)
}

/// A file that is written run by run, and takes its name when it is whole.
struct RunFile<C> {
    csv: C,
    target: PathBuf,
    unfinished: PathBuf,
}

impl<C> RunFile<C> {
    fn begin(
        folder: &Path,
        name: &str,
        begin: impl FnOnce(BufWriter<File>) -> csv::Result<C>,
    ) -> Result<Self, CliError> {
        let (target, unfinished) = (folder.join(name), unfinished(folder, name));
        let file = private(&unfinished).map_err(|error| cannot_write(&target, &error))?;
        let csv =
            begin(BufWriter::new(file)).map_err(|error| cannot_write(&target, &error.into()))?;
        Ok(Self { csv, target, unfinished })
    }

    fn with(&mut self, write: impl FnOnce(&mut C) -> csv::Result<()>) -> Result<(), CliError> {
        write(&mut self.csv).map_err(|error| cannot_write(&self.target, &error.into()))
    }

    fn end(self, finish: impl FnOnce(C) -> csv::Result<()>) -> Result<(), CliError> {
        finish(self.csv).map_err(|error| cannot_write(&self.target, &error.into()))?;
        fs::rename(&self.unfinished, &self.target)
            .map_err(|error| cannot_write(&self.target, &error))
    }
}

/// Makes a file that is its owner's alone: the profile and what services said are in reports.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Writes a file whole or not at all: a reader never meets half of it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let unfinished = path.with_added_extension("unfinished");
    let write = || -> io::Result<()> {
        let mut file = private(&unfinished)?;
        file.write_all(bytes)?;
        fs::rename(&unfinished, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        cannot_write(path, &error)
    })
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!(
        "cannot write {}: {error}; what was measured is safe in the journal: make room and run `rushhour report`",
        path.display()
    ))
}

/// How the process ends, by how the session did.
pub(crate) fn exit_of(folded: &FoldedSession, overall: &SessionVerdict) -> Exit {
    let stopped =
        |reasons: &[StopReason]| folded.stops.iter().any(|(reason, _)| reasons.contains(reason));
    if stopped(&[StopReason::Credentials]) {
        Exit::Usage
    } else if stopped(&[StopReason::Journal]) {
        Exit::Internal
    } else if !folded.closed {
        // Killed, or still running: what is known so far is no verdict.
        Exit::Stopped
    } else if stopped(&[StopReason::Threshold]) && !stopped(&[StopReason::Drain]) {
        if overall.validity.holds() { Exit::ThresholdFailed } else { Exit::Invalid }
    } else if stopped(&[StopReason::Budget]) && !stopped(&[StopReason::Drain]) {
        Exit::Budget
    } else if stopped(&[StopReason::Drain, StopReason::Now]) {
        Exit::Stopped
    } else if !overall.validity.holds() {
        Exit::Invalid
    } else if overall.any_failed() {
        Exit::ThresholdFailed
    } else if overall.any_undecided() {
        Exit::Undecided
    } else {
        Exit::Passed
    }
}
