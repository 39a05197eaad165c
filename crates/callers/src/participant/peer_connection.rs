//! The one peer connection of a participant: str0m with time passed in, offers one after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, SeqNo};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

use rushhour_core::units::{Micros, SessionTime};

/// The server's own channels, by their labels.
const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";
/// Most parts to receive audio on.
const MOST_PARTS: usize = 16;

/// An Opus packet that came in.
#[derive(Debug, Clone)]
pub struct AudioPacket {
    /// The part of the connection it came in on.
    pub mid: Mid,
    /// Its sender's number for its stream; another one begins anew.
    pub ssrc: u32,
    /// Its number in the stream.
    pub sequence: u16,
    /// Its time in the stream, at 48 kHz.
    pub rtp_time: u32,
    /// The Opus packet.
    pub payload: Arc<[u8]>,
    /// When it arrived.
    pub at: SessionTime,
}

/// What comes out of the connection.
pub(super) enum PeerEvent {
    /// The reliable channel is open both ways.
    Open,
    /// A packet of a data channel.
    Data(Vec<u8>),
    /// An Opus packet.
    Audio(AudioPacket),
    /// The connection is gone.
    Closed,
}

/// A peer connection.
pub(super) struct PeerConnection {
    rtc: Rtc,
    epoch: Instant,
    local: SocketAddr,
    reliable: ChannelId,
    /// The audio that is sent, once it is negotiated.
    speaking: Option<AudioSender>,
    pending: Option<SdpPendingOffer>,
    /// Parts to receive audio on.
    hearing: Vec<Mid>,
    /// What the server asked for while an offer was pending: an offer with so many more of them.
    wanted: Option<u32>,
    /// Candidates that came before there was an answer to add them to.
    early_candidates: Vec<Candidate>,
    answered: bool,
    next_offer: u32,
    open: bool,
    deadline: SessionTime,
}

struct AudioSender {
    mid: Mid,
    pt: Option<Pt>,
    sequence: u64,
}

impl PeerConnection {
    /// A connection from `local`, and its first offer: two channels, and a part to send audio on where
    /// `audio_track` names a track. Parts to receive on are asked for by the server.
    pub(super) fn new(
        epoch: Instant,
        now: SessionTime,
        local: SocketAddr,
        audio_track: Option<&str>,
    ) -> Result<(Self, String), RtcError> {
        let start = epoch + now.since(SessionTime::START).as_duration();
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .set_send_buffer_audio(50)
            .build(start);
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let mut change = rtc.sdp_api();
        let reliable = change.add_channel(RELIABLE.to_owned());
        change.add_channel_with_config(ChannelConfig {
            label: LOSSY.to_owned(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            ..ChannelConfig::default()
        });
        let speaking = audio_track.map(|track| {
            let mid = change.add_media(
                MediaKind::Audio,
                Direction::SendOnly,
                Some("rushhour".to_owned()),
                Some(track.to_owned()),
                None,
            );
            AudioSender { mid, pt: None, sequence: 1 }
        });
        let (offer, pending) = change.apply().expect("two channels are a change");
        let peer = Self {
            rtc,
            epoch,
            local,
            reliable,
            speaking,
            pending: Some(pending),
            hearing: Vec::new(),
            wanted: None,
            early_candidates: Vec::new(),
            answered: false,
            next_offer: 2,
            open: false,
            deadline: now,
        };
        Ok((peer, offer.to_sdp_string()))
    }

    fn instant(&self, time: SessionTime) -> Instant {
        self.epoch + time.since(SessionTime::START).as_duration()
    }

    /// When [`Self::tick`] has to be called.
    pub(super) const fn deadline(&self) -> SessionTime {
        self.deadline
    }

    /// The server's answer to the pending offer; gives the next offer where one is wanted by now.
    pub(super) fn answer(&mut self, sdp: &str) -> Result<Option<(u32, String)>, RtcError> {
        let Some(pending) = self.pending.take() else { return Ok(None) };
        let answer = SdpAnswer::from_sdp_string(sdp)?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.answered = true;
        for candidate in std::mem::take(&mut self.early_candidates) {
            self.rtc.add_remote_candidate(candidate);
        }
        if let Some(speaking) = &mut self.speaking
            && speaking.pt.is_none()
        {
            speaking.pt = self.rtc.media(speaking.mid).and_then(|media| {
                media.remote_pts().iter().copied().find(|pt| {
                    let params = self.rtc.codec_config().params();
                    params.iter().any(|p| p.pt() == *pt && p.spec().codec == Codec::Opus)
                })
            });
        }
        Ok(self.offer_more())
    }

    /// The server wants another offer, with so many more parts to send audio on; gives it, unless one is pending.
    ///
    /// It asks so with none too, when it has put a track on a part that there is.
    pub(super) fn want_audios(&mut self, count: u32) -> Option<(u32, String)> {
        self.wanted = Some(self.wanted.unwrap_or(0).saturating_add(count));
        self.offer_more()
    }

    fn offer_more(&mut self) -> Option<(u32, String)> {
        if self.pending.is_some() {
            return None;
        }
        // A server that wants more parts than this has lost count.
        let count =
            (self.wanted.take()? as usize).min(MOST_PARTS.saturating_sub(self.hearing.len()));
        let mut change = self.rtc.sdp_api();
        for _ in 0..count {
            let part = change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
            self.hearing.push(part);
        }
        if let (0, Some(part)) = (count, self.hearing.first()) {
            // The library makes no offer that changes nothing.
            change.set_direction(*part, Direction::Inactive);
            change.set_direction(*part, Direction::RecvOnly);
        }
        let (offer, pending) = change.apply()?;
        self.pending = Some(pending);
        let id = self.next_offer;
        self.next_offer += 1;
        Some((id, offer.to_sdp_string()))
    }

    /// A place where the server can be reached.
    pub(super) fn candidate(&mut self, line: &str) {
        let line = line
            .strip_prefix("candidate:")
            .map_or_else(|| line.to_owned(), |rest| format!("candidate:{rest}"));
        let Ok(candidate) = Candidate::from_sdp_string(&line) else { return };
        if self.answered {
            self.rtc.add_remote_candidate(candidate);
        } else if self.early_candidates.len() < 64 {
            self.early_candidates.push(candidate);
        }
    }

    /// Takes in a datagram. What is none of this connection's is passed over.
    pub(super) fn datagram(
        &mut self,
        bytes: &[u8],
        from: SocketAddr,
        at: SessionTime,
    ) -> Result<(), RtcError> {
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.local, bytes) else {
            return Ok(());
        };
        let input = Input::Receive(self.instant(at), receive);
        if self.rtc.accepts(&input) { self.rtc.handle_input(input) } else { Ok(()) }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now: SessionTime) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(self.instant(now)))
    }

    /// Sends an Opus packet; `rtp_time` is its time at 48 kHz. Gives whether it could be sent.
    pub(super) fn speak(
        &mut self,
        payload: Arc<[u8]>,
        rtp_time: u32,
        marker: bool,
        now: SessionTime,
    ) -> bool {
        let wallclock = self.instant(now);
        let Some(speaking) = &mut self.speaking else { return false };
        let Some(pt) = speaking.pt else { return false };
        let sequence: SeqNo = speaking.sequence.into();
        let mid = speaking.mid;
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return false };
        stream.write_rtp(RtpWrite::new(pt, sequence, rtp_time, wallclock, payload).marker(marker));
        speaking.sequence += 1;
        true
    }

    /// Whether packets can be sent.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// Sends a packet over the reliable channel. Gives whether there was room for it.
    pub(super) fn send(&mut self, packet: &[u8]) -> bool {
        self.rtc
            .channel(self.reliable)
            .is_some_and(|mut channel| channel.write(true, packet).unwrap_or(false))
    }

    /// Everything that has to go out or is to be told since the last mutation, until the next deadline.
    pub(super) fn drain(
        &mut self,
        at: SessionTime,
        mut transmit: impl FnMut(SocketAddr, &[u8]),
        mut tell: impl FnMut(PeerEvent),
    ) -> Result<(), RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(deadline) => {
                    let since = deadline.saturating_duration_since(self.epoch);
                    self.deadline = SessionTime(Micros::from(since).0);
                    return Ok(());
                }
                Output::Transmit(datagram) => transmit(datagram.destination, &datagram.contents),
                Output::Event(event) => match event {
                    Event::ChannelOpen(id, _) if id == self.reliable && !self.open => {
                        self.open = true;
                        tell(PeerEvent::Open);
                    }
                    Event::ChannelData(data) => tell(PeerEvent::Data(data.data)),
                    Event::RtpPacket(packet) => {
                        let mid = self
                            .rtc
                            .direct_api()
                            .stream_rx(&packet.header.ssrc)
                            .map(|stream| stream.mid());
                        if let Some(mid) = mid {
                            tell(PeerEvent::Audio(AudioPacket {
                                mid,
                                ssrc: *packet.header.ssrc,
                                sequence: packet.header.sequence_number,
                                rtp_time: packet.header.timestamp,
                                payload: packet.payload,
                                at,
                            }));
                        }
                    }
                    Event::Closed => tell(PeerEvent::Closed),
                    Event::IceConnectionStateChange(str0m::IceConnectionState::Disconnected) => {
                        tell(PeerEvent::Closed);
                    }
                    _ => {}
                },
            }
        }
    }
}
