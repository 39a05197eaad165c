//! The Kaplan-Meier estimate with its intervals.

use super::super::confidence::Confidence;
use super::super::convert::real;
use super::super::interval::Interval;
use super::super::quantile::Quantile;
use super::observation::{EndObservation, Observation, ObservationError, RangeEnd};

/// Rounding in a product of up to millions of factors; far below one observation's share.
const ROUNDING: f64 = 1e-9;

/// The time by which a share has ended, or the longest observation by which it had not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    /// Reached at this time.
    At(f64),
    /// Not reached by this time, the longest observed.
    NotReachedBy(f64),
}

impl Reach {
    /// The time, if it was reached.
    pub const fn reached(self) -> Option<f64> {
        match self {
            Self::At(time) => Some(time),
            Self::NotReachedBy(_) => None,
        }
    }
}

/// A step of the curve: one time at which at least one end was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalStep {
    /// The time.
    pub time: f64,
    /// How many had not ended just before it.
    pub at_risk: u64,
    /// How many ended at it.
    pub ended: u64,
    /// The share that had not ended after it.
    pub survival: f64,
    /// Greenwood's sum of `d / (n (n - d))` up to here; `None` once all have ended.
    greenwood: Option<f64>,
}

impl SurvivalStep {
    /// Greenwood's standard error of the survival; `None` once all have ended.
    pub fn standard_error(&self) -> Option<f64> {
        self.greenwood.map(|sum| self.survival * sum.sqrt())
    }

    /// The interval for the survival on the log-minus-log scale, inside 0 to 1; `None` once all
    /// have ended, where that scale has no value.
    ///
    /// Source: J. D. Kalbfleisch and R. L. Prentice, The Statistical Analysis of Failure Time Data,
    /// 2nd ed., section 1.4.
    pub fn interval(&self, confidence: Confidence) -> Option<Interval> {
        let sum = self.greenwood?;
        let logarithm = self.survival.ln();
        let spread = confidence.critical_value() * sum.sqrt() / logarithm;
        let ends = (self.survival.powf(spread.exp()), self.survival.powf((-spread).exp()));
        Some(Interval::between(ends.0, ends.1))
    }
}

/// A quantile of right-censored durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalQuantile {
    /// The first time by which the share had ended.
    pub point: Reach,
    /// The lower end of its interval.
    pub low: Reach,
    /// The upper end of its interval.
    pub high: Reach,
}

/// The Kaplan-Meier estimate: the share that has not ended, by time.
#[derive(Debug, Clone, PartialEq)]
pub struct SurvivalCurve {
    steps: Vec<SurvivalStep>,
    observed: u64,
    censored: u64,
    longest: f64,
}

impl SurvivalCurve {
    /// The curve of observations with their counts; each [`Observation::Between`] counts as ended at its upper end, when
    /// a poll saw it. Counts let histogram bins stand for millions of durations.
    ///
    /// # Errors
    /// [`ObservationError`] for none at all, a time that is not finite, or a reversed range.
    pub fn new(
        observations: impl IntoIterator<Item = (Observation, u64)>,
    ) -> Result<Self, ObservationError> {
        let checked = check(observations)?;
        Ok(Self::from_checked(&checked, RangeEnd::Upper))
    }

    pub(super) fn from_checked(observations: &[(Observation, u64)], end: RangeEnd) -> Self {
        let mut endings: Vec<EndObservation> = observations
            .iter()
            .map(|&(observation, count)| observation.ending(count, end))
            .collect();
        endings.sort_unstable_by(|one, other| one.time.total_cmp(&other.time));
        let total = endings.iter().map(|ending| ending.count).fold(0, u64::saturating_add);
        let mut curve = Self {
            steps: Vec::new(),
            observed: 0,
            censored: 0,
            longest: endings.last().map_or(0.0, |ending| ending.time),
        };
        let (mut at_risk, mut survival, mut greenwood) = (total, 1.0, Some(0.0));
        for tied in endings.chunk_by(|one, other| one.time.total_cmp(&other.time).is_eq()) {
            // What is censored at the same time as an end had not ended then.
            let ended = tally(tied, true);
            let cut = tally(tied, false);
            if ended > 0 {
                let (n, d) = (real(at_risk), real(ended));
                let all = ended >= at_risk;
                survival = if all { 0.0 } else { survival * (n - d) / n };
                greenwood = greenwood.filter(|_| !all).map(|sum| sum + d / (n * (n - d)));
                let time = tied[0].time;
                curve.steps.push(SurvivalStep { time, at_risk, ended, survival, greenwood });
            }
            at_risk = at_risk.saturating_sub(ended).saturating_sub(cut);
            curve.observed = curve.observed.saturating_add(ended);
            curve.censored = curve.censored.saturating_add(cut);
        }
        curve
    }

    /// The steps in order of time.
    pub fn steps(&self) -> &[SurvivalStep] {
        &self.steps
    }

    /// How many ends were seen.
    pub const fn observed(&self) -> u64 {
        self.observed
    }

    /// How many are right-censored.
    pub const fn censored(&self) -> u64 {
        self.censored
    }

    /// The longest time observed, ended or not.
    pub const fn longest(&self) -> f64 {
        self.longest
    }

    /// The share that has not ended after `time`: 1 before the first end.
    pub fn survival_at(&self, time: f64) -> f64 {
        let passed = self.steps.partition_point(|step| step.time <= time);
        passed.checked_sub(1).map_or(1.0, |last| self.steps[last].survival)
    }

    /// The first time by which a share of `quantile` has ended, with the interval of times whose
    /// survival is compatible with it.
    ///
    /// The interval inverts the log-minus-log intervals: it begins where the lower band first falls
    /// to `1 - q` and ends where the upper one does.
    /// Source: R. Brookmeyer and J. Crowley, Biometrics 38 (1982), 29-41; the same definition as
    /// `survfit(conf.type = "log-log")` in R. With nothing censored, the point is the nearest rank.
    pub fn quantile(&self, quantile: Quantile, confidence: Confidence) -> SurvivalQuantile {
        let left = 1.0 - quantile.fraction() + ROUNDING;
        SurvivalQuantile {
            point: self.first_step(|step| step.survival <= left),
            low: self.first_step(|step| {
                step.interval(confidence).map_or(step.survival, Interval::low) <= left
            }),
            high: self.first_step(|step| {
                step.interval(confidence).is_some_and(|interval| interval.high() <= left)
            }),
        }
    }

    fn first_step(&self, crossed: impl FnMut(&&SurvivalStep) -> bool) -> Reach {
        let found = self.steps.iter().find(crossed);
        found.map_or(Reach::NotReachedBy(self.longest), |step| Reach::At(step.time))
    }
}

/// Every observation with a weight, its times checked.
pub(super) fn check(
    observations: impl IntoIterator<Item = (Observation, u64)>,
) -> Result<Vec<(Observation, u64)>, ObservationError> {
    let mut checked = Vec::new();
    for (index, (observation, count)) in observations.into_iter().enumerate() {
        let observation = observation.checked(index)?;
        if count > 0 {
            checked.push((observation, count));
        }
    }
    if checked.is_empty() { Err(ObservationError::Empty) } else { Ok(checked) }
}

fn tally(endings: &[EndObservation], seen: bool) -> u64 {
    endings
        .iter()
        .filter(|ending| ending.seen == seen)
        .map(|ending| ending.count)
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Confidence = Confidence::PERCENT_95;

    /// Weeks in remission under 6-mercaptopurine: E. J. Freireich and others, Blood 21 (1963), 699.
    fn mercaptopurine() -> SurvivalCurve {
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(|week| Observation::At(f64::from(week)));
        let cut = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
            .map(|week| Observation::After(f64::from(week)));
        SurvivalCurve::new(ended.into_iter().chain(cut).map(|one| (one, 1))).unwrap()
    }

    /// The same trial's placebo arm, with counts for ties.
    fn placebo() -> SurvivalCurve {
        let weeks = [(1, 2), (2, 2), (3, 1), (4, 2), (5, 2), (8, 4), (11, 2), (12, 2), (15, 1)];
        let late = [(17, 1), (22, 1), (23, 1)];
        let all = weeks.into_iter().chain(late);
        SurvivalCurve::new(all.map(|(week, count)| (Observation::At(f64::from(week)), count)))
            .unwrap()
    }

    /// Survival and standard error: D. G. Kleinbaum and M. Klein, Survival Analysis, chapter 2;
    /// intervals: `scipy.stats.ecdf(...).sf.confidence_interval(method="log-log")`.
    #[test]
    fn the_remission_data_give_the_published_table() {
        let curve = mercaptopurine();
        let expected = [
            (6.0, 21, 3, 0.857, 0.0764, 0.619_717_955_265_983_8, 0.951_551_747_646_997),
            (7.0, 17, 1, 0.807, 0.0869, 0.563_146_564_622_233_3, 0.922_809_019_202_880_4),
            (10.0, 15, 1, 0.753, 0.0963, 0.503_199_510_799_956_4, 0.889_361_835_169_265_5),
            (13.0, 12, 1, 0.690, 0.1068, 0.431_610_222_486_184, 0.849_065_963_349_450_7),
            (16.0, 11, 1, 0.627, 0.1141, 0.367_510_855_987_502_05, 0.804_912_189_471_841_2),
            (22.0, 7, 1, 0.538, 0.1282, 0.267_778_936_767_135_05, 0.746_790_717_635_394_4),
            (23.0, 6, 1, 0.448, 0.1346, 0.188_052_005_959_232_35, 0.680_142_628_495_241_4),
        ];
        assert_eq!((curve.observed(), curve.censored(), curve.steps().len()), (9, 12, 7));
        for (step, (time, at_risk, ended, survival, error, low, high)) in
            curve.steps().iter().zip(expected)
        {
            assert_eq!((step.at_risk, step.ended), (at_risk, ended), "{step:?}");
            assert!((step.time - time).abs() < 1e-12, "{step:?}");
            assert!((step.survival - survival).abs() < 5.1e-4, "{step:?}");
            assert!((step.standard_error().unwrap() - error).abs() < 5.1e-5, "{step:?}");
            let interval = step.interval(USUAL).unwrap();
            assert!((interval.low() - low).abs() < 1e-9, "{step:?}: {interval:?}");
            assert!((interval.high() - high).abs() < 1e-9, "{step:?}: {interval:?}");
        }
    }

    /// The medians and log-log intervals that R's `survfit` and SAS's LIFETEST print: 23 (13, not
    /// reached) under treatment, 8 (4, 11) under placebo.
    #[test]
    fn the_remission_medians_are_the_published_ones() {
        let treated = mercaptopurine().quantile(Quantile::P50, USUAL);
        let expected = SurvivalQuantile {
            point: Reach::At(23.0),
            low: Reach::At(13.0),
            high: Reach::NotReachedBy(35.0),
        };
        assert_eq!(treated, expected);
        let untreated = placebo().quantile(Quantile::P50, USUAL);
        let expected =
            SurvivalQuantile { point: Reach::At(8.0), low: Reach::At(4.0), high: Reach::At(11.0) };
        assert_eq!(untreated, expected);
        let late = mercaptopurine().quantile(Quantile::P95, USUAL);
        assert_eq!(late.point, Reach::NotReachedBy(35.0));
        assert_eq!(late.point.reached(), None);
    }

    #[test]
    fn survival_is_read_between_the_steps() {
        let curve = mercaptopurine();
        assert!((curve.survival_at(5.9) - 1.0).abs() < 1e-12);
        assert!((curve.survival_at(9.0) - 0.806_722_689_075_630_2).abs() < 1e-12);
        assert!((curve.survival_at(1e9) - 0.448_179_271_708_683_4).abs() < 1e-12);
    }

    #[test]
    fn without_censoring_the_point_is_the_nearest_rank() {
        for n in [1_u32, 7, 20, 999] {
            let curve =
                SurvivalCurve::new((1..=n).map(|value| (Observation::At(f64::from(value)), 1)))
                    .unwrap();
            for quantile in [Quantile::P50, Quantile::P90, Quantile::P95, Quantile::P99_9] {
                let rank = quantile.rank(u64::from(n)).unwrap();
                let point = curve.quantile(quantile, USUAL).point;
                assert_eq!(point, Reach::At(real(rank)), "{quantile} of {n}");
            }
        }
    }

    #[test]
    fn counts_weigh_like_repetition_even_in_billions() {
        let once =
            [(Observation::At(1.0), 1), (Observation::After(1.0), 1), (Observation::At(2.0), 2)];
        let many = once.map(|(observation, count)| (observation, count * 1_000_000_000));
        let (few, lots) = (SurvivalCurve::new(once).unwrap(), SurvivalCurve::new(many).unwrap());
        assert_eq!((few.steps().len(), lots.steps().len()), (2, 2));
        for (one, other) in few.steps().iter().zip(lots.steps()) {
            assert!((one.survival - other.survival).abs() < 1e-12);
        }
        assert_eq!(lots.quantile(Quantile::P50, USUAL).high, Reach::NotReachedBy(2.0));
    }

    #[test]
    fn extremes_stay_numbers() {
        assert_eq!(SurvivalCurve::new([]), Err(ObservationError::Empty));
        assert_eq!(SurvivalCurve::new([(Observation::At(1.0), 0)]), Err(ObservationError::Empty));
        let nan =
            SurvivalCurve::new([(Observation::At(1.0), 1), (Observation::After(f64::NAN), 1)]);
        assert_eq!(nan, Err(ObservationError::NotFinite { index: 1 }));
        let reversed = SurvivalCurve::new([(Observation::Between(2.0, 1.0), 1)]);
        assert_eq!(reversed, Err(ObservationError::Reversed { index: 0 }));

        let one = SurvivalCurve::new([(Observation::At(0.0), 1)]).unwrap();
        let quantile = one.quantile(Quantile::P50, USUAL);
        assert_eq!((quantile.point, quantile.high), (Reach::At(0.0), Reach::NotReachedBy(0.0)));
        assert_eq!((one.steps()[0].standard_error(), one.steps()[0].interval(USUAL)), (None, None));

        let unended = SurvivalCurve::new([(Observation::After(3.0), 5)]).unwrap();
        let nowhere = Reach::NotReachedBy(3.0);
        let nothing = SurvivalQuantile { point: nowhere, low: nowhere, high: nowhere };
        assert_eq!(unended.quantile(Quantile::P50, USUAL), nothing);
    }
}
