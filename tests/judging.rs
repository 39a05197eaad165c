//! Runs of our own callers on the real livekit-server, held again and judged by Cekura's stand-in.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rushhour_core::plan::draw_selection;
use rushhour_core::profile::{CallersVerdict, JudgingCandidate, ProfileInput, load};
use rushhour_core::units::{Micros, RunIndex, SessionId};
use rushhour_sandbox::{DelayDistribution, RoomOwnership, Sandbox, SandboxConfig, TruthLog};
use rushhour_stats::{Confidence, Proportion, Stratum, stratified_share};

use crate::native::{agent, profile, workplace};
use crate::support::{LiveKitServer, Ran, Row, Session, Truth, Workplace, rows};

/// A profile of 24 chats whose runs are judged.
fn hybrid(server: &LiveKitServer, judging: &str, more: &str) -> String {
    let native = profile(server, "chat", 24, "8/s");
    native.replace("copies = 24", "copies = 24\ncekura = 30")
        + &format!("[judging]\n{judging}\nrequests = \"20/s\"\nin_flight = 6\n{more}")
}

const QUICK: &str = r#"
[sandbox]
conversation = { median = "300ms", p95 = "500ms" }
queue = { median = "50ms", p95 = "100ms" }
judging = { median = "100ms", p95 = "200ms" }
[sandbox.faults]
judged_failure = "30%"
"#;

const MUTE: [&str; 2] = ["--fault", "mute=25%"];

struct Read {
    session: Session,
    judged: Vec<Row>,
    again: Session,
}

fn read(workplace: &Workplace) -> Read {
    let session = workplace.session();
    let again = Session::open(&session.folder.join("judged"));
    Read { judged: rows(&session.folder.join("judged.csv")), session, again }
}

/// A session that ended so, or that says of itself that this machine was too busy for it.
#[track_caller]
fn held(ran: Ran, code: i32) -> Ran {
    if ran.code == Some(112) { ran } else { ran.ended_with(code) }
}

/// Every judged run is one that was drawn, is held once, and stands beside its own record in either session.
fn hangs_together(read: &Read) {
    let by_number = |session: &Session| -> BTreeMap<String, Row> {
        session.runs.iter().map(|run| (run.text("run").to_owned(), run.clone())).collect()
    };
    let (ours, again) = (by_number(&read.session), by_number(&read.again));
    let mut seen = HashSet::new();
    for row in &read.judged {
        let run = &ours[row.text("run")];
        assert!(seen.insert(row.text("run")), "{row:?} is there once");
        assert_eq!(row.text("room"), run.text("room"));
        assert_eq!(row.text("outcome"), run.text("outcome"));
        let failed = run.text("outcome") == "failed";
        assert_eq!(row.text("callers_verdict") == "failed", failed, "{run:?}");
        let Some(held) = again.get(row.text("judged_run")) else { continue };
        assert_eq!(row.text("judged_room"), held.text("room"));
        assert_eq!(row.text("evaluator_run"), held.text("evaluator_run"));
        let verdict = match held.text("judged") {
            "true" => "passed",
            "false" => "failed",
            _ => row.text("judges_verdict"),
        };
        assert_eq!(row.text("judges_verdict"), verdict, "{held:?}");
    }
    let again_held: HashSet<&str> = read.judged.iter().map(|row| row.text("judged_run")).collect();
    for (run, row) in &again {
        let was_held = row.text("outcome") != "not_started";
        assert_eq!(again_held.contains(run.as_str()), was_held, "nothing else was held: {row:?}");
    }
}

#[test]
fn a_sample_and_every_failure_are_judged_and_weighted_back() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let _agent = agent(&workplace, &server, &MUTE);
    let text = hybrid(&server, "by = \"sandbox\"\nsample = \"40%\"", QUICK);
    workplace.write("profile.toml", &text);
    let ran = held(server.keyed(workplace.rushhour(&["run", "profile.toml"])).run(), 0);
    assert!(ran.err.contains("Judging at most 24 runs"), "{}", ran.err);
    let found = read(&workplace);
    hangs_together(&found);
    let tally = found.session.tally("failure_class");
    let not_the_agents = ["", "room_failed", "dispatch_failed", "generator_fault"];
    let of = |class: &&str| tally.get(*class).copied().unwrap_or_default();
    let (passed, apart) = (of(&""), not_the_agents.iter().skip(1).map(of).sum::<u64>());
    let failed = 24 - passed - apart;
    assert!(passed > 0 && failed > 0, "{tally:?}");
    let count = |pointer: &str| found.session.count(&format!("/judged/{pointer}"));
    assert_eq!((count("passed/in_all"), count("failed/in_all")), (passed, failed));
    assert_eq!(count("passed/chosen"), (passed * 2).div_ceil(5), "40 %, rounded up");
    assert_eq!(count("failed/chosen"), failed, "every failure");
    assert_eq!(count("failed/judged"), failed, "and each has a verdict: {:?}", found.judged);
    // The figure is that of the two kinds by their sizes.
    let share = |of: &str| {
        count(&format!("{of}/judged_passed")) as f64 / count(&format!("{of}/judged")) as f64
    };
    let success = (share("passed") * passed as f64 + share("failed") * failed as f64)
        / (passed + failed) as f64;
    let told = &found.session.summary["judged"]["success"];
    assert!((told["share"].as_f64().expect("a number") - success).abs() < 1e-9, "{told}");
    assert!(ran.out.contains(&format!("success {:.1} %", success * 100.0)), "{}", ran.out);
    let page = fs::read_to_string(found.session.folder.join("report.html")).expect("there is one");
    assert!(page.contains("Judged by the stand-in for Cekura"), "the page has it");
    // Rendered again it is the same, byte for byte.
    let before = found.session.files();
    let folder = found.session.folder.to_str().expect("a path is text").to_owned();
    held(workplace.rushhour(&["report", &folder]).run(), 0);
    assert_eq!(before, workplace.session().files());
    // Nothing is judged twice.
    let judge = server.keyed(workplace.rushhour(&["judge", &folder])).run();
    judge.ended_with(2).complaining("nothing is judged twice");
    let truth = found.again.truth();
    assert_eq!(truth.submitted_twice(), [] as [String; 0]);
    assert_eq!(truth.entries().len(), found.judged.len());
    assert_eq!(server.rooms(), [] as [String; 0], "every room is gone");
}

/// Cekura's stand-in in this process, for rooms of a real server.
fn cekura(workplace: &Workplace, server: &LiveKitServer) -> (Sandbox, PathBuf) {
    let truth = workplace.path().join("truth-of-cekura.jsonl");
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
    (Sandbox::start(config, 0).expect("a free port is always to be had"), truth)
}

fn wait_for(path: &Path, words: &str) {
    let begun = Instant::now();
    while !fs::read_to_string(path).is_ok_and(|text| text.contains(words)) {
        assert!(begun.elapsed() < Duration::from_mins(1), "no {words} in {}", path.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_judging_that_is_killed_is_taken_up_and_nothing_is_paid_twice() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let _agent = agent(&workplace, &server, &MUTE);
    let (cekura, truth) = cekura(&workplace, &server);
    let judging = format!(
        "by = \"cekura\"\nurl = \"{}\"\nsample = \"60%\"\npoll_every = \"500ms\"",
        cekura.url()
    );
    workplace.write("profile.toml", &hybrid(&server, &judging, ""));
    let keyed = |words: &[&str]| {
        let rushhour = server.keyed(workplace.rushhour(words));
        rushhour.with("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY)
    };
    held(keyed(&["run", "profile.toml", "--no-judging"]).run(), 0);
    let session = workplace.sessions().remove(0);
    assert!(!session.join("judged").exists(), "it was not asked for");
    let folder = session.to_str().expect("a path is text").to_owned();
    let running = keyed(&["judge", &folder, "--yes"]).start();
    let journal = session.join("judged/journal.jsonl");
    wait_for(&journal, "\"submitted\"");
    running.signal("KILL");
    running.finish();
    let again = keyed(&["judge", &folder]).run();
    again.ended_with(2).complaining("nothing is judged twice");
    held(workplace.rushhour(&["report", &folder]).run(), 0);
    let open = workplace.session();
    assert_eq!(open.summary["judged"]["closed"], false);
    let judging = session.join("judged");
    let judging = judging.to_str().expect("a path is text");
    let resumed = held(keyed(&["resume", judging, "--yes"]).run(), 0);
    assert!(resumed.out.contains("weighted back"), "{}", resumed.out);
    let found = read(&workplace);
    hangs_together(&found);
    assert_eq!(found.session.summary["judged"]["closed"], true);
    let truth = Truth::read(&truth);
    assert_eq!(truth.submitted_twice(), [] as [String; 0]);
    assert!(truth.entries().len() <= found.judged.len(), "none was held a second time");
    let judged = found.judged.iter().filter(|row| !row.text("judges_verdict").is_empty()).count();
    assert!(judged * 2 > found.judged.len(), "most have a verdict: {:?}", found.judged);
}

#[test]
fn a_session_that_is_stopped_is_judged_only_when_somebody_asks() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let _agent = agent(&workplace, &server, &[]);
    let text = hybrid(&server, "by = \"sandbox\"\nsample = \"20%\"", QUICK);
    workplace.write("profile.toml", &text.replace("\"8/s\"", "\"2/s\""));
    let running = server.keyed(workplace.rushhour(&["run", "profile.toml"])).start();
    wait_for_session(&workplace);
    wait_for(&workplace.sessions()[0].join("journal.jsonl"), "\"ended\"");
    running.signal("INT");
    running.finish().ended_with(105).complaining("No run was judged");
    let session = workplace.sessions().remove(0);
    let folder = session.to_str().expect("a path is text");
    let judged = server.keyed(workplace.rushhour(&["judge", folder])).run().ended_with(0);
    assert!(judged.out.contains("weighted back"), "{}", judged.out);
    let found = read(&workplace);
    hangs_together(&found);
    let held = found.session.count("/measured/completed");
    assert!(held < 24 && found.session.count("/judged/passed/in_all") == held);
}

fn wait_for_session(workplace: &Workplace) {
    let begun = Instant::now();
    while workplace.sessions().is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(1), "no session began");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_judging_keeps_to_a_budget_of_its_own_and_says_what_it_left_out() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let _agent = agent(&workplace, &server, &MUTE);
    let (cekura, truth) = cekura(&workplace, &server);
    // A chat is charged some 0.20 USD, and 0.60 are held back for it.
    let judging = format!(
        "by = \"cekura\"\nurl = \"{}\"\nsample = \"100%\"\npoll_every = \"500ms\"\nbudget = \"2 USD\"",
        cekura.url()
    );
    workplace.write("profile.toml", &hybrid(&server, &judging, ""));
    let run = server.keyed(workplace.rushhour(&["run", "profile.toml"]));
    let ran = held(run.with("CEKURA_API_KEY", SandboxConfig::CEKURA_KEY).run(), 113);
    assert!(ran.err.contains("the budget is 2.00 USD"), "{}", ran.err);
    let found = read(&workplace);
    hangs_together(&found);
    let left = found.session.count("/judged/without_verdict/not held again");
    // One after the other until less than 0.60 USD is left: eight at the least.
    assert!((12..=16).contains(&left), "{left}: {:?}", found.judged);
    assert_eq!(found.judged.len(), 24, "all were drawn");
    assert_eq!(Truth::read(&truth).entries().len() as u64, 24 - left);
    assert!(ran.out.contains(&format!("not held again {left}")), "{}", ran.out);
    let spent = found.again.summary["bill"]["list_usd"].as_f64().expect("it is charged");
    assert!(spent > 0.2 && spent <= 2.0, "{spent}");
}

#[test]
fn what_cannot_be_judged_is_refused_before_anything_is_started() {
    let workplace = workplace();
    let server = LiveKitServer::start(workplace.path());
    let refused = |text: &str, code: i32, words: &str| {
        workplace.write("profile.toml", text);
        let run = server.keyed(workplace.rushhour(&["run", "profile.toml"])).run();
        run.ended_with(code).complaining(words);
        assert!(workplace.sessions().is_empty(), "nothing was started");
    };
    let text = hybrid(&server, "by = \"sandbox\"", "");
    refused(&text.replace("cekura = 30", ""), 104, "does not name the matching scenario at Cekura");
    // A service on this machine, so that the address is one that it can reach.
    let paid = hybrid(&server, "by = \"cekura\"\nurl = \"http://127.0.0.1:9\"", "");
    refused(&paid, 2, "CEKURA_API_KEY");
    refused(
        &format!("{paid}budget = \"0.01 USD\"\n"),
        2,
        "the first run could exceed judging.budget of 0.01 USD",
    );
    refused(&format!("{paid}[bill]\nask_above = \"0.10 USD\"\n"), 2, "nothing was started");
    // The doctor looks for the judge's key.
    workplace.write("profile.toml", &paid);
    let doctor = workplace.rushhour(&["doctor", "profile.toml", "--no-dispatch"]);
    let doctor = server.keyed(doctor).run().ended_with(2);
    let key = doctor.out.lines().find(|line| line.contains("cekura key")).expect("it is told");
    assert!(key.contains("failed") && doctor.out.contains("CEKURA_API_KEY"), "{}", doctor.out);
    let native = profile(&server, "chat", 1, "1/s");
    workplace.write("profile.toml", &native);
    let _agent = agent(&workplace, &server, &[]);
    held(server.keyed(workplace.rushhour(&["run", "profile.toml"])).run(), 0);
    let session = workplace.sessions().remove(0);
    let folder = session.to_str().expect("a path is text");
    let judge = server.keyed(workplace.rushhour(&["judge", folder])).run();
    judge.ended_with(2).complaining("has no [judging]");
}

/// Judges with a known truth: what our callers pass, passes in 95 of 100 runs; what they fail, in 30.
#[test]
fn weighting_back_finds_the_truth_that_the_judged_runs_alone_miss() {
    let text = hybrid_alone("sample = \"5%\"\nmost = 400");
    let lend = |_: &str| Ok(b"[[turn]]\nsay = \"Hello.\"\n".to_vec());
    let input = ProfileInput {
        file: "p.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &lend,
    };
    let settings = load(input).expect("it is valid").profile.judging.expect("it was asked for");
    let verdict = |run: u64| {
        if run.is_multiple_of(10) { CallersVerdict::Failed } else { CallersVerdict::Passed }
    };
    let all: Vec<JudgingCandidate> = (0..1_000)
        .map(|run| JudgingCandidate { run: RunIndex(run), scenario: 0, verdict: verdict(run) })
        .collect();
    let truth = 0.9 * 0.95 + 0.1 * 0.30;
    let (trials, mut weighted, mut plain, mut held) = (2_000_u64, 0.0, 0.0, 0_u64);
    for seed in 0..trials {
        let selection = draw_selection(SessionId::new("s"), seed, &settings, &all, 0);
        let mut found = [(0_u64, 0_u64); 2];
        for chosen in &selection.scenarios[0].runs {
            let rate = if chosen.verdict == CallersVerdict::Passed { 0.95 } else { 0.30 };
            let (passed, judged) =
                &mut found[usize::from(chosen.verdict == CallersVerdict::Failed)];
            *judged += 1;
            *passed += u64::from(uniform(seed * 1_000 + chosen.run.0) < rate);
        }
        let stratum = |size, (passed, judged)| Stratum {
            size,
            sample: Some(Proportion::new(passed, judged).expect("some were judged")),
        };
        let strata = [stratum(selection.passed, found[0]), stratum(selection.failed, found[1])];
        let share = stratified_share(&strata, Confidence::PERCENT_95).expect("some were judged");
        weighted += share.point.expect("of both kinds") / trials as f64;
        held += u64::from(share.interval.contains(truth));
        let all = (found[0].0 + found[1].0) as f64 / (found[0].1 + found[1].1) as f64;
        plain += all / trials as f64;
    }
    assert!((weighted - truth).abs() < 0.005, "{weighted}, and {truth} is true");
    assert!(plain < truth - 0.3, "the judged runs alone say {plain}");
    let coverage = held as f64 / trials as f64;
    assert!((0.93..=0.97).contains(&coverage), "{coverage} of the intervals hold the truth");
}

fn hybrid_alone(judging: &str) -> String {
    format!(
        "mode = \"chat\"\n[livekit]\nurl = \"ws://127.0.0.1:1\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = \"x\"\ncekura = 1\nscript = \"s.toml\"\n[[stage]]\nburst = 1\n[judging]\nby = \"sandbox\"\n{judging}\n"
    )
}

/// A number from 0 to 1 for each `n`, the same everywhere (SplitMix64).
fn uniform(n: u64) -> f64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((n ^ (n >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
