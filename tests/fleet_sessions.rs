//! Sessions of other kinds over workers: callers that call again, runs that are judged, and agents that are hidden.

use std::collections::BTreeSet;

use crate::fleet::{Machines, workers_of_runs};
use crate::judging::{QUICK, check_consistency, open_judged};
use crate::native_callers::{journal_values, profile};
use crate::support::{Framework, Row};

/// Half of the callers do not wait for the agent, which takes a second to answer.
const IMPATIENT: &str = r#"
[abandon]
share = "50%"
silence = "300ms"
[redial]
pause = "500ms"
[[turn]]
say = "Good evening."
within = "20s"
"#;

/// Callers that fail, because of what the agent answers.
const DISAPPOINTED: &str = r#"
[[turn]]
say = "Good evening."
expect = "what nobody says"
within = "3s"
"#;

/// The lowest number of a second call.
const SECOND_CALL: u64 = 100_000_000;

#[test]
fn callers_on_workers_call_again_and_their_runs_are_judged() {
    // Ten dispatches at most: LiveKit's dispatcher holds more of them back, and who hangs up does not wait for the agent.
    let machines = Machines::start(2, &["--turn-delay", "1s"]);
    machines.dir.write("script.toml", IMPATIENT);
    machines.dir.write("disappointed.toml", DISAPPOINTED);
    let profile = profile(&machines.server, "chat", 4, "6/s").replace(
        "lasts = \"5s\"",
        "lasts = \"2s\"\ncekura = 30\n[[scenario]]\nid = 2\ncopies = 2\nscript = \"disappointed.toml\"\nlasts = \"2s\"\ncekura = 31",
    );
    let judging =
        "[judging]\nby = \"sandbox\"\nsample = \"100%\"\nrequests = \"100/s\"\nin_flight = 20\n";
    machines.write(&format!("seed = 3\n{profile}{judging}{QUICK}"), "15s");
    let ran = machines.run().run().expect_exit_unless_busy(0);
    ran.expect_stderr("Judging at most 12 runs afterwards");
    let found = open_judged(&machines.dir);
    check_consistency(&found);

    let session = &found.session;
    let hung_up: BTreeSet<u64> = journal_values(session, "conversation")
        .iter()
        .filter(|one| one["summary"]["ended"] == "abandoned")
        .map(|one| one["run"].as_u64().expect("it has a run"))
        .collect();
    let of_rows = |rows: &[Row]| -> BTreeSet<u64> {
        rows.iter().map(|row| row.number("run").expect("it has a number")).collect()
    };
    let runs = of_rows(&session.runs);
    let again: BTreeSet<u64> = runs.range(SECOND_CALL..).copied().collect();
    let first = hung_up.range(..SECOND_CALL);
    let expected: BTreeSet<u64> = first.map(|run| run + SECOND_CALL).collect();
    assert!(!again.is_empty(), "somebody hung up: {hung_up:?}");
    assert_eq!(again, expected, "who hung up calls again, once, and nobody else");
    let workers = workers_of_runs(&session.folder);
    assert_eq!(workers.keys().copied().collect::<BTreeSet<u64>>(), runs, "each was on a worker");
    assert_eq!(workers.into_values().collect::<BTreeSet<_>>().len(), 2, "each worker had some");

    assert_eq!(of_rows(&found.judged), runs, "each is judged, second calls too");
    let failed = found.judged.iter().filter(|row| row.text("callers_verdict") == "failed");
    assert_eq!(failed.count(), 2, "those that were disappointed: {:?}", session.runs);
    let truth = found.judging.truth();
    assert_eq!(truth.entries().len(), runs.len(), "once");
    assert_eq!(truth.submitted_twice(), [] as [String; 0]);
    assert!(found.judging.tally("worker").keys().all(String::is_empty), "Cekura has no workers");
    machines.end(runs.len() as u64);
}

#[test]
fn a_caller_on_a_worker_speaks_to_a_hidden_agent_that_waits_for_it() {
    let machines = Machines::start(1, &[]);
    let folder = machines.dir.path();
    let _agents = machines.server.framework_agents(folder, Framework::Python, "hidden");
    machines.dir.write("script.toml", "[[turn]]\nsay = \"Good evening.\"\nwithin = \"20s\"\n");
    let name = Framework::Python.agent_name();
    let waits = format!("\"{name}\"\nmetadata = {{ behaviour = \"hidden\", greeting = \"\" }}");
    let profile = profile(&machines.server, "chat", 1, "1/s").replace("\"echo\"", &waits);
    machines.write(&profile, "15s");
    machines.run().run().expect_exit_unless_busy(0);
    let session = machines.dir.session();
    assert_eq!(session.runs[0].text("outcome"), "completed", "{:?}", session.runs[0]);
    assert_eq!(journal_values(&session, "hidden"), [true]);
    assert_eq!(session.count("/conversations/hidden"), 1);
    machines.end(1);
}
