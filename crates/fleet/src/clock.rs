//! A worker's clock as the coordinator sees it: offsets measured over request and reply, and moments converted.
//!
//! Nothing is assumed of wall clocks or of NTP. Both sides count microseconds of their monotonic clocks, and an exchange
//! of four timestamps says between which bounds the difference lies, however unequal the two ways are. What is said
//! here of a moment is therefore an interval that holds it, as long as neither clock jumps and both run at the same rate
//! within [`MOST_DRIFT_PPM`].

use std::collections::VecDeque;

use rushhour_core::units::{Micros, SessionTime};
use serde::{Deserialize, Serialize};

/// How much faster or slower one monotonic clock may run than the other, in millionths: what the kernel's NTP slews at
/// most. Free-running quartzes differ by less than a fifth of it.
pub const MOST_DRIFT_PPM: u64 = 500;
/// How long an exchange counts after a newer one.
pub const KEPT_FOR: Micros = Micros::from_secs(60);
/// The most exchanges of one worker that are kept.
pub const MOST_KEPT: usize = 64;

/// The latest time that is taken from anybody, some 30 years: offsets and their sums stay numbers.
const LATEST: u64 = 1_000_000_000_000_000;
/// Each timestamp is cut to whole microseconds.
const GRAIN: i64 = 1;

/// A moment on a worker's monotonic clock, in microseconds since that worker started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct WorkerTime(u64);

impl WorkerTime {
    /// As many microseconds since the worker started, 30 years at most.
    pub const fn from_micros(micros: u64) -> Self {
        Self(if micros > LATEST { LATEST } else { micros })
    }

    /// Microseconds since the worker started.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, at least zero. It was measured on one clock and is exact.
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    const fn signed(self) -> i64 {
        self.0.cast_signed()
    }

    /// How much an offset can have changed between two moments, rounded up.
    const fn drift_since(self, other: Self) -> i64 {
        (self.0.abs_diff(other.0) * MOST_DRIFT_PPM).div_ceil(1_000_000).cast_signed()
    }
}

impl From<u64> for WorkerTime {
    fn from(micros: u64) -> Self {
        Self::from_micros(micros)
    }
}

impl From<WorkerTime> for u64 {
    fn from(time: WorkerTime) -> Self {
        time.0
    }
}

/// The four timestamps of a request to a worker and its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockExchange {
    /// When the coordinator sent the request.
    pub sent: SessionTime,
    /// When the worker received it.
    pub received: WorkerTime,
    /// When the worker answered.
    pub answered: WorkerTime,
    /// When the coordinator had the answer.
    pub returned: SessionTime,
}

/// Timestamps that no exchange has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleExchange {
    /// A reply before its request, on one of the clocks.
    #[error("the reply is older than the request")]
    Backwards,
    /// More time went by at the worker than between request and reply here.
    #[error("the worker held the request for longer than the exchange took")]
    HeldTooLong,
    /// A time that no session reaches.
    #[error("a time is longer than any session lasts")]
    TooLate,
}

impl ClockExchange {
    /// The time that the messages were under way.
    ///
    /// # Errors
    /// Where the four timestamps cannot belong to one exchange.
    pub fn round_trip(&self) -> Result<Micros, ImpossibleExchange> {
        if self.returned.0 > LATEST {
            return Err(ImpossibleExchange::TooLate);
        }
        if self.returned < self.sent || self.answered < self.received {
            return Err(ImpossibleExchange::Backwards);
        }
        let (whole, held) = (self.returned.since(self.sent), self.answered.since(self.received));
        // A clock that runs fast, and cut timestamps, make the time held look longer than it was.
        let uncertain = self.answered.drift_since(self.received) + 2 * GRAIN;
        if held.0 > whole.0 + uncertain.cast_unsigned() {
            return Err(ImpossibleExchange::HeldTooLong);
        }
        Ok(whole.saturating_sub(held))
    }

    /// Between which bounds the offset was when the worker's clock showed `at`.
    ///
    /// The request was received after it was sent, which bounds the offset below; the reply returned after it was
    /// given, which bounds it above. Each bound holds at its own moment and loosens with the time from there.
    fn offset_at(&self, at: WorkerTime) -> ClockOffset {
        let session = |time: SessionTime| time.0.min(LATEST).cast_signed();
        let least = session(self.sent) - self.received.signed() - GRAIN;
        let most = session(self.returned) - self.answered.signed() + GRAIN;
        ClockOffset {
            least_us: least - at.drift_since(self.received),
            most_us: most + at.drift_since(self.answered),
        }
    }
}

/// Bounds of the coordinator's time less the worker's, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    least_us: i64,
    most_us: i64,
}

impl ClockOffset {
    /// The middle: what is added to a worker's time.
    pub const fn middle_us(self) -> i64 {
        // The sum of two offsets is far from overflow: both come from times below `LATEST`.
        (self.least_us + self.most_us).div_euclid(2)
    }

    /// How far the offset may be from its middle.
    pub const fn half_width(self) -> Micros {
        Micros((self.most_us - self.middle_us()).cast_unsigned())
    }

    const fn intersection(self, other: Self) -> Option<Self> {
        let least_us = if self.least_us > other.least_us { self.least_us } else { other.least_us };
        let most_us = if self.most_us < other.most_us { self.most_us } else { other.most_us };
        if least_us > most_us { None } else { Some(Self { least_us, most_us }) }
    }

    const fn union(self, other: Self) -> Self {
        let least_us = if self.least_us < other.least_us { self.least_us } else { other.least_us };
        let most_us = if self.most_us > other.most_us { self.most_us } else { other.most_us };
        Self { least_us, most_us }
    }

    /// How far the offset may be from `middle_us`, which need not be its own middle.
    const fn distance_from(self, middle_us: i64) -> Micros {
        let (below, above) = (middle_us - self.least_us, self.most_us - middle_us);
        let most = if below > above { below } else { above };
        Micros(if most > 0 { most.cast_unsigned() } else { 0 })
    }
}

/// Whether the exchanges with a worker fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockAgreement {
    /// One offset, and the drift that is allowed for, explains all of them.
    Agrees,
    /// None does: a clock was set forward or slewed hard, or a machine was suspended. Until the older exchanges are
    /// forgotten, the offset may be anything between them.
    Jumped,
}

/// What is known of a worker's clock at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetEstimate {
    /// The offset then.
    pub offset: ClockOffset,
    /// Whether all exchanges support it.
    pub agreement: ClockAgreement,
    /// The shortest round trip among the exchanges.
    pub round_trip: Micros,
    /// How many exchanges it rests on.
    pub exchanges: u32,
}

/// The clock of one worker, by the exchanges of the last minute.
#[derive(Debug, Clone, Default)]
pub struct WorkerClock {
    /// The oldest first.
    kept: VecDeque<(ClockExchange, Micros)>,
}

impl WorkerClock {
    /// Takes an exchange, and forgets those that are older than it by more than [`KEPT_FOR`].
    ///
    /// # Errors
    /// Where its timestamps cannot belong to one exchange; it is not taken then.
    pub fn take(&mut self, exchange: ClockExchange) -> Result<(), ImpossibleExchange> {
        let round_trip = exchange.round_trip()?;
        self.kept.push_back((exchange, round_trip));
        self.kept.retain(|(kept, _)| exchange.returned.since(kept.returned) <= KEPT_FOR);
        if self.kept.len() > MOST_KEPT {
            self.kept.pop_front();
        }
        Ok(())
    }

    /// The offset when the worker's clock showed `at`; `None` before the first exchange.
    pub fn offset_at(&self, at: WorkerTime) -> Option<OffsetEstimate> {
        let (first, _) = self.kept.front()?;
        let mut bounds = self.kept.iter().map(|(exchange, _)| exchange.offset_at(at));
        let agreed = bounds.try_fold(first.offset_at(at), ClockOffset::intersection);
        let (offset, agreement) = match agreed {
            Some(offset) => (offset, ClockAgreement::Agrees),
            None => (self.union_at(at, first.offset_at(at)), ClockAgreement::Jumped),
        };
        let round_trips = self.kept.iter().map(|(_, round_trip)| *round_trip);
        Some(OffsetEstimate {
            offset,
            agreement,
            round_trip: round_trips.min()?,
            exchanges: u32::try_from(self.kept.len()).unwrap_or(u32::MAX),
        })
    }

    fn union_at(&self, at: WorkerTime, first: ClockOffset) -> ClockOffset {
        self.kept.iter().fold(first, |union, (exchange, _)| union.union(exchange.offset_at(at)))
    }

    /// The offset at this moment of the coordinator's clock, as well as the worker's is known then.
    pub fn offset_now(&self, now: SessionTime) -> Option<OffsetEstimate> {
        let (newest, _) = self.kept.back()?;
        let since = now.since(newest.returned).0;
        self.offset_at(WorkerTime::from_micros(newest.answered.0.saturating_add(since)))
    }
}

/// A worker's moment on the coordinator's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertedTime {
    /// The likeliest time. Between two moments of one run these differ by exactly what the worker measured.
    pub at: SessionTime,
    /// How much earlier or later it may have been.
    pub within: Micros,
}

impl ConvertedTime {
    /// The earliest time that it may have been.
    pub const fn earliest(self) -> SessionTime {
        SessionTime(self.at.0.saturating_sub(self.within.0))
    }

    /// The latest time that it may have been.
    pub const fn latest(self) -> SessionTime {
        SessionTime(self.at.0.saturating_add(self.within.0))
    }
}

/// The one offset that all moments of a run are converted with, from its first one.
///
/// Converting each moment with the best offset of its time would make durations of one run depend on the exchanges in
/// between: a late, better exchange could put a greeting before the agent that greets. So the middle stays, and only
/// what it may be wrong by follows the drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunClock {
    first: WorkerTime,
    at_first: ClockOffset,
}

impl RunClock {
    /// The clock of a run whose first moment is `first`.
    pub const fn new(first: WorkerTime, estimate: OffsetEstimate) -> Self {
        Self { first, at_first: estimate.offset }
    }

    /// What is added to each of the run's times, in microseconds.
    pub const fn shift_us(&self) -> i64 {
        self.at_first.middle_us()
    }

    /// A moment of the run on the coordinator's clock. `known_then` is what is known of the offset at that moment: it
    /// keeps the bounds of a long run narrow, and shows that a clock jumped since.
    pub fn convert(&self, at: WorkerTime, known_then: Option<OffsetEstimate>) -> ConvertedTime {
        let middle = self.shift_us();
        let drift = at.drift_since(self.first);
        let drifted = ClockOffset {
            least_us: self.at_first.least_us - drift,
            most_us: self.at_first.most_us + drift,
        };
        // After a jump the offset at the first moment says nothing, however well it was known.
        let offset = known_then.map_or(drifted, |known| known.offset);
        let time = at.signed() + middle;
        // Before the session's start nothing of it can have happened, so the start is nearer than `time` was.
        ConvertedTime {
            at: SessionTime(u64::try_from(time).unwrap_or(0)),
            within: offset.distance_from(middle) + Micros(GRAIN.cast_unsigned()),
        }
    }
}

#[cfg(test)]
mod tests;
