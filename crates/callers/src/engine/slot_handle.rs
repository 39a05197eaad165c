//! What a handler can do, on real sockets.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::clock::EngineClock;
use super::handler::ParticipantHandle;
use super::health::EngineCounters;
use super::leave_reason::LeaveReason;
use super::paths::PeerPaths;
use super::signal_connection::SignalCommand;
use super::slot::SlotOutput;
use crate::data::RpcFailure;
use crate::participant::{OwnTrack, Participant, ParticipantError, ParticipantEvent, SendOutcome};
use rushhour_core::units::{DtmfKey, Identity, SessionTime};

/// A slot's parts, borrowed for one call of its handler.
pub(super) struct SlotHandle<'a> {
    pub(super) participant: &'a mut Participant,
    pub(super) paths: &'a mut PeerPaths,
    pub(super) signal: &'a UnboundedSender<SignalCommand>,
    pub(super) events: &'a mut VecDeque<(ParticipantEvent, SessionTime)>,
    pub(super) left: &'a mut Option<LeaveReason>,
    pub(super) clock: &'a EngineClock,
    pub(super) counters: &'a EngineCounters,
    pub(super) next_tick: SessionTime,
}

impl SlotHandle<'_> {
    fn with_output(
        &mut self,
        send: impl FnOnce(
            &mut Participant,
            SessionTime,
            &mut SlotOutput<'_>,
        ) -> Result<SendOutcome, ParticipantError>,
    ) -> SendOutcome {
        if self.left.is_some() {
            return SendOutcome::NotSent;
        }
        let now = self.clock.now();
        let mut out = SlotOutput {
            paths: self.paths,
            signal: self.signal,
            events: self.events,
            at: now,
            counters: self.counters,
        };
        send(self.participant, now, &mut out).unwrap_or_else(|error| {
            *self.left = Some(LeaveReason::Disconnected(error.into()));
            SendOutcome::NotSent
        })
    }

    fn send_packets(&mut self, packets: &[Vec<u8>]) -> SendOutcome {
        self.with_output(|participant, now, out| participant.send_packets(packets, now, out))
    }

    fn wall_ms(&self) -> i64 {
        self.clock.wall_ms(self.clock.now())
    }
}

impl ParticipantHandle for SlotHandle<'_> {
    fn now(&self) -> SessionTime {
        self.clock.now()
    }

    fn next_tick(&self) -> SessionTime {
        self.next_tick
    }

    fn send_audio(&mut self, payload: &Arc<[u8]>, rtp_time: u32, marker: bool) -> SendOutcome {
        self.with_output(|participant, now, out| {
            participant.send_audio(OwnTrack::Speech, payload.clone(), rtp_time, marker, now, out)
        })
    }

    fn lose_audio(&mut self) {
        self.participant.lose_audio(OwnTrack::Speech);
    }

    fn send_background(&mut self, payload: &Arc<[u8]>, rtp_time: u32, marker: bool) -> SendOutcome {
        let track = OwnTrack::Background;
        self.with_output(|participant, now, out| {
            participant.send_audio(track, payload.clone(), rtp_time, marker, now, out)
        })
    }

    fn send_text(
        &mut self,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome {
        let wall_ms = self.wall_ms();
        self.with_output(|participant, now, out| {
            participant.send_text(topic, text, attributes, wall_ms, now, out)
        })
    }

    fn send_text_as(
        &mut self,
        author: &Identity,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome {
        let wall_ms = self.wall_ms();
        let packets =
            self.participant.data_sender().text_as(author, topic, text, attributes, wall_ms);
        self.send_packets(&packets)
    }

    fn open_text_stream(&mut self, topic: &str, attributes: HashMap<String, String>) -> String {
        let wall_ms = self.wall_ms();
        let sender = self.participant.data_sender();
        let stream_id = sender.next_stream_id();
        let header = sender.text_header(&stream_id, topic, attributes, None, wall_ms);
        self.send_packets(&[header]);
        stream_id
    }

    fn write_text_stream(&mut self, stream_id: &str, index: u64, text: &str) -> SendOutcome {
        let chunks = self.participant.data_sender().text_chunks(stream_id, index, text);
        self.send_packets(&chunks)
    }

    fn close_text_stream(
        &mut self,
        stream_id: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome {
        let trailer = self.participant.data_sender().trailer(stream_id, attributes);
        self.send_packets(&[trailer])
    }

    fn send_bytes(&mut self, topic: &str, bytes: &[u8]) -> SendOutcome {
        let wall_ms = self.wall_ms();
        let packets = self.participant.data_sender().bytes(topic, bytes, HashMap::new(), wall_ms);
        self.send_packets(&packets)
    }

    fn answer_rpc(
        &mut self,
        caller: &Identity,
        request_id: &str,
        answer: Result<&str, RpcFailure>,
    ) -> SendOutcome {
        if !self.participant.is_open() {
            return SendOutcome::NotSent;
        }
        let packets = self.participant.data_sender().rpc_answer(caller, request_id, answer);
        self.send_packets(&packets)
    }

    fn press_key(&mut self, key: DtmfKey) -> SendOutcome {
        // Encoding a packet uses up its sequence number.
        if !self.participant.is_open() {
            return SendOutcome::NotSent;
        }
        let packet = self.participant.data_sender().dtmf(key);
        self.send_packets(&[packet])
    }

    fn set_attributes(&mut self, attributes: HashMap<String, String>) {
        self.with_output(|participant, _, out| {
            participant.set_attributes(attributes, out);
            Ok(SendOutcome::Sent)
        });
    }

    fn describe_paths(&self) -> String {
        self.paths.describe()
    }

    fn leave(&mut self) {
        self.left.get_or_insert(LeaveReason::ClientInitiated);
    }
}
