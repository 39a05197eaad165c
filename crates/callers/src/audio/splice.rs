//! Whether a voice goes on where it broke off: a source that had run dry resumes at the very sample, so that without the gap
//! the pulses of the voice keep their rhythm and their form.

use std::ops::Range;

/// Samples that are compared: 10 ms at 16 kHz.
const COMPARED: usize = 160;
/// The periods that a voice may have, in samples: 50 to 500 Hz.
const PERIODS: Range<usize> = 32..321;
/// From this correlation of a sound with itself on, it is that of a voice,
const VOICED: f32 = 0.8;
/// and certainly.
const CLEARLY_VOICED: f32 = 0.85;
/// Samples by which periods differ from one to the next.
const UNEVEN: usize = 3;

/// What the sound on both sides of a gap has in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Splice {
    /// The correlation of what was heard before the gap with itself, a period earlier.
    periodic: f32,
    /// The correlation of what is heard after it with that, whole periods earlier.
    pub(super) continues: f32,
}

impl Splice {
    /// `gap` samples that are not heard lie between the end of what is known from before the gap, and the beginning of what
    /// is known from after it; both ends in samples. `None` if too little is known.
    pub(super) fn of(samples: &[f32], before: usize, after: usize, gap: usize) -> Option<Self> {
        let right = samples.get(after..after + COMPARED)?;
        let left = before.checked_sub(COMPARED)?;
        let known = samples.get(..before)?;
        let earlier = |begin: usize, lag: usize| {
            let from = begin.checked_sub(lag)?;
            known.get(from..from + COMPARED)
        };
        let (periodic, period) = PERIODS
            .filter_map(|lag| Some((correlation(&known[left..], earlier(left, lag)?), lag)))
            .max_by(|one, other| one.0.total_cmp(&other.0))?;
        // Where it begins if the gap is taken out, and how far back all of it is known.
        let begin = after.checked_sub(gap)?;
        let nearest = (begin + COMPARED).saturating_sub(before).max(PERIODS.start);
        let first = nearest.div_ceil(period);
        let rhythm = |number: usize| {
            let (lag, uneven) = (number * period, UNEVEN * (number + 1));
            lag.saturating_sub(uneven).max(nearest)..lag + uneven + 1
        };
        let lags = rhythm(first).chain(rhythm(first + 1));
        let continues = lags.filter_map(|lag| Some(correlation(right, earlier(begin, lag)?)));
        Some(Self { periodic, continues: continues.max_by(f32::total_cmp)? })
    }

    /// Whether there was a voice before the gap, by which one can tell.
    pub(super) const fn is_voiced(self) -> bool {
        self.periodic > VOICED
    }

    /// Whether there certainly was a voice, and it does not go on.
    pub(super) const fn breaks(self) -> bool {
        self.periodic > CLEARLY_VOICED && self.continues < 0.3
    }
}

/// The normalised correlation of two signals: 1 if they are alike.
fn correlation(one: &[f32], other: &[f32]) -> f32 {
    let (mut both, mut first, mut second) = (0.0, 0.0, 1e-12_f32);
    for (one, other) in one.iter().zip(other) {
        both += one * other;
        first += one * one;
        second += other * other;
    }
    both / (first * second + 1e-12).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    /// A voice of 125 Hz with overtones, at a sample.
    fn voice(sample: usize) -> f32 {
        let phase = TAU * 125.0 * sample as f32 / 16_000.0;
        (1..8).map(|n| (phase * n as f32 + n as f32).cos() / n as f32).sum::<f32>() * 0.1
    }

    /// What is heard of a voice that pauses for some samples, and goes on so many later than where it was.
    fn splice(gap: usize, later: usize) -> Splice {
        let mut samples: Vec<f32> = (0..1_600).map(voice).collect();
        samples.extend(vec![0.0; gap]);
        samples.extend((1_600 + later..2_400 + later).map(voice));
        Splice::of(&samples, 1_560, 1_640 + gap, gap).unwrap()
    }

    #[test]
    fn a_voice_goes_on_only_if_it_keeps_its_rhythm() {
        for gap in [480, 1_600, 4_800] {
            let cut = splice(gap, 0);
            assert!(cut.is_voiced() && cut.continues > 0.95 && !cut.breaks(), "{cut:?}");
            let pause = splice(gap, 64);
            assert!(pause.is_voiced() && pause.breaks(), "half a period later: {pause:?}");
        }
    }

    #[test]
    fn what_has_no_period_is_no_voice_and_little_sound_tells_nothing() {
        let mut rng = rushhour_core::rng::SeededRng::new(2);
        let mut sample = || rng.below(2_001) as f32 / 1_000.0 - 1.0;
        let noise: Vec<f32> = (0..4_000).map(|_| sample()).collect();
        let splice = Splice::of(&noise, 1_600, 2_400, 800).unwrap();
        assert!(!splice.is_voiced() && !splice.breaks(), "{splice:?}");
        assert_eq!(Splice::of(&noise, 100, 2_400, 800), None);
        assert_eq!(Splice::of(&noise, 1_600, 3_900, 800), None);
        assert_eq!(Splice::of(&[], 0, 0, 0), None);
    }
}
