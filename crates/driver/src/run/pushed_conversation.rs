//! A conversation of a caller of our own, in this process or on a worker, which pushes updates: the caller joins first, then the agent is
//! dispatched.

use super::end_and_cleanup::{EndedBy, RunEnd};
use super::run_machine::{MachineState, RunEffect, RunMachine};
use crate::session_input::RequestTiming;
use crate::settings::DriverSettings;
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{EventKind, FailureClass, ReconnectMethod, RunPhase};
use rushhour_core::units::{EvaluatorRunId, SessionTime};

/// An accepted run whose caller pushes updates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PushedConversation {
    /// When the run must have ended.
    pub(super) deadline: SessionTime,
    /// When the agent must have joined, once it was dispatched.
    pub(super) agent_deadline: Option<SessionTime>,
    /// A dispatch is under way, which would create the room again if it were deleted before.
    pub(super) dispatching: bool,
}

impl RunMachine {
    /// The evaluator accepted the run: its caller is joining the room.
    pub(super) fn start_pushed(
        &mut self,
        evaluator_run: EvaluatorRunId,
        timing: RequestTiming,
        settings: &DriverSettings,
        effects: &mut Vec<RunEffect>,
    ) {
        let deadline = timing.answered + settings.run_timeout;
        self.evaluator_run = Some(evaluator_run);
        self.state = MachineState::Pushed(PushedConversation {
            deadline,
            agent_deadline: None,
            dispatching: false,
        });
        effects.push(RunEffect::WakeAt(deadline));
        if !settings.creates_room() {
            // The token dispatches the agent when the caller joins.
            self.agent_requested = Some(timing.sent);
        }
        if self.caller_seen {
            // The caller joined before the response arrived.
            self.request_agent(settings, timing.answered, effects);
        }
    }

    fn request_agent(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let MachineState::Pushed(conversation) = &mut self.state else { return };
        if settings.dispatches_by_request() {
            conversation.dispatching = true;
            effects.push(RunEffect::Dispatch);
        } else {
            self.await_agent(settings, now, effects);
        }
    }

    /// Takes in an update; `joined` is the server's time of an agent's join, on the session's clock.
    pub(crate) fn caller_updated(
        &mut self,
        update: CallerUpdate,
        joined: Option<SessionTime>,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        if self.has_ended() {
            return;
        }
        let CallerUpdate { run, at, within, kind } = update;
        // What another machine's clock showed is an interval.
        let (after, seen) = (at - within, at + within);
        match kind {
            UpdateKind::Joined => {
                effects.push(RunEffect::Record(EventKind::PhaseSeen {
                    run,
                    phase: RunPhase::Running,
                    status: "joined".into(),
                    after,
                    seen,
                }));
                self.caller_seen = true;
                self.request_agent(settings, now, effects);
            }
            UpdateKind::AgentJoined { identity, .. } => {
                self.agent_seen = true;
                effects.push(RunEffect::Record(EventKind::AgentSeen {
                    run,
                    identity,
                    after,
                    seen,
                    joined,
                }));
                self.stop_waiting_for_agent(effects);
                self.fail_if_late(joined.unwrap_or(at), settings, now, effects);
            }
            UpdateKind::AgentReady => {
                effects.push(RunEffect::Record(EventKind::AgentReady { run, after, seen }));
            }
            UpdateKind::HiddenAgent => {
                // It is there, though nobody can say since when.
                self.agent_seen = true;
                self.stop_waiting_for_agent(effects);
            }
            UpdateKind::Greeted => {
                effects.push(RunEffect::Record(EventKind::Greeted { run, at }));
            }
            UpdateKind::MediaPath(path) => {
                effects.push(RunEffect::Record(EventKind::MediaPath { run, path }));
            }
            UpdateKind::Turn(turn) => {
                effects.push(RunEffect::Record(EventKind::Turn { run, turn }));
            }
            UpdateKind::Reconnected(reconnect) => {
                self.caller_rejoined |= reconnect.method == ReconnectMethod::Rejoin;
                effects.push(RunEffect::Record(EventKind::Reconnected { run, reconnect }));
            }
            UpdateKind::ModelUsage(usage) => {
                effects.push(RunEffect::Record(EventKind::ModelUsage { run, usage }));
            }
            UpdateKind::RpcCalls(calls) => {
                effects.push(RunEffect::Record(EventKind::RpcCalls { run, calls }));
            }
            UpdateKind::Conversation(summary) => {
                effects.push(RunEffect::Record(EventKind::Conversation { run, summary }));
            }
            UpdateKind::Ended { outcome, frames } => {
                if let Some(frames) = frames {
                    effects.push(RunEffect::Record(EventKind::AudioSent { run, frames }));
                }
                let end = RunEnd { outcome, after, seen, conversation_duration: None };
                self.end(end, EndedBy::Evaluator, effects);
            }
        }
    }

    fn stop_waiting_for_agent(&mut self, effects: &mut Vec<RunEffect>) {
        // Where both deadlines are the same time, the run's own must stay.
        if let MachineState::Pushed(conversation) = &mut self.state
            && let Some(deadline) = conversation.agent_deadline.take()
            && deadline != conversation.deadline
        {
            effects.push(RunEffect::CancelWake(deadline));
        }
    }

    /// A request of its own has dispatched the agent.
    pub(super) fn dispatched_into_call(
        &mut self,
        timing: RequestTiming,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        self.agent_requested = Some(timing.sent);
        if let MachineState::Pushed(conversation) = &mut self.state {
            conversation.dispatching = false;
        }
        self.await_agent(settings, now, effects);
    }

    fn await_agent(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        if let MachineState::Pushed(conversation) = &mut self.state
            && !self.agent_seen
        {
            let deadline = self.agent_requested.unwrap_or(now) + settings.give_up_after;
            conversation.agent_deadline = Some(deadline);
            effects.push(RunEffect::WakeAt(deadline));
        }
    }

    fn fail_if_late(
        &mut self,
        joined: SessionTime,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let Some(requested) = self.agent_requested else { return };
        let after = joined.since(requested);
        if after > settings.agent_within {
            self.fail_late_agent(after, settings, now, effects);
        }
    }

    /// A deadline may have passed.
    pub(super) fn wake_pushed(
        &mut self,
        conversation: PushedConversation,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let agent_is_due = conversation.agent_deadline.is_some_and(|deadline| now >= deadline);
        if now >= conversation.deadline {
            let detail = format!("the conversation did not end within {}", settings.run_timeout);
            self.fail(FailureClass::EvaluatorTimeout, detail, now, effects);
        } else if agent_is_due && !self.agent_seen {
            effects.push(RunEffect::CancelWake(conversation.deadline));
            self.state = MachineState::CheckingDispatch;
            effects.push(RunEffect::CheckDispatch);
        }
    }
}

#[cfg(test)]
mod tests;
