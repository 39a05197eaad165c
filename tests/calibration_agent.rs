//! The calibration agent on the real livekit-server: it behaves as its seed says, and its truth log is true.

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
    AgentState, ControlPlane, CreateDispatchRequest, CreateRoomRequest, LiveKitClient as Client,
    ParticipantClaims, RoomAgents, TokenRequest, TokenSigner,
};
use serde_json::Value;

use crate::native_callers;
use crate::support::{LiveKitServer, PATIENCE, TestDir, count_facts, wait_until};

/// What a caller observed of its agent.
#[derive(Debug, Clone, PartialEq)]
enum Observation {
    Listening,
    Left,
    /// It answered this long after the caller's last byte or last audible frame.
    Answered {
        delay: Micros,
        text: String,
    },
    /// The delay that the agent reported itself, in microseconds.
    ReportedDelay(u64),
}

/// Speaks or writes one turn as soon as the agent listens, and sends what it observes.
struct Caller {
    room: RoomName,
    observations: Sender<(RoomName, Observation)>,
    voice: Option<(VoiceActivity, Playback)>,
    channel_is_open: bool,
    agent_listens: bool,
    has_started: bool,
    /// When the caller's turn ended.
    ended_at: Option<SessionTime>,
    answer_delay: Option<Micros>,
    text: String,
}

impl Caller {
    fn report(&self, observation: Observation) {
        let _ = self.observations.send((self.room.clone(), observation));
    }

    fn start_turn(&mut self, hand: &mut dyn ParticipantHandle) {
        if !self.channel_is_open
            || !self.agent_listens
            || std::mem::replace(&mut self.has_started, true)
        {
            return;
        }
        if let Some((_, playback)) = &mut self.voice {
            playback.play(Clip::tone(Micros::from_millis(600)).expect("a tone can be encoded"));
        } else {
            // Read before the text is on its way, so that no measured delay is too short.
            self.ended_at = Some(hand.now());
            hand.send_text("lk.chat", "good morning", HashMap::new());
        }
    }

    fn hear(&mut self, edges: &[SpeechEdge]) {
        for edge in edges {
            if let (SpeechEdge::Started { at }, Some(ended_at)) = (edge, self.ended_at) {
                self.answer_delay.get_or_insert(at.since(ended_at));
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
                self.channel_is_open = true;
                self.start_turn(hand);
            }
            ParticipantEvent::ParticipantUpdated(person) if person.is_agent => {
                if !person.connected {
                    self.report(Observation::Left);
                } else if person.agent_state == Some(AgentState::Listening) && !self.agent_listens {
                    self.agent_listens = true;
                    self.report(Observation::Listening);
                    self.start_turn(hand);
                }
            }
            ParticipantEvent::Data(data) => match data {
                DataEvent::TextChunk { text, .. } => {
                    if self.voice.is_none()
                        && let Some(ended_at) = self.ended_at
                    {
                        self.answer_delay.get_or_insert(at.since(ended_at));
                    }
                    self.text.push_str(&text);
                }
                DataEvent::TextStreamClosed { attributes, .. } => {
                    if attributes.get("lk.transcription_final").is_some_and(|value| value == "true")
                        && let Some(delay) = self.answer_delay
                    {
                        let text = std::mem::take(&mut self.text);
                        self.report(Observation::Answered { delay, text });
                    }
                }
                DataEvent::ByteStreamReceived { topic, bytes, .. }
                    if topic == AGENT_SESSION_TOPIC =>
                {
                    let times = decode_turn_metrics(&bytes).expect("it reports its times");
                    self.report(Observation::ReportedDelay(
                        times.end_to_end.expect("the whole turn is timed").0,
                    ));
                }
                _ => {}
            },
            ParticipantEvent::Audio { packet, .. } => {
                let edges =
                    self.voice.as_mut().map(|(activity, _)| activity.handle_packet(&packet));
                self.hear(&edges.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn on_tick(&mut self, hand: &mut dyn ParticipantHandle) -> NextTick {
        let Some((activity, playback)) = &mut self.voice else { return NextTick::OnEvent };
        let edges = activity.handle_timeout(hand.now());
        if self.channel_is_open {
            while let Some(frame) = playback.next_due(hand.now()) {
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

/// Callers in a room each, with an agent dispatched to every room.
struct Callers {
    engine: Engine,
    controls: Vec<ParticipantControl>,
    observations: Receiver<(RoomName, Observation)>,
}

impl Callers {
    /// Joins a caller to each room, then dispatches the agent there. Must be called within a tokio runtime.
    async fn call(server: &LiveKitServer, rooms: &[RoomName], voice: bool) -> Self {
        let clock = EngineClock::new(now(), 0);
        let engine = Engine::start(clock, 1).expect("there are threads");
        let signer = TokenSigner::new(server.key(), server.secret());
        let (sender, observations) = channel();
        let timeout = Duration::from_secs(5);
        let client = Client::new(&server.url(), &server.key(), &server.secret(), timeout)
            .expect("a client can be created");
        let mut controls = Vec::new();
        for room in rooms {
            let request = CreateRoomRequest {
                room: room.clone(),
                empty_timeout: Micros::from_secs(60),
                metadata: String::new(),
                agents: RoomAgents::Placeholder,
            };
            client.create_room(request).await.expect("a room can be created");
            let token = signer
                .sign(TokenRequest {
                    identity: Identity::new("caller"),
                    room: room.clone(),
                    lifetime: Micros::from_secs(60),
                    agent: None,
                    participant: ParticipantClaims::default(),
                })
                .expect("a token can be signed");
            let voice_state = || {
                (
                    VoiceActivity::new(DEFAULT_HANGOVER).expect("there is memory"),
                    Playback::new(clock.now(), 0),
                )
            };
            let caller = Caller {
                room: room.clone(),
                observations: sender.clone(),
                voice: voice.then(voice_state),
                channel_is_open: false,
                agent_listens: false,
                has_started: false,
                ended_at: None,
                answer_delay: None,
                text: String::new(),
            };
            controls.push(engine.join(JoinRequest {
                url: server.url(),
                token,
                config: JoinConfig { publish_audio: voice, ..JoinConfig::default() },
                network: None,
                handler: Box::new(caller),
            }));
            let metadata = if voice { "{}" } else { r#"{"text_mode":true}"# };
            let (agent, metadata) = (AgentName::new("echo"), metadata.to_owned());
            let request = CreateDispatchRequest { room: room.clone(), agent, metadata };
            client.create_dispatch(request).await.expect("an agent can be dispatched");
        }
        Self { engine, controls, observations }
    }

    /// Collects observations until they are enough.
    fn observe_until(
        &self,
        enough: impl Fn(&[(RoomName, Observation)]) -> bool,
    ) -> Vec<(RoomName, Observation)> {
        let deadline = now() + PATIENCE;
        let mut all = Vec::new();
        while !enough(&all) {
            let left = deadline.saturating_duration_since(now());
            let next = self.observations.recv_timeout(left);
            all.push(next.unwrap_or_else(|_| panic!("not within {PATIENCE:?}; so far: {all:?}")));
        }
        all
    }

    fn hang_up(self) {
        for control in &self.controls {
            control.stop();
        }
        drop(self.engine);
    }
}

/// The truth log, line by line.
fn truth(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the agent wrote it");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn rooms_with(truth: &[Value], fact: &str) -> BTreeSet<String> {
    let facts = truth.iter().filter(|line| line["fact"] == fact);
    facts.map(|line| line["room"].as_str().expect("it has a room").to_owned()).collect()
}

fn names(rooms: impl Iterator<Item = RoomName>) -> BTreeSet<String> {
    rooms.map(|room| room.as_str().to_owned()).collect()
}

const ARGUMENTS: &[&str] = &["agent", "--name", "echo", "--seed", "7", "--truth", "truth.jsonl"];

#[test]
fn twenty_agents_join_and_the_seed_decides_which_of_them_fail() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let url = server.url();
    let mut arguments = ARGUMENTS.to_vec();
    arguments.extend(["--url", &url, "--turn-delay", "250ms", "--final-delay", "100ms"]);
    arguments.extend(["--fault", "drop=20%", "--fault", "crash_at_join=20%"]);
    let (agent, _) = server.with_keys(dir.rushhour(&arguments)).start_until("Registered");
    let share = || "20%".parse().unwrap();
    let faults = JobFaults::NONE
        .with(JobFault::Drop, share())
        .and_then(|faults| faults.with(JobFault::CrashAtJoin, share()))
        .unwrap();
    let behaviour = Behaviour { seed: 7, faults, ..Behaviour::default() };
    let rooms: Vec<RoomName> = (0..20).map(|n| RoomName::new(format!("room-{n}"))).collect();
    let with_fault = |fault| {
        let rooms = rooms.iter().filter(|room| behaviour.fault(room) == fault);
        names(rooms.cloned())
    };
    let dropped = with_fault(Some(JobFault::Drop));
    let crashed = with_fault(Some(JobFault::CrashAtJoin));
    let well = with_fault(None);
    assert!(!dropped.is_empty() && !crashed.is_empty() && !well.is_empty(), "choose another seed");

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let callers = runtime.block_on(Callers::call(&server, &rooms, false));
    let observed = callers.observe_until(|all| {
        let count =
            |matches: fn(&Observation) -> bool| all.iter().filter(|(_, one)| matches(one)).count();
        count(|one| matches!(one, Observation::Answered { .. })) == well.len()
            && count(|one| matches!(one, Observation::ReportedDelay(_))) == well.len()
    });
    callers.hang_up();
    agent.signal("INT");
    agent.finish().expect_exit(0);

    let truth = truth(&dir.path().join("truth.jsonl"));
    assert_eq!(rooms_with(&truth, "job_accepted").len(), 20);
    assert_eq!(rooms_with(&truth, "job_dropped"), dropped);
    assert_eq!(rooms_with(&truth, "crashed"), crashed);
    assert_eq!(rooms_with(&truth, "ready"), well);
    assert_eq!(rooms_with(&truth, "final_chunk"), well);
    assert_eq!(truth.last().expect("there are some")["lost"], 0);
    let rooms_where = |matches: fn(&Observation) -> bool| {
        let rooms = observed.iter().filter(|(_, one)| matches(one));
        names(rooms.map(|(room, _)| room.clone()))
    };
    assert_eq!(rooms_where(|one| *one == Observation::Listening), well);
    assert_eq!(rooms_where(|one| matches!(one, Observation::Answered { .. })), well);

    let delays: BTreeMap<&str, u64> = truth
        .iter()
        .filter(|line| line["fact"] == "first_chunk")
        .map(|line| (line["room"].as_str().unwrap(), line["delay_us"].as_u64().unwrap()))
        .collect();
    for (room, observation) in &observed {
        let kept = delays.get(room.as_str()).copied();
        match observation {
            Observation::Answered { delay, text } => {
                assert_eq!(text, "You said: good morning");
                let kept = kept.expect("it answered");
                assert!(kept >= 250_000, "{room} was answered too early: {kept} us");
                // The caller's figure includes the way of the text to the agent and of the answer back.
                assert!(delay.0 > kept, "{room}: {delay} cannot be less than {kept} us");
            }
            Observation::ReportedDelay(micros) => assert_eq!(Some(*micros), kept),
            Observation::Listening | Observation::Left => {}
        }
    }
}

#[test]
fn a_spoken_turn_is_answered_after_its_delay() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let url = server.url();
    let mut arguments = ARGUMENTS.to_vec();
    arguments.extend(["--url", &url, "--turn-delay", "700ms", "--speech", "500ms"]);
    let (agent, _) = server.with_keys(dir.rushhour(&arguments)).start_until("Registered");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rooms = [RoomName::new("voice-1"), RoomName::new("voice-2")];
    let callers = runtime.block_on(Callers::call(&server, &rooms, true));
    let answers = |observed: &[(RoomName, Observation)]| -> Vec<(RoomName, Micros)> {
        let answer = |(room, one): &(RoomName, Observation)| match one {
            Observation::Answered { delay, .. } => Some((room.clone(), *delay)),
            _ => None,
        };
        observed.iter().filter_map(answer).collect()
    };
    let observed = callers.observe_until(|all| answers(all).len() == 2);
    callers.hang_up();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let truth = truth(&dir.path().join("truth.jsonl"));
    for fact in ["heard_speech", "first_audible", "spoken", "final_chunk", "left"] {
        assert_eq!(rooms_with(&truth, fact).len(), 2, "{fact}: {truth:#?}");
    }
    for (room, delay) in answers(&observed) {
        let first_audible = truth
            .iter()
            .find(|line| line["fact"] == "first_audible" && line["room"] == room.as_str())
            .expect("it was just found");
        let kept = first_audible["delay_us"].as_u64().expect("it has a delay");
        assert!(kept >= 700_000, "{room} was answered too early: {kept} us");
        // The caller hears in frames of 20 ms.
        assert!(delay.0 + 25_000 > kept, "{room}: {delay} cannot be less than {kept} us");
    }
}

/// The response of the agent's status server at this path, with status line and headers.
fn get(address: &str, path: &str) -> String {
    get_as(address, "localhost", path)
}

/// The same, asked for under this name.
fn get_as(address: &str, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .expect("it accepts a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers with text");
    response
}

#[test]
fn a_web_page_whose_name_leads_to_this_machine_does_not_read_the_agents_status() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let url = server.url();
    let mut arguments = ARGUMENTS.to_vec();
    arguments.extend(["--url", &url, "--port", "0"]);
    let (agent, printed) = server.with_keys(dir.rushhour(&arguments)).start_until("Registered");
    let address = status_address(&printed);
    for path in ["/", "/worker", "/metrics"] {
        for host in ["evil.example", "127.0.0.1.evil.example:8081"] {
            let refused = get_as(&address, host, path);
            assert!(refused.starts_with("HTTP/1.1 421 "), "{host} {path}: {refused}");
            assert!(refused.ends_with("\r\n\r\nnot this host"), "{host} {path}: {refused}");
        }
        assert!(get_as(&address, &address, path).starts_with("HTTP/1.1 200 "), "{path}");
    }
    agent.signal("INT");
    agent.finish().expect_exit(0);
}

/// Where the agent serves its status.
fn status_address(printed: &str) -> String {
    let address = printed
        .lines()
        .find_map(|line| line.strip_prefix("Status: http://")?.strip_suffix("/worker"));
    address.expect("it prints the address").to_owned()
}

#[test]
fn a_worker_registers_again_with_a_restarted_server_and_reports_its_load() {
    let dir = TestDir::new();
    let mut server = LiveKitServer::start(dir.path());
    let url = server.url();
    let mut arguments = ARGUMENTS.to_vec();
    arguments.extend(["--url", &url, "--port", "0", "--capacity", "50"]);
    let (agent, printed) = server.with_keys(dir.rushhour(&arguments)).start_until("Registered");
    let address = status_address(&printed);
    let truth_log = dir.path().join("truth.jsonl");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let wait_for_registrations = |count: usize| {
        wait_until("the worker is registered", || count_facts(&truth_log, "registered") == count);
        wait_until("its status says so", || get(&address, "/").starts_with("HTTP/1.1 200"));
    };
    let answered = |all: &[(RoomName, Observation)]| {
        all.iter().any(|(_, one)| matches!(one, Observation::Answered { .. }))
    };
    let one_call = |name: &str| {
        let rooms = [RoomName::new(name)];
        let callers = runtime.block_on(Callers::call(&server, &rooms, false));
        callers.observe_until(answered);
        let seen = (get(&address, "/worker"), get(&address, "/metrics"));
        callers.hang_up();
        seen
    };
    wait_for_registrations(1);
    let (worker, metrics) = one_call("before");
    assert!(
        worker.contains("\"active_jobs\":1") && worker.contains("\"worker_load\":0.02"),
        "{worker}"
    );
    assert!(metrics.contains("\nlk_agents_active_job_count 1\n"), "{metrics}");
    // An agent that did not hear of its caller's end would wait for it on the new server.
    wait_until("the session is over", || get(&address, "/worker").contains("\"active_jobs\":0"));
    server.restart();
    wait_for_registrations(2);
    let rooms = [RoomName::new("after")];
    let callers = runtime.block_on(Callers::call(&server, &rooms, false));
    callers.observe_until(answered);
    // The first signal waits for the session, the second ends it.
    agent.signal("INT");
    agent.wait_for_stderr("interrupted");
    assert!(get(&address, "/worker").contains("\"active_jobs\":1"));
    agent.signal("INT");
    agent.finish().expect_exit(0);
    callers.hang_up();
    let truth = truth(&truth_log);
    let facts: Vec<&str> = truth.iter().filter_map(|line| line["fact"].as_str()).collect();
    assert_eq!(facts.iter().filter(|fact| **fact == "registered").count(), 2);
    assert!(facts.contains(&"unregistered"));
}

#[test]
fn a_wrong_key_is_reported_and_not_tried_for_ever() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let url = server.url();
    server
        .with_keys(dir.rushhour(&["agent", "--name", "echo", "--url", &url]))
        .env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
        .run()
        .expect_exit(2)
        .expect_stderr("check LIVEKIT_API_KEY and LIVEKIT_API_SECRET");
}

#[test]
fn noise_of_the_agent_is_not_taken_for_its_speech() {
    for (options, sources) in [
        (&["--ambience", "-40dBFS", "--turn-delay", "700ms"][..], &["ambience"][..]),
        (&["--ambience", "-45dBFS", "--two-tracks"], &["ambience", "background_track"]),
    ] {
        let dir = native_callers::test_dir();
        let server = LiveKitServer::start(dir.path());
        let agent = native_callers::start_agent(&dir, &server, options);
        dir.write("profile.toml", &native_callers::profile(&server, "voice", 3, "2/s"));
        server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
        agent.signal("INT");
        agent.finish().expect_exit(0);
        let session = dir.session();
        assert_eq!(session.tally("outcome")["completed"], 3, "{options:?}: {:?}", session.runs);
        let events = native_callers::journal_values(&session, "turn");
        let turns: Vec<&Value> =
            events.iter().map(|event| &event["turn"]).filter(|turn| turn.is_object()).collect();
        assert_eq!(turns.len(), 6, "{options:?}: {turns:?}");
        for turn in turns {
            assert_eq!(turn["ending"], "answered", "{options:?}: {turn}");
        }
        let truth = truth(&dir.path().join("truth.jsonl"));
        for source in sources {
            let began = |line: &&Value| line["fact"] == "noise_began" && line["source"] == *source;
            assert_eq!(truth.iter().filter(began).count(), 3, "{source}");
        }
        assert_eq!(rooms_with(&truth, "spoken").len(), 3);
    }
}

#[test]
fn an_agent_with_habits_of_real_ones_logs_them() {
    let dir = native_callers::test_dir();
    let server = LiveKitServer::start(dir.path());
    let options = [
        "--filler",
        "One moment.",
        "--tool-delay",
        "300ms",
        "--late-greeting",
        "500ms",
        "--no-state",
    ];
    let agent = native_callers::start_agent(&dir, &server, &options);
    dir.write("profile.toml", &native_callers::profile(&server, "chat", 2, "2/s"));
    server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let truth = truth(&dir.path().join("truth.jsonl"));
    for fact in ["no_state", "late_greeting", "filler_began", "tool_began", "first_chunk"] {
        assert_eq!(rooms_with(&truth, fact).len(), 2, "{fact}");
    }
}
