//! `rushhour doctor`: every problem is named, the other checks are made all the same, and no room is left.

use std::collections::BTreeMap;
#[cfg(feature = "native")]
use std::{fs, path::Path};

use rushhour_sandbox::{KeyScope, Sandbox, SandboxConfig, WorkerPool};
use serde_json::Value;

#[cfg(feature = "native")]
use crate::support::Framework;
use crate::support::{LiveKitServer, TestDir, wait_until};

#[cfg(feature = "native")]
const CLIP: &str = "profiles/scripts/clips/name-is-smith.opus";

const PROFILE: &str = r#"
name = "examined"
mode = "chat"
[livekit]
url = "LIVEKIT"
agent = "echo"
agent_within = "3s"
give_up_after = "4s"
[evaluator]
EVALUATOR
[[scenario]]
id = 30
copies = 20
lasts = "10s"
[[stage]]
rate = "2/s"
"#;

/// The checks that are always made.
const CHECKS: &[&str] = &[
    "open files",
    "disk space",
    "reports folder",
    "submissions",
    "polls",
    "in flight",
    "livekit dns",
    "livekit tls",
    "livekit clock",
    "livekit key",
    "livekit grants",
    "agent",
    "cekura dns",
    "cekura tls",
    "cekura clock",
    "cekura key",
    "cekura plan",
];

/// The findings by check.
struct Findings(BTreeMap<String, Value>);

impl Findings {
    fn parse(stdout: &str) -> Self {
        let diagnosis: Value = serde_json::from_str(stdout).expect("it prints one JSON object");
        let all = diagnosis["findings"].as_array().expect("there are findings").iter();
        let findings: BTreeMap<String, Value> = all
            .map(|one| (one["check"].as_str().expect("it is named").to_owned(), one.clone()))
            .collect();
        let failed = findings.values().any(|one| one["state"] == "failed");
        assert_eq!(diagnosis["passed"], !failed);
        Self(findings)
    }

    #[track_caller]
    fn expect(&self, check: &str, state: &str, text: &str) {
        let one = self.0.get(check).unwrap_or_else(|| panic!("{check} was not checked"));
        assert_eq!(one["state"], state, "{one}");
        assert!(one["says"].as_str().is_some_and(|says| says.contains(text)), "{one}");
        assert_eq!(one["advice"].is_string(), ["warning", "failed"].contains(&state), "{one}");
    }

    /// Expects every check except these to be ok.
    #[track_caller]
    fn expect_ok_except(&self, except: &[&str]) {
        for check in CHECKS.iter().filter(|check| !except.contains(check)) {
            self.expect(check, "ok", "");
        }
    }
}

/// Runs the doctor on a sandbox with this configuration; `wrong_keys` replace the right ones.
fn examine(
    config: SandboxConfig,
    wrong_keys: &[(&str, &str)],
    options: &[&str],
) -> (Option<i32>, Findings) {
    let sandbox = Sandbox::start(config, 0).expect("a port is free");
    let dir = TestDir::new();
    let profile = PROFILE
        .replace("LIVEKIT", &sandbox.livekit_url())
        .replace("EVALUATOR", &format!("url = \"{}\"", sandbox.url()));
    dir.write("profile.toml", &profile);
    let mut arguments = vec!["doctor", "profile.toml", "--format", "json"];
    arguments.extend(options);
    let mut rushhour = dir
        .rushhour(&arguments)
        .env("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
        .env("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
        .env("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY);
    for (variable, value) in wrong_keys {
        rushhour = rushhour.env(variable, value);
    }
    let ran = rushhour.run();
    let found = Findings::parse(&ran.stdout);
    for check in CHECKS {
        assert!(found.0.contains_key(*check), "{check} was not checked: {}", ran.stdout);
    }
    let truth = sandbox.truth();
    assert_eq!(truth.rooms_open, [], "no room is left");
    assert_eq!(truth.counts.submissions, 0, "nothing is submitted");
    assert!(!dir.path().join("reports").exists(), "nothing is written");
    (ran.code, found)
}

#[test]
fn everything_passes_where_nothing_is_wrong() {
    let (code, found) = examine(SandboxConfig::default(), &[], &[]);
    assert_eq!(code, Some(0));
    found.expect_ok_except(&[]);
    found.expect("agent", "ok", "echo joined after ");
    found.expect("cekura plan", "ok", "10000 credits are left");
}

#[test]
fn wrong_and_missing_keys_are_named_and_the_rest_is_checked() {
    let other = "secret-of-the-tests-with-more-than-32-characters";
    let (code, found) = examine(SandboxConfig::default(), &[("LIVEKIT_API_SECRET", other)], &[]);
    assert_eq!(code, Some(2));
    found.expect("livekit key", "failed", "refused the token");
    found.expect("agent", "not_checked", "the key was not accepted");
    found.expect_ok_except(&["livekit key", "livekit grants", "agent"]);

    let wrong = [("CEKURA_API_KEY", "cekura-key-of-the-tests-0815"), ("LIVEKIT_API_KEY", "")];
    let (code, found) = examine(SandboxConfig::default(), &wrong, &[]);
    assert_eq!(code, Some(2));
    found.expect("livekit key", "failed", "LIVEKIT_API_KEY is empty");
    found.expect("cekura key", "failed", "Cekura answered 403");
    found.expect_ok_except(&[
        "livekit key",
        "livekit grants",
        "agent",
        "cekura key",
        "cekura plan",
    ]);
}

#[test]
fn an_agent_without_a_worker_fails_and_with_no_dispatch_it_is_not_checked() {
    let workers = WorkerPool::Only(std::collections::BTreeSet::new());
    let config = SandboxConfig { workers, ..SandboxConfig::default() };
    let (code, found) = examine(config.clone(), &[], &[]);
    assert_eq!(code, Some(2));
    found.expect("agent", "failed", "no worker accepted the job of echo within 4");
    found.expect_ok_except(&["agent"]);

    let (code, found) = examine(config, &[], &["--no-dispatch"]);
    assert_eq!(code, Some(0));
    found.expect("agent", "not_checked", "--no-dispatch");
    found.expect_ok_except(&["agent"]);
}

#[test]
fn clocks_that_disagree_are_reported_before_tokens_fail() {
    for (offset, which, state) in
        [(-20, "ahead of", "warning"), (120, "behind", "failed"), (-120, "ahead of", "failed")]
    {
        let config = SandboxConfig { clock_offset_s: offset, ..SandboxConfig::default() };
        let (code, found) = examine(config, &[], &[]);
        found.expect("livekit clock", state, which);
        found.expect("cekura clock", state, which);
        assert_eq!(code, Some(if state == "failed" { 2 } else { 0 }));
    }
}

#[test]
fn a_project_key_cannot_read_the_plan_and_that_is_no_failure() {
    let mut config = SandboxConfig::default();
    config.plan.key = KeyScope::Project;
    let (code, found) = examine(config, &[], &[]);
    assert_eq!(code, Some(0));
    found.expect("cekura plan", "not_checked", "only a key of the organization");
    found.expect_ok_except(&["cekura plan"]);
}

#[test]
fn unreachable_services_and_unwritable_folders_are_named() {
    let dir = TestDir::new();
    dir.write("taken", "a file where a folder is needed");
    let profile = PROFILE
        .replace("LIVEKIT", "wss://livekit.rushhour.invalid")
        .replace("EVALUATOR", "url = \"http://127.0.0.1:9\"")
        .replace("copies = 20", "copies = 20000")
        .replace("2/s", "900/s")
        .replace("[[stage]]", "[limits]\nin_flight = 9000\n[[stage]]");
    dir.write("profile.toml", &profile);
    let ran = dir
        .rushhour(&["doctor", "profile.toml", "--format", "json", "--out", "taken/reports"])
        .env("LIVEKIT_API_KEY", "key-of-the-tests-4711")
        .env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
        .env("CEKURA_API_KEY", "cekura-key-of-the-tests-0815")
        .run()
        .expect_exit(2);
    let found = Findings::parse(&ran.stdout);
    found.expect("livekit dns", "failed", "livekit.rushhour.invalid");
    found.expect("livekit tls", "failed", "no connection");
    found.expect("cekura tls", "failed", "no connection");
    found.expect("cekura clock", "not_checked", "did not answer");
    found.expect("submissions", "warning", "900.00 submissions per second are needed");
    // Whether so many files may be open depends on the machine.
    let state = found.0["open files"]["state"].as_str().expect("every check has a state");
    assert!(["ok", "failed"].contains(&state), "{state}");
}

#[test]
fn a_real_worker_on_a_real_server_is_found_and_a_missing_one_is_not() {
    let dir = TestDir::new();
    let server = LiveKitServer::start(dir.path());
    let _worker = server.echo_worker(dir.path());
    let profile =
        PROFILE.replace("LIVEKIT", &server.url()).replace("EVALUATOR", "kind = \"sandbox\"");
    let arguments = ["doctor", "profile.toml", "--format", "json"];
    for (method, agent, code, state) in [
        ("explicit", "echo", 0, "ok"),
        ("room", "echo", 0, "ok"),
        ("explicit", "nobody", 2, "failed"),
    ] {
        let named = format!("agent = \"{agent}\"\ndispatch = \"{method}\"");
        dir.write("profile.toml", &profile.replace("agent = \"echo\"", &named));
        let ran = server.with_keys(dir.rushhour(&arguments)).run().expect_exit(code);
        let found = Findings::parse(&ran.stdout);
        found.expect("livekit key", "ok", "");
        found.expect("livekit clock", "ok", "");
        found.expect("livekit grants", "ok", "");
        found.expect("agent", state, agent);
        found.expect("cekura", "not_checked", "the embedded sandbox is used");
        assert_eq!(server.rooms(), [] as [String; 0]);
    }
    let wrong = server
        .with_keys(dir.rushhour(&arguments))
        .env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters");
    Findings::parse(&wrong.run().expect_exit(2).stdout).expect(
        "livekit key",
        "failed",
        "refused the token",
    );

    // Interrupted while it waits for an agent that never joins.
    let waiting = profile.replace("\"echo\"", "\"nobody\"").replace("\"4s\"", "\"60s\"");
    dir.write("profile.toml", &waiting);
    let running = server.with_keys(dir.rushhour(&arguments)).start();
    wait_until("a room is created", || !server.rooms().is_empty());
    running.signal("INT");
    running.finish().expect_exit(105);
    assert_eq!(server.rooms(), [] as [String; 0]);
}

#[cfg(feature = "native")]
#[test]
fn what_an_agent_does_in_the_room_is_said_with_the_lines_to_paste() {
    let (dir, framework) = (TestDir::new(), Framework::Python);
    let server = LiveKitServer::start(dir.path());
    let _agents = server.framework_agents(dir.path(), framework, "plain");
    let silent = "[[turn]]\nsay = \"Hello.\"\nplay = \"hello.opus\"\n";
    let greeted = format!("[greeting]\n{silent}");
    let expecting = format!("{silent}expect = \"smith\"\n");
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIP);
    fs::copy(clip, dir.path().join("hello.opus")).expect("the clip is there");
    for (mode, metadata, script, state, says, advice) in [
        (
            "voice",
            "{ behaviour = \"greeting-say\", ambience = 0.8 }",
            silent,
            "warning",
            &["greets ", "tells its state", "is transcribed", "(`background_audio`)"][..],
            "[greeting] within = ",
        ),
        (
            "voice",
            "{ behaviour = \"greeting-say\" }",
            &greeted,
            "ok",
            &["greets ", "is transcribed"],
            "",
        ),
        (
            "voice",
            "{ behaviour = \"avatar\", greeting = \"say\" }",
            &greeted,
            "ok",
            &["greets ", "speaks through an avatar"],
            "",
        ),
        (
            // A participant that only its permission makes an agent.
            "voice",
            "{ behaviour = \"standard\" }",
            silent,
            "warning",
            &["greets ", "does not tell its state", "is not transcribed"],
            "[evaluator] quiet = \"1s\"",
        ),
        (
            "chat",
            "{ behaviour = \"plain\" }",
            &greeted,
            "warning",
            &[
                "does not greet a chat caller within 8.00s, tells its state",
                "answers the script's first turn after",
                "reports its own latencies",
                "agent_mute",
            ],
            "remove [greeting]",
        ),
        (
            "voice",
            "{ behaviour = \"no-transcripts\" }",
            &expecting,
            "warning",
            &[
                "does not greet a voice caller within 8.00s",
                "answers the script's first turn after",
                "is not transcribed",
                "its words cannot be compared",
            ],
            "take `expect` and [[rule]] out of the script",
        ),
    ] {
        dir.write("script.toml", script);
        let profile = PROFILE
            .replace("LIVEKIT", &server.url())
            .replace("EVALUATOR", "kind = \"native\"")
            .replace("\"chat\"", &format!("\"{mode}\""))
            .replace("\"echo\"", &format!("\"{}\"\nmetadata = {metadata}", framework.agent_name()))
            .replace("id = 30", "id = 30\nscript = \"script.toml\"");
        dir.write("profile.toml", &profile);
        let arguments = ["doctor", "profile.toml", "--format", "json"];
        let ran = server.with_keys(dir.rushhour(&arguments)).run().expect_exit(0);
        let found = Findings::parse(&ran.stdout);
        found.expect("livekit connection", "ok", "livekit-server 1.13.5, signalling v1");
        let one = &found.0["agent in the room"];
        assert_eq!(one["state"], state, "{one}");
        for part in says {
            assert!(one["says"].as_str().is_some_and(|says| says.contains(part)), "{part}: {one}");
        }
        assert_eq!(one["advice"].is_string(), !advice.is_empty(), "{one}");
        assert!(one["advice"].as_str().unwrap_or_default().contains(advice), "{one}");
        assert_eq!(server.rooms(), [] as [String; 0]);
    }
}

#[test]
fn a_plan_too_large_for_livekit_cloud_is_refused_before_any_request() {
    let dir = TestDir::new();
    // A name that is never registered, so that nothing can be reached.
    let profile = PROFILE
        .replace("LIVEKIT", "wss://rushhour-tests.invalid.livekit.cloud")
        .replace("EVALUATOR", "kind = \"sandbox\"")
        .replace("rate = \"2/s\"", "burst = 20")
        .replace("copies = 20", "copies = 80")
        .replace("burst = 20", "burst = 80");
    dir.write("profile.toml", &profile);
    let plan = dir.rushhour(&["plan", "profile.toml"]).run().expect_exit(0);
    assert!(plan.stdout.contains("(LiveKit Cloud)"), "{}", plan.stdout);
    assert!(plan.stdout.contains("about 80 rooms at once"), "{}", plan.stdout);
    dir.rushhour(&["run", "profile.toml"])
        .run()
        .expect_exit(2)
        .expect_stderr("about 80 rooms at once on rushhour-tests.invalid.livekit.cloud")
        .expect_stderr("--accept-cloud-limits");
    // With consent it goes on, and misses the keys next.
    dir.rushhour(&["run", "profile.toml", "--accept-cloud-limits"])
        .run()
        .expect_exit(2)
        .expect_stderr("LIVEKIT_API_KEY is not set");
    dir.rushhour(&["run", "profile.toml", "--set", "limits.in_flight=50"])
        .run()
        .expect_exit(2)
        .expect_stderr("LIVEKIT_API_KEY is not set");
}
