//! Whether speech was cut: digital silence with a hard edge on both sides, as a source leaves that has run dry.
//!
//! A voice that pauses leaves the tone of its room, or fades out more slowly than a codec rings out. Where a synthesiser puts
//! digital silence between sounds, what follows is another sound: after a cut the same one goes on, as loud and with the same
//! spectrum. So a cut that falls between two sounds is not found; a pause is hardly ever taken for a cut.

use std::f32::consts::TAU;
use std::ops::Range;

use super::voice_activity::VoiceActivity;
use rushhour_core::units::Micros;

/// The length of a window whose level is measured: LiveKit's agents send 10 ms at a time.
const WINDOW: Micros = Micros::from_millis(5);
/// Its samples, at 16 kHz.
const WINDOW_SAMPLES: usize = 80;
/// Silence as it comes out of the codec soon after a sound, in dBFS.
const SILENT: f32 = -70.0;
/// Digital silence; a microphone, and dither, are louder.
const DIGITAL: f32 = -98.0;
/// From so many windows of silence on, the codec has come to rest.
const AT_REST: usize = 14;
/// Speech that is cut is at least this loud next to the cut, in dBFS,
const LOUD: f32 = -36.0;
/// and not much softer than what is around it, in decibels.
const SOFTER: f32 = 20.0;
/// The windows around a cut that tell how loud the speech is.
const SPEECH: usize = 12;
/// Of these, so many must sound: what is shorter is a click or a key.
const LASTS: usize = 7;
/// The windows in which the codec lets a sound that was cut ring out, and in which it lets it begin again.
const RINGS_OUT: usize = 10;
const BEGINS: usize = 4;
/// The windows whose sound is compared on both sides.
const COMPARED: usize = 4;
/// By how much the two sides differ at most, in decibels: in level, and in the shape of the spectrum; in that less after a
/// silence as long as voices pause.
const LEVEL_DIFFERENCE: f32 = 14.0;
const SHAPE_DIFFERENCE: f32 = 6.5;
const SHAPE_DIFFERENCE_OF_LONG: f32 = 5.0;
/// From so many windows on, a silence may be a pause between words: 150 ms.
const LONG: usize = 30;
/// The fewest windows of a gap: a shorter one is a click.
const FEWEST: usize = 6;

/// The frequencies at which the spectrum is looked at, in hertz.
const BANDS: [f32; 7] = [200.0, 500.0, 800.0, 1_200.0, 1_800.0, 2_600.0, 3_800.0];
const HERTZ: f32 = 16_000.0;

/// A window of sound.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// In dBFS.
    level: f32,
    /// The power at each of the frequencies.
    bands: [f32; BANDS.len()],
}

impl Window {
    const SILENCE: Self = Self { level: f32::NEG_INFINITY, bands: [0.0; BANDS.len()] };

    fn of(samples: &[f32]) -> Self {
        let sum: f32 = samples.iter().map(|sample| sample * sample).sum();
        let level = 10.0 * (sum / samples.len() as f32).log10();
        if level < SILENT {
            return Self { level, ..Self::SILENCE };
        }
        let mut bands = [0.0; BANDS.len()];
        for (power, hertz) in bands.iter_mut().zip(BANDS) {
            *power = goertzel(samples, hertz);
        }
        Self { level, bands }
    }
}

/// The power of a signal at a frequency (G. Goertzel, 1958).
fn goertzel(samples: &[f32], hertz: f32) -> f32 {
    let coefficient = 2.0 * (TAU * hertz / HERTZ).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + coefficient * last - before, last);
    }
    last * last + before * before - coefficient * last * before
}

/// What is heard around a silence, window by window.
#[derive(Debug, Default)]
pub(super) struct CutLevels {
    windows: Vec<Window>,
}

impl CutLevels {
    pub(super) fn clear(&mut self) {
        self.windows.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    pub(super) fn are_silent(&self) -> bool {
        self.windows.iter().all(|window| window.level < SILENT)
    }

    /// Silence that was not sent.
    pub(super) fn add_silence(&mut self, length: Micros) {
        let windows = usize::try_from(length.0 / WINDOW.0).unwrap_or(0).min(400);
        self.windows.extend(std::iter::repeat_n(Window::SILENCE, windows));
    }

    /// Decodes the next packet.
    pub(super) fn decode(&mut self, activity: &mut VoiceActivity, payload: &[u8]) {
        self.windows.extend(activity.decode_apart(payload).chunks(WINDOW_SAMPLES).map(Window::of));
    }

    /// The length of the gap around a window, if the silence there cuts speech.
    pub(super) fn cut_around(&self, middle: usize) -> Option<Micros> {
        let silence = self.silence_around(middle)?;
        let (start, end) = (silence.start, silence.end);
        let is_loud = |index: &usize| self.windows[*index].level >= LOUD;
        let before = (start.saturating_sub(RINGS_OUT)..start).rev().find(is_loud)?;
        let after = (end..(end + BEGINS).min(self.windows.len())).find(is_loud)?;
        let rests = silence.len() < AT_REST
            || silence.clone().any(|index| self.windows[index].level < DIGITAL);
        let left = (before + 1).saturating_sub(SPEECH)..before + 1;
        let right = after..(after + SPEECH).min(self.windows.len());
        let is_hard = |edge: usize, around: Range<usize>| {
            let around = &self.windows[around];
            let lasts = around.iter().filter(|window| window.level >= LOUD - SOFTER).count();
            lasts >= LASTS && self.windows[edge].level >= loudest(around) - SOFTER
        };
        let gap = after - before - 1;
        let is_cut = gap >= FEWEST
            && rests
            && is_hard(before, left)
            && is_hard(after, right)
            && self.goes_on(before, after, gap);
        is_cut.then(|| Micros(WINDOW.0 * gap as u64))
    }

    /// Whether the sound up to one window goes on from another, after a gap.
    fn goes_on(&self, before: usize, after: usize, gap: usize) -> bool {
        let sum = |range: Range<usize>| {
            let mut sum = [1e-9_f32; BANDS.len()];
            for window in &self.windows[range] {
                for (sum, power) in sum.iter_mut().zip(window.bands) {
                    *sum += power;
                }
            }
            sum.map(|power| 10.0 * power.log10())
        };
        let one = sum((before + 1).saturating_sub(COMPARED)..before + 1);
        let other = sum(after..(after + COMPARED).min(self.windows.len()));
        let count = BANDS.len() as f32;
        let differences = || one.iter().zip(&other).map(|(one, other)| one - other);
        let level = differences().sum::<f32>() / count;
        let shape = differences().map(|one| (one - level).powi(2)).sum::<f32>() / count;
        let most = if gap > LONG { SHAPE_DIFFERENCE_OF_LONG } else { SHAPE_DIFFERENCE };
        level.abs() <= LEVEL_DIFFERENCE && shape.sqrt() <= most
    }

    fn silence_around(&self, middle: usize) -> Option<Range<usize>> {
        let is_silent = |index: &usize| self.windows[*index].level < SILENT;
        (middle < self.windows.len() && is_silent(&middle)).then_some(())?;
        let start = (0..middle).rev().take_while(is_silent).last().unwrap_or(middle);
        let end = (middle..self.windows.len()).take_while(is_silent).last()? + 1;
        Some(start..end)
    }
}

fn loudest(windows: &[Window]) -> f32 {
    windows.iter().map(|window| window.level).fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(levels: &[f32], tilt: f32) -> impl Iterator<Item = Window> {
        levels.iter().map(move |level| {
            let power = 10.0_f32.powf(level / 10.0);
            let band = |n: f32| power * 10.0_f32.powf(tilt * n / 10.0);
            Window { level: *level, bands: [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(band) }
        })
    }

    fn cut(before: &[f32], silence: usize, after: &[f32], tilt: f32) -> Option<u64> {
        let mut levels = CutLevels::default();
        levels.windows.extend(sound(before, 0.0));
        levels.add_silence(Micros(WINDOW.0 * silence as u64));
        levels.windows.extend(sound(after, tilt));
        levels.cut_around(before.len() + silence / 2).map(|gap| gap.0 / 1_000)
    }

    #[test]
    fn only_hard_edges_between_like_sounds_cut_speech() {
        let speech = [-20.0, -22.0, -21.0, -24.0, -20.0, -22.0, -21.0, -24.0];
        let fades = [
            &speech[..],
            &[-35.0, -40.0, -45.0, -50.0, -55.0, -60.0, -65.0, -68.0, -69.0, -69.0, -69.0],
        ]
        .concat();
        let rises =
            [-69.0, -65.0, -60.0, -50.0, -40.0, -20.0, -20.0, -20.0, -20.0, -20.0, -20.0, -20.0];
        assert_eq!(cut(&speech, 8, &speech, 0.0), Some(40));
        assert_eq!(cut(&speech, 8, &speech, 6.0), None, "another sound");
        assert_eq!(cut(&speech, 8, &[-35.9; 8], 0.0), None, "another voice");
        assert_eq!(cut(&fades, 8, &speech, 0.0), None);
        assert_eq!(cut(&speech, 8, &rises, 0.0), None);
        assert_eq!(cut(&speech[..6], 8, &speech, 0.0), None, "a click");
        assert_eq!(cut(&speech, 5, &speech, 0.0), None, "too short");
        assert_eq!(cut(&[], 8, &speech, 0.0), None, "the beginning");
        assert_eq!(cut(&speech, 8, &[], 0.0), None, "the end");
    }
}
