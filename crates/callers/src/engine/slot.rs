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
use super::paths::PeerPaths;
use super::signal_connection::{SignalCommand, SignalError};
use super::slot_handle::SlotHandle;
use super::socket::{ReceiveBuffers, Socket};
use super::thread::{Rejoin, TICK};
use crate::network::Delivery;
use crate::participant::{
    DisconnectError, IceServer, PacketProtocol, PacketRoute, Participant, ParticipantError,
    ParticipantEvent, ParticipantOutput, PeerRole, ServerCandidate, SignalAttempt,
};
use rushhour_core::event::MediaPath;
use rushhour_core::units::{Micros, SessionTime};

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
    paths: PeerPaths,
    signal: UnboundedSender<SignalCommand>,
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
    sends_audio: bool,
    span: Span,
}

impl ParticipantSlot {
    pub(super) fn new(
        participant: Participant,
        paths: PeerPaths,
        signal: UnboundedSender<SignalCommand>,
        handler: Box<dyn ParticipantHandler>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            sends_audio: participant.sends_audio(),
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

    /// Whether it has audio to send at every tick of its own.
    pub(super) const fn sends_audio(&self) -> bool {
        self.sends_audio
    }

    /// Its socket, if nothing is to be done for it at `now` unless something has arrived there.
    pub(super) fn idle_socket(&self, now: SessionTime) -> Option<&Socket> {
        let has_work = self.is_due(now)
            || self.left.is_some()
            || !self.events.is_empty()
            || self.participant.deadline() <= now
            || (!self.stopped && self.stop.load(Relaxed));
        if has_work { None } else { self.paths.only_socket() }
    }

    /// Whether its handler wants to be called.
    fn is_due(&self, now: SessionTime) -> bool {
        match self.next {
            NextTick::Next => true,
            NextTick::At(time) => time <= now,
            NextTick::OnEvent => false,
        }
    }

    /// Handles a message from the server, or the end of the signal connection with this number.
    pub(super) fn handle_signal(
        &mut self,
        number: u64,
        message: Result<Response, SignalError>,
        at: SessionTime,
        context: &mut TickContext<'_>,
    ) {
        let Self { participant, paths, signal, events, .. } = self;
        if number != participant.signal_number() {
            return;
        }
        let mut out = SlotOutput { paths, signal, events, at, counters: context.counters };
        let result = match message {
            Ok(message) => participant.handle_signal(message, at, &mut out),
            Err(SignalError::Flood) => {
                self.left.get_or_insert(LeaveReason::Disconnected(DisconnectError::Signal(
                    Box::new(SignalError::Flood),
                )));
                Ok(())
            }
            Err(error) => {
                participant.handle_signal_lost(error.into_loss(), at, &mut out);
                Ok(())
            }
        };
        self.leave_on_error(result);
    }

    /// Takes in new connections, if they are what the participant asked for last.
    pub(super) fn rejoin(&mut self, rejoin: Rejoin, now: SessionTime) {
        if rejoin.number == self.participant.signal_number() {
            self.participant.replace_connections(rejoin.participant);
            self.paths.replace(rejoin.paths, now);
        }
    }

    /// Whether packets are on their way in a network of its own, and must be moved on at every tick of the thread.
    pub(super) const fn has_network(&self) -> bool {
        self.paths.has_network()
    }

    /// Moves on what is on its way in its own network. What the handler learns from it waits for its next tick.
    pub(super) fn move_packets(&mut self, context: &mut TickContext<'_>) {
        self.receive_packets(context);
        if self.has_network() {
            let now = context.clock.now();
            while let Some(delivery) = self.paths.next_received(now) {
                let Delivery { peer, route, packet, at } = delivery;
                self.receive(peer, &packet, route, at, context.counters);
            }
            // To the nearest tick, so that packets are not late on average.
            let due = now + Micros(TICK.0 / 2);
            while let Some(sent) = self.paths.send_next(due) {
                count_sent(sent, context.counters);
            }
        }
    }

    /// Receives what arrived, runs timers and calls the handler. Returns why the participant left, if it has.
    pub(super) fn tick(
        &mut self,
        context: &mut TickContext<'_>,
    ) -> Option<(LeaveReason, SessionTime)> {
        self.move_packets(context);
        self.advance_paths(context);
        let now = context.clock.now();
        // Sending a packet runs the timers as well.
        let sends = self.open && self.sends_audio && self.next == NextTick::Next;
        if !sends {
            self.run_timers(now, context);
        }
        let had_events = self.deliver_events(context);
        if !self.stopped && self.left.is_none() && self.stop.load(Relaxed) {
            self.stopped = true;
            self.call(context, |handler, handle| handler.on_stop(handle));
        }
        if self.left.is_none() && (had_events || self.is_due(now)) {
            self.next = self.call(context, |handler, handle| handler.on_tick(handle));
            self.deliver_events(context);
        }
        if sends {
            self.run_timers(now, context);
        }
        self.left.take().map(|reason| (reason, context.clock.now()))
    }

    /// Runs the participant's timers that are due.
    fn run_timers(&mut self, now: SessionTime, context: &TickContext<'_>) {
        if self.left.is_none() && self.participant.deadline() <= now {
            let Self { participant, paths, signal, events, .. } = self;
            let mut out = SlotOutput { paths, signal, events, at: now, counters: context.counters };
            let result = participant.handle_timeout(now, &mut out);
            self.leave_on_error(result);
        }
    }

    /// Says goodbye to the server and the handler.
    pub(super) fn close(mut self, reason: LeaveReason, at: SessionTime) {
        self.paths.close(at);
        if matches!(reason, LeaveReason::ClientInitiated) {
            let leave = Request::Leave(proto::LeaveRequest {
                reason: proto::DisconnectReason::ClientInitiated.into(),
                ..proto::LeaveRequest::default()
            });
            let _ = self.signal.send(SignalCommand::Send(Box::new(leave)));
        }
        if let Some(joined_at) = self.joined_at {
            info!(parent: &self.span, %reason, after = %at.since(joined_at), "left the room");
        } else {
            info!(parent: &self.span, %reason, "left before it had joined");
        }
        self.handler.on_left(reason, at);
    }

    fn receive_packets(&mut self, context: &mut TickContext<'_>) {
        let mut count = 0;
        for &peer in self.paths.roles() {
            count += self.receive_packets_of(peer, context);
        }
        if count > 0 {
            context.counters.datagrams_in.fetch_add(count, Relaxed);
        }
    }

    /// Receives what arrived for one of the peer connections. Returns how many packets did.
    fn receive_packets_of(&mut self, peer: PeerRole, context: &mut TickContext<'_>) -> u64 {
        let (clock, counters) = (context.clock, context.counters);
        let mut count = 0;
        let mut index = 0;
        while let Some(socket) = self.paths.get_mut(peer).socket(index) {
            let local = socket.local_addr();
            context.buffers.receive_all(&socket, clock, |bytes, remote, at| {
                count += 1;
                let route = PacketRoute { protocol: PacketProtocol::Udp, local, remote };
                self.arrived(peer, bytes, route, at, counters);
            });
            index += 1;
        }
        for index in 0..self.paths.get_mut(peer).relay_count() {
            let Some(socket) = self.paths.get_mut(peer).relay_socket(index) else { continue };
            context.buffers.receive_all(&socket, clock, |bytes, from, at| {
                count += 1;
                let relayed = self.paths.get_mut(peer).relayed_packet(index, bytes, from, at);
                if let Some((route, packet)) = relayed {
                    self.arrived(peer, &packet, route, at, counters);
                }
            });
        }
        let now = clock.now();
        for (route, packet) in self.paths.get_mut(peer).read_streams(now) {
            count += 1;
            self.arrived(peer, &packet, route, now, counters);
        }
        count
    }

    /// Receives a packet, unless its own network loses or delays it.
    fn arrived(
        &mut self,
        peer: PeerRole,
        bytes: &[u8],
        route: PacketRoute,
        at: SessionTime,
        counters: &EngineCounters,
    ) {
        if self.paths.passes(peer, bytes, route, at) {
            self.receive(peer, bytes, route, at, counters);
        }
    }

    fn receive(
        &mut self,
        peer: PeerRole,
        bytes: &[u8],
        route: PacketRoute,
        at: SessionTime,
        counters: &EngineCounters,
    ) {
        if self.left.is_some() {
            return;
        }
        self.paths.get_mut(peer).note_arrival(route);
        let Self { participant, paths, signal, events, .. } = self;
        let mut out = SlotOutput { paths, signal, events, at, counters };
        let result = participant.handle_packet(bytes, peer, route, at, &mut out);
        self.leave_on_error(result);
    }

    /// Opens further ways to the server where the first does not connect, and gives up those that are not used.
    fn advance_paths(&mut self, context: &TickContext<'_>) {
        let now = context.clock.now();
        for &peer in self.paths.roles() {
            self.paths.get_mut(peer).advance(now);
            if self.paths.get_mut(peer).is_broken() {
                let Self { participant, paths, signal, events, .. } = self;
                let counters = context.counters;
                let mut out = SlotOutput { paths, signal, events, at: now, counters };
                participant.media_lost(now, &mut out);
            }
            for candidate in self.paths.get_mut(peer).take_candidates() {
                let Self { participant, paths, signal, events, .. } = self;
                let counters = context.counters;
                let mut out = SlotOutput { paths, signal, events, at: now, counters };
                let result = participant.add_local_candidate(peer, candidate, now, &mut out);
                self.leave_on_error(result);
            }
            if self.open {
                for candidate in self.paths.get_mut(peer).settle(now) {
                    self.participant.remove_local_candidate(peer, candidate);
                }
            }
        }
        let path = self.paths.path().filter(|path| self.open && self.path != Some(*path));
        if let Some(path) = path {
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

fn count_sent(sent: bool, counters: &EngineCounters) {
    let counter = if sent { &counters.datagrams_out } else { &counters.datagrams_dropped };
    counter.fetch_add(1, Relaxed);
}

/// Carries out what a participant asks for.
pub(super) struct SlotOutput<'a> {
    pub(super) paths: &'a mut PeerPaths,
    pub(super) signal: &'a UnboundedSender<SignalCommand>,
    pub(super) events: &'a mut VecDeque<(ParticipantEvent, SessionTime)>,
    /// When the participant's events happened.
    pub(super) at: SessionTime,
    pub(super) counters: &'a EngineCounters,
}

impl ParticipantOutput for SlotOutput<'_> {
    fn transmit(&mut self, peer: PeerRole, route: PacketRoute, packet: &[u8]) {
        if let Some(sent) = self.paths.send(peer, route, packet, self.at) {
            count_sent(sent, self.counters);
        }
    }

    fn server_candidate(&mut self, peer: PeerRole, candidate: ServerCandidate) {
        self.paths.get_mut(peer).add_server_candidate(candidate, self.at);
    }

    fn turn_servers(&mut self, servers: Vec<IceServer>) {
        self.paths.set_ice_servers(&servers);
    }

    fn media_lost(&mut self) {
        self.paths.search_again(self.at);
    }

    fn media_found(&mut self) {
        self.paths.found();
    }

    fn send_signal(&mut self, message: Request) {
        // If the connection has ended, its task reports that itself.
        let _ = self.signal.send(SignalCommand::Send(Box::new(message)));
    }

    fn open_signal(&mut self, attempt: SignalAttempt) {
        let _ = self.signal.send(SignalCommand::Open(attempt));
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

    use tokio::runtime::Handle;

    use super::*;
    use crate::engine::network_access::NetworkAccess;
    use crate::engine::paths::MediaPaths;
    use crate::engine::socket::Socket;

    #[expect(clippy::disallowed_methods, reason = "a clock begins somewhere")]
    #[tokio::test]
    async fn a_flood_of_events_is_dropped_but_the_end_of_the_room_is_not() {
        let socket = Socket::towards("127.0.0.1:9".parse().unwrap()).unwrap();
        let network = NetworkAccess::system().unwrap();
        let mut paths = PeerPaths::one(MediaPaths::new(Some(socket), &network, Handle::current()));
        let (signal, _) = tokio::sync::mpsc::unbounded_channel();
        let mut events = VecDeque::new();
        let clock = EngineClock::new(Instant::now(), 0);
        let counters = EngineCounters::default();
        let at = clock.now();
        let mut out = SlotOutput {
            paths: &mut paths,
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
