//! Every parser of bytes from outside, as a function that must not panic. The tests run them on the corpus, the
//! fuzzer in `tests/fuzz` on new inputs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use rushhour_callers::caller::hostile_room::HostileRoom;
use rushhour_callers::data::{DataEvent, DataReceiver, decode_turn_metrics};
use rushhour_callers::engine::EngineClock;
use rushhour_callers::participant::{
    JoinConfig, PacketRoute, Participant, ParticipantEvent, ParticipantOutput, PeerRole,
    SignalAttempt, SignalLoss, decode_signal,
};
use rushhour_core::event::Event;
use rushhour_core::profile::{ProfileInput, explain, load, no_files};
use rushhour_core::units::{Mode, ScenarioId, Secret, SessionTime, redact};
use rushhour_driver::agent_worker::{parse_metrics, parse_status};
use rushhour_driver::cekura::{error_message, parse_accepted, parse_plan_limits, parse_statuses};
use rushhour_livekit::http::HttpResponse;
use rushhour_livekit::{LiveKitError, parse_room_owner};
use rushhour_report::capacity::{LogLine, SearchRules};
use rushhour_report::fold::Fold;
use rushhour_report::journal::JournalReader;
use rushhour_report::render::{JudgedHistory, Style, history_page, history_text, session_text};
use rushhour_report::session::{Criterion, SessionVerdict, Summary};
use rushhour_report::soak::{History, NightlyComparison};
use rushhour_sandbox::{InProcessSandbox, RawRequest, SandboxConfig};

/// Takes any bytes and must not panic.
pub(crate) type Parser = fn(&[u8]);

/// Each parser with the name of its folder in `tests/corpus`.
pub(crate) const PARSERS: &[(&str, Parser)] = &[
    ("profile", profile),
    ("journal", journal),
    ("events", events),
    ("cekura", cekura),
    ("request", request),
    ("signal", signal),
    ("data", data),
    ("worker", worker),
    ("history", history),
    ("search", search),
    ("room", room),
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

/// Journals with checksums.
fn journal(bytes: &[u8]) {
    let _ = JournalReader::new(bytes).read_all();
}

/// Events without checksums, one JSON object per line, folded and reported.
fn events(bytes: &[u8]) {
    let mut fold = Fold::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(event) = serde_json::from_slice::<Event>(line) else { continue };
        if fold.add(&event).is_err() {
            return;
        }
    }
    if let Ok(folded) = fold.finish() {
        let overall = SessionVerdict::of(&folded, Criterion::Interval);
        let _ = serde_json::to_vec(&Summary::new(&folded, &overall));
        let _ = session_text(&folded, &overall, Criterion::Interval, Style::Plain);
    }
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

/// What an agent's worker says of itself: its status, and its metrics in Prometheus' text format.
fn worker(bytes: &[u8]) {
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
