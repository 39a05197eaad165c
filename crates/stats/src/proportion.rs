//! Proportions, such as failure rates: Wilson's interval, and Newcombe's intervals for differences.

use super::confidence::Confidence;
use super::convert::{real, whole};
use super::interval::{Estimate, Interval};

/// `successes` among `trials`; at least one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    successes: u64,
    trials: u64,
}

/// Why two counts are not a proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProportionError {
    /// There was no trial.
    #[error("there were no trials")]
    NoTrials,
    /// There are more successes than trials.
    #[error("{successes} of {trials} is more than all")]
    TooManySuccesses {
        /// The successes given.
        successes: u64,
        /// The trials given.
        trials: u64,
    },
}

impl Proportion {
    /// `successes` of `trials`.
    ///
    /// # Errors
    /// [`ProportionError::NoTrials`] for none, [`ProportionError::TooManySuccesses`] when there are more
    /// successes than trials.
    pub fn new(successes: u64, trials: u64) -> Result<Self, ProportionError> {
        if trials == 0 {
            return Err(ProportionError::NoTrials);
        }
        if successes > trials {
            return Err(ProportionError::TooManySuccesses { successes, trials });
        }
        Ok(Self { successes, trials })
    }

    /// How many succeeded.
    pub const fn successes(self) -> u64 {
        self.successes
    }

    /// The number of trials; at least 1.
    pub const fn trials(self) -> u64 {
        self.trials
    }

    /// The share, from 0 to 1.
    pub fn share(self) -> f64 {
        real(self.successes) / real(self.trials)
    }

    /// The score interval of E. B. Wilson (1927), without continuity correction; inside 0 to 1.
    ///
    /// Source: R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, method 3.
    pub fn wilson_interval(self, confidence: Confidence) -> Interval {
        let z = confidence.critical_value();
        let (n, p, square) = (real(self.trials), self.share(), z * z);
        let centre = (n * p + square / 2.0) / (n + square);
        let half = z / (n + square) * (n * p * (1.0 - p) + square / 4.0).sqrt();
        // Exactly 0 and 1 there, which rounding would miss.
        let low = if self.successes == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if self.successes == self.trials { 1.0 } else { (centre + half).min(1.0) };
        Interval::between(low, high)
    }

    /// The trials after which the Wilson interval would exclude `limit` (a share), if the share stays the same; `None`
    /// when the share is the limit, which no number of trials excludes.
    ///
    /// The interval holds the limit `L` while `|p - L| <= z sqrt(L (1 - L) / n)`.
    pub fn trials_to_exclude(self, limit: f64, confidence: Confidence) -> Option<u64> {
        let distance = (self.share() - limit).abs();
        if !(0.0..=1.0).contains(&limit) || distance < f64::EPSILON {
            return None;
        }
        let z = confidence.critical_value();
        let trials = z * z * limit * (1.0 - limit) / (distance * distance);
        Some(whole(trials).saturating_add(1))
    }
}

/// The difference of two independent shares, `candidate - baseline`, with Newcombe's interval.
///
/// Method 10, the square-and-add of two Wilson intervals; inside -1 to 1.
/// Source: R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890.
pub fn newcombe_difference(
    baseline: Proportion,
    candidate: Proportion,
    confidence: Confidence,
) -> Estimate {
    let (from, to) = (baseline.share(), candidate.share());
    let (around_from, around_to) =
        (baseline.wilson_interval(confidence), candidate.wilson_interval(confidence));
    let point = to - from;
    let below = (to - around_to.low()).hypot(around_from.high() - from);
    let above = (around_to.high() - to).hypot(from - around_from.low());
    let interval = Interval::between((point - below).max(-1.0), (point + above).min(1.0));
    Estimate { point, interval }
}

/// How the members of pairs came out, each yes or no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairedVotes {
    /// Pairs in which both are true.
    pub both: u64,
    /// Pairs in which only the baseline is true.
    pub only_baseline: u64,
    /// Pairs in which only the candidate is true.
    pub only_candidate: u64,
    /// Pairs in which neither is true.
    pub neither: u64,
}

impl PairedVotes {
    /// Counts a pair.
    pub const fn add(&mut self, baseline: bool, candidate: bool) {
        match (baseline, candidate) {
            (true, true) => self.both += 1,
            (true, false) => self.only_baseline += 1,
            (false, true) => self.only_candidate += 1,
            (false, false) => self.neither += 1,
        }
    }

    /// How many pairs there are.
    pub const fn pairs(self) -> u64 {
        self.both + self.only_baseline + self.only_candidate + self.neither
    }

    /// The difference of the two shares, `candidate - baseline`, with Newcombe's interval for pairs, which
    /// accounts for their correlation; inside -1 to 1.
    ///
    /// Method 10, the square-and-add of two Wilson intervals with the correlation of the pairs, corrected
    /// for continuity. Source: R. G. Newcombe, Statistics in Medicine 17 (1998), 2635-2650.
    ///
    /// # Errors
    /// [`ProportionError::NoTrials`] where there is no pair.
    pub fn difference(self, confidence: Confidence) -> Result<Estimate, ProportionError> {
        let n = self.pairs();
        let baseline = Proportion::new(self.both + self.only_baseline, n)?;
        let candidate = Proportion::new(self.both + self.only_candidate, n)?;
        let (from, to) = (baseline.share(), candidate.share());
        let (around_from, around_to) =
            (baseline.wilson_interval(confidence), candidate.wilson_interval(confidence));
        let correlation = self.correlation();
        let reach = |one: f64, other: f64| {
            (one * one - 2.0 * correlation * one * other + other * other).max(0.0).sqrt()
        };
        let point = to - from;
        let below = reach(to - around_to.low(), around_from.high() - from);
        let above = reach(around_to.high() - to, from - around_from.low());
        let interval = Interval::between((point - below).max(-1.0), (point + above).min(1.0));
        Ok(Estimate { point, interval })
    }

    /// The correlation of the two members, from -1 to 1; 0 where one of them is constant.
    fn correlation(self) -> f64 {
        let [both, first, second, neither] =
            [self.both, self.only_baseline, self.only_candidate, self.neither].map(real);
        let margins = (both + first) * (second + neither) * (both + second) * (first + neither);
        if margins <= 0.0 {
            return 0.0;
        }
        let excess = both * neither - first * second;
        let half = real(self.pairs()) / 2.0;
        let corrected = if excess > 0.0 { (excess - half).max(0.0) } else { excess };
        corrected / margins.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe (1998), Statistics in Medicine 17, 2635, table II, method 10.
    #[test]
    fn differences_of_pairs_are_those_of_the_paper() {
        for ([both, only_candidate, only_baseline, neither], low, high) in
            [([36, 12, 2, 0], 0.0569, 0.3404), ([20, 12, 2, 16], 0.0562, 0.3292)]
        {
            let votes = PairedVotes { both, only_baseline, only_candidate, neither };
            let found = votes.difference(Confidence::PERCENT_95).unwrap();
            assert!((found.point - 0.2).abs() < 1e-12, "{found:?}");
            assert!((found.interval.low() - low).abs() < 5.1e-5, "{found:?}");
            assert!((found.interval.high() - high).abs() < 5.1e-5, "{found:?}");
        }
        let none = PairedVotes::default().difference(Confidence::PERCENT_95);
        assert_eq!(none, Err(ProportionError::NoTrials));
    }

    #[test]
    fn pairs_that_go_together_are_surer_than_two_groups() {
        let mut votes = PairedVotes::default();
        for pair in 0..100 {
            votes.add(pair % 4 != 0, pair % 4 != 0 && pair % 20 != 1);
        }
        let paired = votes.difference(Confidence::PERCENT_95).unwrap();
        let apart =
            newcombe_difference(proportion(75, 100), proportion(70, 100), Confidence::PERCENT_95);
        assert!((paired.point - apart.point).abs() < 1e-12);
        assert!(paired.interval.width() < 0.6 * apart.interval.width(), "{paired:?} {apart:?}");
    }

    fn proportion(successes: u64, trials: u64) -> Proportion {
        Proportion::new(successes, trials).unwrap()
    }

    #[test]
    fn impossible_counts_are_refused() {
        assert_eq!(Proportion::new(0, 0), Err(ProportionError::NoTrials));
        assert_eq!(
            Proportion::new(3, 2),
            Err(ProportionError::TooManySuccesses { successes: 3, trials: 2 })
        );
    }

    /// Newcombe (1998), Statistics in Medicine 17, 857, table I, method 3.
    #[test]
    fn wilson_intervals_are_those_of_the_paper() {
        for (successes, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let interval = proportion(successes, trials).wilson_interval(Confidence::PERCENT_95);
            assert!((interval.low() - low).abs() < 5.1e-5, "{successes}/{trials}: {interval:?}");
            assert!((interval.high() - high).abs() < 5.1e-5, "{successes}/{trials}: {interval:?}");
        }
    }

    /// `scipy.stats.binomtest(k, n).proportion_ci(0.99, "wilson")`.
    #[test]
    fn wilson_intervals_agree_with_scipy() {
        for (successes, trials, low, high) in [
            (3, 200, 0.003_797_397_274_919_567, 0.057_348_598_918_633_21),
            (199, 200, 0.958_799_118_079_76, 0.999_412_700_238_160_4),
            (0, 7, 0.0, 0.486_611_434_994_254_3),
            (12_345, 100_000, 0.120_795_471_669_766_55, 0.126_154_492_421_469_95),
        ] {
            let interval = proportion(successes, trials).wilson_interval(Confidence::PERCENT_99);
            assert!((interval.low() - low).abs() < 1e-12, "{successes}/{trials}: {interval:?}");
            assert!((interval.high() - high).abs() < 1e-12, "{successes}/{trials}: {interval:?}");
        }
    }

    /// Newcombe (1998), Statistics in Medicine 17, 873, table II, method 10.
    #[test]
    fn differences_are_those_of_the_paper() {
        for (to, from, low, high) in [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((6, 7), (2, 7), 0.0582, 0.8062),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
            ((0, 10), (0, 10), -0.2775, 0.2775),
            ((10, 10), (0, 20), 0.6791, 1.0),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ] {
            let difference = newcombe_difference(
                proportion(from.0, from.1),
                proportion(to.0, to.1),
                Confidence::PERCENT_95,
            );
            let interval = difference.interval;
            assert!((interval.low() - low).abs() < 5.1e-5, "{to:?} - {from:?}: {interval:?}");
            assert!((interval.high() - high).abs() < 5.1e-5, "{to:?} - {from:?}: {interval:?}");
        }
    }

    #[test]
    fn the_trials_that_settle_a_limit_do_and_one_fewer_does_not() {
        let confidence = Confidence::PERCENT_95;
        assert_eq!(proportion(0, 10).trials_to_exclude(0.01, confidence), Some(381));
        let holds = |trials| proportion(0, trials).wilson_interval(confidence).contains(0.01);
        assert!(holds(380) && !holds(381));
        assert_eq!(proportion(1, 100).trials_to_exclude(0.01, confidence), None);
        assert_eq!(proportion(1, 100).trials_to_exclude(f64::NAN, confidence), None);
    }

    proptest::proptest! {
        #[test]
        fn intervals_hold_the_share(successes in 0_u64..500, more in 0_u64..500) {
            let trials = successes + more + u64::from(successes + more == 0);
            let share = proportion(successes, trials);
            let interval = share.wilson_interval(Confidence::PERCENT_95);
            proptest::prop_assert!(interval.contains(share.share()));
            proptest::prop_assert!(interval.low() >= 0.0 && interval.high() <= 1.0);
        }
    }
}
