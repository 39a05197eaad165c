//! One participant with its socket, its signalling and what it is used for.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use tokio::sync::mpsc::UnboundedSender;

use super::clock::EngineClock;
use super::handler::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use super::health::EngineCounters;
use super::socket::{ReceiveBuffers, Socket};
use crate::participant::{
    Participant, ParticipantError, ParticipantEvent, ParticipantOutput, SendOutcome as Sent,
};
use rushhour_core::units::{Identity, SessionTime};

/// Most events that wait to be handed over; what comes on top is a flood and is dropped.
const MOST_EVENTS: usize = 4_096;

/// What is lent to a seat while it is attended to.
pub(super) struct TickContext<'a> {
    pub(super) clock: &'a EngineClock,
    pub(super) inbox: &'a mut ReceiveBuffers,
    pub(super) counters: &'a EngineCounters,
    /// When the seat that is attended to has its next beat.
    pub(super) next_beat: SessionTime,
}

/// A participant in its place.
pub(super) struct ParticipantSlot {
    participant: Participant,
    socket: Socket,
    wire: UnboundedSender<Request>,
    app: Box<dyn ParticipantHandler>,
    events: VecDeque<(ParticipantEvent, SessionTime)>,
    next: NextTick,
    open: bool,
    stop: Arc<AtomicBool>,
    stopped: bool,
    left: Option<LeaveReason>,
}

impl ParticipantSlot {
    pub(super) fn new(
        participant: Participant,
        socket: Socket,
        wire: UnboundedSender<Request>,
        app: Box<dyn ParticipantHandler>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            participant,
            socket,
            wire,
            app,
            events: VecDeque::new(),
            // Whoever waits for the server's word has to know that time passes.
            next: NextTick::Beat,
            open: false,
            stop,
            stopped: false,
            left: None,
        }
    }

    /// Whether its data channel is open; until then it is attended to at every beat.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// Takes in a message of the server, or why there will be none any more.
    pub(super) fn signal(
        &mut self,
        message: Result<Response, String>,
        at: SessionTime,
        lent: &mut TickContext<'_>,
    ) {
        let Self { participant, socket, wire, events, .. } = self;
        let mut out = SlotOutput { socket, wire, events, at, counters: lent.counters };
        let result = match message {
            Ok(message) => participant.signal(message, at, &mut out),
            Err(why) => {
                participant.signal_lost(&why, &mut out);
                Ok(())
            }
        };
        self.unless_broken(result);
    }

    /// Attends to it: what arrived, what is due, what it wants. Gives why it left, if it has.
    pub(super) fn attend(
        &mut self,
        lent: &mut TickContext<'_>,
    ) -> Option<(LeaveReason, SessionTime)> {
        self.take_datagrams(lent);
        let now = lent.clock.now();
        if self.left.is_none() && self.participant.deadline() <= now {
            let Self { participant, socket, wire, events, .. } = self;
            let mut out = SlotOutput { socket, wire, events, at: now, counters: lent.counters };
            let result = participant.tick(now, &mut out);
            self.unless_broken(result);
        }
        let told = self.hand_over(lent);
        if !self.stopped && self.left.is_none() && self.stop.load(Relaxed) {
            self.stopped = true;
            self.with_hand(lent, |app, hand| app.stop(hand));
        }
        let due = match self.next {
            NextTick::Beat => true,
            NextTick::At(time) => time <= now,
            NextTick::Event => false,
        };
        if self.left.is_none() && (told || due) {
            self.next = self.with_hand(lent, |app, hand| app.tick(hand));
            self.hand_over(lent);
        }
        self.left.take().map(|why| (why, lent.clock.now()))
    }

    /// The last thing that happens to it.
    pub(super) fn depart(mut self, why: LeaveReason, at: SessionTime) {
        if why == LeaveReason::ByItself {
            let _ = self.wire.send(Request::Leave(proto::LeaveRequest {
                reason: proto::DisconnectReason::ClientInitiated.into(),
                ..proto::LeaveRequest::default()
            }));
        }
        self.app.left(why, at);
    }

    fn take_datagrams(&mut self, lent: &mut TickContext<'_>) {
        let Self { participant, socket, wire, events, left, .. } = self;
        let counters = lent.counters;
        let mut count = 0;
        lent.inbox.empty(socket, lent.clock, |bytes, from, at| {
            count += 1;
            if left.is_some() {
                return;
            }
            let mut out = SlotOutput { socket, wire, events, at, counters };
            if let Err(error) = participant.datagram(bytes, from, at, &mut out) {
                *left = Some(LeaveReason::Lost(error.to_string()));
            }
        });
        if count > 0 {
            counters.datagrams_in.fetch_add(count, Relaxed);
        }
    }

    fn hand_over(&mut self, lent: &mut TickContext<'_>) -> bool {
        let mut told = false;
        while self.left.is_none()
            && let Some((event, at)) = self.events.pop_front()
        {
            told = true;
            match &event {
                ParticipantEvent::Open => self.open = true,
                ParticipantEvent::Left { room_deleted: true, .. } => {
                    self.left = Some(LeaveReason::RoomDeleted);
                    break;
                }
                ParticipantEvent::Left { reason, .. } => {
                    self.left = Some(LeaveReason::Lost(reason.clone()));
                    break;
                }
                _ => {}
            }
            self.with_hand(lent, |app, hand| app.event(event, at, hand));
        }
        told
    }

    fn with_hand<R>(
        &mut self,
        lent: &TickContext<'_>,
        use_it: impl FnOnce(&mut dyn ParticipantHandler, &mut dyn ParticipantHandle) -> R,
    ) -> R {
        let Self { participant, socket, wire, app, events, left, .. } = self;
        let mut hand = SlotHandle {
            participant,
            socket,
            wire,
            events,
            left,
            clock: lent.clock,
            counters: lent.counters,
            next_beat: lent.next_beat,
        };
        use_it(app.as_mut(), &mut hand)
    }

    fn unless_broken(&mut self, result: Result<(), ParticipantError>) {
        if let Err(error) = result {
            self.left.get_or_insert(LeaveReason::Lost(error.to_string()));
        }
    }
}

/// Where what comes out of the participant goes.
struct SlotOutput<'a> {
    socket: &'a Socket,
    wire: &'a UnboundedSender<Request>,
    events: &'a mut VecDeque<(ParticipantEvent, SessionTime)>,
    at: SessionTime,
    counters: &'a EngineCounters,
}

impl ParticipantOutput for SlotOutput<'_> {
    fn transmit(&mut self, to: SocketAddr, datagram: &[u8]) {
        let sent = self.socket.send(to, datagram);
        let counter =
            if sent { &self.counters.datagrams_out } else { &self.counters.datagrams_refused };
        counter.fetch_add(1, Relaxed);
    }

    fn signal(&mut self, message: Request) {
        // A connection that is gone tells so itself.
        let _ = self.wire.send(message);
    }

    fn event(&mut self, event: ParticipantEvent) {
        if self.events.len() < MOST_EVENTS {
            self.events.push_back((event, self.at));
        }
    }
}

/// A participant's hand on real sockets.
struct SlotHandle<'a> {
    participant: &'a mut Participant,
    socket: &'a Socket,
    wire: &'a UnboundedSender<Request>,
    events: &'a mut VecDeque<(ParticipantEvent, SessionTime)>,
    left: &'a mut Option<LeaveReason>,
    clock: &'a EngineClock,
    counters: &'a EngineCounters,
    next_beat: SessionTime,
}

impl SlotHandle<'_> {
    fn with(
        &mut self,
        act: impl FnOnce(
            &mut Participant,
            SessionTime,
            &mut SlotOutput<'_>,
        ) -> Result<Sent, ParticipantError>,
    ) -> Sent {
        if self.left.is_some() {
            return Sent::Not;
        }
        let now = self.clock.now();
        let mut out = SlotOutput {
            socket: self.socket,
            wire: self.wire,
            events: self.events,
            at: now,
            counters: self.counters,
        };
        act(self.participant, now, &mut out).unwrap_or_else(|error| {
            *self.left = Some(LeaveReason::Lost(error.to_string()));
            Sent::Not
        })
    }

    fn send(&mut self, packets: &[Vec<u8>]) -> Sent {
        self.with(|participant, now, out| participant.send(packets, now, out))
    }
}

impl ParticipantHandle for SlotHandle<'_> {
    fn now(&self) -> SessionTime {
        self.clock.now()
    }

    fn next_beat(&self) -> SessionTime {
        self.next_beat
    }

    fn speak(&mut self, payload: &Arc<[u8]>, rtp_time: u32, marker: bool) -> Sent {
        self.with(|participant, now, out| {
            participant.speak(payload.clone(), rtp_time, marker, now, out)
        })
    }

    fn say(&mut self, topic: &str, text: &str, attributes: HashMap<String, String>) -> Sent {
        let wall_ms = self.clock.wall_ms(self.clock.now());
        self.with(|participant, now, out| {
            participant.say(topic, text, attributes, wall_ms, now, out)
        })
    }

    fn begin_text(&mut self, topic: &str, attributes: HashMap<String, String>) -> String {
        let wall_ms = self.clock.wall_ms(self.clock.now());
        let outgoing = self.participant.outgoing();
        let stream = outgoing.next_stream();
        let header = outgoing.header(&stream, topic, attributes, None, wall_ms);
        self.send(&[header]);
        stream
    }

    fn continue_text(&mut self, stream: &str, index: u64, text: &str) -> Sent {
        let chunks = self.participant.outgoing().chunks(stream, index, text);
        self.send(&chunks)
    }

    fn end_text(&mut self, stream: &str, attributes: HashMap<String, String>) -> Sent {
        let trailer = self.participant.outgoing().trailer(stream, attributes);
        self.send(&[trailer])
    }

    fn say_as(
        &mut self,
        author: &Identity,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
    ) -> Sent {
        let wall_ms = self.clock.wall_ms(self.clock.now());
        let packets = self.participant.outgoing().text_of(author, topic, text, attributes, wall_ms);
        self.send(&packets)
    }

    fn send_bytes(&mut self, topic: &str, bytes: &[u8]) -> Sent {
        let wall_ms = self.clock.wall_ms(self.clock.now());
        let packets = self.participant.outgoing().bytes(topic, bytes, HashMap::new(), wall_ms);
        self.send(&packets)
    }

    fn set_attributes(&mut self, attributes: HashMap<String, String>) {
        let _ = self.wire.send(Request::UpdateMetadata(proto::UpdateParticipantMetadata {
            attributes,
            ..proto::UpdateParticipantMetadata::default()
        }));
    }

    fn leave(&mut self) {
        self.left.get_or_insert(LeaveReason::ByItself);
    }
}
