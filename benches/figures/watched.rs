//! What it costs a session to be watched: `cargo bench --bench figures -- watched`, about ten minutes; `watched-page` has only
//! the page's thread. Two viewers follow the page and read all of it, one never reads, and metrics are scraped ten times a
//! second.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::schedule::{percentile_ms, profile};
use super::support::{SandboxProcess, figure, only_session, rushhour};

/// Clock ticks a second in `/proc` (`sysconf(_SC_CLK_TCK)`), on every Linux.
const TICKS: f64 = 100.0;

pub(crate) fn figures() {
    lag();
    processor();
}

/// Sessions of 50 starts a second with 1,000 in flight, with and without those who watch. They alternate, and either kind
/// comes first as often, so that what else the machine does meanwhile does the same to both.
fn lag() {
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    for watched_first in [false, true, false, true] {
        for is_watched in [watched_first, !watched_first] {
            let run = run("50/s", 1_500, 1_500, "18s", is_watched);
            if is_watched {
                watched.push(run);
            } else {
                alone.push(run);
            }
        }
    }
    let (alone_lag, watched_lag) = (Lags::of(&alone), Lags::of(&watched));
    let peak = &watched[0].summary["generator"]["in_flight_peak"];
    figure(
        &format!("schedule lag p99 watched, {peak} in flight, median of 4"),
        &format!("{:.2} ms", watched_lag.median),
        &format!("<= {:.2} ms, alone", alone_lag.highest),
        // Not above what the same session has without anybody who watches.
        watched_lag.median <= alone_lag.highest,
    );
    figure("  each, watched", &watched_lag.shown, "-", true);
    figure("  each, alone", &alone_lag.shown, "-", true);
    let fewest = |count: fn(&WatchedRun) -> u64| watched.iter().map(count).min().unwrap_or(0);
    let (pages, scrapes) = (fewest(|run| run.pages), fewest(|run| run.scrapes));
    figure("  pages read, by both viewers, at least", &pages.to_string(), "> 40", pages > 40);
    figure("  answers to scrapes, at least", &scrapes.to_string(), "> 200", scrapes > 200);
}

/// The 99th percentile of schedule lag of several sessions, in milliseconds.
struct Lags {
    median: f64,
    highest: f64,
    shown: String,
}

impl Lags {
    fn of(runs: &[WatchedRun]) -> Self {
        let p99 = |run: &WatchedRun| percentile_ms(&run.summary, "schedule_lag", "p99");
        let mut all: Vec<f64> = runs.iter().map(p99).collect();
        all.sort_by(f64::total_cmp);
        let middle = all.len() / 2;
        let shown = all.iter().map(|lag| format!("{lag:.2}")).collect::<Vec<_>>().join(" ");
        Self {
            median: f64::midpoint(all[middle - 1], all[middle]),
            highest: all[all.len() - 1],
            shown: format!("{shown} ms"),
        }
    }
}

/// The processor time of the page's thread with 10,000 runs in flight.
pub(crate) fn processor() {
    let run = run("200/s", 10_000, 12_000, "60s", true);
    let share = run.live_seconds / run.seconds;
    let peak = &run.summary["generator"]["in_flight_peak"];
    figure(
        &format!("the page's thread with {peak} runs in flight"),
        &format!("{:.1} % of a core", share * 100.0),
        "< 2 %",
        share < 0.02,
    );
    figure("  pages read, by both viewers", &run.pages.to_string(), "-", true);
}

struct WatchedRun {
    summary: Value,
    /// How long the session took.
    seconds: f64,
    /// The processor time of the thread that serves the page.
    live_seconds: f64,
    pages: u64,
    scrapes: u64,
}

fn run(rate: &str, copies: u32, in_flight: u32, lasts: &str, is_watched: bool) -> WatchedRun {
    let sandbox = SandboxProcess::start(&["--conversation", lasts]);
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let path = folder.path().join("bench.toml");
    fs::write(&path, profile(&sandbox, rate, copies, in_flight)).expect("a file can be written");
    let reports = folder.path().join("reports");
    let mut command = rushhour();
    command.arg("run").arg(&path).args(["--quiet", "--yes", "--out"]).arg(&reports);
    if is_watched {
        command.args(["--live", "127.0.0.1:0"]);
    }
    command.envs(sandbox.environment.clone()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().expect("the binary was built");
    let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut lines = stderr.lines().map_while(Result::ok);
    let watchers = is_watched.then(|| {
        const PLACE: &str = "can be watched at http://";
        let line = lines.find(|line| line.contains(PLACE)).expect("it says where the page is");
        let (_, rest) = line.split_once(PLACE).expect("it was found by this");
        Watchers::start(rest.trim().trim_end_matches('/'))
    });
    // What is printed must not fill the pipe.
    let rest = thread::spawn(move || lines.for_each(drop));
    let live_seconds = wait_for_live_seconds(&mut child);
    let seconds = start.elapsed().as_secs_f64();
    rest.join().expect("reading does not panic");
    let summary = fs::read(only_session(&reports).join("summary.json")).expect("a summary");
    let (pages, scrapes) = watchers.map_or((0, 0), Watchers::stop);
    let summary = serde_json::from_slice(&summary).expect("it is JSON");
    WatchedRun { summary, seconds, live_seconds, pages, scrapes }
}

/// Waits for the exit of a process; returns the processor time of its thread `live` in seconds.
fn wait_for_live_seconds(child: &mut Child) -> f64 {
    let tasks = format!("/proc/{}/task", child.id());
    let mut used: f64 = 0.0;
    while child.try_wait().expect("it was started").is_none() {
        for task in fs::read_dir(&tasks).into_iter().flatten().flatten() {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let Some((name, fields)) = stat.rsplit_once(')') else { continue };
            if name.ends_with("(live") {
                let fields = fields.split_whitespace().skip(11).take(2);
                let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
                used = used.max(ticks / TICKS);
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    used
}

/// Those who watch a session.
struct Watchers {
    is_over: Arc<AtomicBool>,
    pages: Arc<AtomicU64>,
    scrapes: Arc<AtomicU64>,
    threads: Vec<thread::JoinHandle<()>>,
    _never_reads: TcpStream,
}

impl Watchers {
    fn start(address: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (pages, scrapes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let ask = |path: &str| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("it reads");
            stream
        };
        let mut threads = Vec::new();
        for _ in 0..2 {
            let (stream, pages) = (BufReader::new(ask("/events")), Arc::clone(&pages));
            threads.push(thread::spawn(move || {
                let events = stream.lines().map_while(Result::ok);
                let drawn = events.filter(|line| line.contains("event: parts")).count();
                pages.fetch_add(drawn as u64, Ordering::Relaxed);
            }));
        }
        let never_reads = ask("/events");
        let (over, answered, address) = (is_over.clone(), scrapes.clone(), address.to_owned());
        threads.push(thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect(&address) else { return };
                let request = format!(
                    "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
                );
                let mut answer = String::new();
                let asked = stream.write_all(request.as_bytes());
                if asked.is_ok() && stream.read_to_string(&mut answer).is_ok() {
                    let is_metrics = answer.contains("rushhour_info");
                    answered.fetch_add(u64::from(is_metrics), Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(100));
            }
        }));
        Self { is_over, pages, scrapes, threads, _never_reads: never_reads }
    }

    /// The pages that were read, and the scrapes that were answered.
    fn stop(self) -> (u64, u64) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a watcher does not panic");
        }
        (self.pages.load(Ordering::Relaxed), self.scrapes.load(Ordering::Relaxed))
    }
}
