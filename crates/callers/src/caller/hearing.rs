//! What the agent says: its texts and its speech, as they arrive.

use super::caller::{Caller, CallerStage};
use crate::audio::SpeechEdge;
use crate::data::{
    AGENT_SESSION_TOPIC, DataEvent, decode_model_usage, decode_turn_metrics, is_session_response,
};
use crate::participant::AudioPacket;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::units::SessionTime;

/// Whether livekit-server made this packet itself, as it does when a track is muted or gone (`sfu/downtrack.go`): it is
/// no sign of the agent. An encoder's own silence is shorter.
fn is_silence_of_the_server(payload: &[u8]) -> bool {
    payload.starts_with(&[0xf8, 0xff, 0xfe, 0, 0, 0, 0, 0])
}

impl Caller {
    pub(super) fn handle_data(&mut self, event: &DataEvent, at: SessionTime) {
        if let DataEvent::ByteStreamReceived { sender, topic, bytes } = event {
            if topic == AGENT_SESSION_TOPIC && self.agents.is_agent(sender) {
                self.session_probe.note_message(is_session_response(bytes));
                self.model_usage = decode_model_usage(bytes).or(self.model_usage);
                if let (Some(parts), Some(turn)) = (decode_turn_metrics(bytes), &mut self.turn) {
                    turn.add_parts(parts);
                }
            }
            return;
        }
        if *event == DataEvent::Encrypted {
            self.agents.note_encrypted_text();
            return;
        }
        let Self { utterances, agents, turn_state, .. } = self;
        if utterances.handle_data(event, at, |identity| agents.is_agent(identity)) {
            turn_state.agent_active(at);
            if let DataEvent::TextStreamOpened { sender, .. }
            | DataEvent::TextReceived { sender, .. } = event
                && sender.as_str().is_empty()
            {
                agents.note_unannounced(at);
            }
            if self.voice.is_none()
                && matches!(event, DataEvent::TextChunk { .. } | DataEvent::TextReceived { .. })
            {
                self.note_agent_output(at);
            }
        }
    }

    /// Handles an audio packet, if it belongs to the agent's voice.
    pub(super) fn handle_audio(&mut self, packet: &AudioPacket, track_sid: Option<&str>) {
        if is_silence_of_the_server(&packet.payload) || !self.agents.is_voice(track_sid, packet.at)
        {
            return;
        }
        let edges = self.voice.as_mut().map(|voice| {
            voice.last_packet_at = voice.last_packet_at.max(Some(packet.at));
            voice.activity.handle_packet(packet)
        });
        self.handle_speech(edges.unwrap_or_default());
    }

    /// The agent spoke, or wrote in chat. Before the first turn, that is a greeting; the first time is reported.
    fn note_agent_output(&mut self, at: SessionTime) {
        self.was_heard = true;
        let is_greeting = self.first_turn_at.is_none_or(|first_turn_at| at < first_turn_at);
        if is_greeting && !std::mem::replace(&mut self.greeted, true) {
            self.report(at, UpdateKind::Greeted);
        }
    }

    pub(super) fn handle_speech(&mut self, edges: Vec<SpeechEdge>) {
        for edge in edges {
            match edge {
                SpeechEdge::Started { at } => self.agent_began_to_speak(at),
                SpeechEdge::Ended { last_audible_at } => self.agent_fell_silent(last_audible_at),
            }
        }
    }

    fn agent_began_to_speak(&mut self, at: SessionTime) {
        self.note_agent_output(at);
        self.turn_state.agent_active(at);
        if let Some(voice) = &mut self.voice {
            voice.speaking_since = Some(at);
        }
        if let Some(turn) = &mut self.turn {
            turn.agent_began_to_speak(at, &self.utterances);
        }
    }

    fn agent_fell_silent(&mut self, last_audible_at: SessionTime) {
        self.turn_state.agent_active(last_audible_at);
        if let Some(voice) = &mut self.voice {
            voice.speaking_since = None;
        }
        if let Some(turn) = &mut self.turn {
            turn.agent_fell_silent(last_audible_at);
        }
    }

    /// The agent's session began only after the first turn was said, to an agent that told no state: nobody heard it.
    /// The caller says it again. What the agent says first is then its greeting.
    pub(super) fn repeat_unheard_turn(&mut self, at: SessionTime) {
        let is_first = self.turn.as_ref().is_some_and(|turn| turn.index == 0);
        if self.stage == CallerStage::AwaitingAnswer && is_first && !self.was_heard {
            self.turn = None;
            self.first_turn_at = None;
            self.summary.unheard_turns += 1;
            self.stage = CallerStage::AwaitingSilence { turn: 0, since: at };
        }
    }
}
