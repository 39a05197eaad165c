//! The two-sample Kolmogorov-Smirnov test: do two samples differ in any way, shape included?

use super::super::convert::{count, real};
use super::super::p_value::PValue;
use super::super::sample::Sample;
use super::rank_sum::PValueMethod;

/// Up to this many pairs the p-value is exact.
const MAX_EXACT_PAIRS: u64 = 250_000;

/// The result of a two-sided, two-sample Kolmogorov-Smirnov test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The greatest vertical distance of the two empirical distribution functions, 0 to 1.
    pub distance: f64,
    /// The value at which it occurs.
    pub at: f64,
    /// The probability of a distance at least this large between two samples of one distribution.
    pub p_value: PValue,
    /// How the p-value was computed.
    pub method: PValueMethod,
}

/// The two-sided Kolmogorov-Smirnov test.
///
/// Exact given the ties for up to 250,000 pairs (J. L. Hodges, Arkiv för Matematik 3 (1957),
/// 469-486; ties: G. Schröer and D. Trenkler, Computational Statistics & Data Analysis 20 (1995),
/// 185-202); beyond, Kolmogorov's limiting distribution, which is conservative where there are ties.
pub fn kolmogorov_smirnov(baseline: &Sample, candidate: &Sample) -> KolmogorovSmirnov {
    let steps = merged_steps(baseline.ascending(), candidate.ascending());
    let (n, m) = (baseline.size(), candidate.size());
    let gap = |step: &CumulativeCounts| (step.from * m).abs_diff(step.to * n);
    let (greatest, at) = steps.iter().fold((0, baseline.min()), |(greatest, at), step| {
        if gap(step) > greatest { (gap(step), step.value) } else { (greatest, at) }
    });
    let distance = real(greatest) / real(n * m);
    let (p_value, method) = if n * m <= MAX_EXACT_PAIRS {
        (exact_p_value(&steps, n, m, greatest), PValueMethod::Exact)
    } else {
        let effective = (real(n) * real(m) / real(n + m)).sqrt();
        (kolmogorov_tail(effective * distance), PValueMethod::Asymptotic)
    };
    KolmogorovSmirnov { distance, at, p_value: PValue::clamped(p_value), method }
}

/// How many values of each sample lie at or below a value.
struct CumulativeCounts {
    value: f64,
    from: u64,
    to: u64,
}

fn merged_steps(from: &[f64], to: &[f64]) -> Vec<CumulativeCounts> {
    let mut values: Vec<f64> = from.iter().chain(to).copied().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let (mut left, mut right) = (0, 0);
    let step = |value: f64| {
        left += from[left..].iter().take_while(|one| **one <= value).count();
        right += to[right..].iter().take_while(|one| **one <= value).count();
        CumulativeCounts { value, from: count(left), to: count(right) }
    };
    values.into_iter().map(step).collect()
}

/// The probability that in a random order of all values the two counts are at least `greatest` apart, at a position
/// that is not within ties.
///
/// Every order is a path of steps to the right or up; the probability of a path's next step is the share of values left.
/// Paths that leave the corridor are summed up directly, so that small probabilities keep their precision.
fn exact_p_value(steps: &[CumulativeCounts], n: u64, m: u64, greatest: u64) -> f64 {
    if greatest == 0 {
        return 1.0;
    }
    let mut between_ties =
        vec![false; steps.last().map_or(0, |step| index(step.from + step.to)) + 1];
    for step in steps {
        between_ties[index(step.from + step.to)] = true;
    }
    let mut inside = vec![0.0; index(m) + 1];
    let mut outside = 0.0;
    for from in 0..=n {
        let mut along = 0.0;
        for to in 0..=m {
            let here = &mut inside[index(to)];
            let mut arriving = *here + along;
            if from + to == 0 {
                arriving = 1.0;
            }
            if between_ties[index(from + to)] && (from * m).abs_diff(to * n) >= greatest {
                outside += arriving;
                arriving = 0.0;
            }
            let left = real(n - from + m - to).max(1.0);
            *here = arriving * real(n - from) / left;
            along = arriving * real(m - to) / left;
        }
    }
    outside
}

fn index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The probability that Kolmogorov's limiting variable exceeds `x`: `2 sum (-1)^(k-1) exp(-2 k^2 x^2)`.
fn kolmogorov_tail(x: f64) -> f64 {
    // Below, it is 1 to within 1e-12, and the series needs many terms.
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let k = f64::from(k);
        (-2.0 * k * k * x * x).exp()
    };
    (1..=20).map(|pair| 2.0 * (term(2 * pair - 1) - term(2 * pair))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    /// `scipy.stats.ks_2samp(method="exact")` on Hollander and Wolfe's permeability data.
    #[test]
    fn an_exact_test_agrees_with_scipy() {
        let term = sample(&[0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]);
        let earlier = sample(&[1.15, 0.88, 0.90, 0.74, 1.21]);
        let test = kolmogorov_smirnov(&term, &earlier);
        assert!((test.distance - 0.6).abs() < 1e-12 && (test.at - 1.21).abs() < 1e-12, "{test:?}");
        assert!((test.p_value.probability() - 0.165_834_165_834_165_83).abs() < 1e-12, "{test:?}");
    }

    /// `scipy.stats.ks_2samp(method="exact")` and `kstwobign.sf`.
    #[test]
    fn large_samples_agree_with_scipy() {
        let wave = |n: i32, speed: f64, shift: f64| {
            let values = (1..=n).map(|i| (f64::from(i) * speed).sin().powi(2) * 10.0 + shift);
            Sample::new(values.collect()).unwrap()
        };
        let test = kolmogorov_smirnov(&wave(300, 1.7, 0.0), &wave(250, 2.3, 0.8));
        assert!((test.distance - 0.184).abs() < 1e-12, "{test:?}");
        assert!((test.p_value.probability() / 0.000_165_643_086_998_399_4 - 1.0).abs() < 1e-9);
        assert_eq!(test.method, PValueMethod::Exact);
        for (x, tail) in [
            (0.3, 0.999_990_694_198_665_5),
            (0.5, 0.963_945_243_664_875_1),
            (1.0, 0.269_999_671_677_354_56),
            (1.36, 0.049_485_876_755_377_876),
            (3.0, 3.045_995_948_942_526e-8),
        ] {
            assert!((kolmogorov_tail(x) / tail - 1.0).abs() < 1e-9, "{x}: {}", kolmogorov_tail(x));
        }
    }

    /// All 462 orders: `scipy.stats.permutation_test` with the KS distance as its statistic. A test
    /// that ignores ties gives 0.474 for the second.
    #[test]
    fn ties_are_exact_too() {
        for (from, to, distance, p_value) in [
            (
                [1.0, 2.0, 2.0, 3.0, 3.0].as_slice(),
                [2.0, 3.0, 4.0, 4.0, 4.0, 5.0].as_slice(),
                2.0 / 3.0,
                0.108_225_108_225_108_22,
            ),
            (
                &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0],
                &[2.0, 3.0, 3.0, 3.0, 4.0],
                7.0 / 15.0,
                0.242_424_242_424_242_43,
            ),
        ] {
            let test = kolmogorov_smirnov(&sample(from), &sample(to));
            assert!((test.distance - distance).abs() < 1e-12, "{test:?}");
            assert!((test.p_value.probability() - p_value).abs() < 1e-12, "{test:?}");
        }
    }

    #[test]
    fn the_limit_meets_the_exact_test() {
        let side = |n: u32, stretch: f64| {
            sample(&(0..n).map(|i| f64::from(i) * stretch).collect::<Vec<f64>>())
        };
        let exact = kolmogorov_smirnov(&side(500, 1.0), &side(500, 1.09));
        let limit = kolmogorov_smirnov(&side(501, 1.0), &side(500, 1.09));
        assert_eq!((exact.method, limit.method), (PValueMethod::Exact, PValueMethod::Asymptotic));
        let gap = exact.p_value.probability() - limit.p_value.probability();
        assert!(gap.abs() < 0.02, "{exact:?} {limit:?}");
    }

    #[test]
    fn identical_samples_are_no_distance_apart() {
        for values in [vec![1.0], vec![2.0; 600], (0..600).map(f64::from).collect()] {
            let test = kolmogorov_smirnov(&sample(&values), &sample(&values));
            assert!(test.distance.abs() < 1e-12, "{test:?}");
            assert_eq!(test.p_value, PValue::ONE);
        }
        let apart = kolmogorov_smirnov(&sample(&[1.0; 300]), &sample(&[2.0; 300]));
        assert!((apart.distance - 1.0).abs() < 1e-12, "{apart:?}");
        // One of all orders and its mirror: 2 / C(600, 300).
        assert!(apart.p_value.probability() < 1e-170, "{apart:?}");
    }
}
