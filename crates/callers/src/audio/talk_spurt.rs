//! Where speech begins and ends, given of every moment in order whether something was audible.

use rushhour_core::units::{Micros, SessionTime};

/// A beginning or an end of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechEdge {
    /// Somebody began to speak.
    Started {
        /// When the first audible packet arrived.
        at: SessionTime,
    },
    /// Nobody speaks any more.
    Ended {
        /// When the last audible packet arrived.
        last_audible_at: SessionTime,
    },
}

/// Tells speech from pauses: one that is shorter than the hangover belongs to the speech around it.
#[derive(Debug, Clone)]
pub(super) struct TalkSpurt {
    hangover: Micros,
    last_audible_at: Option<SessionTime>,
}

impl TalkSpurt {
    pub(super) const fn new(hangover: Micros) -> Self {
        Self { hangover, last_audible_at: None }
    }

    /// While speech goes on: the last moment at which it was heard.
    pub(super) const fn last_audible_at(&self) -> Option<SessionTime> {
        self.last_audible_at
    }

    /// Whether a sound at `at` belongs to the speech that goes on.
    pub(super) fn reaches(&self, at: SessionTime) -> bool {
        self.last_audible_at.is_some_and(|last| at.since(last) < self.hangover)
    }

    /// Time has come to `now` without a sound.
    pub(super) fn pass(&mut self, now: SessionTime, edges: &mut Vec<SpeechEdge>) {
        if let Some(last) = self.last_audible_at
            && !self.reaches(now)
        {
            self.last_audible_at = None;
            edges.push(SpeechEdge::Ended { last_audible_at: last });
        }
    }

    /// There was a sound at `at`.
    pub(super) fn sound(&mut self, at: SessionTime, edges: &mut Vec<SpeechEdge>) {
        self.pass(at, edges);
        if self.last_audible_at.is_none() {
            edges.push(SpeechEdge::Started { at });
        }
        self.last_audible_at = self.last_audible_at.max(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(sounds: &[u64], until: u64) -> Vec<(bool, u64)> {
        let mut spurt = TalkSpurt::new(Micros(200));
        let mut edges = Vec::new();
        for &at in sounds {
            spurt.sound(SessionTime(at), &mut edges);
        }
        spurt.pass(SessionTime(until), &mut edges);
        edges
            .into_iter()
            .map(|edge| match edge {
                SpeechEdge::Started { at } => (true, at.0),
                SpeechEdge::Ended { last_audible_at } => (false, last_audible_at.0),
            })
            .collect()
    }

    #[test]
    fn a_pause_splits_speech_from_the_hangover_on() {
        assert_eq!(edges(&[10, 209], 408), [(true, 10)]);
        assert_eq!(edges(&[10, 209], 409), [(true, 10), (false, 209)]);
        assert_eq!(edges(&[10, 210], 300), [(true, 10), (false, 10), (true, 210)]);
        assert_eq!(edges(&[], 1_000), []);
    }
}
