//! Messages, exit codes and files of the binary, where it is used wrongly or something around it fails.

use std::process::Command;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{SandboxProcess, TestDir};

const REAL: &str = r#"
[livekit]
url = "ws://127.0.0.1:9"
agent = "front-desk"
[evaluator]
url = "http://127.0.0.1:9"
[[scenario]]
id = 30
copies = 2
[[stage]]
rate = "10/s"
"#;

const SANDBOX: &str = r#"
name = "small"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "3s"
give_up_after = "4s"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
copies = 2
lasts = "1s"
[[stage]]
rate = "10/s"
[limits]
polls = "10/s"
looks = "50/s"
submit_timeout = "5s"
run_timeout = "10s"
watch_unknown = "3s"
[sandbox]
agent_join = { median = "200ms" }
conversation = { median = "500ms" }
"#;

fn shipped_profiles() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let mut profiles: Vec<String> = fs::read_dir(folder)
        .expect("profiles are shipped")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .filter(|path| !path.ends_with("prices.toml"))
        .map(|path| path.display().to_string())
        .collect();
    profiles.sort();
    profiles
}

#[test]
fn every_shipped_profile_loads_and_plans() {
    let dir = TestDir::new();
    let profiles = shipped_profiles();
    assert!(profiles.len() >= 5, "{profiles:?}");
    for profile in profiles {
        dir.rushhour(&["validate", &profile]).run().expect_exit(0);
        let plan = dir.rushhour(&["plan", &profile]).run().expect_exit(0);
        for topic in ["in flight", "submissions", "polls", "tokens", "setting"] {
            assert!(plan.stdout.contains(topic), "{profile}: no {topic}\n{}", plan.stdout);
        }
    }
}

#[test]
fn init_writes_a_profile_that_is_valid_and_overwrites_nothing() {
    let dir = TestDir::new();
    dir.rushhour(&["init"]).run().expect_exit(0);
    dir.rushhour(&["validate", "rushhour.toml"]).run().expect_exit(0);
    dir.rushhour(&["init"]).run().expect_exit(2).expect_stderr("is not overwritten");
}

#[test]
fn all_mistakes_in_a_profile_are_underlined_at_once() {
    let dir = TestDir::new();
    dir.write("bad.toml", &REAL.replace("rate", "rte").replace("id = 30", "id = -1"));
    dir.rushhour(&["run", "bad.toml"])
        .run()
        .expect_exit(104)
        .expect_stderr("unknown key `rte`")
        .expect_stderr("did you mean `rate`?")
        .expect_stderr("this is not a scenario's id")
        .expect_stderr("bad.toml:11")
        .expect_stderr("2 mistakes in the profile");
}

#[test]
fn secrets_in_a_profile_are_refused_and_not_repeated() {
    let dir = TestDir::new();
    let secret = "secret-of-the-tests-with-more-than-32-characters";
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl";
    let refused = |line: &str, message: &str| {
        dir.write("p.toml", &REAL.replace("agent =", &format!("{line}\nagent =")));
        // The harness searches what is printed for secrets.
        dir.rushhour(&["validate", "p.toml"]).run().expect_exit(104).expect_stderr(message);
    };
    refused(&format!("api_secret = \"{secret}\""), "`api_secret` would put a secret");
    refused(&format!("key = \"{secret}\""), "`key` would put a secret");
    refused(&format!("api_secret = \"{secret}"), "error");
    refused(&format!("metadata = {{ jwt = \"{token}\" }}"), "this looks like a token");
    dir.write("p.toml", REAL);
    dir.rushhour(&["validate", "p.toml", "--set", &format!("livekit.metadata.pass={secret}")])
        .env("LIVEKIT_API_SECRET", secret)
        .run()
        .expect_exit(104)
        .expect_stderr("the profile contains the value of LIVEKIT_API_SECRET");
}

#[test]
fn files_that_are_not_profiles_are_refused() {
    let dir = TestDir::new();
    dir.rushhour(&["run", "none.toml"]).run().expect_exit(2).expect_stderr("`rushhour init`");
    dir.write("big.toml", &"# filler\n".repeat(1_200_000));
    dir.rushhour(&["run", "big.toml"])
        .run()
        .expect_exit(104)
        .expect_stderr("is too large for a profile");
    let noise: Vec<u8> =
        (0..5000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    fs::write(dir.path().join("noise.toml"), noise).expect("a file can be written");
    dir.rushhour(&["run", "noise.toml"]).run().expect_exit(104).expect_stderr("is not UTF-8 text");
}

#[test]
fn missing_and_empty_keys_are_named() {
    let dir = TestDir::new();
    dir.write("real.toml", REAL);
    let run = || dir.rushhour(&["run", "real.toml"]);
    run().run().expect_exit(2).expect_stderr("LIVEKIT_API_KEY is not set");
    let with_key = || run().env("LIVEKIT_API_KEY", "key-of-the-tests-4711");
    with_key()
        .env("LIVEKIT_API_SECRET", " ")
        .run()
        .expect_exit(2)
        .expect_stderr("LIVEKIT_API_SECRET is empty");
    let with_both =
        || with_key().env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters");
    with_both().run().expect_exit(2).expect_stderr("CEKURA_API_KEY is not set");
    with_both()
        .env("CEKURA_API_KEY", "cekura-key\nof-the-tests")
        .run()
        .expect_exit(2)
        .expect_stderr("CEKURA_API_KEY contains a line end");
    // With all keys set, nothing listens at the address.
    with_both()
        .env("CEKURA_API_KEY", "cekura-key-of-the-tests-0815")
        .run()
        .expect_exit(2)
        .expect_stderr("check livekit.url");
    assert!(dir.sessions().is_empty(), "a session that could not start leaves no folder");
}

#[test]
fn keys_are_read_from_files_too() {
    let dir = TestDir::new();
    dir.write("key", "key-of-the-tests-4711\n");
    let profile = REAL.replace("agent =", "key_file = \"key\"\nsecret_file = \"absent\"\nagent =");
    dir.write("real.toml", &profile);
    dir.rushhour(&["run", "real.toml"])
        .run()
        .expect_exit(2)
        .expect_stderr("that `livekit.secret_file` names");
}

#[test]
fn wrong_keys_stop_the_session_before_it_costs_anything() {
    let dir = TestDir::new();
    let sandbox = SandboxProcess::start(&dir, &[]);
    let without_sandbox = SANDBOX.split("[sandbox]").next().expect("split returns at least one");
    dir.write("p.toml", &sandbox.profile(without_sandbox));
    let run =
        |wrong_keys: &[(&str, &str)]| sandbox.rushhour(&dir, &["run", "p.toml"], wrong_keys).run();
    run(&[("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")])
        .expect_exit(2)
        .expect_stderr("check LIVEKIT_API_KEY and LIVEKIT_API_SECRET");
    assert!(dir.sessions().is_empty());
    let refused = run(&[("CEKURA_API_KEY", "cekura-key-of-the-tests-0815")]).expect_exit(2);
    assert!(refused.stdout.contains("check CEKURA_API_KEY"), "{}", refused.stdout);
    let session = dir.session();
    assert_eq!(session.tally("outcome").get("completed"), None);
    let classes = session.tally("failure_class");
    assert!(classes["submit_rejected"] >= 1, "{classes:?}");
    sandbox.stop();
}

#[test]
fn an_agent_without_a_worker_and_an_unknown_scenario_are_reported() {
    let dir = TestDir::new();
    let profile = SANDBOX.replace("\"front-desk\"", "\"rushhour-placeholder\"");
    let ran = dir.run_profile(&profile);
    assert!(ran.stdout.contains("dispatch_unassigned"), "{}", ran.stdout);
    let session = dir.session();
    assert_eq!(session.tally("failure_class")["dispatch_unassigned"], 2);
    assert!(
        session.runs[0]
            .text("detail")
            .contains("check that a worker is registered under that name")
    );

    let dir = TestDir::new();
    dir.run_profile(&SANDBOX.replace("id = 30", "id = \"no-number\""));
    let session = dir.session();
    // The second run is not submitted where the first was rejected before.
    let classes = session.tally("failure_class");
    assert!(classes["submit_rejected"] >= 1, "{classes:?}");
    let rejected = session.runs.iter().find(|run| run.text("failure_class") == "submit_rejected");
    let detail = rejected.expect("there is one").text("detail");
    assert!(detail.contains("check that the scenario ids are valid"), "{detail}");
}

#[test]
fn unusable_answers_leave_a_submission_unknown_and_are_named() {
    for (fault, message) in [
        ("submit_huge", "with more than can be read"),
        ("submit_empty", "an empty answer"),
        ("submit_truncated", "the connection broke"),
        ("submit_html_502", "a web page"),
        ("submit_500_after", "Cekura answered 500"),
        ("submit_reset_after", "the connection broke"),
        ("submit_silent", "no answer in time"),
        ("runs_missing", "listed no runs"),
    ] {
        let dir = TestDir::new();
        let ran = dir.run_profile(&format!("{SANDBOX}[sandbox.faults]\n{fault} = \"100%\"\n"));
        let session = dir.session();
        let unknown = session.tally("failure_class").get("submit_unknown").copied();
        assert_eq!(unknown, Some(2), "{fault}\n{}{}", ran.stdout, ran.stderr);
        let detail = session.runs[0].text("detail");
        assert!(detail.contains(message), "{fault}: {detail}");
        assert!(detail.len() < 500, "{fault}: one paragraph");
        assert_eq!(session.truth().submitted_twice(), [] as [String; 0]);
    }
}

#[test]
fn throttled_submissions_are_retried_until_they_are_accepted() {
    for fault in ["submit_429_seconds", "submit_429_date", "submit_429_bare"] {
        let dir = TestDir::new();
        // With the default of five attempts, one run in a hundred would be refused every time.
        let patient = SANDBOX.replace("[limits]", "[limits]\nattempts = 20");
        dir.run_profile(&format!("{patient}[sandbox.faults]\n{fault} = \"40%\"\n"));
        let session = dir.session();
        assert_eq!(session.tally("outcome")["completed"], 2, "{fault}");
    }
}

#[test]
fn an_output_folder_that_cannot_be_written_is_named() {
    let dir = TestDir::new();
    dir.write("p.toml", SANDBOX);
    dir.write("taken", "a file where a folder is needed");
    dir.rushhour(&["run", "p.toml", "--out", "taken"])
        .run()
        .expect_exit(2)
        .expect_stderr("choose another with --out");
    // The superuser may write anywhere except into the kernel's own file system.
    dir.rushhour(&["run", "p.toml", "--out", "/proc/reports"])
        .run()
        .expect_exit(2)
        .expect_stderr("choose another with --out");
}

#[test]
fn a_second_session_never_overwrites_the_first() {
    let dir = TestDir::new();
    dir.write("p.toml", SANDBOX);
    let runs: Vec<_> =
        (0..2).map(|_| dir.rushhour(&["run", "p.toml", "--quiet"]).start()).collect();
    for run in runs {
        // On a busy machine either may have been late; that is not the point here.
        let ran = run.finish();
        assert!(matches!(ran.code, Some(0 | 112)), "{:?}: {}", ran.code, ran.stderr);
    }
    assert_eq!(dir.sessions().len(), 2);
}

#[test]
fn reports_are_reproduced_byte_for_byte() {
    let dir = TestDir::new();
    dir.run_profile(SANDBOX).expect_exit(0);
    let before = dir.session().files();
    for name in [
        "journal.jsonl",
        "session.json",
        "runs.csv",
        "histogram.csv",
        "percentiles.csv",
        "funnel.csv",
        "timeseries.csv",
        "latency.hlog",
        "summary.json",
    ] {
        assert!(before.contains_key(name), "no {name}");
    }
    let folder = dir.sessions().remove(0);
    for name in before.keys().filter(|name| !["journal.jsonl", "sandbox.jsonl"].contains(&&***name))
    {
        fs::remove_file(folder.join(name)).expect("it existed");
    }
    dir.rushhour(&["report", &dir.session_argument()]).run().expect_exit(0);
    let after = dir.session().files();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, bytes) in &before {
        assert!(*bytes == after[name], "{name} differs");
    }
}

#[test]
fn a_foreign_or_damaged_journal_is_refused_with_the_position() {
    let dir = TestDir::new();
    dir.rushhour(&["report", "nowhere"])
        .run()
        .expect_exit(2)
        .expect_stderr("there is no folder or file nowhere")
        .expect_stderr("hint: name the folder of a session");
    fs::create_dir(dir.path().join("foreign")).expect("a folder can be created");
    dir.write("foreign/journal.jsonl", "a,b\n1,2\n");
    dir.rushhour(&["report", "foreign"]).run().expect_exit(2).expect_stderr("not a journal");
    dir.run_profile(SANDBOX).expect_exit(0);
    let journal = dir.sessions().remove(0).join("journal.jsonl");
    let mut bytes = fs::read(&journal).expect("there is a journal");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o644)).expect("it is ours");
    fs::write(&journal, bytes).expect("it can be written");
    let argument = journal.to_str().expect("a temporary folder's name is text");
    dir.rushhour(&["report", argument]).run().expect_exit(2).expect_stderr("is damaged");
}

#[test]
fn help_has_examples_and_a_closed_pipe_is_no_error() {
    let dir = TestDir::new();
    let help = dir.rushhour(&["--help"]).run().expect_exit(0);
    assert!(help.stdout.contains("rushhour run profiles/quickstart.toml"));
    for command in [
        "run",
        "plan",
        "doctor",
        "validate",
        "report",
        "sweep",
        "sandbox",
        "init",
        "schema",
        "completions",
    ] {
        dir.rushhour(&[command, "--help"]).run().expect_exit(0);
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = dir.rushhour(&["completions", shell]).run().expect_exit(0);
        assert!(script.stdout.contains("rushhour"));
    }
    dir.rushhour(&["fly"]).run().expect_exit(2);
    let piped = Command::new("sh")
        .args([
            "-c",
            &format!(
                "{} schema | head -n 1; exit ${{PIPESTATUS:-0}}",
                env!("CARGO_BIN_EXE_rushhour")
            ),
        ])
        .output()
        .expect("there is a shell");
    assert!(piped.status.success() && piped.stderr.is_empty());
}

#[test]
fn a_session_above_the_price_limit_is_not_started_without_yes() {
    let dir = TestDir::new();
    dir.write("real.toml", &format!("{REAL}[bill]\nask_above = \"0.01 USD\"\n"));
    let run = |options: &[&str]| {
        dir.rushhour(&[&["run", "real.toml"], options].concat())
            .env("LIVEKIT_API_KEY", "key-of-the-tests-4711")
            .env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
            .env("CEKURA_API_KEY", "key-of-cekura-in-the-tests")
            .run()
    };
    run(&[])
        .expect_exit(2)
        .expect_stderr("above bill.ask_above of 0.01 USD; nothing was started")
        .expect_stderr("hint: run it with --yes");
    // With consent it goes on to the server, which does not exist.
    run(&["--yes"]).expect_exit(2).expect_stderr("ws://127.0.0.1:9");
    assert!(dir.sessions().is_empty(), "no session was started");
    dir.write("small.toml", &format!("{SANDBOX}[bill]\nask_above = \"0.01 USD\"\n"));
    dir.rushhour(&["run", "small.toml", "--set", "limits.budget=0.10 USD"])
        .run()
        .expect_exit(2)
        .expect_stderr("raise it, or lower limits.run_timeout");
}

#[test]
fn on_a_terminal_the_user_is_asked_whether_to_spend() {
    let dir = TestDir::new();
    dir.write("real.toml", &format!("{REAL}[bill]\nask_above = \"0.01 USD\"\n"));
    let answered = |answer: &str| {
        // `script` runs its child in a terminal of its own.
        let output = Command::new("sh")
            .current_dir(dir.path())
            .args([
                "-c",
                &format!(
                    "echo {answer} | script -qec '{} run real.toml' /dev/null",
                    env!("CARGO_BIN_EXE_rushhour")
                ),
            ])
            .env("LIVEKIT_API_KEY", "key-of-the-tests-4711")
            .env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
            .env("CEKURA_API_KEY", "key-of-cekura-in-the-tests")
            .output()
            .expect("there is a shell");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("Continue? [y/N]"), "{shown}");
        assert_eq!(output.status.code(), Some(2), "{shown}");
        shown
    };
    for no in ["n", "''", "yellow"] {
        let shown = answered(no);
        assert!(shown.contains("nothing was started"), "{shown}");
        assert!(!shown.contains("127.0.0.1:9"), "{shown}");
    }
    // With consent it goes on to the server, which does not exist.
    let shown = answered("y");
    assert!(shown.contains("ws://127.0.0.1:9"), "{shown}");
    assert!(dir.sessions().is_empty(), "no session was started");
}
