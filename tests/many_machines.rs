//! Sessions over three workers with real media: against the same session on one machine, and from networks and clocks of
//! their own. Both are ignored: one wants a quiet machine, the other wants root.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use serde_json::Value;

use crate::native_callers::{journal_values, profile, start_agent, test_dir};
use crate::support::{
    CommandOutput, LiveKitServer, NatsServer, RunningCommand, ServerMedia, Session, TestDir,
};
use crate::worker_clocks::{json_lines, micros, rooms_by_run, truth};

const WORKERS: usize = 3;

/// How many callers are held at once in each mode: 60 in voice and 300 in chat, or what `CALLERS=6,30` says.
fn callers() -> [(&'static str, u32); 2] {
    let asked = std::env::var("CALLERS").unwrap_or_else(|_| "60,300".to_owned());
    let numbers = asked
        .split_once(',')
        .and_then(|(voice, chat)| Some((voice.trim().parse().ok()?, chat.trim().parse().ok()?)));
    let (voice, chat) = numbers.expect("CALLERS is two numbers, such as 6,30");
    [("voice", voice), ("chat", chat)]
}

/// A profile whose callers are all there at once before the first one leaves.
fn held_at_once(server: &LiveKitServer, mode: &str, callers: u32) -> String {
    let rate = if mode == "voice" { 4 } else { 8 };
    // LiveKit's dispatcher holds more than ten a second back while it looks for workers.
    let ramp = f64::from(callers) / f64::from(rate);
    profile(server, mode, callers + 1, &format!("{rate}/s"))
        .replace("lasts = \"5s\"", &format!("lasts = \"{:.0}s\"", ramp + 20.0))
        .replace("run_timeout = \"40s\"", "run_timeout = \"4m\"\nin_flight = 400")
        // LiveKit's dispatcher looks for the agent's worker at the first dispatch, and holds a burst back meanwhile.
        .replace("[[stage]]", "[[stage]]\nmeasured = false\nburst = 1\nlasts = \"8s\"\n[[stage]]")
}

/// Turns for so long that the last caller joins before the first one leaves.
fn script(mode: &str, callers: u32) -> String {
    let (rate, turn) = if mode == "voice" { (4, 3) } else { (8, 4) };
    let turns = callers / rate / turn + 4;
    format!("[[turn]]\nsay = \"Good evening.\"\nplay = \"name-is-smith.opus\"\npause = \"{turn}s\"\nwithin = \"20s\"\n")
        .repeat(turns as usize)
}

/// What is measured of the agent. The other figures are of the way to the callers: a request over NATS takes longer than
/// none.
const OF_THE_AGENT: &[&str] = &[
    "--metric",
    "agent_join",
    "--metric",
    "agent_ready",
    "--metric",
    "conversation",
    "--metric",
    "completion.response",
    "--metric",
    "turn.chat.first",
    "--metric",
    "turn.chat.final",
    "--metric",
    "turn.voice",
];

/// A worker, and what it is called.
fn start_workers(dir: &TestDir, url: &str) -> Vec<(String, RunningCommand)> {
    let start = |_| {
        let (worker, printed) =
            dir.rushhour(&["worker", url, "--capacity", "150"]).start_until("Worker ");
        (printed.split_whitespace().nth(1).expect("it prints its id").to_owned(), worker)
    };
    (0..WORKERS).map(start).collect()
}

/// What `rushhour compare` prints of the second session, with the first as its baseline.
fn compare(dir: &TestDir, sessions: [&Session; 2], more: &[&str]) -> CommandOutput {
    let folders = sessions.map(|session| session.folder.display().to_string());
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    dir.rushhour(&[&["compare"], &*folders, more].concat()).run()
}

/// What shows that a session did not hold so many callers at once, or lost one of them.
fn lacks(name: &str, session: &Session, callers: u32) -> Option<String> {
    let completed = session.tally("outcome").get("completed").copied().unwrap_or(0);
    let peak = session.summary["generator"]["in_flight_peak"].as_u64().unwrap_or(0);
    let is_well = completed == u64::from(callers) + 1 && peak >= u64::from(callers) * 9 / 10;
    let classes = session.tally("failure_class");
    (!is_well).then(|| {
        format!("{name}: {completed} of {callers} and one completed, {peak} at once; {classes:?}")
    })
}

/// What shows that figures of the agent are another one's in the second session.
fn differs(dir: &TestDir, sessions: [&Session; 2]) -> Option<String> {
    let judged = [&["--format", "json"], OF_THE_AGENT].concat();
    let ran = compare(dir, sessions, &judged);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let is_same = ran.code == Some(0) && found["regressions"] == serde_json::json!([]);
    (!is_same).then(|| format!("exit {:?}, {}{}", ran.code, found["regressions"], ran.stderr))
}

#[test]
#[ignore = "takes seven minutes, and wants a quiet machine: cargo test --release --test integration three_workers -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "the figures are what one wants to know of it")]
fn three_workers_measure_what_one_machine_does() {
    // Of both modes: whoever waits for minutes wants to know all of it.
    let mut problems = Vec::new();
    for (mode, callers) in callers() {
        let dir = test_dir();
        let server = LiveKitServer::start(dir.path());
        let nats = NatsServer::start(dir.path());
        let agent = start_agent(
            &dir,
            &server,
            &["--turn-delay", "uniform 300ms..700ms", "--capacity", "1000"],
        );
        dir.write("script.toml", &script(mode, callers));
        dir.write("profile.toml", &held_at_once(&server, mode, callers));
        let run = |out: &str, more: &[&str]| {
            let arguments = [&["run", "profile.toml", "--quiet", "--yes", "--out", out], more];
            let ran = server.with_keys(dir.rushhour(&arguments.concat())).run();
            println!("{mode}, {out}: exit {:?}\n{}{}", ran.code, ran.stdout, ran.stderr);
            dir.session_in(out)
        };
        let one = run("one-machine", &[]);
        let workers = start_workers(&dir, &nats.url());
        let at_least = format!("workers.at_least={WORKERS}");
        let three = run("three-workers", &["--workers", &nats.url(), "--set", &at_least]);
        for (_, worker) in workers {
            worker.signal("TERM");
            worker.finish().expect_exit(0);
        }
        agent.signal("INT");
        agent.finish().expect_exit(0);
        assert_eq!(server.rooms(), [] as [String; 0], "every room is deleted");
        let of_workers = three.tally("worker");
        println!("{mode}: {callers} callers, of each worker {of_workers:?}");
        assert_eq!(of_workers.len(), WORKERS, "each worker had callers");
        let all = u64::from(callers) + 1;
        assert_eq!(one.tally("worker").get(""), Some(&all), "{:?}", one.runs);
        println!("{}", compare(&dir, [&one, &three], &[]).stdout);
        for (name, session) in [("one machine", &one), ("three workers", &three)] {
            problems.extend(lacks(&format!("{mode}, {name}"), session, callers));
        }
        for sessions in [[&one, &three], [&three, &one]] {
            problems.extend(differs(&dir, sessions).map(|what| format!("{mode}: {what}")));
        }
    }
    assert_eq!(problems, [] as [String; 0]);
}

/// Set inside of the network namespace that a test made for itself.
const INSIDE: &str = "RUSHHOUR_TEST_NETWORK";
/// The address of everything but the workers.
const CENTRE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Runs this test again, in a network of its own that ends with it.
fn again_inside(test: &str) {
    let this = std::env::current_exe().expect("it runs");
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--"])
        .arg(this)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("`unshare` is installed").success(), "it failed inside");
}

fn shell(script: &str) {
    let ran = Command::new("bash").args(["-euc", script]).output().expect("bash is installed");
    assert!(ran.status.success(), "{script}\n{}", String::from_utf8_lossy(&ran.stderr));
}

/// A network for each worker, with a way to the centre alone.
fn build_networks() {
    // Names of networks are files: these end with the test.
    shell(&format!(
        "mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; ip link set lo up; \
         ip address add {CENTRE}/32 dev lo"
    ));
    for worker in 1..=WORKERS {
        shell(&format!(
            "ip netns add w{worker}; ip link add v{worker} type veth peer name eth0 netns w{worker}; \
             ip address add 10.77.{worker}.1/30 dev v{worker}; ip link set v{worker} up; \
             ip -n w{worker} address add 10.77.{worker}.2/30 dev eth0; ip -n w{worker} link set lo up; \
             ip -n w{worker} link set eth0 up; ip -n w{worker} route add default via 10.77.{worker}.1"
        ));
    }
}

/// A worker in its network, whose monotonic clock is shifted by so many seconds.
fn start_worker_inside(dir: &TestDir, url: &str, worker: usize, shift: i64) -> RunningCommand {
    let centre = CENTRE.to_string();
    let command = dir.rushhour(&["worker", url, "--capacity", "50", "--allow-host", &centre]);
    let script = format!(
        "exec ip netns exec w{worker} unshare --time --monotonic {shift} --boottime {shift} \
         --fork --kill-child -- \"$0\" \"$@\""
    );
    command.after_shell(&script).start_until("Worker ").0
}

/// What a busy machine adds to what agent and callers say of the same moment in voice.
const VOICE_TOLERANCE_US: i64 = 100_000;
/// The longest that a caller may take to see an agent, for its clock not to be wrong by seconds.
const SEEN_WITHIN_US: i64 = 3_000_000;

#[test]
#[ignore = "needs root, for networks and clocks of its own: cargo test --test integration of_their_own -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "the figures are what one wants to know of it")]
fn workers_with_networks_and_clocks_of_their_own_measure_the_truth() {
    if std::env::var_os(INSIDE).is_none() {
        return again_inside(
            "many_machines::workers_with_networks_and_clocks_of_their_own_measure_the_truth",
        );
    }
    build_networks();
    let centre: IpAddr = CENTRE.into();
    let dir = test_dir();
    let media = ServerMedia { address: centre, ..ServerMedia::default() };
    let server = LiveKitServer::start_with(dir.path(), &media);
    let nats = NatsServer::start_at(centre, dir.path(), "", &[]);
    let agent = start_agent(&dir, &server, &["--turn-delay", "500ms"]);
    let url = nats.url();
    let workers: Vec<RunningCommand> = [5, -5, 3]
        .into_iter()
        .enumerate()
        .map(|(at, shift)| start_worker_inside(&dir, &url, at + 1, shift))
        .collect();
    dir.write("profile.toml", &profile(&server, "paired", 12, "3/s"));
    let at_least = format!("workers.at_least={WORKERS}");
    let arguments = ["run", "profile.toml", "--yes", "--workers", &url, "--set", &at_least];
    println!("{}", server.with_keys(dir.rushhour(&arguments)).run().stdout);
    agent.signal("INT");
    agent.finish().expect_exit(0);
    drop(workers);
    let session = dir.session();
    let completed = session.tally("outcome").get("completed").copied();
    assert_eq!(completed, Some(24), "{:?}", session.tally("detail"));
    assert_eq!(session.tally("worker").len(), WORKERS, "each has callers");
    assert_eq!(server.rooms(), [] as [String; 0]);
    check_against_the_truth(&dir, &session);
}

/// Every join and turn is where the agent says that it was, within its interval.
#[expect(clippy::print_stdout, reason = "the figures are what one wants to know of it")]
fn check_against_the_truth(dir: &TestDir, session: &Session) {
    let start = i64::try_from(session.start_unix_us()).expect("it is after 1970");
    let (joined, true_turns) = truth(dir);
    let rooms = rooms_by_run(session);
    let (mut widest, mut seen_after, mut off_most, mut turns) = (0, 0, 0, 0);
    for event in json_lines(&session.folder.join("journal.jsonl")) {
        let (seen, turn) = (&event["e"]["agent_seen"], &event["e"]["turn"]);
        if seen.is_object() {
            let run = micros(&seen["run"]);
            let (low, high) = (start + micros(&seen["after"]), start + micros(&seen["seen"]));
            let truth = joined[rooms[&run]];
            // The agent joins, then the server tells the caller.
            assert!(high + 2_000 >= truth, "run {run}: {high} < {truth}");
            assert!(low < truth + SEEN_WITHIN_US, "run {run}: {low} is long after {truth}");
            widest = widest.max(high - low);
            seen_after = seen_after.max(high - truth);
        } else if turn.is_object() {
            let (run, turn) = (micros(&turn["run"]), &turn["turn"]);
            let truth = &true_turns[&(rooms[&run].to_owned(), micros(&turn["number"]))];
            let (said, first) = (start + micros(&turn["said"]), start + micros(&turn["first"]));
            let off = (truth.answered - first).max(said - truth.received);
            assert!(off <= VOICE_TOLERANCE_US, "run {run}: off by {off} us");
            let exact = (first - said) - (truth.answered - truth.received);
            off_most = off_most.max(exact.abs());
            turns += 1;
        }
    }
    assert_eq!(turns, 48, "two turns of each run");
    let jumped = journal_values(session, "clock_jumped");
    assert_eq!(jumped, [] as [Value; 0], "no clock jumped");
    println!(
        "joins: seen within {seen_after} us of the truth, intervals at most {widest} us wide; \
         turns: at most {off_most} us longer or shorter than the agent's delay"
    );
}
