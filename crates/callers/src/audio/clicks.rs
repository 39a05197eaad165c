//! Clicks: sounds too short and too bright to be a voice, such as key strokes on the agent's own track.
//!
//! A voice goes on for longer than a stroke, or has its energy low in the spectrum, as all voiced sounds do. So the
//! beginning of speech is known a few hundredths of a second after it; what came before it and was none is left out.
//! A single click just before a voice is the burst of its first consonant, unless clicks were heard before.

use super::loudness::{Level, Window};
use rushhour_core::units::{Micros, SessionTime};

/// A sound goes on while it is no softer than this below the level of speech, in decibels.
const SOFTER: f32 = 4.0;
/// Softer windows of 10 ms within one sound, at most.
const LONGEST_GAP: u32 = 1;
/// Windows of a sound that are not bright, from which on it is a voice,
const VOICED_WINDOWS: u32 = 2;
/// and windows of one that is: clicks are shorter, and so is what two of them make.
const UNVOICED_WINDOWS: u32 = 15;
/// A click that ended so shortly before a voice may be the burst of its first consonant.
const LONGEST_BURST_GAP: Micros = Micros::from_millis(100);
/// Clicks are looked for in speech for so long after the second last,
const MEMORY: Micros = Micros::from_secs(3);
/// and for so long no click is taken for a consonant: who types does so in every turn.
const LONG_MEMORY: Micros = Micros::from_secs(20);
/// A sound is over where packets that are further apart than this were heard,
const LONGEST_PACKET_GAP: Micros = Micros::from_millis(60);
/// and when nothing came for so long.
const SOUND_TIMEOUT: Micros = Micros::from_millis(200);

/// What the windows of a packet are like, a bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SoundShape {
    count: u32,
    /// Louder than speech is at least.
    loud: u16,
    /// Not much softer.
    near: u16,
    /// Loud, and not bright.
    voiced: u16,
}

impl SoundShape {
    /// The shape of a packet, of which sound above `speech` is speech.
    pub(super) fn new(windows: &[Window], speech: Level) -> Self {
        let near = speech.louder_by(-SOFTER);
        let mut shape = Self::default();
        // A packet lasts for 120 ms at most.
        for window in windows.iter().take(16) {
            let bit = 1 << shape.count;
            shape.count += 1;
            if window.level > near {
                shape.near |= bit;
            }
            if window.level > speech {
                shape.loud |= bit;
                shape.voiced |= if window.is_bright { 0 } else { bit };
            }
        }
        shape
    }
}

/// Tells the clicks of one track from voices.
#[derive(Debug, Clone, Default)]
pub(super) struct Clicks {
    /// The sound under way.
    sound: Option<Sound>,
    /// The latest click.
    latest: Option<Sound>,
    /// When the click before it ended.
    before_latest: Option<SessionTime>,
}

/// A sound without a gap.
#[derive(Debug, Clone, Copy)]
struct Sound {
    /// When its first loud packet arrived.
    began: SessionTime,
    /// When its last loud packet arrived.
    last: SessionTime,
    windows: u32,
    voiced: u32,
    /// Soft windows since.
    gap: u32,
    is_voice: bool,
}

impl Sound {
    const fn new(at: SessionTime) -> Self {
        Self { began: at, last: at, windows: 0, voiced: 0, gap: 0, is_voice: false }
    }

    const fn is_long_enough(&self) -> bool {
        self.voiced >= VOICED_WINDOWS || self.windows >= UNVOICED_WINDOWS
    }
}

impl Clicks {
    /// Hears a packet that arrived at `at`. Returns since when a voice has been heard, if one is heard now.
    pub(super) fn hear(&mut self, at: SessionTime, shape: SoundShape) -> Option<SessionTime> {
        if self.sound.is_some_and(|sound| at.since(sound.last) > LONGEST_PACKET_GAP) {
            self.hear_silence();
        }
        let mut voice_since = None;
        for index in 0..shape.count {
            let has = |bits: u16| bits & (1 << index) != 0;
            if has(shape.loud) {
                let began = self.sound.take().or_else(|| self.take_half_voice(at));
                self.sound.insert(began.unwrap_or_else(|| Sound::new(at))).last = at;
            }
            let Some(sound) = &mut self.sound else { continue };
            if !has(shape.near) {
                sound.gap += 1;
                if sound.gap > LONGEST_GAP {
                    self.hear_silence();
                }
                continue;
            }
            sound.windows += 1 + std::mem::take(&mut sound.gap);
            sound.voiced += u32::from(has(shape.voiced));
            if has(shape.loud) && (sound.is_voice || sound.is_long_enough()) {
                let since =
                    if std::mem::replace(&mut sound.is_voice, true) { at } else { sound.began };
                voice_since.get_or_insert(since);
            }
        }
        voice_since.map(|since| self.with_its_burst(since))
    }

    /// The sound before, if it ended just before `at` and was bright only in part: a soft voice comes in pieces.
    fn take_half_voice(&mut self, at: SessionTime) -> Option<Sound> {
        let is_half = |sound: &Sound| {
            sound.voiced > 0 && sound.last <= at && at.since(sound.last) <= LONGEST_BURST_GAP
        };
        let half = self.latest.filter(is_half)?;
        self.latest = None;
        Some(Sound { gap: 0, ..half })
    }

    /// When a voice began, with the burst of its first consonant.
    fn with_its_burst(&self, since: SessionTime) -> SessionTime {
        let is_burst = |click: &Sound| {
            click.last <= since
                && since.since(click.last) <= LONGEST_BURST_GAP
                && self.before_latest.is_none_or(|before| since.since(before) >= LONG_MEMORY)
        };
        self.latest.as_ref().filter(|click| is_burst(click)).map_or(since, |click| click.began)
    }

    /// Nothing is heard any more: the sound before is over.
    pub(super) fn hear_silence(&mut self) {
        let Some(sound) = self.sound.take().filter(|sound| !sound.is_voice) else { return };
        let before = self.latest.replace(sound).map(|click| click.last);
        self.before_latest = before.or(self.before_latest);
    }

    /// Speech goes on, and is not looked at any more closely.
    pub(super) fn skip(&mut self) {
        self.sound = None;
    }

    /// Whether clicks were heard lately: one alone may be anything.
    pub(super) fn are_heard(&self, at: SessionTime) -> bool {
        self.before_latest.is_some_and(|before| at.since(before) < MEMORY)
    }

    /// Since when there has been a sound of which it is not known yet whether it is a voice.
    pub(super) fn undecided_since(&self) -> Option<SessionTime> {
        self.sound.filter(|sound| !sound.is_voice).map(|sound| sound.began)
    }

    /// When such a sound is over if no packet comes.
    pub(super) fn deadline(&self) -> SessionTime {
        let undecided = self.sound.filter(|sound| !sound.is_voice);
        undecided.map_or(SessionTime::NEVER, |sound| sound.last + SOUND_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEECH: Level = Level(-47.0);

    /// Packets of two windows every 20 ms: `k` is a loud bright window, `v` a loud voiced one, `n` a softer one near the
    /// level of speech, anything else is silence. Returns the packets at which a voice is heard, and since which.
    fn heard(clicks: &mut Clicks, windows: &str) -> Vec<(u64, u64)> {
        let window = |sign: char| Window {
            level: match sign {
                'k' | 'v' => Level(-30.0),
                'n' => Level(-50.0),
                _ => Level::SILENCE,
            },
            is_bright: sign != 'v',
        };
        let all: Vec<Window> = windows.chars().map(window).collect();
        let mut found = Vec::new();
        for (index, packet) in (0..).zip(all.chunks(2)) {
            let at = SessionTime(index * 20_000);
            if let Some(since) = clicks.hear(at, SoundShape::new(packet, SPEECH)) {
                found.push((index, since.0 / 20_000));
            }
        }
        found
    }

    fn first(windows: &str) -> Option<(u64, u64)> {
        heard(&mut Clicks::default(), windows).first().copied()
    }

    #[test]
    fn strokes_are_no_voice_however_many() {
        let typed = "..kk....k.....k.........kk...k..".repeat(20);
        let mut clicks = Clicks::default();
        assert_eq!(heard(&mut clicks, &typed), []);
        assert!(clicks.are_heard(SessionTime(6_400_000)));
        assert!(!clicks.are_heard(SessionTime(10_000_000)));
    }

    #[test]
    fn a_voice_is_known_by_its_low_sounds_or_by_its_length() {
        assert_eq!(first("....vv"), Some((2, 2)));
        assert_eq!(first("....kkkkkkkkkkkkkkkkkkvv"), Some((9, 2)), "a long s");
        assert_eq!(first("...kkkkkv.v"), Some((5, 1)), "a short one");
        assert_eq!(first("....knknnnknnnknnnknnk"), Some((9, 2)), "one that is soft at first");
        assert_eq!(first("....v......v"), Some((5, 2)), "a soft voice in noise");
    }

    #[test]
    fn a_burst_before_a_voice_belongs_to_it_and_a_stroke_does_not() {
        assert_eq!(first("..k.....vv"), Some((4, 1)), "a consonant");
        assert_eq!(first("..k...............vv"), Some((9, 9)), "too long before");
        assert_eq!(first("k...........k.....vv"), Some((9, 9)), "the second stroke");
        let long_ago = format!("k...k{}k....vv", ".".repeat(4_002));
        assert_eq!(first(&long_ago).map(|(_, since)| since), Some(2_003));
    }

    #[test]
    fn what_is_not_decided_yet_is_over_when_nothing_comes() {
        let mut clicks = Clicks::default();
        heard(&mut clicks, "..k");
        assert_eq!(clicks.undecided_since(), Some(SessionTime(20_000)));
        assert_eq!(clicks.deadline(), SessionTime(220_000));
        clicks.hear_silence();
        assert_eq!((clicks.undecided_since(), clicks.deadline()), (None, SessionTime::NEVER));
        heard(&mut clicks, "..vvvv");
        assert_eq!(clicks.undecided_since(), None);
    }
}
