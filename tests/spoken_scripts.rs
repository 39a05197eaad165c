//! Scripts without clips, in noise, with rules: on the real livekit-server against the calibration agent; and what is wrong
//! with them, before a session begins.

use std::fs;

use crate::native_callers::{journal_values, profile, start_agent, test_dir};
use crate::support::{LiveKitServer, Session, TestDir};

const TEXTS: &str = r#"
[[turn]]
say = "Good evening."
within = "4s"
[[turn]]
say = "And goodbye."
within = "4s"
[[rule]]
hears = "(?i)you said: good evening"
say = "Well, yes."
within = "4s"
[[rule]]
hears = "(?i)never said"
say = "Well, no."
"#;

/// A synthesiser with one voice and one sentence.
const SPEECH: &str = "[speech]\ncommand = \"/bin/cat name-is-smith.opus\"\nwithin = \"20s\"\n";

#[test]
fn words_without_clips_are_said_in_noise_and_kept() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &["--hears", "Good evening"]);
    dir.write("script.toml", TEXTS);
    let text = profile(&server, "voice", 1, "1/s").replace(
        "lasts = \"5s\"\n",
        "lasts = \"5s\"\nvoice = { snr = \"20dB\", band = \"telephone\" }\n",
    );
    dir.write("profile.toml", &format!("{text}{SPEECH}"));
    let run = || {
        let command = dir.rushhour(&["run", "profile.toml"]);
        let command = server.with_keys(command).env("RUSHHOUR_CACHE", "cache");
        command.run().expect_exit_unless_busy(0)
    };
    let first = run();
    assert!(first.stderr.contains("Synthesising 4 of 4 texts with /bin/cat."), "{}", first.stderr);
    assert!(first.stdout.contains("what some rules hear: rule 1 of 1"), "{}", first.stdout);
    let again = run();
    assert!(!again.stderr.contains("Synthesising"), "{}", again.stderr);
    agent.signal("INT");
    agent.finish().expect_exit(0);
    for folder in dir.sessions() {
        let session = Session::open(&folder);
        let endings = journal_values(&session, "ending");
        assert_eq!(endings, ["answered", "answered"], "{endings:?}");
        let said = journal_values(&session, "hits");
        assert!(said.contains(&2.into()), "what is synthesised has words: {said:?}");
    }
}

#[test]
fn a_rule_is_followed_in_a_real_room() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &[]);
    dir.write("script.toml", TEXTS);
    dir.write("profile.toml", &profile(&server, "chat", 1, "1/s"));
    let command = server.with_keys(dir.rushhour(&["run", "profile.toml"]));
    let output = command.run().expect_exit_unless_busy(0);
    agent.signal("INT");
    agent.finish().expect_exit(0);
    assert!(output.stdout.contains("Callers followed 1 rule of their scripts, 1 time."));
    assert_eq!(journal_values(&dir.session(), "rule"), [1]);
    let numbers = journal_values(&dir.session(), "number");
    assert_eq!(numbers, [1, 3, 2], "the rule came between the turns");
}

#[test]
fn a_synthesiser_that_says_nothing_is_told_before_the_session() {
    let dir = test_dir();
    dir.write("script.toml", TEXTS);
    dir.write("hour.sh", "#!/bin/sh\nexec /bin/cat /dev/zero\n");
    for (command, told) in [
        ("/no/such/program", "it cannot be run"),
        ("/bin/sh -c 'echo no such voice >&2; exit 7'", "no such voice"),
        ("/bin/sh -c 'sleep 1000'", "it took longer than 1.00s"),
        ("/bin/echo hello", "what it wrote cannot be played: the file is neither WAV nor Ogg"),
        ("/bin/true", "what it wrote cannot be played: the file is empty"),
        ("/bin/sh hour.sh", "it wrote more than 104857600 bytes"),
        ("/bin/cat name-is-smith.opus", "dB above full scale"),
    ] {
        let within = if command.contains("hour") { "60s" } else { "1s" };
        let text = format!(
            r#"
mode = "voice"
[livekit]
url = "ws://127.0.0.1:9"
agent = "echo"
[evaluator]
kind = "native"
[[scenario]]
id = 1
copies = 1
script = "script.toml"
voice = {{ level = "-1dBFS" }}
[[stage]]
rate = "1/s"
[speech]
command = "{command}"
within = "{within}"
"#
        );
        dir.write("profile.toml", &text);
        let output = dir
            .rushhour(&["run", "profile.toml"])
            .env("LIVEKIT_API_KEY", "devkey")
            .env("LIVEKIT_API_SECRET", "secret")
            .run()
            .expect_exit(2);
        assert!(output.stderr.contains(told), "{command}: {}", output.stderr);
        assert!(output.stderr.contains("Good evening."), "{command}: {}", output.stderr);
        assert!(dir.sessions().is_empty(), "{command}");
    }
}

#[test]
fn a_structured_test_becomes_a_script() {
    let dir = TestDir::new();
    let name = r#"{"condition": "when the agent asks for your name", "action": "Smith.",
        "type": "standard", "fixed_message": true}"#;
    let first = r#"{"condition": "FIRST_MESSAGE", "action": "Hello.", "fixed_message": true}"#;
    let test = format!(
        r#"{{"conditional_actions": {{"role": "A guest", "conditions": [{first}, {name}]}}}}"#
    );
    dir.write("test.json", &test);
    let command = ["import", "test.json", "--to", "script.toml"];
    let output = dir.rushhour(&command).run().expect_exit(0);
    assert!(output.stderr.contains("Left out: `role`"), "{}", output.stderr);
    let script = fs::read_to_string(dir.path().join("script.toml")).expect("it was written");
    assert!(script.contains("hears = \"(?i)name\"\nsay = \"Smith.\""), "{script}");
    dir.rushhour(&command).run().expect_exit(2).expect_stderr("is not overwritten");
    dir.write("test.json", "{\"instructions\": \"Book a table.\"}");
    dir.rushhour(&["import", "test.json"]).run().expect_exit(2).expect_stderr("no structured test");
}
