//! Whether an agent stays well: sessions judged as soaks, from the binary, and the history of their nights.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use serde_json::Value;

use crate::support::{Made, Ran, Workplace};

/// What a soak writes beside a session's other files.
const FILES: [&str; 3] = ["soak.json", "soak.csv", "soak.html"];

/// A worker that always says the same, until the test's process ends.
fn worker_saying(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            // One read holds such a small request.
            let _ = stream.read(&mut [0; 4_096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        }
    });
    address
}

fn soak(workplace: &Workplace, folder: &str) -> Ran {
    workplace.rushhour(&["soak", folder]).run()
}

/// What was printed, as if no line were broken.
fn unbroken(ran: &Ran) -> String {
    ran.out.replace('\n', " ")
}

fn told(folder: &Path) -> Value {
    let text = fs::read(folder.join("soak.json")).expect("it was written");
    serde_json::from_slice(&text).expect("it is JSON")
}

fn finding<'a>(soak: &'a Value, series: &str) -> &'a str {
    let all = soak["series"].as_array().expect("there are series");
    let one = all.iter().find(|one| one["series"] == series).expect("it is followed");
    one["finding"].as_str().expect("it has a finding")
}

#[test]
fn a_steady_night_is_steady_and_a_drifting_one_is_not() {
    let workplace = Workplace::new();
    let steady = Made { name: "steady", runs: 720, ..Made::default() }.write(workplace.path());
    let ran = soak(&workplace, "steady").ended_with(0);
    assert!(unbroken(&ran).contains("Steady: over 6m00s in 24 windows, none of"), "{}", ran.out);
    assert!(ran.out.contains("jobs: not observed after the last run"), "{}", ran.out);
    Made { name: "drifting", runs: 720, drift: 1.0, ..Made::default() }.write(workplace.path());
    let ran = soak(&workplace, "drifting").ended_with(99);
    assert!(unbroken(&ran).contains("Not steady: agent_join p50 grows from"), "{}", ran.out);
    let drifting = told(&workplace.path().join("drifting"));
    assert_eq!(finding(&drifting, "completion.response p50"), "rises");
    assert_eq!(finding(&told(&steady), "completion.response p50"), "steady");
    assert_eq!(finding(&drifting, "failed"), "steady");
}

#[test]
fn the_same_session_gives_the_same_bytes_and_one_line_of_history() {
    let workplace = Workplace::new();
    let folder = Made { name: "one", runs: 720, ..Made::default() }.write(workplace.path());
    let read = || FILES.map(|name| fs::read(folder.join(name)).expect("it was written"));
    soak(&workplace, "one").ended_with(0);
    let first = read();
    // Named otherwise, and from its journal.
    workplace.rushhour(&["soak", "./one/journal.jsonl"]).run().ended_with(0);
    assert!(first == read(), "the same bytes");
    let history = fs::read_to_string(workplace.path().join("history.jsonl")).expect("it is kept");
    assert_eq!(history.lines().count(), 1, "what is known already is not said again");
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
fn a_night_is_held_against_those_before_it() {
    let workplace = Workplace::new();
    let names = ["n0", "n1", "n2", "n3", "n4", "n5"];
    for (night, name) in (0..).zip(names) {
        let began = night * 60;
        Made { name, runs: 480, night, began, ..Made::default() }.write(workplace.path());
        assert_ne!(soak(&workplace, name).code, Some(2), "{name}");
    }
    let bad = Made { name: "bad", runs: 480, night: 9, began: 900, factor: 1.5, ..Made::default() };
    bad.write(workplace.path());
    let ran = soak(&workplace, "bad").ended_with(99);
    assert!(
        unbroken(&ran).contains("is higher than in previous nightly runs (6 of them"),
        "{}",
        ran.out
    );
    let other = Made { name: "other", runs: 480, seed: 7, began: 960, ..Made::default() };
    other.write(workplace.path());
    let ran = soak(&workplace, "other");
    assert!(
        ran.out.contains("previous nightly runs of this profile: 0; a comparison needs 4"),
        "{}",
        ran.out
    );
    assert!(unbroken(&ran).contains("not compared: 7"), "{}", ran.out);
    let history = workplace.path().join("history.jsonl");
    let mut text = fs::read_to_string(&history).expect("it is kept");
    text.push_str("{\"version\":1,\"sess");
    fs::write(&history, text).expect("it can be written");
    let listed = workplace.rushhour(&["history", "--reports", ".", "--html"]).run().ended_with(0);
    assert!(listed.out.contains("made (00000000), 7 nights"), "{}", listed.out);
    assert!(listed.out.contains("worse than before"), "{}", listed.out);
    let listed = listed.complaining("1 lines cannot be read");
    assert!(listed.out.contains("The page is ./history.html"), "{}", listed.out);
    let page = fs::read_to_string(workplace.path().join("history.html")).expect("it is drawn");
    assert!(page.contains("8 nights of 2 profiles") && page.contains("worse: "), "{page}");
    // A line that was torn does not spoil the next.
    soak(&workplace, "bad").ended_with(99);
    Made { name: "last", runs: 480, night: 10, began: 1020, ..Made::default() }
        .write(workplace.path());
    soak(&workplace, "last");
    let listed = workplace.rushhour(&["history", "made", "--reports", "."]).run().ended_with(0);
    assert!(listed.out.contains("8 nights"), "{}", listed.out);
    workplace
        .rushhour(&["history", "nobody", "--reports", "."])
        .run()
        .ended_with(2)
        .complaining("contains no soaks of nobody");
}

#[test]
fn what_is_too_little_is_said_in_words() {
    let workplace = Workplace::new();
    Made { name: "short", runs: 30, ..Made::default() }.write(workplace.path());
    let ran = soak(&workplace, "short").ended_with(111);
    assert!(ran.out.contains("Not enough data: 30 measured runs over"), "{}", ran.out);
    Made { name: "empty", runs: 0, ..Made::default() }.write(workplace.path());
    let ran = soak(&workplace, "empty");
    assert!(ran.out.contains("no measured run ended"), "{}", ran.out);
    let warm_up =
        "name = \"w\"\nmeasured = false\nlasts = \"1h\"\n[[stage]]\nname = \"m\"\nrate = \"2/s\"\n";
    Made { name: "unmeasured", runs: 300, more: warm_up, ..Made::default() }
        .write(workplace.path());
    let ran = soak(&workplace, "unmeasured");
    assert!(ran.out.contains("no measured run ended"), "{}", ran.out);
    for name in ["short", "empty", "unmeasured"] {
        let text =
            fs::read_to_string(workplace.path().join(name).join("soak.html")).expect("a page");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
    }
    let nowhere = soak(&workplace, "nowhere.toml").ended_with(2);
    nowhere.complaining("there is no profile nowhere.toml");
    fs::create_dir(workplace.path().join("none")).expect("a folder");
    soak(&workplace, "none").ended_with(2).complaining("contains no journal.jsonl");
    let far = "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 2\n[[stage]]\nrate = \"1/s\"\n[agent_health]\nurl = \"http://example.com/worker\"\n";
    workplace.write("far.toml", far);
    soak(&workplace, "far.toml").ended_with(104).complaining("the worker must run on this machine");
}

#[test]
fn a_soak_is_held_judged_and_kept() {
    let workplace = Workplace::new();
    let worker = worker_saying(
        "# TYPE lk_agents_active_job_count gauge\nlk_agents_active_job_count 2\nlk_agents_worker_load 0.25\nprocess_resident_memory_bytes 5e7\n",
    );
    let profile = format!(
        "name = \"night\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 200\nlasts = \"1s\"\n[[stage]]\nrate = \"20/s\"\n[limits]\nrequests = \"100/s\"\npolls = \"10/s\"\nlooks = \"200/s\"\n[evaluator]\npoll_every = \"500ms\"\n[sandbox]\nconversation = {{ median = \"1s\", p95 = \"2s\" }}\n[agent_health]\nmetrics = \"http://{worker}/metrics\"\nevery = \"500ms\"\nsettle = \"2s\"\n"
    );
    workplace.write("night.toml", &profile);
    let ran = workplace.rushhour(&["soak", "night.toml"]).run();
    let session = workplace.sessions();
    let folders: Vec<_> = session.iter().filter(|path| path.is_dir()).collect();
    assert_eq!(folders.len(), 1);
    let soak = told(folders[0]);
    let wanted = match soak["standing"].as_str().expect("it stands somewhere") {
        "steady" => 0,
        "drifts" => 99,
        "too_little" => 111,
        _ => 112,
    };
    let ran = ran.ended_with(wanted);
    assert!(soak["looks"].as_u64().expect("a count") >= 10, "{soak}");
    assert!(
        ran.out.contains("jobs after the last run: 2, 2 before the first run; released"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("rooms: the server lists none\n"), "{}", ran.out);
    let health = fs::read_to_string(folders[0].join("agent_health.csv")).expect("it was written");
    assert!(
        health.starts_with("at_us,started,in_flight,jobs,load,children,memory_bytes\n"),
        "{health}"
    );
    assert!(health.lines().skip(1).all(|line| line.ends_with(",2,0.2500,,50000000")), "{health}");
    let before: Vec<_> = FILES.map(|name| fs::read(folders[0].join(name)).expect("a file")).into();
    let again = workplace.rushhour(&["soak", &folders[0].display().to_string()]).run();
    assert_eq!(again.code, Some(wanted));
    let after: Vec<_> = FILES.map(|name| fs::read(folders[0].join(name)).expect("a file")).into();
    assert!(before == after, "judged again, byte for byte");
    let history = fs::read_to_string(workplace.path().join("reports/history.jsonl")).expect("kept");
    assert_eq!(history.lines().count(), 1);
}
