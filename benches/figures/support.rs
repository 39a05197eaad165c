//! What the benches share: processes that are watched, and figures that are printed with their targets.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Prints a figure beside its target.
pub(crate) fn figure(what: &str, value: &str, target: &str, holds: bool) {
    let word = if holds { "holds" } else { "MISSED" };
    println!("{what:<58} {value:>18}   target {target:<22} {word}");
}

/// The binary under test.
pub(crate) fn rushhour() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rushhour"));
    command.env_clear();
    command
}

/// A sandbox in a process of its own, and the environment that leads to it.
pub(crate) struct Served {
    child: Child,
    pub(crate) environment: Vec<(String, String)>,
}

impl Served {
    pub(crate) fn start_with(more: &[&str]) -> Self {
        let mut child = rushhour()
            .args(["sandbox", "--port", "0", "--concurrency", "20000"])
            .args(more)
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

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a process and gives the most memory it ever held, in bytes.
pub(crate) fn watch_memory(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        if let Ok(text) = fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:"))
        {
            let kilobytes = line.split_whitespace().nth(1).and_then(|n| n.parse().ok());
            most = most.max(kilobytes.unwrap_or(0) * 1024);
        }
        if child.try_wait().expect("it was started").is_some() {
            return most;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The one session in a folder of reports.
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
