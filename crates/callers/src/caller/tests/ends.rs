//! How conversations end that do not end well, each in its own class.

use super::super::prepared_script::PreparedScript;
use super::scene::{Scene, at, writes};
use crate::engine::LeaveReason;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{FailureClass, Outcome, TurnEnding};
use rushhour_core::units::Mode;

fn one() -> PreparedScript {
    PreparedScript { greeting: None, turns: vec![writes("One.")] }
}

#[test]
fn a_caller_without_an_open_channel_asks_whether_udp_is_blocked() {
    let mut scene = Scene::outside(Mode::Chat, one());
    scene.until(9_980);
    assert!(!scene.hand.gone);
    scene.until(10_100);
    let (_, class, words) = scene.failure();
    assert_eq!(class, FailureClass::RoomFailed);
    assert!(
        words.contains("within 10s") && words.ends_with("is UDP to the server blocked?"),
        "{words}"
    );
}

#[test]
fn an_agent_that_never_listens_is_late() {
    let mut scene = Scene::alone(Mode::Chat, one());
    scene.until(60_000);
    assert!(!scene.hand.gone, "whether an agent comes at all is not the caller's to judge");
    scene.agent(60_000, Some("initializing"));
    scene.until(67_980);
    assert!(!scene.hand.gone);
    scene.until(68_100);
    let (turns, class, words) = scene.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::AgentLate));
    assert!(words.contains("after 8s: initializing"), "{words}");
    assert_eq!(scene.hand.take(), [] as [&str; 0]);
}

#[test]
fn an_agent_without_a_word_is_mute_and_one_that_stops_answering_is_not() {
    let mut mute = Scene::chat(vec![writes("One."), writes("Two.")]);
    mute.until(6_100);
    assert!(!mute.hand.gone);
    mute.until(6_200);
    let (turns, class, words) = mute.failure();
    assert_eq!(class, FailureClass::AgentMute);
    assert_eq!(words, "no answer to turn 1 within 5.00s");
    assert_eq!((turns.len(), turns[0].ending), (1, TurnEnding::TimedOut));
    assert_eq!((turns[0].said, turns[0].first), (at(1_120), None));

    let mut stops = Scene::chat(vec![writes("One."), writes("Two.")]);
    stops.until(1_120);
    stops.answers(1_300, "SG_1", "Yes.");
    stops.until(7_000);
    let (turns, class, words) = stops.failure();
    assert_eq!(
        (class, words.as_str()),
        (FailureClass::TurnTimeout, "no answer to turn 2 within 5.00s")
    );
    let endings: Vec<_> = turns.iter().map(|turn| turn.ending).collect();
    assert_eq!(endings, [TurnEnding::Answered, TurnEnding::TimedOut]);
}

#[test]
fn an_agent_that_leaves_breaks_the_conversation_off() {
    let mut before = Scene::alone(Mode::Chat, one());
    before.agent(500, None);
    before.agent_leaves(600);
    let (turns, class, _) = before.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::AgentLeft));

    let mut during = Scene::chat(vec![writes("One.")]);
    during.until(1_120);
    during.begins(1_200, "agent-1", "s", "SG_1");
    during.part(1_220, "s", "I am");
    during.agent_leaves(1_300);
    let (turns, class, _) = during.failure();
    assert_eq!(class, FailureClass::AgentLeft);
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::BrokenOff, Some(at(1_220))));

    let mut between = Scene::chat(vec![writes("One."), writes("Two.")]);
    between.until(1_120);
    between.answers(1_200, "SG_1", "Yes.");
    between.agent_leaves(1_400);
    let (turns, class, _) = between.failure();
    assert_eq!(class, FailureClass::AgentLeft);
    assert_eq!(turns[0].ending, TurnEnding::Answered, "its answer was whole");
}

#[test]
fn an_agent_that_hangs_up_after_its_last_answer_has_held_the_conversation() {
    let mut scene = Scene::chat(vec![writes("Goodbye.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "Goodbye.");
    scene.agent_leaves(1_350);
    let (turns, outcome, _) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    assert_eq!((turns[0].ending, turns[0].last), (TurnEnding::Answered, Some(at(1_300))));
}

#[test]
fn a_text_without_end_is_given_up() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.begins(1_200, "agent-1", "s", "SG_1");
    for beat in 0..3_100 {
        scene.part(1_220 + beat * 20, "s", &"and on ".repeat(50));
        if scene.hand.gone {
            break;
        }
    }
    let (turns, class, words) = scene.failure();
    assert_eq!(class, FailureClass::TurnTimeout);
    assert!(words.contains("not over 60.0s after it began"), "{words}");
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::TimedOut, Some(at(1_220))));
}

#[test]
fn an_agent_that_never_lets_the_caller_speak_is_given_up() {
    for turns in [vec![writes("One.")], vec![writes("One."), writes("Two.")]] {
        let mut scene = Scene::chat(turns);
        scene.until(1_120);
        for number in 0..1_000 {
            scene.answers(1_200 + number * 200, &format!("SG_{number}"), "And another thing.");
            if scene.hand.gone {
                break;
            }
        }
        assert!(scene.hand.now < at(70_000), "after {:?}", scene.hand.now);
        let (turns, class, words) = scene.failure();
        assert_eq!(class, FailureClass::TurnTimeout);
        assert!(words.contains("did not fall silent"), "{words}");
        assert_eq!(turns[0].ending, TurnEnding::Answered, "the answer itself was there");
    }
}

#[test]
fn whatever_puts_the_caller_out_has_its_class() {
    let refused = |status| LeaveReason::Refused { words: "401 Unauthorized".to_owned(), status };
    for (why, class, part) in [
        (refused(Some(401)), FailureClass::TokenRejected, "401"),
        (refused(Some(403)), FailureClass::TokenRejected, "401"),
        (refused(Some(503)), FailureClass::RoomFailed, "could not be joined"),
        (refused(None), FailureClass::RoomFailed, "could not be joined"),
        (
            LeaveReason::OurFault("too many open files".to_owned()),
            FailureClass::GeneratorFault,
            "ulimit -n",
        ),
        (LeaveReason::RoomDeleted, FailureClass::RoomFailed, "deleted during"),
        (LeaveReason::Lost("it is gone".to_owned()), FailureClass::RoomFailed, "lost: it is gone"),
        (LeaveReason::ByItself, FailureClass::Cancelled, "stopped"),
    ] {
        let mut scene = Scene::outside(Mode::Chat, one());
        scene.left(40, why.clone());
        assert_eq!(scene.news().len(), 1, "{why:?}");
        let mut scene = Scene::chat(vec![writes("One.")]);
        scene.left(2_000, why.clone());
        let (turns, found, words) = scene.failure();
        assert_eq!(found, class, "{why:?}");
        assert!(words.contains(part), "{words}");
        assert_eq!(turns[0].ending, TurnEnding::BrokenOff);
    }
}

#[test]
fn nothing_is_told_after_the_end() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.agent_leaves(1_200);
    scene.news();
    scene.agent(1_300, Some("listening"));
    scene.answers(1_400, "SG_1", "Too late.");
    scene.until(20_000);
    assert_eq!(scene.news(), [] as [(u64, UpdateKind); 0]);
}
