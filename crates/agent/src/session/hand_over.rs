//! How one agent hands a conversation over to another, which is a participant of its own.

use super::agent_session::{AgentSession, Departure};
use super::step_queue::Step;
use crate::truth::AgentFact;
use crate::worker::{HandOver, SessionEnd};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_callers::participant::RemoteParticipant;
use rushhour_core::units::{Identity, Micros};
use rushhour_livekit::AgentState;

/// How long an agent stays so that its last words reach the caller: what is on its way when it leaves is lost.
const LAST_WORDS: Micros = Micros::from_millis(100);
/// How long an agent waits for the one that takes over.
const SUCCESSOR_TIMEOUT: Micros = Micros::from_secs(10);

impl AgentSession {
    /// Whether it is time to hand over once so many turns were answered. Each conversation is handed over once.
    pub(super) fn hands_over_after(&self, answered: u32) -> bool {
        let after = self.context.behaviour.hand_off.as_ref().map(|hand_off| hand_off.after_turns);
        let is_first = self.took_over_from.is_none() && self.successor.is_none();
        is_first && after.is_some_and(|turns| answered >= turns)
    }

    /// Lets another agent join. This one leaves first, or thinks until the other listens. It is deaf meanwhile.
    pub(super) fn hand_over(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(on_end) = self.on_end.take() else { return };
        let now = handle.now();
        let to = Identity::new(format!("{}-2", self.identity.as_str()));
        let gap_us = self.context.behaviour.hand_off_gap(&self.room);
        let (room, turns) = (self.room.clone(), self.answered);
        self.record(now, AgentFact::HandsOver { room, to: to.clone(), turns, gap_us });
        self.successor = Some(to.clone());
        self.set_state(&AgentState::Thinking, handle);
        let stays = if gap_us.is_some() { LAST_WORDS } else { SUCCESSOR_TIMEOUT };
        self.steps.schedule(now + stays, Step::LeaveToSuccessor);
        on_end(SessionEnd::HandedOver(Box::new(HandOver {
            to,
            since: now,
            gap: gap_us.map(|gap| stays + gap).unwrap_or_default(),
            caller: self.caller.clone(),
            turn: self.turn,
            answered: self.answered,
        })));
    }

    /// Leaves once the agent that takes over listens; one that publishes no state, once it is there.
    pub(super) fn successor_changed(
        &mut self,
        participant: &RemoteParticipant,
        handle: &mut dyn ParticipantHandle,
    ) {
        if self.departure().is_some() || self.successor.as_ref() != Some(&participant.identity) {
            return;
        }
        let listens = participant.agent_state == Some(AgentState::Listening);
        if participant.connected && (listens || !self.context.behaviour.states) {
            self.leave(Departure::HandedOver, handle);
        }
    }
}
