//! Whether speech was cut: digital silence with a hard edge on both sides, as a source leaves that has run dry.
//!
//! A voice that pauses leaves the tone of its room, or fades out more slowly than a codec rings out; and where a synthesiser
//! puts digital silence between sounds, what follows is another sound. After a cut the same sound goes on: as loud, with the
//! same spectrum, and in the rhythm of its voice (`splice`). No sign decides alone; their sum does.

use std::f32::consts::TAU;
use std::ops::Range;

use super::speech_sound::SHORTEST_GAP;
use super::splice::Splice;
use super::voice_activity::VoiceActivity;
use rushhour_core::units::Micros;

/// The length of a window whose level is measured.
const WINDOW: Micros = Micros::from_millis(5);
/// Its samples, at 16 kHz.
const WINDOW_SAMPLES: usize = 80;
/// LiveKit's agents send 10 ms at a time, so a source that has run dry is silent for a multiple of that.
const SENT_AT_ONCE: u64 = 10_000;
/// Softer than this there is no spectrum worth looking at, in dBFS.
const SILENT: f32 = -70.0;
/// Digital silence; a microphone, and dither, are louder.
const DIGITAL: f32 = -98.0;
/// From so many windows of silence on, the codec has come to rest.
const AT_REST: usize = 16;
/// The windows on each side that tell how loud the speech is; of these, so many must sound: what is shorter is a click.
const SPEECH: usize = 12;
const LASTS: usize = 6;
const SOUNDS: f32 = -58.0;
/// Where speech may break off, and where it may go on, in dBFS; and how far that may be below what is loudest around it.
const FAINT: f32 = -50.0;
const BREAKS_OFF_BELOW: f32 = 26.0;
const GOES_ON_BELOW: f32 = 28.0;
/// Within 10 ms it falls and rises by so many decibels, and stays so much softer.
const FALLS: f32 = 13.0;
const RISES: f32 = 20.0;
const STAYS_SOFTER: f32 = 8.0;
/// The last window that falls so and is about as loud as others that do is the edge.
const AS_LOUD: f32 = 10.0;
/// The loudest window at each edge is at least this loud.
const LOUD: f32 = -43.0;
/// The windows whose sound is compared on both sides.
const COMPARED: usize = 4;
/// The fewest windows of silence in the shortest gap, whose edges fill two more in part.
const FEWEST: usize = 4;
/// From so many windows on, a codec has fallen silent, and fewer pauses are as silent.
const LONG: usize = 17;
/// What is looked at, at most: the longest gap, and packets of any length around it. RTP times that jump would add more.
const MAX_WINDOWS: usize = 500;

/// What speaks for a cut and against it, in decibels by which the spectra on both sides differ: fitted to the mixtures of
/// docs/statistics.md.
const ALIKE: f32 = 9.0;
/// For each subframe in which the codec's gain fell as fast as it may, up to a number.
const FAST_FALL: f32 = 1.25;
const MOST_FAST_FALLS: u32 = 8;
/// For each decibel by which the sides differ in level, up to a number; and by which what follows is louder.
const OTHER_LEVEL: f32 = -0.3;
const MOST_OTHER_LEVEL: f32 = 25.0;
const LOUDER: f32 = 0.4;
const LONG_SILENCE: f32 = 4.7;
/// For a voice that goes on in its rhythm, and less where it may be another's.
const RHYTHM: f32 = 12.0;
const VOICED: f32 = -6.7;
/// Spectra that differ by less than this are those of one sound: if that is a voice which does not keep its rhythm, it is
/// not the same.
const SAME_SOUND: f32 = 4.5;

/// The frequencies at which the spectrum is looked at, in hertz.
const BANDS: [f32; 7] = [200.0, 500.0, 800.0, 1_200.0, 1_800.0, 2_600.0, 3_800.0];
const HERTZ: f32 = 16_000.0;

/// The level of a window, in dBFS.
fn level_of(samples: &[f32]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| sample * sample).sum();
    10.0 * (sum / samples.len() as f32).log10()
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

/// Where speech is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Its beginning, since the first window.
    pub(super) from: Micros,
    pub(super) length: Micros,
}

/// What is heard around a silence, window by window.
#[derive(Debug, Default)]
pub(super) struct CutLevels {
    samples: Vec<f32>,
    /// The level of each window, in dBFS.
    windows: Vec<f32>,
}

impl CutLevels {
    /// Of so many packets of 20 ms, or more.
    pub(super) fn of_packets(count: usize) -> Self {
        let windows = (count * 4).min(MAX_WINDOWS);
        Self {
            samples: Vec::with_capacity(windows * WINDOW_SAMPLES),
            windows: Vec::with_capacity(windows),
        }
    }

    /// Silence that was not sent.
    pub(super) fn add_silence(&mut self, length: Micros) {
        let free = MAX_WINDOWS.saturating_sub(self.windows.len());
        let windows = usize::try_from(length.0 / WINDOW.0).unwrap_or(free).min(free);
        self.windows.extend(std::iter::repeat_n(f32::NEG_INFINITY, windows));
        self.samples.extend(std::iter::repeat_n(0.0, windows * WINDOW_SAMPLES));
    }

    /// Decodes the next packet.
    pub(super) fn decode(&mut self, activity: &mut VoiceActivity, payload: &[u8]) {
        if self.windows.len() < MAX_WINDOWS {
            self.add(activity.decode_apart(payload));
        }
    }

    fn add(&mut self, samples: &[f32]) {
        let windows = samples.chunks_exact(WINDOW_SAMPLES);
        self.samples.extend_from_slice(&samples[..samples.len() - windows.remainder().len()]);
        self.windows.extend(windows.map(level_of));
    }

    /// The gap between two moments, since the first window, if silence cuts speech there. The codec's gain fell as fast as it
    /// may in so many subframes.
    pub(super) fn cut_between(&self, from: Micros, to: Micros, fast_falls: u32) -> Option<Cut> {
        let edges = self.edges(from, to)?;
        let Edges { before, after } = edges;
        let gap = before + 1..after;
        let rests = gap.len() < AT_REST || gap.clone().any(|index| self.level(index) < DIGITAL);
        let lasts = |around: Range<usize>| {
            around.filter(|index| self.level(*index) >= SOUNDS).count() >= LASTS
        };
        let left = (before + 1).saturating_sub(SPEECH)..before + 1;
        let right = after..(after + SPEECH).min(self.windows.len());
        let length = self.gap_length(edges);
        if length < SHORTEST_GAP || !rests || !lasts(left) || !lasts(right) {
            return None;
        }
        let shape = self.shape_difference(edges);
        let level = |range: Range<usize>| {
            let power = |index: usize| 10.0_f32.powf(self.level(index) / 10.0);
            10.0 * (range.map(power).sum::<f32>() / 2.0).log10()
        };
        let other_level = (level(before - 1..before + 1) - level(after..after + 2)).abs();
        let loud = self.loudest(after..after + 2).clamp(LOUD, -20.0);
        let evidence = ALIKE - shape
            + FAST_FALL * fast_falls.min(MOST_FAST_FALLS) as f32
            + OTHER_LEVEL * other_level.min(MOST_OTHER_LEVEL)
            + LOUDER * loud
            + if gap.len() >= LONG { LONG_SILENCE } else { 0.0 };
        let is_cut = evidence + RHYTHM > 0.0 && {
            let splice = self.splice(edges, length);
            let voice = splice.filter(|splice| splice.is_voiced());
            let rhythm =
                voice.map_or(0.0, |voice| RHYTHM * voice.continues.clamp(0.0, 0.9) + VOICED);
            let is_another = shape < SAME_SOUND && splice.is_some_and(Splice::breaks);
            evidence + rhythm > 0.0 && !is_another
        };
        let from = Micros(WINDOW.0 * (before + 1) as u64);
        is_cut.then_some(Cut { from, length })
    }

    /// The hard edges of the silence between two moments.
    fn edges(&self, from: Micros, to: Micros) -> Option<Edges> {
        let last = self.windows.len().checked_sub(1)?;
        let index = |time: Micros| usize::try_from(time.0 / WINDOW.0).unwrap_or(last).min(last);
        let (from, to) = (index(from).saturating_sub(1), (index(to) + 3).min(last));
        let by_level = |one: &usize, other: &usize| self.level(*one).total_cmp(&self.level(*other));
        let middle = (from..=to).min_by(by_level)?;
        let (first, end) = (from.saturating_sub(SPEECH).max(2), (to + SPEECH).min(last + 1));
        if middle < first + LASTS || end < middle + LASTS {
            return None;
        }
        let sounds = (self.loudest(middle..end) - GOES_ON_BELOW).max(FAINT);
        let after = (middle..end).find(|index| self.level(*index) >= sounds)?;
        let sounds = (self.loudest(first..middle + 1) - BREAKS_OFF_BELOW).max(FAINT);
        let fall = |index: usize| {
            let stays = self.loudest(index + 2..middle + 1) <= self.level(index) - STAYS_SOFTER;
            let edge = self.level(index).max(self.level(index - 1) - 6.0);
            let fall = edge - self.level((index + 2).min(last)).max(SILENT - 5.0);
            (self.level(index) >= sounds && stays && fall >= FALLS).then_some(index)
        };
        let falls = || (first..middle).rev().filter_map(fall);
        let loudest = falls().map(|index| self.level(index)).max_by(f32::total_cmp)?;
        // What the codec lets ring out is softer.
        let before = falls().find(|index| self.level(*index) >= loudest - AS_LOUD)?;
        let is_hard = after > before + FEWEST
            && after < last
            && self.loudest(before - 1..before + 1) > LOUD
            && self.loudest(after..after + 2) > LOUD
            && self.loudest(after..after + 2) - self.level(after - 2).max(SILENT - 10.0) >= RISES;
        is_hard.then_some(Edges { before, after })
    }

    fn level(&self, index: usize) -> f32 {
        self.windows[index]
    }

    fn loudest(&self, range: Range<usize>) -> f32 {
        range.map(|index| self.level(index)).fold(f32::NEG_INFINITY, f32::max)
    }

    /// How long it was silent between two windows of sound, which it fills in part.
    fn gap_length(&self, Edges { before, after }: Edges) -> Micros {
        let missing = |edge: usize, inner: usize| {
            let full = 10.0_f32.powf((self.level(edge) - self.level(inner)) / 10.0);
            1.0 - full.clamp(0.0, 1.0)
        };
        let windows =
            (after - before - 1) as f32 + missing(before, before - 1) + missing(after, after + 1);
        let length = f64::from(windows) * WINDOW.0 as f64 / SENT_AT_ONCE as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 3 s")]
        let length = length.round() as u64 * SENT_AT_ONCE;
        Micros(length)
    }

    /// By how much the spectra on both sides differ in shape, in decibels.
    fn shape_difference(&self, Edges { before, after }: Edges) -> f32 {
        let sum = |range: Range<usize>| {
            let mut sum = [1e-9_f32; BANDS.len()];
            for index in range.filter(|index| self.level(*index) >= SILENT) {
                let samples = &self.samples[index * WINDOW_SAMPLES..][..WINDOW_SAMPLES];
                for (sum, hertz) in sum.iter_mut().zip(BANDS) {
                    *sum += goertzel(samples, hertz);
                }
            }
            sum.map(|power| 10.0 * power.log10())
        };
        let one = sum((before + 1).saturating_sub(COMPARED)..before + 1);
        let other = sum(after..(after + COMPARED).min(self.windows.len()));
        let count = BANDS.len() as f32;
        let differences = || one.iter().zip(&other).map(|(one, other)| one - other);
        let level = differences().sum::<f32>() / count;
        (differences().map(|one| (one - level).powi(2)).sum::<f32>() / count).sqrt()
    }

    fn splice(&self, Edges { before, after }: Edges, length: Micros) -> Option<Splice> {
        let of = |length: u64| {
            let gap = usize::try_from(length / WINDOW.0).ok()? * WINDOW_SAMPLES;
            Splice::of(&self.samples, before * WINDOW_SAMPLES, (after + 1) * WINDOW_SAMPLES, gap)
        };
        // The edges are not known to the millisecond.
        let lengths = [length.0, length.0.saturating_sub(SENT_AT_ONCE), length.0 + SENT_AT_ONCE];
        let all = lengths.into_iter().filter_map(of);
        all.max_by(|one, other| one.continues.total_cmp(&other.continues))
    }
}

/// The last window before a gap, and the first after it.
#[derive(Debug, Clone, Copy)]
struct Edges {
    before: usize,
    after: usize,
}

#[cfg(test)]
mod tests {
    use super::super::{Clip, DEFAULT_HANGOVER};
    use super::*;

    /// A voice of 100 Hz from a sample on, at 16 kHz: gaps are whole periods of it.
    fn voice(from: usize, length: usize) -> Vec<f32> {
        let at = |sample: usize| {
            let phase = TAU * 100.0 * sample as f32 / HERTZ;
            (1..20).map(|n| (phase * n as f32).cos() / n as f32).sum::<f32>() * 0.1
        };
        (from..from + length).map(at).collect()
    }

    /// A buzz whose energy is elsewhere.
    fn buzz(length: usize) -> Vec<f32> {
        (0..length).map(|n| (TAU * 3_000.0 * n as f32 / HERTZ).sin() * 0.1).collect()
    }

    /// When it is cut, and for how long, in milliseconds.
    fn cut(before: &[f32], millis: usize, after: &[f32], fast_falls: u32) -> Option<(u64, u64)> {
        let mut levels = CutLevels::default();
        levels.add(before);
        levels.add_silence(Micros::from_millis(millis as u64));
        levels.add(after);
        let time = |samples: usize| Micros(samples as u64 * 125 / 2);
        let (from, to) = (time(before.len()), time(before.len() + millis * 16));
        let cut = levels.cut_between(from, to, fast_falls)?;
        Some((cut.from.0 / 1_000, cut.length.0 / 1_000))
    }

    #[test]
    fn only_hard_edges_between_like_sounds_cut_speech() {
        let (before, after) = (voice(0, 3_200), voice(3_200, 3_200));
        for millis in [30, 40, 100, 400] {
            assert_eq!(cut(&before, millis, &after, 6), Some((200, millis as u64)));
        }
        assert_eq!(cut(&before, 20, &after, 6), None, "too short");
        assert_eq!(cut(&before, 100, &voice(3_280, 3_200), 6), None, "out of its rhythm");
        assert_eq!(cut(&before, 100, &buzz(3_200), 4), None, "another sound");
        let soft: Vec<f32> = after.iter().map(|one| one * 0.03).collect();
        assert_eq!(cut(&before, 100, &soft, 6), None, "too soft");
        assert_eq!(cut(&voice(2_880, 320), 100, &after, 6), None, "a click");
        assert_eq!(cut(&[], 40, &after, 6), None, "the beginning");
        assert_eq!(cut(&before, 40, &[], 6), None, "the end");
    }

    #[test]
    fn no_more_is_looked_at_than_the_longest_gap_whatever_the_packets_say() {
        let mut levels = CutLevels::default();
        let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).unwrap();
        let clip = Clip::tone(Micros::from_secs(2)).unwrap();
        for payload in clip.frames() {
            levels.decode(&mut activity, payload);
            levels.add_silence(Micros::from_secs(1));
        }
        assert_eq!(levels.windows.len(), MAX_WINDOWS);
        assert_eq!(levels.samples.len(), MAX_WINDOWS * WINDOW_SAMPLES);
    }

    #[test]
    fn the_tone_of_a_room_is_no_cut() {
        let (before, after) = (voice(0, 3_200), voice(3_200, 3_200));
        let tone: Vec<f32> = buzz(3_200).iter().map(|one| one * 0.001).collect();
        let mut levels = CutLevels::default();
        for part in [&before, &tone, &after] {
            levels.add(part);
        }
        let time = |millis| Micros::from_millis(millis);
        assert_eq!(levels.cut_between(time(200), time(400), 6), None);
    }
}
