//! Durable intents per second, and the reports of a million events: `cargo bench -- journal`; of ten million events:
//! `cargo bench -- fold`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rushhour_core::event::{
    AcceptedRun, Event, EventKind, EventSink, FORMAT_VERSION, Outcome, RunMapping, RunPhase,
    SessionHeader,
};
use rushhour_core::profile::{ProfileInput, load, no_files};
use rushhour_core::units::{
    DispatchId, EvaluatorRunId, Identity, Micros, Mode, RoomName, RunIndex, SessionId, SessionTime,
};
use rushhour_report::journal::Journal;

/// Journal events of a run that completes.
const EVENTS_PER_RUN: usize = 10;
pub(crate) const RUNS: u64 = 100_000;

pub(crate) fn figures() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    durable_intents(folder.path());
    fold(folder.path(), RUNS, 3.0, 100);
}

/// As many events as a night of thirty starts per second.
pub(crate) fn figures_of_ten_million_events() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    fold(folder.path(), 10 * RUNS, 20.0, 150);
}

/// A thousand tasks wait for the journal at the same time, as a thousand runs in flight would.
fn durable_intents(folder: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
    let journal = Arc::new(Journal::create(&folder.join("intents.jsonl")).expect("a new file"));
    let start = Instant::now();
    let (count, mut waits) = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for waiter in 0..1_000_u64 {
            let journal = Arc::clone(&journal);
            tasks.spawn(async move {
                let mut waits = Vec::new();
                while start.elapsed() < Duration::from_secs(5) {
                    let run = RunIndex(waiter);
                    let kind = EventKind::SubmitIntent { request: waiter, runs: vec![run] };
                    journal.record(Event { at: SessionTime(waiter), kind });
                    let recorded = Instant::now();
                    journal.flush().await.expect("the disk has room");
                    waits.push(recorded.elapsed().as_secs_f64() * 1e3);
                }
                waits
            });
        }
        let all: Vec<f64> = tasks.join_all().await.into_iter().flatten().collect();
        (all.len(), all)
    });
    let rate = count as f64 / start.elapsed().as_secs_f64();
    waits.sort_by(f64::total_cmp);
    super::support::figure(
        "durable intents, 1,000 waiting at once",
        &format!("{rate:.0}/s"),
        "> 2,000/s",
        rate > 2_000.0,
    );
    let p99 = waits[waits.len() * 99 / 100];
    super::support::figure("  wait for the disk, p99", &format!("{p99:.1} ms"), "-", true);
}

/// The journal's first event.
pub(crate) fn header() -> SessionHeader {
    let text = "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 100000\n[[stage]]\nrate = \"10/s\"\n";
    let input = ProfileInput {
        file: "bench",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &no_files,
    };
    let loaded = load(input).expect("the profile is valid");
    SessionHeader {
        format: FORMAT_VERSION,
        rushhour: "bench".into(),
        session: SessionId::new("bench"),
        anchor: "2026-01-01T00:00:00Z".into(),
        profile: loaded.profile,
        profile_hash: String::new(),
        settings: Vec::new(),
        livekit_url: String::new(),
        evaluator_url: String::new(),
        planned: Some(RUNS),
        cores: 2,
    }
}

/// The events of these runs in the order of their times, with about a thousand runs in flight; `factor` multiplies every
/// duration.
pub(crate) fn events(runs: u64, factor: f64) -> impl Iterator<Item = Event> {
    let mut waiting: BTreeMap<(SessionTime, u64), Event> = BTreeMap::new();
    let (mut next, mut number) = (0, 0);
    std::iter::from_fn(move || {
        while next < runs && waiting.first_key_value().is_none_or(|((at, _), _)| *at >= start(next))
        {
            for event in run_events(next, factor) {
                number += 1;
                waiting.insert((event.at, number), event);
            }
            next += 1;
        }
        waiting.pop_first().map(|(_, event)| event)
    })
}

fn start(run: u64) -> SessionTime {
    SessionTime(run * 100_000)
}

/// One run's events, with latencies that differ from run to run.
fn run_events(n: u64, factor: f64) -> [Event; EVENTS_PER_RUN] {
    let run = RunIndex(n);
    let start = start(n);
    let vary = |spread: u64| n.wrapping_mul(2_654_435_761) % spread;
    let at = |offset: u64| {
        let seconds = (offset + vary(offset / 4 + 1)) as f64 * factor / 1e6;
        start + Micros::from_secs_f64(seconds)
    };
    let event = |at: SessionTime, kind| Event { at, kind };
    [
        event(
            start,
            EventKind::RunStarted {
                run,
                stage: 0,
                scenario: 0,
                copy: 0,
                mode: Mode::Voice,
                pair: None,
                network: None,
                redial_of: None,
                intended: start,
                free: start,
                room: RoomName::new(format!("rushhour-bench-{n:06}")),
            },
        ),
        event(at(10_000), EventKind::RoomCreated { run, sent: start, answered: at(10_000) }),
        event(
            at(20_000),
            EventKind::Dispatched {
                run,
                dispatch: Some(DispatchId::new("AD_bench")),
                sent: at(10_000),
                answered: at(20_000),
            },
        ),
        event(
            at(500_000),
            EventKind::AgentSeen {
                run,
                identity: Identity::new("agent-AJ_bench"),
                after: at(400_000),
                seen: at(500_000),
                joined: Some(at(450_000)),
            },
        ),
        event(at(500_000), EventKind::SubmitIntent { request: n, runs: vec![run] }),
        event(
            at(700_000),
            EventKind::Submitted {
                request: n,
                admitted: at(500_000),
                sent: at(510_000),
                answered: at(700_000),
                result: None,
                accepted: vec![AcceptedRun {
                    run,
                    evaluator_run: EvaluatorRunId::new(n.to_string()),
                    ready: at(500_000),
                    worker: None,
                }],
                mapping: RunMapping::Proven,
            },
        ),
        phase_seen(run, RunPhase::Running, at(5_000_000)),
        phase_seen(run, RunPhase::Judging, at(90_000_000)),
        event(
            at(95_000_000),
            EventKind::Ended {
                run,
                outcome: Outcome::Completed { judged: Some(true) },
                after: at(92_000_000),
                seen: at(95_000_000),
                conversation_duration: None,
            },
        ),
        event(at(95_100_000), EventKind::RoomDeleted { run }),
    ]
}

fn phase_seen(run: RunIndex, phase: RunPhase, seen: SessionTime) -> Event {
    let after = seen - Micros::from_secs(1);
    Event {
        at: seen,
        kind: EventKind::PhaseSeen { run, phase, status: "word".into(), after, seen },
    }
}

/// Writes the journal of a session into a new folder, with durations multiplied by `factor`; returns its size in bytes.
pub(crate) fn write_session(session: &Path, runs: u64, factor: f64) -> u64 {
    fs::create_dir(session).expect("a folder can be created");
    let path = session.join("journal.jsonl");
    let journal = Journal::create(&path).expect("a new file");
    let kind = EventKind::Opened(Box::new(header()));
    journal.record(Event { at: SessionTime::START, kind });
    for event in events(runs, factor) {
        journal.record(event);
    }
    journal.record(Event { at: SessionTime(runs * 200_000), kind: EventKind::Closed });
    drop(journal);
    fs::metadata(&path).expect("it was written").len()
}

fn fold(folder: &Path, runs: u64, target_seconds: f64, target_megabytes: u64) {
    let session = folder.join("session");
    let size = write_session(&session, runs, 1.0);
    let (best, memory) = super::support::best_time_and_peak_memory(3, || {
        let mut report = super::support::rushhour();
        report.arg("report").arg(&session);
        report
    });
    super::support::figure(
        &format!(
            "reports of {} events ({}), best of 3",
            runs * EVENTS_PER_RUN as u64,
            super::support::megabytes(size)
        ),
        &format!("{best:.2} s"),
        &format!("< {target_seconds} s"),
        best < target_seconds,
    );
    super::support::figure(
        "  most memory",
        &super::support::megabytes(memory),
        &format!("< {target_megabytes} MB"),
        memory < target_megabytes * 1_000_000,
    );
}
