//! The ratio of a candidate's durations to its baseline's, some of them censored.

use std::collections::BTreeMap;

use super::super::convert::{count, real};
use super::super::interval::TooFew;
use super::super::order_statistic::min_sample_size;
use super::super::quantile::Quantile;
use super::super::rng::StatsRng;
use super::super::sample::{SampleError, normalised};
use super::arms::{QuantileRatio, ResampledStatistics};
use super::percentile::DegreesOfFreedom;
use super::plan::{Bootstrap, BootstrapError};

/// Rounding in a product of up to millions of factors; far below one duration's share.
const ROUNDING: f64 = 1e-9;

/// Durations in clusters that are resampled whole; some are right-censored.
#[derive(Debug, Clone, PartialEq)]
pub struct CensoredSample {
    /// In order of time; at equal times the ended before the censored.
    durations: Vec<Duration>,
    clusters: usize,
    censored: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Duration {
    time: f64,
    cluster: u32,
    ended: bool,
}

impl CensoredSample {
    /// Durations as cluster, time, and whether they ended at that time rather than being censored.
    ///
    /// # Errors
    /// [`SampleError`] for none, or for a time that is not finite.
    pub fn new<K: Ord>(
        durations: impl IntoIterator<Item = (K, f64, bool)>,
    ) -> Result<Self, SampleError> {
        let mut groups: BTreeMap<K, Vec<(f64, bool)>> = BTreeMap::new();
        for (index, (cluster, time, ended)) in durations.into_iter().enumerate() {
            let time = normalised(time).ok_or(SampleError::NotFinite { index })?;
            groups.entry(cluster).or_default().push((time, ended));
        }
        Self::from_groups(groups.into_values().collect())
    }

    /// Durations cluster by cluster, in the clusters' order; a cluster may be empty.
    pub(super) fn from_groups(groups: Vec<Vec<(f64, bool)>>) -> Result<Self, SampleError> {
        let clusters = groups.len();
        let mut durations: Vec<Duration> = (0_u32..)
            .zip(groups)
            .flat_map(|(cluster, times)| {
                times.into_iter().map(move |(time, ended)| Duration { time, cluster, ended })
            })
            .collect();
        if durations.is_empty() {
            return Err(SampleError::Empty);
        }
        durations.sort_unstable_by(|one, other| {
            one.time
                .total_cmp(&other.time)
                .then(other.ended.cmp(&one.ended))
                .then(one.cluster.cmp(&other.cluster))
        });
        let censored = count(durations.iter().filter(|duration| !duration.ended).count());
        Ok(Self { durations, clusters, censored })
    }

    /// How many durations there are, ended or not; at least 1.
    pub fn size(&self) -> u64 {
        count(self.durations.len())
    }

    /// How many are censored.
    pub const fn censored(&self) -> u64 {
        self.censored
    }

    /// The Kaplan-Meier quantile; `None` where it was not reached. Without censoring it is the nearest-rank quantile.
    pub fn quantile(&self, quantile: Quantile) -> Option<f64> {
        Some(self.point(quantile)).filter(|time| time.is_finite())
    }

    /// The Kaplan-Meier quantile; infinite where it was not reached.
    fn point(&self, quantile: Quantile) -> f64 {
        let mut found = [0.0];
        self.quantiles(&vec![1; self.clusters], &[quantile], &mut found);
        found[0]
    }

    fn freedom(&self) -> DegreesOfFreedom {
        DegreesOfFreedom::of_units(count(self.clusters))
    }

    fn draw_multiplicities(&self, rng: &mut StatsRng, multiplicities: &mut Vec<u32>) {
        multiplicities.clear();
        multiplicities.resize(self.clusters, 0);
        for _ in 0..self.clusters {
            multiplicities[rng.index(self.clusters)] += 1;
        }
    }

    /// Writes the Kaplan-Meier quantiles, given in ascending order, of the resample.
    fn quantiles(&self, multiplicities: &[u32], quantiles: &[Quantile], out: &mut [f64]) {
        let times = |duration: &Duration| u64::from(multiplicities[duration.cluster as usize]);
        let mut at_risk: u64 = self.durations.iter().map(times).sum();
        let mut survival = 1.0;
        let mut remaining = quantiles.iter().zip(out).peekable();
        for duration in &self.durations {
            let here = times(duration);
            if duration.ended && here > 0 {
                survival *= real(at_risk - here) / real(at_risk);
                while let Some((_, out)) = remaining
                    .next_if(|(quantile, _)| survival <= 1.0 - quantile.fraction() + ROUNDING)
                {
                    *out = duration.time;
                }
                if remaining.peek().is_none() {
                    return;
                }
            }
            at_risk -= here;
        }
        for (_, out) in remaining {
            *out = f64::INFINITY;
        }
    }
}

/// The ratio of each Kaplan-Meier quantile, candidate to baseline, in ascending order and each once,
/// clusters resampled; adjust the p-values as a family with [`holm`](crate::holm).
///
/// A ratio is an error below [`min_sample_size`] durations on either side, below 6 clusters (at 95 %),
/// where the baseline is not above zero, and [`BootstrapError::NotFinite`] where the quantile was
/// not reached, in the durations or in some resample. Takes one step per duration and resample.
pub fn censored_ratios(
    baseline: &CensoredSample,
    candidate: &CensoredSample,
    quantiles: &[Quantile],
    plan: &Bootstrap,
) -> Vec<QuantileRatio> {
    let freedom = baseline.freedom().min(candidate.freedom());
    let (mut left, mut right) = (plan.rng(0), plan.rng(1));
    ratios(baseline, candidate, freedom, quantiles, plan, |from, to| {
        baseline.draw_multiplicities(&mut left, from);
        candidate.draw_multiplicities(&mut right, to);
    })
}

/// The ratios, with `draw` writing the multiplicities of both sides' clusters in the next resample.
pub(super) fn ratios(
    baseline: &CensoredSample,
    candidate: &CensoredSample,
    freedom: DegreesOfFreedom,
    quantiles: &[Quantile],
    plan: &Bootstrap,
    mut draw: impl FnMut(&mut Vec<u32>, &mut Vec<u32>),
) -> Vec<QuantileRatio> {
    let mut ascending = quantiles.to_vec();
    ascending.sort_unstable();
    ascending.dedup();
    let pairs = plan.require_clusters(freedom).map(|()| {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        ResampledStatistics::draw(plan, ascending.len(), |from, to| {
            draw(&mut left, &mut right);
            baseline.quantiles(&left, &ascending, from);
            candidate.quantiles(&right, &ascending, to);
        })
    });
    let ratio = |index: usize, quantile: Quantile| {
        let n = baseline.size().min(candidate.size());
        let needs = min_sample_size(quantile, plan.confidence());
        if n < needs {
            return Err(BootstrapError::TooFewValues(TooFew { n, needs }));
        }
        let pairs = pairs.as_ref().map_err(|&error| error)?;
        let (from, to) = (baseline.point(quantile), candidate.point(quantile));
        if !from.is_finite() || !to.is_finite() || !pairs.all_finite(index) {
            return Err(BootstrapError::NotFinite);
        }
        pairs.ratio(index, from, to, freedom, plan)
    };
    let each = ascending.iter().enumerate();
    each.map(|(index, &quantile)| QuantileRatio { quantile, ratio: ratio(index, quantile) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::arms::Arms;
    use super::super::clusters::ClusteredSample;
    use super::*;
    use crate::{Confidence, Observation, SurvivalCurve};

    fn lognormal(seed: u64, n: u32) -> Vec<(u32, f64)> {
        let mut rng = StatsRng::new(seed, 7);
        (0..n).map(|index| (index / 5, (0.5 * rng.normal()).exp() * 240.0)).collect()
    }

    fn plan() -> Bootstrap {
        Bootstrap::new(1, 2_000, Confidence::PERCENT_95).unwrap()
    }

    const ASKED: [Quantile; 2] = [Quantile::P50, Quantile::P90];

    #[test]
    fn without_censoring_it_is_the_clustered_bootstrap() {
        let (from, to) = (lognormal(1, 200), lognormal(2, 200));
        let ended = |values: &[(u32, f64)]| {
            CensoredSample::new(values.iter().map(|&(key, value)| (key, value, true))).unwrap()
        };
        let clustered = |values: &[(u32, f64)]| ClusteredSample::new(values.to_vec()).unwrap();
        let (baseline, candidate) = (clustered(&from), clustered(&to));
        let arms = Arms::Clustered { baseline: &baseline, candidate: &candidate };
        let found = censored_ratios(&ended(&from), &ended(&to), &ASKED, &plan());
        assert_eq!(found, arms.quantile_ratios(&ASKED, &plan()));
    }

    #[test]
    fn points_are_those_of_the_survival_curve() {
        let cut = |value: f64| value.min(300.0);
        let values = lognormal(3, 400);
        let sample = CensoredSample::new(values.iter().map(|&(key, v)| (key, cut(v), v <= 300.0)));
        let curve = SurvivalCurve::new(values.iter().map(|&(_, v)| {
            (if v <= 300.0 { Observation::At(v) } else { Observation::After(300.0) }, 1)
        }));
        let (sample, curve) = (sample.unwrap(), curve.unwrap());
        assert!(sample.censored() > 50);
        for quantile in [Quantile::P50, Quantile::P95] {
            let theirs = curve.quantile(quantile, Confidence::PERCENT_95).point.reached();
            assert_eq!(sample.quantile(quantile), theirs);
        }
    }

    #[test]
    fn unreached_quantiles_have_no_ratio_and_dropping_censored_durations_hides_a_slower_candidate()
    {
        let values = lognormal(4, 400);
        let ended = CensoredSample::new(values.iter().map(|&(key, v)| (key, v, true))).unwrap();
        // The candidate takes twice as long, and is cut off at 400.
        let slow = || values.iter().map(|&(key, v)| (key, (2.0 * v).min(400.0), 2.0 * v <= 400.0));
        let candidate = CensoredSample::new(slow()).unwrap();
        let quarter = Quantile::from_fraction(0.25).unwrap();
        let found = censored_ratios(&ended, &candidate, &[quarter, Quantile::P95], &plan());
        let early = found[0].ratio.unwrap();
        assert!((early.point - 2.0).abs() < 1e-9, "{early:?}");
        assert_eq!(found[1].ratio, Err(BootstrapError::NotFinite));
        let kept = CensoredSample::new(slow().filter(|(.., ended)| *ended)).unwrap();
        let dropped = censored_ratios(&ended, &kept, &[Quantile::P50], &plan());
        assert!(dropped[0].ratio.unwrap().point < 1.4, "{dropped:?}");
    }
}
