//! Runs in pairs, such as the same task by voice and by chat: the mean difference and the ratio of the means.

use std::collections::BTreeMap;

use super::super::convert::{count, real};
use super::super::interval::Estimate;
use super::super::sample::{SampleError, normalised};
use super::arms::{Arms, Ratio};
use super::clusters::{ClusteredSample, PairedSample};
use super::plan::{Bootstrap, BootstrapError};

/// Values in pairs, each pair of a stratum, such as a scenario, and of a block of neighbours in time.
///
/// Blocks are resampled whole, whatever strata they hold, because a bad minute affects all pairs in it. The shares
/// of the strata count as fixed: differences between strata do not widen the interval. In a stratum of n pairs the
/// deviations are multiplied by `sqrt(n / (n - 1))`, because its mean comes from the same pairs; a stratum of one
/// pair keeps its whole difference from the others.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedRuns {
    blocks: Vec<usize>,
    baseline: Vec<f64>,
    candidate: Vec<f64>,
    difference: Vec<f64>,
}

impl PairedRuns {
    /// Pairs as stratum, block, baseline and candidate.
    ///
    /// # Errors
    /// [`SampleError`] for none, or for a value that is not finite.
    pub fn new<S: Ord>(
        pairs: impl IntoIterator<Item = (S, usize, f64, f64)>,
    ) -> Result<Self, SampleError> {
        let mut blocks = Vec::new();
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        let mut numbers: BTreeMap<S, Vec<usize>> = BTreeMap::new();
        for (index, (stratum, block, from, to)) in pairs.into_iter().enumerate() {
            numbers.entry(stratum).or_default().push(index);
            blocks.push(block);
            baseline.push(from);
            candidate.push(to);
        }
        let strata: Vec<Vec<usize>> = numbers.into_values().collect();
        if blocks.is_empty() {
            return Err(SampleError::Empty);
        }
        let not_finite = |value: &f64| normalised(*value).is_none();
        let both = [&baseline, &candidate];
        if let Some(index) = both.iter().find_map(|side| side.iter().position(not_finite)) {
            return Err(SampleError::NotFinite { index });
        }
        let difference: Vec<f64> =
            candidate.iter().zip(&baseline).map(|(to, from)| to - from).collect();
        Ok(Self {
            baseline: centred(&baseline, &strata),
            candidate: centred(&candidate, &strata),
            difference: centred(&difference, &strata),
            blocks,
        })
    }

    /// How many pairs there are.
    pub fn pairs(&self) -> u64 {
        count(self.blocks.len())
    }

    /// The mean of `candidate - baseline`.
    ///
    /// # Errors
    /// [`BootstrapError`] below 6 blocks (at 95 %).
    pub fn mean_difference(&self, plan: &Bootstrap) -> Result<Estimate, BootstrapError> {
        self.clustered(&self.difference)?.mean_estimate(plan)
    }

    /// The mean of the candidate as a multiple of the mean of the baseline.
    ///
    /// # Errors
    /// [`BootstrapError`] below 6 blocks (at 95 %), or where the baseline is not above zero.
    pub fn mean_ratio(&self, plan: &Bootstrap) -> Result<Ratio, BootstrapError> {
        let keyed = |values: &[f64]| -> Vec<(usize, f64)> {
            self.blocks.iter().copied().zip(values.iter().copied()).collect()
        };
        let sides = PairedSample::new(keyed(&self.baseline), keyed(&self.candidate))
            .map_err(|_| BootstrapError::NotFinite)?;
        Arms::Paired(&sides).mean_ratio(plan)
    }

    fn clustered(&self, values: &[f64]) -> Result<ClusteredSample, BootstrapError> {
        let keyed = self.blocks.iter().copied().zip(values.iter().copied());
        ClusteredSample::new(keyed).map_err(|_| BootstrapError::NotFinite)
    }
}

/// Values minus the mean of their stratum, plus the mean of all.
fn centred(values: &[f64], strata: &[Vec<usize>]) -> Vec<f64> {
    let mean =
        |of: &mut dyn Iterator<Item = f64>, n: usize| of.sum::<f64>() / real(count(n).max(1));
    let all = mean(&mut values.iter().copied(), values.len());
    let mut centred = values.to_vec();
    for stratum in strata.iter().filter(|stratum| stratum.len() > 1) {
        let n = real(count(stratum.len()));
        let own = mean(&mut stratum.iter().map(|index| values[*index]), stratum.len());
        let correction = (n / (n - 1.0)).sqrt();
        for index in stratum {
            centred[*index] = all + (values[*index] - own) * correction;
        }
    }
    // Pairs alone in their stratum keep their values, which moves the mean of all: the difference is subtracted.
    let excess = mean(&mut centred.iter().copied(), centred.len()) - all;
    for value in &mut centred {
        *value -= excess;
    }
    centred
}

#[cfg(test)]
mod tests {
    use super::super::super::confidence::Confidence;
    use super::*;

    fn plan() -> Bootstrap {
        Bootstrap::new(5, 999, Confidence::PERCENT_95).unwrap()
    }

    fn noise(n: usize) -> f64 {
        ((n * 7919 + 13) % 101) as f64 / 101.0
    }

    #[test]
    fn the_point_is_the_plain_mean_whatever_the_strata_are() {
        let pairs = |strata: usize| {
            (0..40).map(move |n| {
                let length = 10.0 + 5.0 * (n % strata) as f64;
                (n % strata, n / 4, length + noise(n), 1.5 * length + noise(n + 50))
            })
        };
        for strata in [1, 3, 39, 40] {
            let plain: f64 = pairs(strata).map(|(.., from, to)| to - from).sum::<f64>() / 40.0;
            let runs = PairedRuns::new(pairs(strata)).unwrap();
            assert_eq!(runs.pairs(), 40);
            let found = runs.mean_difference(&plan()).unwrap();
            assert!((found.point - plain).abs() < 1e-9, "{strata} strata: {found:?} {plain}");
            let (from, to) =
                pairs(strata).fold((0.0, 0.0), |sum, (.., a, b)| (sum.0 + a, sum.1 + b));
            let ratio = runs.mean_ratio(&plan()).unwrap();
            assert!((ratio.point - to / from).abs() < 1e-9, "{ratio:?}");
        }
    }

    #[test]
    fn common_effects_of_pairs_or_strata_do_not_widen_the_interval() {
        let pairs = |stratum: fn(usize) -> usize| {
            (0..60).map(move |n| {
                let length = 100.0 * (n % 6) as f64;
                (stratum(n), n / 2, length + noise(n), 2.0 * length + noise(n + 50))
            })
        };
        let width = |stratum| {
            let runs = PairedRuns::new(pairs(stratum)).unwrap();
            runs.mean_difference(&plan()).unwrap().interval.width()
        };
        let (known, unknown) = (width(|n| n % 6), width(|_| 0));
        assert!(known < 1.0 && unknown > 20.0 * known, "{known} {unknown}");
    }

    #[test]
    fn too_few_blocks_and_a_zero_baseline_are_errors() {
        assert_eq!(PairedRuns::new(Vec::<(u8, usize, f64, f64)>::new()), Err(SampleError::Empty));
        let few = PairedRuns::new((0..5).map(|n| ((), n, 1.0, 2.0))).unwrap();
        assert!(matches!(few.mean_difference(&plan()), Err(BootstrapError::TooFewClusters(_))));
        let zero = PairedRuns::new((0..9).map(|n| ((), n, 0.0, 2.0))).unwrap();
        assert_eq!(zero.mean_ratio(&plan()), Err(BootstrapError::ZeroBaseline));
        assert!(zero.mean_difference(&plan()).is_ok());
    }
}
