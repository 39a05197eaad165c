//! What an agent says before it calls a tool, whose result the answer needs.

use super::agent_session::AgentSession;
use super::attributes::{TRANSCRIPTION_TOPIC, end_of_segment, open_segment};
use super::step_queue::Step;
use super::turns::segment_id;
use crate::truth::{AgentFact, MeasuredDelay};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_core::units::SessionTime;
use rushhour_livekit::AgentState;

/// How far the filler before an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filler {
    /// There is none.
    None,
    ToSay,
    /// Its audio plays; whether its first audible frame was sent.
    Saying {
        audible: bool,
    },
    /// The tool runs.
    Said,
}

impl AgentSession {
    /// Says the filler: a voice agent with its next frame, and its text follows.
    pub(super) fn start_filler(&mut self, handle: &mut dyn ParticipantHandle) {
        if let (Some(voice), Some(clip)) = (&mut self.voice, &self.context.sounds.filler) {
            voice.speak(clip.clone());
        } else {
            self.send_filler_text(None, handle);
            self.begin_tool(handle);
        }
    }

    /// Sends the text of the filler, a segment of its own. A voice agent became audible `at`.
    pub(super) fn send_filler_text(
        &mut self,
        at: Option<SessionTime>,
        handle: &mut dyn ParticipantHandle,
    ) {
        let Some(answer) = &self.answer else { return };
        let Some(filler) = &self.context.behaviour.filler else { return };
        let segment = format!("{}_filler", segment_id(answer.turn));
        let stream = handle.open_text_stream(TRANSCRIPTION_TOPIC, open_segment(&segment));
        handle.write_text_stream(&stream, 0, &filler.text);
        handle.close_text_stream(&stream, end_of_segment());
        let at = at.unwrap_or_else(|| handle.now());
        let delay =
            MeasuredDelay { wanted_us: answer.configured_delay, delay_us: at.since(answer.since) };
        let (room, turn) = (self.room.clone(), answer.turn);
        self.record(at, AgentFact::FillerBegan { room, turn, delay });
        self.set_state(&AgentState::Speaking, handle);
    }

    /// The filler is over: the tool runs, and the answer follows.
    pub(super) fn begin_tool(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(answer) = &mut self.answer else { return };
        answer.filler = Filler::Said;
        let (now, turn) = (handle.now(), answer.turn);
        let delay = self.context.behaviour.tool_delay(&self.room, turn).unwrap_or_default();
        // The answer is due when the tool is done, however long the filler took.
        answer.configured_delay = now.since(answer.since) + delay;
        self.steps.schedule(now + delay, Step::StartAnswer);
        let room = self.room.clone();
        self.record(now, AgentFact::ToolBegan { room, turn, tool_delay_us: delay });
        self.set_state(&AgentState::Thinking, handle);
    }
}
