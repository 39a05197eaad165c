//! What real agents do: noise, fillers, late greetings, no state.

use std::sync::Arc;

use super::tests::{TestSession, fact, participant};
use crate::behaviour::{
    AgentFiller, AgentGreeting, AgentNoise, Behaviour, Breaks, JobFault, TalkOver,
};
use rushhour_callers::audio::Clip;
use rushhour_callers::participant::{DepartureReason, ParticipantEvent, RemoteParticipant};
use rushhour_core::event::{Reconnect, ReconnectCause, ReconnectMethod};
use rushhour_core::units::{Identity, Micros, Mode, SessionTime, SoundLevel};

fn habit(mode: Mode, behaviour: Behaviour) -> TestSession {
    TestSession::listening(mode, None, behaviour)
}

fn filler(tool_delay: &str) -> AgentFiller {
    AgentFiller { text: "One moment.".to_owned(), tool_delay: tool_delay.parse().unwrap() }
}

#[test]
fn a_filler_is_a_segment_of_its_own_and_the_answer_follows_after_the_tool() {
    let mut session =
        habit(Mode::Chat, Behaviour { filler: Some(filler("9s")), ..Behaviour::default() });
    session.receive_text(1_000, "in", "hello there");
    session.tick(1_300);
    let filler = ["thinking", "s1 begins SG_1_filler", "s1[0] One moment.", "s1 ends"];
    assert_eq!(session.handle.take_log(), [&filler[..], &["speaking", "thinking"]].concat());
    session.tick(10_299);
    assert!(session.handle.take_log().is_empty());
    session.tick(10_300);
    assert_eq!(session.handle.take_log()[..2], ["s2 begins SG_1", "s2[0] You "]);
    let facts = session.facts();
    assert_eq!(facts[1], fact(1_300, "filler_began 300000 1 300000"));
    assert_eq!(facts[2], fact(1_300, "tool_began 9000000 1"));
    assert_eq!(facts[3], fact(10_300, "first_chunk 9300000 1 9300000"));
}

#[test]
fn a_spoken_filler_is_followed_by_silence_and_the_answer() {
    let mut session =
        habit(Mode::Voice, Behaviour { filler: Some(filler("2s")), ..Behaviour::default() });
    session.receive_speech(1_000, 600);
    session.tick_until(6_000);
    let facts = session.facts();
    let names: Vec<&str> = facts.iter().filter_map(|(_, fact)| fact.split(' ').next()).collect();
    let order = [
        "heard_speech",
        "filler_began",
        "tool_began",
        "first_audible",
        "first_chunk",
        "spoken",
        "final_chunk",
    ];
    assert_eq!(names, order, "{facts:?}");
    let [filler, tool, answer] = [facts[1].0, facts[2].0, facts[3].0];
    assert!((1_900..=1_920).contains(&filler), "{facts:?}");
    assert!((600..=640).contains(&(tool - filler)), "{facts:?}");
    assert!((2_000..=2_020).contains(&(answer - tool)), "{facts:?}");
}

#[test]
fn a_caller_who_speaks_while_the_tool_runs_interrupts_it() {
    let mut session =
        habit(Mode::Voice, Behaviour { filler: Some(filler("60s")), ..Behaviour::default() });
    session.receive_speech(1_000, 600);
    session.receive_speech(5_000, 600);
    session.tick_until(6_500);
    let facts = session.facts();
    assert!(facts.iter().any(|(at, fact)| *at == 5_000 && fact == "barged_in 1"), "{facts:?}");
    assert!(facts.iter().any(|(_, fact)| fact.starts_with("heard_speech") && fact.ends_with(" 2")));
    assert!(!facts.iter().any(|(_, fact)| fact.starts_with("first_audible")), "{facts:?}");
}

#[test]
fn a_late_greeting_comes_even_if_the_caller_was_first() {
    let greeting = |delay: &str| AgentGreeting {
        text: "Sorry.".to_owned(),
        delay: delay.parse().unwrap(),
        insists: true,
    };
    let behaviour = Behaviour { greeting: Some(greeting("2s")), ..Behaviour::default() };
    let mut session = habit(Mode::Chat, behaviour.clone());
    session.receive_text(1_000, "in", "hello");
    session.tick(1_300);
    session.tick(1_350);
    session.facts();
    session.tick(2_100);
    assert_eq!(
        session.facts()[..2],
        [
            fact(2_100, "late_greeting 2000000 2000000"),
            fact(2_100, "first_chunk 2000000 0 2000000")
        ]
    );

    // It waits for the end of an answer.
    let mut session = habit(Mode::Chat, behaviour);
    session.receive_text(1_790, "in", "hello");
    session.tick(2_100);
    session.tick(2_130);
    assert!(!session.facts().iter().any(|(_, fact)| fact.starts_with("late_greeting")));
    session.tick(2_150);
    let facts = session.facts();
    assert!(facts.contains(&fact(2_150, "late_greeting 2050000 2000000")), "{facts:?}");
}

#[test]
fn a_late_greeting_may_come_before_the_caller_s_turn_is_over() {
    let greeting =
        AgentGreeting { text: "Welcome.".to_owned(), delay: "2s".parse().unwrap(), insists: true };
    let end_of_turn_delay = Some(Micros::from_secs(1));
    let greeting = Some(greeting);
    let mut session =
        habit(Mode::Voice, Behaviour { greeting, end_of_turn_delay, ..Behaviour::default() });
    session.receive_speech(1_000, 600);
    session.tick_until(4_000);
    let facts = session.facts();
    let of = |name: &str| facts.iter().find(|(_, fact)| fact.starts_with(name)).unwrap().0;
    let heard = of("heard_speech");
    assert!((1_560..=1_600).contains(&heard), "{facts:?}");
    assert!((2_000..=2_150).contains(&of("late_greeting")), "{facts:?}");
    let answers = facts.iter().filter(|(_, fact)| fact.starts_with("first_audible"));
    let [greeted, answered] = answers.map(|(at, _)| *at).collect::<Vec<_>>()[..] else {
        panic!("a greeting and an answer: {facts:?}")
    };
    assert!((heard + 200..heard + 1_000).contains(&greeted), "{facts:?}");
    assert!((heard + 1_300..heard + 1_360).contains(&answered), "{facts:?}");
    let states = session.handle.take_log();
    let busy: Vec<&str> = states
        .iter()
        .map(String::as_str)
        .filter(|state| ["thinking", "speaking"].contains(state))
        .collect();
    assert_eq!(busy, ["speaking", "thinking", "speaking"], "{states:?}");
}

#[test]
fn a_caller_that_goes_on_before_its_turn_is_over_continues_it() {
    let end_of_turn_delay = Some(Micros::from_secs(1));
    let mut session = habit(Mode::Voice, Behaviour { end_of_turn_delay, ..Behaviour::default() });
    session.receive_speech(1_000, 600);
    session.receive_speech(2_200, 600);
    session.tick_until(6_000);
    let facts = session.facts();
    let turns = facts.iter().filter(|(_, fact)| fact.starts_with("heard_speech")).count();
    assert_eq!(turns, 1, "{facts:?}");
}

#[test]
fn an_agent_without_a_state_sets_none() {
    let behaviour = Behaviour { states: false, ..Behaviour::default() };
    let mut session = TestSession::joining(Mode::Chat, None, behaviour);
    assert!(session.session.join_config().attributes.is_empty());
    let others = vec![participant("caller", false, true)];
    session.event(20, ParticipantEvent::Joined { others, identity: Identity::new("agent-AJ_1") });
    session.event(100, ParticipantEvent::DataChannelOpen);
    session.tick(100);
    session.receive_text(1_000, "in", "hello");
    session.tick(1_300);
    session.tick(1_400);
    let sent = session.handle.take_log();
    assert_eq!(sent, ["s1 begins SG_1", "s1[0] You ", "s1[1] said: hello", "s1 ends"]);
    assert!(session.facts().contains(&fact(20, "no_state")));
}

/// The share of the frames that are silence.
fn silent_share<'a>(frames: impl Iterator<Item = &'a Arc<[u8]>>) -> f64 {
    let silence = Clip::silence_frame();
    let all: Vec<_> = frames.collect();
    all.iter().filter(|frame| ***frame == silence).count() as f64 / all.len() as f64
}

#[test]
fn ambience_and_typing_are_on_its_own_track_and_background_on_another() {
    let level = SoundLevel::dbfs(-40);
    let quiet = AgentNoise::default();
    let with =
        |noise| Behaviour { noise, turn_delay: "2s".parse().unwrap(), ..Behaviour::default() };
    let with_ambience = with(AgentNoise { ambience: Some(level), ..quiet });
    let with_typing = with(AgentNoise { typing: true, ..quiet });
    let with_background = with(AgentNoise { background_track: true, ..quiet });
    for (behaviour, began) in [
        (with_ambience, "noise_began \"-40dBFS\" \"ambience\""),
        (with_typing, "noise_began \"-35dBFS\" \"typing\""),
        (with_background, "noise_began \"-30dBFS\" \"background_track\""),
    ] {
        let mut session = TestSession::joining(Mode::Voice, None, behaviour.clone());
        let others = vec![participant("caller", false, true)];
        session
            .event(20, ParticipantEvent::Joined { others, identity: Identity::new("agent-AJ_1") });
        session.event(100, ParticipantEvent::DataChannelOpen);
        session.tick_until(1_000);
        let before = silent_share(session.handle.sent_audio.iter().map(|(_, frame)| frame));
        let expected = if behaviour.noise.ambience.is_some() { 0.0 } else { 1.0 };
        assert!((before - expected).abs() < 1e-9, "{began}: {before}");
        session.receive_speech(1_000, 600);
        session.tick_until(2_500);
        let sent = session.handle.sent_audio.iter();
        let thinking = sent.filter(|(at, _)| at.0 > 1_900_000).map(|(_, frame)| frame);
        if behaviour.noise.typing {
            assert!(silent_share(thinking) < 0.2);
        }
        assert_eq!(
            session.session.join_config().publish_background,
            behaviour.noise.background_track
        );
        let background = &session.handle.sent_background;
        assert_eq!(background.is_empty(), !behaviour.noise.background_track);
        if behaviour.noise.background_track {
            assert!(silent_share(background.iter().map(|(_, frame)| frame)) < 1e-9);
        }
        session.tick_until(5_000);
        let facts = session.facts();
        assert!(facts.iter().any(|(_, fact)| fact == began), "{facts:?}");
        let ended = facts.iter().any(|(_, fact)| fact == "noise_ended \"typing\"");
        assert_eq!(ended, behaviour.noise.typing, "{facts:?}");
        assert!(facts.iter().any(|(_, fact)| fact.starts_with("spoken")), "{facts:?}");
    }
}

#[test]
fn it_stays_with_a_caller_who_lost_its_connection_and_with_its_own_place_in_the_room() {
    let mut session = TestSession::listening(Mode::Chat, None, Behaviour::default());
    for departure in [DepartureReason::Lost, DepartureReason::Removed] {
        let gone = RemoteParticipant { departure, ..participant("caller", false, false) };
        session.event(200, ParticipantEvent::ParticipantUpdated(gone));
        assert!(!session.handle.has_left, "{departure:?}: it may join again");
    }
    session.event(250, ParticipantEvent::ConnectionLost(ReconnectCause::SignalLost));
    let reconnect = Reconnect {
        cause: ReconnectCause::SignalLost,
        method: ReconnectMethod::Resume,
        lost: SessionTime(250_000),
        back: SessionTime(300_000),
        attempts: 1,
    };
    session.event(300, ParticipantEvent::Reconnected(reconnect));
    let back = participant("caller", false, true);
    session.event(310, ParticipantEvent::ParticipantUpdated(back));
    session.receive_text(400, "st-1", "hello");
    session.tick_until(2_000);
    let facts = session.facts();
    assert!(facts.iter().any(|(_, fact)| fact.starts_with("first_chunk")), "{facts:?}");
    assert!(facts.iter().all(|(_, fact)| !fact.starts_with("joined")), "once is enough: {facts:?}");
}

#[test]
fn an_agent_that_talks_over_the_caller_begins_before_it_ends_and_answers_afterwards() {
    let talk_over = TalkOver { share: "100%".parse().unwrap(), after: "300ms".parse().unwrap() };
    let behaviour = Behaviour { talk_over: Some(talk_over), ..Behaviour::default() };
    let mut session = habit(Mode::Voice, behaviour);
    session.receive_speech(1_000, 1_500);
    session.tick_until(5_000);
    let facts = session.facts();
    let [over, heard, answer] = ["talked_over", "heard_speech", "first_audible"]
        .map(|name| facts.iter().find(|(_, fact)| fact.starts_with(name)).expect("it happened").0);
    // The beginning of speech is known a little later than it was.
    assert!((1_300..=1_400).contains(&over), "{facts:?}");
    assert!(over < heard && heard < answer, "{facts:?}");
}

#[test]
fn lost_packets_are_left_out_of_the_answer_and_recorded() {
    let losses = Breaks { rate: "60/min".parse().unwrap(), length: "20ms".parse().unwrap() };
    let behaviour = Behaviour { losses: Some(losses), ..Behaviour::default() };
    // Answers of this agent never end.
    let mut session = TestSession::listening(Mode::Voice, Some(JobFault::EndlessText), behaviour);
    session.receive_speech(1_000, 600);
    session.tick_until(30_000);
    let facts = session.facts();
    let lost: Vec<_> = facts.iter().filter(|(_, fact)| *fact == "speech_lost 20000").collect();
    assert!(!lost.is_empty(), "{facts:?}");
    assert_eq!(session.handle.lost_audio.len(), lost.len());
    // The first of them is the next one.
    assert_eq!(session.handle.lost_audio[0].0 / 1_000, lost[0].0 + 20);
    assert!(
        session.handle.sent_audio.iter().all(|(at, _)| !session.handle.lost_audio.contains(at))
    );
}

#[test]
fn an_agent_that_keeps_talking_takes_what_the_caller_says_for_no_turn() {
    let behaviour = Behaviour { no_yield: Some("100%".parse().unwrap()), ..Behaviour::default() };
    let mut session = TestSession::listening(Mode::Voice, Some(JobFault::EndlessText), behaviour);
    session.receive_speech(1_000, 400);
    session.receive_speech(3_000, 800);
    session.tick_until(5_000);
    let facts = session.facts();
    assert!(facts.contains(&(3_000, "kept_talking 1".to_owned())), "{facts:?}");
    let has = |name: &str| facts.iter().filter(|(_, fact)| fact.starts_with(name)).count();
    assert_eq!((has("yielded"), has("heard_speech")), (0, 1), "{facts:?}");
    let silence = Clip::silence_frame();
    assert!(session.handle.sent_audio.iter().rev().take(20).any(|(_, frame)| *frame != silence));
}

#[test]
fn a_final_transcript_is_recorded_as_it_was_sent() {
    let behaviour =
        Behaviour { hears: vec!["One.".to_owned(), "Two.".to_owned()], ..Behaviour::default() };
    let mut session = habit(Mode::Voice, behaviour);
    session.receive_speech(1_000, 400);
    session.receive_speech(3_000, 400);
    session.tick_until(5_000);
    let facts = session.facts();
    let heard: Vec<&str> = facts
        .iter()
        .filter_map(|(_, fact)| fact.starts_with("transcribed").then_some(fact.as_str()))
        .collect();
    assert_eq!(heard.len(), 2, "{facts:?}");
    assert!(heard[0].contains("One.") && heard[1].contains("Two."), "{heard:?}");
}
