//! The noise floor of one track, learnt from the levels of its packets; and the level from which on sound is speech.
//!
//! The floor is the minimum over a sliding window (minimum statistics: R. Martin, IEEE Transactions on Speech and Audio
//! Processing 9 (2001), 504). Speech has gaps, so in seconds of speech some packets show what lies beneath it; noise has
//! none. The floor falls at once, and rises when the window no longer holds anything lower. It is kept as minima of
//! parts of the window, so a level is learnt in constant time and memory.

use super::background::Background;
use super::loudness::Level;
use rushhour_core::profile::SpeechSettings;
use rushhour_core::units::{Decibels, Micros, SessionTime};

/// The parts of the window.
const PARTS: usize = 8;
const PART: Micros = Micros::from_secs(1);
/// How long levels must have been known before their minimum is taken for noise: longer than speech goes on without a
/// gap.
pub(super) const LEARNING: Micros = Micros::from_secs(2);
/// How long the first levels are left out: decoders begin softly.
const SETTLING: Micros = Micros::from_millis(100);
/// A track of which nothing softer was heard is never silent: it has a background.
const NEVER_SILENT: Level = Level(-80.0);
/// Speech is so much louder than what the background seldom exceeds, in decibels,
const ABOVE_BACKGROUND: f32 = 3.0;
/// but no louder than this above the floor: an agent may tell that it listens while it speaks.
const HIGHEST_MARGIN: f32 = 30.0;
/// Above all levels.
const NO_LEVEL: Level = Level(f32::INFINITY);

/// What level is speech on one track.
#[derive(Debug, Clone)]
pub(super) struct NoiseFloor {
    threshold: Level,
    margin: Option<f32>,
    /// The minimum of each part of the window, or [`NO_LEVEL`].
    minima: [Level; PARTS],
    current: usize,
    /// When the current part began.
    part_began: SessionTime,
    /// Since when levels are known without a gap as long as the window.
    known_since: Option<SessionTime>,
    /// The latest level that was learnt.
    latest: SessionTime,
    floor: Level,
    background: Background,
}

impl NoiseFloor {
    /// A floor of which nothing is known.
    pub(super) fn new(settings: SpeechSettings) -> Self {
        Self {
            threshold: Level(settings.threshold.as_dbfs()),
            margin: settings.margin.map(Decibels::as_db),
            minima: [NO_LEVEL; PARTS],
            current: 0,
            part_began: SessionTime::START,
            known_since: None,
            latest: SessionTime::START,
            floor: Level::SILENCE,
            background: Background::default(),
        }
    }

    /// The noise that is known, or [`Level::SILENCE`].
    pub(super) const fn level(&self) -> Level {
        self.floor
    }

    /// Whether the noise, rather than the threshold, decides what is speech.
    pub(super) fn decides(&self) -> bool {
        self.speech_level() > self.threshold
    }

    /// Whether the track is never silent, so that what is heard on it may be a background.
    pub(super) fn has_background(&self) -> bool {
        self.margin.is_some() && self.floor > NEVER_SILENT
    }

    /// Sound above this level is speech, however loud the noise turns out to be: it cannot be louder than the least that
    /// was heard so far.
    pub(super) fn certain_speech_level(&self) -> Level {
        let above = |margin| self.least().louder_by(margin);
        self.margin.map_or(self.threshold, |margin| {
            if above(margin) > self.threshold { above(margin) } else { self.threshold }
        })
    }

    /// Sound up to this level is no speech.
    pub(super) const fn threshold(&self) -> Level {
        self.threshold
    }

    fn least(&self) -> Level {
        self.minima.into_iter().fold(NO_LEVEL, least_of)
    }

    /// Sound above this level is speech.
    pub(super) fn speech_level(&self) -> Level {
        let Some(margin) = self.margin else { return self.threshold };
        let above_floor = self.floor.louder_by(margin);
        let above_background =
            self.background.loud().filter(|_| self.has_background()).map(|loud| {
                let highest = self.floor.louder_by(HIGHEST_MARGIN.max(margin));
                least_of(loud.louder_by(ABOVE_BACKGROUND), highest)
            });
        let levels = [Some(above_floor), above_background].into_iter().flatten();
        levels.fold(self.threshold, |loudest, one| if one > loudest { one } else { loudest })
    }

    /// Learns the level of a packet that arrived while the agent listened.
    pub(super) fn learn_background(&mut self, at: SessionTime, level: Level) {
        if self.has_background() {
            self.background.learn(at, level);
        }
    }

    /// The agent may speak from now on.
    pub(super) fn stop_listening(&mut self) {
        self.background.forget_latest();
    }

    /// The agent does not tell when it listens.
    pub(super) fn forget_background(&mut self) {
        self.background.forget();
    }

    /// Learns the level of a packet that arrived at `at`.
    pub(super) fn learn(&mut self, at: SessionTime, level: Level) {
        self.advance(at);
        let known_since = *self.known_since.get_or_insert(at);
        if at.since(known_since) < SETTLING {
            return;
        }
        if level < self.minima[self.current] {
            self.minima[self.current] = level;
        }
        self.latest = self.latest.max(at);
        self.floor = if self.is_learning() { Level::SILENCE } else { self.least() };
    }

    /// Whether too little is known of the track yet to tell noise from speech.
    pub(super) fn is_learning(&self) -> bool {
        self.known_since.is_none_or(|since| self.latest.since(since) < LEARNING)
    }

    /// Begins new parts of the window, up to the one in which `at` is.
    fn advance(&mut self, at: SessionTime) {
        let elapsed = at.since(self.part_began).0 / PART.0;
        if elapsed >= PARTS as u64 {
            self.minima = [NO_LEVEL; PARTS];
            self.known_since = None;
            self.part_began = at;
            return;
        }
        for _ in 0..elapsed {
            self.current = (self.current + 1) % PARTS;
            self.minima[self.current] = NO_LEVEL;
            self.part_began += PART;
        }
    }
}

fn least_of(one: Level, other: Level) -> Level {
    if one < other { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> SessionTime {
        SessionTime(millis * 1_000)
    }

    /// Learns a level every 100 ms.
    fn learn(floor: &mut NoiseFloor, millis: std::ops::Range<u64>, level: f32) {
        for now in millis.step_by(100) {
            floor.learn(at(now), Level(level));
        }
    }

    fn new() -> NoiseFloor {
        NoiseFloor::new(SpeechSettings::default())
    }

    #[test]
    fn noise_raises_the_level_of_speech_once_it_is_known() {
        let mut floor = new();
        assert_eq!(floor.speech_level(), Level(-47.0));
        learn(&mut floor, 5_000..6_900, -40.0);
        assert_eq!(floor.speech_level(), Level(-47.0));
        learn(&mut floor, 6_900..7_100, -40.0);
        assert_eq!((floor.level(), floor.speech_level()), (Level(-40.0), Level(-30.0)));
    }

    #[test]
    fn the_threshold_is_the_least_level_of_speech() {
        let mut floor = new();
        learn(&mut floor, 0..5_000, -58.0);
        assert_eq!(floor.speech_level(), Level(-47.0));
        learn(&mut floor, 5_000..15_000, -56.0);
        assert_eq!(floor.speech_level(), Level(-46.0));
    }

    #[test]
    fn it_falls_at_once_and_rises_after_the_window() {
        let mut floor = new();
        learn(&mut floor, 0..4_000, -40.0);
        floor.learn(at(4_000), Level::SILENCE);
        assert_eq!(floor.speech_level(), Level(-47.0));
        learn(&mut floor, 4_100..11_900, -40.0);
        assert_eq!(floor.speech_level(), Level(-47.0));
        learn(&mut floor, 11_900..13_000, -40.0);
        assert_eq!(floor.speech_level(), Level(-30.0));
    }

    #[test]
    fn what_was_before_a_long_gap_is_forgotten() {
        let mut floor = new();
        learn(&mut floor, 0..4_000, -40.0);
        learn(&mut floor, 20_000..21_900, -20.0);
        assert_eq!(floor.speech_level(), Level(-47.0));
        learn(&mut floor, 21_900..22_100, -20.0);
        assert_eq!(floor.level(), Level(-20.0));
    }

    #[test]
    fn without_a_margin_the_threshold_alone_decides() {
        let mut floor = NoiseFloor::new(SpeechSettings { margin: None, ..Default::default() });
        learn(&mut floor, 0..9_000, -20.0);
        assert_eq!(floor.speech_level(), Level(-47.0));
    }

    #[test]
    fn a_background_that_is_louder_than_the_margin_is_no_speech_either() {
        let mut floor = new();
        let babble = |floor: &mut NoiseFloor, listens| {
            for now in (0..6_000).step_by(20) {
                let level = Level(if now % 200 == 0 { -10.0 } else { -45.0 });
                floor.learn(at(now), level);
                if listens {
                    floor.learn_background(at(now), level);
                }
            }
        };
        babble(&mut floor, false);
        assert_eq!(floor.speech_level(), Level(-35.0));
        let mut floor = new();
        babble(&mut floor, true);
        let level = floor.speech_level();
        assert!((level.0 + 15.0).abs() < 0.1, "as far above the floor as may be: {level}");
        let mut silent = new();
        for now in (0..6_000).step_by(20) {
            let level = if now % 200 == 0 { Level(-30.0) } else { Level::SILENCE };
            silent.learn(at(now), level);
            silent.learn_background(at(now), level);
        }
        assert_eq!(silent.speech_level(), Level(-47.0), "a voice with pauses");
    }

    #[test]
    fn levels_that_come_late_are_learnt_without_going_back_in_time() {
        let mut floor = new();
        learn(&mut floor, 10_000..13_000, -40.0);
        floor.learn(at(11_000), Level(-45.0));
        assert_eq!(floor.level(), Level(-45.0));
    }
}
