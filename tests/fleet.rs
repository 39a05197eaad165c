//! One session over several machines: real workers, the real nats-server and the real livekit-server. Whatever is
//! killed, every run has one outcome, nobody joins twice, and no room is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::native_callers::{journal_values, profile, start_agent, test_dir};
use crate::support::{
    CommandOutput, LiveKitServer, NatsServer, RunningCommand, Rushhour, Session, SplitMix64,
    TestDir, count_events, count_facts, wait_for_events, wait_until,
};

/// A LiveKit server with an agent, and a NATS server with workers.
pub(crate) struct Machines {
    pub(crate) dir: TestDir,
    pub(crate) server: LiveKitServer,
    nats: NatsServer,
    agent: RunningCommand,
    workers: Vec<Worker>,
}

struct Worker {
    id: String,
    process: RunningCommand,
}

/// Starts a worker, and waits until it can be found.
fn start_worker(dir: &TestDir, nats: &NatsServer, options: &[&str]) -> Worker {
    let url = nats.url();
    let arguments = [&["worker", &url, "--capacity", "50"], options].concat();
    let (process, printed) = dir.rushhour(&arguments).start_until("Worker ");
    let id = printed.split_whitespace().nth(1).expect("it prints its id").to_owned();
    Worker { id, process }
}

impl Machines {
    pub(crate) fn start(workers: usize, agent: &[&str]) -> Self {
        let dir = test_dir();
        let server = LiveKitServer::start(dir.path());
        let nats = NatsServer::start(dir.path());
        let agent = start_agent(&dir, &server, agent);
        let workers = (0..workers).map(|_| start_worker(&dir, &nats, &[])).collect();
        Self { dir, server, nats, agent, workers }
    }

    /// A profile of conversations on all of the workers.
    fn write_profile(&self, mode: &str, copies: u32, rate: &str, lease: &str) {
        self.write(&profile(&self.server, mode, copies, rate), lease);
    }

    /// Writes a profile whose callers are on all of the workers.
    pub(crate) fn write(&self, profile: &str, lease: &str) {
        let workers = format!(
            "[workers]\nnats = \"{}\"\nat_least = {}\nlease = \"{lease}\"\n",
            self.nats.url(),
            self.workers.len()
        );
        self.dir.write("profile.toml", &(profile.to_owned() + &workers));
    }

    pub(crate) fn run(&self) -> Rushhour {
        self.server.with_keys(self.dir.rushhour(&["run", "profile.toml", "--quiet"]))
    }

    fn resume(&self, options: &[&str]) -> Rushhour {
        let folder = self.dir.session_argument();
        let arguments = [&["resume", &*folder, "--quiet", "--trust-hosts"], options].concat();
        self.server.with_keys(self.dir.rushhour(&arguments))
    }

    /// How many callers of a session were heard of in their room by the agent.
    fn heard(&self, fact: &str) -> usize {
        count_facts(&self.dir.path().join("truth.jsonl"), fact)
    }

    /// Stops everything, and checks what holds for every session, whatever was killed.
    pub(crate) fn end(self, planned: u64) -> (Session, TestDir) {
        let Self { dir, server, nats: _nats, agent, workers } = self;
        let rooms = server.rooms();
        assert!(rooms.is_empty(), "every room is deleted, but:\n{}", lines_about(&dir, &rooms));
        agent.signal("INT");
        agent.signal("INT");
        agent.finish();
        drop(workers);
        let session = dir.session();
        assert_eq!(session.summary["closed"], true);
        let runs: BTreeSet<&str> = session.runs.iter().map(|run| run.text("run")).collect();
        assert_eq!(runs.len(), session.runs.len(), "every run has one line");
        assert_eq!(session.runs.len() as u64, planned, "every planned run has one");
        let ended = count_events(&session.folder, "ended");
        assert_eq!(ended as u64, session.count("/runs/started"), "every run has one outcome");
        assert_eq!(joined_twice(&session), [] as [u64; 0], "nobody joins twice");
        (session, dir)
    }
}

/// What the journal and the agent say of these rooms.
fn lines_about(dir: &TestDir, rooms: &[String]) -> String {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let journal = read(&Path::new(&dir.session_argument()).join("journal.jsonl"));
    let of_run = |line: &&str| {
        // A room's name ends with the number of its run.
        let run = |room: &String| Some(room.rsplit_once('-')?.1.trim_start_matches('0').to_owned());
        rooms.iter().filter_map(run).any(|run| {
            let run = if run.is_empty() { "0" } else { &run };
            line.contains(&format!("\"run\":{run},")) || line.contains(&format!("\"run\":{run}}}"))
        })
    };
    let others = |line: &&str| {
        ["resumed", "stopping", "closed", "worker_health"].iter().any(|kind| line.contains(kind))
    };
    let truth = read(&dir.path().join("truth.jsonl"));
    let in_room = |line: &&str| rooms.iter().any(|room| line.contains(room.as_str()));
    let journal = journal.lines().filter(|line| of_run(line) || others(line));
    journal.chain(truth.lines().filter(in_room)).collect::<Vec<_>>().join("\n")
}

/// Runs whose caller joined more than once, by the journal.
fn joined_twice(session: &Session) -> Vec<u64> {
    let mut joined: BTreeMap<u64, u32> = BTreeMap::new();
    for event in journal_values(session, "sighted") {
        *joined.entry(event["run"].as_u64().expect("it has a run")).or_default() += 1;
    }
    joined.into_iter().filter(|(_, times)| *times > 1).map(|(run, _)| run).collect()
}

/// The worker of each run that was accepted.
pub(crate) fn workers_of_runs(folder: &Path) -> BTreeMap<u64, String> {
    let journal = fs::read_to_string(folder.join("journal.jsonl")).expect("there is a journal");
    let lines = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let accepted = lines.flat_map(|line| {
        let entered = line["e"]["submitted"]["entered"].as_array().cloned();
        entered.unwrap_or_default()
    });
    accepted
        .map(|entry| {
            let worker = entry["worker"].as_str().expect("it names the worker").to_owned();
            (entry["run"].as_u64().expect("it names the run"), worker)
        })
        .collect()
}

fn stop(worker: Worker) -> CommandOutput {
    worker.process.signal("TERM");
    worker.process.finish()
}

#[test]
fn callers_on_two_workers_measure_what_one_machine_does() {
    let mut machines = Machines::start(2, &["--turn-delay", "500ms"]);
    machines.write_profile("paired", 6, "3/s", "15s");
    let listed = machines.dir.rushhour(&["workers", &machines.nats.url()]).run().expect_exit(0);
    for worker in &machines.workers {
        assert!(listed.stdout.contains(&worker.id), "{}", listed.stdout);
    }
    assert!(
        listed.stdout.contains("idle") && listed.stdout.contains("0 of 50"),
        "{}",
        listed.stdout
    );
    machines.run().run().expect_exit_unless_busy(0);
    let workers: Vec<Worker> = std::mem::take(&mut machines.workers);
    let ids: BTreeSet<String> = workers.iter().map(|worker| worker.id.clone()).collect();
    for worker in workers {
        // The session let it go, so that it has nothing to finish.
        stop(worker).expect_exit(0);
    }
    let (session, _dir) = machines.end(12);
    assert_eq!(session.tally("outcome")["completed"], 12, "{:?}", session.runs);
    let pairs = &session.summary["pairs"]["pairs"];
    assert_eq!(pairs["completed"], 6, "each is compared, whichever workers had its runs: {pairs}");
    let used: BTreeSet<String> = workers_of_runs(&session.folder).into_values().collect();
    assert_eq!(used, ids, "both have callers");
    for turn in journal_values(&session, "turn").iter().filter(|one| one["turn"].is_object()) {
        let turn = &turn["turn"];
        let first = turn["first"].as_u64().expect("it was answered");
        let measured = first - turn["said"].as_u64().expect("it was said");
        assert!((475_000..4_000_000).contains(&measured), "{turn}");
    }
    for run in &session.runs {
        // Converted from another clock, within the bound that the journal names.
        let join = run.number("agent_join_us").expect("it was measured");
        assert!(join < 8_000_000, "{run:?}");
    }
}

#[test]
fn a_worker_that_dies_costs_its_own_runs_alone() {
    let machines = Machines::start(2, &["--turn-delay", "2s"]);
    machines.write_profile("chat", 6, "6/s", "3s");
    let running = machines.run().start();
    wait_until("every first turn is said", || machines.heard("heard_text") >= 6);
    machines.workers[0].process.signal("KILL");
    let lost = machines.workers[0].id.clone();
    running.finish().expect_exit(112);
    let (session, _dir) = machines.end(6);
    let workers = workers_of_runs(&session.folder);
    for run in &session.runs {
        let number = run.number("run").expect("it has a number");
        if workers[&number] == lost {
            assert_eq!(run.text("failure_class"), "generator_fault", "{run:?}");
            assert!(run.text("detail").contains(&lost), "{run:?}");
        } else {
            assert_eq!(run.text("outcome"), "completed", "{run:?}");
        }
    }
    assert_eq!(session.tally("failure_class")["generator_fault"], 3);
    // Half of the runs have no result: the session says nothing.
    let text = session.summary["validity"].to_string();
    assert!(text.contains("1 of 2 workers were lost"), "{text}");
}

#[test]
fn a_resumed_coordinator_finds_the_conversations_that_workers_hold() {
    let machines = Machines::start(2, &["--turn-delay", "3s"]);
    machines.write_profile("chat", 6, "6/s", "60s");
    let running = machines.run().start();
    wait_until("every first turn is said", || machines.heard("heard_text") >= 6);
    running.signal("KILL");
    running.finish();
    machines.resume(&[]).run();
    let (session, _dir) = machines.end(6);
    assert_eq!(session.tally("outcome")["completed"], 6, "{:?}", session.runs);
    let turns = journal_values(&session, "turn");
    let turns = turns.iter().filter(|one| one["turn"].is_object()).count();
    assert_eq!(turns, 12, "each turn is in the journal once");
}

#[test]
fn a_restart_of_nats_costs_nothing() {
    let mut machines = Machines::start(2, &["--turn-delay", "1s"]);
    machines.write_profile("chat", 12, "3/s", "30s");
    let running = machines.run().start();
    wait_until("the first turns are said", || machines.heard("heard_text") >= 3);
    machines.nats.restart();
    running.finish();
    let (session, _dir) = machines.end(12);
    assert_eq!(session.tally("outcome")["completed"], 12, "{:?}", session.runs);
}

#[test]
fn what_does_not_fit_is_told_before_anything_begins() {
    let mut machines = Machines::start(0, &[]);
    machines.write_profile("chat", 2, "2/s", "15s");
    let profile =
        fs::read_to_string(machines.dir.path().join("profile.toml")).expect("it is there");
    machines.dir.write("profile.toml", &profile.replace("at_least = 0", "ready_within = \"3s\""));
    let ran = machines.run().run().expect_exit(2);
    assert!(ran.stderr.contains("no worker answers on nats://"), "{}", ran.stderr);
    let elsewhere = ["--namespace", "other"];
    machines.workers.push(start_worker(&machines.dir, &machines.nats, &elsewhere));
    let ran = machines.run().run().expect_exit(2);
    assert!(ran.stderr.contains("in the namespace rushhour"), "{}", ran.stderr);
    machines.workers.push(start_worker(&machines.dir, &machines.nats, &[]));
    let few = ["run", "profile.toml", "--set", "workers.at_least=2"];
    let ran = machines.server.with_keys(machines.dir.rushhour(&few)).run().expect_exit(2);
    assert!(ran.stderr.contains("1 of 2 workers became ready within 3.00s"), "{}", ran.stderr);
    let many = [
        "run",
        "profile.toml",
        "--set",
        "stage.0.rate=40/s",
        "--set",
        "scenario.0.copies=2000",
        "--yes",
    ];
    let ran = machines.server.with_keys(machines.dir.rushhour(&many)).run().expect_exit(2);
    assert!(ran.stderr.contains("callers at once, and the 1 workers"), "{}", ran.stderr);
    assert_eq!(machines.dir.sessions(), [] as [std::path::PathBuf; 0], "no session was begun");
    // It was let go each time.
    machines.run().run().expect_exit_unless_busy(0);
    machines.end(2);
}

#[test]
fn an_agent_that_never_comes_is_told_once_the_worker_was_heard_of() {
    let machines = Machines::start(1, &[]);
    machines.write_profile("chat", 2, "4/s", "15s");
    let absent = [
        ["--set", "livekit.agent=nobody"],
        ["--set", "livekit.agent_within=1s"],
        ["--set", "livekit.give_up_after=1s"],
    ];
    let arguments = [&["run", "profile.toml", "--quiet"], absent.as_flattened()].concat();
    machines.server.with_keys(machines.dir.rushhour(&arguments)).run().expect_exit_unless_busy(99);
    let (session, _dir) = machines.end(2);
    assert_eq!(session.tally("failure_class")["dispatch_unassigned"], 2, "{:?}", session.runs);
}

/// What is killed, frozen or restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    KilledWorker,
    FrozenWorker,
    Coordinator,
    FrozenCoordinator,
    Nats,
    FrozenNats,
}

const VICTIMS: [Victim; 6] = [
    Victim::KilledWorker,
    Victim::FrozenWorker,
    Victim::Coordinator,
    Victim::FrozenCoordinator,
    Victim::Nats,
    Victim::FrozenNats,
];

/// Runs a session in which something happens to one process at a random moment; returns how its runs ended.
fn strike(victim: Victim, seed: u64) -> BTreeMap<String, u64> {
    const RUNS: u32 = 12;
    let mut rng = SplitMix64::new(seed);
    let mut machines = Machines::start(2, &["--turn-delay", "400ms"]);
    machines.write_profile("chat", RUNS, "6/s", "3s");
    let mut running = machines.run().start();
    let folder = machines.dir.wait_for_session();
    let lines =
        || fs::read_to_string(folder.join("journal.jsonl")).map_or(0, |text| text.lines().count());
    let until = rng.index(130) + 2;
    let is_over = || count_events(&folder, "closed") > 0;
    wait_until("the journal grows", || lines() >= until || is_over());
    // Longer than the lease and its margin, or shorter.
    let pause = Duration::from_millis(500 + rng.below(7_000));
    match victim {
        Victim::KilledWorker => machines.workers[0].process.signal("KILL"),
        Victim::FrozenWorker => {
            machines.workers[0].process.signal("STOP");
            std::thread::sleep(pause);
            machines.workers[0].process.signal("CONT");
        }
        Victim::Coordinator => {
            running.signal("KILL");
            running.finish();
            std::thread::sleep(pause / 2);
            running = machines.resume(&[]).start();
        }
        Victim::FrozenCoordinator => {
            running.signal("STOP");
            std::thread::sleep(pause);
            running.signal("CONT");
        }
        Victim::Nats => machines.nats.restart(),
        Victim::FrozenNats => {
            machines.nats.signal("STOP");
            std::thread::sleep(pause);
            machines.nats.signal("CONT");
        }
    }
    running.finish();
    // A kill may have come between the end and the reports.
    machines.dir.rushhour(&["report", &machines.dir.session_argument()]).run();
    let (session, _dir) = machines.end(u64::from(RUNS));
    for run in &session.runs {
        let ended = (run.text("outcome"), run.text("failure_class"));
        // Whatever was struck was ours: nothing is blamed on the agent, or on anybody else.
        let is_possible = matches!(ended, ("completed", _) | ("failed", "generator_fault"));
        assert!(is_possible, "{victim:?} {seed}: {run:?}");
    }
    session.tally("failure_class")
}

#[test]
fn whatever_is_struck_every_run_has_one_outcome_and_no_room_is_left() {
    for (victim, seed) in VICTIMS.into_iter().step_by(2).zip(1..) {
        strike(victim, seed);
    }
}

/// The server's configuration that is shipped: what each role may do.
#[test]
fn the_least_rights_on_nats_are_enough_and_a_wrong_password_is_told() {
    const COORDINATOR: &str = "password-of-the-coordinator-4711";
    const WORKER: &str = "password-of-the-worker-0815";
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nats/nats-server.conf");
    let config = fs::read_to_string(config).expect("it is shipped");
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let passwords = [("COORDINATOR_PASSWORD", COORDINATOR), ("WORKER_PASSWORD", WORKER)];
    let nats = NatsServer::start_with(dir.path(), &config, &passwords);
    let agent = start_agent(&dir, &server, &[]);
    let url = nats.url();
    let as_user = |arguments: &[&str], user: &str, password: &str| {
        let command = dir.rushhour(arguments);
        command.env("NATS_USER", user).env("NATS_PASSWORD", password)
    };
    let work = ["worker", &*url, "--capacity", "50"];
    let refused = as_user(&work, "worker", COORDINATOR).run().expect_exit(2);
    assert!(refused.stderr.contains("did not accept the login"), "{}", refused.stderr);
    let (worker, _) = as_user(&work, "worker", WORKER).start_until("Worker ");
    let listed = as_user(&["workers", &url], "coordinator", COORDINATOR).run().expect_exit(0);
    assert!(listed.stdout.contains("0 of 50"), "{}", listed.stdout);
    dir.write("profile.toml", &profile(&server, "paired", 2, "4/s"));
    let run = ["run", "profile.toml", "--quiet", "--workers", &*url];
    let ran = server.with_keys(as_user(&run, "coordinator", COORDINATOR)).run();
    ran.expect_exit_unless_busy(0);
    worker.signal("TERM");
    worker.finish().expect_exit(0);
    agent.signal("INT");
    agent.finish();
    assert_eq!(dir.session().tally("outcome")["completed"], 4);
    assert_eq!(server.rooms(), [] as [String; 0]);
}

#[test]
#[ignore = "takes half an hour: cargo test --test integration a_hundred_moments -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "how the runs ended is what one wants to know of it")]
fn a_hundred_moments() {
    // `MOMENTS=100..106` is a short one; parts may run beside each other.
    let asked = std::env::var("MOMENTS").unwrap_or_else(|_| "100..200".to_owned());
    let seeds =
        asked.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let (first, end): (u64, u64) = seeds.expect("MOMENTS is a range of seeds");
    let victims = (first..end).map(|seed| (VICTIMS[(seed % 6) as usize], seed));
    let mut all: BTreeMap<(Victim, String), u64> = BTreeMap::new();
    let mut broken = Vec::new();
    for (victim, seed) in victims {
        // One that fails says so itself; the others are still of interest.
        let Ok(classes) = std::panic::catch_unwind(|| strike(victim, seed)) else {
            println!("{seed} {victim:?}: FAILED");
            broken.push((victim, seed));
            continue;
        };
        println!("{seed} {victim:?}: {classes:?}");
        for (class, count) in classes {
            *all.entry((victim, class)).or_default() += count;
        }
    }
    println!("{all:#?}; runs without a class completed");
    assert_eq!(broken, [], "of {asked}");
}

#[test]
fn a_drained_worker_finishes_what_it_holds_and_one_that_comes_later_takes_its_place() {
    let mut machines = Machines::start(1, &["--turn-delay", "1s"]);
    machines.write_profile("chat", 16, "3/s", "15s");
    let running = machines.run().start();
    let folder = machines.dir.wait_for_session();
    let later = start_worker(&machines.dir, &machines.nats, &[]);
    let (first, second) = (machines.workers[0].id.clone(), later.id.clone());
    machines.workers.push(later);
    let held_by = |worker: &String| {
        workers_of_runs(&folder).into_values().filter(|one| one == worker).count()
    };
    wait_until("the worker that came later has a caller", || held_by(&second) >= 1);
    let url = machines.nats.url();
    machines.dir.rushhour(&["workers", &url, "--drain", &first]).run().expect_exit(0);
    let held = held_by(&first);
    running.finish().expect_exit_unless_busy(0);
    wait_for_events(&folder, "closed", 1);
    let of_drained = held_by(&first);
    let (session, _dir) = machines.end(16);
    assert_eq!(session.tally("outcome")["completed"], 16, "{:?}", session.runs);
    // One may have been on its way to it.
    assert!(of_drained <= held + 1, "{of_drained} of {held}");
}
