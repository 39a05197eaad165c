//! The agent against which a worker measures its capacity: our own callers reach it, and have their conversations.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rushhour_callers::NativeCallers;
use rushhour_callers::audio::Clip;
use rushhour_callers::caller::PreparedScript;
use rushhour_callers::engine::{EngineClock, NetworkAccess};
use rushhour_core::evaluator::{ConversationRequest, Evaluator, UpdateKind};
use rushhour_core::event::{Outcome, TurnEnding};
use rushhour_core::profile::{EvaluatorSettings, Profile, ProfileInput, load};
use rushhour_core::units::{Mode, RoomName, RunIndex, Secret};
use rushhour_fleet::LoopbackServer;

const PROFILE: &str = "name = \"measure\"\nmode = \"paired\"\n[livekit]\nurl = \"ws://127.0.0.1:1\"\n\
    agent = \"echo\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = 1\ncopies = 2\nscript = \"script.toml\"\n\
    lasts = \"5s\"\n[[stage]]\nrate = \"1/s\"\n";
const SCRIPT: &str = "[[turn]]\nsay = \"Hello.\"\nplay = \"name-is-smith.opus\"\nwithin = \"20s\"\n\
    [[turn]]\nsay = \"Bye.\"\nplay = \"name-is-smith.opus\"\nwithin = \"20s\"\n";
const CLIP: &str = "profiles/scripts/clips/name-is-smith.opus";

fn profile() -> Profile {
    let read_file = |_: &str| Ok(SCRIPT.as_bytes().to_vec());
    let input = ProfileInput {
        file: "profile.toml",
        bytes: PROFILE.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &read_file,
    };
    load(input).unwrap_or_else(|invalid| panic!("{invalid}")).profile
}

fn callers(profile: &Profile) -> NativeCallers {
    let EvaluatorSettings::Native(settings) = &profile.evaluator else { panic!("it is native") };
    let scenario = &profile.mix.scenarios()[0];
    let script = scenario.script.as_ref().expect("it has one");
    let clip = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIP)).expect("it is shipped");
    let clip = Clip::from_bytes(&clip).expect("it can be played");
    let prepared = Mode::ALL.map(|mode| {
        let script = PreparedScript::new(script, mode, |_| Ok::<_, String>(clip.clone()));
        ((scenario.id.clone(), mode), Arc::new(script.expect("it is complete")))
    });
    NativeCallers::new(settings.clone(), Vec::new(), 1, HashMap::from(prepared))
}

#[test]
fn callers_have_their_conversations_with_the_agent_of_a_measure() {
    let profile = profile();
    let server = LoopbackServer::start().expect("a port is free");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
    runtime.block_on(async {
        let callers = callers(&profile);
        let network = NetworkAccess::system().expect("the system has authorities");
        callers.start(EngineClock::start(), 1, network).expect("threads can be started");
        for (run, mode) in Mode::ALL.into_iter().chain(Mode::ALL).enumerate() {
            let run = RunIndex(run as u64);
            let request = ConversationRequest {
                run,
                scenario: profile.mix.scenarios()[0].id.clone(),
                mode,
                network: None,
                livekit_url: server.url(),
                room: RoomName::new(format!("measure-{run}")),
                token: Secret::new("none"),
            };
            callers.submit(vec![request]).await.expect("they take it");
        }
        let (mut ended, mut answered) = (0, 0);
        while ended < 4 {
            let update = tokio::time::timeout(Duration::from_mins(1), callers.next_update()).await;
            match update.expect("they go on").kind {
                UpdateKind::Ended { outcome, .. } => {
                    assert!(matches!(outcome, Outcome::Completed { .. }), "{outcome:?}");
                    ended += 1;
                }
                UpdateKind::Turn(turn) => {
                    assert_eq!(turn.ending, TurnEnding::Answered, "{turn:?}");
                    answered += 1;
                }
                _ => {}
            }
        }
        assert_eq!(answered, 8, "two turns of each");
        let health = callers.health().expect("they were started");
        assert!(health.ticks > 0, "{health:?}");
    });
}
