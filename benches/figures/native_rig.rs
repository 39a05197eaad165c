//! The real livekit-server, the calibration agent and a session of our own callers, each in a process of its own.

use std::collections::HashMap;
use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::rushhour;
use rushhour_core::units::Secret;
use rushhour_livekit::TokenSigner;

const KEY: &str = "devkey";
const SECRET: &str = "a-secret-for-figures-on-this-machine-only";

/// The name of the agent.
pub(crate) const AGENT: &str = "echo";
/// What callers say: the name of a shipped clip, which lies beside the script.
pub(crate) const CLIP: &str = "vegetarian-menu.opus";

/// A running livekit-server.
pub(crate) struct Rig {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
}

/// The files of a session, the agent's truth log, and samples of the generator's process.
pub(crate) struct Measured {
    pub(crate) folder: PathBuf,
    pub(crate) summary: Value,
    pub(crate) turns: Vec<HashMap<String, String>>,
    pub(crate) runs: Vec<HashMap<String, String>>,
    pub(crate) truth: Vec<Value>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) exit: Option<i32>,
}

/// Processor time and resident bytes of the generator's process, `at` seconds after its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) resident: u64,
}

impl Rig {
    /// Starts the livekit-server that `./tests/all` installs; `None` where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(0, "")
    }

    /// The same, which takes ICE over TCP, and has a TURN server.
    pub(crate) fn start_with_every_way() -> Option<Self> {
        let turn = format!(
            "turn: {{enabled: true, domain: 127.0.0.1, bind_addresses: [127.0.0.1], \
             allow_restricted_peer_cidrs: [127.0.0.0/8], udp_port: {}}}\n",
            free_udp_port()
        );
        Self::start_with(free_tcp_port(), &turn)
    }

    fn start_with(tcp_port: u16, turn: &str) -> Option<Self> {
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/server");
        if !binary.is_file() {
            println!("no livekit-server under target/peers: ./tests/all installs it");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let port = free_tcp_port();
        let udp = free_udp_port();
        let config = folder.path().join("livekit.yaml");
        let text = format!(
            "port: {port}\nbind_addresses: [127.0.0.1]\nkeys: {{{KEY}: {SECRET}}}\nlogging: {{level: error}}\n\
             rtc: {{tcp_port: {tcp_port}, udp_port: {udp}, node_ip: 127.0.0.1, use_external_ip: false, \
             enable_loopback_candidate: true, interfaces: {{includes: [lo]}}}}\n{turn}"
        );
        fs::write(&config, text).expect("a file can be written");
        let server = Command::new(binary)
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("livekit-server starts");
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "livekit-server answers");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(Self { folder, port, server })
    }

    /// The binary, with the server's address and keys in its environment.
    fn command(&self) -> Command {
        let mut command = rushhour();
        command
            .env("LIVEKIT_URL", self.url())
            .env("LIVEKIT_API_KEY", KEY)
            .env("LIVEKIT_API_SECRET", SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The server's address.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Signs tokens for its rooms.
    pub(crate) fn token_signer() -> TokenSigner {
        TokenSigner::new(Secret::new(KEY), Secret::new(SECRET))
    }

    /// Starts an agent with these options, whose truth log is in a folder, and waits until it is registered.
    pub(crate) fn agent(&self, folder: &Path, options: &[&str]) -> AgentProcess {
        let truth = folder.join("truth.jsonl");
        let worker = self
            .command()
            .args(["agent", "--name", AGENT, "--truth"])
            .arg(&truth)
            .args(options)
            .spawn()
            .expect("the binary was built");
        let agent = AgentProcess { worker, truth };
        let start = Instant::now();
        while !fs::read_to_string(&agent.truth).is_ok_and(|text| text.contains("registered")) {
            assert!(start.elapsed() < Duration::from_secs(20), "the agent registers");
            std::thread::sleep(Duration::from_millis(50));
        }
        agent
    }

    /// Runs a session against an agent with these options, and waits for its end. Panics where the agent does not start.
    pub(crate) fn session(
        &self,
        name: &str,
        agent_options: &[&str],
        profile: &str,
        script: &str,
    ) -> Measured {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).expect("a folder can be created");
        let agent = self.agent(&folder, agent_options);
        fs::write(folder.join("profile.toml"), profile).expect("a file can be written");
        fs::write(folder.join("script.toml"), script).expect("a file can be written");
        let clips = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/scripts/clips");
        fs::copy(clips.join(CLIP), folder.join(CLIP)).expect("the clip is shipped");
        let reports = folder.join("reports");
        let mut generator = self
            .command()
            .args(["run", "--quiet", "--out"])
            .arg(&reports)
            .arg(folder.join("profile.toml"))
            .spawn()
            .expect("the binary was built");
        let samples = sample_until_exit(&mut generator);
        let exit = generator.wait().expect("it was started").code();
        let truth = agent.stop();
        let session = super::support::only_session(&reports);
        let summary = fs::read(session.join("summary.json")).expect("it was written");
        Measured {
            summary: serde_json::from_slice(&summary).expect("it is JSON"),
            turns: table(&session.join("turns.csv")),
            runs: table(&session.join("runs.csv")),
            truth: truth.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            samples,
            exit,
            folder: session,
        }
    }
}

/// A running calibration agent.
pub(crate) struct AgentProcess {
    worker: Child,
    truth: PathBuf,
}

impl AgentProcess {
    /// Stops it. Returns its truth log.
    fn stop(mut self) -> String {
        interrupt(&mut self.worker);
        fs::read_to_string(&self.truth).expect("it was written")
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        interrupt(&mut self.worker);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Interrupts a process as a user would, and waits for its exit.
fn interrupt(child: &mut Child) {
    if child.try_wait().expect("it was started").is_some() {
        return;
    }
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    let start = Instant::now();
    while child.try_wait().expect("it was started").is_none() {
        if start.elapsed() > Duration::from_secs(5) {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn free_tcp_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port is free").port()
}

fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a port is free").port()
}

/// Samples a process every second until it exits.
pub(crate) fn sample_until_exit(child: &mut Child) -> Vec<Sample> {
    let start = Instant::now();
    let mut samples = Vec::new();
    let mut next = 1.0;
    while child.try_wait().expect("it was started").is_none() {
        std::thread::sleep(Duration::from_millis(50));
        let at = start.elapsed().as_secs_f64();
        if at >= next {
            samples.extend(sample(child.id(), at));
            next += 1.0;
        }
    }
    samples
}

pub(crate) fn sample(process: u32, at: f64) -> Option<Sample> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Fields 14 and 15 of `man 5 proc_pid_stat`, counted after the name, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = resident.split_whitespace().next()?.parse().ok()?;
    Some(Sample { at, cpu_seconds: (ticks(11)? + ticks(12)?) / 100.0, resident: kilobytes * 1024 })
}

fn table(path: &Path) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("it was written");
    reader.deserialize().map(|row| row.expect("it is a table")).collect()
}

impl Measured {
    /// The delays that the agent logged for one kind of fact, in microseconds by room and turn.
    pub(crate) fn agent_delays(&self, fact: &str) -> HashMap<(String, u64), u64> {
        self.truth
            .iter()
            .filter(|line| line["fact"] == fact)
            .filter_map(|line| {
                let room = line["room"].as_str()?.to_owned();
                let turn = line["turn"].as_u64().unwrap_or(0);
                Some(((room, turn), line["delay_us"].as_u64()?))
            })
            .collect()
    }

    /// The share of one core that the generator used between two moments, in seconds after its start, and its resident
    /// bytes at the second.
    pub(crate) fn usage_between(&self, from: f64, to: f64) -> Option<(f64, u64)> {
        let first = self.samples.iter().find(|sample| sample.at >= from)?;
        let last = self.samples.iter().rev().find(|sample| sample.at <= to)?;
        let share = (last.cpu_seconds - first.cpu_seconds) / (last.at - first.at);
        Some((share, last.resident))
    }
}

/// The absolute differences of measured and true values, in milliseconds, ascending.
pub(crate) fn errors(pairs: impl Iterator<Item = (u64, u64)>) -> Vec<f64> {
    let mut errors: Vec<f64> =
        pairs.map(|(measured, truth)| (measured as f64 - truth as f64).abs() / 1e3).collect();
    errors.sort_by(f64::total_cmp);
    errors
}

/// The nearest-rank percentile of sorted values.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    sorted.get(rank as usize - 1).copied().unwrap_or(f64::NAN)
}
