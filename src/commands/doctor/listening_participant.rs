//! The participant that listens in the throw-away room: what it notes, and what it says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::agent_texts::CHAT_TOPIC;
use super::first_turn::FirstWords;
use super::heard::Heard;
use super::rules::CallerConnection;
use rushhour_callers::audio::{DEFAULT_HANGOVER, Playback, SpeechEdge, VoiceActivity};
use rushhour_callers::data::{AGENT_SESSION_TOPIC, DataEvent};
use rushhour_callers::engine::{LeaveReason, NextTick, ParticipantHandle, ParticipantHandler};
use rushhour_callers::participant::{ParticipantEvent, RemoteParticipant, SendOutcome};
use rushhour_core::profile::SpeechSettings;
use rushhour_core::units::{Identity, Mode, SessionTime};

/// The participant.
pub(super) struct ListeningParticipant {
    heard: Arc<Mutex<Heard>>,
    /// What is taken for speech.
    speech: SpeechSettings,
    /// Of each track, by its SID: what is heard on one must not be taken for another's.
    activities: HashMap<Arc<str>, VoiceActivity>,
    has_voice: bool,
    /// What it sends in voice, once it can: silence, and its turn.
    playback: Option<Playback>,
}

impl ListeningParticipant {
    /// One that notes what it hears in `heard`.
    pub(super) fn new(heard: Arc<Mutex<Heard>>, mode: Mode, speech: SpeechSettings) -> Self {
        let has_voice = mode == Mode::Voice;
        Self { heard, speech, activities: HashMap::new(), has_voice, playback: None }
    }

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
        self.note(|heard| {
            if let DataEvent::ByteStreamReceived { sender, topic, .. } = event {
                heard.reports_session |=
                    topic == AGENT_SESSION_TOPIC && heard.agents.is_agent(sender);
            } else if heard.texts.handle_data(event, at) == Some(Identity::new("")) {
                heard.agents.note_unannounced(at);
            }
        });
    }

    /// Says what is to be said, and sends the audio that is due.
    fn speak(&mut self, handle: &mut dyn ParticipantHandle) {
        let now = handle.now();
        let mut words = None;
        self.note(|heard| words = heard.to_say.take());
        match words {
            Some(FirstWords::Text(text)) => {
                // Before it is sent: a quick agent may answer before this thread goes on.
                self.note(|heard| {
                    heard.turn_began = Some(now);
                    heard.said_at = Some(now);
                    heard.texts.turn_said(now);
                });
                if handle.send_text(CHAT_TOPIC, &text, HashMap::new()) == SendOutcome::NotSent {
                    self.note(|heard| heard.to_say = Some(FirstWords::Text(text)));
                }
            }
            Some(FirstWords::Clip(clip)) => match &mut self.playback {
                Some(playback) => playback.play(clip),
                None => self.note(|heard| heard.to_say = Some(FirstWords::Clip(clip))),
            },
            None => {}
        }
        while let Some(frame) = self.playback.as_mut().and_then(|one| one.next_due(handle.now())) {
            handle.send_audio(&frame.payload, frame.rtp_time, frame.marker);
            if frame.is_first_audible {
                self.note(|heard| {
                    heard.turn_began = Some(now);
                    heard.texts.turn_said(now);
                });
            }
            if frame.is_last_audible {
                self.note(|heard| heard.said_at = Some(now));
            }
        }
    }

    fn note_speech(&self, sid: &str, edges: &[SpeechEdge]) {
        for edge in edges {
            if let SpeechEdge::Started { at } = *edge {
                self.note(|heard| heard.note_sound(sid, at));
            }
        }
    }
}

impl ParticipantHandler for ListeningParticipant {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        match event {
            ParticipantEvent::Joined { identity, others } => {
                self.note(|heard| heard.texts.set_own_identity(identity));
                for participant in others {
                    self.participant_updated(&participant, at);
                }
            }
            ParticipantEvent::ParticipantUpdated(participant) => {
                self.participant_updated(&participant, at);
            }
            ParticipantEvent::TrackPublished { sid } => {
                self.note(|heard| heard.texts.add_own_track(sid));
            }
            ParticipantEvent::DataChannelOpen if self.has_voice => {
                self.playback = Some(Playback::new(handle.next_tick(), 0));
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
                    let Ok(activity) = VoiceActivity::with_settings(DEFAULT_HANGOVER, self.speech)
                    else {
                        return;
                    };
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
        self.speak(handle);
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
