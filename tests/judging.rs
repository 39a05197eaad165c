//! Runs of our own callers on the real livekit-server, repeated and judged by the sandbox's Cekura.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;

use rushhour_core::plan::draw_selection;
use rushhour_core::profile::{CallersVerdict, JudgingCandidate, ProfileInput, load};
use rushhour_core::units::{Micros, RunIndex, SessionId};
use rushhour_sandbox::{DelayDistribution, RoomOwnership, Sandbox, SandboxConfig, TruthLog};
use rushhour_stats::{Confidence, Proportion, Stratum, stratified_share};

use crate::native_callers::{profile, start_agent, test_dir};
use crate::stopping::health_that_never_settles;
use crate::support::{
    LiveKitServer, Row, Session, SplitMix64, TestDir, Truth, rows, wait_for_events,
};

/// A profile of 24 chats with our own callers, whose runs are judged.
fn judged_profile(server: &LiveKitServer, judging: &str, more: &str) -> String {
    let native = profile(server, "chat", 24, "8/s");
    native.replace("copies = 24", "copies = 24\ncekura = 30")
        + &format!("[judging]\n{judging}\nrequests = \"20/s\"\nin_flight = 6\n{more}")
}

pub(crate) const QUICK: &str = r#"
[sandbox]
conversation = { median = "300ms", p95 = "500ms" }
queue = { median = "50ms", p95 = "100ms" }
judging = { median = "100ms", p95 = "200ms" }
[sandbox.faults]
judged_failure = "30%"
"#;

const MUTE: [&str; 2] = ["--fault", "mute=25%"];

pub(crate) struct JudgedSession {
    pub(crate) session: Session,
    /// The lines of `judged.csv`.
    pub(crate) judged: Vec<Row>,
    /// The session that repeated the runs at Cekura.
    pub(crate) judging: Session,
}

pub(crate) fn open_judged(dir: &TestDir) -> JudgedSession {
    let session = dir.session();
    let judging = Session::open(&session.folder.join("judged"));
    JudgedSession { judged: rows(&session.folder.join("judged.csv")), session, judging }
}

/// Every judged run was drawn, is repeated once, and agrees with its record in both sessions.
pub(crate) fn check_consistency(found: &JudgedSession) {
    let by_number = |session: &Session| -> BTreeMap<String, Row> {
        session.runs.iter().map(|run| (run.text("run").to_owned(), run.clone())).collect()
    };
    let (runs, repetitions) = (by_number(&found.session), by_number(&found.judging));
    assert!(!found.judged.is_empty(), "no run was judged");
    let mut seen = HashSet::new();
    for row in &found.judged {
        let run = &runs[row.text("run")];
        assert!(seen.insert(row.text("run")), "{row:?} is listed twice");
        assert_eq!(row.text("room"), run.text("room"));
        assert_eq!(row.text("outcome"), run.text("outcome"));
        let failed = run.text("outcome") == "failed" || run.text("judged") == "failed";
        assert_eq!(row.text("callers_verdict") == "failed", failed, "{run:?}");
        let Some(repetition) = repetitions.get(row.text("judged_run")) else { continue };
        assert_eq!(row.text("judged_room"), repetition.text("room"));
        assert_eq!(row.text("evaluator_run"), repetition.text("evaluator_run"));
        let verdict = match repetition.text("judged") {
            "true" => "passed",
            "false" => "failed",
            _ => row.text("judges_verdict"),
        };
        assert_eq!(row.text("judges_verdict"), verdict, "{repetition:?}");
    }
    let listed: HashSet<&str> = found.judged.iter().map(|row| row.text("judged_run")).collect();
    assert!(!repetitions.is_empty(), "no run was repeated");
    for (run, row) in &repetitions {
        let was_repeated = row.text("outcome") != "not_started";
        assert_eq!(listed.contains(run.as_str()), was_repeated, "{row:?}");
    }
}

#[test]
fn a_sample_and_every_failure_are_judged_and_weighted_back() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let _agent = start_agent(&dir, &server, &MUTE);
    let text = judged_profile(&server, "by = \"sandbox\"\nsample = \"40%\"", QUICK);
    dir.write("profile.toml", &text);
    let ran =
        server.with_keys(dir.rushhour(&["run", "profile.toml"])).run().expect_exit_unless_busy(0);
    assert!(ran.stderr.contains("Judging at most 24 runs"), "{}", ran.stderr);
    let found = open_judged(&dir);
    check_consistency(&found);
    let tally = found.session.tally("failure_class");
    let runs_of = |class: &str| tally.get(class).copied().unwrap_or_default();
    let not_the_agents_fault: u64 =
        ["room_failed", "dispatch_failed", "generator_fault"].into_iter().map(runs_of).sum();
    let passed = runs_of("");
    let failed = 24 - passed - not_the_agents_fault;
    assert!(passed > 0 && failed > 0, "{tally:?}");
    let count = |pointer: &str| found.session.count(&format!("/judged/{pointer}"));
    assert_eq!((count("passed/in_all"), count("failed/in_all")), (passed, failed));
    assert_eq!(count("passed/chosen"), (passed * 2).div_ceil(5), "40 %, rounded up");
    assert_eq!(count("failed/chosen"), failed, "every failure");
    assert_eq!(count("failed/judged"), failed, "and each has a verdict: {:?}", found.judged);
    // The estimate weights both strata by their sizes.
    let share = |stratum: &str| {
        count(&format!("{stratum}/judged_passed")) as f64
            / count(&format!("{stratum}/judged")) as f64
    };
    let success = (share("passed") * passed as f64 + share("failed") * failed as f64)
        / (passed + failed) as f64;
    let estimate = &found.session.summary["judged"]["success"];
    assert!((estimate["share"].as_f64().expect("a number") - success).abs() < 1e-9, "{estimate}");
    assert!(ran.stdout.contains(&format!("success {:.1} %", success * 100.0)), "{}", ran.stdout);
    let page = fs::read_to_string(found.session.folder.join("report.html")).expect("there is one");
    assert!(page.contains("Judged by the stand-in for Cekura"), "the page shows it");
    // Rendering it again writes the same bytes.
    let before = found.session.files();
    let folder = dir.session_argument();
    dir.rushhour(&["report", &folder]).run().expect_exit_unless_busy(0);
    assert_eq!(before, dir.session().files());
    // Nothing is judged twice.
    let judge = server.with_keys(dir.rushhour(&["judge", &folder, "--trust-hosts"])).run();
    judge.expect_exit(2).expect_stderr("nothing is judged twice");
    let truth = found.judging.truth();
    assert_eq!(truth.submitted_twice(), [] as [String; 0]);
    assert_eq!(truth.entries().len(), found.judged.len());
    assert_eq!(server.rooms(), [] as [String; 0], "every room is deleted");
}

/// The sandbox's Cekura in this process, for rooms of a real server; and its log.
fn start_cekura(dir: &TestDir, server: &LiveKitServer) -> (Sandbox, PathBuf) {
    let truth = dir.path().join("truth-of-cekura.jsonl");
    let mut config = SandboxConfig {
        rooms: RoomOwnership::Elsewhere,
        truth_log: TruthLog::File(truth.clone()),
        api_secret: server.secret(),
        ..SandboxConfig::default()
    };
    server.key().expose().clone_into(&mut config.api_key);
    config.times.cekura.chat = DelayDistribution::Fixed(Micros::from_millis(1_500));
    config.times.cekura.queue = DelayDistribution::Fixed(Micros::from_millis(100));
    config.times.cekura.judging = DelayDistribution::Fixed(Micros::from_millis(100));
    (Sandbox::start(config, 0).expect("a port is free"), truth)
}

#[test]
fn a_killed_judging_session_is_resumed_and_nothing_is_paid_twice() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let _agent = start_agent(&dir, &server, &MUTE);
    let (cekura, truth) = start_cekura(&dir, &server);
    let judging = format!(
        "by = \"cekura\"\nurl = \"{}\"\nsample = \"60%\"\npoll_every = \"500ms\"",
        cekura.url()
    );
    dir.write("profile.toml", &judged_profile(&server, &judging, ""));
    let keyed = |arguments: &[&str]| {
        let rushhour = server.with_keys(dir.rushhour(arguments));
        rushhour.env("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY)
    };
    keyed(&["run", "profile.toml", "--no-judging"]).run().expect_exit_unless_busy(0);
    let session = dir.sessions().remove(0);
    assert!(!session.join("judged").exists(), "judging was switched off");
    let folder = dir.session_argument();
    let running = keyed(&["judge", &folder, "--yes", "--trust-hosts"]).start();
    wait_for_events(&session.join("judged"), "submitted", 1);
    running.signal("KILL");
    running.finish();
    let again = keyed(&["judge", &folder, "--trust-hosts"]).run();
    again.expect_exit(2).expect_stderr("nothing is judged twice");
    dir.rushhour(&["report", &folder]).run().expect_exit_unless_busy(0);
    let open = dir.session();
    assert_eq!(open.summary["judged"]["closed"], false);
    let judging = session.join("judged");
    let judging = judging.to_str().expect("a path is text");
    let resumed =
        keyed(&["resume", judging, "--yes", "--trust-hosts"]).run().expect_exit_unless_busy(0);
    assert!(resumed.stdout.contains("weighted back"), "{}", resumed.stdout);
    let found = open_judged(&dir);
    check_consistency(&found);
    assert_eq!(found.session.summary["judged"]["closed"], true);
    let truth = Truth::read(&truth);
    assert_eq!(truth.submitted_twice(), [] as [String; 0]);
    assert!(truth.entries().len() <= found.judged.len(), "no run was repeated twice");
    let judged = found.judged.iter().filter(|row| !row.text("judges_verdict").is_empty()).count();
    assert!(judged * 2 > found.judged.len(), "most have a verdict: {:?}", found.judged);
}

#[test]
fn a_stopped_session_is_judged_only_on_request() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let _agent = start_agent(&dir, &server, &[]);
    let text = judged_profile(&server, "by = \"sandbox\"\nsample = \"20%\"", QUICK);
    dir.write("profile.toml", &text.replace("\"8/s\"", "\"2/s\""));
    let running = server.with_keys(dir.rushhour(&["run", "profile.toml"])).start();
    wait_for_events(&dir.wait_for_session(), "ended", 1);
    running.signal("INT");
    running.finish().expect_exit(105).expect_stderr("No run was judged");
    let folder = dir.session_argument();
    let judged =
        server.with_keys(dir.rushhour(&["judge", &folder, "--trust-hosts"])).run().expect_exit(0);
    assert!(judged.stdout.contains("weighted back"), "{}", judged.stdout);
    let found = open_judged(&dir);
    check_consistency(&found);
    let completed = found.session.count("/measured/completed");
    assert!((1..24).contains(&completed), "{completed}");
    assert_eq!(found.session.count("/judged/passed/in_all"), completed);
}

#[test]
fn judging_keeps_to_its_own_budget_and_reports_what_it_left_out() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let _agent = start_agent(&dir, &server, &MUTE);
    let (cekura, truth) = start_cekura(&dir, &server);
    // A chat costs about 0.20 USD; 0.60 USD are reserved for it while it runs.
    let judging = format!(
        "by = \"cekura\"\nurl = \"{}\"\nsample = \"100%\"\npoll_every = \"500ms\"\nbudget = \"2 USD\"",
        cekura.url()
    );
    dir.write("profile.toml", &judged_profile(&server, &judging, ""));
    let run = server.with_keys(dir.rushhour(&["run", "profile.toml"]));
    let ran =
        run.env("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY).run().expect_exit_unless_busy(113);
    assert!(ran.stderr.contains("the budget is 2.00 USD"), "{}", ran.stderr);
    let found = open_judged(&dir);
    check_consistency(&found);
    let left = found.session.count("/judged/without_verdict/not held again");
    // Runs are repeated until less than 0.60 USD is left: at least eight.
    assert!((12..=16).contains(&left), "{left}: {:?}", found.judged);
    assert_eq!(found.judged.len(), 24, "all were drawn");
    assert_eq!(Truth::read(&truth).entries().len() as u64, 24 - left);
    assert!(ran.stdout.contains(&format!("not rerun {left}")), "{}", ran.stdout);
    let spent = found.judging.summary["bill"]["list_usd"].as_f64().expect("it is charged");
    assert!(spent > 0.2 && spent <= 2.0, "{spent}");
}

#[test]
fn profiles_that_cannot_be_judged_are_refused_before_anything_is_started() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let refused = |text: &str, code: i32, message: &str| {
        dir.write("profile.toml", text);
        let run = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
        run.expect_exit(code).expect_stderr(message);
        assert!(dir.sessions().is_empty(), "nothing was started");
    };
    let text = judged_profile(&server, "by = \"sandbox\"", "");
    refused(&text.replace("cekura = 30", ""), 104, "does not name the matching scenario at Cekura");
    // A service on this machine, so that it could reach the rooms.
    let paid = judged_profile(&server, "by = \"cekura\"\nurl = \"http://127.0.0.1:9\"", "");
    refused(&paid, 2, "CEKURA_API_KEY");
    refused(
        &format!("{paid}budget = \"0.01 USD\"\n"),
        2,
        "the first run could exceed judging.budget of 0.01 USD",
    );
    refused(&format!("{paid}[bill]\nask_above = \"0.10 USD\"\n"), 2, "nothing was started");
    // The doctor checks the key for judging.
    dir.write("profile.toml", &paid);
    let doctor = dir.rushhour(&["doctor", "profile.toml", "--no-dispatch"]);
    let doctor = server.with_keys(doctor).run().expect_exit(2);
    let key =
        doctor.stdout.lines().find(|line| line.contains("cekura key")).expect("the key is checked");
    assert!(
        key.contains("failed") && doctor.stdout.contains("CEKURA_API_KEY"),
        "{}",
        doctor.stdout
    );
    let native = profile(&server, "chat", 1, "1/s");
    dir.write("profile.toml", &native);
    let _agent = start_agent(&dir, &server, &[]);
    server.with_keys(dir.rushhour(&["run", "profile.toml"])).run().expect_exit_unless_busy(0);
    let folder = dir.session_argument();
    let judge = server.with_keys(dir.rushhour(&["judge", &folder, "--trust-hosts"])).run();
    judge.expect_exit(2).expect_stderr("has no [judging]");
}

/// Simulates a judge that passes 95 % of the runs that our callers pass, and 30 % of those that they fail.
#[test]
fn weighting_by_stratum_finds_the_true_share_that_the_judged_runs_alone_miss() {
    let text = judged_profile_alone("sample = \"5%\"\nmost = 400");
    let script = |_: &str| Ok(b"[[turn]]\nsay = \"Hello.\"\n".to_vec());
    let (file, bytes) = ("p.toml", text.as_bytes());
    let settings =
        load(ProfileInput { file, bytes, environment: &[], flags: &[], read_file: &script })
            .expect("it is valid")
            .profile
            .judging
            .expect("it has [judging]");
    let verdict = |run: u64| {
        if run.is_multiple_of(10) { CallersVerdict::Failed } else { CallersVerdict::Passed }
    };
    let all: Vec<JudgingCandidate> = (0..1_000)
        .map(|run| JudgingCandidate { run: RunIndex(run), scenario: 0, verdict: verdict(run) })
        .collect();
    let truth = 0.9 * 0.95 + 0.1 * 0.30;
    let (trials, mut weighted, mut unweighted, mut covered) = (2_000_u64, 0.0, 0.0, 0_u64);
    let mut rng = SplitMix64::new(1);
    for seed in 0..trials {
        let selection = draw_selection(SessionId::new("s"), seed, &settings, &all, 0);
        let mut found = [(0_u64, 0_u64); 2];
        for chosen in &selection.scenarios[0].runs {
            let rate = if chosen.verdict == CallersVerdict::Passed { 0.95 } else { 0.30 };
            let (passed, judged) =
                &mut found[usize::from(chosen.verdict == CallersVerdict::Failed)];
            *judged += 1;
            *passed += u64::from(rng.uniform() < rate);
        }
        let stratum = |size, (passed, judged)| Stratum {
            size,
            sample: Some(Proportion::new(passed, judged).expect("some were judged")),
        };
        let strata = [stratum(selection.passed, found[0]), stratum(selection.failed, found[1])];
        let share = stratified_share(&strata, Confidence::PERCENT_95).expect("some were judged");
        weighted += share.point.expect("of both strata") / trials as f64;
        covered += u64::from(share.interval.contains(truth));
        let all = (found[0].0 + found[1].0) as f64 / (found[0].1 + found[1].1) as f64;
        unweighted += all / trials as f64;
    }
    assert!((weighted - truth).abs() < 0.005, "{weighted} instead of {truth}");
    assert!(unweighted < truth - 0.3, "without weights {unweighted}");
    let coverage = covered as f64 / trials as f64;
    assert!((0.93..=0.97).contains(&coverage), "{coverage} of the intervals contain the truth");
}

fn judged_profile_alone(judging: &str) -> String {
    format!(
        "mode = \"chat\"\n[livekit]\nurl = \"ws://127.0.0.1:1\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = \"x\"\ncekura = 1\nscript = \"s.toml\"\n[[stage]]\nburst = 1\n[judging]\nby = \"sandbox\"\n{judging}\n"
    )
}

#[test]
fn a_stop_after_the_last_run_forgoes_judging_and_one_during_judging_ends_it() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let _agent = start_agent(&dir, &server, &[]);
    let slow = QUICK.replace("300ms", "60s").replace("500ms", "70s");
    let text = judged_profile(&server, "by = \"sandbox\"\nsample = \"60%\"", &slow);
    dir.write("profile.toml", &(text + &health_that_never_settles()));
    let running = server.with_keys(dir.rushhour(&["run", "profile.toml"])).start();
    let session = dir.wait_for_session();
    wait_for_events(&session, "closed", 1);
    let folder = dir.session_argument();
    dir.rushhour(&["stop", &folder]).run().expect_exit(0);
    running.finish().expect_stderr("No run was judged, because the session was stopped.");
    assert!(!session.join("judged").exists(), "nothing was begun");
    let judge = ["judge", &folder, "--trust-hosts"];
    let judging = server.with_keys(dir.rushhour(&judge)).start();
    wait_for_events(&session.join("judged"), "submitted", 1);
    dir.rushhour(&["stop", &folder, "--now"]).run().expect_exit(0);
    judging.finish().expect_exit(105);
}

#[test]
fn a_stop_between_the_last_run_and_the_judging_is_taken() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let _agent = start_agent(&dir, &server, &[]);
    let slow = QUICK.replace("300ms", "5s").replace("500ms", "6s");
    dir.write(
        "profile.toml",
        &judged_profile(&server, "by = \"sandbox\"\nsample = \"60%\"", &slow),
    );
    let running = server.with_keys(dir.rushhour(&["run", "profile.toml"])).start();
    let session = dir.wait_for_session();
    wait_for_events(&session, "closed", 1);
    dir.rushhour(&["stop", &dir.session_argument(), "--now"]).run().expect_exit(0);
    let ended = running.finish();
    // The judging is forgone, or ended where it had begun.
    let judged = session.join("judged/journal.jsonl");
    let is_forgone = ended.stderr.contains("No run was judged, because the session was stopped.");
    assert_ne!(is_forgone, judged.exists(), "{}", ended.stderr);
    if !is_forgone {
        let judging = fs::read_to_string(judged).expect("it exists");
        assert!(judging.contains("\"stopping\""), "{judging}");
    }
}
