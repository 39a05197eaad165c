//! Runs that were judged: both verdicts in total, and run by run.

use crate::judged::{JudgedRun, JudgedStratum, JudgingResult, RunVerdict};
use crate::render::table::{Cell, Column, Formats, Table};
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::profile::CallersVerdict;

/// The most runs on a page.
pub(crate) const MOST_SHOWN: usize = 200;

/// The runs by the verdict of the original session.
pub(crate) fn stratum_table(judged: &JudgingResult) -> Table<'_, (CallersVerdict, JudgedStratum)> {
    type Row = (CallersVerdict, JudgedStratum);
    let figures = &judged.figures;
    Table::new([
        Column::text("our callers say", |row: &Row| Cell::text(row.0.name())),
        Column::number("runs", |row: &Row| Cell::count(row.1.in_all)),
        Column::number("chosen", |row: &Row| Cell::count(row.1.chosen)),
        Column::number("judged as passed", |row: &Row| Cell::count(row.1.judged_passed)),
        Column::number("judged as failed", |row: &Row| Cell::count(row.1.judged_failed())),
    ])
    .with_rows([
        (CallersVerdict::Passed, figures.passed),
        (CallersVerdict::Failed, figures.failed),
    ])
    .with_caption(
        "Runs by both verdicts. The two rows were sampled at different rates, so their columns must not be added.",
    )
}

/// The chosen runs for people: at most [`MOST_SHOWN`], those first whose verdicts differ.
pub(crate) fn shown_run_table(judged: &JudgingResult) -> Table<'_, &JudgedRun> {
    let mut runs: Vec<&JudgedRun> = judged.runs.iter().collect();
    runs.sort_by_key(|run| agrees(run) != Some(false));
    runs.truncate(MOST_SHOWN);
    Table::new(columns(judged)).with_rows(runs)
}

/// Every chosen run, in the order of the original session.
pub(crate) fn run_table(judged: &JudgingResult) -> Table<'_, &JudgedRun> {
    Table::new(columns(judged)).with_rows(&judged.runs)
}

fn columns(judged: &JudgingResult) -> Vec<Column<'_, &JudgedRun>> {
    vec![
        Column::text("run", |row: &&JudgedRun| Cell::text(row.original.run)).and_csv("run"),
        Column::text("scenario", |row: &&JudgedRun| Cell::foreign(&row.scenario))
            .and_csv("scenario"),
        Column::csv("room", |row: &&JudgedRun| room(&row.original)),
        Column::csv("outcome", |row: &&JudgedRun| outcome(Some(&row.original))),
        Column::csv("failure_class", |row: &&JudgedRun| class(Some(&row.original))),
        Column::csv("detail", |row: &&JudgedRun| detail(Some(&row.original))),
        Column::text("our callers", |row: &&JudgedRun| {
            let class = class_in_brackets(Some(&row.original));
            Cell::text(row.verdict.name()).with_suffix(class)
        })
        .only(Formats::SHOWN),
        Column::csv("callers_verdict", |row: &&JudgedRun| Cell::text(row.verdict.name())),
        Column::csv("weight", |row: &&JudgedRun| weight(row, judged)),
        Column::csv("judged_run", |row: &&JudgedRun| {
            row.rerun.as_ref().map_or_else(Cell::absent, |rerun| Cell::text(rerun.run))
        }),
        Column::csv("judged_room", |row: &&JudgedRun| {
            row.rerun.as_ref().map_or_else(Cell::absent, room)
        }),
        Column::text("judged", |row: &&JudgedRun| {
            let verdict = judges_verdict(row).map_or("no verdict", CallersVerdict::name);
            Cell::text(verdict).with_suffix(class_in_brackets(row.rerun.as_ref()))
        }),
        Column::text("run at the evaluator", |row: &&JudgedRun| {
            let id = row.rerun.as_ref().and_then(|rerun| rerun.evaluator_run.as_ref());
            id.map_or_else(Cell::absent, Cell::text)
        })
        .and_csv("evaluator_run"),
        Column::csv("judged_outcome", |row: &&JudgedRun| outcome(row.rerun.as_ref())),
        Column::csv("judged_failure_class", |row: &&JudgedRun| class(row.rerun.as_ref())),
        Column::csv("judged_detail", |row: &&JudgedRun| detail(row.rerun.as_ref())),
        Column::csv("judges_verdict", |row: &&JudgedRun| {
            judges_verdict(row).map_or_else(Cell::absent, |verdict| Cell::text(verdict.name()))
        }),
        Column::csv("agree", |row: &&JudgedRun| agrees(row).map_or_else(Cell::absent, Cell::text)),
        Column::csv("without_load", |row: &&JudgedRun| Cell::text(without_load(row))),
        Column::text("message", |row: &&JudgedRun| Cell::foreign(message(row))).wrapping(),
    ]
}

fn judges_verdict(run: &JudgedRun) -> Option<CallersVerdict> {
    let verdict = |passed| if passed { CallersVerdict::Passed } else { CallersVerdict::Failed };
    run.judged.map(verdict)
}

/// Whether both verdicts agree; `None` if the judge has none.
fn agrees(run: &JudgedRun) -> Option<bool> {
    judges_verdict(run).map(|verdict| verdict == run.verdict)
}

/// How many runs of the original session the judge's verdict stands for.
fn weight(run: &JudgedRun, judged: &JudgingResult) -> Cell {
    let stratum = match run.verdict {
        CallersVerdict::Passed => &judged.figures.passed,
        CallersVerdict::Failed => &judged.figures.failed,
    };
    match run.judged {
        Some(_) => Cell::text(format!("{:.3}", stratum.in_all as f64 / stratum.judged as f64)),
        None => Cell::absent(),
    }
}

/// Whether a failure occurred again without the load.
const fn without_load(run: &JudgedRun) -> &'static str {
    match (run.verdict, run.judged) {
        (CallersVerdict::Failed, Some(true)) => "did not come back",
        (CallersVerdict::Failed, Some(false)) => "came back",
        _ => "",
    }
}

fn room(run: &RunVerdict) -> Cell {
    run.room.as_ref().map_or_else(Cell::absent, Cell::text)
}

fn outcome(run: Option<&RunVerdict>) -> Cell {
    let name = |run: &RunVerdict| run.outcome.as_ref().map_or("open", Outcome::name);
    run.map_or_else(Cell::absent, |run| Cell::text(name(run)))
}

fn class_name(run: Option<&RunVerdict>) -> Option<&'static str> {
    run?.outcome.as_ref()?.class().map(FailureClass::name)
}

fn class(run: Option<&RunVerdict>) -> Cell {
    class_name(run).map_or_else(Cell::absent, Cell::text)
}

fn class_in_brackets(run: Option<&RunVerdict>) -> String {
    class_name(run).map_or(String::new(), |class| format!(" ({class})"))
}

fn failure_detail(run: Option<&RunVerdict>) -> Option<&str> {
    match run?.outcome.as_ref()? {
        Outcome::Failed { detail, .. } => Some(detail),
        _ => None,
    }
}

fn detail(run: Option<&RunVerdict>) -> Cell {
    failure_detail(run).map_or_else(Cell::absent, Cell::text)
}

/// The message of a failure, the rerun's before the original's.
fn message(run: &JudgedRun) -> &str {
    failure_detail(run.rerun.as_ref())
        .or_else(|| failure_detail(Some(&run.original)))
        .unwrap_or_default()
}
