//! The moments of one run that bear on its cost. Where one is not known the dearer reading is taken.

use super::run_usage::RunUsage;
use crate::event::{FailureClass, ModelUsage, RunPhase};
use crate::units::{Micros, Mode, SessionTime};

const NOTHING_TOLD: ModelUsage = ModelUsage {
    tokens_read: None,
    tokens_cached: None,
    tokens_written: None,
    characters: None,
    spoken: None,
    heard: None,
};

/// The moments of one run that bear on its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillableTimes {
    /// How the conversation is held.
    pub mode: Mode,
    /// When the agent can first have been in the room: the last look that did not find it.
    pub agent: Option<SessionTime>,
    /// When the submission was first sent.
    pub submitted: Option<SessionTime>,
    /// When the conversation can first have begun, where it was seen to be held.
    pub running: Option<SessionTime>,
    /// When the conversation was seen to be over and judged.
    pub judging: Option<SessionTime>,
    /// Turns of a caller of our own.
    pub turns: Option<u32>,
    /// What the agent says that its models took.
    pub used: ModelUsage,
}

impl BillableTimes {
    /// Those of a run of which nothing is known yet.
    pub const fn of(mode: Mode) -> Self {
        let (agent, submitted, running, judging, turns) = (None, None, None, None, None);
        Self { mode, agent, submitted, running, judging, turns, used: NOTHING_TOLD }
    }

    /// The run was seen in a new state at the evaluator, not yet so at `after`.
    pub const fn sighted(&mut self, sighting: RunPhase, after: SessionTime, seen: SessionTime) {
        match sighting {
            RunPhase::Queued => {}
            RunPhase::Running => self.running = Some(after),
            RunPhase::Judging => self.judging = Some(seen),
        }
    }

    /// What the run took, when it ended at `ended`, for `class` where it failed, after a conversation of
    /// `talked` in the evaluator's own words.
    ///
    /// LiveKit counts an agent's minutes from its connecting to the end of the room, and none where it never
    /// connects (<https://docs.livekit.io/deploy/admin/billing>). A submission that was refused held no
    /// conversation; one of unknown fate is taken to have held one.
    pub fn usage(
        &self,
        ended: SessionTime,
        class: Option<FailureClass>,
        talked: Option<Micros>,
    ) -> RunUsage {
        let refused = matches!(
            class,
            Some(
                FailureClass::SubmitRejected
                    | FailureClass::RateLimited
                    | FailureClass::BudgetStopped
            )
        );
        let submitted = self.submitted.filter(|_| !refused);
        let since = |from: Option<SessionTime>| from.map_or(Micros::ZERO, |from| ended.since(from));
        let over = self.judging.unwrap_or(ended);
        let conversation = match (talked, self.running.or(submitted)) {
            (Some(talked), _) => talked,
            (None, Some(from)) => over.since(from),
            (None, None) => Micros::ZERO,
        };
        RunUsage {
            mode: self.mode,
            agent: since(self.agent.or(submitted)),
            caller: since(submitted),
            conversation,
            told: talked.is_some(),
            messages: self.turns,
            used: self.used,
            judged: class.is_none() && submitted.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> SessionTime {
        SessionTime(seconds * 1_000_000)
    }

    #[test]
    fn each_party_counts_from_its_own_coming() {
        let moments = BillableTimes {
            mode: Mode::Voice,
            agent: Some(at(2)),
            submitted: Some(at(5)),
            running: Some(at(10)),
            judging: Some(at(70)),
            turns: None,
            used: NOTHING_TOLD,
        };
        let usage = moments.usage(at(75), None, None);
        assert_eq!(usage.agent, Micros::from_secs(73));
        assert_eq!(usage.caller, Micros::from_secs(70));
        assert_eq!(usage.conversation, Micros::from_secs(60));
        assert!(usage.judged && !usage.told);
        let told = moments.usage(at(75), None, Some(Micros::from_secs(58)));
        assert_eq!((told.conversation, told.told), (Micros::from_secs(58), true));
    }

    #[test]
    fn what_was_refused_costs_the_agent_alone_and_what_is_unknown_costs_all() {
        let nothing = BillableTimes::of(Mode::Voice);
        let moments = BillableTimes { agent: Some(at(2)), submitted: Some(at(5)), ..nothing };
        let refused = moments.usage(at(9), Some(FailureClass::SubmitRejected), None);
        assert_eq!((refused.agent, refused.conversation), (Micros::from_secs(7), Micros::ZERO));
        let unknown = moments.usage(at(9), Some(FailureClass::SubmitUnknown), None);
        assert_eq!(unknown.conversation, Micros::from_secs(4));
        assert!(!unknown.judged);
        let never = nothing.usage(at(9), Some(FailureClass::DispatchUnassigned), None);
        assert_eq!(
            (never.agent, never.caller, never.talked()),
            (Micros::ZERO, Micros::ZERO, false)
        );
    }
}
