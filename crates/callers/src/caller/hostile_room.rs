//! A caller in a room whose server is hostile: after a real handshake, it sends whatever bytes choose. For tests and
//! for the fuzzer; without sockets, threads and a clock.

mod choices;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use livekit_protocol as proto;
use prost::Message;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;
use str0m::change::SdpOffer;
use str0m::channel::ChannelId;
use str0m::media::Mid;
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use choices::{Choices, agent};

use super::prepared_script::{PreparedScript, PreparedTurn, TurnContent};
use super::{Caller, CallerConfig};
use crate::engine::testing::RecordingHandle;
use crate::engine::{EngineClock, LeaveReason, ParticipantHandler};
use crate::participant::{
    JoinConfig, PacketProtocol, PacketRoute, Participant, ParticipantEvent, ParticipantOutput,
    PeerRole, RemoteParticipant, SignalAttempt, decode_signal, encode_signal,
};
use rushhour_core::profile::{CallerPatience, HearTrack, NativeSettings, ReconnectSettings};
use rushhour_core::units::{
    DtmfKey, Identity, Micros, Mode, PositiveDuration, RunIndex, SessionTime,
};

/// The time between two steps of a room.
const STEP: Micros = Micros::from_millis(5);
/// The steps that a handshake may take.
const HANDSHAKE_STEPS: u32 = 2_000;
/// Inputs that arrive between two steps.
const INPUTS_PER_STEP: usize = 16;

/// What the room did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostileInputCounts {
    /// Messages on the signal connection.
    pub signals: u64,
    /// Packets on the data channels.
    pub packets: u64,
    /// RTP packets.
    pub audio: u64,
    /// Datagrams that belong to no connection.
    pub datagrams: u64,
    /// Events that the caller was given.
    pub events: u64,
}

impl HostileInputCounts {
    /// The inputs of all kinds.
    pub const fn inputs(&self) -> u64 {
        self.signals + self.packets + self.audio + self.datagrams
    }
}

/// A caller, its participant, and the server's end of the connection.
pub struct HostileRoom {
    participant: Participant,
    caller: Caller,
    handle: RecordingHandle,
    server: Rtc,
    /// What the participant has sent and received.
    traffic: Traffic,
    channel: Option<ChannelId>,
    mids: Vec<Mid>,
    clock: EngineClock,
    now: SessionTime,
    sequence: u64,
    mode: Mode,
    counts: HostileInputCounts,
    has_ended: bool,
}

#[derive(Default)]
struct Traffic {
    to_server: VecDeque<Vec<u8>>,
    signals: Vec<Request>,
    events: VecDeque<ParticipantEvent>,
}

impl ParticipantOutput for Traffic {
    fn transmit(&mut self, _: PeerRole, _: PacketRoute, packet: &[u8]) {
        self.to_server.push_back(packet.to_vec());
    }

    // The server answers on the connection that there is, whatever it is asked.
    fn open_signal(&mut self, _: SignalAttempt) {}

    fn send_signal(&mut self, message: Request) {
        // As the server would get it.
        assert!(!encode_signal(message.clone()).is_empty());
        self.signals.push(message);
    }

    fn event(&mut self, event: ParticipantEvent) {
        self.events.push_back(event);
    }
}

fn client() -> SocketAddr {
    ([127, 0, 0, 1], 5_000).into()
}

fn server() -> SocketAddr {
    ([127, 0, 0, 1], 7_882).into()
}

fn caller(mode: Mode) -> Caller {
    let content = match mode {
        Mode::Chat => TurnContent::Text("Good morning.".to_owned()),
        Mode::Voice => {
            let keys = "12#".chars().filter_map(DtmfKey::new);
            TurnContent::Keys(keys.collect())
        }
    };
    let turn = PreparedTurn {
        content,
        spoken: (mode == Mode::Voice).then(|| "One, two and three.".to_owned()),
        key_words: vec!["two|2".to_owned()],
        expect: regex::Regex::new("(?i)good (morning|day)").ok(),
        within: Micros::from_secs(5),
        pause: Micros::ZERO,
        interrupt: None,
        backchannel: None,
    };
    let config = CallerConfig {
        run: RunIndex(7),
        mode,
        script: Arc::new(PreparedScript {
            greeting: None,
            turns: vec![turn; 200],
            rules: Vec::new(),
            abandon: None,
            background: None,
        }),
        settings: NativeSettings {
            join_within: PositiveDuration::secs(10),
            ready_within: PositiveDuration::secs(8),
            quiet: PositiveDuration::secs(1),
            rpc: BTreeMap::new(),
            hear: HearTrack::Microphone,
            patience: CallerPatience::DEFAULT,
            speech: None,
            staying: ReconnectSettings::DEFAULT,
        },
        agent_is_hidden: Arc::default(),
        abandons: false,
        rpc_answers: [("locate".to_owned(), "Berlin".to_owned())].into(),
        on_update: Box::new(|update| {
            // As it is kept.
            assert!(format!("{update:?}").len() < 100_000);
        }),
        recording: None,
    };
    Caller::new(config).expect("a decoder can be made")
}

impl HostileRoom {
    /// A room after the handshake: the caller has joined, its data channels are open, and it is ready for audio.
    ///
    /// `clock` is where its time begins; how it passes is its own.
    pub fn new(mode: Mode, clock: EngineClock) -> Self {
        let epoch = clock.instant(SessionTime::START);
        let config = JoinConfig { publish_audio: mode == Mode::Voice, ..JoinConfig::default() };
        let joined = Participant::new(&config, epoch, SessionTime::START, Some(client()));
        let (participant, query) = joined.expect("loopback is an address");
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .enable_opus(true, false)
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .build(epoch);
        let candidate = Candidate::host(server(), "udp").expect("loopback is an address");
        rtc.add_local_candidate(candidate);
        let mut room = Self {
            participant,
            caller: caller(mode),
            handle: RecordingHandle::default(),
            server: rtc,
            traffic: Traffic::default(),
            channel: None,
            mids: Vec::new(),
            clock,
            now: SessionTime::START,
            sequence: 1,
            mode,
            counts: HostileInputCounts::default(),
            has_ended: false,
        };
        room.shake_hands(&query.path());
        room
    }

    fn shake_hands(&mut self, path: &str) {
        let (_, query) = path.split_once("join_request=").expect("a participant joins with one");
        let wrapped = URL_SAFE.decode(query).expect("it is base64");
        let wrapped = proto::WrappedJoinRequest::decode(&wrapped[..]).expect("it is wrapped");
        let join = proto::JoinRequest::decode(&wrapped.join_request[..]).expect("it is one");
        let agent = agent("agent-1", "listening");
        self.signal(Response::Join(proto::JoinResponse {
            participant: Some(proto::ParticipantInfo {
                identity: "caller".to_owned(),
                ..proto::ParticipantInfo::default()
            }),
            other_participants: vec![agent],
            ..proto::JoinResponse::default()
        }));
        let offer = join.publisher_offer.expect("the first offer is in it");
        self.answer(&offer.sdp);
        let required = proto::MediaSectionsRequirement { num_audios: 2, num_videos: 0 };
        self.signal(Response::MediaSectionsRequirement(required));
        for _ in 0..HANDSHAKE_STEPS {
            if self.channel.is_some() && self.participant.is_open() {
                break;
            }
            self.step();
        }
        assert!(self.participant.is_open() && self.channel.is_some(), "the handshake succeeded");
        assert!(!self.mids.is_empty(), "audio can be sent to the caller");
        self.counts = HostileInputCounts::default();
    }

    /// Answers the participant's offers, as a server does.
    fn answer(&mut self, sdp: &str) {
        let offer = SdpOffer::from_sdp_string(sdp).expect("str0m's own");
        let answer = self.server.sdp_api().accept_offer(offer).expect("it is acceptable");
        let tracks = self.mids.iter().map(|mid| (mid.to_string(), "TR_agent".to_owned()));
        let mid_to_track_id = tracks.collect();
        self.signal(Response::Answer(proto::SessionDescription {
            r#type: "answer".to_owned(),
            sdp: answer.to_sdp_string(),
            mid_to_track_id,
            ..proto::SessionDescription::default()
        }));
    }

    /// Whether the participant is out of the room: more inputs lead to nothing.
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// A conversation is over, in one way or another: another caller begins one in the same room.
    fn replace_caller(&mut self) {
        self.handle.has_left = false;
        self.caller = caller(self.mode);
        let others = vec![RemoteParticipant::from(agent("agent-1", "listening"))];
        let joined = ParticipantEvent::Joined { identity: Identity::new("caller"), others };
        for event in [joined, ParticipantEvent::DataChannelOpen] {
            self.caller.on_event(event, self.now, &mut self.handle);
        }
    }

    /// What happened so far.
    pub const fn counts(&self) -> HostileInputCounts {
        self.counts
    }

    /// Has the server send what `bytes` choose.
    pub fn run(&mut self, bytes: &[u8]) {
        let mut choices = Choices::new(bytes);
        let mut waiting = 0;
        while !choices.is_empty() && !self.has_ended() {
            match choices.below(8) {
                0..=2 => {
                    let message = choices.signal();
                    // Over the wire, as the engine gets it.
                    let bytes = proto::SignalResponse { message: Some(message) }.encode_to_vec();
                    if let Some(message) = decode_signal(&bytes) {
                        self.signal(message);
                    }
                }
                3..=5 => {
                    let packet = choices.packet();
                    if let Some(mut channel) = self.channel.and_then(|id| self.server.channel(id)) {
                        self.counts.packets += 1;
                        let _ = channel.write(true, &packet);
                    }
                }
                6 => self.send_audio(&mut choices),
                _ => {
                    self.counts.datagrams += 1;
                    let datagram = choices.bytes(60);
                    self.receive(&datagram);
                }
            }
            waiting += 1;
            if waiting >= INPUTS_PER_STEP {
                waiting = 0;
                self.step();
            }
        }
        self.step();
    }

    fn send_audio(&mut self, choices: &mut Choices<'_>) {
        let Some(mid) = self.mids.get(choices.below(4).min(self.mids.len() - 1)).copied() else {
            return;
        };
        self.counts.audio += 1;
        let length = [0, 1, 3, 40, 200, 1_100][choices.below(6)];
        let mut payload = choices.bytes(24);
        payload.resize(length, choices.byte());
        let rtp_time = match choices.below(4) {
            0 => u32::from(choices.byte()) << 24,
            _ => u32::try_from(self.now.0 / 1_000 * 48 % (1 << 32)).unwrap_or_default(),
        };
        self.sequence += if choices.below(8) == 0 { u64::from(choices.byte()) * 300 } else { 1 };
        let wallclock = self.clock.instant(self.now);
        let mut api = self.server.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return };
        let packet = RtpWrite::new(111.into(), self.sequence.into(), rtp_time, wallclock, payload);
        stream.write_rtp(packet.marker(choices.below(2) == 0));
    }

    fn signal(&mut self, message: Response) {
        self.counts.signals += 1;
        let result = self.participant.handle_signal(message, self.now, &mut self.traffic);
        self.has_ended |= result.is_err();
        self.deliver();
    }

    fn receive(&mut self, datagram: &[u8]) {
        let (local, remote) = (client(), server());
        let route = PacketRoute { protocol: PacketProtocol::Udp, local, remote };
        let traffic = &mut self.traffic;
        let peer = PeerRole::Publisher;
        let result = self.participant.handle_packet(datagram, peer, route, self.now, traffic);
        self.has_ended |= result.is_err();
        self.deliver();
    }

    /// Gives the caller its events.
    fn deliver(&mut self) {
        self.handle.now = self.now;
        while let Some(event) = self.traffic.events.pop_front() {
            self.counts.events += 1;
            if let ParticipantEvent::Disconnected(error) = event {
                self.has_ended = true;
                self.caller.on_left(LeaveReason::Disconnected(error), self.now);
                return;
            }
            self.caller.on_event(event, self.now, &mut self.handle);
        }
    }

    /// Time passes; what is on the way arrives.
    fn step(&mut self) {
        self.now += STEP;
        self.handle.until_next_tick = STEP;
        for _ in 0..20 {
            let instant = self.clock.instant(self.now);
            let mut is_quiet = true;
            let _ = self.server.handle_input(Input::Timeout(instant));
            for datagram in std::mem::take(&mut self.traffic.to_server) {
                is_quiet = false;
                let Ok(receive) = Receive::new(Protocol::Udp, client(), server(), &datagram) else {
                    continue;
                };
                let input = Input::Receive(instant, receive);
                if self.server.accepts(&input) {
                    let _ = self.server.handle_input(input);
                }
            }
            for datagram in self.poll_server() {
                is_quiet = false;
                self.receive(&datagram);
            }
            if self.participant.deadline() <= self.now {
                let result = self.participant.handle_timeout(self.now, &mut self.traffic);
                self.has_ended |= result.is_err();
                self.deliver();
            }
            for request in std::mem::take(&mut self.traffic.signals) {
                if let Request::Offer(offer) = request
                    // An answer that was made up may have led to an offer that makes no sense.
                    && let Ok(offer) = SdpOffer::from_sdp_string(&offer.sdp)
                    && let Ok(answer) = self.server.sdp_api().accept_offer(offer)
                {
                    let tracks =
                        self.mids.iter().map(|mid| (mid.to_string(), "TR_agent".to_owned()));
                    let mid_to_track_id = tracks.collect();
                    self.signal(Response::Answer(proto::SessionDescription {
                        sdp: answer.to_sdp_string(),
                        mid_to_track_id,
                        ..proto::SessionDescription::default()
                    }));
                }
            }
            if is_quiet {
                break;
            }
        }
        self.caller.on_tick(&mut self.handle);
        if self.handle.has_left {
            self.replace_caller();
        }
        self.handle.take_log();
        self.handle.sent_audio.clear();
        self.handle.sent_background.clear();
    }

    /// The datagrams that the server sends now.
    fn poll_server(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            match self.server.poll_output() {
                Ok(Output::Transmit(datagram)) => sent.push(datagram.contents.to_vec()),
                Ok(Output::Event(Event::ChannelOpen(id, label))) if label == "_reliable" => {
                    self.channel = Some(id);
                }
                Ok(Output::Event(Event::MediaAdded(media))) => {
                    if media.direction.is_sending() {
                        self.mids.push(media.mid);
                    }
                }
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return sent,
            }
        }
    }
}
