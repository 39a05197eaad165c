//! Drift: the slope of a series with its interval, and a verdict that needs both evidence and size.

use super::super::bootstrap::{BlockLength, Bootstrap, DegreesOfFreedom, basic_interval};
use super::super::convert::count;
use super::super::interval::{Estimate, Interval, TooFew};
use super::dependence::{Dependence, ResidualSource};
use super::series::Series;
use super::theil_sen::{FittedLine, MAX_POINTS, median_slope, theil_sen};

/// Residuals are resampled in this many blocks.
const BLOCKS: usize = 12;

/// Slope and intercept.
const PARAMETERS: f64 = 2.0;

/// The Theil-Sen line of a series, with the interval of its slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The line.
    pub line: FittedLine,
    /// The slope with its interval, per unit of time.
    pub slope: Estimate,
    /// The line's value at the first time.
    pub start: f64,
    /// The change that the line projects from the first time to the last, with its interval.
    pub change: Estimate,
    /// The first-order autocorrelation of the residuals, 0 to 0.95.
    pub autocorrelation: f64,
}

/// What a change must exceed to matter; anything but a positive number counts as 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Materiality {
    /// A share of the value at the start: 0.1 for ten percent.
    Relative(f64),
    /// An amount in the unit of the values.
    Absolute(f64),
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Values grow.
    Rising,
    /// Values shrink.
    Falling,
}

/// The verdict on a trend. A drift is material where its interval excludes zero and its change is large enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// The interval holds zero: there is no evidence of a drift.
    NotShown,
    /// There is a drift, but its change over the span is too small to matter.
    Immaterial(Direction),
    /// There is a drift, and it matters.
    Material(Direction),
}

impl Trend {
    /// The trend of a series. The interval is a post-blackened block bootstrap of the residuals: each resample of them,
    /// with the same autocorrelation, has a slope that is an error of the estimate.
    ///
    /// Few long blocks, with the interval widened for their number, keep false alarms near what the confidence allows;
    /// many short ones do not. Takes time proportional to the square of the points and to the resamples: some 0.3 ms
    /// per resample of 300 points.
    ///
    /// # Errors
    /// [`TooFew`] below 12 points (at 95 %), or when no two points differ in time.
    pub fn of(series: &Series, plan: &Bootstrap) -> Result<Self, TooFew> {
        let series = series.clone().condensed(MAX_POINTS);
        let (n, needs) = (series.size(), 2 * plan.min_clusters());
        if n < needs {
            return Err(TooFew { n, needs });
        }
        let line = theil_sen(&series)?;
        let mut residuals = residuals(&series, line);
        let dependence = Dependence::of_residuals(&residuals, PARAMETERS);
        let block = BlockLength::share_of(residuals.len(), BLOCKS);
        let mut source = ResidualSource::new(&residuals, dependence, block);
        let (mut rng, mut slopes) = (plan.rng(0), Vec::new());
        let mut errors: Vec<f64> = (0..plan.resamples())
            .map(|_| {
                source.draw(&mut rng, &mut residuals);
                median_slope(series.times(), &residuals, &mut slopes).unwrap_or_default()
            })
            .collect();
        let freedom = DegreesOfFreedom::of_units(count(residuals.len() / block.length()));
        let interval = basic_interval(line.slope, &mut errors, freedom, plan.confidence());
        let span = series.end() - series.begin();
        let change = Estimate {
            point: line.slope * span,
            interval: Interval::between(interval.low() * span, interval.high() * span),
        };
        let slope = Estimate { point: line.slope, interval };
        let autocorrelation = dependence.coefficient;
        Ok(Self { line, slope, start: line.at(series.begin()), change, autocorrelation })
    }

    /// The verdict, with what change matters.
    pub fn drift(&self, materiality: Materiality) -> Drift {
        let direction = if self.slope.interval.is_above(0.0) {
            Direction::Rising
        } else if self.slope.interval.is_below(0.0) {
            Direction::Falling
        } else {
            return Drift::NotShown;
        };
        let least = match materiality {
            Materiality::Relative(share) => share.max(0.0) * self.start.abs(),
            Materiality::Absolute(amount) => amount.max(0.0),
        };
        if self.change.point.abs() > least {
            Drift::Material(direction)
        } else {
            Drift::Immaterial(direction)
        }
    }
}

fn residuals(series: &Series, line: FittedLine) -> Vec<f64> {
    series.times().iter().zip(series.values()).map(|(&time, value)| value - line.at(time)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::confidence::Confidence;
    use super::super::super::rng::StatsRng;
    use super::super::NILE;
    use super::*;

    fn plan() -> Bootstrap {
        Bootstrap::new(5, 300, Confidence::PERCENT_95).unwrap()
    }

    /// Hourly values with a little noise around a line.
    fn noisy_line(n: u32, slope: f64) -> Series {
        let mut rng = StatsRng::new(1, 0);
        let mut value = |i: u32| 100.0 + slope * f64::from(i) + rng.unit() - 0.5;
        Series::new((0..n).map(|i| (f64::from(i), value(i)))).unwrap()
    }

    #[test]
    fn a_material_drift_needs_evidence_and_size() {
        let ten_percent = Materiality::Relative(0.1);
        let drift = |slope| Trend::of(&noisy_line(96, slope), &plan()).unwrap().drift(ten_percent);
        assert_eq!(drift(0.0), Drift::NotShown);
        assert_eq!(drift(0.02), Drift::Immaterial(Direction::Rising));
        assert_eq!(drift(0.2), Drift::Material(Direction::Rising));
        assert_eq!(drift(-0.2), Drift::Material(Direction::Falling));
        let trend = Trend::of(&noisy_line(96, 0.02), &plan()).unwrap();
        assert_eq!(trend.drift(Materiality::Absolute(1.0)), Drift::Material(Direction::Rising));
        assert_eq!(trend.drift(Materiality::Absolute(3.0)), Drift::Immaterial(Direction::Rising));
        assert_eq!(
            trend.drift(Materiality::Absolute(f64::NAN)),
            Drift::Material(Direction::Rising)
        );
    }

    #[test]
    fn the_interval_holds_the_slope_and_scales_to_the_span() {
        let trend = Trend::of(&noisy_line(96, 0.2), &plan()).unwrap();
        assert!(trend.slope.interval.contains(0.2), "{trend:?}");
        assert!((trend.start - 100.0).abs() < 0.2, "{trend:?}");
        assert!((trend.change.point - trend.slope.point * 95.0).abs() < 1e-9, "{trend:?}");
        assert!((trend.change.interval.width() - trend.slope.interval.width() * 95.0).abs() < 1e-9);
        assert_eq!(Trend::of(&noisy_line(96, 0.2), &plan()), Ok(trend));
    }

    /// `scipy.stats.theilslopes`, which takes years as independent, gives -3.63 to -1.43; autocorrelation widens that.
    #[test]
    fn dependence_widens_the_interval_of_the_nile() {
        let series = Series::new((0..).map(f64::from).zip(NILE)).unwrap();
        let trend = Trend::of(&series, &plan()).unwrap();
        let interval = trend.slope.interval;
        assert!((1.3..3.0).contains(&(interval.width() / (3.63 - 1.43))), "{trend:?}");
        assert!((0.2..0.6).contains(&trend.autocorrelation), "{trend:?}");
    }

    #[test]
    fn too_few_points_are_an_error() {
        let few = Trend::of(&noisy_line(11, 1.0), &plan());
        assert_eq!(few, Err(TooFew { n: 11, needs: 12 }));
        let at_once = Series::new((0..50).map(|i| (1.0, f64::from(i)))).unwrap();
        assert_eq!(Trend::of(&at_once, &plan()), Err(TooFew { n: 1, needs: 2 }));
        let flat = Series::new((0..50).map(|i| (f64::from(i), 7.0))).unwrap();
        let trend = Trend::of(&flat, &plan()).unwrap();
        assert_eq!(trend.drift(Materiality::Relative(0.0)), Drift::NotShown);
    }
}
