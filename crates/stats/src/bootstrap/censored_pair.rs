//! Censored durations of two arms with common clusters, such as two kinds of run in the same minutes.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::convert::count;
use super::super::quantile::Quantile;
use super::super::sample::{SampleError, normalised};
use super::arms::QuantileRatio;
use super::censored::{CensoredSample, ratios};
use super::percentile::DegreesOfFreedom;
use super::plan::Bootstrap;

/// Two arms with common clusters: one draw decides for both, so that common effects cancel.
///
/// Clusters of both arms, of the baseline alone and of the candidate alone form three strata, so that no resample
/// leaves an arm without durations.
#[derive(Debug, Clone, PartialEq)]
pub struct CensoredPair {
    baseline: CensoredSample,
    candidate: CensoredSample,
    strata: Vec<Range<usize>>,
    freedom: DegreesOfFreedom,
}

/// The durations of one cluster, each with whether it ended.
type Durations = Vec<(f64, bool)>;

impl CensoredPair {
    /// Durations as cluster, time, and whether they ended at that time rather than being censored.
    ///
    /// # Errors
    /// [`SampleError`] where an arm has none, or for a time that is not finite.
    pub fn new<K: Ord>(
        baseline: impl IntoIterator<Item = (K, f64, bool)>,
        candidate: impl IntoIterator<Item = (K, f64, bool)>,
    ) -> Result<Self, SampleError> {
        let mut shared: BTreeMap<K, (Durations, Durations)> = BTreeMap::new();
        for (index, (cluster, time, ended)) in baseline.into_iter().enumerate() {
            let time = normalised(time).ok_or(SampleError::NotFinite { index })?;
            shared.entry(cluster).or_default().0.push((time, ended));
        }
        for (index, (cluster, time, ended)) in candidate.into_iter().enumerate() {
            let time = normalised(time).ok_or(SampleError::NotFinite { index })?;
            shared.entry(cluster).or_default().1.push((time, ended));
        }
        let mut clusters: Vec<(Durations, Durations)> = shared.into_values().collect();
        let present = |(from, to): &(Durations, Durations)| (!from.is_empty(), !to.is_empty());
        clusters.sort_by_key(present);
        let mut strata = Vec::new();
        let (mut of_baseline, mut of_candidate) =
            (PresentClusters::default(), PresentClusters::default());
        for stratum in clusters.chunk_by(|one, other| present(one) == present(other)) {
            let begin = strata.last().map_or(0, |last: &Range<usize>| last.end);
            strata.push(begin..begin + stratum.len());
            let (in_baseline, in_candidate) = present(&stratum[0]);
            of_baseline.add(stratum.len(), in_baseline);
            of_candidate.add(stratum.len(), in_candidate);
        }
        let (from, to) = clusters.into_iter().unzip();
        Ok(Self {
            baseline: CensoredSample::from_groups(from)?,
            candidate: CensoredSample::from_groups(to)?,
            strata,
            freedom: of_baseline.freedom().min(of_candidate.freedom()),
        })
    }

    /// The ratio of each Kaplan-Meier quantile, as in [`censored_ratios`](crate::censored_ratios), with both arms in
    /// the same resamples.
    pub fn quantile_ratios(&self, quantiles: &[Quantile], plan: &Bootstrap) -> Vec<QuantileRatio> {
        let mut rng = plan.rng(0);
        let clusters = self.strata.last().map_or(0, |last| last.end);
        ratios(&self.baseline, &self.candidate, self.freedom, quantiles, plan, |from, to| {
            from.clear();
            from.resize(clusters, 0);
            for stratum in &self.strata {
                for _ in stratum.clone() {
                    from[stratum.start + rng.index(stratum.len())] += 1;
                }
            }
            to.clone_from(from);
        })
    }
}

/// The clusters and strata in which one arm has durations.
#[derive(Debug, Clone, Copy, Default)]
struct PresentClusters {
    clusters: u64,
    strata: u64,
}

impl PresentClusters {
    fn add(&mut self, clusters: usize, present: bool) {
        if present {
            self.clusters += count(clusters);
            self.strata += 1;
        }
    }

    fn freedom(self) -> DegreesOfFreedom {
        DegreesOfFreedom {
            units: self.clusters,
            degrees: self.clusters.saturating_sub(self.strata),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::rng::StatsRng;
    use super::super::censored::censored_ratios;
    use super::super::plan::BootstrapError;
    use super::*;
    use crate::Confidence;

    /// Durations of clusters that are slow or fast as a whole, with little variation within.
    fn clustered(seed: u64, factor: f64, clusters: std::ops::Range<u32>) -> Vec<(u32, f64, bool)> {
        let mut rng = StatsRng::new(seed, 3);
        let each = clusters.flat_map(|cluster| (0..20).map(move |_| cluster));
        each.map(|cluster| {
            let shock = f64::from(cluster * 7919 % 13) / 6.0;
            (cluster, factor * 100.0 * (shock + 0.1 * rng.normal()).exp(), true)
        })
        .collect()
    }

    fn plan() -> Bootstrap {
        Bootstrap::new(1, 2_000, Confidence::PERCENT_95).unwrap()
    }

    #[test]
    fn common_effects_of_clusters_cancel() {
        let (from, to) = (clustered(1, 1.0, 0..40), clustered(2, 1.2, 0..40));
        let pair = CensoredPair::new(from.clone(), to.clone()).unwrap();
        let paired = pair.quantile_ratios(&[Quantile::P50], &plan())[0].ratio.unwrap();
        let side = |values| CensoredSample::new(values).unwrap();
        let (from, to) = (side(from), side(to));
        let apart = censored_ratios(&from, &to, &[Quantile::P50], &plan())[0].ratio.unwrap();
        assert!((paired.point - apart.point).abs() < f64::EPSILON);
        assert!(paired.interval.width() < apart.interval.width() / 2.0, "{paired:?} {apart:?}");
        assert!(paired.interval.low() > 1.0 && apart.interval.low() < 1.0);
    }

    #[test]
    fn clusters_of_one_arm_alone_never_leave_the_other_empty_and_too_few_are_an_error() {
        let (from, to) = (clustered(1, 1.0, 0..100), clustered(2, 2.0, 93..107));
        let pair = CensoredPair::new(from.clone(), to).unwrap();
        assert_eq!(pair.strata, [0..7, 7..100, 100..107]);
        assert_eq!((pair.freedom.units, pair.freedom.degrees), (14, 12));
        assert!(pair.quantile_ratios(&[Quantile::P50], &plan())[0].ratio.is_ok());
        let few = CensoredPair::new(from.clone(), clustered(2, 2.0, 0..3)).unwrap();
        let ratio = few.quantile_ratios(&[Quantile::P50], &plan())[0].ratio;
        assert!(matches!(ratio, Err(BootstrapError::TooFewClusters(_))), "{ratio:?}");
        assert_eq!(CensoredPair::new(from, []), Err(SampleError::Empty));
    }
}
