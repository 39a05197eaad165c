//! Servers that flood: whatever they send, a session takes little memory, ends, and says what happened in its own
//! words.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use livekit_protocol as proto;
use proto::signal_response::Message as Response;
use rushhour_callers::caller::hostile_room::{HostileInputCounts, HostileRoom};
use rushhour_callers::engine::EngineClock;
use rushhour_core::units::Mode;
use rushhour_sandbox::{Sandbox, SandboxConfig};

use crate::support::hostile_signalling::{HostileSignalling, binary, frame, signal};
use crate::support::{HostileServer, Rushhour, SplitMix64, TestDir, rows, side_by_side};

/// The most resident memory that a session may take, whatever it is sent.
const MOST_MEMORY: u64 = 300_000_000;

const CEKURA_KEY: &str = "cekura-key-of-the-tests-0815";

fn profile(api: &str, livekit: &str, evaluator: &str, copies: u32) -> String {
    format!(
        "name = \"hostile\"\nmode = \"chat\"\n[livekit]\nurl = \"{livekit}\"\napi_url = \"{api}\"\nagent = \"a\"\nagent_within = \"2s\"\ngive_up_after = \"2s\"\n[evaluator]\n{evaluator}\n[limits]\nrun_timeout = \"5s\"\npoll_timeout = \"2s\"\nlivekit_timeout = \"2s\"\nwatch_unknown = \"1s\"\nattempts = 2\n[[scenario]]\nid = 30\nscript = \"script.toml\"\ncopies = {copies}\n[[stage]]\nburst = {copies}\n"
    )
}

const CALLERS: &str = "kind = \"native\"\njoin_within = \"3s\"\nready_within = \"2s\"";

fn with_keys(rushhour: Rushhour) -> Rushhour {
    rushhour
        .env("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
        .env("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
        .env("CEKURA_API_KEY", CEKURA_KEY)
}

/// The floods that every run of the tests has.
const QUICK: [&str; 3] = [
    "small updates",
    "1 MB of participants of two bytes",
    "pings that nobody reads the answers of",
];

/// What a session took, and how its runs ended.
struct Flooded {
    peak: u64,
    /// The class and the words of the first run.
    ending: String,
}

/// Runs a session to its end, where it begins at all, and checks that every run has an outcome.
fn run(profile: &str, runs: usize) -> Flooded {
    let dir = TestDir::new();
    dir.write("profile.toml", profile);
    dir.write("script.toml", "[[turn]]\nsay = \"Good morning.\"\nwithin = \"2s\"\n");
    let command = ["run", "profile.toml", "--quiet", "--yes"];
    let (output, peak) = with_keys(dir.rushhour(&command)).start().finish_measured();
    let sessions = dir.sessions();
    let Some(session) = sessions.first() else {
        // It was refused before it began.
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        return Flooded {
            peak,
            ending: output.stderr.lines().next().unwrap_or_default().to_owned(),
        };
    };
    let found = rows(&session.join("runs.csv"));
    assert_eq!(found.len(), runs, "{}", output.stderr);
    assert!(found.iter().all(|run| !run.text("outcome").is_empty()), "{}", output.stderr);
    let ending = format!("{}: {}", found[0].text("outcome"), found[0].text("detail"));
    Flooded { peak, ending }
}

/// A participant as a flood describes it.
fn participant(number: usize) -> proto::ParticipantInfo {
    proto::ParticipantInfo {
        sid: format!("PA_{number}"),
        identity: format!("guest-{number}"),
        ..proto::ParticipantInfo::default()
    }
}

fn update(participants: Vec<proto::ParticipantInfo>) -> Vec<u8> {
    signal(Response::Update(proto::ParticipantUpdate { participants }))
}

/// The frames of a flood, which are sent over and over.
type Frames = Box<dyn Fn() -> Vec<u8> + Send + Sync>;

/// Floods of signalling.
fn floods() -> Vec<(&'static str, Frames)> {
    fn flood(
        name: &'static str,
        frames: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) -> (&'static str, Frames) {
        (name, Box::new(frames))
    }
    let joined = |others: usize| {
        signal(Response::Join(proto::JoinResponse {
            other_participants: (0..others).map(participant).collect(),
            ..proto::JoinResponse::default()
        }))
    };
    vec![
        flood("small updates", || (0..5_000).flat_map(|n| update(vec![participant(n)])).collect()),
        flood("updates of 1,000", || update((0..1_000).map(participant).collect())),
        flood("1 MB of participants of two bytes", || {
            update(vec![proto::ParticipantInfo::default(); 500_000])
        }),
        flood("participants with 1,000 tracks", || {
            let track =
                |n| proto::TrackInfo { sid: format!("TR_{n}"), ..proto::TrackInfo::default() };
            let video = |n| proto::TrackInfo { r#type: proto::TrackType::Video.into(), ..track(n) };
            let tracks = || (0..500).map(track).chain((500..1_000).map(video)).collect();
            let one = |n| proto::ParticipantInfo { tracks: tracks(), ..participant(n) };
            (0..20).flat_map(|n| update(vec![one(n)])).collect()
        }),
        flood("joins with 5,000 others", move || joined(5_000)),
        flood("our tracks, published again and again", || {
            let published = |n: usize| {
                signal(Response::TrackPublished(proto::TrackPublishedResponse {
                    cid: "rushhour-audio".to_owned(),
                    track: Some(proto::TrackInfo {
                        sid: format!("TR_{n}{}", "x".repeat(200)),
                        ..proto::TrackInfo::default()
                    }),
                }))
            };
            (0..2_000).flat_map(published).collect()
        }),
        flood("candidates", || {
            let trickle = |n: usize| {
                let line = format!("candidate:{n} 1 udp 1 127.0.0.1 {} typ host", 1 + n % 60_000);
                signal(Response::Trickle(proto::TrickleRequest {
                    candidate_init: format!("{{\"candidate\":\"{line}\"}}"),
                    ..proto::TrickleRequest::default()
                }))
            };
            (0..2_000).flat_map(trickle).collect()
        }),
        flood("answers with 5,000 tracks of 100 bytes", || {
            let mids = (0..5_000).map(|n| (n.to_string(), "x".repeat(100)));
            signal(Response::Answer(proto::SessionDescription {
                mid_to_track_id: mids.collect::<HashMap<_, _>>(),
                ..proto::SessionDescription::default()
            }))
        }),
        flood("demands for sections", || {
            let required =
                proto::MediaSectionsRequirement { num_audios: u32::MAX, num_videos: u32::MAX };
            (0..1_000).flat_map(|_| signal(Response::MediaSectionsRequirement(required))).collect()
        }),
        flood("a room's metadata of 1 MB", || {
            signal(Response::RoomUpdate(proto::RoomUpdate {
                room: Some(proto::Room {
                    metadata: "x".repeat(1_000_000),
                    ..proto::Room::default()
                }),
            }))
        }),
        flood("pings that nobody reads the answers of", || {
            (0..2_000).flat_map(|_| frame(0x89, &[b'x'; 125])).collect()
        }),
        flood("a message in parts without an end", || {
            let mut parts = frame(0x02, b"x");
            parts.extend(frame(0x00, &[b'x'; 1_000]).repeat(5_000));
            parts
        }),
        flood("texts, and bytes that are no message", || {
            [frame(0x81, &[b'x'; 500]), binary(&[0xff; 500])].concat()
        }),
        flood("a frame of 2^60 bytes", || {
            let mut head = vec![0x82, 127];
            head.extend_from_slice(&(1_u64 << 60).to_be_bytes());
            head.extend(vec![b'x'; 50_000]);
            head
        }),
    ]
}

/// What a server does with a connection.
type Refusal = fn(TcpStream);

/// Refusals of the connection itself.
fn refusals() -> Vec<(&'static str, Refusal)> {
    fn answer(mut stream: TcpStream, head: &[u8], piece: &[u8], times: usize) {
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request);
        let mut sent = stream.write_all(head);
        for _ in 0..times {
            if sent.is_err() {
                return;
            }
            sent = stream.write_all(piece);
        }
        let _ = stream.read_to_end(&mut Vec::new());
    }
    vec![
        ("a refusal with a body of 50 MB", |stream| {
            let head = b"HTTP/1.1 401 X\r\nContent-Length: 50000000\r\n\r\n";
            answer(stream, head, &[b'x'; 10_000], 5_000);
        }),
        ("headers without an end", |stream| {
            answer(
                stream,
                b"HTTP/1.1 101 X\r\n",
                b"X-Header: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
                1_000_000,
            );
        }),
        ("no answer at all", |stream| answer(stream, b"", b"", 0)),
    ]
}

/// Whether a request is to be answered with something hostile, and with what.
type Choice = fn(&str) -> Option<Vec<u8>>;

/// Answers of the server API, in Protobuf, and of Cekura, in JSON: 16 MB each, and as many values of two bytes and more as
/// the longest answers that are read.
fn answers() -> Vec<(&'static str, Choice)> {
    fn objects() -> Vec<u8> {
        [b"[".to_vec(), b"{\"a\":0},".repeat(2_000_000), b"0]".to_vec()].concat()
    }
    /// Rooms, or participants, of two bytes each, in so many bytes.
    fn entries(bytes: usize) -> Vec<u8> {
        [0x0a, 0x00].repeat(bytes / 2)
    }
    /// As many objects as the answer to a poll of these runs may be long.
    fn objects_within(request: &str) -> Vec<u8> {
        let runs = request.split("%2C").count();
        let length = 64 * 1024 + runs * 160 * 1024;
        [b"[".to_vec(), b"{\"a\":0},".repeat(length / 8 - 2), b"0]".to_vec()].concat()
    }
    /// A room with a long name.
    fn name() -> Vec<u8> {
        // The length in Protobuf's format: 2^24.
        [vec![0x12, 0x80, 0x80, 0x80, 0x08], vec![b'x'; 1 << 24]].concat()
    }
    vec![
        ("CreateRoom: a long name", |request| request.contains("CreateRoom").then(name)),
        ("CreateRoom: JSON", |request| request.contains("CreateRoom").then(objects)),
        ("CreateDispatch: JSON", |request| request.contains("CreateDispatch").then(objects)),
        ("ListParticipants: participants of two bytes", |request| {
            request.contains("ListParticipants").then(|| entries(16_000_000))
        }),
        ("ListParticipants: participants of two bytes, as many as are read", |request| {
            request.contains("ListParticipants").then(|| entries(256 * 1024))
        }),
        ("ListRooms: rooms of two bytes", |request| {
            request.contains("ListRooms").then(|| entries(16_000_000))
        }),
        ("ListRooms: rooms of two bytes, as many as are read", |request| {
            request.contains("ListRooms").then(|| entries(4 * 1024 * 1024))
        }),
        ("a submission: objects", |request| request.contains("run_scenarios").then(objects)),
        ("a status poll: objects", |request| request.starts_with("GET").then(objects)),
        ("a status poll: objects, as many as are read", |request| {
            request.starts_with("GET").then(|| objects_within(request))
        }),
        ("everything: objects", |_| Some(objects())),
    ]
}

/// A server that answers otherwise as LiveKit and Cekura do.
fn answering(choose: Choice) -> HostileServer {
    let submitted = AtomicUsize::new(0);
    HostileServer::start(move |request| {
        let body = choose(request).unwrap_or_else(|| {
            if request.contains("/twirp/") {
                // An empty message of Protobuf.
                Vec::new()
            } else {
                // Every submission has a run of its own, so that many are polled at once.
                let id = submitted.fetch_add(1, Relaxed);
                format!(r#"{{"id":{id},"runs":[{{"id":{id},"scenario":30}}]}}"#).into_bytes()
            }
        });
        (200, body)
    })
}

/// Prints what each session took, and checks that it was little.
#[expect(clippy::print_stdout, reason = "figures for the reader of the test")]
fn check_peaks(sessions: &[(&str, Flooded)]) {
    for (name, flooded) in sessions {
        println!("{:>4} MB  {name}  {}", flooded.peak / 1_000_000, flooded.ending);
    }
    for (name, flooded) in sessions {
        assert!(flooded.peak < MOST_MEMORY, "{name}: {} bytes", flooded.peak);
    }
}

/// Runs a session of 40 runs with a server that answers as `choose` says.
fn answered(choose: Choice) -> Flooded {
    let server = answering(choose);
    let address = server.address();
    let evaluator =
        format!("kind = \"cekura\"\nurl = \"http://{address}\"\npoll_every = \"500ms\"");
    let livekit = format!("ws://{address}");
    let text = profile(&livekit, &livekit, &evaluator, 40)
        .replace("script = \"script.toml\"\n", "")
        .replace("agent = \"a\"", "agent = \"a\"\nwait_for_agent = false");
    run(&text, 40)
}

#[test]
fn whatever_a_room_sends_after_a_real_handshake_nothing_panics() {
    let mut rng = SplitMix64::new(1);
    for mode in [Mode::Chat, Mode::Voice] {
        let mut total = HostileInputCounts::default();
        for _ in 0..3 {
            let mut room = HostileRoom::new(mode, EngineClock::start());
            for _ in 0..10 {
                let bytes: Vec<u8> = (0..400).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
                room.run(&bytes);
            }
            let HostileInputCounts { signals, packets, audio, datagrams, events } = room.counts();
            total.signals += signals;
            total.packets += packets;
            total.audio += audio;
            total.datagrams += datagrams;
            total.events += events;
        }
        assert!(total.signals > 50 && total.packets > 50 && total.audio > 15, "{total:?}");
        assert!(total.events > 200, "what is sent arrives: {total:?}");
    }
}

#[test]
fn no_answer_of_a_service_takes_300_mb() {
    // Some at a time: they wait for their limits, and each server holds 40 answers of 16 MB.
    let sessions = side_by_side(&answers(), 3, |(name, choose)| (*name, answered(*choose)));
    check_peaks(&sessions);
}

#[test]
fn a_flood_takes_little_memory_and_ends_with_the_callers_own_words() {
    let sandbox = Sandbox::start(SandboxConfig::default(), 0).expect("a port is free");
    for (name, frames) in floods().into_iter().filter(|(name, _)| QUICK.contains(name)) {
        let server = HostileSignalling::flooding(60_000_000, frames);
        let flooded = run(&profile(&sandbox.livekit_url(), &server.url(), CALLERS, 2), 2);
        assert!(flooded.peak < MOST_MEMORY, "{name}: {} bytes", flooded.peak);
        let own_words = ["sent more than a participant can handle", "no connection for media"];
        let is_own = own_words.iter().any(|words| flooded.ending.contains(words));
        assert!(is_own, "{name}: {}", flooded.ending);
    }
}

#[test]
#[ignore = "takes a minute: every flood, 250 MB to each of four callers"]
fn no_flood_takes_300_mb() {
    let sandbox = Sandbox::start(SandboxConfig::default(), 0).expect("a port is free");
    let called = |server: &HostileSignalling| {
        run(&profile(&sandbox.livekit_url(), &server.url(), CALLERS, 4), 4)
    };
    let flooded = floods()
        .into_iter()
        .map(|(name, frames)| (name, called(&HostileSignalling::flooding(250_000_000, frames))));
    let refused = refusals()
        .into_iter()
        .map(|(name, refuse)| (name, called(&HostileSignalling::start(refuse))));
    check_peaks(&flooded.chain(refused).collect::<Vec<_>>());
}
