//! A peer connection of a participant: str0m with time passed in, one SDP offer at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{RtpWrite, SeqNo};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig, RtcError};
use tracing::{Span, debug};

use super::certificate;
use super::error::ParticipantError;
use super::participant::OwnTrack;
use super::route::{LocalCandidate, PacketProtocol, PacketRoute, ServerCandidate};
use rushhour_core::units::{Micros, SessionTime};

/// Labels of the data channels that a LiveKit server expects.
const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";
/// Media sections that receive audio, at most.
const MAX_AUDIO_SECTIONS: usize = 16;
/// Candidates kept until there is an answer to apply them to, at most.
const MAX_EARLY_CANDIDATES: usize = 64;
/// The most candidates that the server can add: each is paired with ours, and checked.
const MAX_REMOTE_CANDIDATES: usize = 64;

/// An Opus packet that arrived.
#[derive(Debug, Clone)]
pub struct AudioPacket {
    /// The sender's SSRC. Another SSRC is another stream.
    pub ssrc: u32,
    /// Its RTP sequence number.
    pub sequence: u16,
    /// Its RTP timestamp, at 48 kHz.
    pub rtp_time: u32,
    /// The Opus packet.
    pub payload: Arc<[u8]>,
    /// When it arrived.
    pub at: SessionTime,
}

/// What comes out of the connection.
pub(super) enum PeerEvent {
    /// The reliable data channel is open in both directions.
    DataChannelOpen,
    /// A message of a data channel.
    Data(Vec<u8>),
    /// An Opus packet, and the media section it arrived on.
    Audio(Mid, AudioPacket),
    /// ICE has a working candidate pair.
    MediaConnected,
    /// ICE has no working candidate pair any more.
    MediaLost,
    /// The server closed DTLS or SCTP.
    Closed,
}

/// An address of ours as ICE takes it; none where ICE does not.
fn ice_candidate(candidate: LocalCandidate) -> Option<Candidate> {
    match candidate {
        LocalCandidate::Host { protocol: PacketProtocol::Udp, address } => {
            Candidate::host(address, "udp").ok()
        }
        LocalCandidate::Host { protocol: PacketProtocol::Tcp, address } => {
            Candidate::builder().tcp().host(address).tcptype(TcpType::Active).build().ok()
        }
        LocalCandidate::Relayed { address, socket } => {
            Candidate::relayed(address, socket, "udp").ok()
        }
    }
}

/// The address in a line of SDP, such as `candidate:1 1 udp 2130706431 10.0.0.7 7882 typ host`.
pub(super) fn server_candidate(line: &str) -> Option<ServerCandidate> {
    let candidate = Candidate::from_sdp_string(line).ok()?;
    let protocol = match candidate.proto() {
        Protocol::Udp => PacketProtocol::Udp,
        _ => PacketProtocol::Tcp,
    };
    Some(ServerCandidate { protocol, address: candidate.addr() })
}

/// A numbered offer to be sent to the server.
type Offer = (u32, String);

/// Whether ICE has a working candidate pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IceState {
    /// It has not found one yet.
    Searching,
    Connected,
    Lost,
}

/// A peer connection.
pub(super) struct PeerConnection {
    rtc: Rtc,
    epoch: Instant,
    /// The reliable data channel; on a connection that the server offers, once it has opened it.
    reliable: Option<ChannelId>,
    /// The tracks that are sent: speech and background audio.
    audio_senders: [Option<AudioSender>; 2],
    pending_offer: Option<SdpPendingOffer>,
    /// The text of the pending offer, or of the last one.
    offer_sdp: String,
    next_offer_id: u32,
    /// The media sections that receive audio.
    audio_sections: Vec<Mid>,
    /// How many more sections the server required while an offer was pending; 0 means an offer without more.
    required_sections: Option<u32>,
    /// Candidates that came before the first answer.
    early_candidates: Vec<Candidate>,
    /// How many candidates the server has sent.
    remote_candidates: usize,
    answered: bool,
    open: bool,
    ice: IceState,
    deadline: SessionTime,
    span: Span,
}

/// Whether an offer lets ICE look for another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IceRestart {
    Yes,
    No,
}

/// The media section that sends audio.
struct AudioSender {
    mid: Mid,
    /// Opus's payload type, once negotiated.
    payload_type: Option<Pt>,
    sequence: u64,
}

impl PeerConnection {
    /// A connection from `local`, and its first offer: two data channels, and a section that sends audio
    /// for each track that `audio_tracks` names: speech, then background audio. Sections that receive audio are added when the server requires them.
    pub(super) fn new(
        epoch: Instant,
        now: SessionTime,
        local: Option<SocketAddr>,
        audio_tracks: [Option<&str>; 2],
    ) -> Result<(Self, String), RtcError> {
        let mut peer = Self::answering(epoch, now, local)?;
        let mut change = peer.rtc.sdp_api();
        let reliable = change.add_channel(RELIABLE.to_owned());
        change.add_channel_with_config(ChannelConfig {
            label: LOSSY.to_owned(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            ..ChannelConfig::default()
        });
        let audio_senders = audio_tracks.map(|track| {
            let mid = change.add_media(
                MediaKind::Audio,
                Direction::SendOnly,
                Some("rushhour".to_owned()),
                Some(track?.to_owned()),
                None,
            );
            Some(AudioSender { mid, payload_type: None, sequence: 1 })
        });
        let (offer, pending) = change.apply().expect("adding channels is a change");
        let offer = offer.to_sdp_string();
        peer.reliable = Some(reliable);
        peer.audio_senders = audio_senders;
        peer.pending_offer = Some(pending);
        peer.offer_sdp.clone_from(&offer);
        Ok((peer, offer))
    }

    /// A connection from `local` that the server offers.
    pub(super) fn answering(
        epoch: Instant,
        now: SessionTime,
        local: Option<SocketAddr>,
    ) -> Result<Self, RtcError> {
        let start = epoch + now.since(SessionTime::START).as_duration();
        let mut config = RtcConfig::new();
        if let Some(certificate) = certificate::shared() {
            config = config.set_dtls_cert(certificate);
        }
        let mut rtc = config
            .clear_codecs()
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .set_send_buffer_audio(50)
            .build(start);
        if let Some(local) = local {
            rtc.add_local_candidate(Candidate::host(local, "udp")?);
        }
        Ok(Self {
            rtc,
            epoch,
            reliable: None,
            audio_senders: [None, None],
            pending_offer: None,
            offer_sdp: String::new(),
            // The first offer, in the join request, has the id 1.
            next_offer_id: 2,
            audio_sections: Vec::new(),
            required_sections: None,
            early_candidates: Vec::new(),
            remote_candidates: 0,
            answered: false,
            open: false,
            ice: IceState::Searching,
            deadline: now,
            span: Span::current(),
        })
    }

    /// Answers the server's offer.
    pub(super) fn answer_offer(&mut self, sdp: &str) -> Result<String, ParticipantError> {
        let answer = SdpOffer::from_sdp_string(sdp)
            .map_err(RtcError::from)
            .and_then(|offer| self.rtc.sdp_api().accept_offer(offer))
            .map_err(ParticipantError::Offer)?;
        self.add_early_candidates();
        Ok(answer.to_sdp_string())
    }

    fn add_early_candidates(&mut self) {
        self.answered = true;
        for candidate in std::mem::take(&mut self.early_candidates) {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    fn instant(&self, time: SessionTime) -> Instant {
        self.epoch + time.since(SessionTime::START).as_duration()
    }

    /// When [`Self::handle_timeout`] must be called.
    pub(super) const fn deadline(&self) -> SessionTime {
        self.deadline
    }

    /// Applies the answer to the pending offer. Returns the next offer, if one is required by now.
    pub(super) fn handle_answer(&mut self, sdp: &str) -> Result<Option<Offer>, ParticipantError> {
        let Some(pending) = self.pending_offer.take() else { return Ok(None) };
        SdpAnswer::from_sdp_string(sdp)
            .map_err(RtcError::from)
            .and_then(|answer| self.rtc.sdp_api().accept_answer(pending, answer))
            .map_err(ParticipantError::Answer)?;
        self.add_early_candidates();
        let unnegotiated =
            self.audio_senders.iter_mut().flatten().filter(|sender| sender.payload_type.is_none());
        for sender in unnegotiated {
            sender.payload_type = self.rtc.media(sender.mid).and_then(|media| {
                media.remote_pts().iter().copied().find(|pt| {
                    let params = self.rtc.codec_config().params();
                    params.iter().any(|p| p.pt() == *pt && p.spec().codec == Codec::Opus)
                })
            });
            if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(sender.mid, None) {
                // Audio is never sent again, so the share of what is need not be counted.
                stream.set_rtx_cache(0, Duration::ZERO, None);
            }
        }
        Ok(self.next_offer(IceRestart::No))
    }

    /// Handles the server's request for an offer with `count` more sections that receive audio. Returns the offer,
    /// unless one is pending.
    ///
    /// The server also sends this with a count of 0, when it has put a track on an existing section.
    pub(super) fn require_audio_sections(&mut self, count: u32) -> Option<Offer> {
        self.required_sections = Some(self.required_sections.unwrap_or(0).saturating_add(count));
        self.next_offer(IceRestart::No)
    }

    /// An offer that lets ICE look for another path; `None` while another offer is pending.
    pub(super) fn restart_ice(&mut self) -> Option<Offer> {
        if self.pending_offer.is_some() {
            return None;
        }
        // Candidates of the path that was lost.
        self.remote_candidates = 0;
        self.next_offer(IceRestart::Yes)
    }

    /// The pending offer once more, where the one before or its answer may be lost.
    pub(super) fn repeat_offer(&mut self) -> Option<Offer> {
        self.pending_offer.as_ref()?;
        Some((self.next_id(), self.offer_sdp.clone()))
    }

    const fn next_id(&mut self) -> u32 {
        let id = self.next_offer_id;
        self.next_offer_id += 1;
        id
    }

    fn next_offer(&mut self, restart: IceRestart) -> Option<Offer> {
        if self.pending_offer.is_some() {
            return None;
        }
        let restarts_ice = restart == IceRestart::Yes;
        let free = MAX_AUDIO_SECTIONS.saturating_sub(self.audio_sections.len());
        let required = self.required_sections.take();
        if required.is_none() && !restarts_ice {
            return None;
        }
        let count = (required.unwrap_or(0) as usize).min(free);
        let mut change = self.rtc.sdp_api();
        if restarts_ice {
            change.ice_restart(true);
        }
        for _ in 0..count {
            let mid = change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
            self.audio_sections.push(mid);
        }
        if let (false, 0, Some(mid)) = (restarts_ice, count, self.audio_sections.first()) {
            // str0m makes no offer without a change.
            change.set_direction(*mid, Direction::Inactive);
            change.set_direction(*mid, Direction::RecvOnly);
        }
        let (offer, pending) = change.apply()?;
        self.pending_offer = Some(pending);
        self.offer_sdp = offer.to_sdp_string();
        Some((self.next_id(), self.offer_sdp.clone()))
    }

    /// Adds a candidate of the server, in the format of SDP's `candidate` attribute; malformed ones are ignored.
    pub(super) fn add_remote_candidate(&mut self, line: &str) {
        let Ok(candidate) = Candidate::from_sdp_string(line) else { return };
        self.remote_candidates += 1;
        if self.remote_candidates > MAX_REMOTE_CANDIDATES {
            return;
        }
        if self.answered {
            self.rtc.add_remote_candidate(candidate);
        } else if self.early_candidates.len() < MAX_EARLY_CANDIDATES {
            self.early_candidates.push(candidate);
        }
    }

    /// Adds an address of ours.
    pub(super) fn add_local_candidate(&mut self, candidate: LocalCandidate) {
        if let Some(candidate) = ice_candidate(candidate) {
            self.rtc.add_local_candidate(candidate);
        }
    }

    /// Withdraws an address of ours.
    pub(super) fn remove_local_candidate(&mut self, candidate: LocalCandidate) {
        if let Some(candidate) = ice_candidate(candidate) {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
    }

    /// Handles a packet; ignores those that do not belong to this connection.
    pub(super) fn handle_packet(
        &mut self,
        bytes: &[u8],
        route: PacketRoute,
        at: SessionTime,
    ) -> Result<(), RtcError> {
        let protocol = match route.protocol {
            PacketProtocol::Udp => Protocol::Udp,
            PacketProtocol::Tcp => Protocol::Tcp,
        };
        let Ok(receive) = Receive::new(protocol, route.remote, route.local, bytes) else {
            return Ok(());
        };
        let input = Input::Receive(self.instant(at), receive);
        if self.rtc.accepts(&input) { self.rtc.handle_input(input) } else { Ok(()) }
    }

    /// Advances timers to `now`.
    pub(super) fn handle_timeout(&mut self, now: SessionTime) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(self.instant(now)))
    }

    /// Queues an Opus packet with its RTP timestamp at 48 kHz. Returns whether the track is negotiated.
    pub(super) fn send_audio(
        &mut self,
        track: OwnTrack,
        payload: Arc<[u8]>,
        rtp_time: u32,
        marker: bool,
        now: SessionTime,
    ) -> bool {
        let wallclock = self.instant(now);
        let sender = match track {
            OwnTrack::Speech => &mut self.audio_senders[0],
            OwnTrack::Background => &mut self.audio_senders[1],
        };
        let Some(sender) = sender else { return false };
        let Some(payload_type) = sender.payload_type else { return false };
        let sequence: SeqNo = sender.sequence.into();
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(sender.mid, None) else { return false };
        let packet = RtpWrite::new(payload_type, sequence, rtp_time, wallclock, payload);
        stream.write_rtp(packet.marker(marker));
        sender.sequence += 1;
        true
    }

    /// Leaves out a packet: its sequence number is used up.
    pub(super) fn lose_audio(&mut self, track: OwnTrack) {
        let sender = match track {
            OwnTrack::Speech => &mut self.audio_senders[0],
            OwnTrack::Background => &mut self.audio_senders[1],
        };
        if let Some(sender) = sender {
            sender.sequence += 1;
        }
    }

    /// Whether ICE has a working candidate pair.
    pub(super) fn has_media(&self) -> bool {
        self.ice == IceState::Connected
    }

    /// Whether the reliable data channel is open.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// Queues a message for the reliable data channel. Returns whether the send buffer had room for it.
    pub(super) fn send_data(&mut self, packet: &[u8]) -> bool {
        self.reliable
            .and_then(|reliable| self.rtc.channel(reliable))
            .is_some_and(|mut channel| channel.write(true, packet).unwrap_or(false))
    }

    /// Passes on the datagrams that the last input led to, up to its next event, and returns that; `None` once there is
    /// no more, and the next deadline is known.
    pub(super) fn poll(
        &mut self,
        at: SessionTime,
        mut transmit: impl FnMut(PacketRoute, &[u8]),
    ) -> Result<Option<PeerEvent>, RtcError> {
        loop {
            let event = match self.rtc.poll_output()? {
                Output::Timeout(deadline) => {
                    let since = deadline.saturating_duration_since(self.epoch);
                    self.deadline = SessionTime(Micros::from(since).0);
                    return Ok(None);
                }
                Output::Transmit(packet) => {
                    let protocol = match packet.proto {
                        Protocol::Udp => PacketProtocol::Udp,
                        _ => PacketProtocol::Tcp,
                    };
                    let (local, remote) = (packet.source, packet.destination);
                    transmit(PacketRoute { protocol, local, remote }, &packet.contents);
                    None
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let ssrc = packet.header.ssrc;
                    let mid = self.rtc.direct_api().stream_rx(&ssrc).map(|stream| stream.mid());
                    mid.map(|mid| {
                        let packet = AudioPacket {
                            ssrc: *ssrc,
                            sequence: packet.header.sequence_number,
                            rtp_time: packet.header.timestamp,
                            payload: packet.payload,
                            at,
                        };
                        PeerEvent::Audio(mid, packet)
                    })
                }
                Output::Event(Event::ChannelData(data)) => Some(PeerEvent::Data(data.data)),
                Output::Event(event) => self.state_changed(event),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn state_changed(&mut self, event: Event) -> Option<PeerEvent> {
        match event {
            Event::IceConnectionStateChange(state) => {
                debug!(parent: &self.span, ?state, "ICE connection state changed");
                if state.is_connected() {
                    self.ice = IceState::Connected;
                    return Some(PeerEvent::MediaConnected);
                }
                // Without any way yet, further ones may still be opened; how long joining may take is the handler's.
                if self.ice == IceState::Searching {
                    return None;
                }
                self.ice = IceState::Lost;
                (state == IceConnectionState::Disconnected).then_some(PeerEvent::MediaLost)
            }
            Event::Connected => {
                debug!(parent: &self.span, "DTLS connected");
                None
            }
            Event::ChannelOpen(id, label) => {
                debug!(parent: &self.span, label, "data channel open");
                if label != RELIABLE || self.open {
                    return None;
                }
                self.reliable = Some(id);
                self.open = true;
                Some(PeerEvent::DataChannelOpen)
            }
            Event::Closed => {
                debug!(parent: &self.span, "DTLS or SCTP closed by the server");
                Some(PeerEvent::Closed)
            }
            _ => None,
        }
    }
}
