//! Services that limit, refuse and misanswer requests: what a user sees of it, and who is blamed.

use crate::support::{Row, SandboxProcess, Session, TestDir};

/// A profile of the sandbox; `runs` of them start at the rate.
fn profile(runs: u32, rate: &str, faults: &str) -> String {
    format!(
        r#"
name = "services"
mode = "chat"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "3s"
give_up_after = "4s"
[evaluator]
poll_every = "300ms"
[[scenario]]
id = 30
copies = {runs}
lasts = "1s"
[[stage]]
rate = "{rate}"
[limits]
requests = "50/s"
polls = "20/s"
looks = "50/s"
in_flight = 100
submit_timeout = "5s"
run_timeout = "5s"
watch_unknown = "3s"
[sandbox]
agent_join = {{ median = "100ms" }}
queue = {{ median = "100ms" }}
conversation = {{ median = "300ms" }}
judging = {{ median = "100ms" }}
[sandbox.faults]
{faults}
"#
    )
}

fn share_of(session: &Session, outcome: &str) -> u64 {
    session.tally("outcome").get(outcome).copied().unwrap_or(0)
}

#[test]
fn a_livekit_that_answers_429_is_waited_out_and_makes_the_session_invalid() {
    for fault in ["livekit_429", "livekit_exhausted"] {
        let dir = TestDir::new();
        let ran = dir.run_profile(&profile(4, "10/s", &format!("{fault} = \"30%\"")));
        let session = dir.session();
        session.check(4);
        assert_eq!(share_of(&session, "completed"), 4, "{fault}: {:?}", session.runs);
        let ran = ran.expect_exit(112);
        assert!(ran.stdout.contains("LiveKit refused"), "{}", ran.stdout);
        assert!(ran.stdout.contains("ask for a higher quota"), "{}", ran.stdout);
        assert!(session.truth().rooms_left().is_empty());
    }
}

#[test]
fn an_evaluator_that_rejects_every_submission_stops_the_session_with_its_words() {
    for (fault, words) in [
        ("submit_402", "Cekura answered 402: Insufficient balance"),
        ("submit_404", "Cekura answered 404: Not found"),
        ("submit_400", "Cekura answered 400: scenarios: Invalid scenario IDs"),
    ] {
        let dir = TestDir::new();
        let ran = dir.run_profile(&profile(60, "10/s", &format!("{fault} = \"100%\"")));
        let ran = ran.expect_exit(2);
        assert!(ran.stdout.contains("Stopped (rejected)"), "{}", ran.stdout);
        assert!(ran.stdout.contains(words), "{fault}: {}", ran.stdout);
        let session = dir.session();
        session.check(60);
        assert_eq!(share_of(&session, "completed"), 0);
        let dispatched = session.truth().dispatch_metadata("front-desk").len();
        assert!(dispatched < 30, "{fault}: {dispatched} agents were sent for 60 runs");
        assert!(session.truth().rooms_left().is_empty());
    }
}

#[test]
fn one_rejected_scenario_of_two_does_not_stop_the_session() {
    let dir = TestDir::new();
    let two = profile(4, "10/s", "")
        .replace("[[stage]]", "[[scenario]]\nid = \"no-number\"\ncopies = 4\n[[stage]]");
    dir.run_profile(&two);
    let session = dir.session();
    assert_eq!(share_of(&session, "completed"), 4, "{:?}", session.runs);
    assert_eq!(session.tally("failure_class")["submit_rejected"], 4);
}

#[test]
fn polls_that_are_refused_paged_or_in_capitals_are_understood() {
    for fault in ["poll_400_bulk", "poll_paged", "poll_upper_case"] {
        let dir = TestDir::new();
        dir.run_profile(&profile(12, "20/s", &format!("{fault} = \"100%\"")));
        let session = dir.session();
        session.check(12);
        assert_eq!(share_of(&session, "completed"), 12, "{fault}: {:?}", session.runs);
        assert_eq!(session.count("/generator/polls_failed"), 0, "{fault}");
        assert!(session.truth().faults().contains(fault));
    }
}

#[test]
fn an_answer_that_lists_no_runs_is_told_and_nobody_is_told_to_wait_longer() {
    let dir = TestDir::new();
    let ran = dir.run_profile(&profile(3, "10/s", "poll_other_form = \"100%\""));
    let ran = ran.expect_exit(112);
    let session = dir.session();
    session.check(3);
    assert_eq!(session.tally("failure_class")["status_unknown"], 3, "{:?}", session.runs);
    let told = |run: &Row| {
        let detail = run.text("detail");
        detail.contains("lists no runs") && detail.contains("Down for maintenance")
    };
    assert!(session.runs.iter().all(told), "{:?}", session.runs);
    assert!(ran.stdout.contains("status polls failed"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("raise limits.run_timeout"), "{}", ran.stdout);
}

#[test]
fn a_session_in_which_nothing_completed_never_passes() {
    for (faults, code, party, why) in [
        ("dispatch_lost = \"100%\"", 99, "agent", "no run completed: "),
        ("run_fails = \"100%\"", 99, "evaluator", "no run completed: "),
        ("submit_500_before = \"100%\"", 112, "network", "says nothing about the agent: "),
        ("room_unavailable = \"100%\"", 112, "server", "says nothing about the agent: "),
    ] {
        for thresholds in ["", "[thresholds]\nfailed = \"< 100%\"\n"] {
            let dir = TestDir::new();
            // So slowly that no start is late in proportion, however busy the machine.
            let text = profile(2, "1/s", faults);
            let ran = dir.run_profile(&format!("{text}{thresholds}")).expect_exit(code);
            assert!(ran.stdout.contains("o run completed"), "{faults}: {}", ran.stdout);
            let folder = dir.session_argument();
            let markdown = dir
                .rushhour(&["report", &folder, "--format", "markdown"])
                .run()
                .expect_exit(code)
                .stdout;
            assert!(markdown.contains(why), "{faults}: {markdown}");
            assert!(markdown.contains(&format!("fault of the {party}")), "{faults}: {markdown}");
            let junit =
                dir.rushhour(&["report", &folder, "--format", "junit"]).run().expect_exit(code);
            assert!(junit.stdout.contains("a run completed"), "{}", junit.stdout);
        }
    }
}

#[test]
fn proxies_never_stand_between_this_machine_and_itself() {
    let dir = TestDir::new();
    dir.write("p.toml", &profile(2, "10/s", ""));
    // Nothing listens there: whoever asks this proxy fails.
    let nowhere = "http://127.0.0.1:9";
    let mut run = dir.rushhour(&["run", "p.toml"]);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        run = run.env(variable, nowhere);
    }
    let ran = run.run();
    assert!(matches!(ran.code, Some(0 | 112)), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(share_of(&dir.session(), "completed"), 2, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn the_server_api_may_have_an_address_of_its_own() {
    let dir = TestDir::new();
    let sandbox = SandboxProcess::start(&dir, &[]);
    let embedded = profile(1, "10/s", "");
    let without_sandbox = embedded.split("[sandbox]").next().expect("split returns at least one");
    let text = sandbox.profile(without_sandbox);
    // Callers and evaluator are given an address at which nothing listens.
    let api = text.lines().find(|line| line.starts_with("url = \"ws")).expect("it has one");
    let both = format!("url = \"ws://127.0.0.1:9\"\n{}", api.replace("url", "api_url"));
    dir.write("p.toml", &text.replacen(api, &both.replace("ws://127", "http://127"), 1));
    let ran = sandbox.rushhour(&dir, &["run", "p.toml"], &[]).run();
    let session = dir.session();
    assert_eq!(session.count("/rooms/made"), 1, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(session.count("/rooms/deleted"), 1);
    sandbox.stop();
}

#[test]
fn an_address_in_clear_is_allowed_and_warned_of() {
    let dir = TestDir::new();
    let plain = profile(1, "1/s", "").replace("\"sandbox\"", "\"http://livekit.example.com\"");
    let plan =
        dir.write("p.toml", &plain.replace("[evaluator]", "[evaluator]\nkind = \"sandbox\""));
    let plan = plan.to_string_lossy().into_owned();
    let planned = dir.rushhour(&["plan", &plan]).run().expect_exit(0).stdout;
    assert!(
        planned.contains(
            "ws://livekit.example.com is not encrypted: tokens and media travel in clear"
        ),
        "{planned}"
    );
    dir.write("q.toml", &plain.replace("livekit.example.com", "acme.livekit.cloud"));
    dir.rushhour(&["plan", "q.toml"])
        .run()
        .expect_exit(104)
        .expect_stderr("LiveKit Cloud takes encrypted connections only");
}

#[test]
fn plan_warns_of_livekit_clouds_quota_of_requests() {
    let dir = TestDir::new();
    let cloud = profile(400, "4/s", "")
        .replace("url = \"sandbox\"", "url = \"wss://acme.livekit.cloud\"")
        .replace("[evaluator]", "[evaluator]\nkind = \"sandbox\"");
    dir.write("p.toml", &cloud);
    let planned = dir.rushhour(&["plan", "p.toml"]).run().expect_exit(0).stdout;
    assert!(planned.contains("1920 requests per minute to acme.livekit.cloud"), "{planned}");
}
