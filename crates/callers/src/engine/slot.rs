//! A participant on a thread, with its socket, its signal connection and its handler.

use std::collections::VecDeque;
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
use super::paths::MediaPaths;
use super::signal_connection::SignalError;
use super::slot_handle::SlotHandle;
use super::socket::ReceiveBuffers;
use crate::participant::{
    IceServer, PacketProtocol, PacketRoute, Participant, ParticipantError, ParticipantEvent,
    ParticipantOutput, ServerCandidate,
};
use rushhour_core::event::MediaPath;
use rushhour_core::units::SessionTime;

/// Events that wait for the handler, at most; a flood beyond that is dropped.
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
    paths: MediaPaths,
    signal: UnboundedSender<Request>,
    handler: Box<dyn ParticipantHandler>,
    events: VecDeque<(ParticipantEvent, SessionTime)>,
    next: NextTick,
    joined_at: Option<SessionTime>,
    open: bool,
    /// The way of media and data that the handler knows.
    path: Option<MediaPath>,
    stop: Arc<AtomicBool>,
    stopped: bool,
    left: Option<LeaveReason>,
    span: Span,
}

impl ParticipantSlot {
    pub(super) fn new(
        participant: Participant,
        paths: MediaPaths,
        signal: UnboundedSender<Request>,
        handler: Box<dyn ParticipantHandler>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            participant,
            paths,
            signal,
            handler,
            events: VecDeque::new(),
            // A handler that limits how long joining may take must see time pass.
            next: NextTick::Next,
            joined_at: None,
            open: false,
            path: None,
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
        let Self { participant, paths, signal, events, .. } = self;
        let mut out = SlotOutput { paths, signal, events, at, counters: context.counters };
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
        self.receive_packets(context);
        self.advance_paths(context);
        let now = context.clock.now();
        if self.left.is_none() && self.participant.deadline() <= now {
            let Self { participant, paths, signal, events, .. } = self;
            let mut out = SlotOutput { paths, signal, events, at: now, counters: context.counters };
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
        self.paths.close(at);
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

    fn receive_packets(&mut self, context: &mut TickContext<'_>) {
        let (clock, counters) = (context.clock, context.counters);
        let mut count = 0;
        let mut index = 0;
        while let Some(socket) = self.paths.socket(index) {
            let local = socket.local_addr();
            context.buffers.receive_all(&socket, clock, |bytes, remote, at| {
                count += 1;
                self.receive(
                    bytes,
                    PacketRoute { protocol: PacketProtocol::Udp, local, remote },
                    at,
                    counters,
                );
            });
            index += 1;
        }
        for index in 0..self.paths.relay_count() {
            let Some(socket) = self.paths.relay_socket(index) else { continue };
            context.buffers.receive_all(&socket, clock, |bytes, from, at| {
                count += 1;
                if let Some((route, packet)) = self.paths.relayed_packet(index, bytes, from, at) {
                    self.receive(&packet, route, at, counters);
                }
            });
        }
        let now = clock.now();
        for (route, packet) in self.paths.read_streams(now) {
            count += 1;
            self.receive(&packet, route, now, counters);
        }
        if count > 0 {
            counters.datagrams_in.fetch_add(count, Relaxed);
        }
    }

    fn receive(
        &mut self,
        bytes: &[u8],
        route: PacketRoute,
        at: SessionTime,
        counters: &EngineCounters,
    ) {
        if self.left.is_some() {
            return;
        }
        self.paths.note_arrival(route);
        let Self { participant, paths, signal, events, .. } = self;
        let mut out = SlotOutput { paths, signal, events, at, counters };
        let result = participant.handle_packet(bytes, route, at, &mut out);
        self.leave_on_error(result);
    }

    /// Opens further ways to the server where the first does not connect, and gives up those that are not used.
    fn advance_paths(&mut self, context: &TickContext<'_>) {
        let now = context.clock.now();
        self.paths.advance(now);
        for candidate in self.paths.take_candidates() {
            let Self { participant, paths, signal, events, .. } = self;
            let mut out = SlotOutput { paths, signal, events, at: now, counters: context.counters };
            let result = participant.add_local_candidate(candidate, now, &mut out);
            self.leave_on_error(result);
        }
        if !self.open {
            return;
        }
        for candidate in self.paths.settle(now) {
            self.participant.remove_local_candidate(candidate);
        }
        if let Some(path) = self.paths.path().filter(|path| self.path != Some(*path)) {
            self.path = Some(path);
            self.events.push_back((ParticipantEvent::PathChosen(path), now));
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
        let Self { participant, paths, signal, handler, events, left, .. } = self;
        let mut handle = SlotHandle {
            participant,
            paths,
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
    pub(super) paths: &'a mut MediaPaths,
    pub(super) signal: &'a UnboundedSender<Request>,
    pub(super) events: &'a mut VecDeque<(ParticipantEvent, SessionTime)>,
    /// When the participant's events happened.
    pub(super) at: SessionTime,
    pub(super) counters: &'a EngineCounters,
}

impl ParticipantOutput for SlotOutput<'_> {
    fn transmit(&mut self, route: PacketRoute, packet: &[u8]) {
        let sent = self.paths.send(route, packet, self.at);
        let counter =
            if sent { &self.counters.datagrams_out } else { &self.counters.datagrams_dropped };
        counter.fetch_add(1, Relaxed);
    }

    fn server_candidate(&mut self, candidate: ServerCandidate) {
        self.paths.add_server_candidate(candidate, self.at);
    }

    fn turn_servers(&mut self, servers: Vec<IceServer>) {
        self.paths.set_ice_servers(servers);
    }

    fn send_signal(&mut self, message: Request) {
        // If the connection has ended, its task reports that itself.
        let _ = self.signal.send(message);
    }

    fn event(&mut self, event: ParticipantEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back((event, self.at));
        }
    }
}
