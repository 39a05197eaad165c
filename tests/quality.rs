//! How the agent sounds and takes turns, on the real livekit-server: the calibration agent breaks up and talks over its
//! callers, and its truth log says where.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::native_callers::{profile, start_agent, test_dir};
use crate::support::{Framework, LiveKitServer, Session};

/// The callers say a sentence without a pause, once.
const SCRIPT: &str = "[[turn]]\nplay = \"name-is-smith.opus\"\nwithin = \"6s\"\n";

/// What the agent did to its speech, by fact: how often, and how long in all, in microseconds.
fn done(truth: &Path, fact: &str, length: &str) -> (u64, u64) {
    let text = fs::read_to_string(truth).expect("the agent wrote it");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
    lines.filter(|line| line["fact"] == fact).fold((0, 0), |(count, sum), line| {
        (count + 1, sum + line[length].as_u64().expect("it has a length"))
    })
}

#[test]
fn an_agent_that_breaks_up_and_talks_over_callers_is_measured_as_it_was() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let options = [
        ["--speech", "9s"],
        ["--turn-delay", "900ms"],
        ["--cuts", "40/min"],
        ["--stalls", "15/min"],
        ["--talk-over", "50%"],
        ["--talk-over-after", "300ms"],
    ];
    let agent = start_agent(&dir, &server, options.as_flattened());
    dir.write("script.toml", SCRIPT);
    let thresholds = "\n[thresholds]\n\"speech.gaps\" = \"< 1/min\"\n\"speech.concealed\" = \"< 50%\"\n\"speech.longest_gap p50\" = \"< 2s\"\n";
    let text = profile(&server, "voice", 6, "4/s") + thresholds;
    dir.write("profile.toml", &text);
    let output = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let session = dir.session();
    assert_eq!(session.tally("outcome")["completed"], 6, "{:?}", session.tally("detail"));
    let truth = dir.path().join("truth.jsonl");
    let (cuts, cut_us) = done(&truth, "speech_cut", "length_us");
    let (stalls, stalled_us) = done(&truth, "speech_stalled", "length_us");
    let (talked_over, _) = done(&truth, "talked_over", "since_began_us");
    assert!(cuts >= 15 && stalls >= 5 && talked_over >= 1, "{cuts} {stalls} {talked_over}");

    let summary = fs::read_to_string(session.folder.join("summary.json")).expect("it is written");
    let summary: Value = serde_json::from_str(&summary).expect("it is JSON");
    let quality = &summary["quality"];
    let number = |name: &str| quality[name].as_u64().expect("it is a count");
    // A cut beside a stall may be one gap, and a machine that is busy with other tests stalls by itself.
    let near = |found: u64, truth: u64| found >= truth / 2 && found <= truth + truth / 2 + 2;
    assert!(near(number("gaps_starved"), cuts), "{cuts} cuts of {cut_us} us: {quality}");
    assert!(near(number("gaps_late"), stalls), "{stalls} stalls: {quality}");
    assert_eq!(number("gaps_lost"), 0, "{quality}");
    let over = number("turns_talked_over");
    assert!((1..=6).contains(&over), "{talked_over}: {quality}");
    // A jitter buffer of 100 ms hides that much of each stall.
    let unheard = cut_us + stalled_us - stalls * 100_000;
    let speech = number("speech_us") as f64;
    let found = quality["concealed"]["value"].as_f64().expect("it is a share") * speech;
    let error = found / unheard as f64;
    assert!((0.5..1.6).contains(&error), "{error}: {unheard} us of {quality}");
    assert!(output.stdout.contains("The agent's speech broke up"), "{}", output.stdout);
    let verdict = |name: &str| {
        let thresholds = summary["thresholds"].as_array().expect("it is a list");
        let found = thresholds
            .iter()
            .find(|one| one["threshold"].as_str().is_some_and(|text| text.starts_with(name)));
        found.expect("it is judged")["verdict"].clone()
    };
    assert_eq!(verdict("speech.gaps"), "failed", "{summary}");
    assert_eq!(verdict("speech.concealed"), "passed", "{summary}");
    // It rates every connection after five seconds.
    for whose in ["agent_connections", "caller_connections"] {
        assert_eq!(quality[whose]["runs"], session.runs.len(), "{whose}: {quality}");
    }
    assert!(output.stdout.contains("LiveKit rated the agent's connection"), "{}", output.stdout);
    let page = fs::read_to_string(session.folder.join("report.html")).expect("it is written");
    assert!(page.contains("id=\"speech-gaps\"") && page.contains("How the agent sounded"));
    assert!(session.runs.iter().all(|run| run.number("speech_us").is_some()));
}

/// Gaps in each minute of speech in the runs of a stage.
fn gaps_per_minute(session: &Session, stage: &str) -> f64 {
    let runs = || session.runs.iter().filter(|run| run.text("stage") == stage);
    let sum = |name: &str| runs().filter_map(|run| run.number(name)).sum::<u64>() as f64;
    sum("speech.gaps") / (sum("speech_us") / 60e6).max(0.1)
}

/// A real agent of LiveKit's framework whose worker has one core for ever more voice sessions. The callers have the other
/// cores, so that it is not they who starve. Prints what was found; the page and the files beside it are in the folder
/// `QUALITY_OUT`, if that is set.
#[test]
#[expect(clippy::print_stdout, reason = "it shows what was found")]
#[ignore = "three minutes, on a machine with nothing else to do: how much an agent can take is the machine's"]
fn a_python_agent_that_starves_of_processor_time_breaks_up() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agents = server.framework_agents(dir.path(), Framework::Python, "plain");
    let pinned = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", "0", &agents.group().to_string()])
        .output()
        .expect("there is a taskset");
    assert!(pinned.status.success(), "{pinned:?}");
    dir.write("script.toml", &SCRIPT.replace("6s", "60s"));
    let stage = |name: &str, at_once: u32, lasts: u32| {
        format!("[[stage]]\nname = \"{name}\"\nhold = {at_once}\nlasts = \"{lasts}s\"\n")
    };
    let stages = [stage("few", 2, 40), stage("some", 5, 40), stage("many", 9, 60)].concat();
    let text = format!(
        r#"
name = "starved"
mode = "voice"
[livekit]
url = "{}"
agent = "{}"
agent_within = "30s"
give_up_after = "30s"
metadata = {{ behaviour = "plain", sentences = 4 }}
[evaluator]
kind = "native"
ready_within = "60s"
[[scenario]]
id = 1
script = "script.toml"
lasts = "20s"
{stages}
[limits]
in_flight = 40
run_timeout = "2m"
[thresholds]
"speech.gaps" = "< 1/min"
"#,
        server.url(),
        Framework::Python.agent_name(),
    );
    dir.write("profile.toml", &text);
    let others = "(( $(nproc) == 1 )) || taskset --cpu-list --pid 1-$(( $(nproc) - 1 )) $$ >&2";
    let run = server.with_keys(dir.rushhour(&["run", "profile.toml"]));
    let output = run.after_shell(others).run();
    let session = dir.session();
    if let Some(to) = std::env::var_os("QUALITY_OUT") {
        fs::create_dir_all(&to).expect("the folder can be created");
        for file in ["report.html", "summary.json", "runs.csv", "turns.csv", "journal.jsonl"] {
            fs::copy(session.folder.join(file), Path::new(&to).join(file)).expect("it is written");
        }
    }
    let [few, some, many] = ["few", "some", "many"].map(|stage| gaps_per_minute(&session, stage));
    println!("{}{}", output.stdout, output.stderr);
    println!("{:?} {:?}", session.tally("outcome"), session.tally("failure_class"));
    println!("{few:.1}, {some:.1} and {many:.1} gaps a minute");
    assert!(many > 2.0 * few + 1.0, "{few} and {many}");
}
