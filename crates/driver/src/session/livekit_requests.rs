//! Requests to LiveKit: sent at once, unless it refuses them because there are too many.

use super::session::Session;
use crate::session_effect::SessionEffect;
use crate::session_input::RequestTiming;
use rushhour_core::units::SessionTime;
use rushhour_livekit::{LiveKitError, LiveKitErrorKind};

impl Session {
    /// Sends a request to LiveKit, or keeps it until LiveKit takes requests again.
    pub(super) fn request_livekit(&mut self, request: SessionEffect, now: SessionTime) {
        match self.livekit_throttle.admit(request, now) {
            Some(request) => self.effects.push(request),
            None => self.health.livekit_held_back += 1,
        }
    }

    /// Takes in the response to a request to LiveKit, before the run does.
    pub(super) fn livekit_answered(&mut self, error: Option<&LiveKitError>, now: SessionTime) {
        self.health.livekit_requests += 1;
        let Some(LiveKitErrorKind::RateLimited { retry_after }) = error.map(|error| error.kind)
        else {
            self.livekit_throttle.answered();
            return;
        };
        self.health.livekit_throttled += 1;
        if let Some(until) = self.livekit_throttle.refused(retry_after, now) {
            tracing::info!(
                wait_ms = until.since(now).0 / 1_000,
                "LiveKit refuses requests: nothing is sent to it"
            );
            self.room_polls.limit(self.livekit_throttle.poll_rate());
            self.room_polls.pause(until);
        }
    }

    /// Sends the requests to LiveKit that waited and are due.
    pub(super) fn send_waiting_requests(&mut self, now: SessionTime) {
        if self.livekit_throttle.recover(now) {
            self.room_polls.limit(None);
        }
        let runs = &self.runs;
        let is_needed = |run| runs.get(&run).is_some_and(|run| !run.has_ended());
        for request in self.livekit_throttle.withdraw(is_needed) {
            self.withdrawn(&request, now);
        }
        while let Some(request) = self.livekit_throttle.take(now) {
            self.effects.push(request);
        }
    }

    /// A request that waited was never sent, because its run has ended: the run need not wait for the response.
    fn withdrawn(&mut self, request: &SessionEffect, now: SessionTime) {
        let error = || {
            let message = "not sent, because the run had ended";
            LiveKitError::new(LiveKitErrorKind::Internal, message)
        };
        let timing = RequestTiming { sent: now, answered: now };
        match request {
            SessionEffect::CreateRoom(planned) => {
                self.with_run(planned.index, now, |run, settings, effects| {
                    run.room_created(timing, Err(error()), settings, now, effects);
                });
            }
            SessionEffect::Dispatch(planned) => {
                self.with_run(planned.index, now, |run, settings, effects| {
                    run.dispatched(timing, Err(error()), settings, now, effects);
                });
            }
            _ => {}
        }
    }
}
