//! Distribution-free confidence intervals for quantiles, and the sample size that they need.

use super::confidence::Confidence;
use super::convert::{count, real, whole};
use super::interval::TooFew;
use super::quantile::Quantile;

/// The ranks, counted from 1, of the two ordered values that are the ends of a quantile's interval. They serve a sorted
/// slice and a histogram alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankInterval {
    /// The rank of the lower end.
    pub low: u64,
    /// The rank of the upper end.
    pub high: u64,
    /// The exact probability, for a continuous distribution, that the quantile lies between the ends; never below the
    /// requested confidence.
    pub coverage: f64,
}

/// The narrowest ranks with at most half of the error probability in each tail.
///
/// The number of values at or below the true quantile is binomial (n, q), whatever the
/// distribution; the lower rank is the greatest `l` with `P(B < l) <= tail`, the upper the smallest
/// `u` with `P(B >= u) <= tail`. With ties the coverage only grows.
/// Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed., section 7.1.
///
/// # Errors
/// [`TooFew`] where an end would lie beyond the smallest or greatest value.
pub fn rank_interval(
    quantile: Quantile,
    n: u64,
    confidence: Confidence,
) -> Result<RankInterval, TooFew> {
    let needs = min_sample_size(quantile, confidence);
    if n < needs {
        return Err(TooFew { n, needs });
    }
    let q = quantile.fraction();
    if real(n) * q * (1.0 - q) > MAX_SUMMED_VARIANCE {
        return Ok(normal_ranks(quantile, n, confidence));
    }
    Ok(BinomialWeights::new(quantile, n).equal_tailed_ranks(confidence.tail()))
}

/// Above it (some 10^9 values) the normal approximation is as good and needs no memory.
const MAX_SUMMED_VARIANCE: f64 = 1e9;

fn normal_ranks(quantile: Quantile, n: u64, confidence: Confidence) -> RankInterval {
    let q = quantile.fraction();
    let reach = confidence.critical_value() * (real(n) * q * (1.0 - q)).sqrt();
    let middle = real(n) * q;
    let low = whole((middle - reach).floor()).clamp(1, n);
    let high = whole((middle + reach).ceil()).saturating_add(1).min(n);
    RankInterval { low, high, coverage: confidence.fraction() }
}

/// Binomial probabilities of how many of `n` values lie at or below the true quantile, relative to the mode's, for all
/// counts that matter.
///
/// They are multiplied outward from the mode, about nine standard deviations each way: the continued fraction of the
/// incomplete beta function needs about as many terms, and libraries truncate it.
struct BinomialWeights {
    n: u64,
    first: u64,
    weights: Vec<f64>,
}

/// Weights this small, even all together, cannot move a rank.
const NEGLIGIBLE: f64 = 1e-20;

impl BinomialWeights {
    fn new(quantile: Quantile, n: u64) -> Self {
        let q = quantile.fraction();
        let odds = q / (1.0 - q);
        let mode = quantile.rank(n).unwrap_or(0);
        let mut weights = Vec::new();
        let (mut at, mut weight) = (mode, 1.0);
        while weight > NEGLIGIBLE {
            weights.push(weight);
            if at == 0 {
                break;
            }
            weight *= real(at) / (real(n - at + 1) * odds);
            at -= 1;
        }
        weights.reverse();
        let first = mode + 1 - count(weights.len());
        (at, weight) = (mode, 1.0);
        while at < n {
            weight *= real(n - at) * odds / real(at + 1);
            at += 1;
            if weight <= NEGLIGIBLE {
                break;
            }
            weights.push(weight);
        }
        Self { n, first, weights }
    }

    fn equal_tailed_ranks(&self, tail: f64) -> RankInterval {
        let total: f64 = self.weights.iter().sum();
        let within = |weights: &mut dyn Iterator<Item = &f64>| {
            let mut sum = 0.0;
            let kept = weights.take_while(|&&weight| {
                sum += weight;
                sum <= tail * total
            });
            kept.count()
        };
        let below = within(&mut self.weights.iter());
        let above = within(&mut self.weights.iter().rev());
        let middle = &self.weights[below..self.weights.len() - above];
        let low = self.first + count(below);
        RankInterval {
            low: low.max(1),
            high: (low + count(middle.len())).min(self.n),
            coverage: (middle.iter().sum::<f64>() / total).min(1.0),
        }
    }
}

/// The fewest values for which [`rank_interval`] gives a finite interval: the probability that all values lie on the
/// same side of the quantile must be at most half of the error probability, for each side.
///
/// At 95 %: p50 6, p75 13, p90 36, p95 72, p99 368, p99.9 3,688.
pub fn min_sample_size(quantile: Quantile, confidence: Confidence) -> u64 {
    let q = quantile.fraction();
    let farther = q.max(1.0 - q);
    let exact = confidence.tail().ln() / farther.ln();
    // Rounding must not lift a whole number to the next.
    whole((exact - 1e-9).ceil()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_sizes_agree_with_the_tables() {
        for (quantile, n) in [
            (Quantile::P50, 6),
            (Quantile::P75, 13),
            (Quantile::P90, 36),
            (Quantile::P95, 72),
            (Quantile::P99, 368),
            (Quantile::P99_9, 3688),
        ] {
            let confidence = Confidence::PERCENT_95;
            assert_eq!(min_sample_size(quantile, confidence), n, "{quantile}");
            assert!(rank_interval(quantile, n, confidence).is_ok(), "{quantile}");
            assert_eq!(
                rank_interval(quantile, n - 1, confidence),
                Err(TooFew { n: n - 1, needs: n }),
            );
        }
        assert_eq!(
            rank_interval(Quantile::P50, 0, Confidence::PERCENT_95),
            Err(TooFew { n: 0, needs: 6 })
        );
    }

    /// `scipy.stats.binom`: greatest `l` with `cdf(l - 1) <= tail`, smallest `u` with
    /// `sf(u - 1) <= tail`, and `cdf(u - 1) - cdf(l - 1)`. Ranks 40 and 61 of 100 are also those of
    /// Campbell and Gardner, British Medical Journal 296 (1988), 1454.
    #[test]
    fn ranks_agree_with_scipy() {
        let (usual, strict) = (Confidence::PERCENT_95, Confidence::PERCENT_99);
        for (quantile, n, confidence, low, high, coverage) in [
            (Quantile::P50, 6, usual, 1, 6, 0.96875),
            (Quantile::P50, 100, usual, 40, 61, 0.964_799_799_782_295_2),
            (Quantile::P95, 72, usual, 64, 72, 0.965_490_047_908_373_9),
            (Quantile::P95, 200, usual, 184, 197, 0.967_152_163_856_725_6),
            (Quantile::P99, 1000, usual, 983, 997, 0.976_094_763_497_977),
            (Quantile::P50, 1000, strict, 459, 542, 0.991_360_050_997_739_4),
            (Quantile::P99_9, 3688, usual, 3680, 3688, 0.961_623_751_803_427_2),
            (Quantile::P95, 100_000, usual, 94_864, 95_136, 0.951_540_724_083_229_3),
        ] {
            let ranks = rank_interval(quantile, n, confidence).unwrap();
            assert_eq!((ranks.low, ranks.high), (low, high), "{quantile} of {n}");
            assert!((ranks.coverage - coverage).abs() < 1e-10, "{quantile} of {n}: {ranks:?}");
        }
    }

    #[test]
    fn huge_samples_need_no_memory() {
        let n = 1_000_000_000;
        let summed = rank_interval(Quantile::P50, n, Confidence::PERCENT_95).unwrap();
        let approximate = normal_ranks(Quantile::P50, n, Confidence::PERCENT_95);
        assert!(summed.low.abs_diff(approximate.low) < 3, "{summed:?} {approximate:?}");
        assert!(summed.high.abs_diff(approximate.high) < 3, "{summed:?} {approximate:?}");
        let all = rank_interval(Quantile::P99_9, u64::MAX, Confidence::PERCENT_95).unwrap();
        assert!(all.low < all.high && all.low > u64::MAX / 1000 * 998, "{all:?}");
    }

    proptest::proptest! {
        #[test]
        fn the_ranks_hold_the_point_estimate_and_the_confidence(
            millionths in 1_u32..1_000_000,
            n in 1_u64..20_000,
            level in 0.5_f64..0.999,
        ) {
            let quantile = Quantile::from_fraction(f64::from(millionths) / 1e6).unwrap();
            let confidence = Confidence::from_fraction(level).unwrap();
            match rank_interval(quantile, n, confidence) {
                Ok(ranks) => {
                    let point = quantile.rank(n).unwrap();
                    proptest::prop_assert!(1 <= ranks.low && ranks.high <= n);
                    proptest::prop_assert!(ranks.low <= point && point <= ranks.high);
                    proptest::prop_assert!(ranks.coverage >= level - 1e-9);
                }
                Err(TooFew { needs, .. }) => proptest::prop_assert!(n < needs),
            }
        }
    }
}
