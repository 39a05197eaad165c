//! Waiting for an agent that may be hidden: one that is there, and announced to nobody.

use std::sync::atomic::Ordering::Relaxed;

use super::caller::Caller;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::units::{Micros, SessionTime};

/// How often a caller that waits for its agent asks whether it was told of a hidden one.
const ASK_AGAIN: Micros = Micros::from_secs(1);

impl Caller {
    /// Goes on once it is certain that the agent is hidden: it was heard or read, or the server tells that it is there. One
    /// that waits for the caller gives no sign.
    pub(super) fn await_hidden_agent(&mut self, now: SessionTime) {
        let is_told = self.config.agent_is_hidden.load(Relaxed);
        if is_told || self.agents.hidden_at().is_some_and(|hidden_at| now >= hidden_at) {
            self.summary.hidden = true;
            self.report(now, UpdateKind::HiddenAgent);
            self.agent_joined(now);
        }
    }

    /// When to ask next.
    pub(super) fn asks_for_hidden_agent_at(&self, now: SessionTime) -> SessionTime {
        let again = now + ASK_AGAIN;
        self.agents.hidden_at().map_or(again, |hidden_at| hidden_at.min(again))
    }
}
