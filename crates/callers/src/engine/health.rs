//! How the threads themselves were doing: whether they kept their beat, and what they moved.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rushhour_core::units::Micros;

/// Beats that begin later than this are counted as late: by then audio leaves late that could be heard to.
pub const LATE_BEAT: Micros = Micros::from_millis(5);

/// Counters that all threads share.
#[derive(Debug, Default)]
pub(super) struct EngineCounters {
    pub(super) beats: AtomicU64,
    pub(super) late_beats: AtomicU64,
    pub(super) latest_beat: AtomicU64,
    pub(super) datagrams_in: AtomicU64,
    pub(super) datagrams_out: AtomicU64,
    pub(super) datagrams_refused: AtomicU64,
    pub(super) participants: AtomicU64,
}

/// What the counters say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineHealth {
    /// Beats in which participants were attended to.
    pub beats: u64,
    /// Those that began more than [`LATE_BEAT`] late.
    pub late_beats: u64,
    /// The latest beat since this was last asked for.
    pub latest_beat: Micros,
    /// Datagrams that arrived.
    pub datagrams_in: u64,
    /// Datagrams that were sent.
    pub datagrams_out: u64,
    /// Datagrams that the system would not take.
    pub datagrams_refused: u64,
    /// Participants there are now.
    pub participants: u64,
}

impl EngineCounters {
    pub(super) fn read(&self) -> EngineHealth {
        EngineHealth {
            beats: self.beats.load(Relaxed),
            late_beats: self.late_beats.load(Relaxed),
            latest_beat: Micros(self.latest_beat.swap(0, Relaxed)),
            datagrams_in: self.datagrams_in.load(Relaxed),
            datagrams_out: self.datagrams_out.load(Relaxed),
            datagrams_refused: self.datagrams_refused.load(Relaxed),
            participants: self.participants.load(Relaxed),
        }
    }

    pub(super) fn beat(&self, late: Micros) {
        self.beats.fetch_add(1, Relaxed);
        if late > LATE_BEAT {
            self.late_beats.fetch_add(1, Relaxed);
        }
        self.latest_beat.fetch_max(late.0, Relaxed);
    }
}
