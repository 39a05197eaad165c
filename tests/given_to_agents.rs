//! What agents need to be given: who the caller is, answers to their calls, and keys of a telephone. Seen by agents on
//! the real frameworks, and by a second participant of a real room.

use std::fs;

use serde_json::Value;

use crate::support::{Framework, LiveKitServer, Session, TestDir};

/// The frameworks whose agents are asked.
const FRAMEWORKS: [Framework; 2] = [Framework::Python, Framework::Node];

/// A profile of one conversation with an agent that behaves as `behaviour` says.
fn profile(
    server: &LiveKitServer,
    framework: Framework,
    mode: &str,
    behaviour: &str,
    more: &str,
) -> String {
    format!(
        r#"
mode = "{mode}"
seed = 5
[livekit]
url = "{}"
agent = "{}"
metadata = {{ behaviour = "{behaviour}", line = "{{run}}" }}
room_metadata = {{ tenant = "acme", line = "{{mode}}-{{run}}" }}
agent_within = "20s"
give_up_after = "20s"
[evaluator]
kind = "native"
{more}
[[scenario]]
id = 30
copies = 1
script = "script.toml"
lasts = "5s"
[[stage]]
rate = "1/s"
[limits]
run_timeout = "60s"
"#,
        server.url(),
        framework.agent_name()
    )
}

/// Runs the profile with a script, and returns the session and what was printed.
fn converse(
    dir: &TestDir,
    server: &LiveKitServer,
    profile: &str,
    script: &str,
) -> (Session, String) {
    dir.write("profile.toml", profile);
    dir.write("script.toml", script);
    let _ = fs::remove_dir_all(dir.path().join("reports"));
    let ran = server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    (dir.session(), ran.stdout)
}

#[track_caller]
fn assert_passed(session: &Session, framework: Framework) {
    let run = &session.runs[0];
    let ended = (run.text("outcome"), run.text("judged"));
    assert_eq!(ended, ("completed", "passed"), "{framework:?}: {run:?}");
}

/// What an agent wrote down about something.
fn fact(facts: &[Value], event: &str) -> Value {
    let found = facts.iter().find(|fact| fact["event"] == event);
    found.unwrap_or_else(|| panic!("{event} was not written down: {facts:#?}")).clone()
}

#[test]
fn an_agent_reads_who_its_caller_is() {
    for framework in FRAMEWORKS {
        let dir = TestDir::new();
        let server = LiveKitServer::start(dir.path());
        let agents = server.framework_agents(dir.path(), framework, "plain");
        let caller = r#"
[caller]
kind = "sip"
name = "Phone {run}"
metadata = { user = "u-{run}-{seed}" }
[caller.attributes]
sip.phoneNumber = "+49{run}"
language = "de"
"#;
        let script = r#"
[[turn]]
say = "Who am I?"
expect = 'name=Phone 0 metadata=\{"user":"u-0-5"\}'
"#;
        let text = profile(&server, framework, "chat", "attributes", caller);
        let (session, _) = converse(&dir, &server, &text, script);
        assert_passed(&session, framework);
        let facts = agents.facts();
        let seen = fact(&facts, "caller");
        assert_eq!(seen["kind"], 3, "a telephone's kind is SIP: {seen}");
        let attributes = &seen["attributes"];
        for (key, value) in [
            ("sip.phoneNumber", "+490"),
            ("language", "de"),
            ("sip.callID", "SCL_rushhour_0"),
            ("sip.callStatus", "active"),
        ] {
            assert_eq!(attributes[key], value, "{framework:?}: {seen}");
        }
        let job = fact(&facts, "job");
        let parsed = |text: &Value| -> Value {
            serde_json::from_str(text.as_str().expect("a text")).expect("an object")
        };
        let dispatched = parsed(&job["metadata"]);
        assert_eq!((&dispatched["line"], &dispatched["scenario_id"]), (&"0".into(), &30.into()));
        let room = parsed(&job["room_metadata"]);
        assert_eq!((&room["tenant"], &room["line"]), (&"acme".into(), &"chat-0".into()));
        assert_eq!(room["rushhour"]["run"], 0, "the mark is there as well: {room}");
    }
}

#[test]
fn an_agents_call_is_answered_at_once_from_the_profile_or_as_unsupported() {
    for framework in FRAMEWORKS {
        let dir = TestDir::new();
        let server = LiveKitServer::start(dir.path());
        let agents = server.framework_agents(dir.path(), framework, "plain");
        for (answers, told, note) in [
            (
                "rpc = { get_user_location = \"Berlin {run}\" }",
                "location Berlin 0",
                "Agents called the callers by RPC 1 time; each call was answered from the profile.",
            ),
            (
                "",
                "no location, code 1400",
                "1 call was answered as unsupported, because [evaluator.rpc] does not have `get_user_location`.",
            ),
        ] {
            let script = format!("[[turn]]\nsay = \"Where am I?\"\nexpect = \"{told}\"\n");
            let text = profile(&server, framework, "chat", "rpc", answers);
            let (session, printed) = converse(&dir, &server, &text, &script);
            assert_passed(&session, framework);
            let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(printed.contains(note), "{printed}");
            let facts = agents.facts();
            let calls: Vec<&Value> = facts.iter().filter(|fact| fact["event"] == "rpc").collect();
            let last = calls.last().expect("it called");
            assert_eq!(last["told"], told, "{framework:?}");
            // A caller that stays silent costs 7 s.
            assert!(last["seconds"].as_f64().expect("a duration") < 5.0, "{framework:?}: {last}");
        }
    }
}

#[test]
fn an_agent_hears_the_keys_that_a_caller_presses() {
    for framework in FRAMEWORKS {
        let dir = TestDir::new();
        let server = LiveKitServer::start(dir.path());
        let agents = server.framework_agents(dir.path(), framework, "plain");
        let script = "[[turn]]\ndtmf = \"12#\"\nexpect = \"digits 1 2 #\"\n";
        let text = profile(&server, framework, "voice", "dtmf", "");
        let (session, _) = converse(&dir, &server, &text, script);
        assert_passed(&session, framework);
        let facts = agents.facts();
        let digits = facts.iter().filter(|fact| fact["event"] == "digit");
        let digits: Vec<&str> = digits.filter_map(|fact| fact["digit"].as_str()).collect();
        assert_eq!(digits, ["1", "2", "#"], "{framework:?}");
    }
}

#[test]
fn a_room_that_the_callers_token_creates_has_the_same_metadata() {
    let (framework, dir) = (Framework::Python, TestDir::new());
    let server = LiveKitServer::start(dir.path());
    let agents = server.framework_agents(dir.path(), framework, "plain");
    let script = "[[turn]]\nsay = \"Hello.\"\nexpect = \"echo: Hello\"\n";
    let text = profile(&server, framework, "chat", "plain", "");
    let text = text.replace("agent_within", "dispatch = \"token\"\nagent_within");
    let (session, _) = converse(&dir, &server, &text, script);
    assert_passed(&session, framework);
    let job = fact(&agents.facts(), "job");
    let room: Value =
        serde_json::from_str(job["room_metadata"].as_str().expect("a text")).expect("an object");
    assert_eq!((&room["tenant"], &room["rushhour"]["run"]), (&"acme".into(), &0.into()), "{room}");
}
