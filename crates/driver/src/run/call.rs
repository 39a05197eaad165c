//! A conversation that our own caller holds and tells of: first the caller in the room, then the agent.

use super::ending::{EndedBy, RunEnd};
use super::state::{MachineState, RunEffect, RunMachine};
use crate::effects::RequestTiming;
use crate::settings::DriverSettings;
use rushhour_core::evaluator::UpdateKind;
use rushhour_core::event::{EventKind, FailureClass, RunPhase};
use rushhour_core::units::{EvaluatorRunId, SessionTime};

/// A caller under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CallState {
    /// When the run has to be over.
    pub(super) deadline: SessionTime,
    /// When the agent has to be there, once it was sent for.
    pub(super) agent_deadline: Option<SessionTime>,
    /// A dispatch is under way, which would make the room anew if it were deleted before.
    pub(super) dispatching: bool,
}

impl RunMachine {
    /// The caller is on its way into the room.
    pub(super) fn calls(
        &mut self,
        evaluator_run: EvaluatorRunId,
        timing: RequestTiming,
        settings: &DriverSettings,
        todo: &mut Vec<RunEffect>,
    ) {
        let deadline = timing.answered + settings.run_timeout;
        self.entered_as = Some(evaluator_run);
        self.state =
            MachineState::Calling(CallState { deadline, agent_deadline: None, dispatching: false });
        todo.push(RunEffect::WakeAt(deadline));
        if !settings.makes_room() {
            // The token carries the agent: the caller's coming sends for it.
            self.sent_for = Some(timing.sent);
        }
        if self.caller_seen {
            // It was in the room before the answer was here.
            self.send_for_agent(settings, timing.answered, todo);
        }
    }

    fn send_for_agent(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let MachineState::Calling(call) = &mut self.state else { return };
        if settings.dispatches_by_request() {
            call.dispatching = true;
            todo.push(RunEffect::Dispatch);
        } else {
            self.await_agent(settings, now, todo);
        }
    }

    /// The caller tells something.
    pub(crate) fn told(
        &mut self,
        news: UpdateKind,
        at: SessionTime,
        joined: Option<SessionTime>,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if self.is_over() {
            return;
        }
        let run = self.planned.index;
        match news {
            UpdateKind::Joined => {
                todo.push(RunEffect::Record(EventKind::PhaseSeen {
                    run,
                    phase: RunPhase::Running,
                    status: "joined".to_owned(),
                    after: at,
                    seen: at,
                }));
                self.caller_seen = true;
                self.send_for_agent(settings, now, todo);
            }
            UpdateKind::AgentJoined { identity, .. } => {
                self.agent_seen = true;
                todo.push(RunEffect::Record(EventKind::AgentSeen {
                    run,
                    identity,
                    after: at,
                    seen: at,
                    joined,
                }));
                // At the same moment the whole run may have to be over.
                if let MachineState::Calling(call) = &mut self.state
                    && let Some(deadline) = call.agent_deadline.take()
                    && deadline != call.deadline
                {
                    todo.push(RunEffect::NoWakeAt(deadline));
                }
                self.late_unless_in_time(joined.unwrap_or(at), settings, now, todo);
            }
            UpdateKind::AgentReady => {
                todo.push(RunEffect::Record(EventKind::AgentReady { run, after: at, seen: at }));
            }
            UpdateKind::Greeted => todo.push(RunEffect::Record(EventKind::Greeted { run, at })),
            UpdateKind::Turn(turn) => todo.push(RunEffect::Record(EventKind::Turn { run, turn })),
            UpdateKind::ModelUsage(used) => {
                todo.push(RunEffect::Record(EventKind::ModelUsage { run, usage: used }));
            }
            UpdateKind::Ended { outcome, frames } => {
                if let Some(frames) = frames {
                    todo.push(RunEffect::Record(EventKind::AudioSent { run, frames }));
                }
                let ended = RunEnd { outcome, after: at, seen: at, talked: None };
                self.end(ended, EndedBy::Evaluator, todo);
            }
        }
    }

    /// The agent was sent for by a request of its own.
    pub(super) fn dispatched_into_call(
        &mut self,
        timing: RequestTiming,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        self.sent_for = Some(timing.sent);
        if let MachineState::Calling(call) = &mut self.state {
            call.dispatching = false;
        }
        self.await_agent(settings, now, todo);
    }

    fn await_agent(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if let MachineState::Calling(call) = &mut self.state
            && !self.agent_seen
        {
            let deadline = self.sent_for.unwrap_or(now) + settings.give_up_after;
            call.agent_deadline = Some(deadline);
            todo.push(RunEffect::WakeAt(deadline));
        }
    }

    fn late_unless_in_time(
        &mut self,
        came: SessionTime,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let Some(sent_for) = self.sent_for else { return };
        let after = came.since(sent_for);
        if after > settings.agent_within {
            let detail = format!(
                "the agent joined {after} after it was sent for, later than {}",
                settings.agent_within
            );
            self.fail(FailureClass::AgentLate, detail, now, todo);
        }
    }

    /// A deadline of the call may be past.
    pub(super) fn wake_in_call(
        &mut self,
        call: CallState,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if now >= call.deadline {
            let detail = format!("the conversation was not over after {}", settings.run_timeout);
            self.fail(FailureClass::EvaluatorTimeout, detail, now, todo);
        } else if call.agent_deadline.is_some_and(|deadline| now >= deadline) && !self.agent_seen {
            todo.push(RunEffect::NoWakeAt(call.deadline));
            self.state = MachineState::AskingAssigned;
            todo.push(RunEffect::AskAssigned);
        }
    }
}

#[cfg(test)]
mod tests;
