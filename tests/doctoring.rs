//! `rushhour doctor`: every fault is named, the other checks are made all the same, and no room is left.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rushhour_sandbox::{KeyScope, Sandbox, SandboxConfig, WorkerPool};
use serde_json::Value;

use crate::support::{LiveKitServer, Rushhour, Workplace};

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

/// The checks that are made, whatever each comes to.
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

/// What was found, by check.
struct Found(BTreeMap<String, Value>);

impl Found {
    fn of(out: &str) -> Self {
        let diagnosis: Value = serde_json::from_str(out).expect("it prints one JSON object");
        let findings = diagnosis["findings"].as_array().expect("there are findings").iter();
        let found: BTreeMap<String, Value> = findings
            .map(|one| (one["check"].as_str().expect("it is named").to_owned(), one.clone()))
            .collect();
        let failed = found.values().any(|one| one["state"] == "failed");
        assert_eq!(diagnosis["passed"], !failed);
        Self(found)
    }

    #[track_caller]
    fn is(&self, check: &str, state: &str, words: &str) {
        let one = self.0.get(check).unwrap_or_else(|| panic!("{check} was not looked at"));
        assert_eq!(one["state"], state, "{one}");
        assert!(one["says"].as_str().is_some_and(|says| says.contains(words)), "{one}");
        assert_eq!(one["advice"].is_string(), ["warning", "failed"].contains(&state), "{one}");
    }

    /// Everything but these is as it should be.
    #[track_caller]
    fn otherwise_ok(&self, but: &[&str]) {
        for check in CHECKS.iter().filter(|check| !but.contains(check)) {
            self.is(check, "ok", "");
        }
    }
}

/// Looks at a sandbox with this configuration; what is in `wrong` is set after the right keys.
fn examine(config: SandboxConfig, wrong: &[(&str, &str)], words: &[&str]) -> (Option<i32>, Found) {
    let sandbox = Sandbox::start(config, 0).expect("a free port is always to be had");
    let workplace = Workplace::new();
    let profile = PROFILE
        .replace("LIVEKIT", &sandbox.livekit_url())
        .replace("EVALUATOR", &format!("url = \"{}\"", sandbox.url()));
    workplace.write("profile.toml", &profile);
    let mut all = vec!["doctor", "profile.toml", "--format", "json"];
    all.extend(words);
    let mut rushhour = workplace
        .rushhour(&all)
        .with("LIVEKIT_API_KEY", SandboxConfig::API_KEY)
        .with("LIVEKIT_API_SECRET", SandboxConfig::API_SECRET)
        .with("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY);
    for (variable, value) in wrong {
        rushhour = rushhour.with(variable, value);
    }
    let ran = rushhour.run();
    let found = Found::of(&ran.out);
    for check in CHECKS {
        assert!(found.0.contains_key(*check), "{check} was not looked at: {}", ran.out);
    }
    let truth = sandbox.truth();
    assert_eq!(truth.rooms_open, [], "no room is left");
    assert_eq!(truth.counts.submissions, 0, "nothing is submitted");
    assert!(!workplace.path().join("reports").exists(), "nothing is written");
    (ran.code, found)
}

#[test]
fn a_healthy_world_passes() {
    let (code, found) = examine(SandboxConfig::default(), &[], &[]);
    assert_eq!(code, Some(0));
    found.otherwise_ok(&[]);
    found.is("agent", "ok", "echo joined after ");
    found.is("cekura plan", "ok", "10000 credits are left");
}

#[test]
fn wrong_and_missing_keys_are_named_and_the_rest_is_looked_at() {
    let other = "secret-of-the-tests-with-more-than-32-characters";
    let (code, found) = examine(SandboxConfig::default(), &[("LIVEKIT_API_SECRET", other)], &[]);
    assert_eq!(code, Some(2));
    found.is("livekit key", "failed", "refused the token");
    found.is("agent", "not_checked", "the key was not accepted");
    found.otherwise_ok(&["livekit key", "livekit grants", "agent"]);

    let wrong = [("CEKURA_API_KEY", "cekura-key-of-the-tests-0815"), ("LIVEKIT_API_KEY", "")];
    let (code, found) = examine(SandboxConfig::default(), &wrong, &[]);
    assert_eq!(code, Some(2));
    found.is("livekit key", "failed", "LIVEKIT_API_KEY is empty");
    found.is("cekura key", "failed", "Cekura answered 403");
    found.otherwise_ok(&["livekit key", "livekit grants", "agent", "cekura key", "cekura plan"]);
}

#[test]
fn an_agent_without_a_worker_fails_and_no_dispatch_says_that_it_was_not_tried() {
    let workers = WorkerPool::Only(std::collections::BTreeSet::new());
    let config = SandboxConfig { workers, ..SandboxConfig::default() };
    let (code, found) = examine(config.clone(), &[], &[]);
    assert_eq!(code, Some(2));
    found.is("agent", "failed", "no worker accepted the job of echo within 4");
    found.otherwise_ok(&["agent"]);

    let (code, found) = examine(config, &[], &["--no-dispatch"]);
    assert_eq!(code, Some(0));
    found.is("agent", "not_checked", "--no-dispatch");
    found.otherwise_ok(&["agent"]);
}

#[test]
fn clocks_that_disagree_are_told_before_tokens_fail() {
    for (offset, which, state) in
        [(-20, "ahead of", "warning"), (120, "behind", "failed"), (-120, "ahead of", "failed")]
    {
        let config = SandboxConfig { clock_offset_s: offset, ..SandboxConfig::default() };
        let (code, found) = examine(config, &[], &[]);
        found.is("livekit clock", state, which);
        found.is("cekura clock", state, which);
        assert_eq!(code, Some(if state == "failed" { 2 } else { 0 }));
    }
}

#[test]
fn a_projects_key_may_not_see_the_plan_and_that_is_no_fault() {
    let mut config = SandboxConfig::default();
    config.plan.key = KeyScope::Project;
    let (code, found) = examine(config, &[], &[]);
    assert_eq!(code, Some(0));
    found.is("cekura plan", "not_checked", "only a key of the organization");
    found.otherwise_ok(&["cekura plan"]);
}

#[test]
fn what_cannot_be_reached_or_written_is_named() {
    let workplace = Workplace::new();
    workplace.write("taken", "a file where a folder is wanted");
    let profile = PROFILE
        .replace("LIVEKIT", "wss://livekit.rushhour.invalid")
        .replace("EVALUATOR", "url = \"http://127.0.0.1:9\"")
        .replace("copies = 20", "copies = 20000")
        .replace("2/s", "900/s")
        .replace("[[stage]]", "[limits]\nin_flight = 9000\n[[stage]]");
    workplace.write("profile.toml", &profile);
    let ran = workplace
        .rushhour(&["doctor", "profile.toml", "--format", "json", "--out", "taken/reports"])
        .with("LIVEKIT_API_KEY", "key-of-the-tests-4711")
        .with("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
        .with("CEKURA_API_KEY", "cekura-key-of-the-tests-0815")
        .run()
        .ended_with(2);
    let found = Found::of(&ran.out);
    found.is("livekit dns", "failed", "livekit.rushhour.invalid");
    found.is("livekit tls", "failed", "no connection");
    found.is("cekura tls", "failed", "no connection");
    found.is("cekura clock", "not_checked", "the server did not answer");
    found.is("submissions", "warning", "900.00 submissions per second are needed");
    // A million MB may be free; that many files may not be open.
    assert!(["ok", "failed"].contains(&found.0["open files"]["state"].as_str().unwrap_or("")));
}

fn keyed(server: &LiveKitServer, rushhour: Rushhour) -> Rushhour {
    server.keyed(rushhour)
}

#[test]
fn a_real_worker_on_a_real_server_is_found_and_a_missing_one_missed() {
    let workplace = Workplace::new();
    let server = LiveKitServer::start(workplace.path());
    let _worker = server.echo_worker(workplace.path());
    let profile =
        PROFILE.replace("LIVEKIT", &server.url()).replace("EVALUATOR", "kind = \"sandbox\"");
    let words = ["doctor", "profile.toml", "--format", "json"];
    for (method, agent, code, state) in [
        ("explicit", "echo", 0, "ok"),
        ("room", "echo", 0, "ok"),
        ("explicit", "nobody", 2, "failed"),
    ] {
        let named = format!("agent = \"{agent}\"\ndispatch = \"{method}\"");
        workplace.write("profile.toml", &profile.replace("agent = \"echo\"", &named));
        let ran = keyed(&server, workplace.rushhour(&words)).run().ended_with(code);
        let found = Found::of(&ran.out);
        found.is("livekit key", "ok", "");
        found.is("livekit clock", "ok", "");
        found.is("livekit grants", "ok", "");
        found.is("agent", state, agent);
        found.is("cekura", "not_checked", "the embedded sandbox is used");
        assert_eq!(server.rooms(), [] as [String; 0]);
    }
    let wrong = keyed(&server, workplace.rushhour(&words))
        .with("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters");
    Found::of(&wrong.run().ended_with(2).out).is("livekit key", "failed", "refused the token");

    // Interrupted while it waits for an agent that does not come.
    let waiting = profile.replace("\"echo\"", "\"nobody\"").replace("\"4s\"", "\"60s\"");
    workplace.write("profile.toml", &waiting);
    let running = keyed(&server, workplace.rushhour(&words)).start();
    let begun = Instant::now();
    while server.rooms().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "a room is made");
        std::thread::sleep(Duration::from_millis(50));
    }
    running.signal("INT");
    running.finish().ended_with(105);
    assert_eq!(server.rooms(), [] as [String; 0]);
}

#[test]
fn a_plan_too_large_for_livekit_cloud_is_refused_before_anything_is_asked() {
    let workplace = Workplace::new();
    // A name that is never registered: nothing is reached, whatever happens.
    let profile = PROFILE
        .replace("LIVEKIT", "wss://rushhour-tests.invalid.livekit.cloud")
        .replace("EVALUATOR", "kind = \"sandbox\"")
        .replace("rate = \"2/s\"", "burst = 20")
        .replace("copies = 20", "copies = 80")
        .replace("burst = 20", "burst = 80");
    workplace.write("profile.toml", &profile);
    let plan = workplace.rushhour(&["plan", "profile.toml"]).run().ended_with(0);
    assert!(plan.out.contains("(LiveKit Cloud)"), "{}", plan.out);
    assert!(plan.out.contains("about 80 rooms at once"), "{}", plan.out);
    workplace
        .rushhour(&["run", "profile.toml"])
        .run()
        .ended_with(2)
        .complaining("about 80 rooms at once on rushhour-tests.invalid.livekit.cloud")
        .complaining("--accept-cloud-limits");
    // Agreed to, it goes on, and misses the keys next.
    workplace
        .rushhour(&["run", "profile.toml", "--accept-cloud-limits"])
        .run()
        .ended_with(2)
        .complaining("LIVEKIT_API_KEY is not set");
    workplace
        .rushhour(&["run", "profile.toml", "--set", "limits.in_flight=50"])
        .run()
        .ended_with(2)
        .complaining("LIVEKIT_API_KEY is not set");
}
