//! When the agent's session is asked for its WebRTC statistics: as late as it can still answer, and seldom.

use rushhour_core::units::{Micros, SessionTime};

/// It takes a session some of its time to answer, which is its callers'.
const APART: Micros = Micros::from_secs(3);
/// How often it is asked in a conversation, at most.
const MOST: u32 = 10;

/// The requests so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RtcStatsRequest {
    times: u32,
    last: Option<SessionTime>,
    /// Whether the agent has spoken since.
    is_due: bool,
}

impl RtcStatsRequest {
    /// Whether the session is to be asked now, in the answer to the last turn: when the agent falls silent, which may be the
    /// end. It counts as asked.
    pub(super) fn ask(&mut self, is_speaking: bool, now: SessionTime) -> bool {
        if is_speaking {
            self.is_due = true;
            return false;
        }
        let is_early = self.last.is_some_and(|last| now < last + APART);
        if !self.is_due || is_early || self.times >= MOST {
            return false;
        }
        (self.is_due, self.last) = (false, Some(now));
        self.times += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_in_a_silence_and_seldom() {
        let mut request = RtcStatsRequest::default();
        let at = |millis: u64| SessionTime(millis * 1_000);
        assert!(!request.ask(false, at(0)), "it has not spoken");
        assert!(!request.ask(true, at(100)));
        assert!(request.ask(false, at(200)) && !request.ask(false, at(220)));
        assert!(!request.ask(true, at(1_000)) && !request.ask(false, at(2_000)));
        assert!(request.ask(false, at(3_200)), "the silence went on");
        let asked = (1..60_u64).filter(|second| {
            request.ask(true, at(5_000 * second)) || request.ask(false, at(5_000 * second + 100))
        });
        assert_eq!(asked.count(), 8);
    }
}
