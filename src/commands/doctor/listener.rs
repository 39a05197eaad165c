//! A participant in the throw-away room that says nothing, and notes what the agent does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::traits::AgentTraits;
use rushhour_callers::audio::{DEFAULT_HANGOVER, SpeechEdge, VoiceActivity};
use rushhour_callers::data::{AGENT_SESSION_TOPIC, DataEvent};
use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, LeaveReason, NetworkAccess, NextTick, ParticipantControl,
    ParticipantHandle, ParticipantHandler,
};
use rushhour_callers::participant::{JoinConfig, ParticipantEvent, RemoteParticipant};
use rushhour_core::event::MediaPath;
use rushhour_core::units::{Identity, Micros, Mode, RoomName, Secret, SessionTime};
use rushhour_livekit::{AudioTrack, LiveKitClient};

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
#[derive(Debug, Default)]
struct Heard {
    /// The agent, and when it was seen first.
    agent: Option<(Identity, SessionTime)>,
    tells_state: bool,
    first_text_at: Option<SessionTime>,
    is_transcribed: bool,
    reports_session: bool,
    /// The way of media and data, and when the data channel was open.
    connected: Option<(MediaPath, SessionTime)>,
    /// The ways that were tried before.
    tried: String,
    /// Why the participant is not in the room.
    left: Option<String>,
    /// When each track was heard first, by its SID.
    first_sounds: BTreeMap<String, SessionTime>,
}

impl Heard {
    /// When the agent said its first word: in writing, or aloud on a microphone.
    fn greeted_at(&self, mode: Mode, tracks: &[AudioTrack]) -> Option<SessionTime> {
        match mode {
            Mode::Chat => self.first_text_at,
            Mode::Voice => tracks
                .iter()
                // An agent with one track is heard whatever its source.
                .filter(|track| track.is_microphone || tracks.len() == 1)
                .filter_map(|track| self.first_sounds.get(&track.sid))
                .min()
                .copied(),
        }
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
        network: NetworkAccess,
    ) -> std::io::Result<Self> {
        let engine = Engine::start_with(EngineClock::start(), 1, network)?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let handler = SilentParticipant { heard: heard.clone(), activities: HashMap::new() };
        let control = engine.join(JoinRequest {
            url,
            token,
            config: JoinConfig { publish_audio: mode == Mode::Voice, ..JoinConfig::default() },
            handler: Box::new(handler),
        });
        Ok(Self { heard, mode, control, _engine: engine })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until media and data can be sent: the way, and how long it took; else what was tried.
    pub(super) async fn connection(&self) -> Result<(MediaPath, Micros), String> {
        let begun = Instant::now();
        loop {
            {
                let heard = self.heard();
                if let Some((path, at)) = heard.connected {
                    return Ok((path, at.since(SessionTime::START)));
                }
                if let Some(left) = &heard.left {
                    return Err(left.clone());
                }
                if begun.elapsed() > CONNECTION_TIMEOUT {
                    return Err(heard.tried.clone());
                }
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Listens until the agent has greeted, or does not greet; `None` if the participant did not see it.
    pub(super) async fn listen(
        &self,
        livekit: &LiveKitClient,
        room: &RoomName,
    ) -> Option<AgentTraits> {
        let begun = Instant::now();
        loop {
            // One poll that fails is not the agent's fault.
            let tracks = livekit.audio_tracks(room).await.unwrap_or_default();
            let has_greeted = self.heard().greeted_at(self.mode, &tracks).is_some();
            if has_greeted || begun.elapsed() > GREETING_TIMEOUT {
                break;
            }
            sleep(POLL_INTERVAL).await;
        }
        sleep(AFTER_GREETING).await;
        let tracks = livekit.audio_tracks(room).await.unwrap_or_default();
        let heard = self.heard();
        let (_, joined_at) = heard.agent.as_ref()?;
        let background = tracks.iter().filter(|track| !track.is_microphone && tracks.len() > 1);
        Some(AgentTraits {
            greeted_after: heard.greeted_at(self.mode, &tracks).map(|at| at.since(*joined_at)),
            listened_for: Micros::from(GREETING_TIMEOUT),
            tells_state: heard.tells_state,
            is_transcribed: heard.is_transcribed,
            reports_session: heard.reports_session,
            background: background.map(|track| track.name.clone()).collect(),
        })
    }
}

/// The participant's side of it.
struct SilentParticipant {
    heard: Arc<Mutex<Heard>>,
    /// Of each track, by its SID: what is heard on one must not be taken for another's.
    activities: HashMap<String, VoiceActivity>,
}

impl SilentParticipant {
    fn note(&self, write: impl FnOnce(&mut Heard)) {
        write(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn participant_updated(&self, participant: RemoteParticipant, at: SessionTime) {
        if participant.is_agent && participant.connected {
            self.note(|heard| {
                heard.tells_state |= participant.agent_state.is_some();
                heard.agent.get_or_insert((participant.identity, at));
            });
        }
    }

    fn handle_data(&self, event: DataEvent, at: SessionTime) {
        self.note(|heard| {
            let is_agent = |sender: &Identity| {
                heard.agent.as_ref().is_some_and(|(identity, _)| identity == sender)
            };
            match event {
                DataEvent::TextStreamOpened { sender, topic, .. } if is_agent(&sender) => {
                    heard.is_transcribed |= topic == TRANSCRIPTION_TOPIC;
                    heard.first_text_at.get_or_insert(at);
                }
                DataEvent::ByteStreamReceived { sender, topic, .. } if is_agent(&sender) => {
                    heard.reports_session |= topic == AGENT_SESSION_TOPIC;
                }
                _ => {}
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
                    self.participant_updated(participant, at);
                }
            }
            ParticipantEvent::ParticipantUpdated(participant) => {
                self.participant_updated(participant, at);
            }
            ParticipantEvent::PathChosen(path) => {
                self.note(|heard| {
                    heard.connected.get_or_insert((path, at));
                });
            }
            ParticipantEvent::Data(data) => self.handle_data(data, at),
            ParticipantEvent::Audio { packet, track_sid: Some(sid) } => {
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
            if heard.connected.is_none() {
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
        self.note(|heard| {
            heard.left.get_or_insert(reason.to_string());
        });
    }
}
