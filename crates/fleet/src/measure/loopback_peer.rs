//! The other end of one caller's peer connection, and an agent there: it answers what it hears with the caller's own sound,
//! and a text with a text. Time is an argument.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use prost::Message as _;
use proto::data_packet::Value;
use proto::data_stream::header::ContentHeader;
use proto::data_stream::{Chunk, Header, TextHeader, Trailer};
use str0m::change::SdpOffer;
use str0m::channel::ChannelId;
use str0m::format::Codec;
use str0m::media::{Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError};

/// The identity of the agent.
pub(super) const AGENT: &str = "agent";
/// The length of an audio frame, and its length in RTP's time at 48 kHz.
const FRAME: Duration = Duration::from_millis(20);
const FRAME_RTP: u32 = 960;
/// Silence in Opus: 20 ms of the full band.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
/// Shorter packets of callers are silence.
const LEAST_SPEECH: usize = 24;
/// How long a caller must be silent before the agent answers, and how long after a text it does.
const ANSWER_AFTER: Duration = Duration::from_millis(500);
/// The longest answer, in frames.
const LONGEST_ANSWER: usize = 75;
/// Frames that are made up for after a delay; older ones are left out.
const MOST_LATE_FRAMES: u32 = 10;
/// The data channel of texts.
const RELIABLE: &str = "_reliable";
const CHAT_TOPIC: &str = "lk.chat";
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";

pub(super) struct LoopbackPeer {
    rtc: Rtc,
    local: SocketAddr,
    reliable: Option<ChannelId>,
    /// The section and the payload type of the agent's audio.
    audio: Option<(Mid, Pt)>,
    connected: bool,
    /// When the next frame of the agent is due.
    next_frame: Option<Instant>,
    frames: u64,
    /// What the caller said last, and when.
    heard: VecDeque<Arc<[u8]>>,
    last_heard: Option<Instant>,
    answer: VecDeque<Arc<[u8]>>,
    silence: Arc<[u8]>,
    /// When texts of the caller are answered.
    replies: VecDeque<Instant>,
    texts: u32,
}

impl LoopbackPeer {
    pub(super) fn new(local: SocketAddr, now: Instant) -> Result<Self, RtcError> {
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .set_ice_lite(true)
            .set_stats_interval(None)
            .build(now);
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        Ok(Self {
            rtc,
            local,
            reliable: None,
            audio: None,
            connected: false,
            next_frame: None,
            frames: 0,
            heard: VecDeque::new(),
            last_heard: None,
            answer: VecDeque::new(),
            silence: Arc::from(SILENCE),
            replies: VecDeque::new(),
            texts: 0,
        })
    }

    /// Answers an offer. Returns the answer, and the section in which the agent's audio goes out if the offer asks for it.
    pub(super) fn answer(
        &mut self,
        sdp: &str,
        now: Instant,
    ) -> Result<(String, Option<String>), RtcError> {
        let offer = SdpOffer::from_sdp_string(sdp).map_err(RtcError::from)?;
        let answer = self.rtc.sdp_api().accept_offer(offer)?;
        let wanted = receiving_section(sdp);
        if let Some(name) = wanted.as_deref().filter(|_| self.audio.is_none()) {
            let mid = Mid::from(name);
            let payload_type = self.rtc.media(mid).and_then(|media| {
                let params = self.rtc.codec_config().params();
                let is_opus = |pt: &Pt| {
                    params.iter().any(|one| one.pt() == *pt && one.spec().codec == Codec::Opus)
                };
                media.remote_pts().iter().copied().find(is_opus)
            });
            self.audio = payload_type.map(|payload_type| (mid, payload_type));
            self.start_audio(now);
        }
        Ok((answer.to_sdp_string(), wanted))
    }

    fn start_audio(&mut self, now: Instant) {
        if self.connected && self.audio.is_some() {
            self.next_frame.get_or_insert(now);
        }
    }

    /// Handles a datagram.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        from: SocketAddr,
        now: Instant,
    ) -> Result<(), RtcError> {
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.local, bytes) else {
            return Ok(());
        };
        let input = Input::Receive(now, receive);
        if self.rtc.accepts(&input) { self.rtc.handle_input(input) } else { Ok(()) }
    }

    /// Does what is due, and passes on the datagrams that the last inputs led to. Returns when it is to be called again.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        mut send: impl FnMut(SocketAddr, &[u8]),
    ) -> Result<Instant, RtcError> {
        self.rtc.handle_input(Input::Timeout(now))?;
        let mut next = self.poll(now, &mut send)?;
        let mut late = 0;
        while let Some(due) = self.next_frame.filter(|due| *due <= now) {
            late += 1;
            self.next_frame = Some(if late > MOST_LATE_FRAMES { now + FRAME } else { due + FRAME });
            self.send_frame(now);
            next = self.poll(now, &mut send)?;
        }
        while self.replies.pop_front_if(|due| *due <= now).is_some() {
            self.reply();
            next = self.poll(now, &mut send)?;
        }
        let due = [self.next_frame, self.replies.front().copied()].into_iter().flatten();
        Ok(due.fold(next, Instant::min))
    }

    fn poll(
        &mut self,
        now: Instant,
        send: &mut impl FnMut(SocketAddr, &[u8]),
    ) -> Result<Instant, RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(packet) => send(packet.destination, &packet.contents),
                Output::Event(event) => self.handle(event, now),
            }
        }
    }

    fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.start_audio(now);
            }
            Event::ChannelOpen(id, label) if label == RELIABLE => self.reliable = Some(id),
            Event::ChannelData(data) => self.read(&data.data, now),
            Event::RtpPacket(packet) if packet.payload.len() >= LEAST_SPEECH => {
                self.last_heard = Some(now);
                self.heard.push_back(packet.payload);
                if self.heard.len() > LONGEST_ANSWER {
                    self.heard.pop_front();
                }
            }
            _ => {}
        }
    }

    /// The agent's next frame: of its answer, or silence.
    fn send_frame(&mut self, now: Instant) {
        let is_quiet = self.last_heard.is_some_and(|at| now.duration_since(at) >= ANSWER_AFTER);
        if self.answer.is_empty() && is_quiet {
            self.answer = std::mem::take(&mut self.heard);
            self.last_heard = None;
        }
        let payload = self.answer.pop_front().unwrap_or_else(|| self.silence.clone());
        self.frames += 1;
        let Some((mid, payload_type)) = self.audio else { return };
        #[expect(clippy::cast_possible_truncation, reason = "RTP's time begins again at 2^32")]
        let rtp_time = (self.frames as u32).wrapping_mul(FRAME_RTP);
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx_by_mid(mid, None) {
            let number = self.frames.into();
            stream.write_rtp(RtpWrite::new(payload_type, number, rtp_time, now, payload));
        }
    }

    /// Reads a message of the caller: the end of a text is answered.
    fn read(&mut self, bytes: &[u8], now: Instant) {
        let packet = proto::DataPacket::decode(bytes).ok();
        match packet.and_then(|packet| packet.value) {
            Some(Value::StreamHeader(header)) if header.topic == CHAT_TOPIC => {
                self.replies.push_back(now + ANSWER_AFTER);
            }
            _ => {}
        }
    }

    fn reply(&mut self) {
        self.texts += 1;
        let stream_id = format!("answer-{}", self.texts);
        let attributes = [
            ("lk.segment_id".to_owned(), stream_id.clone()),
            ("lk.transcription_final".to_owned(), "true".to_owned()),
        ];
        let content = b"Yes, there is one at half past seven.".to_vec();
        let header = Header {
            stream_id: stream_id.clone(),
            topic: TRANSCRIPTION_TOPIC.to_owned(),
            mime_type: "text/plain".to_owned(),
            total_length: Some(content.len() as u64),
            attributes: attributes.into(),
            content_header: Some(ContentHeader::TextHeader(TextHeader::default())),
            ..Header::default()
        };
        let chunk = Chunk { stream_id: stream_id.clone(), content, ..Chunk::default() };
        let trailer = Trailer { stream_id, ..Trailer::default() };
        for value in
            [Value::StreamHeader(header), Value::StreamChunk(chunk), Value::StreamTrailer(trailer)]
        {
            let packet = proto::DataPacket {
                participant_identity: AGENT.to_owned(),
                value: Some(value),
                ..proto::DataPacket::default()
            };
            let channel = self.reliable.and_then(|reliable| self.rtc.channel(reliable));
            // A caller whose buffer is full waits for its answer.
            let _ = channel.map(|mut channel| channel.write(true, &packet.encode_to_vec()));
        }
    }
}

/// The media section of an offer that receives audio.
fn receiving_section(sdp: &str) -> Option<String> {
    let sections = sdp.split("\nm=").skip(1);
    let receiving = sections
        .filter(|section| section.starts_with("audio"))
        .find(|section| section.lines().any(|line| line.trim() == "a=recvonly"))?;
    receiving.lines().find_map(|line| Some(line.trim().strip_prefix("a=mid:")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_that_receives_audio_is_found() {
        let sdp = "v=0\r\nm=application 9 x\r\na=mid:0\r\nm=audio 9 x\r\na=mid:1\r\na=sendonly\r\n";
        assert_eq!(receiving_section(sdp), None);
        let more = format!("{sdp}m=audio 9 x\r\na=mid:q7\r\na=recvonly\r\n");
        assert_eq!(receiving_section(&more).as_deref(), Some("q7"));
    }
}
