//! What is heard on a track before its noise is known. Whether it is speech is decided later, for the moment at which it
//! was heard: ambience from the first packet on is no greeting.

use super::clicks::SoundShape;
use super::loudness::Level;
use super::noise_floor::{LEARNING, NoiseFloor};
use rushhour_core::units::{Micros, SessionTime};

/// How long the first seconds are: a little longer than it takes to learn the noise.
const FIRST: Micros = Micros(LEARNING.0 + 200_000);
/// How long packets must stop for what was heard before to be speech: noise does not stop.
const PAUSE: Micros = Micros::from_millis(200);

/// The sounds of a track's first seconds that may be noise.
#[derive(Debug, Default)]
pub(super) struct FirstSounds {
    /// When the first packet arrived.
    began: Option<SessionTime>,
    is_over: bool,
    /// Whether some of them were speech for certain.
    has_speech: bool,
    undecided: Vec<FirstSound>,
}

/// A packet that is louder than the threshold.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstSound {
    /// When it arrived.
    pub(super) at: SessionTime,
    pub(super) level: Level,
    /// What it sounds like, with the threshold as the level of speech.
    pub(super) shape: SoundShape,
}

impl FirstSounds {
    /// Sounds that are judged at once, because they go on with speech on another track.
    pub(super) fn none() -> Self {
        Self { is_over: true, ..Self::default() }
    }

    /// Notes that a packet arrived. Returns whether the first seconds ended with it.
    pub(super) fn note_packet(&mut self, at: SessionTime, noise: &NoiseFloor) -> bool {
        let began = *self.began.get_or_insert(at);
        let was_open = self.is_open();
        // On a track that is silent at times, noise decides nothing.
        let no_noise = noise.certain_speech_level() <= noise.threshold();
        self.is_over |= no_noise || at.since(began) >= FIRST;
        was_open && self.is_over
    }

    /// Whether sounds are judged later.
    pub(super) const fn is_open(&self) -> bool {
        !self.is_over
    }

    /// Notes a sound that is louder than the threshold.
    pub(super) fn add(&mut self, sound: FirstSound) {
        self.undecided.push(sound);
    }

    /// Whether there are sounds that may be speech.
    pub(super) const fn is_undecided(&self) -> bool {
        !self.undecided.is_empty()
    }

    /// Takes out the sounds that are speech for certain, in order; once the first seconds are over, all others are noise.
    pub(super) fn take_speech(&mut self, noise: &NoiseFloor) -> Vec<FirstSound> {
        let speech = noise.certain_speech_level();
        let is_speech = |sound: &FirstSound| sound.level > speech;
        let mut found: Vec<FirstSound> = self.undecided.iter().copied().filter(is_speech).collect();
        self.undecided.retain(|one| !is_speech(one));
        if self.is_over {
            self.undecided.clear();
        }
        self.has_speech |= !found.is_empty();
        found.sort_by_key(|sound| sound.at);
        found
    }

    /// The sender was silent, by its own detector or because its packets stopped: what was heard before was speech, unless
    /// there was speech above it.
    pub(super) fn take_all(&mut self) -> Vec<FirstSound> {
        self.is_over = true;
        if self.has_speech {
            self.undecided.clear();
        }
        let mut all = std::mem::take(&mut self.undecided);
        all.sort_by_key(|sound| sound.at);
        all
    }

    /// When sounds are decided if no packet comes.
    pub(super) fn deadline(&self, last_packet_at: SessionTime) -> SessionTime {
        if self.undecided.is_empty() { SessionTime::NEVER } else { last_packet_at + PAUSE }
    }
}
