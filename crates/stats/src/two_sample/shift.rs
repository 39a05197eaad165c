//! The Hodges-Lehmann shift: by how much one sample's values exceed the other's.

use super::super::confidence::Confidence;
use super::super::convert::{count, real, whole};
use super::super::interval::{Interval, TooFew};
use super::super::sample::Sample;
use super::rank_sum::{MAX_EXACT_PAIRS, rank_sum_probabilities};

/// A shift of the candidate against the baseline, in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The median of all differences `candidate - baseline`.
    pub estimate: f64,
    /// The confidence interval, where the samples are large enough for one.
    pub interval: Result<Interval, TooFew>,
}

/// The median of all differences `candidate - baseline`, with the interval that inverts the
/// Mann-Whitney test.
///
/// Differences are not stored: a binary search over floating-point numbers finds the one at a rank, in at most 64 passes
/// over both samples. The ranks of the ends are exact for up to 2,000 pairs, else from the normal approximation, which
/// is conservative where there are ties. At 95 % an interval needs 4 values a side, where the sides are equal.
/// Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., 4.2 and 4.3.
pub fn hodges_lehmann(baseline: &Sample, candidate: &Sample, confidence: Confidence) -> Shift {
    let differences = Differences { from: baseline.ascending(), to: candidate.ascending() };
    let (n, m) = (baseline.size(), candidate.size());
    let pairs = n * m;
    let lower = differences.at_rank(pairs.div_ceil(2));
    let upper = if pairs.is_multiple_of(2) { differences.at_rank(pairs / 2 + 1) } else { lower };
    let interval = match lower_rank(n, m, confidence.tail(), confidence.critical_value()) {
        0 => Err(TooFew { n: n.min(m), needs: fewest_per_side(n, m, confidence) }),
        rank => {
            Ok(Interval::between(differences.at_rank(rank), differences.at_rank(pairs + 1 - rank)))
        }
    };
    Shift { estimate: f64::midpoint(lower, upper), interval }
}

/// The greatest rank `r` for which `P(U < r)` stays within the tail; 0 when none does.
fn lower_rank(n: u64, m: u64, tail: f64, critical: f64) -> u64 {
    if n * m <= MAX_EXACT_PAIRS {
        let probabilities = rank_sum_probabilities(n, m);
        let mut sum = 0.0;
        let within = probabilities.iter().take_while(|&&probability| {
            sum += probability;
            sum <= tail
        });
        return count(within.count());
    }
    let deviation = (real(n * m) * real(n + m + 1) / 12.0).sqrt();
    whole(real(n * m) / 2.0 - critical * deviation)
}

/// How many values the smaller sample needs for an interval, with the larger one as it is or as large as it.
fn fewest_per_side(n: u64, m: u64, confidence: Confidence) -> u64 {
    let larger = n.max(m);
    let exists = |size: &u64| {
        lower_rank(*size, larger.max(*size), confidence.tail(), confidence.critical_value()) > 0
    };
    // 12 a side are enough for the strictest confidence.
    (n.min(m) + 1..=12).find(exists).unwrap_or(12)
}

/// All differences of two ascending lists, not stored.
struct Differences<'a> {
    from: &'a [f64],
    to: &'a [f64],
}

impl Differences<'_> {
    /// The difference at a rank counted from 1 in ascending order.
    fn at_rank(&self, rank: u64) -> f64 {
        let first = |values: &[f64]| values.first().copied().unwrap_or_default();
        let last = |values: &[f64]| values.last().copied().unwrap_or_default();
        let mut low = order_key(first(self.to) - last(self.from));
        let mut high = order_key(last(self.to) - first(self.from));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at_most(from_order_key(middle)) >= rank {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        from_order_key(low)
    }

    /// How many differences are at most `limit`. Subtraction rounds monotonically, so that the count for one value is a
    /// lower bound for the next.
    fn at_most(&self, limit: f64) -> u64 {
        let mut passed = 0;
        let mut total = 0;
        for from in self.from {
            passed += self.to[passed..].iter().take_while(|to| *to - from <= limit).count();
            total += count(passed);
        }
        total
    }
}

const SIGN: u64 = 1 << 63;

/// A whole number that orders as the finite floating-point numbers do.
fn order_key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn from_order_key(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    /// Hollander and Wolfe, examples 4.3 and 4.4: 0.305, and -0.15 to 0.76 at 96 %; the same from
    /// all differences sorted in numpy and the exact distribution of U at 95 %.
    #[test]
    fn the_shift_is_that_of_the_book() {
        let term = sample(&[0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]);
        let earlier = sample(&[1.15, 0.88, 0.90, 0.74, 1.21]);
        let shift = hodges_lehmann(&earlier, &term, Confidence::PERCENT_95);
        assert!((shift.estimate - 0.305).abs() < 1e-12, "{shift:?}");
        let interval = shift.interval.unwrap();
        assert!((interval.low() + 0.15).abs() < 1e-12, "{shift:?}");
        assert!((interval.high() - 0.76).abs() < 1e-12, "{shift:?}");
    }

    /// `numpy.sort` of all 75,000 differences, at rank 33,862 and its mirror.
    #[test]
    fn a_large_shift_is_that_of_all_differences() {
        let wave = |n: i32, speed: f64, shift: f64| {
            let values = (1..=n).map(|i| (f64::from(i) * speed).sin().powi(2) * 10.0 + shift);
            Sample::new(values.collect()).unwrap()
        };
        let shift =
            hodges_lehmann(&wave(300, 1.7, 0.0), &wave(250, 2.3, 0.8), Confidence::PERCENT_95);
        assert!((shift.estimate - 0.794_298_321_048_615).abs() < 1e-12, "{shift:?}");
        let interval = shift.interval.unwrap();
        assert!((interval.low() - 0.356_130_022_908_377_8).abs() < 1e-12, "{shift:?}");
        assert!((interval.high() - 1.225_841_555_381_714_8).abs() < 1e-12, "{shift:?}");
    }

    #[test]
    fn four_a_side_make_an_interval_and_three_do_not() {
        let side = |n: u32| sample(&(0..n).map(f64::from).collect::<Vec<f64>>());
        let usual = Confidence::PERCENT_95;
        assert!(hodges_lehmann(&side(4), &side(4), usual).interval.is_ok());
        let three = hodges_lehmann(&side(3), &side(3), usual);
        assert_eq!((three.estimate, three.interval), (0.0, Err(TooFew { n: 3, needs: 4 })));
        let one = hodges_lehmann(&side(1), &side(1000), usual);
        assert_eq!(one.interval.map(|interval| interval.contains(one.estimate)), Ok(true));
        assert_eq!(
            hodges_lehmann(&side(1), &side(1), usual).interval,
            Err(TooFew { n: 1, needs: 4 })
        );
    }

    #[test]
    fn identical_values_do_not_shift() {
        let same = sample(&[2.5; 100]);
        let shift = hodges_lehmann(&same, &same, Confidence::PERCENT_95);
        assert_eq!((shift.estimate, shift.interval.ok()), (0.0, Interval::new(0.0, 0.0)));
    }

    #[test]
    fn keys_order_as_numbers_do() {
        let ascending = [-1e100, -2.0, -1.0, -1e-300, 0.0, 1e-300, 1.0, 2.0, 1e100];
        assert!(ascending.map(order_key).is_sorted());
        assert_eq!(order_key(-0.0), order_key(0.0));
        assert!(
            ascending
                .iter()
                .all(|&value| from_order_key(order_key(value)).total_cmp(&value).is_eq())
        );
    }

    proptest::proptest! {
        #[test]
        fn any_rank_is_that_of_the_sorted_differences(
            from in proptest::collection::vec(-50_i32..50, 1..20),
            to in proptest::collection::vec(-50_i32..50, 1..20),
        ) {
            let sorted = |values: &[i32]| {
                sample(&values.iter().map(|&v| f64::from(v) / 8.0).collect::<Vec<f64>>())
            };
            let (from, to) = (sorted(&from), sorted(&to));
            let all = to.ascending().iter().flat_map(|b| from.ascending().iter().map(move |a| b - a));
            let all = sample(&all.collect::<Vec<f64>>());
            let differences = Differences { from: from.ascending(), to: to.ascending() };
            for (rank, expected) in (1..).zip(all.ascending()) {
                proptest::prop_assert!((differences.at_rank(rank) - expected).abs() < 1e-12);
            }
        }
    }
}
