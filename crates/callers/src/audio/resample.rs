//! Sample rate conversion.

use std::f64::consts::PI;

/// Zero crossings of the kernel on each side of a sample: with more, the transition band is narrower.
const CROSSINGS: usize = 16;
/// Table entries of the kernel from one zero crossing to the next; values between them are interpolated linearly.
const ENTRIES: usize = 512;
/// The shape of the Kaiser window; 9 suppresses aliases by some 90 dB.
const KAISER_BETA: f64 = 9.0;
/// The passband, as a part of the lower rate's band; the rest is for the transition.
const PASSBAND: f64 = 0.94;

/// Converts samples from the rate `from` to the rate `to`, by band-limited interpolation with a Kaiser-windowed sinc
/// (J. O. Smith, "Digital Audio Resampling Home Page"). Neither rate may be zero.
pub(super) fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to {
        return samples.to_vec();
    }
    let kernel = kernel();
    let (from, to) = (u64::from(from), u64::from(to));
    // Zero crossings per input sample.
    let scale = PASSBAND * (to as f64 / from as f64).min(1.0);
    let reach = CROSSINGS as f64 / scale;
    let count = (samples.len() as u64 * to).div_ceil(from);
    (0..count)
        .map(|index| {
            let whole = index * from / to;
            let centre = whole as f64 + (index * from % to) as f64 / to as f64;
            let first = to_index((centre - reach).ceil().max(0.0));
            let last = to_index(centre + reach).min(samples.len() - 1);
            let sum: f64 = samples[first..=last]
                .iter()
                .zip(first..)
                .map(|(sample, at)| {
                    f64::from(*sample) * kernel_at(&kernel, (at as f64 - centre).abs() * scale)
                })
                .sum();
            to_sample(sum * scale)
        })
        .collect()
}

/// One side of the kernel, from its centre on.
fn kernel() -> Vec<f64> {
    let count = CROSSINGS * ENTRIES;
    (0..=count)
        .map(|entry| {
            let x = PI * entry as f64 / ENTRIES as f64;
            let sinc = if entry == 0 { 1.0 } else { x.sin() / x };
            let edge = entry as f64 / count as f64;
            sinc * bessel_i0(KAISER_BETA * (1.0 - edge * edge).sqrt()) / bessel_i0(KAISER_BETA)
        })
        .collect()
}

fn kernel_at(kernel: &[f64], crossing: f64) -> f64 {
    let position = crossing * ENTRIES as f64;
    let below = to_index(position);
    match kernel.get(below..below + 2) {
        Some([left, right]) => left + (right - left) * (position - below as f64),
        _ => 0.0,
    }
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index of samples in memory, never negative"
)]
fn to_index(position: f64) -> usize {
    position as usize
}

#[expect(clippy::cast_possible_truncation, reason = "samples have the precision of f32")]
fn to_sample(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let count = to_index(f64::from(rate) * seconds);
        (0..count)
            .map(|n| to_sample((2.0 * PI * hertz * n as f64 / f64::from(rate)).sin() * 0.5))
            .collect()
    }

    /// The largest difference, without the ends, where the sine begins and stops abruptly.
    fn difference(left: &[f32], right: &[f32]) -> f32 {
        let inner = left.len() / 8..left.len() * 7 / 8;
        left[inner.clone()]
            .iter()
            .zip(&right[inner])
            .map(|(l, r)| (l - r).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_is_preserved_at_every_rate() {
        for from in [8_000, 11_025, 11_111, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
        {
            let output = resample(&sine(1_000.0, from, 0.2), from, 48_000);
            assert_eq!(output.len(), 9_600.min(output.len()), "{from}");
            assert!(output.len() >= 9_595, "{from}: {}", output.len());
            let error = difference(&output, &sine(1_000.0, 48_000, 0.2)[..output.len()]);
            assert!(error < 0.000_2, "{from}: {error}");
        }
    }

    #[test]
    fn frequencies_above_the_lower_rates_band_are_removed() {
        let output = resample(&sine(30_000.0, 96_000, 0.2), 96_000, 48_000);
        let silence = vec![0.0; output.len()];
        assert!(difference(&output, &silence) < 0.000_1);
    }

    #[test]
    fn signals_shorter_than_the_kernel_are_converted() {
        assert_eq!(resample(&[], 8_000, 48_000), Vec::<f32>::new());
        assert_eq!(resample(&[0.5], 8_000, 48_000).len(), 6);
        assert_eq!(resample(&[0.5, 0.5], 96_000, 48_000).len(), 1);
    }
}
