//! A caller in a room that the test makes up, attended to only when it asked to be.

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::prepared_script::{PreparedScript, PreparedTurn, TurnContent};
use super::super::{Caller, CallerConfig};
use crate::audio::{Clip, Playback};
use crate::data::DataEvent;
use crate::engine::testing::RecordingHandle;
use crate::engine::{LeaveReason, NextTick, ParticipantHandler};
use crate::participant::{AudioPacket, ParticipantEvent, RemoteParticipant};
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{FailureClass, FramesSent, Outcome, Turn};
use rushhour_core::profile::NativeSettings;
use rushhour_core::units::{Identity, Micros, Mode, PositiveDuration, RunIndex, SessionTime};

/// A participant is attended to this far apart at the most.
const BEAT: u64 = 20;

pub(super) const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

pub(super) fn expression(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// A turn that is written, and to be answered within 5 s.
pub(super) fn writes(text: &str) -> PreparedTurn {
    PreparedTurn {
        words: TurnContent::Text(text.to_owned()),
        expect: None,
        within: Micros::from_secs(5),
        pause: Micros::ZERO,
        interrupt: None,
    }
}

/// A turn that is spoken, and to be answered within 5 s.
pub(super) fn speaks(clip: &Clip) -> PreparedTurn {
    PreparedTurn { words: TurnContent::Clip(clip.clone()), ..writes("") }
}

pub(super) fn tone(millis: u64) -> Clip {
    Clip::tone(Micros::from_millis(millis)).unwrap()
}

pub(super) fn person(name: &str, state: Option<&str>) -> RemoteParticipant {
    RemoteParticipant {
        identity: Identity::new(name),
        is_agent: name.starts_with("agent"),
        present: true,
        joined_at_ms: None,
        agent_state: state.map(str::to_owned),
        tracks: vec![],
    }
}

/// A caller, its hand, what it told, and the agent's voice.
pub(super) struct Scene {
    pub(super) hand: RecordingHandle,
    caller: Caller,
    next: NextTick,
    is_touched: bool,
    told: UnboundedReceiver<CallerUpdate>,
    voice: Option<Playback>,
    sequence: u16,
    over: bool,
}

impl Scene {
    /// A caller on its way in.
    pub(super) fn outside(mode: Mode, prompts: PreparedScript) -> Self {
        let (news, told) = unbounded_channel();
        let settings = NativeSettings {
            join_within: PositiveDuration::secs(10),
            ready_within: PositiveDuration::secs(8),
            quiet: "500ms".parse().unwrap(),
        };
        let prompts = Arc::new(prompts);
        let config = CallerConfig { run: RunIndex(7), mode, prompts, settings, news };
        Self {
            hand: RecordingHandle::default(),
            caller: Caller::new(config).unwrap(),
            next: NextTick::Event,
            is_touched: true,
            told,
            voice: None,
            sequence: 0,
            over: false,
        }
    }

    /// A caller that was let in at 100 ms and whose channel opened at 200 ms.
    pub(super) fn alone(mode: Mode, prompts: PreparedScript) -> Self {
        let mut scene = Self::outside(mode, prompts);
        let joined = ParticipantEvent::Joined { own: Identity::new("caller"), others: vec![] };
        scene.event(100, joined);
        scene.event(200, ParticipantEvent::Open);
        scene
    }

    /// The same with an agent that came at 500 ms and listens from 600 ms on; with a voice it is never quite still.
    pub(super) fn with_agent(mode: Mode, prompts: PreparedScript) -> Self {
        let mut scene = Self::alone(mode, prompts);
        scene.agent(500, None);
        scene.agent(600, Some("listening"));
        if mode == Mode::Voice {
            scene.voice = Some(Playback::new(at(600), 0));
        }
        scene
    }

    pub(super) fn chat(turns: Vec<PreparedTurn>) -> Self {
        Self::with_agent(Mode::Chat, PreparedScript { greeting: None, turns })
    }

    pub(super) fn spoken(turns: Vec<PreparedTurn>) -> Self {
        Self::with_agent(Mode::Voice, PreparedScript { greeting: None, turns })
    }

    /// Lets time pass, with the beats that the caller asked for and what the agent says meanwhile.
    pub(super) fn until(&mut self, millis: u64) {
        while self.hand.now.0 / (BEAT * 1_000) < millis / BEAT {
            let beat = (self.hand.now.0 / (BEAT * 1_000) + 1) * BEAT;
            self.hand.now = at(beat);
            self.let_the_agent_speak();
            let is_due = self.is_touched
                || match self.next {
                    NextTick::Beat => true,
                    NextTick::At(time) => time <= self.hand.now,
                    NextTick::Event => false,
                };
            if is_due && !self.over {
                self.is_touched = false;
                self.next = self.caller.tick(&mut self.hand);
            }
            self.leave_if_gone();
        }
        self.hand.now = self.hand.now.max(at(millis));
    }

    fn let_the_agent_speak(&mut self) {
        let Some(voice) = &mut self.voice else { return };
        let due: Vec<_> = std::iter::from_fn(|| voice.next_due(self.hand.now)).collect();
        for frame in due {
            self.sequence = self.sequence.wrapping_add(1);
            let packet = AudioPacket {
                mid: "1".into(),
                ssrc: 9,
                sequence: self.sequence,
                rtp_time: frame.rtp_time,
                payload: frame.payload,
                at: self.hand.now,
            };
            self.tell(ParticipantEvent::Audio(packet, Some("TR_1".to_owned())));
        }
    }

    fn tell(&mut self, event: ParticipantEvent) {
        if !self.over {
            let since_beat = self.hand.now.0 % (BEAT * 1_000);
            self.hand.to_next_beat = Micros(BEAT * 1_000 - since_beat);
            self.caller.event(event, self.hand.now, &mut self.hand);
            self.is_touched = true;
        }
        self.leave_if_gone();
    }

    fn leave_if_gone(&mut self) {
        if self.hand.gone && !self.over {
            self.out(LeaveReason::ByItself);
        }
    }

    fn out(&mut self, why: LeaveReason) {
        self.over = true;
        self.caller.left(why, self.hand.now);
    }

    /// Something puts the caller out of the room, at `millis`.
    pub(super) fn left(&mut self, millis: u64, why: LeaveReason) {
        self.until(millis);
        self.out(why);
    }

    pub(super) fn event(&mut self, millis: u64, event: ParticipantEvent) {
        self.until(millis);
        self.tell(event);
    }

    pub(super) fn data(&mut self, millis: u64, data: DataEvent) {
        self.event(millis, ParticipantEvent::Data(data, at(millis)));
    }

    /// The agent is there, in a state.
    pub(super) fn agent(&mut self, millis: u64, state: Option<&str>) {
        self.event(millis, ParticipantEvent::Person(person("agent-1", state)));
    }

    /// The agent is gone.
    pub(super) fn agent_leaves(&mut self, millis: u64) {
        let gone = RemoteParticipant { present: false, ..person("agent-1", None) };
        self.event(millis, ParticipantEvent::Person(gone));
    }

    /// A text stream of somebody's begins, in a segment.
    pub(super) fn begins(&mut self, millis: u64, who: &str, stream: &str, segment: &str) {
        let attributes = HashMap::from([("lk.segment_id".to_owned(), segment.to_owned())]);
        let (sender, topic) = (Identity::new(who), "lk.transcription".to_owned());
        let stream = stream.to_owned();
        self.data(millis, DataEvent::TextBegins { stream, sender, topic, attributes });
    }

    pub(super) fn part(&mut self, millis: u64, stream: &str, text: &str) {
        let (stream, text) = (stream.to_owned(), text.to_owned());
        self.data(millis, DataEvent::TextPart { stream, text });
    }

    pub(super) fn ends(&mut self, millis: u64, stream: &str) {
        let (stream, attributes) = (stream.to_owned(), HashMap::new());
        self.data(millis, DataEvent::TextEnds { stream, attributes });
    }

    /// The agent writes a segment of its own, which begins now, has its words 50 ms later and its end 100 ms later.
    pub(super) fn answers(&mut self, millis: u64, segment: &str, text: &str) {
        self.begins(millis, "agent-1", segment, segment);
        self.part(millis + 50, segment, text);
        self.ends(millis + 100, segment);
    }

    /// The agent begins to say something; its first frame arrives at the next beat.
    pub(super) fn agent_speaks(&mut self, millis: u64, clip: &Clip) {
        self.until(millis);
        self.voice.as_mut().expect("it has a voice").play(clip.clone());
    }

    /// The agent falls silent in the middle of it.
    pub(super) fn agent_stops(&mut self, millis: u64) {
        self.until(millis);
        self.voice.as_mut().expect("it has a voice").stop();
    }

    /// What was told so far and not looked at.
    pub(super) fn news(&mut self) -> Vec<(u64, UpdateKind)> {
        std::iter::from_fn(|| self.told.try_recv().ok())
            .map(|told| {
                assert_eq!(told.run, RunIndex(7));
                (told.at.0 / 1_000, told.kind)
            })
            .collect()
    }

    /// The turns that were told and not looked at.
    pub(super) fn turns(&mut self) -> Vec<Turn> {
        let turn = |(_, news)| match news {
            UpdateKind::Turn(turn) => Some(turn),
            _ => None,
        };
        self.news().into_iter().filter_map(turn).collect()
    }

    /// The end of the conversation, which has been reached; the turns before it, and nothing after it.
    #[track_caller]
    pub(super) fn end(&mut self) -> (Vec<Turn>, Outcome, Option<FramesSent>) {
        let mut news = self.news();
        let Some((_, UpdateKind::Ended { outcome, frames })) = news.pop() else {
            panic!("it is over: {news:?}");
        };
        let turns = news.into_iter().filter_map(|(_, news)| match news {
            UpdateKind::Turn(turn) => Some(turn),
            UpdateKind::Ended { .. } => panic!("it ended twice"),
            _ => None,
        });
        (turns.collect(), outcome, frames)
    }

    /// The same, where it failed: the turns, why, and in what words.
    #[track_caller]
    pub(super) fn failure(&mut self) -> (Vec<Turn>, FailureClass, String) {
        match self.end() {
            (turns, Outcome::Failed { class, detail }, _) => (turns, class, detail),
            (_, outcome, _) => panic!("it failed: {outcome:?}"),
        }
    }
}
