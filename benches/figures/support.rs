//! Shared by the benches: figures printed with their targets, a sandbox process, memory of processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Prints a figure next to its target.
pub(crate) fn figure(name: &str, value: &str, target: &str, holds: bool) {
    let verdict = if holds { "holds" } else { "MISSED" };
    println!("{name:<58} {value:>18}   target {target:<22} {verdict}");
}

/// The binary under test.
pub(crate) fn rushhour() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rushhour"));
    command.env_clear();
    command
}

/// A sandbox in a process of its own, and the environment variables that lead to it.
pub(crate) struct SandboxProcess {
    child: Child,
    pub(crate) environment: Vec<(String, String)>,
}

impl SandboxProcess {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut child = rushhour()
            .args(["sandbox", "--port", "0", "--concurrency", "20000"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary was built");
        let stdout = child.stdout.take().expect("it is piped");
        let mut environment = Vec::new();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((name, value)) = line.split_once('=') {
                environment.push((name.to_owned(), value.to_owned()));
                if name == "CEKURA_API_KEY" {
                    break;
                }
            }
        }
        Self { child, environment }
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.environment.iter().find(|(key, _)| key == name);
        &found.expect("the sandbox prints it").1
    }
}

impl Drop for SandboxProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the exit of a process; returns its peak resident memory in bytes (`man 5 proc`, `VmHWM`).
pub(crate) fn wait_for_peak_memory(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Ok(text) = fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:"))
        {
            let kilobytes = line.split_whitespace().nth(1).and_then(|n| n.parse().ok());
            peak = peak.max(kilobytes.unwrap_or(0) * 1024);
        }
        if child.try_wait().expect("it was started").is_some() {
            return peak;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command so many times, with its output discarded; returns the shortest time in seconds and the peak memory of
/// all in bytes.
pub(crate) fn best_time_and_peak_memory(times: u32, command: impl Fn() -> Command) -> (f64, u64) {
    let (mut best, mut peak) = (f64::MAX, 0);
    for _ in 0..times {
        let start = Instant::now();
        let mut child = command().stdout(Stdio::null()).spawn().expect("the binary was built");
        peak = peak.max(wait_for_peak_memory(&mut child));
        best = best.min(start.elapsed().as_secs_f64());
    }
    (best, peak)
}

/// The folder of the only session in a folder of reports.
pub(crate) fn only_session(reports: &Path) -> std::path::PathBuf {
    fs::read_dir(reports)
        .expect("a session was run")
        .next()
        .expect("a session was run")
        .expect("an entry can be read")
        .path()
}

/// Megabytes with one decimal.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
