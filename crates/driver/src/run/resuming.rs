//! A run whose process died, taken up where the journal says it stood.
//!
//! What was accepted is followed to its end. What may have been is watched for, and never sent again. A run
//! for which nothing had been sent begins anew. One whose agent was certainly sent for, and which was not
//! submitted, goes on once the agent is seen in its room. All others are given up: their agent may have been
//! sent for, and a second one must not be.

use super::ending::{EndedBy, RunEnd};
use super::preparing::SHORTEST_LOOK_GAP;
use super::state::{AgentWait, FollowState, MachineState, RunEffect, RunMachine};
use crate::replay::{ReplayedRun, ReplayedSubmission};
use crate::settings::DriverSettings;
use rushhour_core::event::{FailureClass, Outcome, RunPhase};
use rushhour_core::units::{EvaluatorRunId, SessionTime};

const CALL_DIED: &str = "the process that held its conversation died";
const NOT_SUBMITTED: &str = "the process died before it was submitted";
const NO_ANSWER: &str = "the process died before the answer to its submission was kept";

/// What became of the evaluator when the session's process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluatorFate {
    /// It is a service of its own: its runs went on.
    LivedOn,
    /// It was part of the process, and its runs died with it.
    DiedToo,
}

/// What a run that is taken up again meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AfterCrash {
    /// What became of the evaluator.
    pub(crate) fate: EvaluatorFate,
    /// The process lived until then at least.
    pub(crate) died: SessionTime,
    /// When it is taken up.
    pub(crate) now: SessionTime,
    /// Whether what was not submitted may be.
    pub(crate) may_submit: bool,
}

impl RunMachine {
    /// Takes a run up that had no outcome when the process died.
    pub(crate) fn resume(
        carried: &ReplayedRun,
        after: AfterCrash,
        settings: &DriverSettings,
        todo: &mut Vec<RunEffect>,
    ) -> Self {
        let AfterCrash { fate, died, now, may_submit } = after;
        let mut run = Self::known_as(carried);
        let sent_for =
            if settings.dispatches_by_request() { carried.dispatched } else { carried.room_made };
        match (fate, &carried.submission) {
            (EvaluatorFate::LivedOn, ReplayedSubmission::Accepted { evaluator_run, answered }) => {
                run.follow_on(carried, evaluator_run, *answered, settings, now, todo);
            }
            (EvaluatorFate::LivedOn, ReplayedSubmission::Unknown) => {
                run.state = MachineState::Submitting;
                run.perhaps_accepted(NO_ANSWER, settings, now, todo);
            }
            (_, ReplayedSubmission::NotSent) if !settings.makes_room() => {
                return Self::start(carried.planned, settings, todo);
            }
            (EvaluatorFate::LivedOn, ReplayedSubmission::NotSent)
                if may_submit && settings.wait_for_agent && sent_for.is_some() =>
            {
                run.look_for_agent_again(sent_for.unwrap_or(died), (died, now), todo);
            }
            (_, ReplayedSubmission::NotSent) => run.give_up(NOT_SUBMITTED, died, now, todo),
            (EvaluatorFate::DiedToo, _) => run.give_up(CALL_DIED, died, now, todo),
        }
        run
    }

    /// Takes a run up whose outcome is known, and whose room was not seen to go.
    pub(crate) fn clear_up(
        carried: &ReplayedRun,
        outcome: &Outcome,
        todo: &mut Vec<RunEffect>,
    ) -> Self {
        let given_up = matches!(
            outcome.class(),
            Some(FailureClass::EvaluatorTimeout | FailureClass::Cancelled)
        );
        let mut run = Self::known_as(carried);
        let call = match &carried.submission {
            ReplayedSubmission::Accepted { evaluator_run, .. } if given_up => {
                Some(evaluator_run.clone())
            }
            _ => None,
        };
        run.begin_to_clear_up(call, todo);
        run
    }

    fn known_as(carried: &ReplayedRun) -> Self {
        Self {
            planned: carried.planned,
            state: MachineState::Ready,
            agent_seen: carried.agent_seen,
            caller_seen: carried.caller_seen,
            sent_for: None,
            entered_as: None,
        }
    }

    /// Its agent was sent for and may be in its room, or still come: what is left of its time counts on.
    fn look_for_agent_again(
        &mut self,
        sent_for: SessionTime,
        (died, now): (SessionTime, SessionTime),
        todo: &mut Vec<RunEffect>,
    ) {
        let waited = died.since(sent_for);
        self.state = MachineState::AwaitingAgent(AgentWait {
            since: SessionTime(now.0.saturating_sub(waited.0)),
            not_seen_at: sent_for,
            gap: SHORTEST_LOOK_GAP,
        });
        todo.push(RunEffect::LookAt(now));
    }

    fn follow_on(
        &mut self,
        carried: &ReplayedRun,
        evaluator_run: &EvaluatorRunId,
        answered: SessionTime,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let deadline = (answered + settings.run_timeout).max(now);
        self.entered_as = Some(evaluator_run.clone());
        self.state = MachineState::Following(FollowState {
            seen: carried.seen,
            last_look: carried.last_look,
            running_since: carried
                .running_since
                .filter(|_| carried.seen == Some(RunPhase::Running)),
            ask_gap: settings.manner.poll_every,
            deadline,
            last_chance: false,
        });
        todo.push(RunEffect::AskAt(now));
        todo.push(RunEffect::WakeAt(deadline));
    }

    fn give_up(
        &mut self,
        words: &str,
        died: SessionTime,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let outcome = Outcome::failed(FailureClass::GeneratorFault, words);
        // A request that was under way when the process died may make the room after its deletion.
        todo.push(RunEffect::Revisit);
        self.end(RunEnd { outcome, after: died, seen: now, talked: None }, EndedBy::Us, todo);
    }
}
