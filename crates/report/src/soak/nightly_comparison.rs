//! A session compared with the nightly runs before it of the same profile: is it worse, has it been getting worse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nightly_run::{History, NightlyRun};
use super::series::{SeriesUnit, TrackedSeries};
use rushhour_stats::{
    Baseline, Confidence, Cusum, CusumLimits, Proportion, newcombe_difference, prediction_interval,
    self_starting_scores,
};

/// The fewest previous nightly runs for a comparison.
pub(crate) const MIN_NIGHTS: usize = 4;
/// The most previous nightly runs that are compared.
const MAX_NIGHTS: usize = 28;
/// The most recent nightly runs of which reports say how many drifted.
const RECENT: usize = 7;
/// The probability that any series of an ordinary nightly run is called above or below.
const BAND_FALSE_ALARMS: f64 = 0.03;
/// The probability that any series of ordinary nightly runs is called creeping.
const CREEP_FALSE_ALARMS: f64 = 0.02;

/// What was found of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NightlyFinding {
    /// As expected from previous nightly runs.
    Within,
    /// Above the expected range, by a material amount.
    Above,
    /// Below the expected range, by a material amount.
    Below,
    /// It has been growing from one nightly run to the next, by a material amount.
    Creeps,
}

impl NightlyFinding {
    /// Whether it is worse than in previous nightly runs.
    pub const fn is_worse(self) -> bool {
        matches!(self, Self::Above | Self::Creeps)
    }
}

/// One series compared with previous nightly runs.
#[derive(Debug, Clone, PartialEq)]
pub struct NightlyJudgement {
    /// The series.
    pub series: String,
    /// The unit.
    pub unit: SeriesUnit,
    /// How many previous nightly runs have it.
    pub previous_runs: u64,
    /// Its level in this session.
    pub level: f64,
    /// The mean of previous nightly runs.
    pub mean: f64,
    /// The lower end of the prediction interval for this session.
    pub low: f64,
    /// The upper end of the prediction interval for this session.
    pub high: f64,
    /// The upper CUSUM, in standard deviations.
    pub cusum: f64,
    /// The decision limit of the CUSUM.
    pub limit: f64,
    /// What was found.
    pub finding: NightlyFinding,
}

/// A session compared with previous nightly runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NightlyComparison {
    /// Previous nightly runs of the same profile that it is compared with.
    pub compared: u64,
    /// Previous nightly runs of the same profile that are not conclusive: too short, or the generator's fault.
    pub left_out: u64,
    /// Nightly runs of other profiles, or of this one before it was changed.
    pub other_profiles: u64,
    /// Lines of the history that cannot be read.
    pub unreadable: u64,
    /// The number of recent nightly runs, at most seven.
    pub last: u64,
    /// In how many of these any series grew.
    pub last_drifted: u64,
    /// Each series that enough nightly runs have.
    pub series: Vec<NightlyJudgement>,
}

impl NightlyComparison {
    /// Compares a nightly run with those before it.
    pub fn of(current: &NightlyRun, history: &History) -> Self {
        let before: Vec<&NightlyRun> = history.before(&current.started, &current.session).collect();
        let same = |run: &&&NightlyRun| run.profile_hash == current.profile_hash;
        let of_profile: Vec<&NightlyRun> = before.iter().filter(same).copied().collect();
        let conclusive: Vec<&NightlyRun> =
            of_profile.iter().filter(|run| run.is_conclusive()).copied().collect();
        let previous = &conclusive[conclusive.len().saturating_sub(MAX_NIGHTS)..];
        let recent = &previous[previous.len().saturating_sub(RECENT)..];
        let mut comparison = Self {
            compared: previous.len() as u64,
            left_out: (of_profile.len() - conclusive.len()) as u64,
            other_profiles: (before.len() - of_profile.len()) as u64,
            unreadable: history.unreadable,
            last: recent.len() as u64,
            last_drifted: recent.iter().filter(|run| run.drifted()).count() as u64,
            series: Vec::new(),
        };
        if current.is_conclusive() {
            comparison.series = judge(current, previous);
        }
        comparison
    }

    /// Whether anything is worse than in previous nightly runs.
    pub fn is_worse(&self) -> bool {
        self.series.iter().any(|one| one.finding.is_worse())
    }
}

/// Judges each series that enough previous nightly runs have.
fn judge(current: &NightlyRun, previous: &[&NightlyRun]) -> Vec<NightlyJudgement> {
    let levels = |name: &str| -> Vec<f64> {
        previous.iter().filter_map(|run| Some(run.series.get(name)?.level)).collect()
    };
    let with_enough: Vec<(&String, Vec<f64>)> = current
        .series
        .keys()
        .map(|name| (name, levels(name)))
        .filter(|(_, levels)| levels.len() >= MIN_NIGHTS)
        .collect();
    let family = with_enough.len().max(1);
    let judged = with_enough.into_iter().filter_map(|(name, levels)| {
        let mut judged = judge_series(current, name, &levels, family)?;
        let is_failures = *name == TrackedSeries::Failed.name();
        if is_failures && !failures_differ(current, previous, family) {
            judged.finding = NightlyFinding::Within;
        }
        Some(judged)
    });
    judged.collect()
}

fn judge_series(
    current: &NightlyRun,
    name: &str,
    previous: &[f64],
    family: usize,
) -> Option<NightlyJudgement> {
    let figure = current.series.get(name)?;
    let level = figure.level;
    let confidence = Confidence::from_fraction(1.0 - BAND_FALSE_ALARMS / family as f64)?;
    let band = prediction_interval(previous, confidence).ok()?;
    let mean = f64::midpoint(band.low(), band.high());
    let all: Vec<f64> = previous.iter().copied().chain([level]).collect();
    let scores = self_starting_scores(&all).ok()?;
    let limits = CusumLimits::for_values((scores.len() * family) as u64, CREEP_FALSE_ALARMS);
    let cusum = Cusum::of(&scores, Baseline::new(0.0, 1.0)?, limits).ok()?;
    let upper = cusum.points.last()?.above;
    let material = match figure.unit {
        SeriesUnit::Share => current.material_failures,
        unit @ (SeriesUnit::Microseconds | SeriesUnit::Bytes | SeriesUnit::PerMinute) => {
            (current.material * mean.abs()).max(unit.least_material())
        }
    };
    let finding = if level > band.high() && level - mean > material {
        NightlyFinding::Above
    } else if level < band.low() && mean - level > material {
        NightlyFinding::Below
    } else if upper > limits.decision() && has_crept(&all, &cusum, material) {
        NightlyFinding::Creeps
    } else {
        NightlyFinding::Within
    };
    Some(NightlyJudgement {
        series: name.to_owned(),
        unit: figure.unit,
        previous_runs: previous.len() as u64,
        level,
        mean,
        low: band.low(),
        high: band.high(),
        cusum: upper,
        limit: limits.decision(),
        finding,
    })
}

/// Whether the mean since the CUSUM left zero is higher than the mean before by a material amount.
fn has_crept(all: &[f64], cusum: &Cusum, material: f64) -> bool {
    // The first two values have no score.
    let unscored = all.len() - cusum.points.len();
    let left_zero = cusum.points.iter().rposition(|point| point.above <= 0.0);
    let left_zero = unscored + left_zero.map_or(0, |index| index + 1);
    let (before, since) = all.split_at(left_zero.min(all.len()));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    !before.is_empty() && !since.is_empty() && mean(since) - mean(before) > material
}

/// Whether the share of failed runs differs significantly from that of all previous runs together.
fn failures_differ(current: &NightlyRun, previous: &[&NightlyRun], family: usize) -> bool {
    let failed = previous.iter().map(|run| run.failed).sum();
    let runs = previous.iter().map(|run| run.runs).sum();
    let before = Proportion::new(failed, runs);
    let now = Proportion::new(current.failed, current.runs);
    let confidence = Confidence::from_fraction(1.0 - BAND_FALSE_ALARMS / family as f64);
    let (Ok(before), Ok(now), Some(confidence)) = (before, now, confidence) else { return false };
    !newcombe_difference(before, now, confidence).interval.contains(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::nightly_run::tests::nightly_run;
    use super::*;

    fn history(levels: &[f64]) -> History {
        let runs =
            levels.iter().enumerate().map(|(n, level)| nightly_run(n, &[("turn p50", *level)]));
        History { runs: runs.collect(), unreadable: 0 }
    }

    fn compared(before: &[f64], level: f64) -> NightlyComparison {
        let current = nightly_run(before.len(), &[("turn p50", level)]);
        NightlyComparison::of(&current, &history(before))
    }

    const CALM: [f64; 7] = [300e3, 304e3, 297e3, 301e3, 299e3, 303e3, 296e3];

    #[test]
    fn a_worse_run_is_above_and_one_like_the_others_is_not() {
        let found = |level| compared(&CALM, level).series[0].finding;
        assert_eq!(found(302e3), NightlyFinding::Within);
        assert_eq!(found(360e3), NightlyFinding::Above);
        assert_eq!(found(240e3), NightlyFinding::Below);
        assert_eq!(found(325e3), NightlyFinding::Within, "outside the range, but not material");
    }

    #[test]
    fn creeping_runs_are_found_although_none_stands_out() {
        let creeping: Vec<f64> =
            CALM.into_iter()
                .chain((1..=12).map(|run| {
                    300e3 + 6e3 * f64::from(run) + if run % 2 == 0 { 3e3 } else { -3e3 }
                }))
                .collect();
        let found = compared(&creeping, 381e3);
        assert_eq!(found.series[0].finding, NightlyFinding::Creeps, "{found:?}");
    }

    #[test]
    fn other_profiles_and_inconclusive_runs_are_left_out() {
        let mut history = history(&CALM);
        history.runs[0].profile_hash = "another".to_owned();
        history.runs[1].verdict = super::super::analysis::SoakVerdict::Invalid;
        let current = nightly_run(7, &[("turn p50", 300e3), ("new", 1.0)]);
        let found = NightlyComparison::of(&current, &history);
        assert_eq!((found.compared, found.left_out, found.other_profiles), (5, 1, 1));
        assert_eq!(found.series.len(), 1, "a series that no previous run has is not judged");
        assert!(compared(&CALM[..3], 900e3).series.is_empty(), "three runs are too few");
        let alike = compared(&[300e3; 6], 300e3);
        assert_eq!(alike.series[0].finding, NightlyFinding::Within);
        assert_eq!(compared(&[0.0; 6], 0.0).series[0].finding, NightlyFinding::Within);
    }

    #[test]
    fn failures_must_also_differ_significantly_as_counts() {
        let with = |number: usize, failed: u64| {
            let mut one = nightly_run(number, &[("failed", failed as f64 / 1_000.0)]);
            one.failed = failed;
            one.series.values_mut().for_each(|figure| figure.unit = SeriesUnit::Share);
            one
        };
        let runs: Vec<NightlyRun> = (0..7).map(|number| with(number, 0)).collect();
        let history = History { runs, unreadable: 0 };
        let found = |failed| NightlyComparison::of(&with(8, failed), &history).series[0].finding;
        assert_eq!(found(5), NightlyFinding::Within);
        assert_eq!(found(60), NightlyFinding::Above);
    }
}
