//! The calibration agent on the real livekit-server: what it does is what its seed says, and what it writes is true.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rushhour_agent::behaviour::{Behaviour, JobFault, JobFaults};
use rushhour_callers::audio::{Clip, DEFAULT_HANGOVER, Playback, SpeechEdge, VoiceActivity};
use rushhour_callers::data::{AGENT_SESSION_TOPIC, DataEvent, decode_turn_metrics};
use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, LeaveReason, NextTick, ParticipantControl, ParticipantHandle,
    ParticipantHandler,
};
use rushhour_callers::participant::{JoinConfig, ParticipantEvent};
use rushhour_core::units::{AgentName, Identity, Micros, RoomName, SessionTime};
use rushhour_livekit::{
    ControlPlane, CreateDispatchRequest, CreateRoomRequest, LiveKitClient as Client, RoomAgents,
    TokenRequest, TokenSigner,
};
use serde_json::Value;

use crate::support::{LiveKitServer, Workplace};

/// What a caller found out.
#[derive(Debug, Clone, PartialEq)]
enum Found {
    /// The agent listens.
    Listening,
    /// The agent is gone again.
    AgentLeft,
    /// It answered: so long after the caller's last byte or last audible frame.
    Answered { after: Micros, text: String },
    /// The agent's own figure, in microseconds.
    SaidOfItself(u64),
}

/// Speaks or writes one turn as soon as the agent listens, and tells what it found.
struct Caller {
    room: RoomName,
    told: Sender<(RoomName, Found)>,
    voice: Option<(VoiceActivity, Playback)>,
    open: bool,
    listening: bool,
    begun: bool,
    ended_at: Option<SessionTime>,
    after: Option<Micros>,
    text: String,
}

impl Caller {
    fn tell(&self, found: Found) {
        let _ = self.told.send((self.room.clone(), found));
    }

    fn begin(&mut self, hand: &mut dyn ParticipantHandle) {
        if !self.open || !self.listening || std::mem::replace(&mut self.begun, true) {
            return;
        }
        if let Some((_, playing)) = &mut self.voice {
            playing.play(Clip::tone(Micros::from_millis(600)).expect("a tone can be made"));
        } else {
            hand.send_text("lk.chat", "good morning", HashMap::new());
            self.ended_at = Some(hand.now());
        }
    }

    fn hear(&mut self, edges: &[SpeechEdge]) {
        for edge in edges {
            if let (SpeechEdge::Started { at }, Some(ended_at)) = (edge, self.ended_at) {
                self.after.get_or_insert(at.since(ended_at));
            }
        }
    }
}

impl ParticipantHandler for Caller {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        match event {
            ParticipantEvent::DataChannelOpen => {
                self.open = true;
                self.begin(hand);
            }
            ParticipantEvent::ParticipantUpdated(person) if person.is_agent => {
                if !person.connected {
                    self.tell(Found::AgentLeft);
                } else if person.agent_state.as_deref() == Some("listening") && !self.listening {
                    self.listening = true;
                    self.tell(Found::Listening);
                    self.begin(hand);
                }
            }
            ParticipantEvent::Data(data) => match data {
                DataEvent::TextChunk { text, .. } => {
                    if self.voice.is_none()
                        && let Some(ended_at) = self.ended_at
                    {
                        self.after.get_or_insert(at.since(ended_at));
                    }
                    self.text.push_str(&text);
                }
                DataEvent::TextStreamClosed { attributes, .. } => {
                    if attributes.get("lk.transcription_final").is_some_and(|word| word == "true")
                        && let Some(after) = self.after
                    {
                        let text = std::mem::take(&mut self.text);
                        self.tell(Found::Answered { after, text });
                    }
                }
                DataEvent::ByteStreamReceived { topic, bytes, .. }
                    if topic == AGENT_SESSION_TOPIC =>
                {
                    let times = decode_turn_metrics(&bytes).expect("it tells its times");
                    self.tell(Found::SaidOfItself(times.end_to_end.expect("of the whole").0));
                }
                _ => {}
            },
            ParticipantEvent::Audio { packet, .. } => {
                let edges = self.voice.as_mut().map(|(hearing, _)| hearing.handle_packet(&packet));
                self.hear(&edges.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn on_tick(&mut self, hand: &mut dyn ParticipantHandle) -> NextTick {
        let Some((hearing, playing)) = &mut self.voice else { return NextTick::OnEvent };
        let edges = hearing.handle_timeout(hand.now());
        if self.open {
            while let Some(frame) = playing.next_due(hand.now()) {
                hand.send_audio(&frame.payload, frame.rtp_time, frame.marker);
                if frame.is_last_audible {
                    self.ended_at = Some(hand.now());
                }
            }
        }
        self.hear(&edges);
        NextTick::Next
    }

    fn on_left(&mut self, _: LeaveReason, _: SessionTime) {}
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn now() -> Instant {
    Instant::now()
}

/// Callers in rooms of their own, with an agent dispatched to each.
struct Callers {
    engine: Engine,
    held: Vec<ParticipantControl>,
    found: Receiver<(RoomName, Found)>,
}

impl Callers {
    /// Lets one join each room, then dispatches the agent there. To be called within a runtime.
    async fn call(server: &LiveKitServer, rooms: &[RoomName], voice: bool) -> Self {
        let clock = EngineClock::new(now(), 0);
        let engine = Engine::start(clock, 1).expect("there are threads");
        let mint = TokenSigner::new(server.key(), server.secret());
        let (told, found) = channel();
        let timeout = Duration::from_secs(5);
        let client = Client::new(&server.url(), &server.key(), &server.secret(), timeout)
            .expect("a client can be made");
        let mut held = Vec::new();
        for room in rooms {
            let request = CreateRoomRequest {
                room: room.clone(),
                empty_timeout: Micros::from_secs(60),
                metadata: String::new(),
                agents: RoomAgents::Placeholder,
            };
            client.create_room(request).await.expect("a room can be made");
            let token = mint
                .sign(TokenRequest {
                    identity: Identity::new("caller"),
                    room: room.clone(),
                    lifetime: Micros::from_secs(60),
                    agent: None,
                })
                .expect("a token can be signed");
            let ear = || {
                (
                    VoiceActivity::new(DEFAULT_HANGOVER).expect("there is memory"),
                    Playback::new(clock.now(), 0),
                )
            };
            let caller = Caller {
                room: room.clone(),
                told: told.clone(),
                voice: voice.then(ear),
                open: false,
                listening: false,
                begun: false,
                ended_at: None,
                after: None,
                text: String::new(),
            };
            held.push(engine.join(JoinRequest {
                url: server.url(),
                token,
                config: JoinConfig { publish_audio: voice, attributes: HashMap::new() },
                handler: Box::new(caller),
            }));
            let metadata = if voice { "{}" } else { r#"{"text_mode":true}"# };
            let (agent, metadata) = (AgentName::new("echo"), metadata.to_owned());
            let request = CreateDispatchRequest { room: room.clone(), agent, metadata };
            client.create_dispatch(request).await.expect("an agent can be dispatched");
        }
        Self { engine, held, found }
    }

    /// What they find until that is enough.
    fn until(&self, enough: impl Fn(&[(RoomName, Found)]) -> bool) -> Vec<(RoomName, Found)> {
        let give_up = now() + Duration::from_secs(30);
        let mut all = Vec::new();
        while !enough(&all) {
            let left = give_up.saturating_duration_since(now());
            let found = self.found.recv_timeout(left);
            all.push(found.unwrap_or_else(|_| panic!("not within 30 s; until then: {all:?}")));
        }
        all
    }

    fn hang_up(self) {
        for held in &self.held {
            held.stop();
        }
        drop(self.engine);
    }
}

/// The truth log, line by line.
fn truth(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the agent has written it");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn rooms_with(truth: &[Value], fact: &str) -> BTreeSet<String> {
    let of = truth.iter().filter(|line| line["fact"] == fact);
    of.map(|line| line["room"].as_str().expect("it has a room").to_owned()).collect()
}

fn names(rooms: impl Iterator<Item = RoomName>) -> BTreeSet<String> {
    rooms.map(|room| room.as_str().to_owned()).collect()
}

const WORDS: &[&str] = &["agent", "--name", "echo", "--seed", "7", "--truth", "truth.jsonl"];

#[test]
fn twenty_agents_come_and_the_seed_says_which_let_their_callers_down() {
    let workplace = Workplace::new();
    let server = LiveKitServer::start(workplace.path());
    let url = server.url();
    let mut words = WORDS.to_vec();
    words.extend(["--url", &url, "--turn-delay", "250ms", "--final-delay", "100ms"]);
    words.extend(["--fault", "drop=20%", "--fault", "crash_at_join=20%"]);
    let (agent, _) = server.keyed(workplace.rushhour(&words)).start_until("Registered");
    let share = || "20%".parse().unwrap();
    let faults = JobFaults::NONE
        .with(JobFault::Drop, share())
        .and_then(|faults| faults.with(JobFault::CrashAtJoin, share()))
        .unwrap();
    let behaviour = Behaviour { seed: 7, faults, ..Behaviour::default() };
    let rooms: Vec<RoomName> = (0..20).map(|n| RoomName::new(format!("room-{n}"))).collect();
    let with = |fault| {
        let of = rooms.iter().filter(|room| behaviour.fault(room) == fault);
        names(of.cloned())
    };
    let (dropped, crashed) = (with(Some(JobFault::Drop)), with(Some(JobFault::CrashAtJoin)));
    let well = with(None);
    assert!(!dropped.is_empty() && !crashed.is_empty() && !well.is_empty(), "a seed with all");

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let callers = runtime.block_on(Callers::call(&server, &rooms, false));
    let found = callers.until(|found| {
        let told = found.iter().filter(|(_, found)| matches!(found, Found::SaidOfItself(_)));
        told.count() == well.len()
    });
    callers.hang_up();
    agent.signal("INT");
    agent.finish().ended_with(0);

    let truth = truth(&workplace.path().join("truth.jsonl"));
    assert_eq!(rooms_with(&truth, "job_accepted").len(), 20);
    assert_eq!(rooms_with(&truth, "job_dropped"), dropped);
    assert_eq!(rooms_with(&truth, "crashed"), crashed);
    assert_eq!(rooms_with(&truth, "ready"), well);
    assert_eq!(rooms_with(&truth, "final_chunk"), well);
    assert_eq!(truth.last().expect("there are some")["lost"], 0);
    let listening = found.iter().filter(|(_, found)| *found == Found::Listening);
    assert_eq!(names(listening.map(|(room, _)| room.clone())), well);

    let kept: BTreeMap<&str, u64> = truth
        .iter()
        .filter(|line| line["fact"] == "first_chunk")
        .map(|line| (line["room"].as_str().unwrap(), line["delay_us"].as_u64().unwrap()))
        .collect();
    for (room, found) in &found {
        let kept = kept.get(room.as_str()).copied();
        match found {
            Found::Answered { after, text } => {
                assert_eq!(text, "You said: good morning");
                let kept = kept.expect("it answered");
                assert!(kept >= 250_000, "{room} was answered too early: {kept} us");
                // The text's way to the agent and the answer's way back are in the caller's figure.
                assert!(after.0 > kept, "{room}: {after} cannot be less than {kept} us");
            }
            Found::SaidOfItself(micros) => assert_eq!(Some(*micros), kept),
            Found::Listening | Found::AgentLeft => {}
        }
    }
}

#[test]
fn a_spoken_turn_is_answered_after_its_delay() {
    let workplace = Workplace::new();
    let server = LiveKitServer::start(workplace.path());
    let url = server.url();
    let mut words = WORDS.to_vec();
    words.extend(["--url", &url, "--turn-delay", "700ms", "--speech", "500ms"]);
    let (agent, _) = server.keyed(workplace.rushhour(&words)).start_until("Registered");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rooms = [RoomName::new("voice-1"), RoomName::new("voice-2")];
    let callers = runtime.block_on(Callers::call(&server, &rooms, true));
    let answers = |found: &[(RoomName, Found)]| -> Vec<Micros> {
        let after = |(_, found): &(RoomName, Found)| match found {
            Found::Answered { after, .. } => Some(*after),
            _ => None,
        };
        found.iter().filter_map(after).collect()
    };
    let found = callers.until(|found| answers(found).len() == 2);
    callers.hang_up();
    agent.signal("INT");
    agent.finish().ended_with(0);
    let truth = truth(&workplace.path().join("truth.jsonl"));
    for fact in ["heard_speech", "first_audible", "spoken", "final_chunk", "left"] {
        assert_eq!(rooms_with(&truth, fact).len(), 2, "{fact}: {truth:#?}");
    }
    for after in answers(&found) {
        assert!(after >= Micros::from_millis(700), "{after}");
        assert!(after < Micros::from_secs(2), "{after}");
    }
}

/// What the agent serves at this path, status line and headers with it.
fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers text");
    answer
}

#[test]
fn a_worker_comes_back_to_a_server_that_was_restarted_and_says_how_it_is() {
    let workplace = Workplace::new();
    let mut server = LiveKitServer::start(workplace.path());
    let url = server.url();
    let mut words = WORDS.to_vec();
    words.extend(["--url", &url, "--port", "0", "--capacity", "50"]);
    let (agent, printed) = server.keyed(workplace.rushhour(&words)).start_until("Registered");
    let address = printed
        .lines()
        .find_map(|line| line.strip_prefix("Status: http://")?.strip_suffix("/worker"))
        .expect("it says where")
        .to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let registered = |wanted: bool| {
        let give_up = now() + Duration::from_secs(20);
        while ask(&address, "/").starts_with("HTTP/1.1 200") != wanted {
            assert!(now() < give_up, "registered={wanted} within 20 s");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let one_call = |name: &str| {
        let rooms = [RoomName::new(name)];
        let callers = runtime.block_on(Callers::call(&server, &rooms, false));
        callers.until(|found| found.iter().any(|(_, f)| matches!(f, Found::Answered { .. })));
        let seen = (ask(&address, "/worker"), ask(&address, "/metrics"));
        callers.hang_up();
        seen
    };
    registered(true);
    let (worker, metrics) = one_call("before");
    assert!(
        worker.contains("\"active_jobs\":1") && worker.contains("\"worker_load\":0.02"),
        "{worker}"
    );
    assert!(metrics.contains("\nlk_agents_active_job_count 1\n"), "{metrics}");
    server.restart();
    registered(true);
    let rooms = [RoomName::new("after")];
    let callers = runtime.block_on(Callers::call(&server, &rooms, false));
    callers.until(|found| found.iter().any(|(_, f)| matches!(f, Found::Answered { .. })));
    // The first signal waits for the session, the second ends it.
    agent.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(ask(&address, "/worker").contains("\"active_jobs\":1"));
    agent.signal("INT");
    agent.finish().ended_with(0);
    callers.hang_up();
    let truth = truth(&workplace.path().join("truth.jsonl"));
    let facts: Vec<&str> = truth.iter().filter_map(|line| line["fact"].as_str()).collect();
    assert_eq!(facts.iter().filter(|fact| **fact == "registered").count(), 2);
    assert!(facts.contains(&"unregistered"));
}

#[test]
fn a_wrong_key_is_told_and_not_tried_for_ever() {
    let workplace = Workplace::new();
    let server = LiveKitServer::start(workplace.path());
    let url = server.url();
    server
        .keyed(workplace.rushhour(&["agent", "--name", "echo", "--url", &url]))
        .with("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
        .run()
        .ended_with(2)
        .complaining("check LIVEKIT_API_KEY and LIVEKIT_API_SECRET");
}
