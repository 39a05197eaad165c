//! `rushhour resume`: sessions whose process is killed, again and again, against stand-ins that live on.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rushhour_core::event::EventKind;
use rushhour_core::units::Micros;
use rushhour_report::journal::JournalReader;
use rushhour_sandbox::{DelayDistribution, Sandbox, SandboxConfig, TruthLog};

use crate::support::{Running, Rushhour, Session, Truth, Workplace};

/// Random numbers of the tests' own, the same everywhere (SplitMix64).
struct Moments(u64);

impl Moments {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (n ^ (n >> 31)) % bound
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is below a usize")
    }
}

/// Stand-ins in this process, which no death of a session touches, and a place for the session.
struct Scene {
    workplace: Workplace,
    sandbox: Sandbox,
    truth: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let workplace = Workplace::new();
        let truth = workplace.path().join("truth.jsonl");
        let mut config =
            SandboxConfig { truth_log: TruthLog::File(truth.clone()), ..SandboxConfig::default() };
        config.times.cekura.chat = DelayDistribution::Fixed(Micros::from_millis(1_500));
        config.times.cekura.queue = DelayDistribution::Fixed(Micros::from_millis(200));
        config.times.cekura.judging = DelayDistribution::Fixed(Micros::from_millis(200));
        let sandbox = Sandbox::start(config, 0).expect("a free port is always to be had");
        Self { workplace, sandbox, truth }
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
        self.workplace.write("profile.toml", &profile);
    }

    fn rushhour(&self, words: &[&str]) -> Rushhour {
        self.workplace
            .rushhour(words)
            .with("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
            .with("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
            .with("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY)
    }

    fn run(&self) -> Running {
        self.rushhour(&["run", "profile.toml", "--quiet", "--yes"]).start()
    }

    fn folder(&self) -> PathBuf {
        self.workplace.sessions().remove(0)
    }

    fn resume(&self, more: &[&str]) -> Rushhour {
        let folder = self.folder().display().to_string();
        let mut words = vec!["resume", &folder, "--quiet"];
        words.extend(more);
        self.rushhour(&words)
    }

    /// Ends the stand-ins, so that their log is whole.
    fn end(self) -> (Session, Truth, Workplace) {
        let folder = self.folder();
        self.sandbox.stop();
        (Session::open(&folder), Truth::read(&self.truth), self.workplace)
    }
}

/// Whether a session has something in its journal that a resumption can begin with.
fn has_begun(folder: &Path) -> bool {
    fs::read(folder.join("journal.jsonl")).is_ok_and(|bytes| bytes.contains(&b'\n'))
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not within 20 s: {what}");
}

/// What has to hold of a session that died, whatever was lost.
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
                assert!(!was_accepted, "{run:?} was accepted and is told otherwise");
            }
            _ => panic!("without faults nothing else can become of it: {run:?}"),
        }
    }
    assert_eq!(session.count("/runs/completed"), completed);
    for resumption in session.summary["resumptions"].as_array().expect("a list") {
        assert!(resumption["unwatched_us"].as_u64() > Some(0), "{resumption}");
    }
}

/// One session of so many runs, killed so often at random moments; gives what it came to.
fn die(seed: u64, kills: u32, runs: u64) -> BTreeMap<String, u64> {
    let scene = Scene::new();
    let mut moments = Moments(seed);
    scene.write_profile(runs, "[[stage]]\nrate = \"10/s\"");
    let mut running = scene.run();
    wait_until("the session has begun", || {
        scene.workplace.sessions().first().is_some_and(|folder| has_begun(folder))
    });
    let mut killed = 0_u32;
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(moments.below(1_500)));
        if fs::read_to_string(scene.folder().join("journal.jsonl"))
            .is_ok_and(|journal| journal.contains("\"closed\""))
        {
            break;
        }
        running.signal("KILL");
        running.finish();
        killed += 1;
        running = scene.resume(&["--yes"]).start();
    }
    running.finish();
    // The last kill may have come between the end and the reports.
    scene.resume(&["--yes"]).run().ended_with(0);
    let folder = scene.folder().display().to_string();
    scene.workplace.rushhour(&["report", &folder]).run();
    let (session, truth, _workplace) = scene.end();
    check(&session, &truth, Some(runs));
    let resumptions = session.summary["resumptions"].as_array().expect("a list").len();
    // A process that was killed before it could say so resumed nothing.
    assert!(resumptions as u64 <= u64::from(killed), "{resumptions} of {killed}");
    let mut found = session.tally("failure_class");
    found.insert("kills".to_owned(), u64::from(killed));
    found
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_is_paid_for_twice() {
    let kills: u64 = (1..=3).map(|seed| die(seed, 4, 40)["kills"]).sum();
    assert!(kills >= 9, "{kills} kills");
}

#[test]
#[ignore = "takes a quarter of an hour: cargo test --test integration -- --ignored three_hundred --nocapture"]
fn killed_three_hundred_times() {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 100.. {
        for (name, count) in die(seed, 12, 120) {
            *all.entry(name).or_default() += count;
        }
        if all["kills"] >= 300 {
            break;
        }
    }
    let shown = format!("{all:?}; an empty class is a run that completed\n");
    std::io::stdout().write_all(shown.as_bytes()).expect("somebody reads it");
}

#[test]
fn a_folder_has_one_owner_and_what_is_over_is_not_resumed() {
    let scene = Scene::new();
    scene.write_profile(10, "[[stage]]\nrate = \"5/s\"");
    let running = scene.run();
    wait_until("it runs", || {
        scene.workplace.sessions().first().is_some_and(|folder| has_begun(folder))
    });
    scene.resume(&[]).run().ended_with(2).complaining("another process is writing it");
    running.finish();
    let before = Session::open(&scene.folder()).files();
    let ran = scene.resume(&[]).run().ended_with(0);
    assert!(ran.out.contains("came to its end: there is nothing to resume"), "{}", ran.out);
    assert_eq!(Session::open(&scene.folder()).files(), before);
}

#[test]
fn with_finish_only_nothing_more_is_started_and_reports_stay_the_same() {
    let scene = Scene::new();
    scene.write_profile(200, "[[stage]]\nrate = \"10/s\"");
    let running = scene.run();
    std::thread::sleep(Duration::from_millis(3_500));
    running.signal("KILL");
    running.finish();
    let journal = scene.folder().join("journal.jsonl");
    let started = fs::read_to_string(&journal).expect("it is there").matches("run_started").count();
    // A death in the middle of a line.
    let mut bytes = fs::read(&journal).expect("it is there");
    bytes.extend_from_slice(b"{\"t\":123,\"e\":");
    fs::write(&journal, &bytes).expect("it can be written");
    // What is still to start has its price; what is under way was agreed to.
    let asked = scene.resume(&[]).run().ended_with(2);
    assert!(asked.err.contains("above bill.ask_above"), "{}", asked.err);
    assert!(asked.err.contains("start nothing more with --finish-only"), "{}", asked.err);
    assert_eq!(fs::read(&journal).expect("it is there"), bytes, "nothing was changed");
    let ran = scene.resume(&["--finish-only"]).run().ended_with(105);
    assert!(ran.err.contains("13 bytes of half a line were cut off"), "{}", ran.err);
    assert!(ran.out.contains("nobody watched for"), "{}", ran.out);
    let before = Session::open(&scene.folder()).files();
    let folder = scene.folder().display().to_string();
    scene.workplace.rushhour(&["report", &folder]).run().ended_with(105);
    assert_eq!(Session::open(&scene.folder()).files(), before, "byte for byte");
    let (session, truth, _workplace) = scene.end();
    check(&session, &truth, Some(200));
    assert_eq!(session.count("/runs/started"), started as u64);
    assert_eq!(session.summary.pointer("/resumptions/0/torn_bytes"), Some(&13.into()));
}

#[test]
fn a_hold_stage_is_held_on() {
    let scene = Scene::new();
    scene.write_profile(
        0,
        "[[stage]]\nhold = 6\nlasts = \"6s\"\n[[stage]]\nname = \"burst\"\nburst = 4",
    );
    let running = scene.run();
    std::thread::sleep(Duration::from_millis(3_500));
    running.signal("KILL");
    running.finish();
    std::thread::sleep(Duration::from_secs(2));
    scene.resume(&[]).run().ended_with(0);
    let (session, truth, _workplace) = scene.end();
    check(&session, &truth, None);
    assert_eq!(session.tally("stage")["burst"], 4);
    let gap = session.count("/resumptions/0/unwatched_us");
    let bursts = session.runs.iter().filter(|run| run.text("stage") == "burst");
    for run in bursts {
        assert_eq!(run.number("intended_us"), Some(6_000_000 + gap), "{run:?}");
        assert!(run.number("schedule_lag_us") < Some(1_000_000), "the death is no lag: {run:?}");
    }
}

/// Where the lines of a journal end.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect()
}

#[test]
fn cut_anywhere_in_its_last_records_it_comes_to_the_same_total() {
    let scene = Scene::new();
    scene.write_profile(8, "[[stage]]\nburst = 8");
    scene.run().finish().ended_with(0);
    let journal = scene.folder().join("journal.jsonl");
    let bytes = fs::read(&journal).expect("it is there");
    let whole = Session::open(&scene.folder()).summary["runs"].clone();
    let ends = line_ends(&bytes);
    let tail = &ends[ends.len() - 21..];
    // Every byte of them, as a reader sees it; the process itself in the middle of every other line.
    for cut in tail[0]..bytes.len() {
        let (_, torn) = JournalReader::new(&bytes[..cut]).read_all().expect("cut is not damaged");
        assert_eq!(torn.is_none(), ends.contains(&cut), "cut at {cut}");
    }
    let mut moments = Moments(7);
    for line in tail.windows(2).step_by(2) {
        let cut = line[0] + moments.index(line[1] - line[0]);
        fs::write(&journal, &bytes[..cut]).expect("it can be written");
        scene.resume(&[]).run().ended_with(0);
        let session = Session::open(&scene.folder());
        assert_eq!(session.summary["runs"], whole, "cut at {cut}");
        let events = fs::read(&journal).expect("it is there");
        let (events, torn) = JournalReader::new(&events[..]).read_all().expect("it is whole");
        assert_eq!(torn, None);
        let ended =
            |event: &&rushhour_core::event::Event| matches!(event.kind, EventKind::Ended { .. });
        assert_eq!(events.iter().filter(ended).count(), 8, "cut at {cut}");
    }
}

#[test]
fn a_damaged_journal_is_refused_with_its_place() {
    let scene = Scene::new();
    scene.write_profile(3, "[[stage]]\nburst = 3");
    scene.run().finish().ended_with(0);
    let journal = scene.folder().join("journal.jsonl");
    let bytes = fs::read(&journal).expect("it is there");
    let ends = line_ends(&bytes);
    let mut moments = Moments(11);
    for _ in 0..12 {
        let at = ends[0] + moments.index(ends[ends.len() - 2] - ends[0]);
        let mut broken = bytes.clone();
        broken[at] ^= 1 << moments.below(8);
        fs::write(&journal, &broken).expect("it can be written");
        let line = ends.iter().filter(|end| **end <= at).count() + 1;
        let words = format!("line {line} of the journal");
        scene.resume(&[]).run().ended_with(2).complaining(&words);
        assert_eq!(fs::read(&journal).expect("it is there"), broken, "nothing was changed");
    }
}
