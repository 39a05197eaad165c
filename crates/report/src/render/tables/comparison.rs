//! Two sessions compared, one row per figure.

use crate::compare::{
    ComparisonFinding, CostComparison, FigureNote, LatencyComparison, QualityComparison,
    QuantileComparison, RateComparison, SessionComparison,
};
use crate::render::file_wording::FileWording;
use crate::render::table::{Cell, Column, Formats, Number, Table, Tone, Unit};
use rushhour_core::profile::QualityMeasure;

/// One figure of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ComparisonRow<'a> {
    Quantile(&'a LatencyComparison, &'a QuantileComparison),
    Rate(&'a RateComparison),
    Cost(&'a CostComparison),
    Quality(&'a QualityComparison),
}

/// The heading of the column with the smallest difference that the comparison would detect.
pub(crate) const DETECTABLE: &str = "detectable";

pub(crate) fn comparison_table(comparison: &SessionComparison) -> Table<'_, ComparisonRow<'_>> {
    let mut table = Table::new(shown_columns().into_iter().chain(csv_columns()));
    for latency in &comparison.latencies {
        table.push_heading(latency_heading(latency), Formats::TEXT);
        for quantile in &latency.percentiles {
            table.push(ComparisonRow::Quantile(latency, quantile));
            let is_doubtful = quantile.ratio.is_some() && quantile.is_significant();
            if let Some(note) = quantile.note.filter(|_| is_doubtful) {
                table.push_note(note.to_string(), Formats::TEXT);
            }
        }
    }
    for rate in &comparison.rates {
        let [baseline, candidate] = rate_counts(rate);
        table.push_heading(format!("{} ({baseline} and {candidate})", rate.measure), Formats::TEXT);
        table.push(ComparisonRow::Rate(rate));
    }
    if let Some(cost) = &comparison.cost {
        let (a, b) = (cost.baseline_n, cost.candidate_n);
        table.push_heading(format!("cost of a run ({a} and {b} runs)"), Formats::TEXT);
        table.push(ComparisonRow::Cost(cost));
    }
    for quality in &comparison.quality {
        let (a, b) = (quality.baseline_n, quality.candidate_n);
        let name = quality_name(quality);
        table.push_heading(format!("{name} ({a} and {b} conversations)"), Formats::TEXT);
        table.push(ComparisonRow::Quality(quality));
    }
    table
}

fn latency_heading(latency: &LatencyComparison) -> String {
    let unfinished = match (latency.baseline_unfinished, latency.candidate_unfinished) {
        (0, 0) => String::new(),
        (a, b) => format!("; {a} and {b} of them unfinished, counted as longer"),
    };
    let (a, b) = (latency.baseline_n, latency.candidate_n);
    format!("{} ({a} and {b} runs{unfinished})", latency.metric)
}

fn quality_name(quality: &QualityComparison) -> String {
    match quality.kind() {
        QualityMeasure::Gaps => format!("{}, a minute", quality.measure),
        _ => quality.measure.clone(),
    }
}

/// The units of a figure and of a difference.
fn quality_units(quality: &QualityComparison) -> [Unit; 2] {
    match quality.kind() {
        QualityMeasure::Gaps => [Unit::Plain(2), Unit::Plain(2)],
        QualityMeasure::Concealed | QualityMeasure::Overlap | QualityMeasure::TalkOver => {
            [Unit::Percent(2), Unit::Points]
        }
    }
}

fn rate_counts(rate: &RateComparison) -> [String; 2] {
    let counts = [(rate.baseline_count, rate.baseline_n), (rate.candidate_count, rate.candidate_n)];
    counts.map(|(count, of)| format!("{count} of {of}"))
}

fn shown_columns<'a>() -> Vec<Column<'a, ComparisonRow<'a>>> {
    let shown = Formats::TEXT.and(Formats::MARKDOWN);
    vec![
        Column::text("", |row: &ComparisonRow<'_>| match row {
            ComparisonRow::Quantile(_, quantile) => Cell::text(&quantile.percentile),
            ComparisonRow::Rate(_) | ComparisonRow::Quality(_) => Cell::absent(),
            ComparisonRow::Cost(_) => Cell::text("mean, USD"),
        })
        .only(Formats::TEXT),
        Column::text("measure", |row: &ComparisonRow<'_>| match row {
            ComparisonRow::Quantile(latency, quantile) => {
                Cell::text(format!("{} {}", latency.metric, quantile.percentile))
            }
            ComparisonRow::Rate(rate) => Cell::text(&rate.measure),
            ComparisonRow::Cost(_) => Cell::text("cost of a run, USD"),
            ComparisonRow::Quality(quality) => Cell::text(quality_name(quality)),
        })
        .only(Formats::MARKDOWN),
        Column::number("n of A", |row: &ComparisonRow<'_>| Cell::text(&row.counts()[0]))
            .only(Formats::MARKDOWN),
        Column::number("n of B", |row: &ComparisonRow<'_>| Cell::text(&row.counts()[1]))
            .only(Formats::MARKDOWN),
        Column::number("A", |row: &ComparisonRow<'_>| row.values()[0].clone()).only(shown),
        Column::number("B", |row: &ComparisonRow<'_>| row.values()[1].clone()).only(shown),
        Column::text("B / A, 95 % interval", |row: &ComparisonRow<'_>| row.difference())
            .only(shown),
        Column::number(DETECTABLE, |row: &ComparisonRow<'_>| row.detectable()).only(shown),
        Column::text("finding", |row: &ComparisonRow<'_>| row.finding()).only(shown),
    ]
}

impl ComparisonRow<'_> {
    fn counts(&self) -> [String; 2] {
        let runs = |n: u64, unfinished: u64| match unfinished {
            0 => n.to_string(),
            some => format!("{n}, {some} unfinished"),
        };
        match self {
            Self::Quantile(latency, _) => [
                runs(latency.baseline_n, latency.baseline_unfinished),
                runs(latency.candidate_n, latency.candidate_unfinished),
            ],
            Self::Rate(rate) => rate_counts(rate),
            Self::Cost(cost) => [cost.baseline_n, cost.candidate_n].map(|n| runs(n, 0)),
            Self::Quality(quality) => [quality.baseline_n, quality.candidate_n].map(|n| runs(n, 0)),
        }
    }

    fn values(&self) -> [Cell; 2] {
        let number = |value: Option<f64>, unit| match value {
            Some(value) => Cell::number(Number::new(value, unit)),
            None => Cell::missing("n/a"),
        };
        match self {
            Self::Quantile(_, quantile) => [quantile.baseline_us, quantile.candidate_us]
                .map(|value| number(value.map(f64::round), Unit::Micros)),
            Self::Rate(rate) => shares(rate).map(|share| number(share, Unit::Percent(2))),
            Self::Cost(cost) => [cost.baseline_usd, cost.candidate_usd]
                .map(|value| number(Some(value), Unit::UsdBare(4))),
            Self::Quality(quality) => [quality.baseline, quality.candidate]
                .map(|value| number(Some(value), quality_units(quality)[0])),
        }
    }

    fn difference(&self) -> Cell {
        let (ends, unit, note) = match self {
            Self::Quantile(_, quantile) => (
                [quantile.ratio, quantile.ratio_low, quantile.ratio_high],
                Unit::Ratio,
                quantile.note,
            ),
            Self::Rate(rate) => {
                let ends = [rate.difference, rate.difference_low, rate.difference_high];
                (ends.map(|end| end.filter(|_| rate.note.is_none())), Unit::Points, rate.note)
            }
            Self::Cost(cost) => {
                ([cost.ratio, cost.ratio_low, cost.ratio_high], Unit::Ratio, cost.note)
            }
            Self::Quality(quality) => (
                [quality.difference, quality.difference_low, quality.difference_high],
                quality_units(quality)[1],
                quality.note,
            ),
        };
        match ends.map(|end| end.map(|end| Number::new(end, unit))) {
            [Some(value), Some(low), Some(high)] => Cell::interval(value, low, high),
            _ => note.map_or_else(Cell::absent, Cell::missing),
        }
    }

    /// The smallest difference that the comparison would detect.
    fn detectable(&self) -> Cell {
        let (value, unit) = match self {
            Self::Quantile(_, quantile) => (quantile.detectable_ratio_of, Unit::Ratio),
            Self::Rate(rate) => {
                (rate.smallest_difference_seen.filter(|_| rate.note.is_none()), Unit::Points)
            }
            Self::Cost(_) | Self::Quality(_) => (None, Unit::Ratio),
        };
        value.map_or_else(Cell::absent, |value| Cell::text(Number::new(value, unit)))
    }

    fn finding(&self) -> Cell {
        let (finding, is_regression) = match self {
            Self::Quantile(_, quantile) => (quantile.finding, quantile.regression),
            Self::Rate(rate) => (rate.finding, rate.regression),
            Self::Cost(cost) => (cost.finding, false),
            Self::Quality(quality) => (quality.finding, false),
        };
        let tone = match finding {
            _ if is_regression => Tone::Bad,
            ComparisonFinding::NotEnoughData => Tone::Open,
            ComparisonFinding::Slower | ComparisonFinding::More | ComparisonFinding::CostsMore => {
                Tone::Notable
            }
            ComparisonFinding::Faster | ComparisonFinding::Fewer | ComparisonFinding::CostsLess => {
                Tone::Good
            }
            ComparisonFinding::NoDifference => Tone::Plain,
        };
        Cell::verdict(tone, finding.label())
    }
}

fn shares(rate: &RateComparison) -> [Option<f64>; 2] {
    let share = |count: u64, of: u64| (of > 0).then(|| count as f64 / of as f64);
    [share(rate.baseline_count, rate.baseline_n), share(rate.candidate_count, rate.candidate_n)]
}

fn csv_columns<'a>() -> Vec<Column<'a, ComparisonRow<'a>>> {
    let column = |name: &'static str, cell: fn(&RawFigures) -> Cell| {
        Column::csv(name, move |row: &ComparisonRow<'_>| cell(&RawFigures::of(row)))
    };
    vec![
        column("measure", |raw| Cell::text(&raw.measure)),
        column("percentile", |raw| Cell::text(&raw.percentile)),
        column("baseline_n", |raw| Cell::count(raw.n[0])),
        column("candidate_n", |raw| Cell::count(raw.n[1])),
        column("baseline_unfinished", |raw| absent_or(raw.unfinished[0])),
        column("candidate_unfinished", |raw| absent_or(raw.unfinished[1])),
        column("baseline_us", |raw| absent_or(raw.us[0])),
        column("candidate_us", |raw| absent_or(raw.us[1])),
        column("ratio", |raw| absent_or(raw.ratio[0])),
        column("ratio_low", |raw| absent_or(raw.ratio[1])),
        column("ratio_high", |raw| absent_or(raw.ratio[2])),
        column("baseline_share", |raw| absent_or(raw.share[0])),
        column("candidate_share", |raw| absent_or(raw.share[1])),
        column("difference", |raw| absent_or(raw.difference[0])),
        column("difference_low", |raw| absent_or(raw.difference[1])),
        column("difference_high", |raw| absent_or(raw.difference[2])),
        column("p_value", |raw| absent_or(raw.p_value)),
        column("p_adjusted", |raw| absent_or(raw.p_adjusted)),
        column("smallest_seen", |raw| absent_or(raw.detectable)),
        column("finding", |raw| Cell::text(raw.finding)),
        column("regression", |raw| Cell::text(raw.regression)),
        column("note", |raw| absent_or(raw.note.as_ref().map(FileWording))),
        column("baseline_usd", |raw| absent_or(raw.usd[0])),
        column("candidate_usd", |raw| absent_or(raw.usd[1])),
        column("baseline_per_minute", |raw| absent_or(raw.per_minute[0])),
        column("candidate_per_minute", |raw| absent_or(raw.per_minute[1])),
    ]
}

fn absent_or(value: Option<impl ToString>) -> Cell {
    value.map_or_else(Cell::absent, Cell::text)
}

/// A row as the CSV file has it. Values of A and B are pairs; estimates are followed by the ends of their intervals.
#[derive(Default)]
struct RawFigures {
    measure: String,
    percentile: String,
    n: [u64; 2],
    unfinished: [Option<u64>; 2],
    us: [Option<f64>; 2],
    ratio: [Option<f64>; 3],
    share: [Option<f64>; 2],
    difference: [Option<f64>; 3],
    p_value: Option<f64>,
    p_adjusted: Option<f64>,
    detectable: Option<f64>,
    finding: &'static str,
    regression: bool,
    note: Option<FigureNote>,
    usd: [Option<f64>; 2],
    per_minute: [Option<f64>; 2],
}

impl RawFigures {
    fn of(row: &ComparisonRow<'_>) -> Self {
        match row {
            ComparisonRow::Quantile(latency, quantile) => Self {
                measure: latency.metric.clone(),
                percentile: quantile.percentile.clone(),
                n: [latency.baseline_n, latency.candidate_n],
                unfinished: [latency.baseline_unfinished, latency.candidate_unfinished].map(Some),
                us: [quantile.baseline_us, quantile.candidate_us],
                ratio: [quantile.ratio, quantile.ratio_low, quantile.ratio_high],
                p_value: quantile.p_value,
                p_adjusted: quantile.p_adjusted,
                detectable: quantile.detectable_ratio_of,
                finding: quantile.finding.label(),
                regression: quantile.regression,
                note: quantile.note,
                ..Self::default()
            },
            ComparisonRow::Rate(rate) => Self {
                measure: rate.measure.clone(),
                n: [rate.baseline_n, rate.candidate_n],
                share: shares(rate),
                difference: [rate.difference, rate.difference_low, rate.difference_high],
                p_value: rate.p_value,
                p_adjusted: rate.p_adjusted,
                detectable: rate.smallest_difference_seen,
                finding: rate.finding.label(),
                regression: rate.regression,
                note: rate.note,
                ..Self::default()
            },
            ComparisonRow::Cost(cost) => Self {
                measure: "cost".to_owned(),
                n: [cost.baseline_n, cost.candidate_n],
                ratio: [cost.ratio, cost.ratio_low, cost.ratio_high],
                finding: cost.finding.label(),
                note: cost.note,
                usd: [cost.baseline_usd, cost.candidate_usd].map(Some),
                ..Self::default()
            },
            ComparisonRow::Quality(quality) => {
                let values = [quality.baseline, quality.candidate].map(Some);
                let is_rate = quality.kind() == QualityMeasure::Gaps;
                let (share, per_minute) =
                    if is_rate { ([None; 2], values) } else { (values, [None; 2]) };
                Self {
                    measure: quality.measure.clone(),
                    n: [quality.baseline_n, quality.candidate_n],
                    share,
                    per_minute,
                    difference: [
                        quality.difference,
                        quality.difference_low,
                        quality.difference_high,
                    ],
                    finding: quality.finding.label(),
                    note: quality.note,
                    ..Self::default()
                }
            }
        }
    }
}
