use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use super::*;
use crate::behaviour::{AgentGreeting, Behaviour, JobFault};
use crate::truth::{AgentFact, TruthSink};
use crate::worker::{Assignment, JobEnd};
use rushhour_callers::audio::{Clip, FRAME_SAMPLES};
use rushhour_callers::data::DataEvent;
use rushhour_callers::engine::testing::RecordingHandle;
use rushhour_callers::engine::{LeaveReason, NextTick, ParticipantHandler};
use rushhour_callers::participant::{AudioPacket, ParticipantEvent, RemoteParticipant};
use rushhour_core::units::{Identity, Micros, Mode, RoomName, Secret, SessionTime};

const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

/// A session, its hand, and what it told.
struct Scene {
    session: AgentSession,
    hand: RecordingHandle,
    told: Receiver<(SessionTime, AgentFact)>,
    ends: Arc<Mutex<Vec<JobEnd>>>,
    common: Arc<AgentContext>,
}

fn person(name: &str, is_agent: bool, present: bool) -> RemoteParticipant {
    let identity = Identity::new(name);
    RemoteParticipant {
        identity,
        is_agent,
        connected: present,
        joined_at_ms: None,
        agent_state: None,
    }
}

impl Scene {
    /// A session that is about to join.
    fn outside(mode: Mode, fault: Option<JobFault>, behaviour: Behaviour) -> Self {
        let (truth, told) = TruthSink::new();
        let speech = Clip::tone(Micros::from_millis(200)).unwrap();
        let common = Arc::new(AgentContext::new(Arc::new(behaviour), truth, speech));
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
        let kept = Arc::clone(&ends);
        let when_over = Box::new(move |end| kept.lock().unwrap().push(end));
        let session = AgentSession::new(Arc::clone(&common), &assignment, when_over).unwrap();
        Self { session, hand: RecordingHandle::default(), told, ends, common }
    }

    /// A session that listens from 100 ms on, to `caller`.
    fn listening(mode: Mode, fault: Option<JobFault>, behaviour: Behaviour) -> Self {
        let mut scene = Self::outside(mode, fault, behaviour);
        let others = vec![person("caller", false, true)];
        scene.event(20, ParticipantEvent::Joined { others, identity: Identity::new("agent-AJ_1") });
        scene.event(100, ParticipantEvent::DataChannelOpen);
        scene.beat(100);
        assert_eq!(scene.hand.take_log(), ["listening"]);
        scene.facts();
        scene
    }

    fn event(&mut self, millis: u64, event: ParticipantEvent) {
        self.hand.now = self.hand.now.max(at(millis));
        self.session.on_event(event, at(millis), &mut self.hand);
    }

    fn beat(&mut self, millis: u64) -> NextTick {
        self.hand.now = at(millis);
        self.session.on_tick(&mut self.hand)
    }

    /// Beats every 20 ms up to `millis`.
    fn beat_until(&mut self, millis: u64) {
        while self.hand.now < at(millis) {
            self.beat(self.hand.now.0 / 1_000 + 20);
        }
    }

    /// The caller's text, whose end arrives at `millis`.
    fn write(&mut self, millis: u64, stream: &str, text: &str) {
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

    /// The caller speaks from `millis` on, for so long; the session is at its end then.
    fn speak(&mut self, millis: u64, length: u64) {
        self.beat_until(millis);
        let clip = Clip::tone(Micros::from_millis(length)).unwrap();
        for (frame, n) in clip.frames().iter().zip(0_u16..) {
            let now = millis + 20 * u64::from(n);
            let packet = AudioPacket {
                ssrc: 9,
                sequence: u16::try_from(now / 20).unwrap(),
                rtp_time: u32::try_from(now / 20 * FRAME_SAMPLES as u64).unwrap(),
                payload: frame.clone(),
                at: at(now),
            };
            self.event(now, ParticipantEvent::Audio { packet, track_sid: Some("TR_1".to_owned()) });
            self.beat(now);
        }
    }

    /// What was told since, as JSON without the room.
    fn facts(&mut self) -> Vec<(u64, String)> {
        let words = |fact: AgentFact| {
            let mut value = serde_json::to_value(fact).unwrap();
            let fields = value.as_object_mut().unwrap();
            fields.remove("room");
            let name = fields.remove("fact").unwrap();
            let values: Vec<String> = fields.values().map(ToString::to_string).collect();
            format!("{} {}", name.as_str().unwrap(), values.join(" ")).trim().to_owned()
        };
        self.told.try_iter().map(|(at, fact)| (at.0 / 1_000, words(fact))).collect()
    }
}

fn chat(fault: Option<JobFault>) -> Scene {
    Scene::listening(Mode::Chat, fault, Behaviour::default())
}

fn told(millis: u64, words: &str) -> (u64, String) {
    (millis, words.to_owned())
}

#[test]
fn a_text_is_answered_after_its_delay_and_the_truth_is_told() {
    let mut scene = chat(None);
    scene.write(1_000, "in", "hello there");
    assert_eq!(scene.beat(1_000), NextTick::At(at(1_300)));
    scene.beat(1_299);
    assert_eq!(scene.hand.take_log(), ["thinking"]);
    // The beat comes 7 ms late, which is part of the truth.
    assert_eq!(scene.beat(1_307), NextTick::At(at(1_357)));
    assert_eq!(scene.hand.take_log(), ["s1 begins SG_1", "s1[0] You ", "speaking"]);
    assert_eq!(scene.beat(1_360), NextTick::OnEvent);
    assert_eq!(scene.hand.take_log(), ["s1[1] said: hello there", "s1 ends", "listening"]);
    assert_eq!(
        scene.facts(),
        [
            told(1_000, "heard_text 11 1"),
            told(1_307, "first_chunk 307000 1 300000"),
            told(1_360, "final_chunk 360000 1"),
        ]
    );
    assert_eq!(scene.hand.reported_latencies, [Micros::from_millis(307)]);
}

#[test]
fn it_is_ready_after_its_delay_and_hears_nothing_before() {
    let ready_delay = "500ms".parse().unwrap();
    let behaviour = Behaviour { ready_delay, ..Behaviour::default() };
    let mut scene = Scene::outside(Mode::Chat, None, behaviour);
    let others = vec![person("caller", false, true)];
    scene.event(20, ParticipantEvent::Joined { others, identity: Identity::new("agent-AJ_1") });
    scene.event(100, ParticipantEvent::DataChannelOpen);
    scene.write(300, "in", "too early");
    scene.beat(599);
    assert!(scene.hand.take_log().is_empty());
    scene.beat(600);
    assert_eq!(scene.hand.take_log(), ["listening"]);
    let facts = scene.facts();
    assert_eq!(facts[0], told(20, "joined \"agent-AJ_1\" 20000"));
    assert_eq!(facts[1..], [told(600, "ready 500000 500000")]);
    assert_eq!(scene.common.sessions(), 1);
}

#[test]
fn only_the_callers_texts_are_answered() {
    let mut scene = chat(None);
    for (sender, topic) in [("stranger", "lk.chat"), ("caller", "lk.transcription")] {
        let begins = DataEvent::TextStreamOpened {
            stream_id: "in".to_owned(),
            sender: Identity::new(sender),
            topic: topic.to_owned(),
            attributes: HashMap::new(),
        };
        scene.event(200, ParticipantEvent::Data(begins));
        let ends =
            DataEvent::TextStreamClosed { stream_id: "in".to_owned(), attributes: HashMap::new() };
        scene.event(200, ParticipantEvent::Data(ends));
    }
    scene.beat(5_000);
    assert!(scene.hand.take_log().is_empty());
}

#[test]
fn a_second_text_interrupts_the_answer_to_the_first() {
    let mut scene = chat(None);
    scene.write(1_000, "in-1", "one");
    scene.beat(1_300);
    scene.write(1_310, "in-2", "two");
    scene.beat(1_400);
    scene.hand.take_log();
    scene.beat(1_610);
    scene.beat(1_700);
    let said = scene.hand.take_log();
    assert_eq!(said[..2], ["s2 begins SG_2", "s2[0] You "], "and the first was ended");
    let finals: Vec<_> =
        scene.facts().into_iter().filter(|(_, fact)| fact.starts_with("final")).collect();
    assert_eq!(finals, [told(1_700, "final_chunk 390000 2")]);
}

#[test]
fn each_fault_shows_as_it_should() {
    let mut mute = chat(Some(JobFault::Mute));
    mute.write(1_000, "in", "hello");
    mute.beat(60_000);
    assert!(mute.hand.take_log().is_empty());
    assert_eq!(mute.facts(), [told(1_000, "heard_text 5 1")]);

    let mut stale = chat(Some(JobFault::StaleSegment));
    stale.write(1_000, "in", "hello");
    stale.beat(1_150);
    let said = stale.hand.take_log();
    assert_eq!(said[1..], ["s1 begins SG_0", "s1[0] What was said in turn 0.", "s1 ends"]);
    stale.beat(1_300);
    assert_eq!(stale.hand.take_log()[0], "s2 begins SG_1");

    let mut swapped = chat(Some(JobFault::SwappedSegments));
    swapped.write(1_000, "in", "hello over there");
    swapped.beat(1_300);
    swapped.beat(1_350);
    let said = swapped.hand.take_log();
    let streams = ["s1 begins SG_1_2", "s1[0] hello over there", "s1 ends", "s2 begins SG_1_1"];
    assert_eq!(said[1..5], streams);
    assert_eq!(said[5..], ["s2[0] You ", "speaking", "s2[1] said: ", "s2 ends", "listening"]);

    let mut endless = chat(Some(JobFault::EndlessText));
    endless.write(1_000, "in", "hello");
    for millis in (1_300..=11_300).step_by(100) {
        endless.beat(millis);
    }
    let said = endless.hand.take_log();
    assert_eq!(said.iter().filter(|words| words.ends_with("and on ")).count(), 100);
    assert!(!said.contains(&"s1 ends".to_owned()));
}

#[test]
fn crashes_come_when_they_should_and_count_as_failed() {
    let mut at_join = Scene::outside(Mode::Chat, Some(JobFault::CrashAtJoin), Behaviour::default());
    at_join.event(
        20,
        ParticipantEvent::Joined { others: vec![], identity: Identity::new("agent-AJ_1") },
    );
    assert!(at_join.hand.has_left);
    assert!(at_join.hand.take_log().is_empty(), "without a word");
    at_join.session.on_left(LeaveReason::ClientInitiated, at(30));
    assert_eq!(*at_join.ends.lock().unwrap(), [JobEnd::Failed("crashed".to_owned())]);
    assert_eq!(at_join.common.sessions(), 0);

    let mut later = chat(Some(JobFault::CrashAfterTurns));
    for turn in 1..=2_u64 {
        assert!(!later.hand.has_left);
        later.write(turn * 1_000, &format!("in-{turn}"), "hello");
        later.beat(turn * 1_000 + 300);
        later.beat(turn * 1_000 + 400);
    }
    assert!(later.hand.has_left);
    assert_eq!(later.facts().pop(), Some(told(2_400, "crashed 2")));
}

#[test]
fn it_greets_and_leaves_with_its_caller() {
    let greeting = AgentGreeting { text: "Good day.".to_owned(), delay: "50ms".parse().unwrap() };
    let behaviour = Behaviour { greeting: Some(greeting), ..Behaviour::default() };
    let mut scene = Scene::listening(Mode::Chat, None, behaviour);
    scene.beat(150);
    scene.beat(200);
    let said = scene.hand.take_log();
    assert_eq!(said[..2], ["s1 begins SG_0", "s1[0] Good "]);
    assert_eq!(said[2..], ["speaking", "s1[1] day.", "s1 ends", "listening"]);
    assert_eq!(scene.facts()[0], told(150, "first_chunk 50000 0 50000"));
    scene.event(300, ParticipantEvent::ParticipantUpdated(person("someone else", false, false)));
    assert!(!scene.hand.has_left);
    scene.event(400, ParticipantEvent::ParticipantUpdated(person("caller", false, false)));
    assert!(scene.hand.has_left);
    scene.session.on_left(LeaveReason::ClientInitiated, at(410));
    assert_eq!(*scene.ends.lock().unwrap(), [JobEnd::Done]);
}

#[test]
fn speech_is_answered_after_the_delay_from_its_last_audible_frame() {
    let turn_delay = "700ms".parse().unwrap();
    let behaviour = Behaviour { turn_delay, ..Behaviour::default() };
    let mut scene = Scene::listening(Mode::Voice, None, behaviour);
    scene.speak(1_000, 600);
    scene.beat_until(3_000);
    let facts = scene.facts();
    let names: Vec<&str> = facts.iter().filter_map(|(_, fact)| fact.split(' ').next()).collect();
    let order = ["heard_speech", "first_audible", "first_chunk", "spoken", "final_chunk"];
    assert_eq!(names, order, "{facts:?}");
    // The last of thirty frames, and the one in which they die away.
    assert_eq!(facts[0].0, 1_600);
    let answered = facts[1].0;
    assert!((2_300..=2_320).contains(&answered), "{facts:?}");
    assert_eq!(facts[1].1, format!("first_audible {} 1 700000", (answered - 1_600) * 1_000));
    assert!((200..=220).contains(&(facts[3].0 - answered)), "200 ms are spoken: {facts:?}");
    let said = scene.hand.take_log();
    assert_eq!(said[..2], ["as caller on TR_1: user_1", "thinking"]);
    assert_eq!(said.last().unwrap(), "listening");
}

#[test]
fn a_pause_is_no_end_where_the_caller_goes_on_in_time() {
    let turn_delay = "700ms".parse().unwrap();
    let behaviour = Behaviour { turn_delay, ..Behaviour::default() };
    let mut scene = Scene::listening(Mode::Voice, None, behaviour);
    scene.speak(1_000, 400);
    scene.speak(1_800, 400);
    scene.beat_until(4_000);
    let facts = scene.facts();
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
    let mut scene = Scene::listening(Mode::Voice, Some(JobFault::EndlessText), behaviour);
    scene.speak(1_000, 400);
    scene.speak(3_000, 800);
    let facts = scene.facts();
    let barged = facts.iter().find(|(_, fact)| fact.starts_with("barged_in")).unwrap();
    assert_eq!(barged.0, 3_000);
    let yielded = facts.iter().find(|(_, fact)| fact.starts_with("yielded")).unwrap();
    assert!((3_300..=3_320).contains(&yielded.0), "{facts:?}");
    let silence = Clip::silence_frame();
    let after = scene.hand.sent_audio.len();
    assert!(scene.hand.sent_audio[after - 5..].iter().all(|(_, frame)| *frame == silence));
}

#[test]
fn what_cannot_be_sent_is_part_of_the_truth() {
    let mut scene = chat(None);
    scene.hand.is_blocked = true;
    scene.write(1_000, "in", "hello");
    scene.beat(1_300);
    assert_eq!(scene.facts().pop(), Some(told(1_300, "not_sent 1")));
}

#[test]
fn a_session_that_is_only_dropped_is_over_all_the_same() {
    let scene = chat(None);
    let (ends, common) = (Arc::clone(&scene.ends), Arc::clone(&scene.common));
    assert_eq!(common.sessions(), 1);
    drop(scene);
    assert!(matches!(&ends.lock().unwrap()[..], [JobEnd::Failed(_)]));
    assert_eq!(common.sessions(), 0);
}

#[test]
fn sessions_leave_behind_what_they_should() {
    let behaviour = Behaviour { leak_per_session: 1_000, ..Behaviour::default() };
    let scene = Scene::listening(Mode::Chat, None, behaviour);
    let common = Arc::clone(&scene.common);
    drop(scene);
    assert_eq!(common.leaked(), 1_000);
}
