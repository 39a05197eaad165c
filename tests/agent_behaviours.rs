//! Our own callers against agents on the real frameworks that behave as agents do: background audio, a filler before a
//! long tool call, an end by the agent. All behaviours on all frameworks are a table that is made by hand:
//! `tests/peers/agents/table.py`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::native_callers::journal_values;
use crate::support::{Framework, LiveKitServer, Session, TestDir, framework_table};

const CLIP: &str = "profiles/scripts/clips/name-is-smith.opus";

const SCRIPT: &str = r#"
[[turn]]
say = "Good evening."
play = "name-is-smith.opus"
within = "8s"
[[turn]]
say = "And goodbye."
play = "name-is-smith.opus"
within = "8s"
"#;

struct Scene {
    dir: TestDir,
    server: LiveKitServer,
}

impl Scene {
    fn new() -> Self {
        let dir = TestDir::new();
        dir.write("script.toml", SCRIPT);
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIP);
        fs::copy(clip, dir.path().join("name-is-smith.opus")).expect("the clip is shipped");
        let server = LiveKitServer::start(dir.path());
        Self { dir, server }
    }

    /// A conversation with an agent that behaves so.
    fn run(&self, behaviour: &str, mode: &str, evaluator: &str) -> Session {
        let out = format!("{behaviour}-{mode}");
        let text = format!(
            r#"
name = "{out}"
mode = "{mode}"
[livekit]
url = "{}"
agent = "python"
agent_within = "20s"
give_up_after = "20s"
metadata = {{ behaviour = "{behaviour}" }}
[evaluator]
kind = "native"
{evaluator}
[[scenario]]
id = 1
copies = 1
script = "script.toml"
lasts = "5s"
[[stage]]
rate = "1/s"
[limits]
run_timeout = "60s"
"#,
            self.server.url()
        );
        self.dir.write(&format!("{out}.toml"), &text);
        let run = self.dir.rushhour(&["run", &format!("{out}.toml"), "--out", &out]);
        self.server.with_keys(run).run();
        self.dir.session_in(&out)
    }
}

/// The turns of a session, as its journal has them.
fn turns_of(session: &Session) -> Vec<Value> {
    let turns = journal_values(session, "turn");
    turns.into_iter().filter_map(|event| event.get("turn").cloned()).collect()
}

#[track_caller]
fn assert_answered(session: &Session) -> Vec<Value> {
    let turns = turns_of(session);
    assert_eq!(session.tally("outcome")["completed"], 1, "{:?} {turns:?}", session.tally("detail"));
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert!(turns.iter().all(|turn| turn["ending"] == "answered"), "{turns:?}");
    turns
}

fn micros(turn: &Value, from: &str, to: &str) -> u64 {
    let moment = |key: &str| turn[key].as_u64().unwrap_or_else(|| panic!("no {key} in {turn}"));
    moment(to) - moment(from)
}

#[test]
fn callers_converse_with_agents_as_people_run_them() {
    let scene = Scene::new();
    let _agents = scene.server.framework_agents(scene.dir.path(), Framework::Python, "plain");

    // A second track hums all the time: every turn would end in a timeout if it were the agent's voice.
    let hums = scene.run("background-loud", "voice", "");
    assert_answered(&hums);
    assert!(journal_values(&hums, "greeted").is_empty(), "it did not greet");

    // "One moment please.", three seconds of a tool, the answer.
    for mode in ["chat", "voice"] {
        let fills = scene.run("filler", mode, "");
        for turn in assert_answered(&fills) {
            let first = micros(&turn, "said", "first");
            let done = micros(&turn, "said", "done");
            assert!(done >= first + 3_000_000, "{mode}: it waits for the tool's result: {turn}");
        }
    }

    // Its session begins six seconds after its participant came: the first turn is lost, and said again. What it says
    // first is its greeting.
    let slow = scene.run("slow-start", "chat", "stateless_after = \"1s\"");
    let turns = assert_answered(&slow);
    assert_eq!(journal_values(&slow, "unheard_turns"), [1]);
    let greeted = &journal_values(&slow, "greeted")[0]["at"];
    assert!(greeted.as_u64() < turns[0]["said"].as_u64(), "{greeted} {turns:?}");

    // Goodbye, and the room is gone.
    let ends = scene.run("end-call", "chat", "");
    assert_answered(&ends);
    let ended: Vec<_> = journal_values(&ends, "ended");
    assert!(ended.iter().any(|ended| ended == "room_deleted_by_agent"), "{ended:?}");
    assert_eq!(scene.server.rooms(), [] as [String; 0]);
}

#[test]
fn callers_judge_agents_on_every_framework_rightly() {
    let dir = TestDir::new();
    let (rows, is_as_expected) = framework_table(dir.path(), &["--subset"]);
    assert!(is_as_expected, "{rows}");
}
