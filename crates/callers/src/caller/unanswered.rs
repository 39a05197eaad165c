//! A turn that the agent does not answer in time: whether it is slow, its session was closed, or its process is gone.

use super::agents::AgentActivity;
use super::caller::{Caller, CallerStage};
use super::open_turn::{AnswerProgress, OpenTurn};
use crate::data::SessionQuestion;
use crate::engine::ParticipantHandle;
use rushhour_core::event::{ConversationEnd, FailureClass};
use rushhour_core::units::{Micros, SessionTime};

/// How long the agent's session has to answer a request.
const SESSION_TIMEOUT: Micros = Micros::from_secs(2);
/// The server tells that it lost a participant 21 to 22 s after its process was killed (livekit-server 1.13.5: ICE is
/// disconnected after 10 s, has failed after 5 s more, and is cleaned up after another 5 s).
const LOST_WITHIN: Micros = Micros::from_secs(25);

impl Caller {
    /// No answer came in time. Where the agent's session can be asked, it first says whether it is still there; and where
    /// the agent may be dead, the server does.
    pub(super) fn ask_for_an_answer(
        &mut self,
        now: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        // After an outage, silence says nothing of the session.
        let may_ask = !self.outages.may_have_caused(SessionTime::START, now);
        let asks = may_ask && self.session_probe.ask();
        if asks {
            Self::ask_session(SessionQuestion::Ping, handle);
        }
        if asks || (may_ask && self.has_vanished(now)) {
            self.stage = CallerStage::AskingSession { asked_at: now };
        } else {
            self.no_answer(None, handle);
        }
    }

    /// Until when a session that was asked at `asked_at` is waited for. It has 2 s, unless all that is seen is what a
    /// killed process leaves behind: then the server has the time to tell that it lost it.
    pub(super) fn gives_session_up_at(
        &self,
        asked_at: SessionTime,
        now: SessionTime,
    ) -> SessionTime {
        let last_sign = self.last_sign_of_life();
        let is_alive = self.session_probe.has_answered() || last_sign > asked_at;
        let seems_dead = match &self.voice {
            Some(_) => self.has_vanished(now),
            None => !is_alive,
        };
        match (self.session_probe.has_answered(), seems_dead) {
            (true, _) => asked_at,
            (false, true) => (last_sign + LOST_WITHIN).max(asked_at + SESSION_TIMEOUT),
            (false, false) => asked_at + SESSION_TIMEOUT,
        }
    }

    /// Whether nothing comes on the agent's track any more, not even silence, although it is still published.
    fn has_vanished(&self, now: SessionTime) -> bool {
        self.signs(now).has_stopped_sending && self.agents.audio_tracks().next().is_some()
    }

    /// Gives the open turn up. `asked_at` is when the agent's session, or the server, was asked for a sign of life.
    pub(super) fn no_answer(
        &mut self,
        asked_at: Option<SessionTime>,
        handle: &mut dyn ParticipantHandle,
    ) {
        let now = handle.now();
        let went_on = self.find_answer() == AnswerProgress::Resumed;
        let class =
            if self.was_heard { FailureClass::TurnTimeout } else { FailureClass::AgentMute };
        let Some(turn) = &self.turn else { return };
        let within = self.within_of(turn.index);
        let number = self.config.script.number_of(turn.index);
        let mut detail = format!("no answer to turn {number} within {within}");
        let is_gone = self.session_probe.is_gone();
        if is_gone {
            let waited = now.since(asked_at.unwrap_or(now));
            detail = format!(
                "{detail}; its session did not answer within {waited} while the participant stayed in the room: it was closed, or hangs"
            );
        }
        if self.signs(now).has_stopped_sending {
            detail.push_str("; its track sends nothing any more, not even silence");
        } else if !is_gone {
            detail.push_str(&self.what_it_did_instead(turn, went_on));
        }
        if is_gone {
            self.summary.ended = ConversationEnd::SessionClosed;
        }
        self.fail_turn(class, detail, handle);
    }

    /// What an agent did that gave no answer, as the end of a sentence. `went_on` tells whether it only went on with what
    /// it had been saying before.
    fn what_it_did_instead(&self, turn: &OpenTurn, went_on: bool) -> String {
        let is_busy =
            matches!(self.agents.activity(), AgentActivity::Thinking | AgentActivity::Speaking);
        let remark = if turn.interruption.is_some_and(|one| one.resumed) {
            "; it took the interruption for none, and went on with its sentence"
        } else if went_on && turn.index == 0 {
            "; what it said then had begun before the turn, as a greeting does"
        } else if self.is_interruption_ignored(turn) {
            "; it did not yield to the interruption"
        } else if turn.has_only_sounds_of_thinking(&self.utterances, &self.agents) {
            "; what was heard of it came while it told `thinking`"
        } else if is_busy {
            return self.state_words();
        } else {
            ""
        };
        remark.to_owned()
    }
}
