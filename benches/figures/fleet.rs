//! What the coordinator of a session over workers costs: `cargo bench -- fleet`. The workers' callers are simulated, and
//! everything else is real: the binary as coordinator, nats-server, the workers' side of the protocol, the journal.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rushhour_callers::engine::EngineClock;
use rushhour_fleet::{
    AllowedHosts, NatsConfig, NatsLogin, WorkerConfig, WorkerLifetime, run_worker,
};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use super::native_rig::{Sample, sample_until_exit};
use super::schedule::percentile_ms;
use super::simulated_callers::SimulatedFactory;
use super::support::{SandboxProcess, figure, megabytes, only_session, rushhour};

const WORKERS: usize = 4;
/// Starts per second.
const RATE: u32 = 300;
/// How long a simulated conversation lasts: with the rate, more than 20,000 are in flight.
const CONVERSATION: Duration = Duration::from_secs(70);
/// How long runs are started.
const LASTS: u32 = 100;

pub(crate) fn figures() {
    let Some(nats) = NatsProcess::start() else { return };
    let sandbox = SandboxProcess::start(&[]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    for _ in 0..WORKERS {
        let worker = worker(&nats.url());
        runtime.spawn(async move {
            // No one stops it.
            let (_stop, stops) = unbounded_channel();
            let (events, _told) = unbounded_channel();
            run_worker(worker, stops, events).await.expect("NATS is there");
        });
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let measured = Measured::run(folder.path(), &sandbox, &nats.url());
    // Once as many are in flight as will be.
    let steady = (CONVERSATION.as_secs_f64() + 10.0, f64::from(LASTS));
    let peak = measured.summary["generator"]["in_flight_peak"].as_u64().unwrap_or(0);
    let completed = measured.summary["runs"]["completed"].as_u64().unwrap_or(0);
    let lag = percentile_ms(&measured.summary, "schedule_lag", "p99");
    let share = measured.share_between(steady.0, steady.1);
    let memory = measured.samples.iter().map(|sample| sample.resident).max().unwrap_or(0);
    let expected = u64::from(RATE * LASTS);
    figure(
        &format!("{WORKERS} workers, {RATE} starts/s: conversations in flight"),
        &peak.to_string(),
        ">= 20,000",
        peak >= 20_000,
    );
    figure(
        &format!("  completed of {expected}"),
        &completed.to_string(),
        &expected.to_string(),
        completed == expected,
    );
    figure("  schedule lag p99", &format!("{lag:.2} ms"), "< 5 ms", lag < 5.0);
    figure("  coordinator, of a core", &format!("{:.1} %", share * 100.0), "< 100 %", share < 1.0);
    figure("  its memory", &megabytes(memory), "< 500 MB", memory < 500_000_000);
    let thousands = peak as f64 / 1e3;
    println!(
        "  per 1,000 callers: {:.2} % of a core, {:.1} MB; journal: {:.0} B a run",
        share * 100.0 / thousands,
        memory as f64 / 1e6 / thousands,
        measured.journal_bytes as f64 / expected as f64,
    );
    println!(
        "  nats-server: {:.1} % of a core, {}",
        nats.share_of_a_core(measured.took) * 100.0,
        megabytes(nats.resident())
    );
}

fn worker(nats: &str) -> WorkerConfig {
    let clock = EngineClock::start();
    WorkerConfig {
        nats: NatsConfig {
            url: nats.to_owned(),
            namespace: "rushhour".to_owned(),
            login: NatsLogin::default(),
        },
        capacity: 10_000,
        // Nobody joins a room.
        joins: 200,
        lifetime: WorkerLifetime::UntilStopped,
        host: "bench".to_owned(),
        allowed: AllowedHosts::default(),
        livekit_url: None,
        clock,
        factory: Arc::new(SimulatedFactory { clock, conversation: CONVERSATION }),
    }
}

/// The session's files, and samples of the coordinator's process.
struct Measured {
    summary: Value,
    samples: Vec<Sample>,
    journal_bytes: u64,
    took: Duration,
}

impl Measured {
    fn run(folder: &Path, sandbox: &SandboxProcess, nats: &str) -> Self {
        let profile = format!(
            "name = \"fleet\"\nmode = \"chat\"\n[livekit]\nurl = \"{}\"\nagent = \"front-desk\"\n\
             [evaluator]\nkind = \"native\"\n[workers]\nnats = \"{nats}\"\nat_least = {WORKERS}\n\
             [[scenario]]\nid = \"s\"\nscript = \"script.toml\"\nlasts = \"70s\"\n\
             [[stage]]\nrate = \"{RATE}/s\"\nlasts = \"{LASTS}s\"\n\
             [limits]\nin_flight = 30000\nrun_timeout = \"5m\"\nrequests = \"1000/s\"\n",
            sandbox.value("LIVEKIT_URL"),
        );
        fs::write(folder.join("profile.toml"), profile).expect("a file can be written");
        let turn = "[[turn]]\nsay = \"Do you have a table for two?\"\n";
        fs::write(folder.join("script.toml"), turn.repeat(10)).expect("a file can be written");
        let reports = folder.join("reports");
        let start = Instant::now();
        let mut coordinator = rushhour()
            .args(["run", "--quiet", "--yes", "--out"])
            .arg(&reports)
            .arg(folder.join("profile.toml"))
            .envs(sandbox.environment.clone())
            // Native callers have none.
            .env_remove("CEKURA_API_URL")
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary was built");
        let samples = sample_until_exit(&mut coordinator);
        coordinator.wait().expect("it was started");
        let took = start.elapsed();
        let session = only_session(&reports);
        let summary = fs::read(session.join("summary.json")).expect("there is a summary");
        let journal = fs::metadata(session.join("journal.jsonl")).expect("there is a journal");
        let summary = serde_json::from_slice(&summary).expect("it is JSON");
        Self { summary, samples, journal_bytes: journal.len(), took }
    }

    /// The share of a core between two moments, in seconds after the start.
    fn share_between(&self, from: f64, to: f64) -> f64 {
        let first = self.samples.iter().find(|sample| sample.at >= from);
        let last = self.samples.iter().rev().find(|sample| sample.at <= to);
        match (first, last) {
            (Some(first), Some(last)) if last.at > first.at => {
                (last.cpu_seconds - first.cpu_seconds) / (last.at - first.at)
            }
            _ => f64::NAN,
        }
    }
}

/// A server of NATS with a folder of its own.
struct NatsProcess {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl NatsProcess {
    /// `None` where it is not installed.
    fn start() -> Option<Self> {
        let binary: PathBuf =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/nats-server");
        if !binary.is_file() {
            println!("no nats-server under target/peers: ./tests/all installs it");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let child = Command::new(binary)
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--store_dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "nats-server answers");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, port, _folder: folder })
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn share_of_a_core(&self, of: Duration) -> f64 {
        let sample = super::native_rig::sample(self.child.id(), 0.0);
        sample.map_or(f64::NAN, |sample| sample.cpu_seconds / of.as_secs_f64())
    }

    fn resident(&self) -> u64 {
        super::native_rig::sample(self.child.id(), 0.0).map_or(0, |sample| sample.resident)
    }
}

impl Drop for NatsProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
