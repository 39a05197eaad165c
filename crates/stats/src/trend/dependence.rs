//! First-order autocorrelation of residuals, and noise with the same autocorrelation.

use super::super::bootstrap::{BlockLength, resample_circular_blocks};
use super::super::convert::{count, real};
use super::super::rng::StatsRng;
use super::super::sample::mean;

/// Above it, a series of practical length cannot be distinguished from a random walk.
const MAX_COEFFICIENT: f64 = 0.95;

/// After this many values, even the strongest autocorrelation has forgotten its start.
const RUN_IN: usize = 100;

/// The coefficient of a first-order autoregression, from 0 to 0.95, and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dependence {
    pub(super) coefficient: f64,
    standard_error: f64,
}

impl Dependence {
    /// The autocorrelation of residuals from a fit with that many parameters. A fit follows the noise, which makes the
    /// residuals less autocorrelated than the noise: by about `(p + (p + 2) c) / n` for `p`
    /// parameters, which is undone here (a mean: M. G. Kendall, Biometrika 41 (1954), 403-404; a
    /// line: N. P. A. van Giersbergen, Economics Letters 89 (2005), 75-82).
    pub(super) fn of_residuals(residuals: &[f64], parameters: f64) -> Self {
        let n = real(count(residuals.len()));
        let centre = mean(residuals);
        let product = |one: f64, other: f64| (one - centre) * (other - centre);
        let later = residuals.iter().skip(1);
        let lagged: f64 = residuals.iter().zip(later).map(|(a, b)| product(*a, *b)).sum();
        let squares: f64 = residuals.iter().map(|value| product(*value, *value)).sum();
        let raw = if squares > 0.0 { lagged / squares } else { 0.0 };
        let corrected = (raw * n + parameters) / (n - parameters - 2.0).max(1.0);
        let coefficient = if squares > 0.0 { corrected.clamp(0.0, MAX_COEFFICIENT) } else { 0.0 };
        let standard_error = ((1.0 - coefficient * coefficient) / n.max(1.0)).sqrt();
        Self { coefficient, standard_error }
    }

    /// A coefficient drawn from the uncertainty of the estimate.
    fn plausible(self, rng: &mut StatsRng) -> f64 {
        (self.coefficient + self.standard_error * rng.normal()).clamp(0.0, MAX_COEFFICIENT)
    }

    /// Fills `noise` with normal noise of this autocorrelation, its uncertainty included, stationary from the first
    /// value.
    pub(super) fn normal_noise(self, rng: &mut StatsRng, noise: &mut [f64]) {
        let coefficient = self.plausible(rng);
        let innovation = (1.0 - coefficient * coefficient).sqrt();
        let mut value = rng.normal();
        for slot in noise {
            *slot = value;
            value = coefficient * value + innovation * rng.normal();
        }
    }
}

/// Generates residuals like the given ones: removes the first-order autocorrelation, resamples the innovations in
/// circular blocks, so that dependence beyond the first order stays too, and adds the autocorrelation again: the post-blackened block bootstrap (A. C. Davison and
/// D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 8.2).
#[derive(Debug, Clone)]
pub(super) struct ResidualSource {
    dependence: Dependence,
    innovations: Vec<f64>,
    block: BlockLength,
    drawn: Vec<f64>,
    run_in: Vec<f64>,
}

impl ResidualSource {
    pub(super) fn new(residuals: &[f64], dependence: Dependence, block: BlockLength) -> Self {
        let coefficient = dependence.coefficient;
        let pairs = residuals.iter().zip(residuals.iter().skip(1));
        let mut innovations: Vec<f64> =
            pairs.map(|(before, value)| value - coefficient * before).collect();
        let centre = mean(&innovations);
        for value in &mut innovations {
            *value -= centre;
        }
        Self { dependence, innovations, block, drawn: Vec::new(), run_in: Vec::new() }
    }

    /// Fills `residuals` with another draw.
    pub(super) fn draw(&mut self, rng: &mut StatsRng, residuals: &mut [f64]) {
        let coefficient = self.dependence.plausible(rng);
        let mut value = 0.0;
        while coefficient > 0.0 && self.run_in.len() < RUN_IN && !self.innovations.is_empty() {
            resample_circular_blocks(&self.innovations, self.block, rng, &mut self.drawn);
            self.run_in.append(&mut self.drawn);
        }
        for innovation in self.run_in.drain(..) {
            value = coefficient * value + innovation;
        }
        let mut filled = 0;
        while filled < residuals.len() && !self.innovations.is_empty() {
            resample_circular_blocks(&self.innovations, self.block, rng, &mut self.drawn);
            for (slot, innovation) in residuals[filled..].iter_mut().zip(&self.drawn) {
                value = coefficient * value + innovation;
                *slot = value;
                filled += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(coefficient: f64, n: usize) -> Vec<f64> {
        let exact = Dependence { coefficient, standard_error: 0.0 };
        let mut noise = vec![0.0; n];
        exact.normal_noise(&mut StatsRng::new(1, 0), &mut noise);
        noise
    }

    #[test]
    fn autocorrelation_is_estimated_and_reproduced() {
        for coefficient in [0.0, 0.3, 0.6, 0.9] {
            let series = noise(coefficient, 20_000);
            let found = Dependence::of_residuals(&series, 1.0);
            assert!((found.coefficient - coefficient).abs() < 0.02, "{found:?}");
            let mut source = ResidualSource::new(&series, found, BlockLength::new(10).unwrap());
            let mut again = vec![0.0; 20_000];
            source.draw(&mut StatsRng::new(2, 0), &mut again);
            let refound = Dependence::of_residuals(&again, 1.0);
            assert!((refound.coefficient - coefficient).abs() < 0.04, "{found:?} {refound:?}");
            let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
            let spread = square(&again) / square(&series);
            assert!((spread - 1.0).abs() < 0.2, "{coefficient}: {spread}");
        }
    }

    /// Around its own mean, a short series is less autocorrelated than its process: 0.53 for 0.6.
    #[test]
    fn the_bias_of_short_series_is_corrected() {
        let exact = Dependence { coefficient: 0.6, standard_error: 0.0 };
        let found = (0..400).map(|stream| {
            let mut noise = [0.0; 40];
            exact.normal_noise(&mut StatsRng::new(3, stream), &mut noise);
            Dependence::of_residuals(&noise, 1.0).coefficient
        });
        let mean = found.sum::<f64>() / 400.0;
        assert!((mean - 0.6).abs() < 0.03, "{mean}");
    }

    #[test]
    fn constant_series_have_no_autocorrelation() {
        for residuals in [&[][..], &[1.0], &[0.0; 40]] {
            let found = Dependence::of_residuals(residuals, 2.0);
            assert!(
                found.coefficient.abs() < 1e-12 && found.standard_error.is_finite(),
                "{found:?}"
            );
            let mut again = vec![7.0; residuals.len()];
            let mut source = ResidualSource::new(residuals, found, BlockLength::new(3).unwrap());
            source.draw(&mut StatsRng::new(1, 0), &mut again);
            assert!(again.iter().all(|value| value.is_finite()));
        }
    }
}
