//! A conversation of a caller of our own, in this process or on a worker, which pushes updates: the caller joins first, then the agent is
//! dispatched.

use super::end_and_cleanup::{EndedBy, RunEnd};
use super::run_machine::{MachineState, RunEffect, RunMachine};
use crate::session_input::{DispatchCheck, RequestTiming};
use crate::settings::DriverSettings;
use rushhour_core::evaluator::{CallerUpdate, UpdateKind};
use rushhour_core::event::{EventKind, FailureClass, ReconnectMethod, RunPhase};
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};

/// How long updates from before may take to arrive, once a caller is in its room or its worker was found again: nobody
/// is late before. A server tells a newcomer up to 3 s later of others.
pub(super) const UPDATES_WITHIN: Micros = Micros::from_secs(5);
/// A process that wakes so much too late stood still, and takes as long to read what came meanwhile.
const STOOD_STILL: Micros = Micros::from_secs(1);
/// How often that puts off what is due in a conversation: each run ends, also where the process stands still again and
/// again.
const MOST_POSTPONED: u32 = 5;
/// From a caller that was not heard of to the next time that it is asked for. A worker is heard of every second.
const HEAR_AGAIN: Micros = Micros::from_secs(1);

/// An accepted run whose caller pushes updates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PushedConversation {
    /// When the run must have ended.
    pub(super) deadline: SessionTime,
    /// Waiting for the agent, once it was dispatched.
    pub(super) agent_wait: Option<CallerWait>,
    /// A dispatch is under way, which would create the room again if it were deleted before.
    pub(super) dispatching: bool,
    /// How often what was due was put off, because the process had stood still.
    pub(super) postponed: u32,
}

/// Waiting until the caller sees the agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CallerWait {
    /// When the agent must have joined.
    pub(super) deadline: SessionTime,
    /// When to look whether it has.
    pub(super) wake: SessionTime,
}

impl CallerWait {
    pub(super) const fn until(deadline: SessionTime) -> Self {
        Self { deadline, wake: deadline }
    }
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
            agent_wait: None,
            dispatching: false,
            postponed: 0,
        });
        effects.push(RunEffect::WakeAt(deadline));
        if !settings.creates_room() {
            // The token dispatches the agent when the caller joins, which may have happened.
            self.agent_requested = self.agent_requested.max(Some(timing.sent));
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
                if !settings.creates_room() {
                    // How long the caller took is not the agent's fault.
                    self.agent_requested = self.agent_requested.max(Some(after));
                }
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
                // The server's clock may be off; no agent joined after it was seen.
                let joined = joined.map_or(after, |joined| joined.min(seen));
                self.fail_if_late(joined, settings, now, effects);
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

    /// Goes on with an agent that the caller did not see, where the server lists it as hidden: the caller is told, since an
    /// agent that waits for it gives no sign. Returns whether the server does.
    pub(super) fn converse_with_hidden(
        &mut self,
        conversation: PushedConversation,
        check: &DispatchCheck,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) -> bool {
        let agent = check.present.as_ref().and_then(|present| present.agent.as_ref());
        if self.agent_seen || !agent.is_some_and(|agent| agent.hidden) {
            return false;
        }
        let Some(evaluator_run) = self.evaluator_run.clone() else { return false };
        self.agent_seen = true;
        self.state = MachineState::Pushed(conversation);
        effects.push(RunEffect::WakeAt(conversation.deadline));
        if let Some(joined) = check.joined {
            self.fail_if_late(joined.min(now), settings, now, effects);
        }
        if !self.has_ended() {
            effects.push(RunEffect::TellHiddenAgent(evaluator_run));
        }
        true
    }

    fn stop_waiting_for_agent(&mut self, effects: &mut Vec<RunEffect>) {
        match &mut self.state {
            MachineState::Pushed(conversation) => {
                // Where both wake-ups are at the same time, the run's own must stay.
                if let Some(wait) = conversation.agent_wait.take()
                    && wait.wake != conversation.deadline
                {
                    effects.push(RunEffect::CancelWake(wait.wake));
                }
            }
            MachineState::CheckingDispatch(Some(conversation)) => {
                let conversation = *conversation;
                self.state = MachineState::Pushed(conversation);
                effects.push(RunEffect::WakeAt(conversation.deadline));
            }
            _ => {}
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
            let requested = self.agent_requested.unwrap_or(now);
            let least = now + UPDATES_WITHIN.min(settings.give_up_after);
            let deadline = (requested + settings.give_up_after).max(least);
            conversation.agent_wait = Some(CallerWait::until(deadline));
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

    /// A deadline may have passed: asks until when the caller was heard, since nobody is late whom it could not tell of.
    pub(super) fn wake_pushed(
        &mut self,
        mut conversation: PushedConversation,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let due = match &mut conversation.agent_wait {
            _ if now >= conversation.deadline => &mut conversation.deadline,
            Some(wait) if now >= wait.wake => &mut wait.wake,
            _ => return,
        };
        if conversation.postponed >= MOST_POSTPONED || now.since(*due) < STOOD_STILL {
            effects.extend(self.evaluator_run.clone().map(RunEffect::HearCaller));
            return;
        }
        let wake = now + STOOD_STILL;
        *due = wake;
        conversation.postponed += 1;
        self.state = MachineState::Pushed(conversation);
        effects.push(RunEffect::WakeAt(wake));
    }

    /// Everything that the caller saw until a time was heard: decides about what is due.
    pub(crate) fn caller_heard(
        &mut self,
        until: SessionTime,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let MachineState::Pushed(mut conversation) = self.state else { return };
        if now >= conversation.deadline {
            self.fail_overdue(until, settings, now, effects);
            return;
        }
        let Some(wait) = conversation.agent_wait.filter(|wait| now >= wait.wake) else { return };
        if until >= wait.deadline {
            effects.push(RunEffect::CancelWake(conversation.deadline));
            conversation.agent_wait = None;
            self.state = MachineState::CheckingDispatch(Some(conversation));
            effects.push(RunEffect::CheckDispatch);
        } else {
            let wake = now + HEAR_AGAIN;
            conversation.agent_wait = Some(CallerWait { wake, ..wait });
            self.state = MachineState::Pushed(conversation);
            effects.push(RunEffect::WakeAt(wake));
        }
    }

    fn fail_overdue(
        &mut self,
        until: SessionTime,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let within = settings.run_timeout;
        let silent = now.since(until);
        if silent > UPDATES_WITHIN {
            let detail = format!(
                "the conversation was not heard to end within {within}, and nothing was heard of its caller for {silent}"
            );
            self.fail(FailureClass::GeneratorFault, detail, now, effects);
        } else {
            let detail = format!("the conversation did not end within {within}");
            self.fail(FailureClass::EvaluatorTimeout, detail, now, effects);
        }
    }
}

#[cfg(test)]
mod tests;
