use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use super::*;
use crate::behaviour::{AgentGreeting, Behaviour, JobFault};
use crate::truth::{AgentFact, TruthSink};
use crate::worker::{Assignment, JobEnd, SessionEnd};
use rushhour_callers::audio::{Clip, FRAME_SAMPLES};
use rushhour_callers::data::DataEvent;
use rushhour_callers::engine::testing::RecordingHandle;
use rushhour_callers::engine::{LeaveReason, NextTick, ParticipantHandler};
use rushhour_callers::participant::{AudioPacket, ParticipantEvent, RemoteParticipant};
use rushhour_core::units::{Identity, Micros, Mode, RoomName, Secret, SessionTime};

const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

/// A session with a handle that records what it does.
pub(super) struct TestSession {
    pub(super) session: AgentSession,
    pub(super) handle: RecordingHandle,
    facts: Receiver<(SessionTime, AgentFact)>,
    pub(super) ends: Arc<Mutex<Vec<SessionEnd>>>,
    context: Arc<AgentContext>,
}

pub(super) fn participant(name: &str, is_agent: bool, present: bool) -> RemoteParticipant {
    RemoteParticipant {
        connected: present,
        ..RemoteParticipant::new(Identity::new(name), is_agent)
    }
}

impl TestSession {
    /// A session that is about to join.
    pub(super) fn joining(mode: Mode, fault: Option<JobFault>, behaviour: Behaviour) -> Self {
        Self::with_avatar(mode, fault, behaviour).0
    }

    /// The same, with its avatar if it has one.
    pub(super) fn with_avatar(
        mode: Mode,
        fault: Option<JobFault>,
        behaviour: Behaviour,
    ) -> (Self, Option<AvatarSession>) {
        let has_avatar = behaviour.avatar;
        let (truth, facts) = TruthSink::new();
        let speech = Clip::tone(Micros::from_millis(200)).unwrap();
        let sounds = Sounds::new(&behaviour, speech).unwrap();
        let context = Arc::new(AgentContext::new(Arc::new(behaviour), truth, sounds));
        let assignment = Assignment {
            job: "AJ_1".to_owned(),
            room: RoomName::new("room-1"),
            identity: Identity::new("agent-AJ_1"),
            url: None,
            token: Secret::new("token"),
            mode,
            fault,
            assigned_at: at(0),
        };
        let ends = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&ends);
        let on_end = Box::new(move |end| recorded.lock().unwrap().push(end));
        let (avatar, link) = has_avatar
            .then(|| {
                let room = assignment.room.clone();
                let agent = assignment.identity.clone();
                AvatarSession::new(Arc::clone(&context), room, agent, mode)
            })
            .unzip();
        let session = AgentSession::new(Arc::clone(&context), &assignment, link, on_end).unwrap();
        (Self { session, handle: RecordingHandle::default(), facts, ends, context }, avatar)
    }

    /// A session that has been ready since 100 ms and answers `caller`.
    pub(super) fn listening(mode: Mode, fault: Option<JobFault>, behaviour: Behaviour) -> Self {
        let mut session = Self::joining(mode, fault, behaviour);
        let others = vec![participant("caller", false, true)];
        session
            .event(20, ParticipantEvent::Joined { others, identity: Identity::new("agent-AJ_1") });
        session.event(100, ParticipantEvent::DataChannelOpen);
        session.tick(100);
        assert_eq!(session.handle.take_log(), ["listening"]);
        session.facts();
        session
    }

    pub(super) fn event(&mut self, millis: u64, event: ParticipantEvent) {
        self.handle.now = self.handle.now.max(at(millis));
        self.session.on_event(event, at(millis), &mut self.handle);
    }

    pub(super) fn tick(&mut self, millis: u64) -> NextTick {
        self.handle.now = at(millis);
        self.session.on_tick(&mut self.handle)
    }

    /// Ticks every 20 ms up to `millis`.
    pub(super) fn tick_until(&mut self, millis: u64) {
        while self.handle.now < at(millis) {
            self.tick(self.handle.now.0 / 1_000 + 20);
        }
    }

    /// Receives a text of the caller at `millis`.
    pub(super) fn receive_text(&mut self, millis: u64, stream: &str, text: &str) {
        let (sender, topic) = (Identity::new("caller"), "lk.chat".to_owned());
        let (stream, attributes) = (stream.to_owned(), HashMap::new());
        for data in [
            DataEvent::TextStreamOpened {
                stream_id: stream.clone(),
                sender,
                topic,
                attributes: attributes.clone(),
            },
            DataEvent::TextChunk { stream_id: stream.clone(), text: text.to_owned() },
            DataEvent::TextStreamClosed { stream_id: stream, attributes },
        ] {
            self.event(millis, ParticipantEvent::Data(data));
        }
    }

    /// Receives speech of the caller from `millis` on, and ticks until its end.
    pub(super) fn receive_speech(&mut self, millis: u64, duration: u64) {
        self.tick_until(millis - 200);
        let clip = Clip::tone(Micros::from_millis(duration)).unwrap();
        // Tracks begin with silence.
        let silence = vec![Clip::silence_frame(); 10];
        for (frame, n) in silence.iter().chain(clip.frames()).zip(0_u16..) {
            let now = millis - 200 + 20 * u64::from(n);
            let packet = AudioPacket {
                ssrc: 9,
                sequence: u16::try_from(now / 20).unwrap(),
                rtp_time: u32::try_from(now / 20 * FRAME_SAMPLES as u64).unwrap(),
                payload: frame.clone(),
                at: at(now),
            };
            self.event(now, ParticipantEvent::Audio { packet, track_sid: Some("TR_1".into()) });
            self.tick(now);
        }
    }

    /// The facts since the last call: milliseconds, then name and values without the room.
    pub(super) fn facts(&mut self) -> Vec<(u64, String)> {
        let text = |fact: AgentFact| {
            let mut value = serde_json::to_value(fact).unwrap();
            let fields = value.as_object_mut().unwrap();
            fields.remove("room");
            let name = fields.remove("fact").unwrap();
            let values: Vec<String> = fields.values().map(ToString::to_string).collect();
            format!("{} {}", name.as_str().unwrap(), values.join(" ")).trim().to_owned()
        };
        self.facts.try_iter().map(|(at, fact)| (at.0 / 1_000, text(fact))).collect()
    }
}

fn chat(fault: Option<JobFault>) -> TestSession {
    TestSession::listening(Mode::Chat, fault, Behaviour::default())
}

pub(super) fn fact(millis: u64, text: &str) -> (u64, String) {
    (millis, text.to_owned())
}

#[test]
fn a_text_is_answered_after_the_delay_and_recorded() {
    let mut session = chat(None);
    session.receive_text(1_000, "in", "hello there");
    assert_eq!(session.tick(1_000), NextTick::At(at(1_300)));
    session.tick(1_299);
    assert_eq!(session.handle.take_log(), ["thinking"]);
    // The tick is 7 ms late, which the facts show.
    assert_eq!(session.tick(1_307), NextTick::At(at(1_357)));
    assert_eq!(session.handle.take_log(), ["s1 begins SG_1", "s1[0] You ", "speaking"]);
    assert_eq!(session.tick(1_360), NextTick::OnEvent);
    assert_eq!(session.handle.take_log(), ["s1[1] said: hello there", "s1 ends", "listening"]);
    assert_eq!(
        session.facts(),
        [
            fact(1_000, "heard_text 11 1"),
            fact(1_307, "first_chunk 307000 1 300000"),
            fact(1_360, "final_chunk 360000 1"),
        ]
    );
    assert_eq!(session.handle.reported_latencies, [Micros::from_millis(307)]);
}

#[test]
fn it_becomes_ready_after_the_delay_and_ignores_earlier_texts() {
    let ready_delay = "500ms".parse().unwrap();
    let behaviour = Behaviour { ready_delay, ..Behaviour::default() };
    let mut session = TestSession::joining(Mode::Chat, None, behaviour);
    let others = vec![participant("caller", false, true)];
    session.event(20, ParticipantEvent::Joined { others, identity: Identity::new("agent-AJ_1") });
    session.event(100, ParticipantEvent::DataChannelOpen);
    session.receive_text(300, "in", "too early");
    session.tick(599);
    assert!(session.handle.take_log().is_empty());
    session.tick(600);
    assert_eq!(session.handle.take_log(), ["listening"]);
    let facts = session.facts();
    assert_eq!(facts[0], fact(20, "joined \"agent-AJ_1\" 20000"));
    assert_eq!(facts[1..], [fact(600, "ready 500000 500000")]);
    assert_eq!(session.context.sessions(), 1);
}

#[test]
fn only_the_callers_texts_are_answered() {
    let mut session = chat(None);
    for (sender, topic) in [("stranger", "lk.chat"), ("caller", "lk.transcription")] {
        let begins = DataEvent::TextStreamOpened {
            stream_id: "in".to_owned(),
            sender: Identity::new(sender),
            topic: topic.to_owned(),
            attributes: HashMap::new(),
        };
        session.event(200, ParticipantEvent::Data(begins));
        let ends =
            DataEvent::TextStreamClosed { stream_id: "in".to_owned(), attributes: HashMap::new() };
        session.event(200, ParticipantEvent::Data(ends));
    }
    session.tick(5_000);
    assert!(session.handle.take_log().is_empty());
}

#[test]
fn a_second_text_interrupts_the_answer_to_the_first() {
    let mut session = chat(None);
    session.receive_text(1_000, "in-1", "one");
    session.tick(1_300);
    session.receive_text(1_310, "in-2", "two");
    session.tick(1_400);
    session.handle.take_log();
    session.tick(1_610);
    session.tick(1_700);
    let sent = session.handle.take_log();
    assert_eq!(sent[..2], ["s2 begins SG_2", "s2[0] You "], "the first stream has ended");
    let finals: Vec<_> =
        session.facts().into_iter().filter(|(_, fact)| fact.starts_with("final")).collect();
    assert_eq!(finals, [fact(1_700, "final_chunk 390000 2")]);
}

#[test]
fn faults_change_the_answers() {
    let mut mute = chat(Some(JobFault::Mute));
    mute.receive_text(1_000, "in", "hello");
    mute.tick(60_000);
    assert!(mute.handle.take_log().is_empty());
    assert_eq!(mute.facts(), [fact(1_000, "heard_text 5 1")]);

    let mut stale = chat(Some(JobFault::StaleSegment));
    stale.receive_text(1_000, "in", "hello");
    stale.tick(1_150);
    let sent = stale.handle.take_log();
    assert_eq!(sent[1..], ["s1 begins SG_0", "s1[0] What was said in turn 0.", "s1 ends"]);
    stale.tick(1_300);
    assert_eq!(stale.handle.take_log()[0], "s2 begins SG_1");

    let mut swapped = chat(Some(JobFault::SwappedSegments));
    swapped.receive_text(1_000, "in", "hello over there");
    swapped.tick(1_300);
    swapped.tick(1_350);
    let sent = swapped.handle.take_log();
    let streams = ["s1 begins SG_1_2", "s1[0] hello over there", "s1 ends", "s2 begins SG_1_1"];
    assert_eq!(sent[1..5], streams);
    assert_eq!(sent[5..], ["s2[0] You ", "speaking", "s2[1] said: ", "s2 ends", "listening"]);

    let mut endless = chat(Some(JobFault::EndlessText));
    endless.receive_text(1_000, "in", "hello");
    for millis in (1_300..=11_300).step_by(100) {
        endless.tick(millis);
    }
    let sent = endless.handle.take_log();
    assert_eq!(sent.iter().filter(|action| action.ends_with("and on ")).count(), 100);
    assert!(!sent.contains(&"s1 ends".to_owned()));
}

#[test]
fn crashes_happen_at_their_time_and_fail_the_job() {
    let mut at_join =
        TestSession::joining(Mode::Chat, Some(JobFault::CrashAtJoin), Behaviour::default());
    at_join.event(
        20,
        ParticipantEvent::Joined { others: vec![], identity: Identity::new("agent-AJ_1") },
    );
    assert!(at_join.handle.has_left);
    assert!(at_join.handle.take_log().is_empty(), "it leaves without notice");
    at_join.session.on_left(LeaveReason::ClientInitiated, at(30));
    assert_eq!(
        *at_join.ends.lock().unwrap(),
        [SessionEnd::Job(JobEnd::Failed("crashed".to_owned()))]
    );
    assert_eq!(at_join.context.sessions(), 0);

    let mut later = chat(Some(JobFault::CrashAfterTurns));
    for turn in 1..=2_u64 {
        assert!(!later.handle.has_left);
        later.receive_text(turn * 1_000, &format!("in-{turn}"), "hello");
        later.tick(turn * 1_000 + 300);
        later.tick(turn * 1_000 + 400);
    }
    assert!(later.handle.has_left);
    assert_eq!(later.facts().pop(), Some(fact(2_400, "crashed 2")));
}

#[test]
fn it_greets_its_caller_and_leaves_when_the_caller_does() {
    let greeting = AgentGreeting {
        text: "Good day.".to_owned(),
        delay: "50ms".parse().unwrap(),
        insists: false,
    };
    let behaviour = Behaviour { greeting: Some(greeting), ..Behaviour::default() };
    let mut session = TestSession::listening(Mode::Chat, None, behaviour);
    session.tick(150);
    session.tick(200);
    let sent = session.handle.take_log();
    assert_eq!(sent[..2], ["s1 begins SG_0", "s1[0] Good "]);
    assert_eq!(sent[2..], ["speaking", "s1[1] day.", "s1 ends", "listening"]);
    assert_eq!(session.facts()[0], fact(150, "first_chunk 50000 0 50000"));
    session.event(
        300,
        ParticipantEvent::ParticipantUpdated(participant("someone else", false, false)),
    );
    assert!(!session.handle.has_left);
    session.event(400, ParticipantEvent::ParticipantUpdated(participant("caller", false, false)));
    assert!(session.handle.has_left);
    session.session.on_left(LeaveReason::ClientInitiated, at(410));
    assert_eq!(*session.ends.lock().unwrap(), [SessionEnd::Job(JobEnd::Done)]);
}

#[test]
fn speech_is_answered_after_the_delay_from_its_last_audible_frame() {
    let turn_delay = "700ms".parse().unwrap();
    let behaviour = Behaviour { turn_delay, ..Behaviour::default() };
    let mut session = TestSession::listening(Mode::Voice, None, behaviour);
    session.receive_speech(1_000, 600);
    session.tick_until(3_000);
    let facts = session.facts();
    let names: Vec<&str> = facts.iter().filter_map(|(_, fact)| fact.split(' ').next()).collect();
    let order = ["heard_speech", "first_audible", "first_chunk", "spoken", "final_chunk"];
    assert_eq!(names, order, "{facts:?}");
    // The last of thirty frames, and the one in which the tone fades out.
    assert_eq!(facts[0].0, 1_600);
    let answered = facts[1].0;
    assert!((2_300..=2_320).contains(&answered), "{facts:?}");
    assert_eq!(facts[1].1, format!("first_audible {} 1 700000", (answered - 1_600) * 1_000));
    assert!((200..=220).contains(&(facts[3].0 - answered)), "200 ms are spoken: {facts:?}");
    let sent = session.handle.take_log();
    assert_eq!(sent[..2], ["as caller on TR_1: user_1", "thinking"]);
    assert_eq!(sent.last().unwrap(), "listening");
}

#[test]
fn a_pause_shorter_than_the_delay_does_not_end_the_turn() {
    let turn_delay = "700ms".parse().unwrap();
    let behaviour = Behaviour { turn_delay, ..Behaviour::default() };
    let mut session = TestSession::listening(Mode::Voice, None, behaviour);
    session.receive_speech(1_000, 400);
    session.receive_speech(1_800, 400);
    session.tick_until(4_000);
    let facts = session.facts();
    let heard: Vec<_> = facts.iter().filter(|(_, fact)| fact.starts_with("heard")).collect();
    assert_eq!(heard.len(), 2);
    let answers: Vec<_> = facts.iter().filter(|(_, fact)| fact.starts_with("first_au")).collect();
    assert_eq!(answers.len(), 1, "{facts:?}");
    assert!(answers[0].1.contains(" 1 "), "it is still turn 1: {facts:?}");
    assert!(answers[0].0 >= 2_180 + 700, "{facts:?}");
}

#[test]
fn it_yields_to_a_caller_who_barges_in() {
    let behaviour = Behaviour { yield_delay: "300ms".parse().unwrap(), ..Behaviour::default() };
    let mut session = TestSession::listening(Mode::Voice, Some(JobFault::EndlessText), behaviour);
    session.receive_speech(1_000, 400);
    session.receive_speech(3_000, 800);
    let facts = session.facts();
    let barged = facts.iter().find(|(_, fact)| fact.starts_with("barged_in")).unwrap();
    assert_eq!(barged.0, 3_000);
    let yielded = facts.iter().find(|(_, fact)| fact.starts_with("yielded")).unwrap();
    assert!((3_300..=3_320).contains(&yielded.0), "{facts:?}");
    let silence = Clip::silence_frame();
    let after = session.handle.sent_audio.len();
    assert!(session.handle.sent_audio[after - 5..].iter().all(|(_, frame)| *frame == silence));
}

#[test]
fn unsent_packets_are_recorded() {
    let mut session = chat(None);
    session.handle.is_blocked = true;
    session.receive_text(1_000, "in", "hello");
    session.tick(1_300);
    assert_eq!(session.facts().pop(), Some(fact(1_300, "not_sent 1")));
}

#[test]
fn a_dropped_session_ends_as_failed() {
    let session = chat(None);
    let (ends, context) = (Arc::clone(&session.ends), Arc::clone(&session.context));
    assert_eq!(context.sessions(), 1);
    drop(session);
    assert!(matches!(&ends.lock().unwrap()[..], [SessionEnd::Job(JobEnd::Failed(_))]));
    assert_eq!(context.sessions(), 0);
}

#[test]
fn sessions_leak_what_the_settings_say() {
    let behaviour = Behaviour { leak_per_session: 1_000, ..Behaviour::default() };
    let session = TestSession::listening(Mode::Chat, None, behaviour);
    let context = Arc::clone(&session.context);
    drop(session);
    assert_eq!(context.leaked(), 1_000);
}
