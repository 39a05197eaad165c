//! A share of a whole of which some parts were looked at more closely than others.

use super::confidence::Confidence;
use super::convert::real;
use super::interval::Interval;
use super::proportion::Proportion;

/// One part of a whole (a stratum): how large it is, and what was found among those of it that were
/// drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stratum {
    /// All that belong to it.
    pub size: u64,
    /// What was found in the sample; none where there is no sample.
    pub sample: Option<Proportion>,
}

/// A share of the whole, from 0 to 1, put together from its strata.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StratifiedShare {
    /// The estimate; none where a stratum was not looked at, for then nothing stands for it.
    pub point: Option<f64>,
    /// The range that holds the share; the whole weight of a stratum that was not looked at is in it.
    pub interval: Interval,
    /// The weight of the strata that were not looked at, from 0 to 1.
    pub unseen: f64,
}

/// The share of the whole that would succeed if each stratum were tried in full: the shares found,
/// weighted by the sizes of the strata, `sum of W_h p_h` with `W_h = N_h / N`. None where there is
/// nothing in any stratum, or no sample of any.
///
/// The interval is built from each stratum's own Wilson interval `(l_h, u_h)` by the square-and-add of
/// the method of variance estimates recovery:
/// `low = p - sqrt(sum of (W_h (p_h - l_h))^2)`, `high = p + sqrt(sum of (W_h (u_h - p_h))^2)`.
/// It is right for samples of a few, and where all or none succeeded. A sample of the whole stratum has
/// an interval like any other: what is looked at is a chance that every new try has, not a fixed
/// property of the members, so that there is no correction for a finite whole. A stratum without a
/// sample may hold any share, and both ends make room for it.
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
    let (mut found, mut below, mut above, mut unseen) = (0.0, 0.0_f64, 0.0_f64, 0.0);
    let mut any = false;
    for stratum in strata.iter().filter(|stratum| stratum.size > 0) {
        let Some(sample) = stratum.sample else {
            unseen += weight(stratum);
            continue;
        };
        let (share, around) = (sample.share(), sample.wilson_interval(confidence));
        found += weight(stratum) * share;
        below = below.hypot(weight(stratum) * (share - around.low()));
        above = above.hypot(weight(stratum) * (around.high() - share));
        any = true;
    }
    if !any {
        return None;
    }
    let low = (found - below).clamp(0.0, 1.0);
    let high = (found + above + unseen).clamp(0.0, 1.0);
    let point = (unseen == 0.0).then_some(found.clamp(low, high));
    Some(StratifiedShare { point, interval: Interval::between(low, high), unseen })
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
    fn strata_count_by_their_size_and_not_by_their_sample() {
        let weighted = share(&[stratum(380, Some((19, 20))), stratum(20, Some((0, 20)))]);
        assert!((weighted.point.unwrap() - 0.95 * 0.95).abs() < 1e-12);
        // All that were looked at would be 19 of 40.
        assert!(weighted.interval.low() > 0.7);
    }

    #[test]
    fn a_stratum_that_was_not_looked_at_may_hold_anything() {
        let open = share(&[stratum(90, Some((90, 90))), stratum(10, None)]);
        assert_eq!(open.point, None);
        assert!((open.unseen - 0.1).abs() < 1e-12 && (open.interval.high() - 1.0).abs() < 1e-12);
        let all = share(&[stratum(90, Some((90, 90)))]);
        assert!((open.interval.low() - 0.9 * all.interval.low()).abs() < 1e-12, "{open:?}");
        let empty = share(&[stratum(90, Some((90, 90))), stratum(0, None)]);
        assert_eq!(empty, all, "nothing is missing of an empty stratum");
    }

    #[test]
    fn nothing_is_said_of_nothing() {
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
                proptest::prop_assert_eq!(found.point.is_none(), found.unseen > 0.0);
            }
        }
    }
}
