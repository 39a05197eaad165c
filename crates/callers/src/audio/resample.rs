//! Sound at one rate turned into sound at another.

use std::f64::consts::PI;

/// How many zero crossings of the kernel lie on each side of a sample: more means a steeper edge below half the rate.
const CROSSINGS: usize = 16;
/// How many places of the kernel are tabled from one zero crossing to the next; between them a line is drawn.
const PLACES: usize = 512;
/// The shape of the Kaiser window; 9 keeps what is folded back some 90 dB down.
const KAISER_BETA: f64 = 9.0;
/// How much of the lower rate's band is kept, so that the edge has fallen where the band ends.
const KEPT_BAND: f64 = 0.94;

/// The same sound with `to` samples a second instead of `from`, by band-limited interpolation: a sinc under a Kaiser
/// window (J. O. Smith, "Digital Audio Resampling Home Page"). Neither rate may be zero.
pub(super) fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to {
        return samples.to_vec();
    }
    let kernel = kernel();
    let (from, to) = (u64::from(from), u64::from(to));
    // Crossings of the kernel for each sample that comes in.
    let scale = KEPT_BAND * (to as f64 / from as f64).min(1.0);
    let reach = CROSSINGS as f64 / scale;
    let length = (samples.len() as u64 * to).div_ceil(from);
    (0..length)
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

/// One side of the kernel, from its middle on.
fn kernel() -> Vec<f64> {
    let count = CROSSINGS * PLACES;
    (0..=count)
        .map(|place| {
            let x = PI * place as f64 / PLACES as f64;
            let sinc = if place == 0 { 1.0 } else { x.sin() / x };
            let edge = place as f64 / count as f64;
            sinc * bessel_i0(KAISER_BETA * (1.0 - edge * edge).sqrt()) / bessel_i0(KAISER_BETA)
        })
        .collect()
}

fn kernel_at(kernel: &[f64], crossing: f64) -> f64 {
    let place = crossing * PLACES as f64;
    let below = to_index(place);
    match kernel.get(below..below + 2) {
        Some([left, right]) => left + (right - left) * (place - below as f64),
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
    reason = "a place in a sound in memory, never negative"
)]
fn to_index(place: f64) -> usize {
    place as usize
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

    /// The greatest difference away from the ends, where the sound begins and stops at once.
    fn difference(left: &[f32], right: &[f32]) -> f32 {
        let inner = left.len() / 8..left.len() * 7 / 8;
        left[inner.clone()]
            .iter()
            .zip(&right[inner])
            .map(|(l, r)| (l - r).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_stays_the_same_tone_at_every_rate() {
        for from in [8_000, 11_025, 11_111, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
        {
            let made = resample(&sine(1_000.0, from, 0.2), from, 48_000);
            assert_eq!(made.len(), 9_600.min(made.len()), "{from}");
            assert!(made.len() >= 9_595, "{from}: {}", made.len());
            let off = difference(&made, &sine(1_000.0, 48_000, 0.2)[..made.len()]);
            assert!(off < 0.000_2, "{from}: {off}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        let made = resample(&sine(30_000.0, 96_000, 0.2), 96_000, 48_000);
        let silence = vec![0.0; made.len()];
        assert!(difference(&made, &silence) < 0.000_1);
    }

    #[test]
    fn sounds_shorter_than_the_kernel_are_taken() {
        assert_eq!(resample(&[], 8_000, 48_000), Vec::<f32>::new());
        assert_eq!(resample(&[0.5], 8_000, 48_000).len(), 6);
        assert_eq!(resample(&[0.5, 0.5], 96_000, 48_000).len(), 1);
    }
}
