//! How a conversation ends: by the script, by the agent, or by what happened to the room.

use super::agents::AgentActivity;
use super::caller::{Caller, CallerStage};
use super::leave_outcome::outcome_of;
use crate::engine::{LeaveReason, ParticipantHandle};
use crate::participant::{DepartureReason, DisconnectError};
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{ConversationEnd, FailureClass, Outcome, ResponsibleParty, TurnEnding};
use rushhour_core::units::{ForeignText, Micros, SessionTime};

/// What is heard of an agent when it leaves is complete: nothing follows, not even the pause that ends speech.
const AFTER_THE_END: Micros = Micros::from_secs(1);

impl Caller {
    /// The last agent left.
    pub(super) fn agent_left(&mut self, was_in_sentence: bool, handle: &mut dyn ParticipantHandle) {
        let Some(departed) = self.agents.departed.clone() else { return };
        self.died_in_sentence = was_in_sentence && departed.reason == DepartureReason::Lost;
        // An agent may hang up once it has said goodbye.
        if departed.reason != DepartureReason::Lost && self.is_script_over(departed.at) {
            self.summary.ended = ConversationEnd::HungUp;
            self.complete(handle);
        }
    }

    /// The agent left, and no other has taken its place.
    pub(super) fn agent_is_gone(&mut self, now: SessionTime, handle: &mut dyn ParticipantHandle) {
        let (ended, detail) = self.departure_words(now);
        self.summary.ended = ended;
        self.fail(FailureClass::AgentLeft, detail, handle);
    }

    /// What it means that the agent left before the script was over.
    fn departure_words(&self, now: SessionTime) -> (ConversationEnd, String) {
        let reason = self.agents.departed.as_ref().map(|departed| departed.reason);
        let moment = self.moment();
        match reason.unwrap_or(DepartureReason::Unknown) {
            DepartureReason::Left => (
                ConversationEnd::HungUpEarly,
                format!("the agent hung up {moment}: it left the room"),
            ),
            DepartureReason::Lost => {
                let left_at = self.agents.departed.as_ref().map_or(now, |departed| departed.at);
                let silent = left_at.since(self.last_sign_of_life());
                let detail = format!(
                    "the agent's process is gone {moment}: the server lost its connection; it was last active {silent} before"
                );
                (ConversationEnd::ProcessGone, detail)
            }
            DepartureReason::Removed => {
                (ConversationEnd::Removed, format!("the agent was removed from the room {moment}"))
            }
            DepartureReason::Unknown | DepartureReason::RoomDeleted => {
                (ConversationEnd::HungUpEarly, format!("the agent left the room {moment}"))
            }
        }
    }

    /// Where in the script the conversation is, such as "after turn 2 of 5".
    fn moment(&self) -> String {
        let turns = self.config.script.turns.len();
        match (&self.turn, self.stage) {
            // It was to be said again.
            (None, CallerStage::AwaitingSilence { turn, .. }) if turn > 0 => {
                format!("after turn {turn} of {turns}")
            }
            (None, _) => "before the first turn".to_owned(),
            (Some(turn), CallerStage::AwaitingSilence { .. }) => {
                format!("after turn {} of {turns}", self.config.script.number_of(turn.index))
            }
            (Some(turn), _) => {
                format!("in turn {} of {turns}", self.config.script.number_of(turn.index))
            }
        }
    }

    /// When the agent was last heard or read, told something of itself, or at least sent silence.
    pub(super) fn last_sign_of_life(&self) -> SessionTime {
        let packet = self.voice.as_ref().and_then(|voice| voice.last_packet_at);
        self.turn_state.last_sign().max(packet.unwrap_or(SessionTime::START))
    }

    /// Until when the agent had the word in a turn that is over `now`, if the caller waited in vain for more of it.
    pub(super) fn awaited_until(
        &self,
        ending: TurnEnding,
        now: SessionTime,
    ) -> Option<SessionTime> {
        if ending.is_answered() {
            // An answer that is over leaves the caller with the next word, but not while the agent thinks or has a tool;
            // the last tool of an agent that hangs up does so.
            let thought = self.agents.states.thought_until(now);
            let held_back = thought.max(self.tool_calls.held_back_until(now));
            return held_back.filter(|_| !self.has_whole_answer);
        }
        Some(self.agents.departed.as_ref().map_or(now, |departed| departed.at))
    }

    /// Whether the agent is in the middle of a sentence, as far as it says.
    pub(super) fn is_in_sentence(&self, now: SessionTime) -> bool {
        let signs = self.signs(now);
        signs.is_writing || signs.is_audible || signs.activity == AgentActivity::Speaking
    }

    /// Whether the agent has answered the last turn, now that nothing more will come from it.
    fn is_script_over(&mut self, at: SessionTime) -> bool {
        let turns = self.config.script.turns.len();
        self.is_answer_whole(at)
            && self.turn.as_ref().is_some_and(|turn| self.after(turn.index) == turns)
    }

    /// Whether the agent has answered the open turn, now that nothing more will come from it.
    fn is_answer_whole(&mut self, at: SessionTime) -> bool {
        let was_audible = self.is_agent_speaking();
        let edges =
            self.voice.as_mut().map(|voice| voice.activity.handle_timeout(at + AFTER_THE_END));
        self.handle_speech(edges.unwrap_or_default());
        self.find_answer();
        // Only a transcript that is complete tells that the last word was heard; in chat, so does a state: the end of
        // the stream may be lost with the room.
        let began = self.turn.as_ref().and_then(|turn| turn.answer_began);
        let listens = self.voice.is_none()
            && self.agents.is_listening()
            && began.is_some()
            && self.listens_since >= began;
        let is_cut = (self.utterances.is_writing() && !listens)
            || (was_audible && self.utterances.is_empty());
        let is_answered = self.turn.as_ref().is_some_and(|turn| {
            turn.answer_began.is_some() && (turn.answer_ended.is_some() || listens)
        });
        self.has_whole_answer = is_answered && !is_cut;
        self.has_whole_answer
    }

    /// The caller is out of the room: reports how the conversation ended.
    pub(super) fn end(&mut self, reason: &LeaveReason, at: SessionTime) {
        if self.outcome.is_none() {
            self.outcome = Some(self.outcome_of_leaving(reason, at));
        }
        self.break_off_turn(at);
        self.record_cuts();
        let outcome = self.outcome.take().expect("it was set above");
        self.recorder.finish(&outcome, at, &self.utterances);
        if let Some(used) = self.model_usage {
            self.report(at, UpdateKind::ModelUsage(used));
        }
        let calls = std::mem::take(&mut self.rpc_calls);
        if !calls.is_empty() {
            self.report(at, UpdateKind::RpcCalls(calls));
        }
        self.summary.hand_offs = self.agents.hand_offs;
        self.summary.last_active = Some(self.last_sign_of_life()).filter(|_| self.was_heard);
        self.summary.agent_connection = self.agent_connection.until(at);
        self.summary.caller_connection = self.own_connection.until(at);
        self.summary.received = self.voice.as_ref().and_then(|voice| voice.reception.received());
        if self.summary.says_anything() {
            self.report(at, UpdateKind::Conversation(self.summary));
        }
        self.report(at, UpdateKind::Ended { outcome, frames: self.frames_sent() });
    }

    fn outcome_of_leaving(&mut self, reason: &LeaveReason, at: SessionTime) -> Outcome {
        match reason {
            LeaveReason::Disconnected(DisconnectError::RoomDeleted) => self.room_deleted(at),
            LeaveReason::ClientInitiated => {
                self.summary.ended = ConversationEnd::Stopped;
                outcome_of(reason)
            }
            LeaveReason::Disconnected(_) => {
                self.summary.ended = ConversationEnd::ConnectionLost;
                outcome_of(reason)
            }
            LeaveReason::JoinFailed(_) => outcome_of(reason),
        }
    }

    /// The room is gone, and it was not Rushhour that deleted it: it does so after the end.
    fn room_deleted(&mut self, at: SessionTime) -> Outcome {
        // The server closes the signal connection and the peer connections of a deleted room one after the other.
        self.outages.forget_current();
        if self.is_script_over(at) {
            // An agent may end the call by deleting the room once it has said goodbye.
            self.summary.ended = ConversationEnd::RoomDeletedByAgent;
            self.close_turn(true, at);
            return self.completed();
        }
        if self.agents.departed.is_some() {
            self.summary.ended = ConversationEnd::HungUpEarly;
            let detail = format!("{}, and the room was deleted", self.departure_words(at).1);
            let (class, detail) = self.excused(FailureClass::AgentLeft, detail.into(), at);
            return Outcome::failed(class, detail);
        }
        self.summary.ended = ConversationEnd::RoomDeleted;
        let moment = self.moment();
        if self.agents.count() == 0 && !self.was_heard {
            let detail = format!(
                "the room was deleted during the conversation, {moment}, before an agent was in it"
            );
            return Outcome::failed(FailureClass::RoomFailed, detail);
        }
        // The ready-made tools for ending a call do so, and in chat nothing else is seen of them.
        let detail =
            format!("the agent, or somebody else but not Rushhour, deleted the room {moment}");
        let (class, detail) = self.excused(FailureClass::AgentLeft, detail.into(), at);
        Outcome::failed(class, detail)
    }

    /// The conversation is over as the script has it.
    pub(super) fn complete(&mut self, handle: &mut dyn ParticipantHandle) {
        self.close_turn(true, handle.now());
        self.outcome = Some(self.completed());
        self.stage = CallerStage::Done;
        handle.leave();
    }

    fn completed(&self) -> Outcome {
        let has_expectations = self.config.script.has_expectations();
        Outcome::Completed { judged: self.as_expected.filter(|_| has_expectations) }
    }

    pub(super) fn fail_turn(
        &mut self,
        class: FailureClass,
        detail: String,
        handle: &mut dyn ParticipantHandle,
    ) {
        if let Some(turn) = self.turn.take() {
            self.summary.ignored_interruptions += u32::from(self.is_interruption_ignored(&turn));
            self.report_turn(&turn, TurnEnding::TimedOut, None, handle.now());
        }
        self.fail(class, detail, handle);
    }

    /// The conversation has failed: leaves the room.
    pub(super) fn fail(
        &mut self,
        class: FailureClass,
        detail: impl Into<ForeignText>,
        handle: &mut dyn ParticipantHandle,
    ) {
        if self.outcome.is_none() {
            let (class, mut detail) = self.excused(class, detail.into(), handle.now());
            if class == FailureClass::ConnectionLost && !self.agents.never_had_media() {
                self.summary.ended = ConversationEnd::ConnectionLost;
            }
            if class == FailureClass::TurnTimeout {
                detail = format!("{detail}{}", self.sound_words()).into();
            }
            let heard_nothing =
                matches!(class, FailureClass::TurnTimeout | FailureClass::AgentMute);
            let unheard = self.agents.unheard_tracks();
            for remark in self
                .agents
                .remark(self.voice.is_some())
                .into_iter()
                .chain(unheard.filter(|_| heard_nothing && self.voice.is_some()))
            {
                detail = format!("{detail}; {remark}").into();
            }
            self.outcome = Some(Outcome::failed(class, detail));
        }
        self.break_off_turn(handle.now());
        self.stage = CallerStage::Done;
        handle.leave();
    }

    /// What failed because the agent's media was never connected, or while the caller's connection was away, or because of
    /// what it missed then, is not the agent's fault.
    fn excused(
        &self,
        class: FailureClass,
        detail: ForeignText,
        now: SessionTime,
    ) -> (FailureClass, ForeignText) {
        let is_agents = class.party() == ResponsibleParty::Agent;
        if is_agents && self.agents.never_had_media() {
            let detail = format!(
                "{detail}; LiveKit let the agent in, and never connected its media: look at the server's ports and at the agent's network"
            );
            return (FailureClass::ConnectionLost, detail.into());
        }
        let since = self.turn.as_ref().map_or(SessionTime::START, |turn| turn.began);
        if !is_agents || !self.outages.may_have_caused(since, now) {
            return (class, detail);
        }
        let detail = format!("{detail}; the caller's own connection had been lost meanwhile");
        (FailureClass::ConnectionLost, detail.into())
    }

    /// Nobody can hear what is encrypted: all its noise would pass for speech.
    pub(super) fn refuse_encrypted_audio(&mut self, handle: &mut dyn ParticipantHandle) {
        if self.voice.is_some() && self.stage != CallerStage::Done && self.agents.is_encrypted() {
            self.summary.ended = ConversationEnd::Encrypted;
            let detail = "our callers cannot hear this agent";
            self.fail(FailureClass::EvaluatorFailed, detail, handle);
        }
    }

    /// Reports the open turn, if any, as broken off; or as answered, if the agent had answered before it was gone, or
    /// only silence was still awaited.
    pub(super) fn break_off_turn(&mut self, now: SessionTime) {
        if self.has_whole_answer {
            self.close_turn(true, now);
        } else if matches!(self.stage, CallerStage::AwaitingSilence { .. })
            && !self.died_in_sentence
        {
            self.close_turn(false, now);
        } else {
            self.find_answer();
            if let Some(turn) = self.turn.take() {
                self.report_turn(&turn, TurnEnding::BrokenOff, None, now);
            }
        }
    }
}
