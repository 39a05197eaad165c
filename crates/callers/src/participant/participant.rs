//! The participant: signalling and peer connection combined.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use tracing::{Span, info};

use super::error::{DisconnectError, ParticipantError};
use super::ice_server::{IceServer, turn_servers};
use super::peer_connection::{AudioPacket, PeerConnection, PeerEvent, server_candidate};
use super::remote_participant::RemoteParticipant;
use super::route::{LocalCandidate, PacketRoute, ServerCandidate};
use super::signal::JoinQuery;
use crate::data::{DataEvent, DataReceiver, DataSender};
use rushhour_core::event::MediaPath;
use rushhour_core::units::{Identity, SessionTime};

/// The most tracks that the server can announce.
const MAX_TRACKS: usize = 256;
/// Video tracks that are declined, at most.
const MAX_DECLINED_VIDEO: usize = 64;

/// How a participant joins.
#[derive(Debug, Clone, Default)]
pub struct JoinConfig {
    /// Whether it publishes an audio track.
    pub publish_audio: bool,
    /// Whether it publishes a second audio track, for what is not speech: its source is unknown.
    pub publish_background: bool,
    /// Its attributes when it joins.
    pub attributes: HashMap<String, String>,
}

/// An audio track that a participant publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnTrack {
    /// What it says.
    Speech,
    /// Background audio.
    Background,
}

/// Something that happened in the room.
#[derive(Debug)]
pub enum ParticipantEvent {
    /// The server accepted the participant. Nothing can be sent yet.
    Joined {
        /// The participant's own identity.
        identity: Identity,
        /// Who is in the room already.
        others: Vec<RemoteParticipant>,
    },
    /// The reliable data channel is open, and with it media: texts, bytes and audio can be sent.
    DataChannelOpen,
    /// A participant joined, changed or left. The server includes this participant itself.
    ParticipantUpdated(RemoteParticipant),
    /// The server has taken in a track of this participant.
    TrackPublished {
        /// The track's SID.
        sid: String,
    },
    /// A part of a data stream arrived.
    Data(DataEvent),
    /// An Opus packet arrived.
    Audio {
        /// The packet.
        packet: AudioPacket,
        /// The SID of the track it belongs to, once the server has said.
        track_sid: Option<String>,
    },
    /// Media and data go another way than before; for the first time, once the data channel is open.
    PathChosen(MediaPath),
    /// The participant is out of the room. The last event. A `ParticipantHandler` does not see it: the engine
    /// calls its `on_left` instead.
    Disconnected(DisconnectError),
}

/// Receives what comes out of a [`Participant`].
pub trait ParticipantOutput {
    /// Sends a packet to the server.
    fn transmit(&mut self, route: PacketRoute, packet: &[u8]);
    /// The server can be reached at an address.
    fn server_candidate(&mut self, candidate: ServerCandidate) {
        let _ = candidate;
    }
    /// The server names TURN servers.
    fn turn_servers(&mut self, servers: Vec<IceServer>) {
        let _ = servers;
    }
    /// Sends a message over the signal connection.
    fn send_signal(&mut self, message: Request);
    /// Handles an event.
    fn event(&mut self, event: ParticipantEvent);
}

/// Whether something was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// It was sent, or is in the send buffer.
    Sent,
    /// It was not sent: the send buffer is full, or the participant is not connected.
    NotSent,
}

/// A participant of a room, without sockets, threads or a clock.
pub struct Participant {
    peer: PeerConnection,
    data_receiver: DataReceiver,
    data_sender: DataSender,
    /// SIDs of the tracks that the server sends, by the media section (`mid`) they arrive on.
    track_sids: HashMap<String, String>,
    /// SIDs of the video tracks that the server was asked not to send.
    declined_video: Vec<String>,
    started_at: SessionTime,
    disconnected: bool,
    span: Span,
}

impl Participant {
    /// A participant that is about to join, and what it asks to join with. `epoch` is the session's start on the
    /// monotonic clock, `local` the address of the UDP socket, which becomes the first ICE candidate. Log events of
    /// the participant go to the `tracing` span that is current now.
    ///
    /// # Errors
    /// If `local` cannot be an ICE candidate.
    pub fn new(
        config: &JoinConfig,
        epoch: Instant,
        now: SessionTime,
        local: Option<SocketAddr>,
    ) -> Result<(Self, JoinQuery), ParticipantError> {
        let track = config.publish_audio.then_some("rushhour-audio");
        let background = config.publish_background.then_some("rushhour-background");
        let (peer, offer) = PeerConnection::new(epoch, now, local, [track, background])?;
        let query = JoinQuery {
            offer,
            audio_track: track.map(str::to_owned),
            background_track: background.map(str::to_owned),
            attributes: config.attributes.clone(),
        };
        let participant = Self {
            peer,
            data_receiver: DataReceiver::default(),
            data_sender: DataSender::default(),
            track_sids: HashMap::new(),
            declined_video: Vec::new(),
            started_at: now,
            disconnected: false,
            span: Span::current(),
        };
        Ok((participant, query))
    }

    /// When [`Self::handle_timeout`] must be called.
    pub const fn deadline(&self) -> SessionTime {
        self.peer.deadline()
    }

    /// Whether packets can be sent.
    pub(crate) const fn is_open(&self) -> bool {
        self.peer.is_open()
    }

    /// Encodes data streams for [`Self::send_packets`].
    pub(crate) const fn data_sender(&mut self) -> &mut DataSender {
        &mut self.data_sender
    }

    /// Handles a message from the server.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn handle_signal(
        &mut self,
        message: Response,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        match message {
            Response::Join(mut join) => {
                out.turn_servers(turn_servers(std::mem::take(&mut join.ice_servers)));
                self.joined(join, now, out);
            }
            Response::Answer(answer) => {
                for line in answer.sdp.lines() {
                    if let Some(line) = line.strip_prefix("a=").filter(|line| is_candidate(line)) {
                        announce(line, out);
                    }
                }
                let free = MAX_TRACKS.saturating_sub(self.track_sids.len());
                self.track_sids.extend(answer.mid_to_track_id.into_iter().take(free));
                if let Some((id, sdp)) = self.peer.handle_answer(&answer.sdp)? {
                    out.send_signal(offer(id, sdp));
                }
            }
            Response::MediaSectionsRequirement(required) => {
                if let Some((id, sdp)) = self.peer.require_audio_sections(required.num_audios) {
                    out.send_signal(offer(id, sdp));
                }
            }
            Response::Trickle(trickle) => {
                let init = serde_json::from_str::<serde_json::Value>(&trickle.candidate_init);
                let line =
                    init.ok().and_then(|init| Some(init.get("candidate")?.as_str()?.to_owned()));
                // An empty candidate marks the end of candidates.
                if let Some(line) = line.filter(|line| !line.is_empty()) {
                    announce(&line, out);
                    self.peer.add_remote_candidate(&line);
                }
            }
            Response::Update(update) => {
                for info in update.participants {
                    self.decline_video(&info, out);
                    out.event(ParticipantEvent::ParticipantUpdated(RemoteParticipant::from(info)));
                }
            }
            Response::TrackPublished(published) => {
                if let Some(track) = published.track {
                    out.event(ParticipantEvent::TrackPublished { sid: track.sid });
                }
            }
            Response::Leave(leave) => self.disconnect(leave.reason().into(), out),
            _ => {}
        }
        self.poll(now, out)
    }

    fn joined(
        &mut self,
        join: proto::JoinResponse,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) {
        let room = join.room.map(|room| room.name).unwrap_or_default();
        let identity = join.participant.map(|own| own.identity).unwrap_or_default();
        for info in &join.other_participants {
            self.decline_video(info, out);
        }
        let others: Vec<_> =
            join.other_participants.into_iter().map(RemoteParticipant::from).collect();
        self.span.record("room", &room).record("identity", &identity);
        let after = now.since(self.started_at);
        info!(parent: &self.span, others = others.len(), %after, "joined the room");
        out.event(ParticipantEvent::Joined { identity: Identity::new(identity), others });
    }

    /// Asks the server not to send video: it would wait for media sections that are never offered, and complain.
    fn decline_video(&mut self, info: &proto::ParticipantInfo, out: &mut impl ParticipantOutput) {
        let is_video = |track: &&proto::TrackInfo| track.r#type() == proto::TrackType::Video;
        let mut sids: Vec<String> =
            info.tracks.iter().filter(is_video).map(|track| track.sid.clone()).collect();
        sids.retain(|sid| !self.declined_video.contains(sid));
        if sids.is_empty() || self.declined_video.len() >= MAX_DECLINED_VIDEO {
            return;
        }
        self.declined_video.extend(sids.iter().cloned());
        out.send_signal(Request::Subscription(proto::UpdateSubscription {
            track_sids: sids,
            subscribe: false,
            ..proto::UpdateSubscription::default()
        }));
    }

    /// Handles the end of the signal connection, which ends the participant.
    pub fn handle_signal_lost(
        &mut self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
        out: &mut impl ParticipantOutput,
    ) {
        self.disconnect(DisconnectError::Signal(error.into()), out);
    }

    fn disconnect(&mut self, error: DisconnectError, out: &mut impl ParticipantOutput) {
        if !std::mem::replace(&mut self.disconnected, true) {
            out.event(ParticipantEvent::Disconnected(error));
        }
    }

    /// Adds an address at which this participant can be reached.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub(crate) fn add_local_candidate(
        &mut self,
        candidate: LocalCandidate,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        self.peer.add_local_candidate(candidate);
        self.poll(now, out)
    }

    /// Withdraws an address.
    pub(crate) fn remove_local_candidate(&mut self, candidate: LocalCandidate) {
        self.peer.remove_local_candidate(candidate);
    }

    /// Handles a packet that arrived at `at`.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn handle_packet(
        &mut self,
        bytes: &[u8],
        route: PacketRoute,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        self.peer.handle_packet(bytes, route, at)?;
        self.poll(at, out)
    }

    /// Advances timers to `now`.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn handle_timeout(
        &mut self,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        self.peer.handle_timeout(now)?;
        self.poll(now, out)
    }

    /// Sends an Opus packet of 20 ms on a track that it publishes. `rtp_time` is its RTP timestamp at 48 kHz; `marker`
    /// begins a talk spurt.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn send_audio(
        &mut self,
        track: OwnTrack,
        payload: Arc<[u8]>,
        rtp_time: u32,
        marker: bool,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        if !self.peer.send_audio(track, payload, rtp_time, marker, now) {
            return Ok(SendOutcome::NotSent);
        }
        // Without a timeout the packet would stay in str0m's queue until the next input.
        self.peer.handle_timeout(now)?;
        self.poll(now, out)?;
        Ok(SendOutcome::Sent)
    }

    /// Sends a text as one stream. `wall_ms` is the time in its header, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn send_text(
        &mut self,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
        wall_ms: i64,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        // Encoding a packet uses up its sequence number, so nothing is encoded that cannot be sent.
        if !self.peer.is_open() {
            return Ok(SendOutcome::NotSent);
        }
        let packets = self.data_sender.text(topic, text, attributes, wall_ms);
        self.send_packets(&packets, now, out)
    }

    /// Sends packets that [`Self::data_sender`] encoded, up to the first that does not fit the send buffer.
    pub(crate) fn send_packets(
        &mut self,
        packets: &[Vec<u8>],
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<SendOutcome, ParticipantError> {
        for packet in packets {
            if !self.peer.send_data(packet) {
                return Ok(SendOutcome::NotSent);
            }
            self.peer.handle_timeout(now)?;
            self.poll(now, out)?;
        }
        Ok(SendOutcome::Sent)
    }

    fn poll(
        &mut self,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        let mut events: Vec<PeerEvent> = Vec::new();
        self.peer.poll(
            at,
            |route, packet| out.transmit(route, packet),
            |event| events.push(event),
        )?;
        for event in events {
            match event {
                PeerEvent::DataChannelOpen => out.event(ParticipantEvent::DataChannelOpen),
                PeerEvent::Data(packet) => {
                    for data in self.data_receiver.handle_packet(&packet) {
                        out.event(ParticipantEvent::Data(data));
                    }
                }
                PeerEvent::Audio(mid, packet) => {
                    let track_sid = self.track_sids.get(&mid.to_string()).cloned();
                    out.event(ParticipantEvent::Audio { packet, track_sid });
                }
                PeerEvent::Disconnected(error) => self.disconnect(error, out),
            }
        }
        Ok(())
    }
}

fn is_candidate(line: &str) -> bool {
    line.starts_with("candidate:")
}

/// Tells the address in a line of SDP.
fn announce(line: &str, out: &mut impl ParticipantOutput) {
    if let Some(candidate) = server_candidate(line) {
        out.server_candidate(candidate);
    }
}

fn offer(id: u32, sdp: String) -> Request {
    Request::Offer(proto::SessionDescription {
        r#type: "offer".to_owned(),
        sdp,
        id,
        ..proto::SessionDescription::default()
    })
}
