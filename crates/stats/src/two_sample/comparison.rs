//! [`TwoSampleComparison`]: all comparisons of two samples together.

use super::super::confidence::Confidence;
use super::super::sample::Sample;
use super::dominance::Dominance;
use super::kolmogorov_smirnov_test::{KolmogorovSmirnov, kolmogorov_smirnov};
use super::rank_sum::{MannWhitney, mann_whitney};
use super::shift::{Shift, hodges_lehmann};

/// Every nonparametric comparison of a candidate with its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSampleComparison {
    /// How often the candidate's values are greater.
    pub dominance: Dominance,
    /// The test of that.
    pub mann_whitney: MannWhitney,
    /// By how much they are greater.
    pub shift: Shift,
    /// Whether the distributions differ in any way.
    pub kolmogorov_smirnov: KolmogorovSmirnov,
}

impl TwoSampleComparison {
    /// Compares independent values; for values that depend on their neighbours the p-values are too
    /// small.
    pub fn of(baseline: &Sample, candidate: &Sample, confidence: Confidence) -> Self {
        Self {
            dominance: Dominance::of(baseline, candidate),
            mann_whitney: mann_whitney(baseline, candidate),
            shift: hodges_lehmann(baseline, candidate, confidence),
            kolmogorov_smirnov: kolmogorov_smirnov(baseline, candidate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_point_the_same_way() {
        let from = Sample::new((0..100).map(f64::from).collect()).unwrap();
        let to = Sample::new((0..100).map(|i| f64::from(i) + 30.0).collect()).unwrap();
        let comparison = TwoSampleComparison::of(&from, &to, Confidence::PERCENT_95);
        assert!(comparison.dominance.cliffs_delta() > 0.3);
        assert!(comparison.mann_whitney.p_value.is_significant_at(0.001));
        assert!((comparison.shift.estimate - 30.0).abs() < 1e-12);
        assert!(comparison.shift.interval.unwrap().is_above(15.0));
        assert!((comparison.kolmogorov_smirnov.distance - 0.3).abs() < 1e-12);
    }
}
