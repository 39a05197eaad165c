//! A share of a population, estimated from a stratified sample.

use super::confidence::Confidence;
use super::convert::real;
use super::interval::Interval;
use super::proportion::Proportion;

/// A stratum: its size, and a random sample of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stratum {
    /// How many members it has.
    pub size: u64,
    /// The proportion in the sample; `None` without a sample.
    pub sample: Option<Proportion>,
}

/// A share of the population, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StratifiedShare {
    /// The estimate; `None` where a stratum has no sample.
    pub point: Option<f64>,
    /// The confidence interval; it includes the whole weight of strata without a sample.
    pub interval: Interval,
    /// The weight of the strata without a sample, from 0 to 1.
    pub unsampled: f64,
}

/// The share of successes in the population: the shares of the samples, weighted by the sizes of the strata,
/// `sum of W_h p_h` with `W_h = N_h / N`. `None` where all strata are empty or none has a sample.
///
/// The interval is built from each stratum's own Wilson interval `(l_h, u_h)` by the square-and-add of
/// the method of variance estimates recovery:
/// `low = p - sqrt(sum of (W_h (p_h - l_h))^2)`, `high = p + sqrt(sum of (W_h (u_h - p_h))^2)`.
/// It is right for small samples, and where all or none succeeded. A sample of the whole stratum has an interval like
/// any other: the estimate is the probability of success of a new member, not a fixed property of the members, so that
/// there is no finite-population correction. A stratum without a sample may have any share, which widens the interval.
///
/// Source: G. Y. Zou, W. Huang and X. Zhang, Computational Statistics and Data Analysis 53 (2009),
/// 1080-1085, with the intervals of E. B. Wilson (1927); X. Yan and X. G. Su, Statistics in
/// Biopharmaceutical Research 2 (2010), 329-335, compare such intervals.
pub fn stratified_share(strata: &[Stratum], confidence: Confidence) -> Option<StratifiedShare> {
    let size: u64 = strata.iter().map(|stratum| stratum.size).sum();
    if size == 0 {
        return None;
    }
    let weight = |stratum: &Stratum| real(stratum.size) / real(size);
    let (mut found, mut below, mut above, mut unsampled) = (0.0, 0.0_f64, 0.0_f64, 0.0);
    let mut has_sample = false;
    for stratum in strata.iter().filter(|stratum| stratum.size > 0) {
        let Some(sample) = stratum.sample else {
            unsampled += weight(stratum);
            continue;
        };
        let (share, around) = (sample.share(), sample.wilson_interval(confidence));
        found += weight(stratum) * share;
        below = below.hypot(weight(stratum) * (share - around.low()));
        above = above.hypot(weight(stratum) * (around.high() - share));
        has_sample = true;
    }
    if !has_sample {
        return None;
    }
    let low = (found - below).clamp(0.0, 1.0);
    let high = (found + above + unsampled).clamp(0.0, 1.0);
    let point = (unsampled == 0.0).then_some(found.clamp(low, high));
    Some(StratifiedShare { point, interval: Interval::between(low, high), unsampled })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(size: u64, found: Option<(u64, u64)>) -> Stratum {
        let sample = found.map(|(successes, trials)| Proportion::new(successes, trials).unwrap());
        Stratum { size, sample }
    }

    fn share(strata: &[Stratum]) -> StratifiedShare {
        stratified_share(strata, Confidence::PERCENT_95).unwrap()
    }

    #[test]
    fn one_stratum_is_wilsons_interval() {
        let alone = share(&[stratum(400, Some((15, 148)))]);
        assert!((alone.point.unwrap() - 15.0 / 148.0).abs() < 1e-12);
        assert!((alone.interval.low() - 0.0624).abs() < 5.1e-5, "{alone:?}");
        assert!((alone.interval.high() - 0.1605).abs() < 5.1e-5, "{alone:?}");
    }

    /// With weights of one half, the difference of a share and another's complement: twice the distance
    /// from the middle is Newcombe's difference, R. G. Newcombe (1998), table II, method 10.
    #[test]
    fn halves_agree_with_newcombes_difference() {
        let halves = share(&[stratum(50, Some((56, 70))), stratum(50, Some((80 - 48, 80)))]);
        assert!((2.0 * halves.interval.low() - 1.0 - 0.0524).abs() < 1.1e-4, "{halves:?}");
        assert!((2.0 * halves.interval.high() - 1.0 - 0.3339).abs() < 1.1e-4, "{halves:?}");
    }

    #[test]
    fn strata_are_weighted_by_size_and_not_by_sample() {
        let weighted = share(&[stratum(380, Some((19, 20))), stratum(20, Some((0, 20)))]);
        assert!((weighted.point.unwrap() - 0.95 * 0.95).abs() < 1e-12);
        // Unweighted, it would be 19 of 40.
        assert!(weighted.interval.low() > 0.7);
    }

    #[test]
    fn a_stratum_without_a_sample_may_have_any_share() {
        let open = share(&[stratum(90, Some((90, 90))), stratum(10, None)]);
        assert_eq!(open.point, None);
        assert!((open.unsampled - 0.1).abs() < 1e-12 && (open.interval.high() - 1.0).abs() < 1e-12);
        let all = share(&[stratum(90, Some((90, 90)))]);
        assert!((open.interval.low() - 0.9 * all.interval.low()).abs() < 1e-12, "{open:?}");
        let empty = share(&[stratum(90, Some((90, 90))), stratum(0, None)]);
        assert_eq!(empty, all, "an empty stratum needs no sample");
    }

    #[test]
    fn nothing_is_estimated_from_nothing() {
        assert_eq!(stratified_share(&[], Confidence::PERCENT_95), None);
        assert_eq!(stratified_share(&[stratum(0, None)], Confidence::PERCENT_95), None);
        assert_eq!(stratified_share(&[stratum(9, None)], Confidence::PERCENT_95), None);
    }

    proptest::proptest! {
        #[test]
        fn intervals_hold_the_estimate(
            parts in proptest::collection::vec((1_u64..500, 0_u64..60, 0_u64..60), 1..5)
        ) {
            let strata: Vec<Stratum> = parts
                .iter()
                .map(|(size, good, bad)| {
                    stratum(*size, (good + bad > 0).then_some((*good, good + bad)))
                })
                .collect();
            if let Some(found) = stratified_share(&strata, Confidence::PERCENT_95) {
                let interval = found.interval;
                proptest::prop_assert!(interval.low() >= 0.0 && interval.high() <= 1.0);
                proptest::prop_assert!(found.point.is_none_or(|point| interval.contains(point)));
                proptest::prop_assert_eq!(found.point.is_none(), found.unsampled > 0.0);
            }
        }
    }
}
