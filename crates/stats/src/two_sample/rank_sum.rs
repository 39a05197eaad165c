//! The Mann-Whitney test: does one sample tend to greater values than the other?

use super::super::convert::{count, index_below, real};
use super::super::normal;
use super::super::p_value::PValue;
use super::super::sample::Sample;
use super::dominance::Dominance;

/// Up to this many pairs the distribution of U is exact.
pub(super) const MAX_EXACT_PAIRS: u64 = 2_000;

/// How a p-value was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PValueMethod {
    /// From the exact distribution.
    Exact,
    /// From the distribution for large samples.
    Asymptotic,
}

/// The result of a two-sided Mann-Whitney test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// U of the candidate: pairs in which it is greater, ties counted half.
    pub u: f64,
    /// The probability of a U at least this far from half of all pairs if the samples did not differ.
    pub p_value: PValue,
    /// How the p-value was computed.
    pub method: PValueMethod,
}

/// The two-sided Mann-Whitney test, in one pass over both samples.
///
/// Exact for up to 2,000 pairs without ties; otherwise by the normal approximation with correction
/// for ties and continuity. When all values are equal the p-value is 1.
/// Source: M. Hollander, D. A. Wolfe and E. Chicken, Nonparametric Statistical Methods, 3rd ed.,
/// section 4.1.
pub fn mann_whitney(baseline: &Sample, candidate: &Sample) -> MannWhitney {
    let u = Dominance::of(baseline, candidate).u_statistic();
    let (n, m) = (baseline.size(), candidate.size());
    let ties = tie_term(baseline.ascending(), candidate.ascending());
    let half = real(n * m) / 2.0;
    if n * m <= MAX_EXACT_PAIRS && ties <= 0.0 {
        let probabilities = rank_sum_probabilities(n, m);
        let farther = index_below(half + (u - half).abs(), probabilities.len());
        let tail: f64 = probabilities[farther..].iter().sum();
        return MannWhitney {
            u,
            p_value: PValue::clamped(2.0 * tail),
            method: PValueMethod::Exact,
        };
    }
    let all = real(n + m);
    let variance = real(n * m) / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    let distance = ((u - half).abs() - 0.5).max(0.0);
    let p_value = if variance > 0.0 {
        PValue::clamped(2.0 * normal::cumulative(-distance / variance.sqrt()))
    } else {
        PValue::ONE
    };
    MannWhitney { u, p_value, method: PValueMethod::Asymptotic }
}

/// The sum of `t^3 - t` over all groups of `t` equal values in both samples; 0 without ties.
fn tie_term(one: &[f64], other: &[f64]) -> f64 {
    let (mut left, mut right) = (one, other);
    let mut sum = 0.0;
    while let Some(&value) = match (left.first(), right.first()) {
        (Some(a), Some(b)) => Some(if a <= b { a } else { b }),
        (one, other) => one.or(other),
    } {
        let equal_left = left.iter().take_while(|other| **other <= value).count();
        let equal_right = right.iter().take_while(|other| **other <= value).count();
        let group = real(count(equal_left + equal_right));
        sum += group * group * group - group;
        left = &left[equal_left..];
        right = &right[equal_right..];
    }
    sum
}

/// The probability of each value of U, from 0 to `n m`, where the samples do not differ and no values are equal.
///
/// The greatest of all values belongs to the first sample with probability `n / (n + m)`, and then
/// contributes `m` to U; the rest is the same problem with one value fewer. Takes `O(n^2 m^2)` time.
pub(super) fn rank_sum_probabilities(n: u64, m: u64) -> Vec<f64> {
    let length = |first: u64, second: u64| index_below(real(first * second), usize::MAX) + 1;
    let mut rows: Vec<Vec<f64>> = (0..=n).map(|_| vec![1.0]).collect();
    for second in 1..=m {
        let step = length(second, 1) - 1;
        for (index, first) in (1..=n).enumerate() {
            let mine = real(first) / real(first + second);
            let fewer = &rows[index];
            let shorter = &rows[index + 1];
            let mut probabilities = vec![0.0; length(first, second)];
            for (u, probability) in fewer.iter().enumerate() {
                probabilities[u + step] += mine * probability;
            }
            for (u, probability) in shorter.iter().enumerate() {
                probabilities[u] += (1.0 - mine) * probability;
            }
            rows[index + 1] = probabilities;
        }
    }
    rows.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    /// Permeability of the chorioamnion at term and earlier: Hollander and Wolfe, example 4.1, where
    /// U is 35 and the one-sided p-value 0.127; `scipy.stats.mannwhitneyu(method="exact")` gives
    /// 0.254 412 two-sided.
    #[test]
    fn an_exact_test_is_that_of_the_book() {
        let term = sample(&[0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]);
        let earlier = sample(&[1.15, 0.88, 0.90, 0.74, 1.21]);
        let test = mann_whitney(&earlier, &term);
        assert!((test.u - 35.0).abs() < 1e-12, "{test:?}");
        assert!((test.p_value.probability() - 0.254_412_254_412_254_4).abs() < 1e-12, "{test:?}");
        assert_eq!(test.method, PValueMethod::Exact);
        let mirrored = mann_whitney(&term, &earlier);
        assert!((mirrored.u - 15.0).abs() < 1e-12, "{mirrored:?}");
        assert!((mirrored.p_value.probability() - test.p_value.probability()).abs() < 1e-12);
    }

    /// `scipy.stats.mannwhitneyu(candidate, baseline, method="asymptotic")`.
    #[test]
    fn large_and_tied_samples_agree_with_scipy() {
        let tied = mann_whitney(
            &sample(&[1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 5.0, 6.0, 6.0, 7.0]),
            &sample(&[2.0, 3.0, 4.0, 4.0, 5.0, 6.0, 7.0, 7.0, 8.0, 9.0, 9.0, 10.0, 10.0]),
        );
        assert!((tied.u - 112.0).abs() < 1e-12, "{tied:?}");
        assert!((tied.p_value.probability() - 0.019_689_564_758_249_15).abs() < 1e-10, "{tied:?}");
        let wave = |n: i32, speed: f64, shift: f64| {
            let values = (1..=n).map(|i| (f64::from(i) * speed).sin().powi(2) * 10.0 + shift);
            Sample::new(values.collect()).unwrap()
        };
        let large = mann_whitney(&wave(300, 1.7, 0.0), &wave(250, 2.3, 0.8));
        assert!((large.u - 43_415.0).abs() < 1e-12, "{large:?}");
        assert!((large.p_value.probability() / 0.001_436_832_428_657_924 - 1.0).abs() < 1e-8);
        assert_eq!(large.method, PValueMethod::Asymptotic);
    }

    #[test]
    fn the_approximation_meets_the_exact_test() {
        let baseline: Vec<f64> = (0..40).map(|i| f64::from(i) * 1.01).collect();
        let candidate: Vec<f64> = (0..50).map(|i| f64::from(i) * 1.03 + 0.007).collect();
        let exact = mann_whitney(&sample(&baseline), &sample(&candidate));
        let more: Vec<f64> = candidate.iter().copied().chain([25.003]).collect();
        let approximate = mann_whitney(&sample(&baseline), &sample(&more));
        assert_eq!(
            (exact.method, approximate.method),
            (PValueMethod::Exact, PValueMethod::Asymptotic)
        );
        let gap = exact.p_value.probability() - approximate.p_value.probability();
        assert!(gap.abs() < 0.01, "{exact:?} {approximate:?}");
    }

    #[test]
    fn probabilities_sum_to_one_and_are_symmetric() {
        for (n, m) in [(1, 1), (3, 7), (40, 50)] {
            let probabilities = rank_sum_probabilities(n, m);
            assert_eq!(count(probabilities.len()), n * m + 1);
            assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(
                probabilities
                    .iter()
                    .zip(probabilities.iter().rev())
                    .all(|(a, b)| (a - b).abs() < 1e-15)
            );
        }
    }

    #[test]
    fn nothing_speaks_against_identical_samples() {
        for n in [1, 2, 50, 500] {
            let same = sample(&vec![1.0; n]);
            assert_eq!(mann_whitney(&same, &same).p_value, PValue::ONE, "{n}");
        }
        let one = mann_whitney(&sample(&[1.0]), &sample(&[2.0]));
        assert_eq!(one.p_value, PValue::ONE);
        let spread = sample(&(0..500).map(f64::from).collect::<Vec<f64>>());
        assert_eq!(mann_whitney(&spread, &spread).p_value, PValue::ONE);
    }
}
