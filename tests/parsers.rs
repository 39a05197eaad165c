//! Every parser of bytes from outside, as a function that must not panic. The tests run them on the corpus, the
//! fuzzer in `tests/fuzz` on new inputs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use rushhour_callers::audio::{
    AudioReception, Clip, DEFAULT_HANGOVER, DecodeRate, Decoder, VoiceActivity,
};
use rushhour_callers::caller::hostile_room::HostileRoom;
use rushhour_callers::data::{DataEvent, DataReceiver, decode_turn_metrics};
use rushhour_callers::engine::EngineClock;
use rushhour_callers::participant::{
    AudioPacket, JoinConfig, PacketRoute, Participant, ParticipantEvent, ParticipantOutput,
    PeerRole, SignalAttempt, SignalLoss, decode_signal,
};
use rushhour_core::evaluator::{EvaluatorCapabilities, UpdateMode};
use rushhour_core::event::Event;
use rushhour_core::plan::{Forecast, Plan};
use rushhour_core::profile::{ProfileInput, explain, load, no_files};
use rushhour_core::units::{Micros, Mode, ScenarioId, Secret, SessionTime, redact};
use rushhour_driver::agent_worker::{parse_metrics, parse_query_answer, parse_status};
use rushhour_driver::cekura::{error_message, parse_accepted, parse_plan_limits, parse_statuses};
use rushhour_driver::{
    DriverSettings, EvaluatorLifetime, ReplayedSession, Resumption, RoomNaming, Session,
};
use rushhour_fleet::hostile_worker::hear_hostile_worker;
use rushhour_livekit::http::HttpResponse;
use rushhour_livekit::testing::read_any_answer;
use rushhour_livekit::{LiveKitError, parse_room_owner};
use rushhour_report::capacity::{LogLine, SearchRules};
use rushhour_report::fold::{Fold, MAX_RUNS};
use rushhour_report::journal::JournalReader;
use rushhour_report::render::{
    JudgedHistory, Style, history_page, history_text, hlog, session_page, session_text,
};
use rushhour_report::session::{Criterion, SessionVerdict, Summary};
use rushhour_report::soak::{History, NightlyComparison};
use rushhour_sandbox::{InProcessSandbox, RawRequest, SandboxConfig};

/// Takes any bytes and must not panic.
pub(crate) type Parser = fn(&[u8]);

/// Each parser with the name of its folder in `tests/corpus`.
pub(crate) const PARSERS: &[(&str, Parser)] = &[
    ("profile", profile),
    ("script", script),
    ("journal", journal),
    ("events", events),
    ("cekura", cekura),
    ("request", request),
    ("signal", signal),
    ("data", data),
    ("speech", speech),
    ("clip", clip),
    ("worker", worker),
    ("history", history),
    ("search", search),
    ("room", room),
    ("twirp", twirp),
    ("nats", nats),
];

/// Profiles, and the explanation of what is wrong with them.
fn profile(bytes: &[u8]) {
    let flags = ["limits.in_flight=7".to_owned()];
    match load(ProfileInput {
        file: "fuzz.toml",
        bytes,
        environment: &[],
        flags: &flags,
        read_file: &no_files,
    }) {
        Ok(loaded) => assert!(!loaded.profile.stages.is_empty()),
        Err(refused) => assert!(!explain(&refused, false).is_empty()),
    }
}

/// The files that a profile names: a script of the callers, and a list of prices.
fn script(bytes: &[u8]) {
    const PROFILE: &str = "name = \"x\"\nprices = \"prices.toml\"\n[livekit]\nurl = \"ws://127.0.0.1:1\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = \"x\"\nscript = \"script.toml\"\ncopies = 1\n[[stage]]\nburst = 1\n";
    let read = |name: &str| match name {
        "script.toml" => Ok(bytes.to_vec()),
        "prices.toml" if bytes.starts_with(b"[[item]]") => Ok(bytes.to_vec()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    for mode in ["chat", "voice", "paired"] {
        let flags = [format!("mode={mode}")];
        let input = ProfileInput {
            file: "fuzz.toml",
            bytes: PROFILE.as_bytes(),
            environment: &[],
            flags: &flags,
            read_file: &read,
        };
        if let Err(refused) = load(input) {
            assert!(!explain(&refused, false).is_empty());
        }
    }
}

/// Journals with checksums.
fn journal(bytes: &[u8]) {
    let _ = JournalReader::new(bytes).read_all();
}

/// Events without checksums, one JSON object per line, folded and reported.
fn events(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n');
    let events: Vec<Event> =
        lines.filter_map(|line| serde_json::from_slice::<Event>(line).ok()).collect();
    resume_until_it_waits(&events);
    let mut fold = Fold::default();
    for event in &events {
        if fold.add(event).is_err() {
            return;
        }
    }
    if let Ok(folded) = fold.finish() {
        let overall = SessionVerdict::of(&folded, Criterion::Interval);
        let _ = serde_json::to_vec(&Summary::new(&folded, &overall));
        let _ = session_text(&folded, &overall, Criterion::Interval, Style::Plain);
        assert!(!session_page(&folded, &overall, Criterion::Interval).contains("<script>alert"));
        let _ = hlog(&folded, &mut io::sink());
    }
}

/// Continues the session that these events are of without starting more, until it waits for answers. Returns whether
/// there was one to continue.
pub(crate) fn resume_until_it_waits(events: &[Event]) -> bool {
    let mut replayed = ReplayedSession::default();
    for event in events {
        replayed.add(event);
    }
    let Ok(header) = replayed.header() else { return false };
    let profile = header.profile.clone();
    if Forecast::new(&Plan::new(profile.clone())).runs > MAX_RUNS {
        return false;
    }
    let evaluator = EvaluatorCapabilities {
        entries_per_request: 1,
        fill_within: Micros::ZERO,
        poll_every: Micros::from_secs(1),
        runs_per_poll: 100,
        updates: UpdateMode::Poll,
    };
    let settings = DriverSettings::new(&profile, evaluator);
    let resumption = Resumption {
        wall_clock: "2026-01-01T00:00:00Z".to_owned(),
        truncated_bytes: 0,
        evaluator: EvaluatorLifetime::Independent,
        held: std::collections::BTreeSet::new(),
        finish_only: true,
    };
    let now = replayed.last_event_time();
    let resumed = Session::resume(settings, RoomNaming::new("r"), replayed, resumption, now);
    let Ok(mut session) = resumed else { return false };
    for _ in 0..20 {
        let effects = session.take_effects();
        let deadline = session.next_deadline();
        if session.is_finished() || (effects.is_empty() && deadline == SessionTime::NEVER) {
            break;
        }
        session.tick(deadline);
    }
    true
}

/// Responses of Cekura.
fn cekura(bytes: &[u8]) {
    if let Ok(json) = serde_json::from_slice(bytes) {
        let scenarios = ["30", "30", "31"].map(ScenarioId::new);
        if let Some(accepted) = parse_accepted(&json, &scenarios) {
            assert_eq!(accepted.runs.len(), scenarios.len());
        }
        let _ = parse_statuses(&json);
        let _ = parse_plan_limits(&json);
    }
    let body = bytes.to_vec();
    let response =
        HttpResponse { status: 400, retry_after: None, date: None, body, truncated: false };
    assert!(error_message(&response).chars().count() < 400);
    let error = LiveKitError::from_response(401, bytes);
    assert!(!redact(&error.message, &[&Secret::new("key-4711")]).contains("key-4711"));
    let _ = parse_room_owner(&String::from_utf8_lossy(bytes));
}

/// Requests to the sandbox: path, query, authorization and content type in one line each, then the body.
fn request(bytes: &[u8]) {
    let mut parts = bytes.splitn(5, |byte| *byte == b'\n');
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok()).unwrap_or("");
    let (path, query, authorization, content_type) = (text(), text(), text(), text());
    let body = parts.next().unwrap_or_default();
    let mut sandbox = InProcessSandbox::new(SandboxConfig::default(), 1_784_000_000_000_000);
    for method in ["POST", "GET"] {
        let authorization = Some(authorization);
        sandbox.handle(RawRequest { method, path, query, authorization, content_type, body });
    }
}

/// Splits the input into messages; each is preceded by its length in two bytes.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        pieces.push(&rest[..length]);
        bytes = &rest[length..];
    }
    pieces
}

/// Messages of the server on the signal connection, handled by a participant with one peer connection, and by one with
/// two that loses its connection in between.
fn signal(bytes: &[u8]) {
    struct Discard;
    impl ParticipantOutput for Discard {
        fn transmit(&mut self, _: PeerRole, _: PacketRoute, _: &[u8]) {}
        fn open_signal(&mut self, _: SignalAttempt) {}
        fn send_signal(&mut self, _: livekit_protocol::signal_request::Message) {}
        fn event(&mut self, _: ParticipantEvent) {}
    }
    let messages: Vec<_> = pieces(bytes).into_iter().filter_map(decode_signal).collect();
    if messages.is_empty() {
        return;
    }
    let config = JoinConfig { publish_audio: true, ..JoinConfig::default() };
    let (local, other) =
        (Some(([127, 0, 0, 1], 5_000).into()), Some(([127, 0, 0, 1], 5_001).into()));
    let (epoch, start) = (Instant::now(), SessionTime::START);
    let joined = Participant::new(&config, epoch, start, local);
    let (mut participant, _) = joined.expect("loopback is an address");
    for (second, message) in messages.iter().take(16).enumerate() {
        let now = SessionTime(second as u64 * 1_000_000);
        if participant.handle_signal(message.clone(), now, &mut Discard).is_err() {
            break;
        }
    }
    let joined = Participant::with_two_connections(&config, epoch, start, local, other);
    let (mut participant, _) = joined.expect("loopback is an address");
    for (second, message) in messages.into_iter().take(16).enumerate() {
        let now = SessionTime(second as u64 * 1_000_000);
        if participant.handle_signal(message, now, &mut Discard).is_err() {
            return;
        }
        if second % 4 == 3 {
            participant.handle_signal_lost(SignalLoss::Broken("cut".into()), now, &mut Discard);
        }
    }
}

/// Packets on the data channels.
fn data(bytes: &[u8]) {
    let mut receiver = DataReceiver::default();
    for piece in pieces(bytes) {
        for event in receiver.handle_packet(piece) {
            if let DataEvent::ByteStreamReceived { bytes, .. } = event {
                let _ = decode_turn_metrics(&bytes);
            }
        }
        let _ = decode_turn_metrics(piece);
    }
}

/// Packets of one or several tracks: their loss, jitter and order, and the speech in them.
fn speech(bytes: &[u8]) {
    let mut activity = VoiceActivity::new(DEFAULT_HANGOVER).expect("libopus sets up a decoder");
    let mut reception = AudioReception::default();
    let (mut at, mut sequence, mut rtp_time) = (SessionTime::START, 0_u16, 0_u32);
    for piece in pieces(bytes) {
        let Some((how, payload)) = piece.split_first() else { continue };
        // Most packets follow the one before.
        let far = u16::from(how >> 3) << 9;
        (sequence, rtp_time) = match how & 7 {
            0 => (sequence.wrapping_add(far), rtp_time.wrapping_add(u32::from(far) << 12)),
            1 => (sequence.wrapping_sub(1), rtp_time.wrapping_sub(960)),
            _ => (sequence.wrapping_add(1), rtp_time.wrapping_add(960)),
        };
        at += Micros::from_millis(if how & 7 == 2 { u64::from(far) } else { 20 });
        let ssrc = if how & 7 == 3 { u32::from(far) } else { 7 };
        let packet = AudioPacket { ssrc, sequence, rtp_time, payload: Arc::from(payload), at };
        reception.handle_packet(&packet);
        let _ = activity.handle_packet(&packet);
        if activity.deadline() <= at {
            let _ = activity.handle_timeout(at);
        }
    }
    let stats = reception.stats();
    assert!(stats.is_none_or(|stats| !format!("{stats:?}").contains("NaN")), "{stats:?}");
    let _ = activity.handle_timeout(at + Micros::from_secs(10));
    let mut decoder = Decoder::new(DecodeRate::Wideband).expect("libopus sets up a decoder");
    let mut samples = Vec::new();
    for piece in pieces(bytes) {
        if decoder.decode(piece, &mut samples).is_ok() {
            assert!(samples.len() <= 1_920, "a packet has at most 120 ms");
        }
    }
}

/// Recordings: WAV and Ogg Opus.
fn clip(bytes: &[u8]) {
    // Encoding a minute takes a second, and is the same for all.
    let _ = Clip::from_bytes(&bytes[..bytes.len().min(4_096)]);
}

/// What an agent's worker says of itself: its status, and its metrics in Prometheus' text format; and what a Prometheus
/// server says of it.
fn worker(bytes: &[u8]) {
    for found in parse_query_answer(bytes).into_iter().flatten() {
        assert!(found.value.is_finite(), "{found:?}");
        assert!(found.worker.is_none_or(|name| name.len() <= 140), "it is shortened");
    }
    let status = parse_status(bytes).ok();
    let metrics = parse_metrics(&String::from_utf8_lossy(bytes)).ok();
    for health in status.into_iter().chain(metrics) {
        assert!(health.load.is_none_or(f64::is_finite), "{health:?}");
        let _ = serde_json::to_string(&health).expect("it goes into the journal");
    }
}

/// The history of a folder of reports.
fn history(bytes: &[u8]) {
    let history = History::read(&String::from_utf8_lossy(bytes));
    let judged: JudgedHistory<'_> = history
        .runs
        .iter()
        .take(20)
        .map(|night| (night, NightlyComparison::of(night, &history)))
        .collect();
    if !judged.is_empty() {
        assert!(!history_text(std::slice::from_ref(&judged), Style::Plain).contains('\u{1b}'));
        assert!(!history_page(&[judged]).is_empty());
    }
}

/// The log of a capacity search.
fn search(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<LogLine>(line) else { continue };
        if let LogLine::Search(opening) = &line {
            let _ = SearchRules::of(&opening.profile);
        }
        let _ = line.to_line();
    }
}

/// Answers of LiveKit's server API, in protobuf.
fn twirp(bytes: &[u8]) {
    for status in [404, 429, 500] {
        read_any_answer(status, bytes);
    }
}

/// Messages of workers over NATS, as a coordinator takes them in.
fn nats(bytes: &[u8]) {
    hear_hostile_worker(pieces(bytes));
}

/// What hostile rooms have sent in all: signal messages, packets, audio and datagrams, many for each input.
pub(crate) static SENT_BY_ROOMS: AtomicU64 = AtomicU64::new(0);

/// A whole room after a real handshake. It costs some milliseconds, so a room goes on until it has ended.
fn room(bytes: &[u8]) {
    thread_local! {
        static ROOM: std::cell::RefCell<Option<HostileRoom>> = const { std::cell::RefCell::new(None) };
    }
    let mode = if bytes.len().is_multiple_of(2) { Mode::Chat } else { Mode::Voice };
    ROOM.with_borrow_mut(|open| {
        let room = open.get_or_insert_with(|| HostileRoom::new(mode, EngineClock::start()));
        let before = room.counts().inputs();
        room.run(bytes);
        SENT_BY_ROOMS.fetch_add(room.counts().inputs() - before, Relaxed);
        if room.has_ended() || room.counts().inputs() > 2_000 {
            *open = None;
        }
    });
}
