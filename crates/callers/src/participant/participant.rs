//! The participant: signalling and peer connection combined.

use std::collections::HashMap;
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
use super::peer_connections::PeerConnections;
use super::reconnecting::{ClosedByServer, SignalAttempt};
use super::reconnection::{ReconnectPolicy, Reconnection};
use super::remote_participant::RemoteParticipant;
use super::route::{LocalCandidate, PacketRoute, PeerRole, ServerCandidate};
use super::signal::{JoinQuery, SignalProtocol};
use crate::data::{DataEvent, DataReceiver, DataSender};
use rushhour_core::event::{ConnectionRating, MediaPath, Reconnect, ReconnectCause};
use rushhour_core::units::{ForeignText, Identity, SessionTime};

/// The most tracks that the server can announce.
const MAX_TRACKS: usize = 256;
/// Tracks of its own that the server can take in, at most.
const MAX_OWN_TRACKS: usize = 16;
/// The longest SID that is kept, in bytes; LiveKit's have 15.
const MAX_SID: usize = 256;
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
    /// How hard it tries to stay in its room.
    pub reconnect: ReconnectPolicy,
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
    /// What the server says of itself, before [`Self::Joined`].
    ServerKnown(ServerDetails),
    /// The connection is lost. Either [`Self::Reconnected`] or [`Self::Disconnected`] follows.
    ConnectionLost(ReconnectCause),
    /// The server accepted the participant anew, which had lost its connection. Nothing can be sent yet.
    Rejoined {
        /// Who is in the room now; whoever is not has left.
        others: Vec<RemoteParticipant>,
    },
    /// The lost connection is back: all can be sent again.
    Reconnected(Reconnect),
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
        track_sid: Option<Arc<str>>,
    },
    /// The server rates the connection of a participant, this one or another.
    ConnectionRated {
        /// The SID of the other; `None` for this participant.
        of: Option<String>,
        /// The rating, until the next.
        rating: ConnectionRating,
    },
    /// Media and data go another way than before; for the first time, once the data channel is open.
    PathChosen(MediaPath),
    /// The participant is out of the room. The last event. A `ParticipantHandler` does not see it: the engine
    /// calls its `on_left` instead.
    Disconnected(DisconnectError),
}

/// What a server says of itself when a participant joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerDetails {
    /// Its version, as it writes it; empty where it does not say.
    pub version: ForeignText,
    /// The protocol of the signal connection.
    pub protocol: SignalProtocol,
}

/// Receives what comes out of a [`Participant`].
pub trait ParticipantOutput {
    /// Sends a packet of one of the participant's peer connections to the server.
    fn transmit(&mut self, peer: PeerRole, route: PacketRoute, packet: &[u8]);
    /// The server can be reached at an address by one of the participant's peer connections.
    fn server_candidate(&mut self, peer: PeerRole, candidate: ServerCandidate) {
        let _ = (peer, candidate);
    }
    /// The server names TURN servers.
    fn turn_servers(&mut self, servers: Vec<IceServer>) {
        let _ = servers;
    }
    /// Media has lost its way to the server: others may be opened.
    fn media_lost(&mut self) {}
    /// Media has a way to the server.
    fn media_found(&mut self) {}
    /// Opens a new signal connection. The one before, if it is still open, is closed.
    fn open_signal(&mut self, attempt: SignalAttempt);
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
    pub(super) peers: PeerConnections,
    data_receiver: DataReceiver,
    pub(super) data_sender: DataSender,
    /// How it joined, with its attributes as they are now.
    pub(super) config: JoinConfig,
    pub(super) query: JoinQuery,
    /// Its SID, once it has joined.
    pub(super) sid: Option<String>,
    /// The tracks that the server has taken in.
    pub(super) published: Vec<proto::TrackPublishedResponse>,
    pub(super) reconnection: Reconnection,
    pub(super) closed: ClosedByServer,
    /// Whether its handler was told that it can send.
    pub(super) was_open: bool,
    /// The number of the signal connection in use or on its way.
    pub(super) signal_number: u64,
    /// SIDs of the tracks that the server sends, by the media section (`mid`) they arrive on.
    pub(super) track_sids: HashMap<String, Arc<str>>,
    /// SIDs of the video tracks that the server was asked not to send.
    pub(super) declined_video: Vec<String>,
    /// Whether its peer connections may have more to say since the last packet.
    has_more: bool,
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
        Self::with_peers(config, epoch, now, local, None)
    }

    /// A participant with two peer connections, for servers that do not know `/rtc/v1`. Each has a socket of its own:
    /// a server with a single UDP port tells connections apart by the address that they come from.
    ///
    /// # Errors
    /// If `local` or `subscriber` cannot be an ICE candidate.
    pub fn with_two_connections(
        config: &JoinConfig,
        epoch: Instant,
        now: SessionTime,
        local: Option<SocketAddr>,
        subscriber: Option<SocketAddr>,
    ) -> Result<(Self, JoinQuery), ParticipantError> {
        let subscriber = PeerConnection::answering(epoch, now, subscriber)?;
        Self::with_peers(config, epoch, now, local, Some(subscriber))
    }

    fn with_peers(
        config: &JoinConfig,
        epoch: Instant,
        now: SessionTime,
        local: Option<SocketAddr>,
        subscriber: Option<PeerConnection>,
    ) -> Result<(Self, JoinQuery), ParticipantError> {
        let track = config.publish_audio.then_some("rushhour-audio");
        let background = config.publish_background.then_some("rushhour-background");
        let (peer, offer) = PeerConnection::new(epoch, now, local, [track, background])?;
        let query = JoinQuery {
            protocol: if subscriber.is_some() { SignalProtocol::V0 } else { SignalProtocol::V1 },
            offer,
            audio_track: track.map(str::to_owned),
            background_track: background.map(str::to_owned),
            attributes: config.attributes.clone(),
        };
        let participant = Self {
            peers: PeerConnections::new(peer, subscriber),
            config: config.clone(),
            query: query.clone(),
            sid: None,
            published: Vec::new(),
            reconnection: Reconnection::new(config.reconnect),
            closed: ClosedByServer::default(),
            was_open: false,
            signal_number: 0,
            data_receiver: DataReceiver::default(),
            data_sender: DataSender::default(),
            track_sids: HashMap::new(),
            declined_video: Vec::new(),
            has_more: false,
            started_at: now,
            disconnected: false,
            span: Span::current(),
        };
        Ok((participant, query))
    }

    /// When [`Self::handle_timeout`] must be called.
    pub fn deadline(&self) -> SessionTime {
        if self.has_more {
            return SessionTime::START;
        }
        let deadline = self.peers.deadline();
        self.reconnection.deadline().map_or(deadline, |reconnect| deadline.min(reconnect))
    }

    /// Whether it has a track of its own.
    pub(crate) const fn sends_audio(&self) -> bool {
        self.config.publish_audio || self.config.publish_background
    }

    /// Whether packets can be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.peers.is_open()
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
        if self.reconnection.is_resuming() && !matches!(message, Response::Leave(_)) {
            self.resumed(now, out);
        }
        match message {
            Response::Join(mut join) => {
                out.turn_servers(turn_servers(std::mem::take(&mut join.ice_servers)));
                self.joined(join, now, out);
            }
            Response::Answer(answer) => {
                announce_all(PeerRole::Publisher, &answer.sdp, out);
                self.add_track_sids(answer.mid_to_track_id);
                if let Some((id, sdp)) = self.peers.publisher.handle_answer(&answer.sdp)? {
                    out.send_signal(offer(id, sdp));
                }
            }
            Response::Offer(offer) => {
                if let Some(answer) = self.peers.answer_offer(&offer.sdp)? {
                    announce_all(PeerRole::Subscriber, &offer.sdp, out);
                    self.add_track_sids(answer.tracks);
                    out.send_signal(Request::Answer(proto::SessionDescription {
                        r#type: "answer".to_owned(),
                        sdp: answer.sdp,
                        id: offer.id,
                        ..proto::SessionDescription::default()
                    }));
                }
            }
            Response::MediaSectionsRequirement(required) => {
                let count = required.num_audios;
                if let Some((id, sdp)) = self.peers.publisher.require_audio_sections(count) {
                    out.send_signal(offer(id, sdp));
                }
            }
            Response::Trickle(trickle) => {
                let init = serde_json::from_str::<serde_json::Value>(&trickle.candidate_init);
                let line =
                    init.ok().and_then(|init| Some(init.get("candidate")?.as_str()?.to_owned()));
                // An empty candidate marks the end of candidates.
                if let Some(line) = line.filter(|line| !line.is_empty()) {
                    let peer = match trickle.target() {
                        proto::SignalTarget::Publisher => PeerRole::Publisher,
                        proto::SignalTarget::Subscriber => PeerRole::Subscriber,
                    };
                    announce(peer, &line, out);
                    self.peers.get_mut(peer).add_remote_candidate(&line);
                }
            }
            Response::Update(update) => {
                for info in update.participants {
                    self.decline_video(&info, out);
                    out.event(ParticipantEvent::ParticipantUpdated(RemoteParticipant::from(info)));
                }
            }
            Response::TrackPublished(published) => {
                if let Some(track) = &published.track {
                    out.event(ParticipantEvent::TrackPublished { sid: track.sid.clone() });
                }
                if self.published.len() < MAX_OWN_TRACKS {
                    self.published.push(published);
                }
            }
            // The credentials of the join may have expired by now.
            Response::Reconnect(reconnect) => {
                out.turn_servers(turn_servers(reconnect.ice_servers));
            }
            Response::ConnectionQuality(update) => {
                for info in update.updates {
                    self.connection_rated(info, out);
                }
            }
            Response::Leave(leave) => self.told_to_leave(&leave, now, out),
            _ => {}
        }
        self.poll(now, out)
    }

    fn connection_rated(
        &self,
        info: proto::ConnectionQualityInfo,
        out: &mut impl ParticipantOutput,
    ) {
        // One of a newer server is not taken for one that is known.
        let rating = match proto::ConnectionQuality::try_from(info.quality) {
            Ok(proto::ConnectionQuality::Lost) => ConnectionRating::Lost,
            Ok(proto::ConnectionQuality::Poor) => ConnectionRating::Poor,
            Ok(proto::ConnectionQuality::Good) => ConnectionRating::Good,
            Ok(proto::ConnectionQuality::Excellent) => ConnectionRating::Excellent,
            Err(_) => return,
        };
        let is_own = self.sid.as_ref() == Some(&info.participant_sid);
        if is_own || info.participant_sid.len() <= MAX_SID {
            let of = (!is_own).then_some(info.participant_sid);
            out.event(ParticipantEvent::ConnectionRated { of, rating });
        }
    }

    fn add_track_sids(&mut self, tracks: impl IntoIterator<Item = (String, String)>) {
        let free = MAX_TRACKS.saturating_sub(self.track_sids.len());
        let kept =
            tracks.into_iter().filter(|(mid, sid)| mid.len() <= MAX_SID && sid.len() <= MAX_SID);
        self.track_sids.extend(kept.take(free).map(|(mid, sid)| (mid, Arc::from(sid))));
    }

    fn joined(
        &mut self,
        join: proto::JoinResponse,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) {
        let room = join.room.map(|room| room.name).unwrap_or_default();
        let own = join.participant.unwrap_or_default();
        self.sid = Some(own.sid);
        if self.query.protocol == SignalProtocol::V0 {
            self.introduce(out);
        } else if self.reconnection.is_away() {
            // They may have changed since the request was made.
            self.send_attributes(out);
        }
        let identity = own.identity;
        for info in &join.other_participants {
            self.decline_video(info, out);
        }
        let others: Vec<_> =
            join.other_participants.into_iter().map(RemoteParticipant::from).collect();
        if self.reconnection.is_away() {
            self.reconnection.accepted(now);
            info!(parent: &self.span, others = others.len(), "joined the room again");
            out.event(ParticipantEvent::Rejoined { others });
            return;
        }
        self.span.record("room", &room).record("identity", &identity);
        let after = now.since(self.started_at);
        info!(parent: &self.span, others = others.len(), %after, "joined the room");
        let version = match join.server_info {
            Some(info) if !info.version.is_empty() => info.version,
            _ => join.server_version,
        };
        let version = version.as_str().into();
        let server = ServerDetails { version, protocol: self.query.protocol };
        out.event(ParticipantEvent::ServerKnown(server));
        out.event(ParticipantEvent::Joined { identity: Identity::new(identity), others });
    }

    pub(super) const fn span(&self) -> &Span {
        &self.span
    }

    /// Asks the server not to send video: it would wait for media sections that are never offered, and complain.
    fn decline_video(&mut self, info: &proto::ParticipantInfo, out: &mut impl ParticipantOutput) {
        let is_new_video = |track: &&proto::TrackInfo| {
            track.r#type() == proto::TrackType::Video
                && track.sid.len() <= MAX_SID
                && !self.declined_video.contains(&track.sid)
        };
        let free = MAX_DECLINED_VIDEO.saturating_sub(self.declined_video.len());
        let new = info.tracks.iter().filter(is_new_video).take(free);
        let sids: Vec<String> = new.map(|track| track.sid.clone()).collect();
        if sids.is_empty() {
            return;
        }
        self.declined_video.extend(sids.iter().cloned());
        out.send_signal(Request::Subscription(proto::UpdateSubscription {
            track_sids: sids,
            subscribe: false,
            ..proto::UpdateSubscription::default()
        }));
    }

    pub(super) fn disconnect(&mut self, error: DisconnectError, out: &mut impl ParticipantOutput) {
        if !std::mem::replace(&mut self.disconnected, true) {
            out.event(ParticipantEvent::Disconnected(error));
        }
    }

    /// Adds an address at which one of the participant's peer connections can be reached.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub(crate) fn add_local_candidate(
        &mut self,
        peer: PeerRole,
        candidate: LocalCandidate,
        now: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        self.peers.get_mut(peer).add_local_candidate(candidate);
        self.poll(now, out)
    }

    /// Withdraws an address.
    pub(crate) fn remove_local_candidate(&mut self, peer: PeerRole, candidate: LocalCandidate) {
        self.peers.get_mut(peer).remove_local_candidate(candidate);
    }

    /// Handles a packet that arrived at `at` for one of the participant's peer connections.
    ///
    /// # Errors
    /// If the peer connection cannot continue.
    pub fn handle_packet(
        &mut self,
        bytes: &[u8],
        peer: PeerRole,
        route: PacketRoute,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        self.peers.get_mut(peer).handle_packet(bytes, route, at)?;
        while let Some(event) = self.next_event(at, out)? {
            let is_audio = matches!(event, PeerEvent::Audio(..));
            self.handle_event(event, at, out);
            if is_audio {
                // Audio leads to nothing else. What is due besides waits for the packet that is about to be sent: asking
                // for it costs as much as receiving the packet.
                self.has_more = true;
                return Ok(());
            }
        }
        self.has_more = false;
        Ok(())
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
        self.peers.handle_timeout(now)?;
        self.poll(now, out)?;
        self.continue_reconnecting(now, out);
        Ok(())
    }

    pub(super) fn poll(
        &mut self,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<(), ParticipantError> {
        // One by one: nothing is allocated for a packet.
        while let Some(event) = self.next_event(at, out)? {
            self.handle_event(event, at, out);
        }
        self.has_more = false;
        Ok(())
    }

    /// Passes on what is to be sent, up to the next event.
    fn next_event(
        &mut self,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) -> Result<Option<PeerEvent>, ParticipantError> {
        Ok(self.peers.poll(at, |peer, route, packet| out.transmit(peer, route, packet))?)
    }

    fn handle_event(
        &mut self,
        event: PeerEvent,
        at: SessionTime,
        out: &mut impl ParticipantOutput,
    ) {
        match event {
            PeerEvent::DataChannelOpen => self.channel_opened(at, out),
            PeerEvent::MediaConnected => self.media_connected(at, out),
            PeerEvent::MediaLost => self.media_lost(at, out),
            PeerEvent::Closed => self.peer_connection_closed(at, out),
            PeerEvent::Data(packet) => {
                for data in self.data_receiver.handle_packet(&packet) {
                    out.event(ParticipantEvent::Data(data));
                }
            }
            PeerEvent::Audio(mid, packet) => {
                let track_sid = self.track_sids.get(&*mid).cloned();
                out.event(ParticipantEvent::Audio { packet, track_sid });
            }
        }
    }
}

/// Tells the addresses in a session description.
fn announce_all(peer: PeerRole, sdp: &str, out: &mut impl ParticipantOutput) {
    for line in sdp.lines().filter_map(|line| line.strip_prefix("a=")) {
        if line.starts_with("candidate:") {
            announce(peer, line, out);
        }
    }
}

/// Tells the address in a line of SDP.
fn announce(peer: PeerRole, line: &str, out: &mut impl ParticipantOutput) {
    if let Some(candidate) = server_candidate(line) {
        out.server_candidate(peer, candidate);
    }
}

pub(super) fn offer(id: u32, sdp: String) -> Request {
    Request::Offer(proto::SessionDescription {
        r#type: "offer".to_owned(),
        sdp,
        id,
        ..proto::SessionDescription::default()
    })
}
