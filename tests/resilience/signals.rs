//! Signals and closed pipes: reports are written, rooms deleted, the exit code is right, and nothing panics.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};

use super::{open_checked, quick_profile};
use crate::support::{Peers, TestDir, wait_for_events};

/// A profile of a session that is long enough to be interrupted.
fn long_profile() -> String {
    quick_profile(400, "20/s", "")
}

fn run_in_shell(dir: &TestDir, script: &str) -> std::process::Output {
    Command::new("bash")
        .args(["-c", script])
        .env("RUSHHOUR", env!("CARGO_BIN_EXE_rushhour"))
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell")
}

#[test]
fn the_first_signal_drains_and_the_second_ends_the_session_whichever_they_are() {
    for (signals, ends_now) in [
        (&["TERM"][..], false),
        (&["HUP"], false),
        (&["INT", "INT"], true),
        (&["HUP", "TERM"], true),
        (&["INT", "INT", "INT", "TERM"], true),
    ] {
        let dir = TestDir::new();
        let running = dir.start_profile(&long_profile());
        let folder = dir.wait_for_session();
        wait_for_events(&folder, "run_started", 50);
        for (sent, signal) in signals.iter().enumerate() {
            running.signal(signal);
            // Further signals change nothing and are not recorded.
            wait_for_events(&folder, "stopping", (sent + 1).min(2));
        }
        running.finish().expect_exit(105);
        let session = open_checked(&dir, 400);
        let cancelled = session.tally("failure_class")["cancelled"];
        let not_started = session.tally("outcome")["not_started"];
        assert!(not_started > 200, "{signals:?}");
        assert_eq!(cancelled > not_started, ends_now, "{signals:?}");
    }
}

#[test]
fn closed_pipes_do_not_change_a_session() {
    for (closing, code) in [
        ("2>err.txt | head -n 1", 0),
        (">&- 2>err.txt", 0),
        (">out.txt 2>&-", 0),
        (">&- 2>&-", 0),
        // Standard error goes to a reader that has gone before the session ends.
        ("2>&1 >out.txt | head -c 1", 0),
    ] {
        let dir = TestDir::new();
        dir.write("profile.toml", &quick_profile(20, "20/s", ""));
        let script = format!("\"$RUSHHOUR\" run profile.toml {closing}; exit ${{PIPESTATUS[0]}}");
        let ran = run_in_shell(&dir, &script);
        // This machine may be too busy for a valid session.
        assert!(
            [Some(code), Some(112)].contains(&ran.status.code()),
            "{closing}: {:?}",
            ran.status
        );
        let session = open_checked(&dir, 20);
        assert_eq!(session.tally("outcome")["completed"], 20, "{closing}");
        let errors = fs::read_to_string(dir.path().join("err.txt")).unwrap_or_default();
        assert!(!errors.contains("panicked"), "{closing}: {errors}");
    }
}

#[test]
fn readers_of_reports_may_stop_early() {
    let dir = TestDir::new();
    let reported = dir.run_profile(&quick_profile(20, "20/s", "")).expect_exit_unless_busy(0);
    let session = dir.session_argument();
    for arguments in [
        format!("report {session}"),
        format!("report {session} --format markdown"),
        format!("report {session} --format text"),
        format!("report {session} --format json"),
        format!("report {session} --format junit"),
        format!("report {session} --format html"),
        format!("compare {session} {session}"),
        "completions bash".to_owned(),
        "--help".to_owned(),
        "plan profile.toml".to_owned(),
    ] {
        for reader in ["head -n 1", "true", "head -c 1"] {
            let script = format!("\"$RUSHHOUR\" {arguments} | {reader}; exit ${{PIPESTATUS[0]}}");
            let ran = run_in_shell(&dir, &script);
            let errors = String::from_utf8_lossy(&ran.stderr);
            assert!(!errors.contains("panicked"), "{arguments} | {reader}: {errors}");
            let code = ran.status.code();
            // Twenty runs may be too few to compare; reports exit as their session did.
            let fits = matches!(code, Some(0 | 111)) || code == reported.code;
            assert!(fits, "{arguments} | {reader}: {code:?} {errors}");
        }
    }
}

#[test]
fn a_closed_terminal_drains_the_session() {
    let dir = TestDir::new();
    dir.write("profile.toml", &long_profile());
    let ran = Peers::find()
        .python("close_terminal.py")
        .args(["reports/*/journal.jsonl", "\"ended\"", "5"])
        .args([env!("CARGO_BIN_EXE_rushhour"), "run", "profile.toml"])
        .current_dir(dir.path())
        .output()
        .expect("Python is installed");
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    let (code, shown_bytes) = printed.trim().split_once(' ').expect("it prints both");
    assert_eq!(code, "105", "{printed} {}", String::from_utf8_lossy(&ran.stderr));
    let shown_bytes: u64 = shown_bytes.parse().expect("a number");
    assert!(shown_bytes > 100, "progress was shown: {shown_bytes}");
    let session = open_checked(&dir, 400);
    assert!(session.tally("outcome")["not_started"] > 200);
}

#[test]
fn a_session_survives_the_shell_that_started_it() {
    let dir = TestDir::new();
    dir.write("profile.toml", &quick_profile(40, "20/s", ""));
    let errors = File::create(dir.path().join("err.txt")).expect("a file can be created");
    // The shell exits long before the session ends.
    let mut shell = Command::new("bash")
        .args(["-c", "setsid \"$RUSHHOUR\" run profile.toml & echo $!"])
        .env("RUSHHOUR", env!("CARGO_BIN_EXE_rushhour"))
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(errors))
        .spawn()
        .expect("there is a shell");
    shell.wait().expect("it ends");
    // The pipe is closed when the session exits.
    let mut printed = String::new();
    shell.stdout.take().expect("it is piped").read_to_string(&mut printed).expect("it is text");
    let session = open_checked(&dir, 40);
    assert_eq!(session.tally("outcome")["completed"], 40, "{printed}");
}
