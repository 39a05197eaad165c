//! Agents as people run them: who they are, what is their voice, whose turn it is, and how they end a conversation.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::prepared_script::PreparedTurn;
use super::scene::{Scene, at, expression, participant, script, speaks, tone, track, writes};
use crate::data::DataEvent;
use crate::engine::LeaveReason;
use crate::participant::{
    AudioPacket, DepartureReason, DisconnectError, ParticipantEvent, RemoteParticipant,
};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{
    ConversationEnd, FailureClass, KeyWords, Outcome, TranscriptionErrors, TurnEnding,
};
use rushhour_core::units::{Identity, Micros, Mode};

const COMPLETED: Outcome = Outcome::Completed { judged: None };

fn deleted() -> LeaveReason {
    LeaveReason::Disconnected(DisconnectError::RoomDeleted)
}

fn publishing(sid: &str, name: &str, is_microphone: bool) -> RemoteParticipant {
    RemoteParticipant {
        audio_tracks: vec![track("TR_1", "roomio_audio", true), track(sid, name, is_microphone)],
        ..participant("agent-1", Some("listening"))
    }
}

#[test]
fn background_audio_is_not_the_agents_voice() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip)]);
    scene.updates_participant(700, publishing("TR_2", "background_audio", false));
    scene.agent_plays_background(720, &tone(2_000));
    scene.until(2_400);
    assert!(scene.updates().iter().all(|(_, kind)| *kind != UpdateKind::Greeted));
    scene.agent_speaks(2_600, &tone(500));
    scene.until(4_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].first, outcome), (Some(at(2_620)), COMPLETED));
    assert_eq!(turns[0].done, turns[0].last, "the agent has finished");
}

#[test]
fn audio_that_is_encrypted_is_refused_in_words() {
    let mut scene = Scene::voice(vec![speaks(&tone(600))]);
    let mut agent = publishing("TR_2", "other", false);
    agent.audio_tracks[0].is_encrypted = true;
    scene.updates_participant(700, agent);
    let (turns, class, detail) = scene.failure();
    assert_eq!((turns.len(), class), (0, FailureClass::EvaluatorFailed));
    assert_eq!(
        detail,
        "our callers cannot hear this agent; the agent's audio is encrypted end to end"
    );
}

#[test]
fn texts_that_are_encrypted_are_named() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.data(1_200, DataEvent::Encrypted);
    scene.until(7_000);
    let (_, class, detail) = scene.failure();
    assert_eq!(class, FailureClass::AgentMute);
    assert!(detail.ends_with("the agent's texts are encrypted end to end"), "{detail}");
}

#[test]
fn silence_that_the_server_makes_is_no_sign_of_the_agent() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip)]);
    scene.agent_speaks(2_400, &tone(4_000));
    scene.agent_stops_sending(3_000);
    let payload: Arc<[u8]> = [&[0xf8, 0xff, 0xfe][..], &[0; 77]].concat().into();
    for n in 0..10 {
        let millis = 4_000 + u64::from(n) * 20;
        let packet = AudioPacket {
            ssrc: 9,
            sequence: 200 + n,
            rtp_time: 960 * u32::from(n),
            payload: Arc::clone(&payload),
            at: at(millis),
        };
        let track_sid = Some("TR_1".into());
        scene.event(millis, ParticipantEvent::Audio { packet, track_sid });
    }
    scene.until(6_000);
    let (turns, ..) = scene.end();
    assert!(turns[0].last.unwrap() <= at(3_020), "{turns:?}");
}

#[test]
fn a_long_tool_call_after_a_filler_holds_the_caller_back() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "One moment.");
    scene.agent(1_310, Some("thinking"));
    scene.until(10_300);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."], "it thinks");
    scene.agent(10_300, Some("speaking"));
    scene.answers(10_310, "SG_2", "A table it is.");
    scene.agent(10_420, Some("listening"));
    scene.until(11_000);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
    let turns = scene.turns();
    assert_eq!((turns[0].first, turns[0].last), (Some(at(1_250)), Some(at(1_300))));
    assert_eq!(turns[0].done, Some(at(10_410)));
}

#[test]
fn with_an_expectation_the_spoken_answer_is_the_one_that_matches() {
    let clip = tone(600);
    let expects = PreparedTurn { expect: Some(expression("table")), ..speaks(&clip) };
    let mut scene = Scene::voice(vec![expects.clone()]);
    scene.opens(2_450, "agent-1", "a", "SG_1");
    scene.chunk(2_460, "a", "One moment.");
    scene.agent_speaks(2_460, &tone(500));
    scene.closes(2_980, "a");
    scene.until(4_400);
    assert!(!scene.handle.has_left, "the state says listening, and the answer may come within 5 s");
    scene.agent_speaks(4_500, &tone(500));
    scene.opens(4_620, "agent-1", "b", "SG_2");
    scene.chunk(4_640, "b", "A table it is.");
    scene.closes(5_050, "b");
    scene.until(6_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Answered, Some(at(4_520))));
    assert_eq!(outcome, Outcome::Completed { judged: Some(true) });

    let mut wordless = Scene::voice(vec![expects]);
    wordless.agent_speaks(2_460, &tone(500));
    wordless.until(6_000);
    let (turns, outcome, _) = wordless.end();
    assert_eq!((turns[0].ending, outcome), (TurnEnding::Answered, COMPLETED), "nothing to compare");
}

#[test]
fn an_expectation_does_not_pass_on_the_callers_own_words() {
    let expects = PreparedTurn { expect: Some(expression("table")), ..writes("A table for two.") };
    let mut scene = Scene::chat(vec![expects]);
    scene.event(700, ParticipantEvent::TrackPublished { sid: "TR_own".to_owned() });
    scene.until(1_120);
    let attributes = HashMap::from([("lk.transcribed_track_id".to_owned(), "TR_own".to_owned())]);
    let (sender, topic) = (Identity::new("agent-1"), "lk.transcription".to_owned());
    let stream_id = "echo".to_owned();
    scene.data(1_200, DataEvent::TextStreamOpened { stream_id, sender, topic, attributes });
    scene.chunk(1_220, "echo", "A table for two.");
    scene.closes(1_240, "echo");
    scene.answers(1_300, "SG_1", "No.");
    scene.until(8_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].ending, turns[0].first), (TurnEnding::Unexpected, Some(at(1_350))));
    assert_eq!(outcome, Outcome::Completed { judged: Some(false) });
}

#[test]
fn what_the_agent_heard_of_a_turn_is_compared_with_its_words() {
    let spoken = |text: &str| PreparedTurn { spoken: Some(text.to_owned()), ..speaks(&tone(600)) };
    let key_words = ["table", "two|2"].map(str::to_owned).to_vec();
    let turns = vec![
        PreparedTurn { key_words, ..spoken("A table for two, please.") },
        spoken("At eight."),
        speaks(&tone(600)),
    ];
    let mut scene = Scene::voice(turns);
    scene.event(700, ParticipantEvent::TrackPublished { sid: "TR_own".to_owned() });
    // The server tells the caller of itself too.
    let own = RemoteParticipant {
        audio_tracks: vec![track("TR_own", "rushhour", true)],
        ..participant("caller", None)
    };
    scene.updates_participant(720, own);
    let echo = |scene: &mut Scene, millis: u64, segment: &str, is_final: &str, text: &str| {
        let attributes = [
            ("lk.transcribed_track_id", "TR_own"),
            ("lk.segment_id", segment),
            ("lk.transcription_final", is_final),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let stream_id = format!("echo-{millis}");
        let (sender, topic) = (Identity::new("agent-1"), "lk.transcription".to_owned());
        let opened = DataEvent::TextStreamOpened {
            stream_id: stream_id.clone(),
            sender,
            topic,
            attributes: attributes.into(),
        };
        scene.data(millis, opened);
        scene.chunk(millis + 1, &stream_id, text);
        scene.closes(millis + 2, &stream_id);
    };
    echo(&mut scene, 2_000, "SG_u1", "false", "a table or two");
    echo(&mut scene, 2_100, "SG_u1", "true", "A table for you.");
    scene.agent_speaks(2_460, &tone(500));
    scene.until(4_500);
    scene.agent_speaks(4_900, &tone(500));
    scene.until(7_500);
    let heard: Vec<_> = scene
        .updates()
        .into_iter()
        .filter_map(|(_, kind)| match kind {
            UpdateKind::Turn(turn) => Some((turn.heard, turn.key_words)),
            _ => None,
        })
        .collect();
    // One word was another, one was lost. Of the second turn nothing was written, which says nothing.
    let first = TranscriptionErrors { hits: 3, substitutions: 1, deletions: 1, insertions: 0 };
    let key_words = Some(KeyWords { of: 2, missed: 0b10 });
    assert_eq!(heard[..2], [(Some(first), key_words), (None, None)], "{heard:?}");
}

#[test]
fn an_agent_that_does_not_greet_has_no_greeting() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "Yes.");
    scene.until(3_000);
    assert!(scene.updates().iter().all(|(_, kind)| *kind != UpdateKind::Greeted));

    let mut spoken = Scene::voice(vec![speaks(&tone(600))]);
    spoken.agent_speaks(2_400, &tone(500));
    spoken.until(6_000);
    assert!(spoken.updates().iter().all(|(_, kind)| *kind != UpdateKind::Greeted));
}

#[test]
fn a_turn_that_came_before_the_session_is_said_again() {
    let mut scene = Scene::alone(Mode::Chat, script(vec![writes("One.")]));
    scene.agent(500, None);
    scene.until(4_200);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."], "it seems to tell no state");
    scene.agent(4_500, Some("listening"));
    scene.answers(4_510, "SG_0", "Welcome.");
    scene.until(5_300);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."], "nobody heard it");
    scene.answers(5_400, "SG_1", "Yes.");
    scene.until(7_000);
    let updates = scene.updates();
    assert!(updates.contains(&(4_560, UpdateKind::Greeted)), "{updates:?}");
    let turns: Vec<_> =
        updates.iter().filter(|(_, kind)| matches!(kind, UpdateKind::Turn(_))).collect();
    let [(_, UpdateKind::Turn(turn))] = turns[..] else { panic!("{updates:?}") };
    assert_eq!(turn.first, Some(at(5_450)));
    let unheard = updates.iter().any(
        |(_, kind)| matches!(kind, UpdateKind::Conversation(summary) if summary.unheard_turns == 1),
    );
    assert!(unheard, "{updates:?}");
}

#[test]
fn a_greeting_that_pauses_into_the_first_turn_is_not_its_answer() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip)]);
    // The greeting begins while the caller speaks, and goes on after it.
    scene.agent_speaks(1_300, &tone(500));
    scene.opens(1_350, "agent-1", "a", "SG_0");
    scene.chunk(1_360, "a", "Welcome.");
    scene.agent_speaks(2_300, &tone(400));
    scene.closes(2_720, "a");
    scene.agent_speaks(3_300, &tone(400));
    scene.opens(3_320, "agent-1", "b", "SG_1");
    scene.chunk(3_340, "b", "Yes.");
    scene.closes(3_700, "b");
    scene.until(6_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!((turns[0].first, outcome), (Some(at(3_320)), COMPLETED));
}

/// An agent that is interrupted, pauses, and goes on with the same sentence.
fn takes_it_for_false() -> Scene {
    let clip = tone(800);
    let interrupts = PreparedTurn { interrupt: Some(Micros::from_secs(1)), ..speaks(&clip) };
    let mut scene = Scene::voice(vec![speaks(&clip), interrupts]);
    scene.agent(2_390, Some("speaking"));
    scene.agent_speaks(2_400, &tone(6_000));
    scene.opens(2_450, "agent-1", "a", "SG_1");
    scene.chunk(2_460, "a", "A long story");
    scene.agent_stops(4_000);
    scene.agent(4_000, Some("listening"));
    scene.agent(6_700, Some("speaking"));
    scene.agent_speaks(6_700, &tone(2_000));
    scene
}

#[test]
fn a_sentence_that_goes_on_after_a_pause_is_no_answer() {
    let mut scene = takes_it_for_false();
    scene.closes(8_720, "a");
    scene.agent(8_720, Some("listening"));
    scene.until(12_000);
    let (turns, class, detail) = scene.failure();
    assert_eq!((turns.len(), class), (2, FailureClass::TurnTimeout));
    assert_eq!((turns[1].ending, turns[1].first), (TurnEnding::TimedOut, None));
    assert_eq!(turns[1].yielded, None, "it did not yield");
    assert!(detail.contains("took the interruption for none"), "{detail}");
}

#[test]
fn an_answer_after_a_sentence_that_went_on_is_one() {
    let mut scene = takes_it_for_false();
    scene.closes(8_720, "a");
    scene.agent_speaks(8_900, &tone(500));
    scene.opens(8_920, "agent-1", "b", "SG_2");
    scene.chunk(8_930, "b", "Yes.");
    scene.closes(9_420, "b");
    scene.agent(9_420, Some("listening"));
    scene.until(12_000);
    let updates = scene.updates();
    let ignored = updates.iter().any(|(_, kind)| {
        matches!(kind, UpdateKind::Conversation(summary) if summary.ignored_interruptions == 1)
    });
    assert!(ignored, "{updates:?}");
    let turns: Vec<_> = updates
        .iter()
        .filter_map(|(_, kind)| if let UpdateKind::Turn(turn) = kind { Some(turn) } else { None })
        .collect();
    assert_eq!((turns[1].first, turns[1].yielded), (Some(at(8_920)), None));
}

#[test]
fn an_agent_that_dies_in_a_sentence_has_not_answered_and_is_not_spoken_to() {
    let clip = tone(600);
    let mut scene = Scene::voice(vec![speaks(&clip), speaks(&clip)]);
    scene.agent(2_390, Some("speaking"));
    scene.agent_speaks(2_400, &tone(4_000));
    scene.opens(2_450, "agent-1", "a", "SG_1");
    scene.chunk(2_460, "a", "I am");
    scene.agent_stops_sending(3_000);
    scene.until(23_000);
    assert!(scene.turns().is_empty(), "it is not taken to have finished");
    scene.agent_goes(23_000, DepartureReason::Lost);
    scene.until(28_100);
    let (turns, class, detail) = scene.failure();
    assert_eq!((turns.len(), class), (1, FailureClass::AgentLeft));
    assert_eq!(turns[0].ending, TurnEnding::BrokenOff);
    assert!(detail.contains("process is gone in turn 1 of 2"), "{detail}");
    assert!(detail.contains("last active 20.0s before"), "{detail}");
}

#[test]
fn two_agents_that_may_both_answer_are_told() {
    let mut scene = Scene::chat(vec![writes("One.")]);
    scene.updates_participant(300, participant("agent-2", Some("listening")));
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "Yes.");
    scene.until(4_000);
    assert!(scene.summary().several_agents);
}

#[test]
fn what_an_agent_had_not_finished_when_it_handed_over_is_over() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.opens(1_200, "agent-1", "s", "SG_1");
    scene.chunk(1_220, "s", "I hand you");
    scene.agent_goes(1_400, DepartureReason::Left);
    scene.updates_participant(2_000, participant("agent-2", Some("listening")));
    scene.until(4_000);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One.", "lk.chat: Two."]);
}

#[test]
fn an_agent_that_another_replaces_has_not_left() {
    let mut scene = Scene::chat(vec![writes("One."), writes("Two.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "I hand you over.");
    scene.agent_goes(1_400, DepartureReason::Left);
    scene.until(4_000);
    assert_eq!(scene.handle.take_log(), ["lk.chat: One."], "nobody is there");
    scene.updates_participant(4_000, participant("agent-2", Some("listening")));
    scene.until(4_700);
    assert_eq!(scene.handle.take_log(), ["lk.chat: Two."]);
    scene.opens(4_800, "agent-2", "s", "SG_2");
    scene.chunk(4_820, "s", "Yes.");
    scene.closes(4_840, "s");
    scene.until(6_000);
    assert!(scene.handle.has_left);
    assert_eq!(scene.summary().hand_offs, 1);
}

#[test]
fn an_agent_that_hangs_up_early_is_told_from_one_that_has_finished() {
    let mut early = Scene::chat(vec![writes("One."), writes("Two.")]);
    early.until(1_120);
    early.answers(1_200, "SG_1", "Goodbye.");
    early.agent_goes(1_400, DepartureReason::Left);
    early.until(6_500);
    let (turns, class, detail) = early.failure();
    assert_eq!((turns[0].ending, class), (TurnEnding::Answered, FailureClass::AgentLeft));
    assert_eq!(detail, "the agent hung up after turn 1 of 2: it left the room");

    let mut finished = Scene::chat(vec![writes("One.")]);
    finished.until(1_120);
    finished.answers(1_200, "SG_1", "Goodbye.");
    finished.agent_goes(1_320, DepartureReason::Left);
    assert!(finished.handle.has_left);
    assert_eq!(finished.summary().ended, ConversationEnd::HungUp);
}

#[test]
fn an_agent_may_end_the_call_by_deleting_the_room() {
    let mut scene = Scene::chat(vec![writes("Goodbye.")]);
    scene.until(1_120);
    scene.answers(1_200, "SG_1", "Goodbye.");
    scene.left(1_320, deleted());
    let updates = scene.updates();
    let ended = updates.iter().find_map(|(_, kind)| match kind {
        UpdateKind::Conversation(summary) => Some(summary.ended),
        _ => None,
    });
    assert_eq!(ended, Some(ConversationEnd::RoomDeletedByAgent));
    assert!(
        matches!(updates.last(), Some((_, UpdateKind::Ended { outcome: COMPLETED, .. }))),
        "{updates:?}"
    );

    // In voice, it may do so before the pause after its last word is over.
    let clip = tone(600);
    let mut spoken = Scene::voice(vec![speaks(&clip)]);
    spoken.agent_speaks(2_400, &tone(500));
    spoken.opens(2_450, "agent-1", "a", "SG_1");
    spoken.chunk(2_460, "a", "Goodbye.");
    spoken.closes(2_940, "a");
    spoken.left(2_980, deleted());
    let (turns, outcome, _) = spoken.end();
    assert_eq!((turns[0].ending, outcome), (TurnEnding::Answered, COMPLETED));
}

#[test]
fn a_room_that_is_deleted_before_the_last_answer_is_no_conversation() {
    let mut early = Scene::chat(vec![writes("One."), writes("Two.")]);
    early.until(1_120);
    early.answers(1_200, "SG_1", "Goodbye.");
    early.left(1_400, deleted());
    let (turns, class, detail) = early.failure();
    assert_eq!((turns[0].ending, class), (TurnEnding::Answered, FailureClass::AgentLeft));
    assert!(detail.ends_with("deleted the room after turn 1 of 2"), "{detail}");

    let mut writing = Scene::chat(vec![writes("One.")]);
    writing.until(1_120);
    writing.opens(1_200, "agent-1", "a", "SG_1");
    writing.chunk(1_220, "a", "I am");
    writing.left(1_400, deleted());
    let (turns, class, _) = writing.failure();
    assert_eq!((turns[0].ending, class), (TurnEnding::BrokenOff, FailureClass::AgentLeft));

    let mut hung_up = Scene::chat(vec![writes("One."), writes("Two.")]);
    hung_up.until(1_120);
    hung_up.answers(1_200, "SG_1", "Goodbye.");
    hung_up.agent_goes(1_400, DepartureReason::Left);
    hung_up.left(1_430, deleted());
    let (_, class, detail) = hung_up.failure();
    assert_eq!(class, FailureClass::AgentLeft);
    assert!(detail.ends_with("it left the room, and the room was deleted"), "{detail}");
}
