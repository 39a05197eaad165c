//! Joins audible moments, given in order, to speech that begins and ends.

use rushhour_core::units::{Micros, SessionTime};

/// The beginning or the end of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechEdge {
    /// Speech began.
    Started {
        /// When the first audible packet arrived.
        at: SessionTime,
    },
    /// Speech ended.
    Ended {
        /// When the last audible packet arrived.
        last_audible_at: SessionTime,
    },
}

/// The speech of one track. A pause shorter than the hangover belongs to the speech around it.
#[derive(Debug, Clone)]
pub(super) struct TalkSpurt {
    hangover: Micros,
    last_audible_at: Option<SessionTime>,
}

impl TalkSpurt {
    pub(super) const fn new(hangover: Micros) -> Self {
        Self { hangover, last_audible_at: None }
    }

    /// During speech, the last audible moment.
    pub(super) const fn last_audible_at(&self) -> Option<SessionTime> {
        self.last_audible_at
    }

    /// Whether audio at `at` would continue the current speech.
    pub(super) fn continues_at(&self, at: SessionTime) -> bool {
        self.last_audible_at.is_some_and(|last| at.since(last) < self.hangover)
    }

    /// Notes that nothing was audible up to `now`.
    pub(super) fn silent_until(&mut self, now: SessionTime, edges: &mut Vec<SpeechEdge>) {
        if let Some(last) = self.last_audible_at
            && !self.continues_at(now)
        {
            self.last_audible_at = None;
            edges.push(SpeechEdge::Ended { last_audible_at: last });
        }
    }

    /// Notes that something was audible at `at`.
    pub(super) fn audible_at(&mut self, at: SessionTime, edges: &mut Vec<SpeechEdge>) {
        self.silent_until(at, edges);
        if self.last_audible_at.is_none() {
            edges.push(SpeechEdge::Started { at });
        }
        self.last_audible_at = self.last_audible_at.max(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(audible: &[u64], until: u64) -> Vec<(bool, u64)> {
        let mut spurt = TalkSpurt::new(Micros(200));
        let mut edges = Vec::new();
        for &at in audible {
            spurt.audible_at(SessionTime(at), &mut edges);
        }
        spurt.silent_until(SessionTime(until), &mut edges);
        edges
            .into_iter()
            .map(|edge| match edge {
                SpeechEdge::Started { at } => (true, at.0),
                SpeechEdge::Ended { last_audible_at } => (false, last_audible_at.0),
            })
            .collect()
    }

    #[test]
    fn a_pause_as_long_as_the_hangover_splits_speech() {
        assert_eq!(edges(&[10, 209], 408), [(true, 10)]);
        assert_eq!(edges(&[10, 209], 409), [(true, 10), (false, 209)]);
        assert_eq!(edges(&[10, 210], 300), [(true, 10), (false, 10), (true, 210)]);
        assert_eq!(edges(&[], 1_000), []);
    }
}
