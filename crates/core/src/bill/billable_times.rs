//! The times of one run that affect its cost. If one is unknown, the more expensive reading counts.

use super::run_usage::RunUsage;
use crate::event::{FailureClass, ModelUsage, RunPhase};
use crate::units::{Micros, Mode, SessionTime};

const NOTHING_REPORTED: ModelUsage = ModelUsage {
    tokens_read: None,
    tokens_cached: None,
    tokens_written: None,
    characters: None,
    spoken: None,
    heard: None,
};

/// The times of one run that affect its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillableTimes {
    /// The mode of the conversation.
    pub mode: Mode,
    /// The earliest time at which the agent can have joined: the last room poll without it.
    pub agent: Option<SessionTime>,
    /// When the submission was first sent.
    pub submitted: Option<SessionTime>,
    /// The earliest time at which the conversation can have begun, if it was seen in progress.
    pub running: Option<SessionTime>,
    /// When the conversation was first seen in judging.
    pub judging: Option<SessionTime>,
    /// The number of turns, with native callers.
    pub turns: Option<u32>,
    /// What the agent reports about the use of its models.
    pub model_usage: ModelUsage,
}

impl BillableTimes {
    /// The times of a run that has just started.
    pub const fn new(mode: Mode) -> Self {
        let (agent, submitted, running, judging, turns) = (None, None, None, None, None);
        Self { mode, agent, submitted, running, judging, turns, model_usage: NOTHING_REPORTED }
    }

    /// Records that the run was seen in a new phase at `seen`, and not yet at `after`.
    pub(crate) const fn phase_seen(
        &mut self,
        phase: RunPhase,
        after: SessionTime,
        seen: SessionTime,
    ) {
        match phase {
            RunPhase::Queued => {}
            RunPhase::Running => self.running = Some(after),
            RunPhase::Judging => self.judging = Some(seen),
        }
    }

    /// What the run used, if it ended at `ended`: with `class` if it failed, and after a conversation of
    /// `reported` according to the evaluator.
    ///
    /// LiveKit bills an agent's minutes from its connection to the end of the room, and none if it never
    /// connects (<https://docs.livekit.io/deploy/admin/billing>). A rejected submission has no conversation;
    /// one whose fate is unknown counts as if it had one.
    pub fn usage(
        &self,
        ended: SessionTime,
        class: Option<FailureClass>,
        reported: Option<Micros>,
    ) -> RunUsage {
        let rejected = matches!(
            class,
            Some(
                FailureClass::SubmitRejected
                    | FailureClass::RateLimited
                    | FailureClass::BudgetStopped
            )
        );
        let submitted = self.submitted.filter(|_| !rejected);
        let since = |from: Option<SessionTime>| from.map_or(Micros::ZERO, |from| ended.since(from));
        let over = self.judging.unwrap_or(ended);
        let conversation = match (reported, self.running.or(submitted)) {
            (Some(reported), _) => reported,
            (None, Some(from)) => over.since(from),
            (None, None) => Micros::ZERO,
        };
        RunUsage {
            mode: self.mode,
            agent: since(self.agent.or(submitted)),
            caller: since(submitted),
            conversation,
            conversation_reported: reported.is_some(),
            messages: self.turns,
            model_usage: self.model_usage,
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
    fn each_participant_is_billed_from_its_own_join() {
        let times = BillableTimes {
            mode: Mode::Voice,
            agent: Some(at(2)),
            submitted: Some(at(5)),
            running: Some(at(10)),
            judging: Some(at(70)),
            turns: None,
            model_usage: NOTHING_REPORTED,
        };
        let usage = times.usage(at(75), None, None);
        assert_eq!(usage.agent, Micros::from_secs(73));
        assert_eq!(usage.caller, Micros::from_secs(70));
        assert_eq!(usage.conversation, Micros::from_secs(60));
        assert!(usage.judged && !usage.conversation_reported);
        let reported = times.usage(at(75), None, Some(Micros::from_secs(58)));
        assert_eq!(reported.conversation, Micros::from_secs(58));
        assert!(reported.conversation_reported);
    }

    #[test]
    fn a_rejected_submission_costs_the_agent_alone_and_an_unknown_one_everything() {
        let started = BillableTimes::new(Mode::Voice);
        let times = BillableTimes { agent: Some(at(2)), submitted: Some(at(5)), ..started };
        let rejected = times.usage(at(9), Some(FailureClass::SubmitRejected), None);
        assert_eq!((rejected.agent, rejected.conversation), (Micros::from_secs(7), Micros::ZERO));
        let unknown = times.usage(at(9), Some(FailureClass::SubmitUnknown), None);
        assert_eq!(unknown.conversation, Micros::from_secs(4));
        assert!(!unknown.judged);
        let never = started.usage(at(9), Some(FailureClass::DispatchUnassigned), None);
        assert_eq!(
            (never.agent, never.caller, never.had_conversation()),
            (Micros::ZERO, Micros::ZERO, false)
        );
    }
}
