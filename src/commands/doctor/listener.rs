//! A participant in the throw-away room that says nothing, and notes what the agent does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::finding::Finding;
use super::rules::{CallerConnection, caller_connection};
use super::traits::{AgentTraits, VoiceTrack};
use rushhour_callers::audio::{DEFAULT_HANGOVER, SpeechEdge, VoiceActivity};
use rushhour_callers::caller::Agents;
use rushhour_callers::data::{AGENT_SESSION_TOPIC, DataEvent};
use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, LeaveReason, NetworkAccess, NextTick, ParticipantControl,
    ParticipantHandle, ParticipantHandler,
};
use rushhour_callers::participant::{JoinConfig, ParticipantEvent, RemoteParticipant};
use rushhour_core::profile::HearTrack;
use rushhour_core::units::{Identity, Micros, Mode, Secret, SessionTime};

/// How long a greeting is waited for, once the agent is there.
const GREETING_TIMEOUT: Duration = Duration::from_secs(8);

/// How long it is listened to after its first word: texts, reports and further tracks follow it.
const AFTER_GREETING: Duration = Duration::from_secs(2);

/// How long media and data may take to connect: UDP, and what is tried where that does not.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The topic on which agents write what they say.
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";

/// What was noted so far.
#[derive(Debug)]
struct Heard {
    /// Who the agent is and which of its tracks is its voice, as our callers know it.
    agents: Agents,
    tells_state: bool,
    first_text_at: Option<SessionTime>,
    is_transcribed: bool,
    reports_session: bool,
    /// The ways of media and data that were tried.
    tried: String,
    /// When each track was heard first, by its SID.
    first_sounds: BTreeMap<String, SessionTime>,
    /// How far the participant's own connection came.
    connection: CallerConnection,
}

impl Heard {
    const fn new(hear: HearTrack) -> Self {
        Self {
            agents: Agents::new(hear),
            tells_state: false,
            first_text_at: None,
            is_transcribed: false,
            reports_session: false,
            first_sounds: BTreeMap::new(),
            connection: CallerConnection::None,
            tried: String::new(),
        }
    }

    /// When the agent said its first word: in writing, or aloud.
    fn greeted_at(&self, mode: Mode) -> Option<SessionTime> {
        match mode {
            Mode::Chat => self.first_text_at,
            Mode::Voice => {
                let voice = self.agents.voice().iter();
                voice.filter_map(|sid| self.first_sounds.get(sid)).min().copied()
            }
        }
    }

    /// Whether the agent was heard or read, and nobody was announced.
    fn is_hidden(&self) -> bool {
        self.agents.hidden_at().is_some()
    }

    fn traits(&self, mode: Mode) -> Option<AgentTraits> {
        let joined_at = self.agents.joined_at()?;
        let voice = self.agents.voice();
        let is_voice = |sid: &String| voice.contains(sid);
        let mut others: Vec<_> =
            self.agents.audio_tracks().filter(|track| !is_voice(&track.sid)).collect();
        // What was heard first is more likely to be the voice.
        others.sort_by_key(|track| {
            self.first_sounds.get(&track.sid).map_or(SessionTime(u64::MAX), |at| *at)
        });
        let others = others.into_iter().map(|track| track.name.clone()).collect();
        let track = match voice {
            [] => VoiceTrack::NoneOf(others),
            _ if self.agents.is_encrypted() => VoiceTrack::Encrypted,
            _ => VoiceTrack::Beside(others),
        };
        Some(AgentTraits {
            greeted_after: self.greeted_at(mode).map(|at| at.since(joined_at)),
            listened_for: Micros::from(GREETING_TIMEOUT),
            tells_state: self.tells_state,
            is_transcribed: self.is_transcribed,
            reports_session: self.reports_session,
            track,
            has_avatar: self.agents.has_avatar(),
            agents: self.agents.count(),
        })
    }
}

/// A silent participant.
pub(super) struct RoomListener {
    heard: Arc<Mutex<Heard>>,
    mode: Mode,
    control: ParticipantControl,
    /// Its threads.
    _engine: Engine,
}

impl Drop for RoomListener {
    fn drop(&mut self) {
        self.control.stop();
    }
}

impl RoomListener {
    /// Joins the room, as a caller of this mode would. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub(super) fn join(
        url: String,
        token: Secret,
        mode: Mode,
        hear: HearTrack,
        network: NetworkAccess,
    ) -> std::io::Result<Self> {
        let engine = Engine::start_with(EngineClock::start(), 1, network)?;
        let heard = Arc::new(Mutex::new(Heard::new(hear)));
        let handler = SilentParticipant { heard: heard.clone(), activities: HashMap::new() };
        let control = engine.join(JoinRequest {
            url,
            token,
            config: JoinConfig { publish_audio: mode == Mode::Voice, ..JoinConfig::default() },
            network: None,
            handler: Box::new(handler),
        });
        Ok(Self { heard, mode, control, _engine: engine })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until media and data can be sent, or cannot: what connection the participant has with the server.
    pub(super) async fn connection(&self) -> Finding {
        let begun = Instant::now();
        loop {
            {
                let heard = self.heard();
                let is_decided = matches!(
                    heard.connection,
                    CallerConnection::Open { .. } | CallerConnection::Failed(_)
                );
                if is_decided || begun.elapsed() > CONNECTION_TIMEOUT {
                    return caller_connection(&heard.connection, &heard.tried);
                }
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Listens until the agent has greeted, or does not greet; `None` if the participant did not see it.
    pub(super) async fn listen(&self) -> Option<AgentTraits> {
        let begun = Instant::now();
        while self.heard().greeted_at(self.mode).is_none() && begun.elapsed() <= GREETING_TIMEOUT {
            sleep(POLL_INTERVAL).await;
        }
        sleep(AFTER_GREETING).await;
        self.heard().traits(self.mode)
    }

    /// Whether the agent was heard or read, and nobody was announced.
    pub(super) fn is_hidden(&self) -> bool {
        self.heard().is_hidden()
    }
}

/// The participant's side of it.
struct SilentParticipant {
    heard: Arc<Mutex<Heard>>,
    /// Of each track, by its SID: what is heard on one must not be taken for another's.
    activities: HashMap<Arc<str>, VoiceActivity>,
}

impl SilentParticipant {
    fn note(&self, write: impl FnOnce(&mut Heard)) {
        write(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn participant_updated(&self, participant: &RemoteParticipant, at: SessionTime) {
        self.note(|heard| {
            heard.agents.update(participant, at);
            heard.tells_state |= participant.is_agent && participant.agent_state.is_some();
        });
    }

    fn handle_data(&self, event: &DataEvent, at: SessionTime) {
        let (sender, is_transcription) = match event {
            DataEvent::TextStreamOpened { sender, topic, .. } => {
                (sender, topic == TRANSCRIPTION_TOPIC)
            }
            DataEvent::SegmentTranscribed { sender, .. } => (sender, true),
            DataEvent::TextReceived { sender, .. } => (sender, false),
            DataEvent::ByteStreamReceived { sender, topic, .. } => {
                self.note(|heard| {
                    heard.reports_session |=
                        topic == AGENT_SESSION_TOPIC && heard.agents.is_agent(sender);
                });
                return;
            }
            _ => return,
        };
        self.note(|heard| {
            if heard.agents.is_agent(sender) {
                if *sender == Identity::new("") {
                    heard.agents.note_unannounced(at);
                }
                heard.is_transcribed |= is_transcription;
                heard.first_text_at.get_or_insert(at);
            }
        });
    }

    fn note_speech(&self, sid: &str, edges: &[SpeechEdge]) {
        for edge in edges {
            if let SpeechEdge::Started { at } = *edge {
                self.note(|heard| {
                    heard.first_sounds.entry(sid.to_owned()).or_insert(at);
                });
            }
        }
    }
}

impl ParticipantHandler for SilentParticipant {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        _: &mut dyn ParticipantHandle,
    ) {
        match event {
            ParticipantEvent::Joined { others, .. } => {
                for participant in others {
                    self.participant_updated(&participant, at);
                }
            }
            ParticipantEvent::ParticipantUpdated(participant) => {
                self.participant_updated(&participant, at);
            }
            ParticipantEvent::ServerKnown(server) => self.note(|heard| {
                heard.connection = CallerConnection::Joined(server);
            }),
            ParticipantEvent::PathChosen(path) => self.note(|heard| {
                if let CallerConnection::Joined(server) = &heard.connection {
                    let (server, after) = (server.clone(), at.since(SessionTime::START));
                    heard.connection = CallerConnection::Open { server, path, after };
                }
            }),
            ParticipantEvent::Data(data) => self.handle_data(&data, at),
            ParticipantEvent::Audio { packet, track_sid: Some(sid) } => {
                self.note(|heard| {
                    // Notes a track that nobody is known to publish.
                    heard.agents.is_voice(Some(&sid), at);
                });
                if !self.activities.contains_key(&sid) {
                    // Without a decoder nothing is heard, and the finding says so.
                    let Ok(activity) = VoiceActivity::new(DEFAULT_HANGOVER) else { return };
                    self.activities.insert(sid.clone(), activity);
                }
                let Some(activity) = self.activities.get_mut(&sid) else { return };
                let edges = activity.handle_packet(&packet);
                self.note_speech(&sid, &edges);
            }
            _ => {}
        }
    }

    fn on_tick(&mut self, handle: &mut dyn ParticipantHandle) -> NextTick {
        let now = handle.now();
        self.note(|heard| {
            if !matches!(heard.connection, CallerConnection::Open { .. }) {
                heard.tried = handle.describe_paths();
            }
        });
        let mut all = Vec::new();
        for (sid, activity) in &mut self.activities {
            all.push((sid.clone(), activity.handle_timeout(now)));
        }
        for (sid, edges) in all {
            self.note_speech(&sid, &edges);
        }
        NextTick::Next
    }

    fn on_left(&mut self, reason: LeaveReason, _: SessionTime) {
        let failed = CallerConnection::Failed(reason.to_string());
        self.note(|heard| {
            if !matches!(heard.connection, CallerConnection::Open { .. }) {
                heard.connection = failed;
            }
        });
    }
}
