//! The recordings that lie beside a page: each with its two tracks, to be seen and heard, and what was said.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::chart::{Canvas, ChartFigure, coordinate};
use super::scale::Scale;
use crate::render::sentences::{counted, listed};
use crate::render::table::{Cell, Column, Frame, Number, Table};
use crate::render::visible;
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::recording::{
    ConversationRecord, RecordedGap, RecordedGapCause, RecordedSpan, RecordedTrack, RecordedTurn,
};
use rushhour_core::units::{Micros, RunIndex};

/// Where the lane of each side begins, and how high it is.
const CALLER_LANE: f64 = 20.0;
const AGENT_LANE: f64 = 52.0;
const LANE: f64 = 20.0;
/// The axis of time below the lanes, and the legend below that.
const AXIS: f64 = 80.0;
const LEGEND: f64 = 108.0;
const LEGEND_ROW: f64 = 18.0;
/// Labels of turns are at least so far apart.
const LABEL_GAP: f64 = 18.0;
/// The least width of anything that is drawn, so that it is seen.
const LEAST_WIDTH: f64 = 1.0;

/// The recordings that lie beside a page, in the folder `recordings`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedRuns {
    by_run: BTreeMap<RunIndex, ConversationRecord>,
    /// Recordings that are in the folder, and would make the page too large.
    left_out: u64,
}

impl RecordedRuns {
    /// These recordings.
    pub fn new(records: impl IntoIterator<Item = ConversationRecord>) -> Self {
        let by_run = records.into_iter().map(|record| (record.run, record)).collect();
        Self { by_run, left_out: 0 }
    }

    /// The same, with so many more in the folder that would make the page too large.
    #[must_use]
    pub fn without(self, left_out: u64) -> Self {
        Self { left_out, ..self }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_run.is_empty() && self.left_out == 0
    }

    /// The address of a run's recording on the page, if there is one.
    pub(super) fn address_of(&self, run: RunIndex) -> Option<String> {
        self.by_run.contains_key(&run).then(|| format!("#{}", anchor(run)))
    }

    /// Links to the recordings of failed runs, by class; `None` if no failed run was recorded.
    pub(super) fn failed(&self) -> Option<Markup> {
        let mut by_class: BTreeMap<FailureClass, Vec<RunIndex>> = BTreeMap::new();
        for record in self.by_run.values() {
            if let Outcome::Failed { class, .. } = record.outcome {
                by_class.entry(class).or_default().push(record.run);
            }
        }
        (!by_class.is_empty()).then(|| {
            html! {
                @for (class, runs) in &by_class {
                    p {
                        "Recordings of " code { (class) } ":"
                        @for run in runs { " " a href=(format!("#{}", anchor(*run))) { "run " (run) } }
                    }
                }
            }
        })
    }

    /// All of them.
    pub(super) fn section(&self) -> Markup {
        html! {
            p {
                (counted(self.by_run.len() as u64, "conversation")) " in the folder " code { "recordings" }
                " beside this page. They hold what was said, which may be personal data: "
                code { "rushhour report --without-recordings" } " makes a page without them."
            }
            @if self.left_out > 0 {
                p {
                    "Not on this page, which would be too large: "
                    (counted(self.left_out, "more conversation")) " in that folder. There, "
                    code { "run-N.txt" } " is what was said in run N, and any player opens "
                    code { "run-N-caller.opus" } " and " code { "run-N-agent.opus" } "."
                }
            }
            @for record in self.by_run.values() { (recording(record)) }
        }
    }
}

fn anchor(run: RunIndex) -> String {
    format!("recording-{run}")
}

fn recording(record: &ConversationRecord) -> Markup {
    html! {
        details {
            summary { (summary(record)) }
            @if record.mode == rushhour_core::units::Mode::Voice || !record.turns.is_empty() {
                (figure(record))
            } @else {
                // What links lead to.
                span id=(anchor(record.run)) {}
            }
            @for (side, track) in [("caller", &record.caller), ("agent", &record.agent)] {
                @if track.is_some() {
                    @let name = format!("Run {}, the {side}", record.run);
                    p class="aside" { "The " (side) ":" }
                    audio controls preload="none" aria-label=(name)
                        src=(format!("recordings/run-{}-{side}.opus", record.run)) {}
                }
            }
            @if !record.texts.is_empty() {
                ol class="conversation" tabindex="0" aria-label="What was said" {
                    @for text in &record.texts {
                        li {
                            time { (seconds(text.at)) }
                            span class="who" { (text.speaker.label()) }
                            bdi { (visible(text.text.as_str())) }
                        }
                    }
                }
            }
            @if record.is_shortened { p class="aside" { "The rest was left out." } }
        }
    }
}

/// The recording in one line.
fn summary(record: &ConversationRecord) -> String {
    let outcome = match &record.outcome {
        Outcome::Failed { class, .. } => format!("failed, {class}"),
        Outcome::Completed { judged: Some(false) } => "answers not as expected".to_owned(),
        outcome => outcome.name().to_owned(),
    };
    let reasons: Vec<String> =
        record.kept_for.iter().map(|reason| reason.name().to_owned()).collect();
    let wait =
        record.longest_wait.map_or_else(String::new, |wait| format!(", longest wait {wait}"));
    let gaps = match record.sound.gaps() {
        0 => String::new(),
        gaps => format!(", {} in the agent's speech", counted(gaps, "gap")),
    };
    format!(
        "Run {}, {}: {outcome}; {}{wait}{gaps}; kept as {}",
        record.run,
        record.mode,
        seconds(record.duration),
        listed(&reasons)
    )
}

fn seconds(at: Micros) -> String {
    format!("{:.2} s", at.as_secs_f64())
}

fn figure(record: &ConversationRecord) -> Markup {
    let id = anchor(record.run);
    let overlaps = record.overlaps();
    let total = |spans: &[RecordedSpan]| {
        Micros(spans.iter().map(|span| span.to.saturating_sub(span.from).0).sum())
    };
    let gaps = |starved: bool| {
        let tracks = [&record.caller, &record.agent].into_iter().flatten();
        let gaps = tracks.flat_map(|track| &track.gaps);
        gaps.filter(|gap| (gap.cause == RecordedGapCause::Starved) == starved)
            .map(|gap| RecordedSpan { from: gap.from, to: gap.to })
            .collect::<Vec<_>>()
    };
    let starved = match total(&gaps(true)) {
        Micros::ZERO => String::new(),
        silent => format!(" The agent's synthesis starved for {}.", seconds(silent)),
    };
    let of = |track: &Option<RecordedTrack>| {
        seconds(track.as_ref().map_or(Micros::ZERO, |track| total(&track.speech)))
    };
    let description = format!(
        "{} long. The caller was audible for {}, the agent for {}, both at once for {}. Packets were missing for {}.{starved} {}.",
        seconds(record.duration),
        of(&record.caller),
        of(&record.agent),
        seconds(total(&overlaps)),
        seconds(total(&gaps(false))),
        counted(record.turns.len() as u64, "turn")
    );
    ChartFigure {
        id: &id,
        title: html! { "Run " (record.run) },
        name: format!("Who spoke when in run {}", record.run),
        description: description.clone(),
        note: html! { (description) },
        table: html! {
            (turn_table(&record.turns).html(Frame::Scrolled))
            @if let Some(table) = gap_table(record) { (table.html(Frame::Scrolled)) }
        },
    }
    .draw(|canvas| draw(canvas, record, &overlaps))
}

fn turn_table(turns: &[RecordedTurn]) -> Table<'_, &RecordedTurn> {
    let time =
        |at: Option<Micros>| at.map_or_else(Cell::absent, |at| Cell::number(Number::micros(at)));
    Table::new([
        Column::number("turn", |row: &&RecordedTurn| Cell::text(row.number)),
        Column::number("caller began", move |row: &&RecordedTurn| time(Some(row.began))),
        Column::number("caller finished", move |row: &&RecordedTurn| time(Some(row.said))),
        Column::number("answer began", move |row: &&RecordedTurn| time(row.first)),
        Column::number("answer ended", move |row: &&RecordedTurn| time(row.last)),
        Column::number("wait", move |row: &&RecordedTurn| time(row.wait())),
        Column::text("ending", |row: &&RecordedTurn| Cell::text(row.ending.name())),
    ])
    .with_rows(turns)
}

/// A gap, and whose it is.
type GapRow = (&'static str, RecordedGap);

/// `None` if nothing is missing.
fn gap_table(record: &ConversationRecord) -> Option<Table<'_, GapRow>> {
    let of = |side, track: &Option<RecordedTrack>| {
        let gaps = track.as_ref().map(|track| track.gaps.clone()).unwrap_or_default();
        gaps.into_iter().map(move |gap| (side, gap))
    };
    let table = Table::new([
        Column::text("gap of", |row: &GapRow| Cell::text(row.0)),
        Column::number("from", |row: &GapRow| Cell::number(Number::micros(row.1.from))),
        Column::number("to", |row: &GapRow| Cell::number(Number::micros(row.1.to))),
        Column::text("cause", |row: &GapRow| Cell::text(row.1.cause.name())),
    ])
    .with_rows(of("caller", &record.caller).chain(of("agent", &record.agent)));
    (!table.is_empty()).then_some(table)
}

fn draw(canvas: &Canvas, record: &ConversationRecord, overlaps: &[RecordedSpan]) -> (f64, Markup) {
    let scale = Scale::time(record.duration);
    let x = |at: Micros| canvas.x(scale.at(at.0 as f64));
    let part = |class: &str, span: RecordedSpan, top: f64, height: f64| {
        let (left, right) = (x(span.from), x(span.to));
        html! {
            rect class=(class) x=(coordinate(left)) y=(coordinate(top))
                width=(coordinate((right - left).max(LEAST_WIDTH))) height=(coordinate(height)) {}
        }
    };
    let lanes = [
        ("caller", "speech s1", &record.caller, CALLER_LANE),
        ("agent", "speech s2", &record.agent, AGENT_LANE),
    ];
    let foot = AGENT_LANE + LANE;
    let (height, legend) = legend(canvas);
    let drawn = html! {
        g class="lanes" {
            @for (name, class, track, top) in lanes {
                text x="0" y=(coordinate(top + 14.0)) { (name) }
                @if let Some(track) = track {
                    @for span in &track.speech { (part(class, *span, top, LANE)) }
                    @for gap in &track.gaps {
                        (part(gap_class(gap.cause), RecordedSpan { from: gap.from, to: gap.to }, top, LANE))
                    }
                }
            }
            @for span in overlaps { (part("both", *span, CALLER_LANE, foot - CALLER_LANE)) }
            @for turn in &record.turns {
                @let said = coordinate(x(turn.said));
                line class="turn" x1=(said) x2=(said) y1=(coordinate(CALLER_LANE - 4.0)) y2=(coordinate(foot)) {}
                @if let Some(first) = turn.first {
                    @let y = coordinate((CALLER_LANE + LANE + AGENT_LANE) / 2.0);
                    line class="wait" x1=(said) x2=(coordinate(x(first))) y1=(y) y2=(y) {}
                }
            }
            @for (at, number) in turn_labels(canvas, record, x) {
                text x=(coordinate(at)) y="12" text-anchor="middle" { (number) }
            }
        }
        g class="grid" {
            @let (left, right) = (coordinate(canvas.x(0.0)), coordinate(canvas.x(1.0)));
            line class="axis" x1=(left) x2=(right) y1=(coordinate(AXIS)) y2=(coordinate(AXIS)) {}
            @for tick in scale.time_ticks(canvas.ticks_across) {
                @let at = canvas.x(tick.position);
                @let anchor = if tick.position > 0.97 { "end" } else { "middle" };
                line x1=(coordinate(at)) x2=(coordinate(at)) y1=(coordinate(AXIS)) y2=(coordinate(AXIS + 4.0)) {}
                text x=(coordinate(at)) y=(coordinate(AXIS + 17.0)) text-anchor=(anchor) { (tick.label) }
            }
        }
        (legend)
    };
    (height, drawn)
}

/// Where packets are missing there is nothing to hear either, but for another reason.
const fn gap_class(cause: RecordedGapCause) -> &'static str {
    match cause {
        RecordedGapCause::Lost | RecordedGapCause::Late => "missing",
        RecordedGapCause::Starved => "starved",
    }
}

/// The numbers of turns above their ends, as far as there is room.
fn turn_labels(
    canvas: &Canvas,
    record: &ConversationRecord,
    x: impl Fn(Micros) -> f64,
) -> Vec<(f64, u32)> {
    let mut labels: Vec<(f64, u32)> = Vec::new();
    for turn in &record.turns {
        let at = x(turn.said).min(canvas.x(1.0) - LABEL_GAP / 2.0);
        if labels.last().is_none_or(|(last, _)| at - last >= LABEL_GAP) {
            labels.push((at, turn.number));
        }
    }
    labels
}

/// What the signs mean, and the height of the whole drawing.
fn legend(canvas: &Canvas) -> (f64, Markup) {
    let entries = [
        ("speech s1", "the caller is audible"),
        ("speech s2", "the agent is audible"),
        ("both", "both are audible"),
        ("missing", "packets are missing"),
        ("starved", "its synthesis starved"),
        ("wait", "waiting for the answer"),
        ("turn", "end of a turn, with its number"),
    ];
    let columns = canvas.legend_columns.max(1);
    let width = canvas.width / columns as f64;
    let drawn = html! {
        g class="lanes" {
            @for (number, (class, label)) in entries.iter().enumerate() {
                @let left = (number % columns) as f64 * width;
                @let top = LEGEND + (number / columns) as f64 * LEGEND_ROW;
                @if matches!(*class, "wait" | "turn") {
                    line class=(class) x1=(coordinate(left + 1.0)) x2=(coordinate(left + 23.0))
                        y1=(coordinate(top + 6.0)) y2=(coordinate(top + 6.0)) {}
                } @else {
                    rect class=(class) x=(coordinate(left + 1.0)) y=(coordinate(top)) width="22" height="12" {}
                }
                text class="legend" x=(coordinate(left + 30.0)) y=(coordinate(top + 11.0)) { (label) }
            }
        }
    };
    let rows = entries.len().div_ceil(columns);
    (LEGEND + rows as f64 * LEGEND_ROW + 4.0, drawn)
}

#[cfg(test)]
mod tests;
