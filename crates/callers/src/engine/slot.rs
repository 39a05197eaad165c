//! A participant on a thread, with its socket, its signal connection and its handler.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{Span, info};

use super::clock::EngineClock;
use super::handler::{NextTick, ParticipantHandle, ParticipantHandler};
use super::health::EngineCounters;
use super::leave_reason::LeaveReason;
use super::signal_connection::SignalError;
use super::slot_handle::SlotHandle;
use super::socket::{ReceiveBuffers, Socket};
use crate::participant::{Participant, ParticipantError, ParticipantEvent, ParticipantOutput};
use rushhour_core::units::SessionTime;

/// Events that wait for the handler, at most; a flood beyond that is dropped, except for the end of the room.
const MAX_EVENTS: usize = 4_096;

/// What a thread's slots share while one of them is served.
pub(super) struct TickContext<'a> {
    pub(super) clock: &'a EngineClock,
    pub(super) buffers: &'a mut ReceiveBuffers,
    pub(super) counters: &'a EngineCounters,
    /// When the slot that is served has its next tick.
    pub(super) next_tick: SessionTime,
}

/// A participant on a thread.
pub(super) struct ParticipantSlot {
    participant: Participant,
    socket: Socket,
    signal: UnboundedSender<Request>,
    handler: Box<dyn ParticipantHandler>,
    events: VecDeque<(ParticipantEvent, SessionTime)>,
    next: NextTick,
    joined_at: Option<SessionTime>,
    open: bool,
    stop: Arc<AtomicBool>,
    stopped: bool,
    left: Option<LeaveReason>,
    span: Span,
}

impl ParticipantSlot {
    pub(super) fn new(
        participant: Participant,
        socket: Socket,
        signal: UnboundedSender<Request>,
        handler: Box<dyn ParticipantHandler>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            participant,
            socket,
            signal,
            handler,
            events: VecDeque::new(),
            // A handler that limits how long joining may take must see time pass.
            next: NextTick::Next,
            joined_at: None,
            open: false,
            stop,
            stopped: false,
            left: None,
            span: Span::current(),
        }
    }

    /// Whether its data channel is open.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// Handles a message from the server, or the end of the signal connection.
    pub(super) fn handle_signal(
        &mut self,
        message: Result<Response, SignalError>,
        at: SessionTime,
        context: &mut TickContext<'_>,
    ) {
        let Self { participant, socket, signal, events, .. } = self;
        let mut out = SlotOutput { socket, signal, events, at, counters: context.counters };
        let result = match message {
            Ok(message) => participant.handle_signal(message, at, &mut out),
            Err(error) => {
                participant.handle_signal_lost(error, &mut out);
                Ok(())
            }
        };
        self.leave_on_error(result);
    }

    /// Receives what arrived, runs timers and calls the handler. Returns why the participant left, if it has.
    pub(super) fn tick(
        &mut self,
        context: &mut TickContext<'_>,
    ) -> Option<(LeaveReason, SessionTime)> {
        self.receive_datagrams(context);
        let now = context.clock.now();
        if self.left.is_none() && self.participant.deadline() <= now {
            let Self { participant, socket, signal, events, .. } = self;
            let mut out =
                SlotOutput { socket, signal, events, at: now, counters: context.counters };
            let result = participant.handle_timeout(now, &mut out);
            self.leave_on_error(result);
        }
        let had_events = self.deliver_events(context);
        if !self.stopped && self.left.is_none() && self.stop.load(Relaxed) {
            self.stopped = true;
            self.call(context, |handler, handle| handler.on_stop(handle));
        }
        let due = match self.next {
            NextTick::Next => true,
            NextTick::At(time) => time <= now,
            NextTick::OnEvent => false,
        };
        if self.left.is_none() && (had_events || due) {
            self.next = self.call(context, |handler, handle| handler.on_tick(handle));
            self.deliver_events(context);
        }
        self.left.take().map(|reason| (reason, context.clock.now()))
    }

    /// Says goodbye to the server and the handler.
    pub(super) fn close(mut self, reason: LeaveReason, at: SessionTime) {
        if matches!(reason, LeaveReason::ClientInitiated) {
            let _ = self.signal.send(Request::Leave(proto::LeaveRequest {
                reason: proto::DisconnectReason::ClientInitiated.into(),
                ..proto::LeaveRequest::default()
            }));
        }
        if let Some(joined_at) = self.joined_at {
            info!(parent: &self.span, %reason, after = %at.since(joined_at), "left the room");
        } else {
            info!(parent: &self.span, %reason, "left before it had joined");
        }
        self.handler.on_left(reason, at);
    }

    fn receive_datagrams(&mut self, context: &mut TickContext<'_>) {
        let Self { participant, socket, signal, events, left, .. } = self;
        let counters = context.counters;
        let mut count = 0;
        context.buffers.receive_all(socket, context.clock, |bytes, from, at| {
            count += 1;
            if left.is_some() {
                return;
            }
            let mut out = SlotOutput { socket, signal, events, at, counters };
            if let Err(error) = participant.handle_datagram(bytes, from, at, &mut out) {
                *left = Some(LeaveReason::Disconnected(error.into()));
            }
        });
        if count > 0 {
            counters.datagrams_in.fetch_add(count, Relaxed);
        }
    }

    /// Passes events to the handler. Returns whether there were any.
    ///
    /// The end of the room comes last: the signal connection may tell it before the last datagrams are read, and with
    /// them the last words of an agent that deletes the room.
    fn deliver_events(&mut self, context: &mut TickContext<'_>) -> bool {
        let mut had_events = false;
        let mut disconnected = None;
        while self.left.is_none()
            && let Some((event, at)) = self.events.pop_front()
        {
            had_events = true;
            match &event {
                ParticipantEvent::Joined { .. } => self.joined_at = Some(at),
                ParticipantEvent::DataChannelOpen => self.open = true,
                _ => {}
            }
            if let ParticipantEvent::Disconnected(error) = event {
                disconnected.get_or_insert(error);
                continue;
            }
            self.call(context, |handler, handle| handler.on_event(event, at, handle));
        }
        if let Some(error) = disconnected {
            self.left.get_or_insert(LeaveReason::Disconnected(error));
        }
        had_events
    }

    fn call<R>(
        &mut self,
        context: &TickContext<'_>,
        call: impl FnOnce(&mut dyn ParticipantHandler, &mut dyn ParticipantHandle) -> R,
    ) -> R {
        let Self { participant, socket, signal, handler, events, left, .. } = self;
        let mut handle = SlotHandle {
            participant,
            socket,
            signal,
            events,
            left,
            clock: context.clock,
            counters: context.counters,
            next_tick: context.next_tick,
        };
        call(handler.as_mut(), &mut handle)
    }

    fn leave_on_error(&mut self, result: Result<(), ParticipantError>) {
        if let Err(error) = result {
            self.left.get_or_insert(LeaveReason::Disconnected(error.into()));
        }
    }
}

/// Carries out what a participant asks for.
pub(super) struct SlotOutput<'a> {
    pub(super) socket: &'a Socket,
    pub(super) signal: &'a UnboundedSender<Request>,
    pub(super) events: &'a mut VecDeque<(ParticipantEvent, SessionTime)>,
    /// When the participant's events happened.
    pub(super) at: SessionTime,
    pub(super) counters: &'a EngineCounters,
}

impl ParticipantOutput for SlotOutput<'_> {
    fn transmit(&mut self, to: SocketAddr, datagram: &[u8]) {
        let sent = self.socket.send(to, datagram);
        let counter =
            if sent { &self.counters.datagrams_out } else { &self.counters.datagrams_dropped };
        counter.fetch_add(1, Relaxed);
    }

    fn send_signal(&mut self, message: Request) {
        // If the connection has ended, its task reports that itself.
        let _ = self.signal.send(message);
    }

    fn event(&mut self, event: ParticipantEvent) {
        if self.events.len() < MAX_EVENTS || matches!(event, ParticipantEvent::Disconnected(_)) {
            self.events.push_back((event, self.at));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::participant::DisconnectError;

    #[expect(clippy::disallowed_methods, reason = "a clock begins somewhere")]
    #[test]
    fn a_flood_of_events_is_dropped_but_the_end_of_the_room_is_not() {
        let socket = Socket::towards("127.0.0.1:9".parse().unwrap()).unwrap();
        let (signal, _) = tokio::sync::mpsc::unbounded_channel();
        let mut events = VecDeque::new();
        let clock = EngineClock::new(Instant::now(), 0);
        let counters = EngineCounters::default();
        let at = clock.now();
        let mut out = SlotOutput {
            socket: &socket,
            signal: &signal,
            events: &mut events,
            at,
            counters: &counters,
        };
        for _ in 0..2 * MAX_EVENTS {
            out.event(ParticipantEvent::DataChannelOpen);
        }
        out.event(ParticipantEvent::Disconnected(DisconnectError::RoomDeleted));
        assert_eq!(events.len(), MAX_EVENTS + 1);
        assert!(matches!(events.back(), Some((ParticipantEvent::Disconnected(_), _))));
    }
}
