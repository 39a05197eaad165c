//! A caller in a simulated room, which is called only when it asked to be.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};

use regex::Regex;

use super::super::prepared_script::{PreparedScript, PreparedTurn, TurnContent};
use super::super::{Caller, CallerConfig};
use crate::audio::{Clip, Playback};
use crate::data::DataEvent;
use crate::engine::testing::RecordingHandle;
use crate::engine::{LeaveReason, NextTick, ParticipantHandler};
use crate::participant::{
    AudioPacket, DepartureReason, ParticipantEvent, RemoteAudioTrack, RemoteParticipant,
};
use crate::recording_store::RecordingSink;
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{ConversationSummary, FailureClass, FramesSent, Outcome, Turn};
use rushhour_core::profile::{
    CallerPatience, HearTrack, NativeSettings, ReconnectSettings, SpeechSettings,
};
use rushhour_core::units::{
    DtmfKey, Identity, Micros, Mode, PositiveDuration, RunIndex, SessionTime,
};
use rushhour_livekit::AgentState;

/// The interval of a participant's ticks, in milliseconds.
const TICK: u64 = 20;

pub(super) const fn at(millis: u64) -> SessionTime {
    SessionTime(millis * 1_000)
}

pub(super) fn expression(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

pub(super) fn script(turns: Vec<PreparedTurn>) -> PreparedScript {
    PreparedScript { greeting: None, turns, rules: Vec::new(), abandon: None, background: None }
}

/// A written turn, to be answered within 5 s.
pub(super) fn writes(text: &str) -> PreparedTurn {
    PreparedTurn {
        content: TurnContent::Text(text.to_owned()),
        spoken: None,
        key_words: Vec::new(),
        expect: None,
        within: Micros::from_secs(5),
        pause: Micros::ZERO,
        interrupt: None,
        backchannel: None,
    }
}

/// A spoken turn, to be answered within 5 s.
pub(super) fn speaks(clip: &Clip) -> PreparedTurn {
    PreparedTurn { content: TurnContent::Clip(clip.clone()), ..writes("") }
}

/// A turn of keys that are pressed, to be answered within 5 s.
pub(super) fn presses(keys: &str) -> PreparedTurn {
    let keys = keys.chars().map(|sign| DtmfKey::new(sign).unwrap()).collect();
    PreparedTurn { content: TurnContent::Keys(keys), ..writes("") }
}

pub(super) fn tone(millis: u64) -> Clip {
    Clip::tone(Micros::from_millis(millis)).unwrap()
}

/// A participant in the room, who is an agent if its name says so.
pub(super) fn participant(name: &str, state: Option<&str>) -> RemoteParticipant {
    RemoteParticipant {
        agent_state: state.map(AgentState::from),
        ..RemoteParticipant::new(Identity::new(name), name.starts_with("agent"))
    }
}

/// An audio track of a participant.
pub(super) fn track(sid: &str, name: &str, is_microphone: bool) -> RemoteAudioTrack {
    let (sid, name) = (sid.to_owned(), name.to_owned());
    RemoteAudioTrack { sid, name, is_microphone, is_encrypted: false }
}

/// A caller, what it did and reported, and the agent's voice.
pub(super) struct Scene {
    pub(super) handle: RecordingHandle,
    /// Whether the caller is told that its agent is there, and announced to nobody.
    pub(super) agent_is_hidden: Arc<AtomicBool>,
    caller: Caller,
    next: NextTick,
    had_event: bool,
    updates: Receiver<CallerUpdate>,
    agent_voice: Option<Playback>,
    /// What a second track of the agent plays, all the time.
    background: Option<(Playback, Clip)>,
    sequence: u16,
    over: bool,
}

impl Scene {
    /// A caller that is joining.
    pub(super) fn joining(mode: Mode, script: PreparedScript) -> Self {
        Self::joining_recorded(mode, script, None)
    }

    /// The same, whose conversation is recorded.
    pub(super) fn joining_recorded(
        mode: Mode,
        script: PreparedScript,
        recording: Option<Box<dyn RecordingSink>>,
    ) -> Self {
        let (sender, updates) = channel();
        let settings = NativeSettings {
            join_within: PositiveDuration::secs(10),
            ready_within: PositiveDuration::secs(8),
            quiet: "500ms".parse().unwrap(),
            rpc: BTreeMap::new(),
            hear: HearTrack::Microphone,
            patience: CallerPatience::DEFAULT,
            staying: ReconnectSettings::DEFAULT,
            speech: Some(SpeechSettings::default()),
        };
        let agent_is_hidden = Arc::new(AtomicBool::new(false));
        let config = CallerConfig {
            run: RunIndex(7),
            mode,
            script: Arc::new(script),
            settings,
            abandons: true,
            agent_is_hidden: agent_is_hidden.clone(),
            rpc_answers: [("locate".to_owned(), "Berlin".to_owned())].into(),
            on_update: Box::new(move |update| sender.send(update).expect("the scene receives")),
            recording,
        };
        Self {
            handle: RecordingHandle::default(),
            agent_is_hidden,
            caller: Caller::new(config).unwrap(),
            next: NextTick::OnEvent,
            had_event: true,
            updates,
            agent_voice: None,
            background: None,
            sequence: 0,
            over: false,
        }
    }

    /// A caller that joined at 100 ms, and whose data channel opened at 200 ms.
    pub(super) fn alone(mode: Mode, script: PreparedScript) -> Self {
        Self::joining(mode, script).connected()
    }

    fn connected(self) -> Self {
        let mut scene = self;
        let joined = ParticipantEvent::Joined { identity: Identity::new("caller"), others: vec![] };
        scene.event(100, joined);
        scene.event(200, ParticipantEvent::DataChannelOpen);
        scene
    }

    /// The same, with an agent that joined at 500 ms and listens from 600 ms on; with a voice, it sends audio all the
    /// time.
    pub(super) fn with_agent(mode: Mode, script: PreparedScript) -> Self {
        Self::alone(mode, script).joined_by_agent(mode)
    }

    /// The same, whose conversation is recorded.
    pub(super) fn recorded(
        mode: Mode,
        script: PreparedScript,
        recording: Box<dyn RecordingSink>,
    ) -> Self {
        Self::joining_recorded(mode, script, Some(recording)).connected().joined_by_agent(mode)
    }

    fn joined_by_agent(self, mode: Mode) -> Self {
        let mut scene = self;
        scene.agent(500, None);
        scene.agent(600, Some("listening"));
        if mode == Mode::Voice {
            scene.agent_voice = Some(Playback::new(at(600), 0));
        }
        scene
    }

    pub(super) fn chat(turns: Vec<PreparedTurn>) -> Self {
        Self::with_agent(Mode::Chat, script(turns))
    }

    pub(super) fn voice(turns: Vec<PreparedTurn>) -> Self {
        Self::with_agent(Mode::Voice, script(turns))
    }

    /// Advances time, with the ticks that the caller asked for and what the agent says meanwhile.
    pub(super) fn until(&mut self, millis: u64) {
        while self.handle.now.0 / (TICK * 1_000) < millis / TICK {
            let tick = (self.handle.now.0 / (TICK * 1_000) + 1) * TICK;
            self.handle.now = at(tick);
            self.send_agent_audio();
            let is_due = self.had_event
                || match self.next {
                    NextTick::Next => true,
                    NextTick::At(time) => time <= self.handle.now,
                    NextTick::OnEvent => false,
                };
            if is_due && !self.over {
                self.had_event = false;
                self.next = self.caller.on_tick(&mut self.handle);
            }
            self.check_left();
        }
        self.handle.now = self.handle.now.max(at(millis));
    }

    fn send_agent_audio(&mut self) {
        let now = self.handle.now;
        let mut due = Vec::new();
        if let Some(voice) = &mut self.agent_voice {
            due.extend(std::iter::from_fn(|| voice.next_due(now)).map(|frame| (9, "TR_1", frame)));
        }
        if let Some((background, clip)) = &mut self.background {
            while let Some(frame) = background.next_due(now) {
                if frame.is_last_audible {
                    background.play(clip.clone());
                }
                due.push((10, "TR_2", frame));
            }
        }
        for (ssrc, track, frame) in due {
            self.sequence = self.sequence.wrapping_add(1);
            let packet = AudioPacket {
                ssrc,
                sequence: self.sequence,
                rtp_time: frame.rtp_time,
                payload: frame.payload,
                at: now,
            };
            let track_sid = Some(track.into());
            self.deliver(ParticipantEvent::Audio { packet, track_sid });
        }
    }

    fn deliver(&mut self, event: ParticipantEvent) {
        if !self.over {
            let since_tick = self.handle.now.0 % (TICK * 1_000);
            self.handle.until_next_tick = Micros(TICK * 1_000 - since_tick);
            self.caller.on_event(event, self.handle.now, &mut self.handle);
            self.had_event = true;
        }
        self.check_left();
    }

    fn check_left(&mut self) {
        if self.handle.has_left && !self.over {
            self.leave(LeaveReason::ClientInitiated);
        }
    }

    fn leave(&mut self, reason: LeaveReason) {
        self.over = true;
        self.caller.on_left(reason, self.handle.now);
    }

    /// At `millis`, the caller is out of the room.
    pub(super) fn left(&mut self, millis: u64, reason: LeaveReason) {
        self.until(millis);
        self.leave(reason);
    }

    pub(super) fn event(&mut self, millis: u64, event: ParticipantEvent) {
        self.until(millis);
        self.deliver(event);
    }

    pub(super) fn data(&mut self, millis: u64, data: DataEvent) {
        self.event(millis, ParticipantEvent::Data(data));
    }

    /// The agent joins, or changes its state.
    pub(super) fn agent(&mut self, millis: u64, state: Option<&str>) {
        self.event(millis, ParticipantEvent::ParticipantUpdated(participant("agent-1", state)));
    }

    /// A participant joins, changes or leaves.
    pub(super) fn updates_participant(&mut self, millis: u64, participant: RemoteParticipant) {
        self.event(millis, ParticipantEvent::ParticipantUpdated(participant));
    }

    pub(super) fn agent_leaves(&mut self, millis: u64) {
        self.agent_goes(millis, DepartureReason::Unknown);
    }

    pub(super) fn agent_goes(&mut self, millis: u64, departure: DepartureReason) {
        let gone = participant("agent-1", None);
        self.updates_participant(millis, RemoteParticipant { connected: false, departure, ..gone });
    }

    /// The agent's process is killed: its track sends nothing any more.
    pub(super) fn agent_stops_sending(&mut self, millis: u64) {
        self.until(millis);
        self.agent_voice = None;
    }

    /// The agent plays a clip again and again on a second track.
    pub(super) fn agent_plays_background(&mut self, millis: u64, clip: &Clip) {
        self.until(millis);
        let mut playback = Playback::new(at(millis), 0);
        playback.play(clip.clone());
        self.background = Some((playback, clip.clone()));
    }

    /// A participant opens a text stream, for a segment.
    pub(super) fn opens(&mut self, millis: u64, sender: &str, stream: &str, segment: &str) {
        let attributes = HashMap::from([("lk.segment_id".to_owned(), segment.to_owned())]);
        let (sender, topic) = (Identity::new(sender), "lk.transcription".to_owned());
        let stream_id = stream.to_owned();
        self.data(millis, DataEvent::TextStreamOpened { stream_id, sender, topic, attributes });
    }

    pub(super) fn chunk(&mut self, millis: u64, stream: &str, text: &str) {
        let (stream_id, text) = (stream.to_owned(), text.to_owned());
        self.data(millis, DataEvent::TextChunk { stream_id, text });
    }

    pub(super) fn closes(&mut self, millis: u64, stream: &str) {
        let (stream_id, attributes) = (stream.to_owned(), HashMap::new());
        self.data(millis, DataEvent::TextStreamClosed { stream_id, attributes });
    }

    /// The agent writes a segment: opened now, with its text 50 ms later, and closed 100 ms later.
    pub(super) fn answers(&mut self, millis: u64, segment: &str, text: &str) {
        self.opens(millis, "agent-1", segment, segment);
        self.chunk(millis + 50, segment, text);
        self.closes(millis + 100, segment);
    }

    /// From `millis` on the agent's track sends audio.
    pub(super) fn agent_has_a_voice(&mut self, millis: u64) {
        self.until(millis);
        self.agent_voice = Some(Playback::new(at(millis), 0));
    }

    /// The agent begins to play a clip, whose first frame arrives at the next tick.
    pub(super) fn agent_speaks(&mut self, millis: u64, clip: &Clip) {
        self.until(millis);
        self.agent_voice.as_mut().expect("a voice conversation").play(clip.clone());
    }

    /// From now on the agent's track carries noise where it is not speech.
    pub(super) fn agent_makes_noise(&mut self, noise: &Clip) {
        let voice = self.agent_voice.as_mut().expect("a voice conversation");
        voice.set_background(Some(noise.clone()));
    }

    /// The agent stops its clip.
    pub(super) fn agent_stops(&mut self, millis: u64) {
        self.until(millis);
        self.agent_voice.as_mut().expect("a voice conversation").stop();
    }

    /// The updates since the last call.
    pub(super) fn updates(&mut self) -> Vec<(u64, UpdateKind)> {
        self.updates
            .try_iter()
            .map(|update| {
                assert_eq!(update.run, RunIndex(7));
                (update.at.0 / 1_000, update.kind)
            })
            .collect()
    }

    /// The turns among the updates since the last call.
    pub(super) fn turns(&mut self) -> Vec<Turn> {
        let turn = |(_, update)| match update {
            UpdateKind::Turn(turn) => Some(*turn),
            _ => None,
        };
        self.updates().into_iter().filter_map(turn).collect()
    }

    /// What was special about the conversation, among the updates since the last call.
    pub(super) fn summary(&mut self) -> ConversationSummary {
        let mut summaries = self.updates().into_iter().filter_map(|(_, update)| match update {
            UpdateKind::Conversation(summary) => Some(summary),
            _ => None,
        });
        summaries.next_back().unwrap_or_default()
    }

    /// The end of the conversation, which is the last update, and the turns before it.
    #[track_caller]
    pub(super) fn end(&mut self) -> (Vec<Turn>, Outcome, Option<FramesSent>) {
        let mut updates = self.updates();
        let Some((_, UpdateKind::Ended { outcome, frames })) = updates.pop() else {
            panic!("the conversation is over: {updates:?}");
        };
        let turns = updates.into_iter().filter_map(|(_, update)| match update {
            UpdateKind::Turn(turn) => Some(*turn),
            UpdateKind::Ended { .. } => panic!("it ended twice"),
            _ => None,
        });
        (turns.collect(), outcome, frames)
    }

    /// The same for a conversation that failed: the turns, the class and the detail.
    #[track_caller]
    pub(super) fn failure(&mut self) -> (Vec<Turn>, FailureClass, String) {
        match self.end() {
            (turns, Outcome::Failed { class, detail }, _) => (turns, class, detail.to_string()),
            (_, outcome, _) => panic!("it failed: {outcome:?}"),
        }
    }
}
