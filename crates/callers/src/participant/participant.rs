//! The participant: signalling and peer connection put together.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::RtcError;
use str0m::media::Mid;

use super::peer_connection::{AudioPacket, PeerConnection, PeerEvent};
use super::remote_participant::RemoteParticipant;
use super::signal::JoinQuery;
use crate::data::{DataEvent, DataReceiver, DataSender};
use rushhour_core::units::{Identity, SessionTime};

/// How a participant joins.
#[derive(Debug, Clone, Default)]
pub struct JoinConfig {
    /// Whether it will speak.
    pub speaks: bool,
    /// Attributes that it has from its first moment.
    pub attributes: HashMap<String, String>,
}

/// A participant cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ParticipantError {
    /// The peer connection broke or was spoken to in a way that cannot be understood.
    #[error("webrtc: {0}")]
    Rtc(#[from] RtcError),
}

/// Something that happened in the room.
#[derive(Debug, Clone)]
pub enum ParticipantEvent {
    /// The server let us in; who is there already.
    Joined {
        /// Who we are.
        own: Identity,
        /// The others.
        others: Vec<RemoteParticipant>,
    },
    /// The data channel is open: texts can be sent.
    Open,
    /// Somebody came, changed or left.
    Person(RemoteParticipant),
    /// Something came in over the data channel, and when.
    Data(DataEvent, SessionTime),
    /// An Opus packet came in, on the track of that name where it is known.
    Audio(AudioPacket, Option<String>),
    /// The server wants us to leave, or the connection is gone.
    Left {
        /// Why, in words.
        reason: String,
        /// Whether the room was deleted.
        room_deleted: bool,
    },
}

/// Where what comes out of a participant goes.
pub trait ParticipantOutput {
    /// Send a datagram.
    fn transmit(&mut self, to: SocketAddr, datagram: &[u8]);
    /// Send a signal message.
    fn signal(&mut self, message: Request);
    /// Take note of an event.
    fn event(&mut self, event: ParticipantEvent);
}

/// Whether something went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// It did.
    Out,
    /// There was no room for it, or no connection yet.
    Not,
}

/// A participant of a room.
pub struct Participant {
    peer: PeerConnection,
    incoming: DataReceiver,
    outgoing: DataSender,
    track_of: HashMap<String, String>,
    left: bool,
}

impl Participant {
    /// A participant that is about to join, and what it asks to join with. `epoch` is the session's anchor
    /// on the monotonic clock.
    ///
    /// # Errors
    /// Where no offer can be made from this address.
    pub fn new(
        config: &JoinConfig,
        epoch: Instant,
        now: SessionTime,
        local: SocketAddr,
    ) -> Result<(Self, JoinQuery), ParticipantError> {
        let track = config.speaks.then_some("rushhour-audio");
        let (peer, offer) = PeerConnection::new(epoch, now, local, track)?;
        let query = JoinQuery {
            offer,
            audio_track: track.map(str::to_owned),
            attributes: config.attributes.clone(),
        };
        let participant = Self {
            peer,
            incoming: DataReceiver::default(),
            outgoing: DataSender::default(),
            track_of: HashMap::new(),
            left: false,
        };
        Ok((participant, query))
    }

    /// When [`Self::tick`] has to be called.
    pub const fn deadline(&self) -> SessionTime {
        self.peer.deadline()
    }

    /// Numbers and names streams of text that are put together by hand.
    pub const fn outgoing(&mut self) -> &mut DataSender {
        &mut self.outgoing
    }

    /// Takes in a message of the server.
    ///
    /// # Errors
    /// Where the peer connection cannot go on from it.
    pub fn signal(
        &mut self,
        message: Response,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        match message {
            Response::Join(join) => out.event(ParticipantEvent::Joined {
                own: Identity::new(join.participant.map_or_else(String::new, |own| own.identity)),
                others: join.other_participants.into_iter().map(RemoteParticipant::from).collect(),
            }),
            Response::Answer(answer) => {
                for (mid, track) in answer.mid_to_track_id {
                    self.track_of.insert(mid, track);
                }
                if let Some((id, sdp)) = self.peer.answer(&answer.sdp)? {
                    out.signal(offer(id, sdp));
                }
            }
            Response::MediaSectionsRequirement(wanted) => {
                if let Some((id, sdp)) = self.peer.want_audios(wanted.num_audios) {
                    out.signal(offer(id, sdp));
                }
            }
            Response::Trickle(trickle) => {
                let init = serde_json::from_str::<serde_json::Value>(&trickle.candidate_init);
                let line =
                    init.ok().and_then(|init| Some(init.get("candidate")?.as_str()?.to_owned()));
                if let Some(line) = line.filter(|line| !line.is_empty()) {
                    self.peer.candidate(&line);
                }
            }
            Response::Update(update) => {
                for person in update.participants {
                    out.event(ParticipantEvent::Person(RemoteParticipant::from(person)));
                }
            }
            Response::Leave(leave) => self.leave_told(leave.reason(), out),
            _ => {}
        }
        self.drain(now, out)
    }

    fn leave_told(&mut self, reason: proto::DisconnectReason, out: &mut impl ParticipantOutput) {
        if !std::mem::replace(&mut self.left, true) {
            out.event(ParticipantEvent::Left {
                reason: reason.as_str_name().to_lowercase(),
                room_deleted: matches!(
                    reason,
                    proto::DisconnectReason::RoomDeleted | proto::DisconnectReason::RoomClosed
                ),
            });
        }
    }

    /// The signal connection is gone, which ends the participant.
    pub fn signal_lost(&mut self, words: &str, out: &mut impl ParticipantOutput) {
        if !std::mem::replace(&mut self.left, true) {
            out.event(ParticipantEvent::Left { reason: words.to_owned(), room_deleted: false });
        }
    }

    /// Takes in a datagram that arrived at `at`.
    ///
    /// # Errors
    /// Where the peer connection cannot go on.
    pub fn datagram(
        &mut self,
        bytes: &[u8],
        from: SocketAddr,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        self.peer.datagram(bytes, from, at)?;
        self.drain(at, out)
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// Where the peer connection cannot go on.
    pub fn tick(
        &mut self,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        self.peer.tick(now)?;
        self.drain(now, out)
    }

    /// Sends an Opus packet of 20 ms; `rtp_time` is its time at 48 kHz.
    ///
    /// # Errors
    /// Where the peer connection cannot go on.
    pub fn speak(
        &mut self,
        payload: Arc<[u8]>,
        rtp_time: u32,
        marker: bool,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        if !self.peer.speak(payload, rtp_time, marker, now) {
            return Ok(SendOutcome::Not);
        }
        // Without it the packet would wait in the queue until something else happens.
        self.peer.tick(now)?;
        self.drain(now, out)?;
        Ok(SendOutcome::Out)
    }

    /// Sends a text as one stream.
    ///
    /// # Errors
    /// Where the peer connection cannot go on.
    pub fn say(
        &mut self,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
        wall_ms: i64,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        // Packets are numbered as they are made: those that cannot go out must not be.
        if !self.peer.is_open() {
            return Ok(SendOutcome::Not);
        }
        let packets = self.outgoing.text(topic, text, attributes, wall_ms);
        self.send(&packets, now, out)
    }

    /// Sends packets that were put together by hand.
    ///
    /// # Errors
    /// Where the peer connection cannot go on.
    pub fn send(
        &mut self,
        packets: &[Vec<u8>],
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        let mut all = SendOutcome::Out;
        for packet in packets {
            if !self.peer.send(packet) {
                all = SendOutcome::Not;
                break;
            }
            self.peer.tick(now)?;
            self.drain(now, out)?;
        }
        Ok(all)
    }

    fn drain(
        &mut self,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        let mut told: Vec<PeerEvent> = Vec::new();
        self.peer.drain(at, |to, datagram| out.transmit(to, datagram), |event| told.push(event))?;
        for event in told {
            match event {
                PeerEvent::Open => out.event(ParticipantEvent::Open),
                PeerEvent::Data(packet) => {
                    for data in self.incoming.take(&packet) {
                        out.event(ParticipantEvent::Data(data, at));
                    }
                }
                PeerEvent::Audio(packet) => {
                    let track = self.track_of.get(&mid_text(packet.mid)).cloned();
                    out.event(ParticipantEvent::Audio(packet, track));
                }
                PeerEvent::Closed => {
                    self.signal_lost("the peer connection was lost", out);
                }
            }
        }
        Ok(())
    }
}

fn mid_text(mid: Mid) -> String {
    mid.to_string()
}

fn offer(id: u32, sdp: String) -> Request {
    Request::Offer(proto::SessionDescription {
        r#type: "offer".to_owned(),
        sdp,
        id,
        ..proto::SessionDescription::default()
    })
}
