//! The scripts of the GitHub actions, with files in place of GitHub's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BINARY, exit_with, root, run_short_session, script};

struct Job {
    folder: tempfile::TempDir,
}

impl Job {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be created") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A step that runs a script of an action, with `rushhour` installed.
    fn step(&self, name: &str, environment: &[(&str, &str)]) -> Command {
        let mut command = script(name);
        let binary = Path::new(BINARY).parent().expect("it is in a folder").display();
        command.env_clear().current_dir(self.folder.path());
        command.env("PATH", format!("{binary}:/usr/local/bin:/usr/bin:/bin"));
        command.env("GITHUB_OUTPUT", self.path("output"));
        command.env("GITHUB_STEP_SUMMARY", self.path("summary"));
        command.envs(environment.iter().copied());
        command
    }

    fn output(&self, name: &str) -> String {
        let all = self.read("output");
        let line = all.lines().rev().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name} in\n{all}")).to_owned()
    }
}

fn verdict(code: i32) -> &'static str {
    if code == 111 { "undecided" } else { "invalid" }
}

fn quickstart() -> String {
    root().join("profiles/quickstart.toml").display().to_string()
}

#[test]
fn a_session_ends_in_the_summary_the_outputs_and_the_exit_code() {
    let job = Job::new();
    let profile = quickstart();
    let environment = [
        ("PROFILE", profile.as_str()),
        ("REPORTS", "reports"),
        ("SET", "scenario.0.copies=12\nseed=7\n"),
    ];
    let (code, printed) = run_short_session(&mut job.step("actions/run/run", &environment));
    let verdict = verdict(code);
    let error = format!("::error::rushhour: {verdict} (exit code {code})");
    assert!(printed.contains(&error), "{printed}");
    assert_eq!(job.output("exit-code"), code.to_string());
    assert_eq!(job.output("verdict"), verdict);
    assert!(job.path(&job.output("session")).join("journal.jsonl").is_file());
    assert!(job.path(&job.output("junit")).is_file());
    assert!(job.read("summary").starts_with("### "), "{}", job.read("summary"));

    // The same again, where both codes only warn: the session is the new one.
    let before = job.output("session");
    let warned = [environment.as_slice(), &[("WARN_ON", "111 112")]].concat();
    let printed = exit_with(&mut job.step("actions/run/run", &warned), 0);
    assert!(printed.contains("::warning::"), "{printed}");
    assert!(["111", "112"].contains(&job.output("exit-code").as_str()));
    assert_ne!(job.output("session"), before);

    // A comparison of the two.
    let (baseline, candidate) = (before, job.output("session"));
    let environment = [
        ("BASELINE", baseline.as_str()),
        ("CANDIDATE", &candidate),
        ("ARGUMENTS", "--tolerance\n10%"),
    ];
    let (code, printed) = run_short_session(&mut job.step("actions/compare/compare", &environment));
    let error = format!("::error::rushhour compare: {}", self::verdict(code));
    assert!(printed.contains(&error), "{printed}");
    assert!(job.read("summary").matches("###").count() > 2, "{}", job.read("summary"));
}

#[test]
fn a_soak_shows_how_it_was_judged() {
    let job = Job::new();
    let profile = quickstart();
    let environment = [
        ("PROFILE", profile.as_str()),
        ("REPORTS", "reports"),
        ("COMMAND", "soak"),
        ("SET", "scenario.0.copies=12\nseed=7\n"),
    ];
    run_short_session(&mut job.step("actions/run/run", &environment));
    let summary = job.read("summary");
    let (soak, session) = summary.split_at(summary.rfind("\n### ").expect("two reports"));
    let text = soak.strip_prefix("### Soak\n\n").expect("the soak comes first");
    let verdicts = ["Not enough data: ", "Invalid: the generator"];
    assert!(verdicts.iter().any(|verdict| text.contains(verdict)), "{summary}");
    let is_code = |line: &str| line.is_empty() || line.starts_with("    ");
    assert!(text.lines().all(is_code), "{summary}");
    assert!(session.contains("Seed 7"), "{summary}");
}

#[test]
fn a_profile_that_is_not_valid_has_no_session() {
    let job = Job::new();
    fs::write(job.path("bad.toml"), "name = 7\n").unwrap();
    let environment = [("PROFILE", "bad.toml"), ("REPORTS", "reports")];
    let printed = exit_with(&mut job.step("actions/run/run", &environment), 104);
    assert!(printed.contains("::error::rushhour: error (exit code 104)"), "{printed}");
    assert_eq!((job.output("session"), job.output("junit")), (String::new(), String::new()));
    assert_eq!(job.read("summary"), "");
}

#[test]
fn nothing_of_an_input_is_run_by_the_shell() {
    let job = Job::new();
    let profile = "$(touch ran); `touch ran`; touch ran";
    let environment = [("PROFILE", profile), ("REPORTS", "reports"), ("SET", "a=$(touch ran)")];
    exit_with(&mut job.step("actions/run/run", &environment), 2);
    let environment = [("PROFILE", "p.toml"), ("REPORTS", "reports"), ("COMMAND", "sweep --yes")];
    exit_with(&mut job.step("actions/run/run", &environment), 2);
    assert!(!job.path("ran").exists());
}
