//! A session that is watched while it runs: the page, metrics, marks, stops, and who is told of its end.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::capacity;
use crate::support::{
    HostileServer, PATIENCE, Peers, RunningCommand, TestDir, count_events, python_facts,
    wait_for_events, wait_until,
};

/// Conversations of half a second, `rate` a second for `seconds`; every fifth fails.
pub(crate) fn profile(rate: u32, seconds: u32, more: &str) -> String {
    format!(
        "name = \"watched\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"front-desk\"\n\
         [evaluator]\npoll_every = \"200ms\"\n\
         [[scenario]]\nid = 30\nname = \"<b>book</b> a table\"\ncopies = 100000\nlasts = \"500ms\"\n\
         [[stage]]\nname = \"steady\"\nrate = \"{rate}/s\"\nlasts = \"{seconds}s\"\n\
         [limits]\npolls = \"100/s\"\nrequests = \"100/s\"\nin_flight = 50\nrun_timeout = \"30s\"\n\
         [thresholds]\nfailed = \"< 90%\"\n\
         [sandbox]\nconversation = {{ median = \"500ms\" }}\n[sandbox.faults]\nrun_fails = \"20%\"\n{more}"
    )
}

/// A session with its page.
pub(crate) struct LivePage {
    pub(crate) running: RunningCommand,
    /// Such as `127.0.0.1:4711`.
    pub(crate) address: String,
}

impl LivePage {
    pub(crate) fn start(dir: &TestDir, profile: &str, arguments: &[&str]) -> Self {
        dir.write("profile.toml", profile);
        let all = [&["run", "profile.toml"], arguments].concat();
        Self::of(dir.rushhour(&all).start())
    }

    /// A session that was started.
    pub(crate) fn of(running: RunningCommand) -> Self {
        let address = address_of(&running);
        Self { running, address }
    }

    /// The answer to a request for `path`, or to other lines with `$HOST` for the address.
    pub(crate) fn ask(&self, request: &str) -> Answer {
        let request = if request.starts_with('/') {
            format!("GET {request} HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n")
        } else {
            request.to_owned()
        };
        let mut stream = self.connect(&request.replace("$HOST", &self.address));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers with text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
        Answer { head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn connect(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        stream.write_all(request.as_bytes()).expect("it reads");
        stream
    }
}

/// The address that the command printed.
fn address_of(running: &RunningCommand) -> String {
    let line = running.stderr_line("http://");
    let (_, rest) = line.split_once("http://").expect("it was found by this");
    rest.split(['/', ' ']).next().expect("a text has a first part").to_owned()
}

#[derive(Debug)]
pub(crate) struct Answer {
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).expect("a response has a status")
    }
}

#[test]
fn the_page_and_metrics_are_only_for_this_machine_and_only_to_be_read() {
    let dir = TestDir::new();
    let watched = LivePage::start(&dir, &profile(10, 60, ""), &["--live", "127.0.0.1:0"]);
    wait_for_events(&dir.wait_for_session(), "ended", 20);
    let page = watched.ask("/");
    assert_eq!(page.status(), "200", "{page:?}");
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    assert!(!page.head.contains("access-control"), "{}", page.head);
    assert!(page.body.contains("so far: "), "{}", page.body);
    assert!(page.body.contains("in flight of at most 50"), "{}", page.body);
    assert!(!page.body.contains("<b>book"), "names are escaped");
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421"),
        ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "421"),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "421"),
        ("POST / HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "405"),
        ("DELETE /metrics HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n", "405"),
        ("/other", "404"),
        ("/live.js", "200"),
        ("/style.css", "200"),
    ] {
        assert_eq!(watched.ask(request).status(), status, "{request}");
    }
    // As through a tunnel whose ends have different ports.
    let elsewhere =
        watched.ask("GET / HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\n\r\n");
    let told = format!("Open http://{0}/: ", watched.address);
    assert!(elsewhere.status() == "421" && elsewhere.body.starts_with(&told), "{elsewhere:?}");
    let metrics = watched.ask("/metrics");
    assert!(metrics.head.contains("text/plain; version=0.0.4"), "{}", metrics.head);
    assert!(metrics.body.contains("rushhour_info{"), "{}", metrics.body);
    let open = watched.ask("GET /metrics HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n");
    assert!(open.head.contains("application/openmetrics-text"), "{}", open.head);
    // Another session cannot have the same port, and says so before it begins.
    dir.rushhour(&["run", "profile.toml", "--live", &watched.address])
        .run()
        .expect_exit(2)
        .expect_stderr("cannot listen on 127.0.0.1:")
        .expect_stderr("choose another port, or 0 for any free one");
    assert_eq!(dir.sessions().len(), 1, "the other session did not begin");
    watched.running.signal("INT");
    watched.running.finish().expect_exit(105);
}

#[test]
fn viewers_that_never_read_hold_up_nothing() {
    let dir = TestDir::new();
    let watched = LivePage::start(&dir, &profile(10, 3, ""), &["--live", "127.0.0.1:0"]);
    let events = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", watched.address);
    let viewers: Vec<TcpStream> = (0..16).map(|_| watched.connect(&events)).collect();
    for viewer in &viewers {
        // All of them are being served.
        viewer.peek(&mut [0]).expect("the head of the answer");
    }
    let full = watched.ask("/events");
    assert_eq!(full.status(), "503", "{full:?}");
    // Heads that never end.
    let halves: Vec<TcpStream> = (0..20).map(|_| watched.connect("GET / HT")).collect();
    let output = watched.running.finish().expect_exit_unless_busy(0);
    assert!(!output.stderr.contains("Stopped"), "{}", output.stderr);
    drop((viewers, halves));
}

#[test]
fn beyond_loopback_a_token_is_asked_for() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(10, 60, ""));
    let token = "token-of-the-page-4711";
    let running = dir
        .rushhour(&["run", "profile.toml", "--metrics", "127.0.0.1:0"])
        .env("RUSHHOUR_LIVE_TOKEN", token)
        .start();
    let watched = LivePage { address: address_of(&running), running };
    dir.wait_for_session();
    let ask = |header: &str| {
        watched.ask(&format!(
            "GET /metrics HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n{header}\r\n"
        ))
    };
    assert_eq!(ask("").status(), "401");
    assert_eq!(ask("Authorization: Bearer token-of-the-page-4712\r\n").status(), "401");
    assert_eq!(ask(&format!("Authorization: Bearer {token}\r\n")).status(), "200");
    watched.running.signal("INT");
    let output = watched.running.finish().expect_exit(105);
    assert!(!output.stderr.contains(token), "{}", output.stderr);

    // Every address of this machine, so others can reach it: a token is made.
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(10, 60, ""));
    let running = dir.rushhour(&["run", "profile.toml", "--live", "0.0.0.0:0"]).start();
    let line = running.stderr_line("http://");
    let (address, token) = line.split_once("/?t=").expect("it has a token");
    let port = address.rsplit(':').next().expect("it has a port");
    let watched = LivePage { running, address: format!("127.0.0.1:{port}") };
    dir.wait_for_session();
    assert_eq!(watched.ask("/").status(), "401");
    let entered = watched.ask(&format!("/?t={}", token.trim()));
    assert_eq!(entered.status(), "303");
    assert!(entered.head.contains("httponly; samesite=strict"), "{}", entered.head);
    watched.running.signal("INT");
    watched.running.finish().expect_exit(105);
}

#[test]
fn a_mark_is_in_the_journal_and_splits_the_session() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(20, 60, ""));
    let running = dir.rushhour(&["run", "profile.toml"]).start();
    let folder = dir.wait_for_session();
    let session = dir.session_argument();
    let socket = folder.join("control.sock");
    wait_until("the session takes marks", || socket.exists());
    let metadata = fs::metadata(&socket).expect("it exists");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    wait_for_events(&folder, "ended", 60);
    let marked = dir.rushhour(&["mark", &session, "deployed v2"]).run().expect_exit(0);
    assert!(marked.stdout.starts_with("Marked at "), "{}", marked.stdout);
    assert_eq!(count_events(&folder, "mark"), 1);
    dir.rushhour(&["mark", &session, " "]).run().expect_exit(2);
    let ended = count_events(&folder, "ended");
    wait_for_events(&folder, "ended", ended + 60);
    dir.rushhour(&["stop", &session]).run().expect_exit(0);
    running.finish().expect_exit(105).expect_stderr("marked: deployed v2");
    assert!(!socket.exists(), "the socket is removed");
    let report = fs::read_to_string(folder.join("report.html")).expect("it was written");
    assert!(report.contains("Marked: deployed v2 at "), "the report says so");
    assert!(report.matches("class=\"moments\"").count() >= 4, "every chart over time shows it");
    let arms = ["compare", &session, "--arms", "mark=before,after"];
    let compared = dir.rushhour(&arms).run();
    assert!(compared.stdout.contains("before the mark"), "{}{}", compared.stdout, compared.stderr);
    dir.rushhour(&["compare", &session, "--arms", "mark v3=before,after"])
        .run()
        .expect_exit(2)
        .expect_stderr("the session has no one mark `v3`; it has: deployed v2");
    for command in [&["mark", &session, "late"][..], &["stop", &session]] {
        dir.rushhour(command).run().expect_exit(2).expect_stderr("no session runs in ");
    }
}

#[test]
fn a_webhook_is_told_of_the_end_and_one_that_hangs_changes_nothing() {
    let dir = TestDir::new();
    let hook = HostileServer::start(|_| (503, b"later".to_vec()));
    let url = format!("http://{}/hooks/of-the-tests", hook.address());
    let more = format!("[notify]\nurl = \"{url}\"\n");
    dir.write("profile.toml", &profile(20, 1, &more));
    let ran = dir
        .rushhour(&["run", "profile.toml"])
        .env("RUSHHOUR_NOTIFY_AUTHORIZATION", "Bearer hook-secret-4711")
        .run()
        .expect_stderr("Nobody was told of the end: ")
        .expect_exit_unless_busy(0);
    assert!(!ran.stderr.contains("hook-secret-4711"), "{}", ran.stderr);
    let received = hook.received();
    assert_eq!(received.len(), 3, "it is sent again, and not for ever");
    let lower = received[0].to_ascii_lowercase();
    assert!(lower.starts_with("post /hooks/of-the-tests"), "{lower}");
    assert!(lower.contains("authorization: bearer hook-secret-4711"), "{lower}");
    let (_, body) = received[0].split_once("\r\n\r\n").expect("it has a body");
    let told: Value = serde_json::from_str(body).expect("it is JSON");
    assert_eq!(told, dir.session().summary);

    // One that takes the connection and says nothing; the address of the environment comes first.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = listener.local_addr().expect("it is bound");
    let other = TestDir::new();
    other.write("profile.toml", &profile(20, 1, "[notify]\nformat = \"slack\"\n"));
    let mut running = other
        .rushhour(&["run", "profile.toml"])
        .env("RUSHHOUR_NOTIFY_URL", &format!("http://{silent}/services/T0/B0/a-secret-path"))
        .start();
    let (mut stream, _) = listener.accept().expect("it connects");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("it is a socket");
    let mut request = [0; 4_096];
    let read = stream.read(&mut request).expect("it sends");
    assert!(String::from_utf8_lossy(&request[..read]).contains("POST /services/T0/B0/"));
    // The user need not wait.
    running.signal("INT");
    assert!(running.ends_within(PATIENCE));
    let ended = running.finish().expect_exit_unless_busy(0);
    assert!(!ended.stderr.contains("a-secret-path"), "{}", ended.stderr);
}

/// The body of a request that was received, which is JSON.
pub(crate) fn json_body(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("it has a body");
    serde_json::from_str(body).expect("it is JSON")
}

#[test]
fn metrics_are_pushed_to_a_collector_and_the_last_ones_are_those_of_the_end() {
    let dir = TestDir::new();
    let collector = HostileServer::start(|_| (200, b"{}".to_vec()));
    dir.write("profile.toml", &profile(20, 2, ""));
    let ran = dir
        .rushhour(&["run", "profile.toml"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address()))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20otlp-secret-4711")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "1000")
        .env("OTEL_SERVICE_NAME", "load-test")
        .run()
        .expect_exit_unless_busy(0)
        .expect_stderr("Metrics are pushed to 127.0.0.1:");
    assert!(!ran.stderr.contains("otlp-secret-4711"), "{}", ran.stderr);
    let received = collector.received();
    assert!(received.len() >= 2, "some while it runs, and some at the end: {}", received.len());
    let lower = received[0].to_ascii_lowercase();
    assert!(lower.starts_with("post /v1/metrics http/1.1"), "{lower}");
    assert!(lower.contains("authorization: bearer otlp-secret-4711"), "{lower}");
    assert!(lower.contains("content-type: application/json"), "{lower}");
    let last = json_body(received.last().expect("there are some"));
    let resource = &last["resourceMetrics"][0];
    let attributes = resource["resource"]["attributes"].as_array().expect("it has some");
    let attribute = |key: &str| {
        let found = attributes.iter().find(|attribute| attribute["key"] == key);
        found.expect(key)["value"]["stringValue"].as_str().expect("it is a text")
    };
    let summary = dir.session().summary;
    assert_eq!(attribute("service.name"), "load-test");
    assert_eq!(attribute("service.instance.id"), summary["session"]);
    let metrics = resource["scopeMetrics"][0]["metrics"].as_array().expect("it has some");
    let points = |name: &str, kind: &str| {
        let found = metrics.iter().find(|metric| metric["name"] == name);
        found.expect(name)[kind]["dataPoints"].as_array().expect("it has some").clone()
    };
    let ended: f64 = points("rushhour_runs_ended", "sum")
        .iter()
        .map(|point| point["asDouble"].as_f64().expect("it is a number"))
        .sum();
    let started = points("rushhour_runs_started", "sum")[0]["asDouble"].as_f64();
    assert_eq!(started, summary["runs"]["started"].as_f64());
    assert_eq!(started, Some(ended), "all of them have ended");
    let joins = &points("rushhour_agent_join", "histogram")[0];
    let counts = joins["bucketCounts"].as_array().expect("it has some").iter();
    let counted: u64 = counts.map(|count| count.as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(joins["count"], counted.to_string());
}

#[test]
fn a_collector_that_refuses_or_hangs_is_told_of_once_and_changes_nothing() {
    let refusing = HostileServer::start(|_| (403, b"who are you?".to_vec()));
    // It takes the connection, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent_address = silent.local_addr().expect("it is bound").to_string();
    let sessions = [
        (refusing.address(), "it answered with 403: who are you?"),
        (silent_address, "no answer in time"),
    ];
    let running = sessions.map(|(address, reason)| {
        let dir = TestDir::new();
        dir.write("profile.toml", &profile(20, 2, ""));
        let command = dir.rushhour(&["run", "profile.toml"]);
        let command = command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}"))
            .env("OTEL_METRIC_EXPORT_INTERVAL", "1000");
        (command.start(), dir, reason)
    });
    for (running, dir, reason) in running {
        let ran = running.finish().expect_exit_unless_busy(0).expect_stderr(reason);
        assert_eq!(ran.stderr.matches("did not take metrics: ").count(), 1, "{}", ran.stderr);
        assert!(dir.session().summary["runs"]["completed"].as_u64() > Some(10));
    }
    assert!(refusing.received().len() >= 2, "it is asked again");
}

/// Where the browser's screenshots are kept.
fn pictures() -> PathBuf {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&pictures).expect("a folder can be created");
    pictures
}

#[test]
fn a_browser_follows_a_search_to_its_answer() {
    let dir = TestDir::new();
    let search = "[capacity]\nstart = 4\nmost = 4\nramp = \"20/s\"\nsettle = \"1s\"\nlasts = \"4s\"\nlongest = \"8s\"\n";
    dir.write("desk.toml", &capacity::profile(search));
    let running = dir.rushhour(&["capacity", "desk.toml", "--live", "127.0.0.1:0"]).start();
    let ran = Peers::find()
        .python("watch_search.py")
        .env("HOME", dir.path())
        .arg(pictures())
        .arg(format!("http://{}/", address_of(&running)))
        .output()
        .expect("Python is installed");
    let facts = python_facts(&ran);
    let output = running.finish();
    let found = capacity::summary(&capacity::search_folder(&dir));
    let answer = found["answer"].as_str().expect("it has one");
    let heading = facts["heading"].as_str().expect("it is a text");
    assert!(heading.contains(&format!("desk: {answer}")), "{heading}\n{answer}\n{}", output.stderr);
    assert_eq!(facts["title"], "desk: capacity");
}

#[test]
fn a_browser_follows_a_session_to_its_end() {
    let dir = TestDir::new();
    let watched = LivePage::start(&dir, &profile(8, 120, ""), &["--live", "127.0.0.1:0"]);
    wait_for_events(&dir.wait_for_session(), "ended", 40);
    let ran = Peers::find()
        .python("watch_session.py")
        .env("HOME", dir.path())
        .arg(pictures())
        .arg(format!("http://{}/", watched.address))
        .arg(env!("CARGO_BIN_EXE_rushhour"))
        .arg(dir.session_argument())
        .current_dir(dir.path())
        .output()
        .expect("Python is installed");
    let facts = python_facts(&ran);
    assert_eq!(facts["pictures"], 4, "{facts}");
    assert!(facts["charts"].as_u64().expect("charts are counted") >= 4, "{facts}");
    watched.running.finish().expect_exit(105);
}
