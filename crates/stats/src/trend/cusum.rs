//! The tabular CUSUM: a departure from a run known to be good, summed up until it is beyond doubt.

use super::super::convert::{count, real};
use super::super::interval::TooFew;
use super::super::sample::{SampleError, check_and_normalise, mean};
use super::drift::Direction;

/// Mean and standard deviation of a run known to be good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    mean: f64,
    deviation: f64,
}

/// Why values are not a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// A value is not finite, or there is none.
    #[error(transparent)]
    Values(#[from] SampleError),
    /// A spread needs two values.
    #[error(transparent)]
    TooFew(#[from] TooFew),
    /// All values are equal: any departure would be infinitely many deviations.
    #[error("the values do not vary")]
    NoSpread,
}

impl Baseline {
    /// A mean and a standard deviation known beforehand; `None` unless both are finite and the
    /// deviation is above zero.
    pub fn new(mean: f64, deviation: f64) -> Option<Self> {
        let usable = mean.is_finite() && deviation.is_finite() && deviation > 0.0;
        usable.then_some(Self { mean, deviation })
    }

    /// The mean and the standard deviation (divisor `n - 1`) of values from a run known to be good.
    /// Both are estimates: with fewer than some 100 values there are noticeably more false alarms.
    ///
    /// # Errors
    /// [`BaselineError`] for fewer than two values, values not finite, or values all equal.
    pub fn from_values(values: &[f64]) -> Result<Self, BaselineError> {
        let mut values = values.to_vec();
        check_and_normalise(&mut values)?;
        let n = count(values.len());
        if n < 2 {
            return Err(TooFew { n, needs: 2 }.into());
        }
        let mean = mean(&values);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / real(n - 1)).sqrt();
        // A spread that is rounding error does not count.
        let rounding = mean.abs() * f64::EPSILON * 8.0;
        if deviation > rounding {
            Ok(Self { mean, deviation })
        } else {
            Err(BaselineError::NoSpread)
        }
    }

    /// The mean.
    pub const fn mean(self) -> f64 {
        self.mean
    }

    /// The standard deviation, above zero.
    pub const fn deviation(self) -> f64 {
        self.deviation
    }
}

/// When a CUSUM alarms; both numbers are in standard deviations of the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CusumLimits {
    slack: f64,
    decision: f64,
}

impl CusumLimits {
    /// Half the shift to be found (`slack`, usually 0.5) and the sum at which to alarm (`decision`,
    /// usually 4 or 5); `None` unless both are finite and above zero.
    pub fn new(slack: f64, decision: f64) -> Option<Self> {
        let usable = slack.is_finite() && decision.is_finite() && slack > 0.0 && decision > 0.0;
        usable.then_some(Self { slack, decision })
    }

    /// Limits that raise a false alarm within `values` independent values with the given probability (clamped to 0.000001
    /// to 0.5), tuned to shifts of one standard deviation.
    ///
    /// With both sides watched, the average run length to a false alarm is about half of
    /// `(exp(2 k b) - 2 k b - 1) / (2 k^2)`, `b = h + 1.166`; alarms come as a Poisson process.
    /// Source: D. Siegmund, Sequential Analysis (1985); D. C. Montgomery, Introduction to
    /// Statistical Quality Control, section 9.1.
    pub fn for_values(values: u64, false_alarm: f64) -> Self {
        const SLACK: f64 = 0.5;
        let probability = if false_alarm.is_nan() { 0.05 } else { false_alarm.clamp(1e-6, 0.5) };
        let target = real(values.max(1)) / -(-probability).ln_1p();
        let (mut low, mut high) = (0.1, 100.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if mean_run(SLACK, middle) < target { low = middle } else { high = middle }
        }
        Self { slack: SLACK, decision: high }
    }

    /// The slack, in standard deviations.
    pub const fn slack(self) -> f64 {
        self.slack
    }

    /// The sum that alarms, in standard deviations.
    pub const fn decision(self) -> f64 {
        self.decision
    }
}

/// The average run length to a false alarm, by Siegmund's formula.
fn mean_run(slack: f64, decision: f64) -> f64 {
    let exponent = 2.0 * slack * (decision + 1.166);
    (exponent.exp() - exponent - 1.0) / (2.0 * slack * slack) / 2.0
}

/// The two sums after one value, in standard deviations; neither is below 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CusumPoint {
    /// The sum above the mean.
    pub above: f64,
    /// The sum below the mean.
    pub below: f64,
}

/// The first time that a sum passed the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CusumAlarm {
    /// The position, counted from 0, of the value that passed it.
    pub at: usize,
    /// The position of the first value since that sum was last 0: when the shift may have begun.
    pub began: usize,
    /// Which way the values went.
    pub direction: Direction,
}

/// A series summed up against a baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Cusum {
    /// Both sums after every value.
    pub points: Vec<CusumPoint>,
    /// The first alarm, if there was one.
    pub alarm: Option<CusumAlarm>,
}

impl Cusum {
    /// Sums up values in order of time. Values that depend on their neighbours raise more false
    /// alarms than [`CusumLimits::for_values`] promises.
    ///
    /// Source: D. C. Montgomery, Introduction to Statistical Quality Control, section 9.1, the
    /// tabular CUSUM. No values give no points and no alarm.
    ///
    /// # Errors
    /// [`SampleError::NotFinite`] for a value that is not finite.
    pub fn of(
        values: &[f64],
        baseline: Baseline,
        limits: CusumLimits,
    ) -> Result<Self, SampleError> {
        let mut finite = values.to_vec();
        if !finite.is_empty() {
            check_and_normalise(&mut finite)?;
        }
        let (mut above, mut below) = (0.0_f64, 0.0_f64);
        let (mut above_since, mut below_since) = (0, 0);
        let (mut points, mut alarm) = (Vec::with_capacity(finite.len()), None);
        for (at, value) in finite.into_iter().enumerate() {
            // A tiny deviation can make it overflow; it is past any limit all the same.
            let z = ((value - baseline.mean) / baseline.deviation).clamp(-1e200, 1e200);
            if above <= 0.0 {
                above_since = at;
            }
            if below <= 0.0 {
                below_since = at;
            }
            above = (above + z - limits.slack).max(0.0);
            below = (below - z - limits.slack).max(0.0);
            points.push(CusumPoint { above, below });
            let passed = |sum: f64, began, direction| {
                (sum > limits.decision).then_some(CusumAlarm { at, began, direction })
            };
            alarm = alarm
                .or_else(|| passed(above, above_since, Direction::Rising))
                .or_else(|| passed(below, below_since, Direction::Falling));
        }
        Ok(Self { points, alarm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Montgomery, Introduction to Statistical Quality Control, table 9.1: 20 values around 10, then
    /// 10 around 11.
    const MONTGOMERY: [f64; 30] = [
        9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40,
        10.08, 9.37, 10.62, 10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38,
        11.62, 11.31, 10.52,
    ];

    /// The same book, table 9.2: 5.28 at period 29, where the count of periods above zero is 7.
    #[test]
    fn the_tabular_cusum_is_that_of_the_book() {
        let baseline = Baseline::new(10.0, 1.0).unwrap();
        let cusum = Cusum::of(&MONTGOMERY, baseline, CusumLimits::new(0.5, 5.0).unwrap()).unwrap();
        assert!((cusum.points[28].above - 5.28).abs() < 1e-9, "{:?}", cusum.points[28]);
        assert!((cusum.points[1].below - 1.56).abs() < 1e-9, "{:?}", cusum.points[1]);
        let alarm = CusumAlarm { at: 28, began: 22, direction: Direction::Rising };
        assert_eq!(cusum.alarm, Some(alarm));
        let mirrored: Vec<f64> = MONTGOMERY.iter().map(|value| 20.0 - value).collect();
        let falling = Cusum::of(&mirrored, baseline, CusumLimits::new(0.5, 5.0).unwrap()).unwrap();
        assert_eq!(falling.alarm, Some(CusumAlarm { direction: Direction::Falling, ..alarm }));
    }

    /// Montgomery, section 9.1: with 0.5 and 5 the mean run is 465; Siegmund's formula gives 469.
    #[test]
    fn limits_fit_the_number_of_values() {
        assert!((mean_run(0.5, 5.0) - 469.1).abs() < 0.1, "{}", mean_run(0.5, 5.0));
        let day = CusumLimits::for_values(288, 0.05);
        assert!((mean_run(0.5, day.decision()) - 288.0 / 0.051_293).abs() < 1.0, "{day:?}");
        assert_eq!(CusumLimits::for_values(288, f64::NAN), day);
        assert_eq!(CusumLimits::new(0.5, 0.0), None);
        assert_eq!(CusumLimits::new(f64::NAN, 5.0), None);
    }

    #[test]
    fn a_baseline_needs_values_that_vary() {
        let from = Baseline::from_values;
        assert_eq!(from(&[]), Err(BaselineError::Values(SampleError::Empty)));
        assert_eq!(from(&[1.0]), Err(BaselineError::TooFew(TooFew { n: 1, needs: 2 })));
        assert_eq!(from(&[0.1; 50]), Err(BaselineError::NoSpread));
        assert!(matches!(from(&[1.0, f64::NAN]), Err(BaselineError::Values(_))));
        let baseline = from(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((baseline.mean() - 5.0).abs() < 1e-12);
        assert!((baseline.deviation() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Baseline::new(1.0, 0.0), None);
    }

    #[test]
    fn sums_stay_finite() {
        let baseline = Baseline::new(0.0, 1e-300).unwrap();
        let limits = CusumLimits::for_values(10, 0.05);
        let cusum = Cusum::of(&[1e100, -1e100, 0.0], baseline, limits).unwrap();
        assert!(
            cusum.points.iter().all(|point| point.above.is_finite() && point.below.is_finite())
        );
        assert_eq!(cusum.alarm.map(|alarm| alarm.at), Some(0));
        let none = Cusum::of(&[], baseline, limits).unwrap();
        assert_eq!((none.points.len(), none.alarm), (0, None));
        let nan = Cusum::of(&[f64::NAN], baseline, limits);
        assert_eq!(nan, Err(SampleError::NotFinite { index: 0 }));
    }
}
