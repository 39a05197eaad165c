//! What the agent says: its texts and its speech, as they arrive.

use super::agents::AgentActivity;
use super::caller::{Caller, CallerStage};
use super::open_turn::AnswerProgress;
use super::utterances::TRANSCRIBED_TRACK;
use crate::audio::SpeechEdge;
use crate::data::{
    AGENT_SESSION_TOPIC, DataEvent, SessionQuestion, SessionReport, decode_item_metrics,
    decode_model_usage,
};
use crate::engine::ParticipantHandle;
use crate::participant::AudioPacket;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::units::{Identity, Micros, SessionTime};

/// Whether livekit-server made this packet itself, as it does when a track is muted or gone (`sfu/downtrack.go`): it is
/// no sign of the agent. An encoder's own silence is shorter.
fn is_silence_of_the_server(payload: &[u8]) -> bool {
    payload.starts_with(&[0xf8, 0xff, 0xfe, 0, 0, 0, 0, 0])
}

impl Caller {
    pub(super) fn handle_data(
        &mut self,
        event: &DataEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        if let DataEvent::ByteStreamReceived { sender, topic, bytes } = event {
            if topic == AGENT_SESSION_TOPIC && self.agents.is_agent(sender) {
                self.handle_session_message(bytes, at, handle);
            }
            return;
        }
        if let DataEvent::TextStreamOpened { attributes, .. } = event
            && let Some(sid) = attributes.get(TRANSCRIBED_TRACK)
            // The server lists the caller among the participants too.
            && self.agents.is_of_another(sid)
            && !self.utterances.is_own_track(sid)
        {
            // The words of somebody else in the room.
            return;
        }
        if *event == DataEvent::Encrypted {
            self.agents.note_encrypted_text();
            return;
        }
        let Self { utterances, agents, turn_state, unannounced, .. } = self;
        let is_known = |sender: &Identity| utterances.is_own(sender) || agents.is_known(sender);
        if unannounced.keep(event, at, is_known) {
            return;
        }
        if utterances.handle_data(event, at, |identity| agents.is_agent(identity)) {
            turn_state.agent_active(at);
            self.summary.incomplete_texts +=
                u32::from(matches!(event, DataEvent::TextIncomplete { .. }));
            if let DataEvent::TextStreamOpened { sender, .. }
            | DataEvent::TextReceived { sender, .. }
            | DataEvent::SegmentTranscribed { sender, .. } = event
            {
                if sender.as_str().is_empty() {
                    agents.note_unannounced(at);
                } else {
                    agents.note_heard(sender);
                }
            }
            if self.voice.is_none()
                && matches!(
                    event,
                    DataEvent::TextChunk { .. }
                        | DataEvent::TextReceived { .. }
                        | DataEvent::SegmentTranscribed { .. }
                )
            {
                self.note_agent_output(at);
            }
            self.judge_sound();
            // On a busy machine a text may come before the states around it, of which the last is `listening` again.
            if matches!(event, DataEvent::TextStreamClosed { .. }) && self.agents.is_listening() {
                self.ask_for_tools(at, handle);
            }
        }
    }

    /// In chat, a stream of which nothing came for so long that the agent is taken to be silent has lost its end: what it
    /// holds is all of the text. In voice the sound tells, and a sentence that pauses may go on.
    pub(super) fn give_up_open_streams(&mut self, now: SessionTime) {
        if self.voice.is_none() && self.utterances.is_writing() && self.silent_since(now).is_some()
        {
            self.utterances.give_up_open_streams(self.turn_state.last_activity());
        }
    }

    fn handle_session_message(
        &mut self,
        bytes: &[u8],
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        self.turn_state.agent_told(at);
        let report = SessionReport::decode(bytes);
        self.session_probe.note_message(report == Some(SessionReport::Pong));
        if let Some(SessionReport::RtcStats(stats)) = &report {
            self.summary.agent_rtc = Some(*stats);
        }
        if report.is_some_and(|report| self.tool_calls.note(report, at)) {
            // Its result is about to be told: the agent's silence begins anew.
            self.turn_state.agent_active(at);
        }
        if let Some(question) = self.tool_calls.session_heard(at) {
            Self::ask_session(question, handle);
        }
        self.model_usage = decode_model_usage(bytes).or(self.model_usage);
        if let Some(item) = decode_item_metrics(bytes) {
            self.find_answer();
            if let Some(turn) = &mut self.turn {
                turn.add_parts(item);
            }
        }
    }

    /// The agent listens after it was busy: it may have said only that it needs a moment.
    pub(super) fn agent_began_to_listen(
        &mut self,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        self.listens_since = Some(at);
        self.ask_for_tools(at, handle);
    }

    /// Asks for tools that run, where that is not told, of an agent that has said something and listens.
    fn ask_for_tools(&mut self, at: SessionTime, handle: &mut dyn ParticipantHandle) {
        let has_said = self.turn.as_ref().is_some_and(|turn| turn.said_at.is_some());
        if has_said && let Some(question) = self.tool_calls.agent_listens(at) {
            Self::ask_session(question, handle);
        }
    }

    /// Asks what the agent's WebRTC stack has counted of a voice conversation, if its session can be asked.
    pub(super) fn ask_for_rtc_stats(
        &mut self,
        now: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        let Some(voice) = &self.voice else { return };
        let is_speaking = voice.speaking_since.is_some();
        if self.session_probe.is_hosted() && self.rtc_stats_request.ask(is_speaking, now) {
            Self::ask_session(SessionQuestion::RtcStats, handle);
        }
    }

    pub(super) fn ask_session(question: SessionQuestion, handle: &mut dyn ParticipantHandle) {
        // Who cannot be asked now is taken not to answer.
        let _ = handle.send_bytes(AGENT_SESSION_TOPIC, &question.encode());
    }

    /// Handles an audio packet, if it belongs to the agent's voice.
    pub(super) fn handle_audio(&mut self, packet: &AudioPacket, track_sid: Option<&str>) {
        let counts = !self.outages.is_away();
        if is_silence_of_the_server(&packet.payload) {
            if let Some(voice) = self.voice.as_mut().filter(|_| counts) {
                voice.reception.handle_filler(packet);
            }
            return;
        }
        if !self.agents.is_voice(track_sid, packet.at) {
            return;
        }
        self.recorder.agent_sent(packet);
        let edges = self.voice.as_mut().map(|voice| {
            if counts {
                voice.reception.handle_packet(packet);
            }
            voice.last_packet_at = voice.last_packet_at.max(Some(packet.at));
            let edges = voice.activity.handle_packet(packet);
            voice.sound.handle_packet(packet, &mut voice.activity);
            edges
        });
        self.handle_speech(edges.unwrap_or_default());
        self.record_cuts();
    }

    /// Passes on to the recording where the agent's speech was cut.
    pub(super) fn record_cuts(&mut self) {
        let Some(voice) = &mut self.voice else { return };
        for cut in voice.sound.take_cuts() {
            self.recorder.agent_was_cut(cut);
        }
    }

    /// The agent spoke, or wrote in chat. Before the first turn, that is a greeting; the first time is reported.
    fn note_agent_output(&mut self, at: SessionTime) {
        self.was_heard = true;
        self.first_heard_at.get_or_insert(at);
        let is_greeting = self.first_turn_at.is_none_or(|first_turn_at| at < first_turn_at);
        if is_greeting && !std::mem::replace(&mut self.greeted, true) {
            self.report(at, UpdateKind::Greeted);
        }
    }

    pub(super) fn handle_speech(&mut self, edges: Vec<SpeechEdge>) {
        for edge in edges {
            if let Some(voice) = &mut self.voice {
                voice.sound.note_edge(edge);
                if self.stage == CallerStage::Speaking && matches!(edge, SpeechEdge::Ended { .. }) {
                    // It fell silent for the caller.
                    voice.sound.end_answer(&mut voice.activity);
                }
            }
            match edge {
                SpeechEdge::Started { at } => self.agent_began_to_speak(at),
                SpeechEdge::Ended { last_audible_at } => self.agent_fell_silent(last_audible_at),
            }
        }
    }

    fn agent_began_to_speak(&mut self, at: SessionTime) {
        self.recorder.agent_began(at);
        self.turn_state.agent_active(at);
        self.agents.note_voice_heard();
        if let Some(voice) = &mut self.voice {
            voice.speaking_since = Some(at);
            voice.unjudged_sound = Some((at, None));
        }
        self.judge_sound();
        if let Some(turn) = &mut self.turn {
            turn.agent_began_to_speak(at, &self.utterances);
        }
    }

    /// Tells the detector of speech whether the agent listens. An agent that has answered and never told that it speaks does
    /// not tell that it listens either, whatever it says.
    pub(super) fn pass_on_state(&mut self) {
        let may_have_answered = self.turn.as_ref().is_some_and(|turn| turn.index > 0);
        let tells = self.agents.tells_speech || !may_have_answered;
        let listens = self.agents.is_listening() && self.agents.activity() == AgentActivity::Open;
        if let Some(voice) = &mut self.voice {
            voice.activity.set_agent_listens(tells.then_some(listens));
        }
    }

    /// The agent has spoken, once it is known that the latest sound was no sound of its thinking.
    pub(super) fn judge_sound(&mut self) {
        let Some(voice) = &mut self.voice else { return };
        let Some((began, ended)) = voice.unjudged_sound else { return };
        if let Some(since) = self.agents.speech_since(began, ended, &self.utterances) {
            voice.unjudged_sound = None;
            self.note_agent_output(since);
        }
    }

    fn agent_fell_silent(&mut self, last_audible_at: SessionTime) {
        self.recorder.agent_fell_silent(last_audible_at);
        self.turn_state.agent_active(last_audible_at);
        if let Some(voice) = &mut self.voice {
            voice.speaking_since = None;
            if let Some((_, ended)) = &mut voice.unjudged_sound {
                ended.get_or_insert(last_audible_at);
            }
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
            self.say_again(at);
            // Most agents greet when their session begins.
            self.about_to_greet_since = Some(at);
        }
    }

    /// Whether what the agent said is its greeting, and the first turn was lost in it: it began while the caller spoke,
    /// and agents are deaf for the first seconds of their first speech; or the agent's session itself began only then.
    /// It has listened in silence since, and has not written down what it heard.
    pub(super) fn is_lost_in_the_greeting(
        &self,
        progress: AnswerProgress,
        now: SessionTime,
    ) -> bool {
        let Some(turn) = self.turn.as_ref().filter(|turn| turn.index == 0) else { return false };
        let (Some(began), Some(said)) = (self.first_turn_at, turn.said_at) else { return false };
        let is_heard = self.utterances.caller_heard_at.is_some_and(|at| at >= began);
        // Who writes down its own words writes down what it hears too.
        let would_tell = self.agents.state().is_some() && !self.utterances.is_empty();
        if self.voice.is_none() || !would_tell || is_heard {
            return false;
        }
        let has_answered =
            matches!(progress, AnswerProgress::Complete | AnswerProgress::Unexpected);
        let session_began = self.ready_at.is_some_and(|at| (began..=said).contains(&at));
        let greeting_began = self.first_heard_at.is_some_and(|at| (began..=said).contains(&at));
        let resumes_within = self.config.settings.patience.resumes_within.micros();
        let is_quiet = |for_long: Micros| {
            self.silent_since(now).is_some_and(|since| now >= since.max(said) + for_long)
        };
        if has_answered {
            session_began && is_quiet(self.config.settings.quiet.micros())
        } else {
            (session_began || greeting_began) && is_quiet(resumes_within)
        }
    }

    /// Whether what the agent said since the first turn may still turn out to be its greeting.
    pub(super) fn may_have_greeted_only(&self, now: SessionTime) -> bool {
        let resumes_within = self.config.settings.patience.resumes_within.micros();
        self.turn.as_ref().is_some_and(|turn| {
            turn.said_at.is_some_and(|said_at| now < said_at + resumes_within)
                && turn.may_have_greeted_only(&self.utterances, &self.agents)
        })
    }

    /// The first turn was lost in the greeting: the caller says it again.
    pub(super) fn repeat_lost_turn(&mut self, now: SessionTime) {
        if let Some(at) = self.first_heard_at
            && !std::mem::replace(&mut self.greeted, true)
        {
            self.report(at, UpdateKind::Greeted);
        }
        self.say_again(now);
    }

    /// Whether the turn was said to an agent that was going, and its successor came too late for it: it has listened in
    /// silence since, if it has not only greeted.
    pub(super) fn is_lost_in_a_hand_off(&self, progress: AnswerProgress, now: SessionTime) -> bool {
        let Some(said_at) = self.turn.as_ref().and_then(|turn| turn.said_at) else { return false };
        let is_unanswered = matches!(progress, AnswerProgress::None | AnswerProgress::Resumed);
        let listens_since = self.listens_since.unwrap_or_default();
        let resumes_within = self.config.settings.patience.resumes_within.micros();
        is_unanswered
            && self.agents.is_listening()
            && self.agents.all_came_after(said_at)
            && self
                .silent_since(now)
                .is_some_and(|since| now >= since.max(said_at).max(listens_since) + resumes_within)
    }

    /// Says the open turn again, which nobody heard.
    pub(super) fn say_again(&mut self, at: SessionTime) {
        let index = self.turn.take().map_or(0, |turn| turn.index);
        if index == 0 {
            self.first_turn_at = None;
        }
        self.summary.unheard_turns += 1;
        self.stage = CallerStage::AwaitingSilence { turn: index, since: at };
    }
}
