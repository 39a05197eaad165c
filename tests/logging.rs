//! The log: off by default, on request to standard error or to a file, and always redacted.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{TestDir, wait_until};

const SECRET: &str = "secret-of-the-tests-with-more-than-32-characters";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl";

/// A session of some seconds against the embedded sandbox.
fn profile(copies: u32) -> String {
    format!(
        r#"
name = "logged"
[livekit]
url = "sandbox"
agent = "front-desk"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
copies = {copies}
lasts = "1s"
[[stage]]
rate = "10/s"
[limits]
polls = "10/s"
looks = "50/s"
[sandbox]
agent_join = {{ median = "200ms" }}
conversation = {{ median = "500ms" }}
"#
    )
}

/// What each line of a log must begin with: a timestamp and a level.
fn is_log_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let time = words.next().unwrap_or_default();
    let level = words.next().unwrap_or_default();
    time.len() > 20 && time.ends_with('Z') && ["ERROR", "WARN", "INFO", "DEBUG"].contains(&level)
}

fn wait_for(file: &Path, text: &str) {
    wait_until(text, || fs::read_to_string(file).unwrap_or_default().contains(text));
}

#[test]
fn without_a_flag_no_byte_is_logged() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(2));
    let ran = dir.rushhour(&["validate", "profile.toml"]).run().expect_exit(0);
    assert_eq!(ran.stderr, "");
    let ran = dir.rushhour(&["run", "profile.toml", "--quiet"]).run();
    assert_eq!(ran.stderr, "");
    // An empty variable is as good as none.
    let ran = dir.rushhour(&["validate", "profile.toml"]).env("RUSHHOUR_LOG", " ").run();
    assert_eq!(ran.stderr, "");
}

#[test]
fn verbose_shows_the_phases_of_a_session_and_twice_shows_more() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(2));
    let ran = dir.rushhour(&["run", "profile.toml", "--quiet", "-v"]).run();
    for phase in [
        "loaded the profile",
        "created the session's folder",
        "the session begins",
        "every run has ended",
        "wrote the reports",
        "finished",
    ] {
        assert!(ran.stderr.contains(phase), "not logged: {phase}\n{}", ran.stderr);
    }
    assert!(ran.stderr.lines().all(is_log_line), "{}", ran.stderr);
    assert!(!ran.stderr.contains(" DEBUG "), "{}", ran.stderr);
    let session = dir.sessions().remove(0);
    let folder = session.to_str().expect("a path is text");
    let ran = dir.rushhour(&["report", folder, "-vv"]).run();
    assert!(ran.stderr.contains(" DEBUG "), "{}", ran.stderr);
}

#[test]
fn a_log_file_takes_the_log_and_belongs_to_its_owner_alone() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(400));
    let words = ["run", "profile.toml", "--quiet", "--log", "session.log"];
    let running = dir.rushhour(&words).start();
    let log = dir.path().join("session.log");
    wait_for(&log, "the session begins");
    running.signal("INT");
    running.signal("INT");
    let ran = running.finish().expect_exit(105);
    assert!(!ran.stderr.lines().any(is_log_line), "{}", ran.stderr);
    let text = fs::read_to_string(&log).expect("it is there");
    assert!(text.contains("stop requested signal=\"interrupted\" count=1"), "{text}");
    assert!(text.contains("finished exit_code=105"), "{text}");
    assert!(text.lines().all(is_log_line), "{text}");
    let mode = fs::metadata(&log).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A second command appends to it.
    dir.rushhour(&["validate", "profile.toml", "--log", "session.log"]).run().expect_exit(0);
    let both = fs::read_to_string(&log).expect("it is there");
    assert!(both.starts_with(&text) && both.len() > text.len());
    dir.rushhour(&["validate", "profile.toml", "--log", "none/session.log"])
        .run()
        .expect_exit(2)
        .expect_stderr("cannot write the log none/session.log");
}

#[test]
fn the_environment_takes_precedence_over_the_flags() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(2));
    let validate = |directives: &str, flags: &[&str]| {
        let words = [&["validate", "profile.toml"], flags].concat();
        dir.rushhour(&words).env("RUSHHOUR_LOG", directives).run()
    };
    assert_eq!(validate("off", &["-vv"]).expect_exit(0).stderr, "");
    assert!(validate("rushhour=info", &[]).expect_exit(0).stderr.contains("loaded the profile"));
    validate("rushhour=loud", &[])
        .expect_exit(2)
        .expect_stderr("RUSHHOUR_LOG has an invalid directive")
        .expect_stderr("hint: write directives");
}

/// Answers every request with a Twirp error that repeats a secret and a token; returns the port.
fn indiscreet_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        let body = format!(r#"{{"code":"internal","msg":"{SECRET} and {TOKEN}"}}"#);
        let response = format!(
            "HTTP/1.1 500 Internal\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // The requests are small enough for one read.
            let _ = stream.read(&mut [0; 16 * 1024]);
            let _ = stream.write_all(response.as_bytes());
        }
    });
    port
}

#[test]
fn a_secret_in_an_error_is_neither_printed_nor_logged() {
    let dir = TestDir::new();
    let url = format!("ws://127.0.0.1:{}", indiscreet_server());
    let profile = profile(2).replace("\"sandbox\"", &format!("\"{url}\""));
    dir.write("profile.toml", &profile.replace("[evaluator]", "[evaluator]\nkind = \"sandbox\""));
    // What is printed, and all files, are searched for secrets by the harness.
    let ran = dir
        .rushhour(&["run", "profile.toml", "--log", "session.log"])
        .env("RUSHHOUR_LOG", "trace")
        .env("LIVEKIT_API_KEY", "key-of-the-tests-4711")
        .env("LIVEKIT_API_SECRET", SECRET)
        .run()
        .expect_exit(2)
        .expect_stderr("caused by: LiveKit answered internal: [redacted] and [redacted]");
    assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
    let log = fs::read_to_string(dir.path().join("session.log")).expect("it is there");
    assert!(log.contains("LiveKit answered internal: [redacted] and [redacted]"), "{log}");
    assert!(!log.contains(SECRET) && !log.contains(TOKEN), "{log}");
}

#[test]
fn on_a_terminal_the_log_and_the_status_line_do_not_mix() {
    let dir = TestDir::new();
    dir.write("profile.toml", &profile(20));
    // `script` gives its child a terminal of its own.
    let output = Command::new("script")
        .current_dir(dir.path())
        .args(["-qec", &format!("{} run profile.toml -v", env!("CARGO_BIN_EXE_rushhour"))])
        .arg("/dev/null")
        .output()
        .expect("there is a `script`");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("20 started"), "there is a status line: {shown}");
    let events: Vec<usize> = shown.match_indices("  INFO rushhour").map(|(at, _)| at).collect();
    assert!(events.len() >= 5, "{shown}");
    for at in events {
        let line = &shown[..at];
        let line = &line[line.rfind('\n').map_or(0, |end| end + 1)..];
        // After the status line was cleared, if it was on the terminal.
        let line = line.rsplit("\u{1b}[2K").next().unwrap_or_default();
        assert!(line.starts_with("20") && line.ends_with('Z'), "{line:?}");
    }
}
