//! When an agent spoke: its latest talk spurts, and the pauses before them.

use std::collections::VecDeque;

use super::opus::FRAME_DURATION;
use super::talk_spurt::SpeechEdge;
use rushhour_core::units::{Micros, SessionTime};

/// The talk spurts that are remembered.
const KEPT: usize = 8;
/// What arrives so soon after speech belongs to it.
const AFTER_SPEECH: Micros = Micros::from_millis(40);

#[derive(Debug, Clone, Copy)]
struct SpeechTimes {
    began: SessionTime,
    ended: Option<SessionTime>,
    /// The silence before it, as far as it is not known to be a gap in speech.
    pause: Micros,
}

/// The latest talk spurts of a track.
#[derive(Debug, Default)]
pub(super) struct TalkSpurts(VecDeque<SpeechTimes>);

impl TalkSpurts {
    pub(super) fn note_edge(&mut self, edge: SpeechEdge) {
        match edge {
            SpeechEdge::Started { at: began } => {
                let before = self.0.back().and_then(|before| before.ended);
                let pause = before.map_or(Micros::ZERO, |last| began.since(last + FRAME_DURATION));
                if self.0.len() == KEPT {
                    self.0.pop_front();
                }
                self.0.push_back(SpeechTimes { began, ended: None, pause });
            }
            SpeechEdge::Ended { last_audible_at } => {
                if let Some(last) = self.0.back_mut() {
                    last.ended = Some(last_audible_at);
                }
            }
        }
    }

    pub(super) fn is_speech(&self, at: SessionTime) -> bool {
        self.0.iter().rev().any(|talk_spurt| {
            talk_spurt.began <= at
                && talk_spurt.ended.is_none_or(|ended| at <= ended + AFTER_SPEECH)
        })
    }

    /// A gap of this length lies between two moments of speech. Returns how much of it is in a pause between two talk
    /// spurts: that is no pause, but speech that is not heard. Nothing of a pause is returned twice.
    pub(super) fn take_gap(
        &mut self,
        since: SessionTime,
        until: SessionTime,
        gap: Micros,
    ) -> Micros {
        let after = self.0.iter_mut().rev().find(|talk_spurt| talk_spurt.began <= until);
        let Some(after) = after.filter(|talk_spurt| talk_spurt.began > since) else {
            return Micros::ZERO;
        };
        let taken = gap.min(after.pause);
        after.pause = after.pause.saturating_sub(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> SessionTime {
        SessionTime(millis * 1_000)
    }

    #[test]
    fn only_a_gap_between_two_talk_spurts_is_taken_from_their_pause_and_only_once() {
        let mut spurts = TalkSpurts::default();
        for (began, ended) in [(100, 980), (1_600, 2_980), (3_200, 4_000)] {
            spurts.note_edge(SpeechEdge::Started { at: at(began) });
            spurts.note_edge(SpeechEdge::Ended { last_audible_at: at(ended) });
        }
        let mut taken = |since, until, gap| {
            spurts.take_gap(at(since), at(until), Micros::from_millis(gap)).0 / 1_000
        };
        assert_eq!(taken(1_700, 2_300, 580), 0, "within a talk spurt");
        assert_eq!(taken(0, 300, 100), 0, "before the first");
        assert_eq!(taken(990, 1_610, 400), 400);
        assert_eq!(taken(990, 1_610, 400), 200, "what is left of the pause");
        assert_eq!(taken(990, 1_610, 400), 0);
        assert_eq!(taken(2_990, 3_210, 10_000), 200);
    }
}
