//! Messages, exit codes and files of the binary, where it is used wrongly or meets trouble.

use std::process::Command;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Served, Workplace};

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

fn shipped() -> Vec<String> {
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
    let workplace = Workplace::new();
    let profiles = shipped();
    assert!(profiles.len() >= 5, "{profiles:?}");
    for profile in profiles {
        workplace.rushhour(&["validate", &profile]).run().ended_with(0);
        let plan = workplace.rushhour(&["plan", &profile]).run().ended_with(0);
        for words in ["in flight", "submissions", "polls", "tokens", "setting"] {
            assert!(plan.out.contains(words), "{profile}: no {words}\n{}", plan.out);
        }
    }
}

#[test]
fn init_writes_a_profile_that_is_valid_and_overwrites_nothing() {
    let workplace = Workplace::new();
    workplace.rushhour(&["init"]).run().ended_with(0);
    workplace.rushhour(&["validate", "rushhour.toml"]).run().ended_with(0);
    workplace.rushhour(&["init"]).run().ended_with(2).complaining("is not overwritten");
}

#[test]
fn the_schemas_accept_what_is_written() {
    let workplace = Workplace::new();
    for of in ["profile", "summary"] {
        let schema = workplace.rushhour(&["schema", of]).run().ended_with(0);
        let schema: serde_json::Value = serde_json::from_str(&schema.out).expect("it is JSON");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}

#[test]
fn mistakes_in_a_profile_are_underlined_all_at_once() {
    let workplace = Workplace::new();
    workplace.write("bad.toml", &REAL.replace("rate", "rte").replace("id = 30", "id = -1"));
    workplace
        .rushhour(&["run", "bad.toml"])
        .run()
        .ended_with(104)
        .complaining("unknown key `rte`")
        .complaining("did you mean `rate`?")
        .complaining("this is not a scenario's id")
        .complaining("bad.toml:11")
        .complaining("2 mistakes in the profile");
}

#[test]
fn secrets_in_a_profile_are_refused_and_not_repeated() {
    let workplace = Workplace::new();
    let secret = "secret-of-the-tests-with-more-than-32-characters";
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl";
    let refused = |line: &str, words: &str| {
        workplace.write("p.toml", &REAL.replace("agent =", &format!("{line}\nagent =")));
        // What is printed is searched for secrets.
        workplace.rushhour(&["validate", "p.toml"]).run().ended_with(104).complaining(words);
    };
    refused(&format!("api_secret = \"{secret}\""), "`api_secret` would put a secret");
    refused(&format!("key = \"{secret}\""), "`key` would put a secret");
    refused(&format!("api_secret = \"{secret}"), "error");
    refused(&format!("metadata = {{ jwt = \"{token}\" }}"), "this looks like a token");
    workplace.write("p.toml", REAL);
    workplace
        .rushhour(&["validate", "p.toml", "--set", &format!("livekit.metadata.pass={secret}")])
        .with("LIVEKIT_API_SECRET", secret)
        .run()
        .ended_with(104)
        .complaining("the profile contains the value of LIVEKIT_API_SECRET");
}

#[test]
fn what_is_no_profile_is_refused() {
    let workplace = Workplace::new();
    workplace.rushhour(&["run", "none.toml"]).run().ended_with(2).complaining("`rushhour init`");
    workplace.write("big.toml", &"# filler\n".repeat(1_200_000));
    workplace
        .rushhour(&["run", "big.toml"])
        .run()
        .ended_with(104)
        .complaining("is too large for a profile");
    let noise: Vec<u8> =
        (0..5000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    fs::write(workplace.path().join("noise.toml"), noise).expect("a file can be written");
    workplace
        .rushhour(&["run", "noise.toml"])
        .run()
        .ended_with(104)
        .complaining("is not UTF-8 text");
}

#[test]
fn missing_and_empty_keys_are_named() {
    let workplace = Workplace::new();
    workplace.write("real.toml", REAL);
    let run = || workplace.rushhour(&["run", "real.toml"]);
    run().run().ended_with(2).complaining("LIVEKIT_API_KEY is not set");
    let with_key = || run().with("LIVEKIT_API_KEY", "key-of-the-tests-4711");
    with_key()
        .with("LIVEKIT_API_SECRET", " ")
        .run()
        .ended_with(2)
        .complaining("LIVEKIT_API_SECRET is empty");
    let with_both = || {
        with_key().with("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
    };
    with_both().run().ended_with(2).complaining("CEKURA_API_KEY is not set");
    with_both()
        .with("CEKURA_API_KEY", "cekura-key\nof-the-tests")
        .run()
        .ended_with(2)
        .complaining("CEKURA_API_KEY contains a line end");
    // With all keys there is nobody at the address.
    with_both()
        .with("CEKURA_API_KEY", "cekura-key-of-the-tests-0815")
        .run()
        .ended_with(2)
        .complaining("check livekit.url");
    assert!(workplace.sessions().is_empty(), "nothing is left of a session that could not begin");
}

#[test]
fn keys_come_from_files_too() {
    let workplace = Workplace::new();
    workplace.write("key", "key-of-the-tests-4711\n");
    let profile = REAL.replace("agent =", "key_file = \"key\"\nsecret_file = \"absent\"\nagent =");
    workplace.write("real.toml", &profile);
    workplace
        .rushhour(&["run", "real.toml"])
        .run()
        .ended_with(2)
        .complaining("that `livekit.secret_file` names");
}

#[test]
fn foreign_keys_stop_the_session_before_it_costs_anything() {
    let workplace = Workplace::new();
    let served = Served::start(&workplace, &[]);
    let apart = SANDBOX.split("[sandbox]").next().expect("it has a beginning");
    workplace.write("p.toml", &served.profile(apart));
    let run = |wrong: &[(&str, &str)]| served.rushhour(&workplace, &["run", "p.toml"], wrong).run();
    run(&[("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")])
        .ended_with(2)
        .complaining("check LIVEKIT_API_KEY and LIVEKIT_API_SECRET");
    assert!(workplace.sessions().is_empty());
    let refused = run(&[("CEKURA_API_KEY", "cekura-key-of-the-tests-0815")]).ended_with(2);
    assert!(refused.out.contains("check CEKURA_API_KEY"), "{}", refused.out);
    let session = workplace.session();
    assert_eq!(session.tally("outcome").get("completed"), None);
    let classes = session.tally("failure_class");
    assert!(classes["submit_rejected"] >= 1, "{classes:?}");
    served.stop();
}

#[test]
fn an_agent_without_a_worker_and_an_unknown_scenario_are_told() {
    let workplace = Workplace::new();
    let profile = SANDBOX.replace("\"front-desk\"", "\"rushhour-placeholder\"");
    let ran = workplace.run_profile(&profile);
    assert!(ran.out.contains("dispatch_unassigned"), "{}", ran.out);
    let session = workplace.session();
    assert_eq!(session.tally("failure_class")["dispatch_unassigned"], 2);
    assert!(
        session.runs[0]
            .text("detail")
            .contains("check that a worker is registered under that name")
    );

    let workplace = Workplace::new();
    workplace.run_profile(&SANDBOX.replace("id = 30", "id = \"no-number\""));
    let session = workplace.session();
    assert_eq!(session.tally("failure_class")["submit_rejected"], 2);
    let detail = session.runs[0].text("detail");
    assert!(detail.contains("check that the scenario ids are valid"), "{detail}");
}

#[test]
fn strange_answers_leave_it_unknown_and_are_named() {
    for (fault, words) in [
        ("submit_huge", "with more than can be read"),
        ("submit_empty", "an empty answer"),
        ("submit_truncated", "the connection broke"),
        ("submit_html_502", "a web page"),
        ("submit_500_after", "Cekura answered 500"),
        ("submit_reset_after", "the connection broke"),
        ("submit_silent", "no answer in time"),
        ("runs_missing", "listed no runs"),
    ] {
        let workplace = Workplace::new();
        let ran =
            workplace.run_profile(&format!("{SANDBOX}[sandbox.faults]\n{fault} = \"100%\"\n"));
        let session = workplace.session();
        let unknown = session.tally("failure_class").get("submit_unknown").copied();
        assert_eq!(unknown, Some(2), "{fault}\n{}{}", ran.out, ran.err);
        let detail = session.runs[0].text("detail");
        assert!(detail.contains(words), "{fault}: {detail}");
        assert!(detail.len() < 500, "{fault}: one paragraph");
        assert_eq!(session.truth().submitted_twice(), [] as [String; 0]);
    }
}

#[test]
fn throttling_is_waited_out() {
    for fault in ["submit_429_seconds", "submit_429_date", "submit_429_bare"] {
        let workplace = Workplace::new();
        // With the usual five attempts one run in a hundred would find all of them refused.
        let patient = SANDBOX.replace("[limits]", "[limits]\nattempts = 20");
        workplace.run_profile(&format!("{patient}[sandbox.faults]\n{fault} = \"40%\"\n"));
        let session = workplace.session();
        assert_eq!(session.tally("outcome")["completed"], 2, "{fault}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let workplace = Workplace::new();
    workplace.write("p.toml", SANDBOX);
    workplace.write("taken", "a file, not a folder");
    workplace
        .rushhour(&["run", "p.toml", "--out", "taken"])
        .run()
        .ended_with(2)
        .complaining("choose another with --out");
    // The superuser may write anywhere but into the kernel's own.
    workplace
        .rushhour(&["run", "p.toml", "--out", "/proc/reports"])
        .run()
        .ended_with(2)
        .complaining("choose another with --out");
}

#[test]
fn a_second_session_never_overwrites_the_first() {
    let workplace = Workplace::new();
    workplace.write("p.toml", SANDBOX);
    let runs: Vec<_> =
        (0..2).map(|_| workplace.rushhour(&["run", "p.toml", "--quiet"]).start()).collect();
    for run in runs {
        // On a busy machine either may have been late, which is not the point.
        let ran = run.finish();
        assert!(matches!(ran.code, Some(0 | 112)), "{:?}: {}", ran.code, ran.err);
    }
    assert_eq!(workplace.sessions().len(), 2);
}

#[test]
fn reports_are_made_again_byte_for_byte() {
    let workplace = Workplace::new();
    workplace.run_profile(SANDBOX).ended_with(0);
    let before = workplace.session().files();
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
    let folder = workplace.sessions().remove(0);
    for (name, _) in
        before.iter().filter(|(name, _)| !["journal.jsonl", "sandbox.jsonl"].contains(&&***name))
    {
        fs::remove_file(folder.join(name)).expect("it was there");
    }
    let shown = folder.to_str().expect("a temporary folder's name is text");
    workplace.rushhour(&["report", shown]).run().ended_with(0);
    let again = workplace.session().files();
    assert_eq!(before.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
    for (name, bytes) in &before {
        assert!(*bytes == again[name], "{name} differs");
    }
}

#[test]
fn a_foreign_or_damaged_journal_is_refused_with_its_place() {
    let workplace = Workplace::new();
    workplace
        .rushhour(&["report", "nowhere"])
        .run()
        .ended_with(2)
        .complaining("there is no folder or file nowhere")
        .complaining("hint: name the folder of a session");
    fs::create_dir(workplace.path().join("foreign")).expect("a folder can be made");
    workplace.write("foreign/journal.jsonl", "a,b\n1,2\n");
    workplace.rushhour(&["report", "foreign"]).run().ended_with(2).complaining("not a journal");
    workplace.run_profile(SANDBOX).ended_with(0);
    let journal = workplace.sessions().remove(0).join("journal.jsonl");
    let mut bytes = fs::read(&journal).expect("there is a journal");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o644)).expect("it is ours");
    fs::write(&journal, bytes).expect("it can be written");
    let shown = journal.to_str().expect("a temporary folder's name is text");
    workplace.rushhour(&["report", shown]).run().ended_with(2).complaining("is damaged");
}

#[test]
fn help_teaches_by_example_and_a_closed_pipe_is_no_error() {
    let workplace = Workplace::new();
    let help = workplace.rushhour(&["--help"]).run().ended_with(0);
    assert!(help.out.contains("rushhour run profiles/quickstart.toml"));
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
        workplace.rushhour(&[command, "--help"]).run().ended_with(0);
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = workplace.rushhour(&["completions", shell]).run().ended_with(0);
        assert!(script.out.contains("rushhour"));
    }
    workplace.rushhour(&["fly"]).run().ended_with(2);
    let listed = Command::new("sh")
        .args([
            "-c",
            &format!(
                "{} schema | head -n 1; exit ${{PIPESTATUS:-0}}",
                env!("CARGO_BIN_EXE_rushhour")
            ),
        ])
        .output()
        .expect("there is a shell");
    assert!(listed.status.success() && listed.stderr.is_empty());
}

#[test]
fn what_costs_more_than_may_be_unasked_is_not_started_without_yes() {
    let workplace = Workplace::new();
    workplace.write("real.toml", &format!("{REAL}[bill]\nask_above = \"0.01 USD\"\n"));
    let run = |words: &[&str]| {
        let words = [&["run", "real.toml"], words].concat();
        workplace
            .rushhour(&words)
            .with("LIVEKIT_API_KEY", "key-of-the-tests-4711")
            .with("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
            .with("CEKURA_API_KEY", "key-of-cekura-in-the-tests")
            .run()
    };
    run(&[])
        .ended_with(2)
        .complaining("above bill.ask_above of 0.01 USD; nothing was started")
        .complaining("hint: run it with --yes");
    // Agreed to, it goes on to the server, which is not there.
    run(&["--yes"]).ended_with(2).complaining("ws://127.0.0.1:9");
    assert!(workplace.sessions().is_empty(), "no session was begun");
    workplace.write("small.toml", &format!("{SANDBOX}[bill]\nask_above = \"0.01 USD\"\n"));
    workplace
        .rushhour(&["run", "small.toml", "--set", "limits.budget=0.10 USD"])
        .run()
        .ended_with(2)
        .complaining("raise it, or lower limits.run_timeout");
}

#[test]
fn on_a_terminal_it_is_asked_whether_to_spend() {
    let workplace = Workplace::new();
    workplace.write("real.toml", &format!("{REAL}[bill]\nask_above = \"0.01 USD\"\n"));
    let answered = |answer: &str| {
        // `script` gives its child a terminal of its own.
        let output = Command::new("sh")
            .current_dir(workplace.path())
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
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(seen.contains("Continue? [y/N]"), "{seen}");
        assert_eq!(output.status.code(), Some(2), "{seen}");
        seen
    };
    for no in ["n", "''", "yellow"] {
        let seen = answered(no);
        assert!(seen.contains("nothing was started"), "{seen}");
        assert!(!seen.contains("127.0.0.1:9"), "{seen}");
    }
    // Agreed to, it goes on to the server, which is not there.
    let seen = answered("y");
    assert!(seen.contains("ws://127.0.0.1:9"), "{seen}");
    assert!(workplace.sessions().is_empty(), "no session was begun");
}
