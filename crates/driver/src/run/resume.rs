//! A run of a crashed process, resumed from where the journal left it.
//!
//! | the journal says | the run |
//! | --- | --- |
//! | accepted by an evaluator that lives on | is polled to its end |
//! | anything, and a worker still holds its conversation | goes on, unless its agent may have been dispatched or not |
//! | submitted, acceptance unknown | is looked for in its room, and never submitted again |
//! | nothing sent for it | starts again |
//! | agent certainly dispatched, not submitted | continues once the agent is seen in the room |
//! | anything else | fails: its agent may have been dispatched, and a second one must not be |

use super::end_and_cleanup::{EndedBy, RunEnd};
use super::pushed_conversation::{CallerWait, PushedConversation, UPDATES_WITHIN};
use super::run_machine::{AgentWait, MachineState, PolledConversation, RunEffect, RunMachine};
use crate::replay::{ReplayedRun, ReplayedSubmission};
use crate::settings::DriverSettings;
use rushhour_core::event::{FailureClass, Outcome, RunPhase};
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};

const CALLER_LOST: &str = "the process that ran its conversation crashed";
const NOT_SUBMITTED: &str = "the process crashed before the run was submitted";
const NO_RESPONSE: &str = "the process crashed before the response to its submission was recorded";

/// Whether the evaluator outlives the session's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluatorLifetime {
    /// It is a service: its runs went on after the crash.
    Independent,
    /// It was part of the process: its runs ended with the crash.
    InProcess,
    /// A worker still holds the conversation, or its last updates.
    Held,
}

/// What a run needs to know of the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResumeContext {
    pub(crate) evaluator: EvaluatorLifetime,
    /// The time of the journal's last event: the process lived until then at least.
    pub(crate) crashed: SessionTime,
    pub(crate) now: SessionTime,
    /// Whether runs that were not submitted may be.
    pub(crate) may_submit: bool,
}

impl RunMachine {
    /// Resumes a run without an outcome.
    pub(crate) fn resume(
        replayed: &ReplayedRun,
        context: ResumeContext,
        settings: &DriverSettings,
        effects: &mut Vec<RunEffect>,
    ) -> Self {
        let mut run = Self::from_replayed(replayed);
        let agent_requested = if settings.dispatches_by_request() {
            replayed.dispatched
        } else {
            replayed.room_created
        };
        match (context.evaluator, &replayed.submission) {
            (EvaluatorLifetime::Held, submission) => {
                let answered = match submission {
                    ReplayedSubmission::Accepted { answered, .. } => *answered,
                    ReplayedSubmission::NotSent | ReplayedSubmission::Unknown => context.now,
                };
                run.resume_held(replayed, answered, agent_requested, context, settings, effects);
            }
            (
                EvaluatorLifetime::Independent,
                ReplayedSubmission::Accepted { evaluator_run, answered },
            ) => {
                let deadline = (*answered + settings.run_timeout).max(context.now);
                let poll_gap = settings.evaluator.poll_every;
                run.evaluator_run = Some(evaluator_run.clone());
                run.state = MachineState::Polled(replayed.conversation(deadline, poll_gap));
                effects.push(RunEffect::PollStatusAt(context.now));
                effects.push(RunEffect::WakeAt(deadline));
            }
            (EvaluatorLifetime::Independent, ReplayedSubmission::Unknown) => {
                run.state = MachineState::Submitting;
                run.probe_submission(NO_RESPONSE, settings, context.now, effects);
            }
            (_, ReplayedSubmission::NotSent) if !settings.creates_room() => {
                return Self::start(replayed.planned, settings, effects);
            }
            (EvaluatorLifetime::Independent, ReplayedSubmission::NotSent)
                if context.may_submit
                    && settings.wait_for_agent
                    && let Some(requested) = agent_requested =>
            {
                run.resume_agent_wait(requested, context, effects);
            }
            (_, ReplayedSubmission::NotSent) => run.give_up(NOT_SUBMITTED, context, effects),
            (EvaluatorLifetime::InProcess, _) => run.give_up(CALLER_LOST, context, effects),
        }
        run
    }

    /// Resumes the cleanup of a run whose outcome is known.
    pub(crate) fn resume_cleanup(
        replayed: &ReplayedRun,
        outcome: &Outcome,
        effects: &mut Vec<RunEffect>,
    ) -> Self {
        let call_may_go_on = matches!(
            outcome.class(),
            Some(
                FailureClass::EvaluatorTimeout
                    | FailureClass::StatusUnknown
                    | FailureClass::Cancelled
            )
        );
        let call: Option<EvaluatorRunId> = match &replayed.submission {
            ReplayedSubmission::Accepted { evaluator_run, .. } if call_may_go_on => {
                Some(evaluator_run.clone())
            }
            _ => None,
        };
        let mut run = Self::from_replayed(replayed);
        run.start_cleanup(call, effects);
        run
    }

    fn from_replayed(replayed: &ReplayedRun) -> Self {
        Self {
            planned: replayed.planned,
            state: MachineState::Ready,
            agent_seen: replayed.agent_seen,
            caller_seen: replayed.caller_seen,
            caller_rejoined: false,
            agent_requested: None,
            evaluator_run: None,
            livekit_refusals: 0,
            probe_gap: Micros::ZERO,
            poll_trouble: None,
        }
    }

    /// A worker holds its conversation: its further updates come by themselves.
    fn resume_held(
        &mut self,
        replayed: &ReplayedRun,
        answered: SessionTime,
        requested: Option<SessionTime>,
        context: ResumeContext,
        settings: &DriverSettings,
        effects: &mut Vec<RunEffect>,
    ) {
        let least = context.now + UPDATES_WITHIN;
        let deadline = (answered + settings.run_timeout).max(least);
        let call = match &replayed.submission {
            ReplayedSubmission::Accepted { evaluator_run, .. } => evaluator_run.clone(),
            _ => EvaluatorRunId::of_native(replayed.planned.index),
        };
        self.evaluator_run = Some(call);
        // The token dispatches the agent, and how long the caller took is not the agent's fault.
        let by_token = Some(answered).max(replayed.running_since);
        self.agent_requested = requested.or(by_token.filter(|_| !settings.creates_room()));
        self.caller_seen = replayed.phase == Some(RunPhase::Running);
        let is_waited_for = self.caller_seen && !self.agent_seen;
        let agent_deadline = self.agent_requested.filter(|_| is_waited_for);
        let agent_deadline = agent_deadline.map(|at| (at + settings.give_up_after).max(least));
        let agent_wait = agent_deadline.map(CallerWait::until);
        self.state = MachineState::Pushed(PushedConversation {
            deadline,
            agent_wait,
            dispatching: false,
            postponed: 0,
        });
        effects.push(RunEffect::WakeAt(deadline));
        effects.extend(agent_deadline.filter(|at| *at != deadline).map(RunEffect::WakeAt));
        if settings.dispatches_by_request() && self.caller_seen && replayed.dispatched.is_none() {
            // The request may have been under way, and a second agent must not come.
            let detail = "the process crashed while the agent was dispatched";
            self.fail(FailureClass::GeneratorFault, detail, context.now, effects);
        }
    }

    /// The agent may have joined, or may still: only the time before the crash counts as waited.
    fn resume_agent_wait(
        &mut self,
        requested: SessionTime,
        context: ResumeContext,
        effects: &mut Vec<RunEffect>,
    ) {
        let waited = context.crashed.since(requested);
        self.state = MachineState::AwaitingAgent(AgentWait {
            since: SessionTime(context.now.0.saturating_sub(waited.0)),
            last_absent: requested,
            refused: 0,
        });
        effects.push(RunEffect::PollRoomAt(context.now));
    }

    fn give_up(&mut self, detail: &str, context: ResumeContext, effects: &mut Vec<RunEffect>) {
        // A request that was under way at the crash may create the room after its deletion: it is deleted later too.
        let outcome = Outcome::failed(FailureClass::GeneratorFault, detail);
        let end = RunEnd {
            outcome,
            after: context.crashed,
            seen: context.now,
            conversation_duration: None,
        };
        self.end(end, EndedBy::Driver, effects);
    }
}

impl ReplayedRun {
    fn conversation(&self, deadline: SessionTime, poll_gap: Micros) -> PolledConversation {
        PolledConversation {
            phase: self.phase,
            last_seen_open: self.last_seen_open,
            running_since: self.running_since.filter(|_| self.phase == Some(RunPhase::Running)),
            poll_gap,
            deadline,
            final_poll: false,
        }
    }
}
