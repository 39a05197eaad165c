//! `rushhour soak` and `history`: sessions judged for drift, and nightly runs compared with earlier ones.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use serde_json::Value;

use crate::live::json_body;
use crate::support::{
    CommandOutput, HostileServer, Schema, SyntheticSession, TestDir, assert_valid,
};

/// The files that a soak adds to a session's folder.
const FILES: [&str; 3] = ["soak.json", "soak.csv", "soak.html"];

/// Starts a worker whose status server always answers with this text, until the test's process ends.
fn start_worker(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            // A request this small arrives in one read.
            let _ = stream.read(&mut [0; 4_096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        }
    });
    address
}

fn soak(dir: &TestDir, folder: &str) -> CommandOutput {
    dir.rushhour(&["soak", folder]).run()
}

/// Standard output without its line breaks.
fn unwrapped(output: &CommandOutput) -> String {
    output.stdout.replace('\n', " ")
}

/// `soak.json`, checked against its schema.
#[track_caller]
fn soak_json(folder: &Path) -> Value {
    let text = fs::read(folder.join("soak.json")).expect("it was written");
    let soak = serde_json::from_slice(&text).expect("it is JSON");
    assert_valid(Schema::Soak, &soak, "soak.json");
    soak
}

fn finding<'a>(soak: &'a Value, series: &str) -> &'a str {
    let all = soak["series"].as_array().expect("there are series");
    let one = all.iter().find(|one| one["series"] == series).expect("it is in the soak");
    one["finding"].as_str().expect("it has a finding")
}

#[test]
fn a_steady_session_is_steady_and_a_drifting_one_is_not() {
    let dir = TestDir::new();
    let steady = SyntheticSession { name: "steady", runs: 720, ..SyntheticSession::default() }
        .write(dir.path());
    let ran = soak(&dir, "steady").expect_exit(0);
    assert!(
        unwrapped(&ran).contains("Steady: over 6m00s in 24 windows, none of"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("jobs: not observed after the last run"), "{}", ran.stdout);
    SyntheticSession { name: "drifting", runs: 720, drift: 1.0, ..SyntheticSession::default() }
        .write(dir.path());
    let ran = soak(&dir, "drifting").expect_exit(99);
    assert!(unwrapped(&ran).contains("Not steady: agent_join p50 grows from"), "{}", ran.stdout);
    let drifting = soak_json(&dir.path().join("drifting"));
    assert_eq!(finding(&drifting, "completion.response p50"), "rises");
    assert_eq!(finding(&soak_json(&steady), "completion.response p50"), "steady");
    assert_eq!(finding(&drifting, "failed"), "steady");
    // CI services see it too, also after the reports were written again.
    let failed = "<failure message=\"Not steady: agent_join p50 grows from";
    let junit = |name: &str| {
        let path = dir.path().join(name).join("junit.xml");
        fs::read_to_string(path).expect("it was written")
    };
    assert!(junit("drifting").contains(failed), "{}", junit("drifting"));
    dir.rushhour(&["report", "drifting"]).run().expect_exit(0);
    assert!(junit("drifting").contains(failed), "{}", junit("drifting"));
    let steady = junit("steady");
    assert!(steady.contains("the agent stayed stable") && !steady.contains("<failure"), "{steady}");
}

#[test]
fn the_same_session_writes_the_same_bytes_and_one_line_of_history() {
    let dir = TestDir::new();
    let folder = SyntheticSession { name: "one", runs: 720, ..SyntheticSession::default() }
        .write(dir.path());
    let read = || FILES.map(|name| fs::read(folder.join(name)).expect("it was written"));
    soak(&dir, "one").expect_exit(0);
    let first = read();
    // By another path, and from its journal.
    dir.rushhour(&["soak", "./one/journal.jsonl"]).run().expect_exit(0);
    assert!(first == read(), "the same bytes");
    let history = fs::read_to_string(dir.path().join("history.jsonl")).expect("it is written");
    assert_eq!(history.lines().count(), 1, "a session is listed once");
    let page = String::from_utf8(first[2].clone()).expect("it is text");
    assert!(
        page.contains("<h1><span class=\"sign\"") && page.contains("Steady: over"),
        "the answer first"
    );
    assert!(!page.contains("<script") && !page.contains("http://") && page.contains("<svg"));
    let csv = String::from_utf8_lossy(&first[1]).into_owned();
    assert!(csv.starts_with("from_us,width_us,runs,failed,agent_join_p50_us,"), "{csv}");
    assert_eq!(csv.lines().count(), 25);
}

#[test]
fn a_nightly_run_is_compared_with_those_before_it() {
    let dir = TestDir::new();
    let nightly = SyntheticSession { runs: 480, ..SyntheticSession::default() };
    let names = ["n0", "n1", "n2", "n3", "n4", "n5"];
    for (repetition, name) in (0..).zip(names) {
        let start = repetition * 60;
        SyntheticSession { name, repetition, start, ..nightly.clone() }.write(dir.path());
        assert_ne!(soak(&dir, name).code, Some(2), "{name}");
    }
    SyntheticSession { name: "bad", repetition: 9, start: 900, factor: 1.5, ..nightly.clone() }
        .write(dir.path());
    let ran = soak(&dir, "bad").expect_exit(99);
    assert!(
        unwrapped(&ran).contains("is higher than in previous nightly runs (6 of them"),
        "{}",
        ran.stdout
    );
    SyntheticSession { name: "other", seed: 7, start: 960, ..nightly.clone() }.write(dir.path());
    let ran = soak(&dir, "other");
    assert!(
        ran.stdout.contains("previous nightly runs of this profile: 0; a comparison needs 4"),
        "{}",
        ran.stdout
    );
    assert!(unwrapped(&ran).contains("not compared: 7"), "{}", ran.stdout);
    let history = dir.path().join("history.jsonl");
    let mut text = fs::read_to_string(&history).expect("it is written");
    text.push_str("{\"version\":1,\"sess");
    fs::write(&history, text).expect("it can be written");
    let listed = dir.rushhour(&["history", "--reports", ".", "--html"]).run().expect_exit(0);
    assert!(listed.stdout.contains("synthetic (00000000), 7 nightly runs"), "{}", listed.stdout);
    assert!(listed.stdout.contains("worse than before"), "{}", listed.stdout);
    let listed = listed.expect_stderr("1 line cannot be read");
    assert!(listed.stdout.contains("The page is ./history.html"), "{}", listed.stdout);
    let page = fs::read_to_string(dir.path().join("history.html")).expect("it is drawn");
    assert!(page.contains("8 nightly runs of 2 profiles") && page.contains("worse: "), "{page}");
    // A torn line does not damage the next.
    soak(&dir, "bad").expect_exit(99);
    SyntheticSession { name: "last", repetition: 10, start: 1_020, ..nightly }.write(dir.path());
    soak(&dir, "last");
    let listed = dir.rushhour(&["history", "synthetic", "--reports", "."]).run().expect_exit(0);
    assert!(listed.stdout.contains("8 nightly runs"), "{}", listed.stdout);
    dir.rushhour(&["history", "nobody", "--reports", "."])
        .run()
        .expect_exit(2)
        .expect_stderr("contains no soaks of nobody");
}

#[test]
fn sessions_with_too_little_data_are_not_judged() {
    let dir = TestDir::new();
    SyntheticSession { name: "short", runs: 30, ..SyntheticSession::default() }.write(dir.path());
    let ran = soak(&dir, "short").expect_exit(111);
    assert!(ran.stdout.contains("Not enough data: 30 measured runs over"), "{}", ran.stdout);
    SyntheticSession { name: "empty", runs: 0, ..SyntheticSession::default() }.write(dir.path());
    let ran = soak(&dir, "empty");
    assert!(ran.stdout.contains("no measured run ended"), "{}", ran.stdout);
    let warm_up =
        "name = \"w\"\nmeasured = false\nlasts = \"1h\"\n[[stage]]\nname = \"m\"\nrate = \"2/s\"\n";
    SyntheticSession {
        name: "unmeasured",
        runs: 300,
        profile_lines: warm_up,
        ..SyntheticSession::default()
    }
    .write(dir.path());
    let ran = soak(&dir, "unmeasured");
    assert!(ran.stdout.contains("no measured run ended"), "{}", ran.stdout);
    for name in ["short", "empty", "unmeasured"] {
        let text = fs::read_to_string(dir.path().join(name).join("soak.html")).expect("a page");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
    }
    let nowhere = soak(&dir, "nowhere.toml").expect_exit(2);
    nowhere.expect_stderr("there is no profile nowhere.toml");
    fs::create_dir(dir.path().join("none")).expect("a folder");
    soak(&dir, "none").expect_exit(2).expect_stderr("it contains no journal.jsonl");
    let far = "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 2\n[[stage]]\nrate = \"1/s\"\n[agent_health]\nurl = \"http://example.com/worker\"\n";
    dir.write("far.toml", far);
    soak(&dir, "far.toml").expect_exit(104).expect_stderr("the worker must run on this machine");
}

#[test]
fn a_soak_is_run_judged_and_added_to_the_history() {
    let dir = TestDir::new();
    let worker = start_worker(
        "# TYPE lk_agents_active_job_count gauge\nlk_agents_active_job_count 2\nlk_agents_worker_load 0.25\nprocess_resident_memory_bytes 5e7\n",
    );
    let profile = format!(
        "name = \"night\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 200\nlasts = \"1s\"\n[[stage]]\nrate = \"20/s\"\n[limits]\nrequests = \"100/s\"\npolls = \"10/s\"\nlooks = \"200/s\"\n[evaluator]\npoll_every = \"500ms\"\n[sandbox]\nconversation = {{ median = \"1s\", p95 = \"2s\" }}\n[agent_health]\nmetrics = \"http://{worker}/metrics\"\nevery = \"500ms\"\nsettle = \"2s\"\n"
    );
    dir.write("night.toml", &profile);
    let hook = HostileServer::start(|_| (200, Vec::new()));
    let url = format!("http://{}/hook", hook.address());
    let notified = |arguments: &[&str]| dir.rushhour(arguments).env("RUSHHOUR_NOTIFY_URL", &url);
    let ran = notified(&["soak", "night.toml"]).run();
    let entries = dir.sessions();
    let folders: Vec<_> = entries.iter().filter(|path| path.is_dir()).collect();
    assert_eq!(folders.len(), 1);
    let soak = soak_json(folders[0]);
    let exit = match soak["standing"].as_str().expect("it has a verdict") {
        "steady" => 0,
        "drifts" => 99,
        "too_little" => 111,
        _ => 112,
    };
    let ran = ran.expect_exit(exit);
    assert!(soak["looks"].as_u64().expect("a count") >= 10, "{soak}");
    assert!(
        ran.stdout.contains("jobs after the last run: 2, 2 before the first run; released"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("rooms: the server lists none\n"), "{}", ran.stdout);
    let health = fs::read_to_string(folders[0].join("agent_health.csv")).expect("it was written");
    assert!(
        health.starts_with("at_us,started,in_flight,jobs,load,children,memory_bytes\n"),
        "{health}"
    );
    assert!(health.lines().count() > 10, "{health}");
    assert!(health.lines().skip(1).all(|line| line.ends_with(",2,0.2500,,50000000")), "{health}");
    // Programs are told both: a session may pass and drift.
    let mut told = json_body(&hook.received()[0]);
    let judged = told.as_object_mut().expect("it is an object").remove("soak");
    assert_eq!(judged.as_ref(), Some(&soak));
    let summary = fs::read(folders[0].join("summary.json")).expect("it was written");
    assert_eq!(told, serde_json::from_slice::<Value>(&summary).expect("it is JSON"));
    let before: Vec<_> = FILES.map(|name| fs::read(folders[0].join(name)).expect("a file")).into();
    let again = dir.rushhour(&["soak", &folders[0].display().to_string()]).run();
    assert_eq!(again.code, Some(exit));
    let after: Vec<_> = FILES.map(|name| fs::read(folders[0].join(name)).expect("a file")).into();
    assert!(before == after, "judged again, byte for byte");
    let history =
        fs::read_to_string(dir.path().join("reports/history.jsonl")).expect("it is written");
    assert_eq!(history.lines().count(), 1);

    // People are told the soak's verdict first, not that its session passed.
    let short = profile.replace("copies = 200", "copies = 20") + "[notify]\nformat = \"slack\"\n";
    dir.write("short.toml", &short);
    notified(&["soak", "short.toml"]).run();
    let told = json_body(hook.received().last().expect("it is told"));
    let text = told["text"].as_str().expect("it is a text");
    let soak = ["Not enough data: 20 measured runs over", "Invalid: the generator"];
    assert!(soak.iter().any(|verdict| text.starts_with(verdict)), "{text}");
}

#[test]
fn a_session_that_cannot_begin_is_told_of() {
    let dir = TestDir::new();
    let hook = HostileServer::start(|_| (200, Vec::new()));
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr();
    let closed = closed.expect("it is bound");
    let profile = |format: &str| {
        format!(
            "name = \"night\"\nmode = \"chat\"\n[livekit]\nurl = \"ws://{closed}\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 30\ncopies = 20\n[[stage]]\nrate = \"20/s\"\n[thresholds]\nfailed = \"< 5%\"\n[notify]\nurl = \"http://{}/hook\"\nformat = \"{format}\"\n",
            hook.address()
        )
    };
    dir.write("night.toml", &profile("slack"));
    for command in ["run", "soak", "capacity"] {
        dir.rushhour(&[command, "night.toml", "--yes"])
            .env("LIVEKIT_API_KEY", "key-of-the-tests")
            .env("LIVEKIT_API_SECRET", "secret-of-the-tests-0123456789abcdef")
            .run()
            .expect_exit(2);
        let received = hook.received();
        let told = json_body(received.last().expect("it is told"));
        let text = told["text"].as_str().expect("it is a text");
        assert!(text.starts_with("No result of night: "), "{command}: {text}");
        assert!(text.contains(&closed.to_string()), "{command}: {text}");
    }
    dir.write("night.toml", &profile("summary"));
    dir.rushhour(&["run", "night.toml"]).run().expect_exit(2);
    let told = json_body(hook.received().last().expect("it is told"));
    assert_eq!(told["profile"], "night");
    assert!(
        told["error"].as_str().is_some_and(|reason| reason.contains("LIVEKIT_API_KEY")),
        "{told}"
    );
    assert_eq!(hook.received().len(), 4, "each once");
}
