//! Each series judged: whether it drifts, by how much, and since when; all of them as one family.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::criteria::{FALSE_STEPS, SoakCriteria};
use super::failure_series::judge_failures;
use super::series::{SeriesPoint, SeriesUnit, TrackedSeries};
use super::wall::WallClock;
use super::windows::SoakWindows;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_stats::{
    Confidence, Direction, Drift, Materiality, PValue, Quantile, Sample, Series, StepChange, Trend,
    compare_first_and_last, holm, step_change,
};

/// The stretches that are set against each other last an hour, or this part of a shorter session.
const STRETCHES: f64 = 6.0;

/// What is found of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeriesFinding {
    /// There are too few windows to say.
    TooFew,
    /// No drift is shown.
    Steady,
    /// A drift is shown that does not amount to what matters.
    Immaterial,
    /// It grows, by more than what matters.
    Rises,
    /// It shrinks, by more than what matters.
    Falls,
    /// It rose at once and stayed there, by more than what matters.
    StepsUp,
    /// It fell at once and stayed there, by more than what matters.
    StepsDown,
}

impl SeriesFinding {
    /// Whether it grew by more than what matters.
    pub const fn is_worse(self) -> bool {
        matches!(self, Self::Rises | Self::StepsUp)
    }

    /// Whether it changed by more than what matters, either way.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Rises | Self::Falls | Self::StepsUp | Self::StepsDown)
    }
}

/// The slope of a series, with the interval that holds it while all series are judged as one family.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slope {
    /// The line's value at the first window.
    pub start: f64,
    /// The line's value at the last window.
    pub end: f64,
    /// The change from the first window to the last,
    pub change: f64,
    /// at least,
    pub change_low: f64,
    /// at most.
    pub change_high: f64,
    /// The change in an hour.
    pub per_hour: f64,
    /// The change in a hundred runs; for what grows with runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hundred_runs: Option<f64>,
    /// The share of each window's noise that carries over to the next.
    pub carried_over: f64,
}

/// The likeliest place of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesStep {
    /// When the first window after it begins, in microseconds of the session's clock.
    pub at_us: u64,
    /// The same on the wall clock, RFC 3339 in UTC.
    pub at: String,
    /// The median before it.
    pub before: f64,
    /// The median after it.
    pub after: f64,
    /// How rarely any series without a step looks as if it had one this clear.
    pub p_adjusted: f64,
}

/// The first stretch against the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FirstLast {
    /// How long each stretch is, in microseconds.
    pub stretch_us: u64,
    /// The median of the first stretch's windows.
    pub first: f64,
    /// The median of the last one's.
    pub last: f64,
}

/// A series, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesJudgement {
    /// Its name.
    pub series: String,
    /// What it is in.
    pub unit: SeriesUnit,
    /// Windows that have a value.
    pub windows: u64,
    /// The median of its windows.
    pub level: f64,
    /// Its slope, where there are windows enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slope: Option<Slope>,
    /// Its likeliest step, where it is one: clearer than chance, and a better account than the slope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<SeriesStep>,
    /// Its first stretch against its last, where both fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_last: Option<FirstLast>,
    /// What is found.
    pub finding: SeriesFinding,
    /// The same in words.
    pub words: String,
    /// Which figure it is.
    #[serde(skip)]
    pub followed: Option<TrackedSeries>,
    /// Its values.
    #[serde(skip)]
    pub points: Vec<SeriesPoint>,
}

/// A series on its way to its judgement.
struct Draft {
    followed: TrackedSeries,
    points: Vec<SeriesPoint>,
    /// Against hours; against hundreds of runs for memory.
    series: Series,
    trend: Option<Trend>,
    step: Option<StepChange>,
}

impl Draft {
    fn of(followed: TrackedSeries, points: Vec<SeriesPoint>) -> Option<Self> {
        let along = |point: &SeriesPoint| match followed {
            TrackedSeries::Memory => point.started / 100.0,
            _ => point.hours,
        };
        let series = Series::new(points.iter().map(|point| (along(point), point.value))).ok()?;
        Some(Self { followed, points, series, trend: None, step: None })
    }
}

/// Judges all series of a session as one family, and tells how many there are in it.
pub(super) fn judge_series(
    cut: &SoakWindows,
    question: &SoakCriteria,
    wall: &WallClock,
) -> (Vec<SeriesJudgement>, usize) {
    let mut drafts: Vec<Draft> = TrackedSeries::all()
        .into_iter()
        .filter(|followed| *followed != TrackedSeries::Failed)
        .filter_map(|followed| Draft::of(followed, followed.points(cut)))
        .collect();
    // Failures are one of the family, where any run ended.
    let family = drafts.len() + 1;
    if let Some(plan) = question.plan(family) {
        for draft in &mut drafts {
            draft.trend = Trend::of(&draft.series, &plan).ok();
            let times = draft.points.iter().map(|point| (point.hours, point.value));
            draft.step =
                Series::new(times).ok().and_then(|series| step_change(&series, &plan).ok());
        }
    }
    let p_values: Vec<PValue> =
        drafts.iter().map(|draft| draft.step.map_or(PValue::ONE, |step| step.p_value)).collect();
    let adjusted = holm(&p_values);
    let context = Context { cut, question, wall };
    let mut judged: Vec<SeriesJudgement> = drafts
        .into_iter()
        .zip(adjusted)
        .map(|(draft, adjusted)| context.judge(draft, adjusted))
        .collect();
    let failures = judge_failures(cut, question, SoakCriteria::confidence(family));
    let place = judged.iter().position(|one| one.followed == Some(TrackedSeries::Memory));
    if let Some(failures) = failures {
        judged.insert(place.unwrap_or(judged.len()), failures);
    }
    (judged, family)
}

struct Context<'a> {
    cut: &'a SoakWindows,
    question: &'a SoakCriteria,
    wall: &'a WallClock,
}

impl Context<'_> {
    fn judge(&self, draft: Draft, adjusted: PValue) -> SeriesJudgement {
        let Draft { followed, points, trend, step, .. } = draft;
        let share = self.question.settings.material.fraction();
        let slope = trend.map(|trend| self.slope(followed, &trend));
        let step = step.filter(|step| {
            let matters = (step.after - step.before).abs() > share * step.before.abs();
            matters && adjusted.is_significant_at(FALSE_STEPS) && explains(step, &points, trend)
        });
        let level = median(points.iter().map(|point| point.value));
        let matters = |trend: Trend| {
            // A line may begin below nothing where its values waver much.
            let begun = if trend.start > 0.0 { trend.start } else { level };
            trend.drift(Materiality::Absolute(share * begun))
        };
        let finding = match (&step, trend.map(matters)) {
            (Some(step), _) if step.after > step.before => SeriesFinding::StepsUp,
            (Some(_), _) => SeriesFinding::StepsDown,
            (None, None) => SeriesFinding::TooFew,
            (None, Some(Drift::NotShown)) => SeriesFinding::Steady,
            (None, Some(Drift::Immaterial(_))) => SeriesFinding::Immaterial,
            (None, Some(Drift::Material(Direction::Rising))) => SeriesFinding::Rises,
            (None, Some(Drift::Material(Direction::Falling))) => SeriesFinding::Falls,
        };
        let step = step.map(|step| self.step(&step, adjusted));
        let mut judged = SeriesJudgement {
            series: followed.name(),
            unit: followed.unit(),
            windows: points.len() as u64,
            level,
            slope,
            step,
            first_last: first_last(&points),
            finding,
            words: String::new(),
            followed: Some(followed),
            points,
        };
        judged.words = self.words(&judged);
        judged
    }

    fn slope(&self, followed: TrackedSeries, trend: &Trend) -> Slope {
        let hours = (self.cut.span().as_secs_f64() / 3_600.0).max(1e-9);
        Slope {
            start: trend.start,
            end: trend.start + trend.change.point,
            change: trend.change.point,
            change_low: trend.change.interval.low(),
            change_high: trend.change.interval.high(),
            per_hour: trend.change.point / hours,
            per_hundred_runs: (followed == TrackedSeries::Memory).then_some(trend.slope.point),
            carried_over: trend.autocorrelation,
        }
    }

    fn step(&self, step: &StepChange, adjusted: PValue) -> SeriesStep {
        // The middle of the first window after it, back to where that window begins.
        let middle = SessionTime(Micros::from_secs_f64(step.between.high() * 3_600.0).0);
        let at = middle - Micros(self.cut.width.0 / 2);
        SeriesStep {
            at_us: at.0,
            at: self.wall.full(at),
            before: step.before,
            after: step.after,
            p_adjusted: adjusted.probability(),
        }
    }

    fn words(&self, judged: &SeriesJudgement) -> String {
        let amount = |value| judged.unit.words(value);
        let name = &judged.series;
        if let (Some(step), true) = (&judged.step, judged.finding.is_change()) {
            let at = self.wall.short(SessionTime(step.at_us));
            let of = share_words(step.after - step.before, step.before);
            return format!(
                "since {at} {name} is {} where it was {} ({of})",
                amount(step.after),
                amount(step.before)
            );
        }
        let Some(slope) = &judged.slope else {
            return format!("{name}: {} windows are too few to say", judged.windows);
        };
        let range = format!(
            "{} to {} over the session",
            amount(slope.change_low),
            amount(slope.change_high)
        );
        match judged.finding {
            SeriesFinding::Rises => format!("{name} grows {}", self.growth(judged.unit, slope)),
            SeriesFinding::Falls => format!("{name} shrinks {}", self.growth(judged.unit, slope)),
            SeriesFinding::Immaterial => format!(
                "{name} changes by {}, which is less than what matters",
                amount(slope.change)
            ),
            _ => format!("{name}: no drift shown ({range})"),
        }
    }

    /// By how much, in the units that suit the session: an hour, a hundred runs, all of it.
    fn growth(&self, unit: SeriesUnit, slope: &Slope) -> String {
        let over = format!(
            "from {} to {} ({}) over {}",
            unit.words(slope.start),
            unit.words(slope.end),
            share_words(slope.change, slope.start),
            self.cut.span()
        );
        if let Some(per_hundred) = slope.per_hundred_runs {
            return format!("by {} per hundred runs, {over}", unit.words(per_hundred.abs()));
        }
        if self.cut.span() < Micros::from_secs(3_600) || slope.start <= 0.0 {
            return over;
        }
        format!(
            "by {} an hour, {over}",
            super::series::percent((slope.per_hour / slope.start).abs())
        )
    }
}

/// A change as a share of where it began, with its sign.
pub(super) fn share_words(change: f64, start: f64) -> String {
    if start <= 0.0 {
        return "from nothing".to_owned();
    }
    let sign = if change >= 0.0 { "+" } else { "" };
    format!("{sign}{}", super::series::percent(change / start))
}

/// Whether a step leaves less of the values unexplained than a line does.
fn explains(step: &StepChange, points: &[SeriesPoint], trend: Option<Trend>) -> bool {
    let Some(trend) = trend else { return true };
    let slope = {
        let span = points.last().map_or(0.0, |last| last.hours)
            - points.first().map_or(0.0, |first| first.hours);
        if span > 0.0 { trend.change.point / span } else { 0.0 }
    };
    let begin = points.first().map_or(0.0, |first| first.hours);
    let line: f64 = points
        .iter()
        .map(|point| (point.value - trend.start - slope * (point.hours - begin)).abs())
        .sum();
    let levels: f64 = points
        .iter()
        .map(|point| {
            let level = if point.hours < step.between.high() { step.before } else { step.after };
            (point.value - level).abs()
        })
        .sum();
    levels < line
}

fn first_last(points: &[SeriesPoint]) -> Option<FirstLast> {
    let series = Series::new(points.iter().map(|point| (point.hours, point.value))).ok()?;
    let stretch = ((series.end() - series.begin()) / STRETCHES).min(1.0);
    // Refuses stretches that do not fit.
    compare_first_and_last(&series, stretch, Confidence::PERCENT_95).ok()?;
    let within = |from: f64, to: f64| {
        let inside = points.iter().filter(|point| (from..=to).contains(&point.hours));
        median(inside.map(|point| point.value))
    };
    Some(FirstLast {
        stretch_us: Micros::from_secs_f64(stretch * 3_600.0).0,
        first: within(series.begin(), series.begin() + stretch),
        last: within(series.end() - stretch, series.end()),
    })
}

/// The median of values; 0 for none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    Sample::new(values.collect()).map_or(0.0, |sample| sample.quantile(Quantile::P50))
}
