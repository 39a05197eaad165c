//! How well the engine's threads keep their schedule, and how much they send and receive.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rushhour_core::units::Micros;

/// Ticks that begin later than this count as late: audio is then sent so late that it can be heard.
pub const LATE_TICK: Micros = Micros::from_millis(5);

/// Counters that all threads share.
#[derive(Debug, Default)]
pub(super) struct EngineCounters {
    pub(super) ticks: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    pub(super) max_tick_delay: AtomicU64,
    pub(super) datagrams_in: AtomicU64,
    pub(super) datagrams_out: AtomicU64,
    pub(super) datagrams_dropped: AtomicU64,
    pub(super) participants: AtomicU64,
}

/// The counters' values, since the engine started unless stated otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineHealth {
    /// Ticks of threads with participants.
    pub ticks: u64,
    /// Ticks that began more than [`LATE_TICK`] late.
    pub late_ticks: u64,
    /// How late the latest tick began, since the last call of [`Engine::health`](super::Engine::health).
    pub max_tick_delay: Micros,
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams sent.
    pub datagrams_out: u64,
    /// Datagrams that the system refused to send.
    pub datagrams_dropped: u64,
    /// Participants on threads now.
    pub participants: u64,
}

impl EngineCounters {
    pub(super) fn read(&self) -> EngineHealth {
        EngineHealth {
            ticks: self.ticks.load(Relaxed),
            late_ticks: self.late_ticks.load(Relaxed),
            max_tick_delay: Micros(self.max_tick_delay.swap(0, Relaxed)),
            datagrams_in: self.datagrams_in.load(Relaxed),
            datagrams_out: self.datagrams_out.load(Relaxed),
            datagrams_dropped: self.datagrams_dropped.load(Relaxed),
            participants: self.participants.load(Relaxed),
        }
    }

    pub(super) fn count_tick(&self, delay: Micros) {
        self.ticks.fetch_add(1, Relaxed);
        if delay > LATE_TICK {
            self.late_ticks.fetch_add(1, Relaxed);
        }
        self.max_tick_delay.fetch_max(delay.0, Relaxed);
    }
}
