//! How well the generator itself kept up: peaks and totals over the session.

use rushhour_core::event::GeneratorHealth;
use rushhour_core::units::Micros;

/// Peaks and totals of the generator's own health.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PeakHealth {
    /// The most resident memory, in bytes.
    pub memory: u64,
    /// Total processor time.
    pub cpu: Micros,
    /// The highest processor use over one reporting interval, as a fraction of one core.
    pub cpu_share: f64,
    /// The longest the event loop missed a deadline by.
    pub loop_lag: Micros,
    /// Status polls that were answered.
    pub status_polls: u64,
    /// Status polls that were not answered usefully.
    pub status_polls_failed: u64,
    /// The longest a due status poll waited.
    pub poll_lag: Micros,
    /// HTTP 429 responses.
    pub throttled: u64,
    /// Room polls.
    pub room_polls: u64,
    /// The longest a due room poll waited.
    pub room_poll_lag: Micros,
    /// Requests to LiveKit, room polls included.
    pub livekit_requests: u64,
    /// Of these, how many it refused because of too many requests.
    pub livekit_throttled: u64,
    /// Requests to LiveKit that waited because it had refused others.
    pub livekit_held_back: u64,
    /// Ticks of the threads of our own callers.
    pub ticks: u64,
    /// Of these, how many began more than 5 ms late.
    pub late_ticks: u64,
    /// The longest a tick began late.
    pub latest_tick: Micros,
}

impl PeakHealth {
    pub(super) fn add(&mut self, health: &GeneratorHealth) {
        self.memory = self.memory.max(health.memory);
        self.cpu = self.cpu + health.cpu;
        if health.interval > Micros::ZERO {
            let share = health.cpu.as_secs_f64() / health.interval.as_secs_f64();
            self.cpu_share = self.cpu_share.max(share);
        }
        self.loop_lag = self.loop_lag.max(health.loop_lag);
        self.status_polls += u64::from(health.polls);
        self.status_polls_failed += u64::from(health.polls_failed);
        self.poll_lag = self.poll_lag.max(health.poll_lag);
        self.throttled += u64::from(health.throttled);
        self.room_polls += u64::from(health.room_polls);
        self.room_poll_lag = self.room_poll_lag.max(health.room_poll_lag);
        self.livekit_requests += u64::from(health.livekit_requests);
        self.livekit_throttled += u64::from(health.livekit_throttled);
        self.livekit_held_back += u64::from(health.livekit_held_back);
        if let Some(callers) = health.callers {
            self.ticks += callers.ticks;
            self.late_ticks += callers.late_ticks;
            self.latest_tick = self.latest_tick.max(callers.latest_tick);
        }
    }
}
