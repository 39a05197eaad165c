//! How loud a background gets that is no steady noise, such as other voices: learnt while the agent is known to listen.
//!
//! A floor says what is always there. Babble has gaps, so its floor is far below its bursts, and no rule of levels alone
//! tells these from the agent. What is heard on its track while its state says that it listens is not the agent.

use std::collections::VecDeque;

use super::loudness::Level;
use rushhour_core::units::{Micros, SessionTime};

/// A state is told beside the audio: what came less than this before the agent stopped listening may be its voice.
const LATEST: Micros = Micros::from_secs(1);
/// Levels that wait, at most.
const MAX_WAITING: usize = 128;
/// Levels that must have been learnt: those of a second.
const LEAST_LEARNT: u32 = 50;
/// The share of the levels that are softer than what is found.
const SHARE: f32 = 0.98;
/// How far a level moves what is found, in decibels.
const STEP: f32 = 0.5;

/// What is known of a background.
#[derive(Debug, Clone, Default)]
pub(super) struct Background {
    /// What was heard last, which is not learnt yet.
    waiting: VecDeque<(SessionTime, Level)>,
    loud: Option<Level>,
    learnt: u32,
}

impl Background {
    /// Learns the level of a packet that arrived while the agent listened.
    pub(super) fn learn(&mut self, at: SessionTime, level: Level) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((at, level));
        while let Some((_, level)) = self.waiting.pop_front_if(|one| at.since(one.0) >= LATEST) {
            let loud = *self.loud.get_or_insert(level);
            let step = if level > loud { STEP * SHARE } else { STEP * (SHARE - 1.0) };
            self.loud = Some(loud.louder_by(step));
            self.learnt = self.learnt.saturating_add(1);
        }
    }

    /// The agent does not listen any more, and has perhaps not done so for a moment.
    pub(super) fn forget_latest(&mut self) {
        self.waiting.clear();
    }

    /// The agent does not tell when it listens: what was learnt may be its voice.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The level that the background seldom exceeds, once it is known.
    pub(super) fn loud(&self) -> Option<Level> {
        self.loud.filter(|_| self.learnt >= LEAST_LEARNT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Learns a level every 20 ms, from a moment in milliseconds on.
    fn learn(background: &mut Background, from: u64, levels: impl Iterator<Item = f32>) {
        for (index, level) in (0..).zip(levels) {
            background.learn(SessionTime((from + index * 20) * 1_000), Level(level));
        }
    }

    #[test]
    fn it_is_as_loud_as_its_bursts_and_not_as_its_gaps() {
        let mut background = Background::default();
        let babble = (0..600).map(|n| if n % 10 == 0 { -30.0 } else { -45.0 });
        learn(&mut background, 0, babble);
        let loud = background.loud().unwrap();
        assert!((loud.0 + 30.0).abs() < 1.5, "{loud}");
    }

    #[test]
    fn what_was_heard_just_before_the_agent_told_that_it_speaks_is_not_learnt() {
        let mut background = Background::default();
        learn(&mut background, 0, (0..150).map(|_| -45.0));
        // Its voice, and then its state.
        learn(&mut background, 3_000, (0..25).map(|_| -15.0));
        background.forget_latest();
        learn(&mut background, 6_000, (0..100).map(|_| -45.0));
        let loud = background.loud().unwrap();
        assert!((loud.0 + 45.0).abs() < 1.0, "{loud}");
    }

    #[test]
    fn a_moment_is_not_enough() {
        let mut background = Background::default();
        learn(&mut background, 0, (0..90).map(|_| -45.0));
        assert_eq!(background.loud(), None);
    }
}
