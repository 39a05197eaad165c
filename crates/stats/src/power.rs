//! Power analysis: the smallest ratio that a number of runs can detect, and the runs that a ratio needs.
//!
//! For planning only, durations are taken as lognormal with a spread `sigma` (the standard deviation of their
//! logarithms); no verdict rests on it. The logarithm of a sample
//! quantile then has the standard error `sigma sqrt(q (1 - q) / n) / phi(z)`, with `z` the normal
//! quantile and `phi` the normal density (A. W. van der Vaart, Asymptotic Statistics, corollary
//! 21.5). It is good from about the smallest sample that has an interval.

use super::confidence::Confidence;
use super::convert::{count, real, whole};
use super::interval::{Interval, TooFew};
use super::normal;
use super::order_statistic::min_sample_size;
use super::quantile::Quantile;
use super::sample::{Sample, mean};

/// The standard deviation of the logarithms of durations; above 0, at most 10.
///
/// Usual latencies lie between 0.2 and 1; 0.5 means that two in three lie within a factor of 1.65.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Spread(f64);

impl Spread {
    /// For planning when nothing has been measured yet.
    pub const DEFAULT: Self = Self(0.5);

    /// A spread; `None` unless it is above 0 and at most 10.
    pub fn new(sigma: f64) -> Option<Self> {
        (sigma > 0.0 && sigma <= 10.0).then_some(Self(sigma))
    }

    /// The spread of a sample's positive values; `None` with fewer than two of them, or when they
    /// do not vary.
    pub fn of(sample: &Sample) -> Option<Self> {
        let positive = sample.ascending().iter().filter(|value| **value > 0.0);
        let logarithms: Vec<f64> = positive.map(|value| value.ln()).collect();
        let centre = mean(&logarithms);
        let squares: f64 = logarithms.iter().map(|value| (value - centre).powi(2)).sum();
        let degrees = count(logarithms.len()).checked_sub(1).filter(|&degrees| degrees > 0)?;
        Self::new((squares / real(degrees)).sqrt())
    }

    /// The standard deviation of the logarithms.
    pub const fn sigma(self) -> f64 {
        self.0
    }
}

/// The probability of detecting a difference that exists; between 0.5 and 0.999.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Power(f64);

impl Power {
    /// The usual aim.
    pub const PERCENT_80: Self = Self(0.8);

    /// A power; `None` outside 0.5 to 0.999.
    pub fn new(fraction: f64) -> Option<Self> {
        (0.5..=0.999).contains(&fraction).then_some(Self(fraction))
    }

    /// The power as a fraction.
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl Default for Power {
    fn default() -> Self {
        Self::PERCENT_80
    }
}

/// Two arms of equally many runs, compared at one quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// Which quantile.
    pub quantile: Quantile,
    /// Runs in each arm.
    pub runs_per_arm: u64,
    /// How much durations vary.
    pub spread: Spread,
    /// The confidence of the interval.
    pub confidence: Confidence,
}

impl Design {
    /// The half width of the ratio's interval, as a share: 0.19 means that a ratio of 1 has an interval up to 1.19.
    /// `None` for no runs; below [`min_sample_size`] runs it is the theoretical width of an interval that does not
    /// exist.
    pub fn half_width(&self) -> Option<f64> {
        let error = self.error_of_one() * (2.0 / real(self.runs_per_arm)).sqrt();
        let width = (self.confidence.critical_value() * error).exp_m1();
        width.is_finite().then_some(width)
    }

    /// The smallest ratio above 1 that is detected with the given power; its inverse is detected as often.
    ///
    /// # Errors
    /// [`TooFew`] runs for an interval.
    pub fn detectable_ratio(&self, power: Power) -> Result<f64, TooFew> {
        Ok(((self.confidence.critical_value() + power_z(power)) * self.standard_error()?).exp())
    }

    /// The probability that the interval excludes 1 where `ratio` is the true ratio: for a ratio of 1 the rate of false
    /// alarms, and 0 for a ratio that is not above 0.
    ///
    /// # Errors
    /// [`TooFew`] runs for an interval.
    pub fn power(&self, ratio: f64) -> Result<f64, TooFew> {
        let error = self.standard_error()?;
        if !ratio.is_finite() || ratio <= 0.0 {
            return Ok(0.0);
        }
        let (z, distance) = (self.confidence.critical_value(), ratio.ln().abs() / error);
        Ok(normal::cumulative(distance - z) + normal::cumulative(-distance - z))
    }

    /// The runs per arm that detect a ratio with the given power, regardless of the runs of this design. `None` for a
    /// ratio of 1, or one that is not a positive number.
    pub fn runs_to_detect(&self, ratio: f64, power: Power) -> Option<u64> {
        let distance = Self::distance(ratio)?;
        let critical = self.confidence.critical_value() + power_z(power);
        Some(self.at_least(2.0 * (critical * self.error_of_one() / distance).powi(2)))
    }

    /// The runs of one arm alone after which the interval of its quantile would exclude a limit of `ratio` times the
    /// quantile, if the quantile stays the same. `None` for a ratio of 1, or one that is not a positive number.
    pub fn runs_to_exclude(&self, ratio: f64) -> Option<u64> {
        let distance = Self::distance(ratio)?;
        let critical = self.confidence.critical_value();
        Some(self.at_least((critical * self.error_of_one() / distance).powi(2)))
    }

    fn distance(ratio: f64) -> Option<f64> {
        let usable = ratio.is_finite() && ratio > 0.0 && ratio.ln().abs() > f64::EPSILON;
        usable.then(|| ratio.ln().abs())
    }

    fn at_least(&self, runs: f64) -> u64 {
        whole(runs.ceil()).max(min_sample_size(self.quantile, self.confidence))
    }

    /// The standard error of the logarithm of the ratio.
    fn standard_error(&self) -> Result<f64, TooFew> {
        let (n, needs) = (self.runs_per_arm, min_sample_size(self.quantile, self.confidence));
        if n < needs {
            return Err(TooFew { n, needs });
        }
        Ok(self.error_of_one() * (2.0 / real(n)).sqrt())
    }

    /// The standard error of the logarithm of one arm's quantile, times the root of its runs.
    fn error_of_one(&self) -> f64 {
        let q = self.quantile.fraction();
        self.spread.0 * (q * (1.0 - q)).sqrt() / normal::density(normal::inverse_cumulative(q))
    }
}

/// The standard normal quantile of the power.
fn power_z(power: Power) -> f64 {
    normal::inverse_cumulative(power.0)
}

/// The smallest ratio above 1 that a comparison with this interval of the ratio could have detected with the given
/// power, whatever it found; `None` unless the interval lies above 0.
pub fn detectable_ratio_of(
    interval: Interval,
    confidence: Confidence,
    power: Power,
) -> Option<f64> {
    if interval.low() <= 0.0 {
        return None;
    }
    let z = confidence.critical_value();
    let error = (interval.high() / interval.low()).ln() / (2.0 * z);
    let ratio = ((z + power_z(power)) * error).exp();
    ratio.is_finite().then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(quantile: Quantile, runs_per_arm: u64) -> Design {
        let confidence = Confidence::PERCENT_95;
        Design { quantile, runs_per_arm, spread: Spread::DEFAULT, confidence }
    }

    #[test]
    fn half_widths_for_planning() {
        for (runs, percent) in
            [(100, [19, 34, 68]), (200, [13, 23, 44]), (500, [8, 14, 26]), (1000, [6, 10, 18])]
        {
            let found = [Quantile::P50, Quantile::P95, Quantile::P99]
                .map(|quantile| whole(design(quantile, runs).half_width().unwrap() * 100.0 + 0.5));
            assert_eq!(found, percent, "{runs}");
        }
        assert_eq!(design(Quantile::P50, 0).half_width(), None);
    }

    #[test]
    fn the_power_for_a_quarter_more_agrees_with_theory() {
        let power = |quantile, runs| design(quantile, runs).power(1.25).unwrap();
        assert!((power(Quantile::P50, 200) - 0.945).abs() < 0.001);
        assert!((power(Quantile::P50, 50) - 0.429).abs() < 0.001, "{}", power(Quantile::P50, 50));
        assert!((power(Quantile::P95, 200) - 0.561).abs() < 0.001);
        let same = design(Quantile::P50, 200).power(0.8).unwrap();
        assert!((same - power(Quantile::P50, 200)).abs() < 1e-12);
        assert!((design(Quantile::P50, 200).power(1.0).unwrap() - 0.05).abs() < 1e-9);
        assert!(design(Quantile::P50, 200).power(-1.0).unwrap().abs() < 1e-12);
        assert!(design(Quantile::P50, 200).power(f64::NAN).unwrap().abs() < 1e-12);
    }

    #[test]
    fn the_detectable_ratio_has_the_requested_power() {
        for quantile in [Quantile::P50, Quantile::P95] {
            let design = design(quantile, 300);
            let ratio = design.detectable_ratio(Power::PERCENT_80).unwrap();
            assert!((design.power(ratio).unwrap() - 0.8).abs() < 1e-4, "{quantile}: {ratio}");
            let runs = design.runs_to_detect(ratio, Power::PERCENT_80).unwrap();
            assert!(runs.abs_diff(300) <= 1, "{quantile}: {runs}");
        }
        let few = design(Quantile::P99, 100).detectable_ratio(Power::PERCENT_80);
        assert_eq!(few, Err(TooFew { n: 100, needs: 368 }));
    }

    #[test]
    fn runs_that_exclude_a_limit() {
        let design = design(Quantile::P50, 0);
        // One arm's error at 100 runs is 0.0627, and 1.96 of them are a ratio of 1.1307.
        let runs = design.runs_to_exclude(1.130_7).unwrap();
        assert!(runs.abs_diff(100) <= 1, "{runs}");
        assert_eq!(design.runs_to_exclude(1e9), Some(6));
        for ratio in [1.0, 0.0, -2.0, f64::NAN, f64::INFINITY] {
            assert_eq!(design.runs_to_exclude(ratio), None, "{ratio}");
            assert_eq!(design.runs_to_detect(ratio, Power::PERCENT_80), None, "{ratio}");
        }
    }

    #[test]
    fn an_interval_shows_what_it_could_have_detected() {
        let design = design(Quantile::P50, 200);
        let reach = 1.0 + design.half_width().unwrap();
        let interval = Interval::new(1.3 / reach, 1.3 * reach).unwrap();
        let seen =
            detectable_ratio_of(interval, Confidence::PERCENT_95, Power::PERCENT_80).unwrap();
        assert!((seen - design.detectable_ratio(Power::PERCENT_80).unwrap()).abs() < 1e-9);
        let touching_zero = Interval::new(0.0, 2.0).unwrap();
        let none = detectable_ratio_of(touching_zero, Confidence::PERCENT_95, Power::PERCENT_80);
        assert_eq!(none, None);
    }

    #[test]
    fn a_spread_is_that_of_the_logarithms() {
        let sample = Sample::new([-1.0, 0.0, 1.0].map(|x| f64::exp(2.0 * x)).to_vec()).unwrap();
        assert!((Spread::of(&sample).unwrap().sigma() - 2.0).abs() < 1e-12);
        for values in [vec![1.0], vec![3.0; 9], vec![0.0, 0.0, 1.0]] {
            assert_eq!(Spread::of(&Sample::new(values).unwrap()), None);
        }
        assert_eq!(Spread::new(f64::NAN), None);
        assert_eq!(Power::new(0.4), None);
        assert!((Power::default().fraction() - 0.8).abs() < 1e-12);
    }
}
