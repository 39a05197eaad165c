//! Until when everything that a worker's callers saw is among its updates, and whether its process stood still.

use rushhour_core::units::{Micros, SessionTime};

/// Whoever was not on its turn for so long stood still: it is on its turn once a second.
const STOOD_STILL: Micros = Micros::from_secs(3);
/// A tick that began so late: what callers should have seen by then, they may see only now.
const TICK_TOO_LATE: Micros = Micros::from_millis(500);

/// A low watermark of updates, on the worker's clock: everything that its callers saw before is among them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watermark {
    heard_until: SessionTime,
    /// When it last said that it is there.
    last_beat: SessionTime,
    /// When it was last on its turn.
    woken: SessionTime,
}

impl Watermark {
    pub(super) const fn new(now: SessionTime) -> Self {
        Self { heard_until: SessionTime::START, last_beat: now, woken: now }
    }

    /// The process is on its turn; returns for how long it stood still before, if it did.
    pub(super) fn woke(&mut self, now: SessionTime) -> Option<Micros> {
        let gap = now.since(self.woken);
        self.woken = self.woken.max(now);
        (gap >= STOOD_STILL).then_some(gap)
    }

    /// It says that it is there; `has_all` says whether every update that was there is taken in, and `latest_tick` how late
    /// a tick was since the last time. What callers saw until that time, they have had a second to tell of.
    pub(super) fn beat(&mut self, now: SessionTime, has_all: bool, latest_tick: Micros) {
        let kept_up = latest_tick < TICK_TOO_LATE && now.since(self.last_beat) < STOOD_STILL;
        if has_all && kept_up {
            self.heard_until = self.last_beat;
        }
        self.last_beat = now;
    }

    pub(super) const fn heard_until(&self) -> SessionTime {
        self.heard_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> SessionTime {
        SessionTime(millis * 1_000)
    }

    #[test]
    fn what_was_seen_before_the_last_beat_is_heard_unless_callers_or_process_were_late() {
        let mut watermark = Watermark::new(at(0));
        let on_time = Micros::from_millis(2);
        watermark.beat(at(1_000), true, on_time);
        assert_eq!(watermark.heard_until(), at(0));
        watermark.beat(at(2_000), true, on_time);
        assert_eq!(watermark.heard_until(), at(1_000));
        watermark.beat(at(3_000), false, on_time);
        assert_eq!(watermark.heard_until(), at(1_000), "updates are left");
        watermark.beat(at(4_000), true, Micros::from_millis(800));
        assert_eq!(watermark.heard_until(), at(1_000), "a tick was late");
        watermark.beat(at(11_000), true, on_time);
        assert_eq!(watermark.heard_until(), at(1_000), "it stood still");
        watermark.beat(at(12_000), true, on_time);
        assert_eq!(watermark.heard_until(), at(11_000));
    }

    #[test]
    fn a_process_that_is_not_on_its_turn_for_seconds_stood_still() {
        let mut watermark = Watermark::new(at(0));
        assert_eq!(watermark.woke(at(1_000)), None);
        assert_eq!(watermark.woke(at(3_999)), None);
        assert_eq!(watermark.woke(at(10_999)), Some(Micros::from_secs(7)));
        assert_eq!(watermark.woke(at(11_000)), None, "once");
    }
}
