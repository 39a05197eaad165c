//! One measure of a worker's clock: four times, of which two are the worker's.

use rushhour_core::units::{Micros, SessionTime};

/// How far a worker's clock is from ours, by one question and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockSample {
    /// When the answer came, on our clock.
    pub(crate) at: Micros,
    /// What is added to a time of the worker's to make it ours.
    pub(crate) offset: i64,
    /// How long question and answer were under way.
    pub(crate) round_trip: Micros,
}

impl ClockSample {
    /// From when the question left and the answer came back on our clock, and when the question came and the answer left
    /// on the worker's. `None` if they contradict each other.
    pub(crate) fn new(
        sent: Micros,
        received: SessionTime,
        answered: SessionTime,
        returned: Micros,
    ) -> Option<Self> {
        let [t1, t2, t3, t4] =
            [sent.0, received.0, answered.0, returned.0].map(|time| i64::try_from(time).ok());
        let (t1, t2, t3, t4) = (t1?, t2?, t3?, t4?);
        let away = t4.checked_sub(t1)?.checked_sub(t3.checked_sub(t2)?)?;
        // Our time minus the worker's, the mean of both ways.
        let offset = (t1.checked_sub(t2)?.checked_add(t4.checked_sub(t3)?)?) / 2;
        Some(Self { at: returned, offset, round_trip: Micros(u64::try_from(away).ok()?) })
    }

    /// How far off the offset may be, whatever each way took.
    pub(crate) const fn within(&self) -> Micros {
        Micros(self.round_trip.0.div_ceil(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_offset_lies_within_half_the_round_trip_however_uneven_the_ways_are() {
        // The worker's clock is 5 s behind ours.
        let truth = 5_000_000_i64;
        for (there, back, held) in [(100, 100, 50), (1, 900, 3), (900, 1, 0), (0, 0, 7)] {
            let sent = 9_000_000_u64;
            let received = sent + there - 5_000_000;
            let sample = ClockSample::new(
                Micros(sent),
                SessionTime(received),
                SessionTime(received + held),
                Micros(sent + there + held + back),
            )
            .unwrap();
            assert_eq!(sample.round_trip, Micros(there + back));
            let off = sample.offset.abs_diff(truth);
            assert!(off <= sample.within().0, "{there} {back}: {off}");
        }
    }

    #[test]
    fn times_that_contradict_each_other_are_no_measure() {
        let (early, late) = (SessionTime(5), SessionTime(500));
        assert_eq!(ClockSample::new(Micros(10), early, late, Micros(20)), None);
        assert_eq!(ClockSample::new(Micros(10), SessionTime::NEVER, late, Micros(20)), None);
    }
}
