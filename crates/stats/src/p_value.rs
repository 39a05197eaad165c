//! [`PValue`], and the adjustment of several of them.

use super::convert::{count, real};

/// The probability of a result at least as extreme if there were no difference; from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct PValue(f64);

impl PValue {
    /// No evidence of a difference.
    pub const ONE: Self = Self(1.0);

    /// A probability; `None` outside 0 to 1.
    pub fn new(probability: f64) -> Option<Self> {
        (0.0..=1.0).contains(&probability).then_some(Self(probability))
    }

    /// That so many of the resamples of a null hypothesis, and the sample itself, are as clear as the sample
    /// (B. Phipson and G. K. Smyth, Statistical Applications in Genetics and Molecular Biology 9 (2010), 39).
    pub(super) fn of_resamples(as_clear: usize, resamples: u32) -> Self {
        Self::clamped(real(count(as_clear) + 1) / real(u64::from(resamples) + 1))
    }

    /// A probability clamped to 0 to 1, outside of which rounding may have moved it.
    pub(super) fn clamped(probability: f64) -> Self {
        debug_assert!(!probability.is_nan(), "a probability is a number");
        Self(probability.clamp(0.0, 1.0))
    }

    /// The probability.
    pub const fn probability(self) -> f64 {
        self.0
    }

    /// Whether it is at or below a level such as 0.05.
    pub fn is_significant_at(self, level: f64) -> bool {
        self.0 <= level
    }
}

/// Holm's adjustment of a family of p-values, in the order given: compared with a level, the adjusted values keep the
/// probability of any false alarm at that level, whatever their dependence.
///
/// Source: S. Holm, Scandinavian Journal of Statistics 6 (1979), 65-70.
pub fn holm(family: &[PValue]) -> Vec<PValue> {
    let mut order: Vec<usize> = (0..family.len()).collect();
    order.sort_by(|&one, &other| family[one].0.total_cmp(&family[other].0));
    let mut adjusted = family.to_vec();
    let mut greatest = 0.0_f64;
    for (smaller, &index) in order.iter().enumerate() {
        let remaining = (family.len() - smaller) as f64;
        greatest = greatest.max(family[index].0 * remaining);
        adjusted[index] = PValue::clamped(greatest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(probabilities: &[f64]) -> Vec<PValue> {
        probabilities.iter().map(|&p| PValue::new(p).unwrap()).collect()
    }

    /// `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")` in R.
    #[test]
    fn adjusted_values_are_those_of_r() {
        let adjusted = holm(&family(&[0.01, 0.04, 0.03, 0.005]));
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found.probability() - expected).abs() < 1e-12, "{adjusted:?}");
        }
    }

    #[test]
    fn edges_stay_probabilities() {
        assert_eq!(holm(&[]), []);
        assert_eq!(holm(&[PValue::ONE]), [PValue::ONE]);
        assert_eq!(holm(&family(&[0.9, 0.8])), [PValue::ONE, PValue::ONE]);
        for probability in [-0.1, 1.1, f64::NAN] {
            assert_eq!(PValue::new(probability), None, "{probability}");
        }
        assert!(PValue::clamped(0.05).is_significant_at(0.05));
        assert!(!PValue::clamped(0.051).is_significant_at(0.05));
    }
}
