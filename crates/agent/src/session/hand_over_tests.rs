//! What takes more than one participant: avatars, and agents that take over.

use super::avatar::AvatarSession;
use super::tests::{TestSession, fact, participant};
use crate::behaviour::{Behaviour, HandOff};
use crate::worker::{HandOver, JobEnd, SessionEnd};
use rushhour_callers::audio::Clip;
use rushhour_callers::engine::testing::RecordingHandle;
use rushhour_callers::engine::{LeaveReason, ParticipantHandler};
use rushhour_callers::participant::{ParticipantEvent, RemoteAudioTrack, RemoteParticipant};
use rushhour_core::units::{Identity, Micros, Mode, SessionTime};
use rushhour_livekit::AgentState;

const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

fn joins(session: &mut TestSession) {
    let others = vec![participant("caller", false, true)];
    session.event(20, ParticipantEvent::Joined { others, identity: Identity::new("agent-AJ_1") });
    session.event(100, ParticipantEvent::DataChannelOpen);
}

/// Ticks an agent and its avatar every 20 ms up to `millis`.
fn tick_both(
    session: &mut TestSession,
    avatar: &mut AvatarSession,
    handle: &mut RecordingHandle,
    millis: u64,
) {
    while session.handle.now < at(millis) {
        session.tick(session.handle.now.0 / 1_000 + 20);
        handle.now = session.handle.now;
        avatar.on_tick(handle);
    }
}

#[test]
fn an_avatar_speaks_for_its_agent_and_leaves_with_it() {
    let behaviour = Behaviour { avatar: true, ..Behaviour::default() };
    let (mut session, avatar) = TestSession::with_avatar(Mode::Voice, None, behaviour);
    let (mut avatar, mut handle) = (avatar.unwrap(), RecordingHandle::default());
    assert!(!session.session.join_config().publish_audio && avatar.join_config().publish_audio);
    joins(&mut session);
    tick_both(&mut session, &mut avatar, &mut handle, 400);
    assert!(session.handle.take_log().is_empty(), "it waits for its avatar");
    avatar.on_event(ParticipantEvent::DataChannelOpen, at(400), &mut handle);
    tick_both(&mut session, &mut avatar, &mut handle, 440);
    assert_eq!(session.handle.take_log(), ["listening"]);
    session.facts();

    session.receive_speech(1_000, 600);
    tick_both(&mut session, &mut avatar, &mut handle, 4_000);
    assert!(session.handle.sent_audio.is_empty());
    let silence = Clip::silence_frame();
    let spoken = handle.sent_audio.iter().find(|(_, frame)| *frame != silence).unwrap().0;
    let facts = session.facts();
    let of = |name: &str| facts.iter().find(|(_, fact)| fact.starts_with(name)).unwrap().0;
    assert!(of("first_audible").abs_diff(spoken.0 / 1_000) <= 20, "{facts:?}");
    assert!((1_880..=1_960).contains(&of("first_audible")), "{facts:?}");
    assert!((180..=260).contains(&(of("spoken") - of("first_audible"))), "{facts:?}");

    let gone = participant("agent-AJ_1", true, false);
    avatar.on_event(ParticipantEvent::ParticipantUpdated(gone), at(4_100), &mut handle);
    assert!(handle.has_left);
    avatar.on_left(LeaveReason::ClientInitiated, at(4_110));
    let left = fact(4_110, "avatar_left \"agent-AJ_1-avatar\" \"its agent left\"");
    assert_eq!(session.facts(), [left]);
}

#[test]
fn an_avatar_falls_silent_when_its_agent_is_interrupted() {
    let behaviour =
        Behaviour { avatar: true, turn_delay: "500ms".parse().unwrap(), ..Behaviour::default() };
    let (mut session, avatar) = TestSession::with_avatar(Mode::Voice, None, behaviour);
    let (mut avatar, mut handle) = (avatar.unwrap(), RecordingHandle::default());
    joins(&mut session);
    avatar.on_event(ParticipantEvent::DataChannelOpen, at(100), &mut handle);
    tick_both(&mut session, &mut avatar, &mut handle, 500);
    session.receive_speech(1_000, 600);
    // The avatar has begun when the caller speaks again.
    tick_both(&mut session, &mut avatar, &mut handle, 2_140);
    session.receive_speech(2_140, 600);
    tick_both(&mut session, &mut avatar, &mut handle, 2_900);
    let facts = session.facts();
    assert!(facts.iter().any(|(_, fact)| fact == "barged_in 1"), "{facts:?}");
    let silence = Clip::silence_frame();
    let last = handle.sent_audio.iter().rfind(|(_, frame)| *frame != silence).unwrap().0;
    assert!(last < at(2_400), "{last:?}");
}

#[test]
fn an_agent_does_not_hear_its_avatar() {
    let mut session = TestSession::listening(Mode::Voice, None, Behaviour::default());
    let track = RemoteAudioTrack {
        sid: "TR_1".to_owned(),
        name: "avatar_audio".to_owned(),
        is_microphone: true,
        is_encrypted: false,
    };
    let avatar =
        RemoteParticipant { audio_tracks: vec![track], ..participant("avatar", true, true) };
    session.event(500, ParticipantEvent::ParticipantUpdated(avatar));
    session.receive_speech(1_000, 600);
    session.tick_until(3_000);
    assert_eq!(session.facts(), []);
}

#[test]
fn an_avatar_whose_agent_is_gone_leaves() {
    let behaviour = Behaviour { avatar: true, ..Behaviour::default() };
    let (session, avatar) = TestSession::with_avatar(Mode::Voice, None, behaviour);
    let (mut avatar, mut handle) = (avatar.unwrap(), RecordingHandle::default());
    avatar.on_tick(&mut handle);
    assert!(!handle.has_left);
    drop(session);
    avatar.on_tick(&mut handle);
    assert!(handle.has_left);
}

fn hands_off(gap: Option<&str>) -> Behaviour {
    let gap = gap.map(|gap| gap.parse().unwrap());
    Behaviour { hand_off: Some(HandOff { after_turns: 1, gap }), ..Behaviour::default() }
}

fn handed_over(gap: u64) -> HandOver {
    HandOver {
        to: Identity::new("agent-AJ_1-2"),
        since: at(1_350),
        gap: Micros::from_millis(gap),
        caller: Some(Identity::new("caller")),
        turn: 1,
        answered: 1,
    }
}

#[test]
fn an_agent_thinks_until_the_one_that_takes_over_listens() {
    let mut session = TestSession::listening(Mode::Chat, None, hands_off(None));
    session.receive_text(1_000, "in", "hello");
    session.tick(1_300);
    session.handle.take_log();
    session.tick(1_350);
    assert_eq!(session.handle.take_log(), ["s1[1] said: hello", "s1 ends", "thinking"]);
    let ended = [SessionEnd::HandedOver(Box::new(handed_over(0)))];
    assert_eq!(*session.ends.lock().unwrap(), ended);
    session.receive_text(1_400, "in2", "are you there?");
    let other = participant("agent-AJ_1-2", true, true);
    session.event(1_500, ParticipantEvent::ParticipantUpdated(other.clone()));
    assert!(!session.handle.has_left, "it does not listen yet");
    let listens = RemoteParticipant { agent_state: Some(AgentState::Listening), ..other };
    session.event(1_600, ParticipantEvent::ParticipantUpdated(listens));
    assert!(session.handle.has_left);
    session.session.on_left(LeaveReason::ClientInitiated, at(1_610));
    assert_eq!(*session.ends.lock().unwrap(), ended, "the job goes on");
    let facts = session.facts();
    assert_eq!(facts[3], fact(1_350, "hands_over null \"agent-AJ_1-2\" 1"));
    let left = fact(1_610, "left 1 \"it handed over to another agent\"");
    assert_eq!(facts[4..], [left], "it is deaf");
}

#[test]
fn an_agent_that_leaves_first_says_how_long_nobody_is_there() {
    let mut session = TestSession::listening(Mode::Chat, None, hands_off(Some("700ms")));
    session.receive_text(1_000, "in", "hello");
    session.tick(1_300);
    session.tick(1_350);
    assert!(!session.handle.has_left, "its last words are on their way");
    session.tick(1_450);
    assert!(session.handle.has_left);
    let ended = [SessionEnd::HandedOver(Box::new(handed_over(800)))];
    assert_eq!(*session.ends.lock().unwrap(), ended);
}

#[test]
fn an_agent_that_nobody_takes_over_from_leaves_in_the_end() {
    let mut session = TestSession::listening(Mode::Chat, None, hands_off(None));
    session.receive_text(1_000, "in", "hello");
    session.tick(1_300);
    session.tick(1_350);
    session.tick(11_340);
    assert!(!session.handle.has_left);
    session.tick(11_350);
    assert!(session.handle.has_left);
}

#[test]
fn the_agent_that_takes_over_goes_on_with_the_next_turn() {
    let behaviour = Behaviour { greeting: None, ..hands_off(None) };
    let mut session = TestSession::joining(Mode::Chat, None, behaviour);
    session.session = session.session.taking_over(handed_over(0));
    session.event(
        1_500,
        ParticipantEvent::Joined {
            others: vec![participant("caller", false, true)],
            identity: Identity::new("agent-AJ_1-2"),
        },
    );
    session.event(1_600, ParticipantEvent::DataChannelOpen);
    session.tick(1_600);
    session.receive_text(2_000, "in", "hello");
    session.tick(2_300);
    session.tick(2_350);
    let sent = session.handle.take_log();
    assert_eq!((&*sent[0], &*sent[2]), ("listening", "s1 begins SG_2"));
    assert_eq!(sent.last().unwrap(), "listening", "it hands over no more");
    let facts = session.facts();
    assert!(facts.contains(&fact(1_600, "took_over 250000 \"agent-AJ_1-2\"")), "{facts:?}");
    assert!(facts.contains(&fact(2_000, "heard_text 5 2")), "{facts:?}");
    session.session.on_left(LeaveReason::ClientInitiated, at(3_000));
    assert_eq!(*session.ends.lock().unwrap(), [SessionEnd::Job(JobEnd::Done)]);
}
