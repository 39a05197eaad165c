//! Signals and closed pipes: reports are written, rooms deleted, the exit code is right, and nothing panics.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{quick, settle};
use crate::support::{Peers, Workplace};

/// A session long enough to be disturbed.
fn long() -> String {
    quick(400, "20/s", "")
}

fn shell(workplace: &Workplace, script: &str) -> std::process::Output {
    Command::new("bash")
        .args(["-c", script])
        .env("RUSHHOUR", env!("CARGO_BIN_EXE_rushhour"))
        .current_dir(workplace.path())
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell")
}

#[test]
fn every_signal_drains_and_the_second_ends_whichever_it_is() {
    for (signals, now) in [
        (&["TERM"][..], false),
        (&["HUP"], false),
        (&["INT", "INT"], true),
        (&["HUP", "TERM"], true),
        (&["INT", "INT", "INT", "TERM"], true),
    ] {
        let workplace = Workplace::new();
        let running = workplace.start_profile(&long());
        std::thread::sleep(Duration::from_secs(3));
        for signal in signals {
            running.signal(signal);
            std::thread::sleep(Duration::from_millis(100));
        }
        let ran = running.finish().ended_with(105);
        assert!(!ran.err.contains("panicked"), "{signals:?}: {}", ran.err);
        let session = settle(&workplace, 400);
        let ended_now = session.tally("failure_class")["cancelled"];
        assert!(session.tally("outcome")["not_started"] > 200, "{signals:?}");
        assert_eq!(ended_now > session.tally("outcome")["not_started"], now, "{signals:?}");
    }
}

#[test]
fn closed_pipes_change_nothing_of_a_session() {
    for (closing, code) in [
        ("2>err.txt | head -n 1", 0),
        (">&- 2>err.txt", 0),
        (">out.txt 2>&-", 0),
        (">&- 2>&-", 0),
        // Standard error goes to a reader that has gone before the session ends.
        ("2>&1 >out.txt | head -c 1", 0),
    ] {
        let workplace = Workplace::new();
        workplace.write("profile.toml", &quick(20, "20/s", ""));
        let script = format!("\"$RUSHHOUR\" run profile.toml {closing}; exit ${{PIPESTATUS[0]}}");
        let ran = shell(&workplace, &script);
        assert_eq!(ran.status.code(), Some(code), "{closing}");
        let session = settle(&workplace, 20);
        assert_eq!(session.tally("outcome")["completed"], 20, "{closing}");
        let said = fs::read_to_string(workplace.path().join("err.txt")).unwrap_or_default();
        assert!(!said.contains("panicked"), "{closing}: {said}");
    }
}

#[test]
fn reports_may_be_read_by_the_line() {
    let workplace = Workplace::new();
    workplace.run_profile(&quick(20, "20/s", "")).ended_with(0);
    let shown = workplace.sessions().remove(0).display().to_string();
    for words in [
        format!("report {shown}"),
        format!("report {shown} --format markdown"),
        format!("report {shown} --format text"),
        format!("report {shown} --format json"),
        format!("report {shown} --format junit"),
        format!("report {shown} --format html"),
        format!("compare {shown} {shown}"),
        "completions bash".to_owned(),
        "--help".to_owned(),
        "plan profile.toml".to_owned(),
    ] {
        for reader in ["head -n 1", "true", "head -c 1"] {
            let script = format!("\"$RUSHHOUR\" {words} | {reader}; exit ${{PIPESTATUS[0]}}");
            let ran = shell(&workplace, &script);
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(!said.contains("panicked"), "{words} | {reader}: {said}");
            let code = ran.status.code();
            // Comparing a session with itself, so many runs may not be enough to say anything.
            assert!(matches!(code, Some(0 | 111)), "{words} | {reader}: {code:?} {said}");
        }
    }
}

#[test]
fn a_terminal_that_is_gone_ends_the_session_in_order() {
    let workplace = Workplace::new();
    workplace.write("profile.toml", &long());
    let ran = Peers::find()
        .python("lose_terminal.py")
        .args(["3", env!("CARGO_BIN_EXE_rushhour"), "run", "profile.toml"])
        .current_dir(workplace.path())
        .output()
        .expect("there is a Python");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let (code, seen) = said.trim().split_once(' ').expect("it tells both");
    assert_eq!(code, "105", "{said} {}", String::from_utf8_lossy(&ran.stderr));
    assert!(seen.parse::<u64>().expect("a number") > 100, "progress was shown: {seen}");
    let session = settle(&workplace, 400);
    assert!(session.tally("outcome")["not_started"] > 200);
}

#[test]
fn a_session_without_a_terminal_is_not_ended_by_one() {
    let workplace = Workplace::new();
    workplace.write("profile.toml", &quick(40, "20/s", ""));
    let out = File::create(workplace.path().join("out.txt")).expect("a file can be made");
    // Its shell is gone long before it ends.
    let mut shell = Command::new("bash")
        .args(["-c", "setsid \"$RUSHHOUR\" run profile.toml & echo $!"])
        .env("RUSHHOUR", env!("CARGO_BIN_EXE_rushhour"))
        .current_dir(workplace.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(out))
        .spawn()
        .expect("there is a shell");
    shell.wait().expect("it ends");
    // The pipe is closed once nobody holds it: that is the session's end.
    let mut told = String::new();
    shell.stdout.take().expect("it is piped").read_to_string(&mut told).expect("it is text");
    let session = settle(&workplace, 40);
    assert_eq!(session.tally("outcome")["completed"], 40, "{told}");
}
