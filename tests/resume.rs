//! `rushhour resume`: sessions whose process is killed, again and again, against a sandbox that lives on.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use rushhour_core::event::EventKind;
use rushhour_core::units::Micros;
use rushhour_report::journal::JournalReader;
use rushhour_sandbox::{DelayDistribution, Sandbox, SandboxConfig, TruthLog};

use crate::support::{
    HostileServer, RunningCommand, Rushhour, Session, SplitMix64, TestDir, Truth, count_events,
    side_by_side, wait_for_events, wait_until,
};

/// A sandbox in this process, which survives every kill, and a folder for the session.
struct Fixture {
    dir: TestDir,
    sandbox: Sandbox,
    truth: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let dir = TestDir::new();
        let truth = dir.path().join("truth.jsonl");
        let mut config =
            SandboxConfig { truth_log: TruthLog::File(truth.clone()), ..SandboxConfig::default() };
        config.times.cekura.chat = DelayDistribution::Fixed(Micros::from_millis(1_500));
        config.times.cekura.queue = DelayDistribution::Fixed(Micros::from_millis(200));
        config.times.cekura.judging = DelayDistribution::Fixed(Micros::from_millis(200));
        let sandbox = Sandbox::start(config, 0).expect("a port is free");
        Self { dir, sandbox, truth }
    }

    fn write_profile(&self, runs: u64, stages: &str) {
        let (livekit, cekura) = (self.sandbox.livekit_url(), self.sandbox.url());
        let copies = if runs > 0 { format!("copies = {runs}") } else { String::new() };
        let profile = format!(
            r#"
name = "mortal"
mode = "chat"
[livekit]
url = "{livekit}"
agent = "front-desk"
[evaluator]
url = "{cekura}"
poll_every = "500ms"
[[scenario]]
id = 30
{copies}
lasts = "1s"
{stages}
[limits]
requests = "100/s"
polls = "20/s"
looks = "400/s"
in_flight = 1000
run_timeout = "20s"
watch_unknown = "3s"
"#
        );
        self.dir.write("profile.toml", &profile);
    }

    fn rushhour(&self, arguments: &[&str]) -> Rushhour {
        self.dir
            .rushhour(arguments)
            .env("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
            .env("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
            .env("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY)
    }

    /// Starts the session, and waits until it has a journal.
    fn start(&self) -> RunningCommand {
        let running = self.rushhour(&["run", "profile.toml", "--quiet", "--yes"]).start();
        self.dir.wait_for_session();
        running
    }

    fn folder(&self) -> PathBuf {
        self.dir.sessions().remove(0)
    }

    fn journal_bytes(&self) -> Vec<u8> {
        fs::read(self.folder().join("journal.jsonl")).expect("there is a journal")
    }

    fn resume(&self, options: &[&str]) -> Rushhour {
        let folder = self.dir.session_argument();
        self.rushhour(&[&["resume", &*folder, "--quiet", "--trust-hosts"], options].concat())
    }

    /// Stops the sandbox, so that its log is complete.
    fn end(self) -> (Session, Truth, TestDir) {
        let folder = self.folder();
        self.sandbox.stop();
        (Session::open(&folder), Truth::read(&self.truth), self.dir)
    }
}

/// What holds for every session that was killed, whatever was lost.
fn check(session: &Session, truth: &Truth, planned: Option<u64>) {
    assert_eq!(session.summary["closed"], true);
    let names: HashSet<&str> = session.runs.iter().map(|run| run.text("run")).collect();
    assert_eq!(names.len(), session.runs.len(), "every run has one line");
    if let Some(planned) = planned {
        assert_eq!(names.len() as u64, planned, "every planned run has a line");
    }
    assert_eq!(session.count("/runs/open"), 0);
    assert_eq!(truth.submitted_twice(), [] as [String; 0], "nothing paid is sent twice");
    assert_eq!(truth.rooms_left(), HashSet::new(), "no room is left");
    let accepted: HashSet<String> = truth.entries().into_iter().map(|entry| entry.room).collect();
    let mut completed = 0;
    for run in &session.runs {
        let was_accepted = accepted.contains(run.text("room"));
        match (run.text("outcome"), run.text("failure_class")) {
            ("completed", _) => {
                completed += 1;
                assert!(was_accepted, "{run:?} completed and was never accepted");
            }
            ("failed", "submit_unknown") => {}
            ("failed", "generator_fault") | ("not_started", _) => {
                assert!(!was_accepted, "{run:?} was accepted and is reported otherwise");
            }
            _ => panic!("without faults there is no other outcome: {run:?}"),
        }
    }
    assert_eq!(session.count("/runs/completed"), completed);
    for resumption in session.summary["resumptions"].as_array().expect("a list") {
        let unwatched = resumption["unwatched_us"].as_u64().expect("it is measured");
        assert!(unwatched > 0, "{resumption}");
    }
}

/// Sessions that are killed at the same time; they mostly wait.
const AT_ONCE: usize = 5;

/// Runs a session for each of these seeds, all at once, and adds up what [`run_and_kill`] returns.
fn run_and_kill_several(
    seeds: impl Iterator<Item = u64>,
    kills: u32,
    runs: u64,
) -> BTreeMap<String, u64> {
    let seeds: Vec<u64> = seeds.collect();
    let mut all = BTreeMap::new();
    for found in side_by_side(&seeds, seeds.len(), |seed| run_and_kill(*seed, kills, runs)) {
        for (name, count) in found {
            *all.entry(name).or_default() += count;
        }
    }
    all
}

/// Runs a session and kills it up to `kills` times, each time after a random number of further journal lines.
/// Returns how many runs failed in which class, and under `kills` how often it was killed.
fn run_and_kill(seed: u64, kills: u32, runs: u64) -> BTreeMap<String, u64> {
    let fixture = Fixture::new();
    let mut rng = SplitMix64::new(seed);
    fixture.write_profile(runs, "[[stage]]\nrate = \"10/s\"");
    let mut running = fixture.start();
    let lines = || line_ends(&fixture.journal_bytes()).len();
    let closed = || count_events(&fixture.folder(), "closed") > 0;
    let mut killed = 0_u32;
    for _ in 0..kills {
        let until = lines() + rng.index(usize::try_from(runs).expect("it is small"));
        wait_until("the journal grows", || lines() >= until || closed());
        if closed() {
            break;
        }
        running.signal("KILL");
        running.finish();
        killed += 1;
        running = fixture.resume(&["--yes"]).start();
    }
    running.finish();
    // The last kill may have come between the end and the reports.
    fixture.resume(&["--yes"]).run().expect_exit(0);
    fixture.dir.rushhour(&["report", &fixture.dir.session_argument()]).run();
    let (session, truth, _dir) = fixture.end();
    check(&session, &truth, Some(runs));
    let resumptions = session.summary["resumptions"].as_array().expect("a list").len();
    // A process that was killed before it wrote anything resumed nothing.
    assert!(resumptions as u64 <= u64::from(killed), "{resumptions} of {killed}");
    assert!(resumptions > 0, "no resumption is reported");
    let mut found = session.tally("failure_class");
    found.insert("kills".to_owned(), u64::from(killed));
    found
}

#[test]
fn however_often_it_is_killed_nothing_is_lost_and_nothing_is_paid_twice() {
    let all = run_and_kill_several(1..=3, 4, 40);
    assert!(all["kills"] >= 9, "{all:?}");
}

#[test]
#[ignore = "takes two minutes: cargo test --test integration three_hundred -- --ignored --nocapture"]
fn killed_three_hundred_times() {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for first in (100..).step_by(AT_ONCE) {
        for (name, count) in run_and_kill_several(first..first + AT_ONCE as u64, 12, 120) {
            *all.entry(name).or_default() += count;
        }
        if all["kills"] >= 300 {
            break;
        }
    }
    let shown = format!("{all:?}; runs without a class completed\n");
    std::io::stdout().write_all(shown.as_bytes()).expect("somebody reads it");
}

#[test]
fn a_folder_has_one_owner_and_a_finished_session_is_not_resumed() {
    let fixture = Fixture::new();
    fixture.write_profile(10, "[[stage]]\nrate = \"5/s\"");
    let running = fixture.start();
    fixture.resume(&[]).run().expect_exit(2).expect_stderr("another process writes it");
    running.finish();
    let before = Session::open(&fixture.folder()).files();
    let ran = fixture.resume(&[]).run().expect_exit(0);
    assert!(
        ran.stdout.contains("The session has ended: there is nothing to resume"),
        "{}",
        ran.stdout
    );
    assert_eq!(Session::open(&fixture.folder()).files(), before);
}

#[test]
fn with_finish_only_nothing_more_is_started_and_reports_are_reproduced() {
    let fixture = Fixture::new();
    let hook = HostileServer::start(|_| (200, Vec::new()));
    let notify = format!("[notify]\nurl = \"http://{}/hook\"", hook.address());
    fixture.write_profile(200, &format!("[[stage]]\nrate = \"10/s\"\n{notify}"));
    let running = fixture.start();
    wait_for_events(&fixture.folder(), "ended", 3);
    running.signal("KILL");
    running.finish();
    let journal = fixture.folder().join("journal.jsonl");
    let started = count_events(&fixture.folder(), "run_started");
    // As if it had been killed in the middle of a line.
    let mut bytes = fixture.journal_bytes();
    bytes.extend_from_slice(b"{\"t\":123,\"e\":");
    fs::write(&journal, &bytes).expect("it can be written");
    // Runs that are still to start need consent to their price; runs under way have it.
    let asked = fixture.resume(&[]).run().expect_exit(2);
    assert!(asked.stderr.contains("above bill.ask_above"), "{}", asked.stderr);
    assert!(asked.stderr.contains("start nothing more with --finish-only"), "{}", asked.stderr);
    assert_eq!(fixture.journal_bytes(), bytes, "nothing was changed");
    let ran = fixture.resume(&["--finish-only"]).run().expect_exit(105);
    assert!(
        ran.stderr.contains("An incomplete last line of 13 bytes was cut off"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("was not observed for"), "{}", ran.stdout);
    let before = Session::open(&fixture.folder()).files();
    fixture.dir.rushhour(&["report", &fixture.dir.session_argument()]).run().expect_exit(105);
    assert_eq!(Session::open(&fixture.folder()).files(), before, "byte for byte");
    let (session, truth, _dir) = fixture.end();
    check(&session, &truth, Some(200));
    assert_eq!(session.count("/runs/started"), started as u64);
    assert_eq!(session.summary.pointer("/resumptions/0/torn_bytes"), Some(&13.into()));
    let told = hook.received();
    assert_eq!(told.len(), 1, "the end is told once");
    let (_, body) = told[0].split_once("\r\n\r\n").expect("it has a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    assert_eq!(body, session.summary);
}

#[test]
fn a_hold_stage_goes_on_after_a_resumption() {
    let fixture = Fixture::new();
    let hook = HostileServer::start(|_| (200, Vec::new()));
    let notify = format!("[notify]\nurl = \"http://{}/hook\"", hook.address());
    let stages = "[[stage]]\nhold = 6\nlasts = \"8s\"\n[[stage]]\nname = \"burst\"\nburst = 4";
    fixture.write_profile(0, &format!("{stages}\n{notify}"));
    let running = fixture.start();
    wait_for_events(&fixture.folder(), "ended", 1);
    running.signal("KILL");
    running.finish();
    // The servers are named, and the webhook is not: whoever wrote the journal chose it.
    fixture
        .rushhour(&["resume", &fixture.dir.session_argument(), "--quiet"])
        .env("LIVEKIT_URL", &fixture.sandbox.livekit_url())
        .env("CEKURA_API_URL", &fixture.sandbox.url())
        .run()
        .expect_exit(0)
        .expect_stderr("Nobody was told of the end: only the journal names the webhook");
    assert_eq!(hook.received(), [] as [String; 0]);
    let (session, truth, _dir) = fixture.end();
    check(&session, &truth, None);
    assert_eq!(session.tally("stage")["burst"], 4);
    let gap = session.count("/resumptions/0/unwatched_us");
    for run in session.runs.iter().filter(|run| run.text("stage") == "burst") {
        assert_eq!(run.number("intended_us"), Some(8_000_000 + gap), "{run:?}");
        // The time without a process moves the schedule, and is not counted as lag.
        let lag = run.number("schedule_lag_us").expect("it was started");
        assert_eq!(run.number("started_us"), Some(8_000_000 + gap + lag), "{run:?}");
    }
}

/// In the line of each answer to a submission.
const ANSWER: &[u8] = b"{\"submitted\":";

/// Where the lines of a journal end.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect()
}

#[test]
fn a_journal_cut_anywhere_in_its_last_lines_is_resumed_to_the_same_totals() {
    let fixture = Fixture::new();
    fixture.write_profile(8, "[[stage]]\nburst = 8");
    fixture.start().finish().expect_exit(0);
    let journal = fixture.folder().join("journal.jsonl");
    let bytes = fixture.journal_bytes();
    let whole = Session::open(&fixture.folder()).summary["runs"].clone();
    let ends = line_ends(&bytes);
    // Without the answer to its submission, a run's outcome would be another one.
    let answers = bytes.windows(ANSWER.len()).filter(|text| *text == ANSWER).count();
    assert_eq!(answers, 8, "one answer for each run");
    let last_answer =
        bytes.windows(ANSWER.len()).rposition(|text| text == ANSWER).expect("there are some");
    let first = ends.iter().position(|end| *end > last_answer).expect("its line ends");
    let tail = &ends[first.max(ends.len() - 21)..];
    assert!(tail.len() > 4, "{} lines after the last answer", tail.len());
    // The reader is tried at every byte of these lines, the binary in the middle of every other line.
    for cut in tail[0]..bytes.len() {
        let (_, torn) =
            JournalReader::new(&bytes[..cut]).read_all().expect("a torn line is no damage");
        assert_eq!(torn.is_none(), ends.contains(&cut), "cut at {cut}");
    }
    let mut rng = SplitMix64::new(7);
    for line in tail.windows(2).step_by(2) {
        let cut = line[0] + rng.index(line[1] - line[0]);
        fs::write(&journal, &bytes[..cut]).expect("it can be written");
        fixture.resume(&[]).run().expect_exit(0);
        let session = Session::open(&fixture.folder());
        assert_eq!(session.summary["runs"], whole, "cut at {cut}");
        let events = fixture.journal_bytes();
        let (events, torn) = JournalReader::new(&events[..]).read_all().expect("it is complete");
        assert_eq!(torn, None);
        let ended =
            |event: &&rushhour_core::event::Event| matches!(event.kind, EventKind::Ended { .. });
        assert_eq!(events.iter().filter(ended).count(), 8, "cut at {cut}");
    }
}

#[test]
fn a_damaged_journal_is_refused_with_the_line() {
    let fixture = Fixture::new();
    fixture.write_profile(3, "[[stage]]\nburst = 3");
    fixture.start().finish().expect_exit(0);
    let journal = fixture.folder().join("journal.jsonl");
    let bytes = fixture.journal_bytes();
    let ends = line_ends(&bytes);
    let mut rng = SplitMix64::new(11);
    for _ in 0..12 {
        let at = ends[0] + rng.index(ends[ends.len() - 2] - ends[0]);
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << rng.below(8);
        fs::write(&journal, &damaged).expect("it can be written");
        let line = ends.iter().filter(|end| **end <= at).count() + 1;
        let position = format!("line {line} of the journal");
        fixture.resume(&[]).run().expect_exit(2).expect_stderr(&position);
        assert_eq!(fixture.journal_bytes(), damaged, "nothing was changed");
    }
}
