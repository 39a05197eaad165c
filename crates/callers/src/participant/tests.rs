//! A participant and a peer connection of str0m that stands for the server's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::change::SdpOffer;
use str0m::channel::ChannelId;
use str0m::format::Codec;
use str0m::media::{Direction, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use super::*;
use crate::data::{DataEvent, DataReceiver, DataSender};
use rushhour_core::event::ConnectionRating;
use rushhour_core::units::{Identity, Micros, SessionTime};

/// How often the participant takes in what has arrived.
const TICK: Micros = Micros::from_millis(20);

fn client() -> SocketAddr {
    ([127, 0, 0, 1], 5_000).into()
}

fn server() -> SocketAddr {
    ([127, 0, 0, 1], 6_000).into()
}

/// The server's end.
struct Server {
    rtc: Rtc,
    epoch: Instant,
    /// The media section on which it sends audio.
    section: Option<Mid>,
    reliable: Option<ChannelId>,
    /// How many packets of audio it has sent.
    audio: u32,
    /// Datagrams that are on their way to the participant.
    sent: Vec<Vec<u8>>,
    /// Messages of the data channel that came.
    messages: Vec<Vec<u8>>,
    was_lost: bool,
}

impl Server {
    fn new(epoch: Instant) -> Self {
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .build(epoch);
        rtc.add_local_candidate(Candidate::host(server(), "udp").unwrap());
        Self {
            rtc,
            epoch,
            section: None,
            reliable: None,
            audio: 0,
            sent: Vec::new(),
            messages: Vec::new(),
            was_lost: false,
        }
    }

    fn instant(&self, time: SessionTime) -> Instant {
        self.epoch + time.since(SessionTime::START).as_duration()
    }

    fn answer(&mut self, offer: &str) -> Response {
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap();
        self.drain();
        Response::Answer(proto::SessionDescription {
            r#type: "answer".to_owned(),
            sdp: answer.to_sdp_string(),
            ..proto::SessionDescription::default()
        })
    }

    fn advance(&mut self, now: SessionTime) {
        self.rtc.handle_input(Input::Timeout(self.instant(now))).unwrap();
        self.drain();
    }

    fn receive(&mut self, packets: Vec<Vec<u8>>, at: SessionTime) {
        for packet in packets {
            let receive = Receive::new(Protocol::Udp, client(), server(), &packet).unwrap();
            self.rtc.handle_input(Input::Receive(self.instant(at), receive)).unwrap();
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(packet) => self.sent.push(packet.contents.to_vec()),
                Output::Event(Event::MediaAdded(added)) => {
                    if added.direction == Direction::SendOnly {
                        self.section = Some(added.mid);
                    }
                }
                Output::Event(Event::ChannelOpen(id, label)) if label == "_reliable" => {
                    self.reliable = Some(id);
                }
                Output::Event(Event::ChannelData(message)) => self.messages.push(message.data),
                Output::Event(Event::IceConnectionStateChange(state)) => {
                    self.was_lost |= state == IceConnectionState::Disconnected;
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Sends a packet of audio.
    fn speak(&mut self, now: SessionTime) {
        let params = self.rtc.codec_config().params();
        let opus = params.iter().find(|params| params.spec().codec == Codec::Opus).unwrap().pt();
        let wallclock = self.instant(now);
        self.audio += 1;
        let (sequence, rtp_time) = (u64::from(self.audio).into(), self.audio * 960);
        let payload: Arc<[u8]> = Arc::from([0xf8_u8, 0xff, 0xfe].as_slice());
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.section.unwrap(), None).unwrap();
        stream.write_rtp(RtpWrite::new(opus, sequence, rtp_time, wallclock, payload));
        self.advance(now);
    }

    /// Sends messages on the data channel.
    fn write(&mut self, messages: &[Vec<u8>]) {
        for message in messages {
            let mut channel = self.rtc.channel(self.reliable.unwrap()).unwrap();
            assert!(channel.write(true, message).unwrap());
            self.drain();
        }
    }
}

/// What comes out of the participant.
#[derive(Default)]
struct Recorded {
    packets: Vec<Vec<u8>>,
    requests: Vec<Request>,
    events: Vec<ParticipantEvent>,
}

impl ParticipantOutput for Recorded {
    fn transmit(&mut self, _: PeerRole, _: PacketRoute, packet: &[u8]) {
        self.packets.push(packet.to_vec());
    }
    fn open_signal(&mut self, _: SignalAttempt) {}
    fn send_signal(&mut self, message: Request) {
        self.requests.push(message);
    }
    fn event(&mut self, event: ParticipantEvent) {
        self.events.push(event);
    }
}

/// A participant, the server, and what has happened.
struct Call {
    participant: Participant,
    server: Server,
    recorded: Recorded,
    now: SessionTime,
}

impl Call {
    /// A participant that sends and receives data and audio.
    #[expect(clippy::disallowed_methods, reason = "str0m wants an epoch; nothing waits for it")]
    fn connected() -> Self {
        let epoch = Instant::now();
        let config = JoinConfig { publish_audio: true, ..JoinConfig::default() };
        let now = SessionTime::START;
        let (participant, query) = Participant::new(&config, epoch, now, Some(client())).unwrap();
        let (server, recorded) = (Server::new(epoch), Recorded::default());
        let mut call = Self { participant, server, recorded, now };
        let answer = call.server.answer(&query.offer);
        call.signal(Response::Join(proto::JoinResponse::default()));
        call.signal(answer);
        let required = proto::MediaSectionsRequirement { num_audios: 1, num_videos: 0 };
        call.signal(Response::MediaSectionsRequirement(required));
        let offer = call.recorded.requests.iter().find_map(|request| match request {
            Request::Offer(offer) => Some(offer.sdp.clone()),
            _ => None,
        });
        let answer = call.server.answer(&offer.unwrap());
        call.signal(answer);
        call.waits();
        assert!(call.participant.is_open() && call.server.reliable.is_some());
        call
    }

    fn signal(&mut self, message: Response) {
        self.participant.handle_signal(message, self.now, &mut self.recorded).unwrap();
    }

    fn server_advances(&mut self) {
        self.now += TICK;
        self.server.advance(self.now);
    }

    /// The participant takes in all that the server has sent.
    fn arrive(&mut self) {
        let route =
            PacketRoute { protocol: PacketProtocol::Udp, local: client(), remote: server() };
        for packet in std::mem::take(&mut self.server.sent) {
            let (role, out) = (PeerRole::Publisher, &mut self.recorded);
            self.participant.handle_packet(&packet, role, route, self.now, out).unwrap();
        }
    }

    /// It runs its timers too, and the server takes in what it has sent.
    fn exchange(&mut self) {
        self.arrive();
        if self.participant.deadline() <= self.now {
            self.participant.handle_timeout(self.now, &mut self.recorded).unwrap();
        }
        self.server.receive(std::mem::take(&mut self.recorded.packets), self.now);
    }

    /// Two seconds pass.
    fn waits(&mut self) {
        for _ in 0..100 {
            self.server_advances();
            self.exchange();
        }
    }
}

/// The texts among events.
fn text_of<'a>(events: impl Iterator<Item = &'a DataEvent>) -> String {
    let chunk = |event: &'a DataEvent| match event {
        DataEvent::TextChunk { text, .. } => Some(text.as_str()),
        _ => None,
    };
    events.filter_map(chunk).collect()
}

#[test]
fn nothing_is_lost_where_audio_and_data_arrive_at_once() {
    let mut call = Call::connected();
    let (mut sender, author) = (DataSender::default(), Identity::new("agent-1"));
    let mut written = String::new();
    // Long enough for keep-alives, reports and acknowledgements to be due, and to be missed.
    for tick in 0..1_500 {
        call.server_advances();
        call.server.speak(call.now);
        if tick % 5 == 0 {
            let text = format!("{tick} ");
            let packets = sender.text_as(&author, "lk.chat", &text, HashMap::new(), 0);
            call.server.write(&packets);
            written.push_str(&text);
        }
        call.server.speak(call.now);
        call.exchange();
    }
    call.waits();
    let audio = call.recorded.events.iter().filter_map(|event| match event {
        ParticipantEvent::Audio { packet, .. } => Some(packet.sequence),
        _ => None,
    });
    assert!(audio.eq(1..=3_000_u16));
    let data = call.recorded.events.iter().filter_map(|event| match event {
        ParticipantEvent::Data(data) => Some(data),
        _ => None,
    });
    assert_eq!(text_of(data), written);
    let lost = |event: &ParticipantEvent| matches!(event, ParticipantEvent::ConnectionLost(_));
    assert!(!call.server.was_lost && !call.recorded.events.iter().any(lost));
    let reliable = call.server.reliable.unwrap();
    let unacknowledged = call.server.rtc.channel(reliable).unwrap().buffered_amount();
    assert_eq!(unacknowledged, 0);
}

#[test]
fn a_text_of_many_packets_that_is_sent_right_after_audio_arrived_arrives_as_a_whole() {
    let mut call = Call::connected();
    let text: String = (0..5_000).map(|number| format!("{number} ")).collect();
    call.server_advances();
    call.server.speak(call.now);
    call.server.speak(call.now);
    call.arrive();
    let (now, out) = (call.now, &mut call.recorded);
    let outcome = call.participant.send_text("lk.chat", &text, HashMap::new(), 0, now, out);
    assert_eq!(outcome.unwrap(), SendOutcome::Sent);
    assert!(!call.recorded.packets.is_empty(), "the first leave at once");
    call.exchange();
    call.waits();
    let mut receiver = DataReceiver::default();
    let mut events = Vec::new();
    for message in &call.server.messages {
        events.extend(receiver.handle_packet(message));
    }
    assert_eq!(text_of(events.iter()), text);
}

#[test]
fn ratings_of_connections_are_passed_on_unless_they_are_unknown() {
    let mut call = Call::connected();
    let own = proto::ParticipantInfo { sid: "PA_own".to_owned(), ..Default::default() };
    let join = proto::JoinResponse { participant: Some(own), ..Default::default() };
    call.signal(Response::Join(join));
    let rated = |sid: &str, quality: i32| proto::ConnectionQualityInfo {
        participant_sid: sid.to_owned(),
        quality,
        score: 3.0,
    };
    let long = "x".repeat(10_000);
    let updates =
        vec![rated("PA_own", 2), rated("PA_agent", 0), rated("PA_2", 99), rated(&long, 3)];
    call.signal(Response::ConnectionQuality(proto::ConnectionQualityUpdate { updates }));
    let rated = call.recorded.events.iter().filter_map(|event| match event {
        ParticipantEvent::ConnectionRated { of, rating } => Some((of.as_deref(), *rating)),
        _ => None,
    });
    let expected =
        [(None, ConnectionRating::Excellent), (Some("PA_agent"), ConnectionRating::Poor)];
    assert!(rated.eq(expected), "{:?}", call.recorded.events);
}
