//! From the start of a run to a submission that may be sent: the room, the dispatch, the agent.

use super::run_machine::{AgentWait, MachineState, RunEffect, RunMachine};
use crate::livekit_throttle::{MAX_ATTEMPTS, MAX_RETRY_AFTER};
use crate::session_input::{DispatchCheck, RequestTiming, RoomPoll};
use crate::settings::DriverSettings;
use rushhour_core::evaluator::UpdateMode;
use rushhour_core::event::{EventKind, FailureClass, StopReason};
use rushhour_core::units::{DispatchId, Micros, SessionTime};
use rushhour_livekit::{LiveKitError, LiveKitErrorKind, absence_words};

/// From a poll that LiveKit refused to the next one, unless it says how long to wait.
const AFTER_REFUSAL: Micros = Micros::from_millis(300);

impl AgentWait {
    /// The next poll: when the session's other agents suggest, but not past the moments at which something is decided.
    fn next_poll(&self, settings: &DriverSettings, now: SessionTime) -> RunEffect {
        let decisive =
            [settings.agent_within, settings.give_up_after].map(|within| self.since + within);
        let latest = decisive.into_iter().filter(|at| *at > now).min();
        RunEffect::PollForAgent { since: self.since, latest: latest.unwrap_or(SessionTime::NEVER) }
    }
}

impl RunMachine {
    pub(crate) fn room_created(
        &mut self,
        timing: RequestTiming,
        result: Result<(), LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        if let Err(error) = result {
            if self.state == MachineState::CreatingRoom && self.may_repeat(&error) {
                effects.push(RunEffect::CreateRoom);
                return;
            }
            self.livekit_failed(FailureClass::RoomFailed, &error, now, effects);
            return;
        }
        effects.push(RunEffect::Record(EventKind::RoomCreated {
            run: self.planned.index,
            sent: timing.sent,
            answered: timing.answered,
        }));
        match self.state {
            MachineState::CreatingRoom if settings.evaluator.updates == UpdateMode::Push => {
                // The room's configuration dispatches the agent, unless a request does so after the caller has joined.
                self.agent_requested = (!settings.dispatches_by_request()).then_some(timing.sent);
                self.queue_submission(effects);
            }
            MachineState::CreatingRoom if settings.dispatches_by_request() => {
                self.state = MachineState::Dispatching;
                effects.push(RunEffect::Dispatch);
            }
            MachineState::CreatingRoom => {
                self.await_agent_in_room(timing, settings, now, effects);
            }
            _ => self.delete_late_room(effects),
        }
    }

    pub(crate) fn dispatched(
        &mut self,
        timing: RequestTiming,
        result: Result<DispatchId, LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        match result {
            Err(error) if self.is_dispatching() && self.may_repeat(&error) => {
                effects.push(RunEffect::Dispatch);
            }
            Err(error) => self.livekit_failed(FailureClass::DispatchFailed, &error, now, effects),
            Ok(dispatch) => {
                effects.push(RunEffect::Record(EventKind::Dispatched {
                    run: self.planned.index,
                    dispatch: Some(dispatch),
                    sent: timing.sent,
                    answered: timing.answered,
                }));
                match self.state {
                    MachineState::Dispatching => {
                        self.await_agent_in_room(timing, settings, now, effects);
                    }
                    MachineState::Pushed(_) => {
                        self.dispatched_into_call(timing, settings, now, effects);
                    }
                    _ => self.delete_late_room(effects),
                }
            }
        }
    }

    fn await_agent_in_room(
        &mut self,
        dispatch: RequestTiming,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        if !settings.wait_for_agent {
            self.queue_submission(effects);
            return;
        }
        let wait = AgentWait { since: dispatch.sent, last_absent: dispatch.sent, refused: 0 };
        self.state = MachineState::AwaitingAgent(wait);
        effects.push(wait.next_poll(settings, now));
    }

    pub(super) fn queue_submission(&mut self, effects: &mut Vec<RunEffect>) {
        self.state = MachineState::Ready;
        effects.push(RunEffect::QueueSubmission);
    }

    pub(crate) fn room_polled(
        &mut self,
        timing: RequestTiming,
        result: Result<RoomPoll, LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let wait = match self.state {
            MachineState::AwaitingAgent(wait) => wait,
            MachineState::Submitting | MachineState::ProbingSubmission(_) => {
                return self.probe_polled(timing, &result, now, effects);
            }
            _ => return,
        };
        let waited = timing.answered.since(wait.since);
        match result.map(|poll| poll.agent) {
            Ok(Some(agent)) => {
                self.agent_seen = true;
                // The server's clock may be off, the polls are not.
                let joined = agent.joined.unwrap_or(timing.answered);
                let joined = joined.clamp(wait.last_absent.min(timing.answered), timing.answered);
                // A resumed run may have had its agent before.
                if joined > wait.since {
                    effects.push(RunEffect::AgentJoined { after: joined.since(wait.since) });
                }
                effects.push(RunEffect::Record(EventKind::AgentSeen {
                    run: self.planned.index,
                    identity: agent.participant.identity,
                    after: wait.last_absent,
                    seen: timing.answered,
                    joined: agent.joined,
                }));
                if agent.participant.listening {
                    effects.push(RunEffect::Record(EventKind::AgentReady {
                        run: self.planned.index,
                        after: wait.last_absent,
                        seen: timing.answered,
                    }));
                }
                // The agent may have joined right after the last poll without it; how often we poll is not its fault.
                let joined = agent.joined.unwrap_or(wait.last_absent).since(wait.since);
                if waited > settings.agent_within && joined > settings.agent_within {
                    self.fail_late_agent(joined, settings, now, effects);
                } else {
                    self.queue_submission(effects);
                }
            }
            Err(error) if error.kind == LiveKitErrorKind::Unauthenticated => {
                self.livekit_failed(FailureClass::TokenRejected, &error, now, effects);
            }
            // Whoever may not look does not know: only a poll that was answered gives up on the agent.
            Err(error) if error.is_rate_limited() => {
                let refused = wait.refused + 1;
                if refused >= MAX_ATTEMPTS {
                    let class = FailureClass::LivekitRateLimited;
                    self.livekit_failed(class, &error, now, effects);
                    return;
                }
                self.state = MachineState::AwaitingAgent(AgentWait { refused, ..wait });
                effects.push(RunEffect::PollRoomAt(now + AFTER_REFUSAL));
            }
            Ok(None) | Err(_) if waited >= settings.give_up_after => {
                self.state = MachineState::CheckingDispatch(None);
                effects.push(RunEffect::CheckDispatch);
            }
            // A failed poll says nothing about the agent: the last successful one still counts.
            other => {
                let last_absent = if other.is_ok() { timing.sent } else { wait.last_absent };
                let next = AgentWait { last_absent, refused: 0, ..wait };
                self.state = MachineState::AwaitingAgent(next);
                effects.push(next.next_poll(settings, now));
            }
        }
    }

    /// Fails a run whose agent joined `after` its dispatch.
    pub(super) fn fail_late_agent(
        &mut self,
        after: Micros,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let within = settings.agent_within;
        let detail =
            format!("the agent joined {after} after its dispatch; agent_within is {within}");
        self.fail(FailureClass::AgentLate, detail, now, effects);
    }

    pub(crate) fn dispatch_checked(
        &mut self,
        result: Result<DispatchCheck, LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let MachineState::CheckingDispatch(conversation) = self.state else { return };
        if let Err(error) = &result
            && error.is_rate_limited()
        {
            if self.may_repeat(error) {
                effects.push(RunEffect::CheckDispatch);
            } else {
                self.livekit_failed(FailureClass::LivekitRateLimited, error, now, effects);
            }
            return;
        }
        if let (Some(conversation), Ok(check)) = (conversation, &result)
            && self.converse_with_hidden(conversation, check, settings, now, effects)
        {
            return;
        }
        let waited = settings.give_up_after;
        let agent = settings.dispatch.agent();
        let named = agent.map_or_else(|| "the agent".to_owned(), |name| format!("agent `{name}`"));
        let (class, detail) = match result {
            _ if self.agent_seen => (
                FailureClass::AgentLate,
                format!("{named} joined later than {waited} after its dispatch"),
            ),
            Ok(DispatchCheck { job: None, .. }) if agent.is_some() => (
                FailureClass::DispatchUnassigned,
                format!(
                    "no worker accepted the job of {named} within {waited}; check that a worker is registered under that name"
                ),
            ),
            Ok(DispatchCheck { job, present, .. }) => {
                let why = absence_words(job.as_ref(), present.as_ref());
                let detail = format!("{named} did not join within {waited}{why}");
                (FailureClass::AgentNeverJoined, detail)
            }
            Err(error) => (
                FailureClass::AgentNeverJoined,
                format!(
                    "{named} did not join within {waited}; it is unknown whether a worker accepted the job: {error}"
                ),
            ),
        };
        self.fail(class, detail, now, effects);
    }

    /// Whether a request that failed may be sent again: LiveKit certainly did not execute it, and not for too long.
    fn may_repeat(&mut self, error: &LiveKitError) -> bool {
        let LiveKitErrorKind::RateLimited { retry_after } = error.kind else { return false };
        self.livekit_refusals += 1;
        self.livekit_refusals < MAX_ATTEMPTS
            && retry_after.is_none_or(|wait| wait <= MAX_RETRY_AFTER)
    }

    const fn is_dispatching(&self) -> bool {
        match self.state {
            MachineState::Dispatching => true,
            MachineState::Pushed(conversation) => conversation.dispatching,
            _ => false,
        }
    }

    fn livekit_failed(
        &mut self,
        class: FailureClass,
        error: &LiveKitError,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        if error.kind == LiveKitErrorKind::Unauthenticated {
            let hint = error.hint().map_or(String::new(), |hint| format!("; {hint}"));
            let detail = format!("{error}{hint}");
            effects.push(RunEffect::StopSession(StopReason::Credentials, detail));
        }
        let class = match error.kind {
            LiveKitErrorKind::Unauthenticated | LiveKitErrorKind::Forbidden => {
                FailureClass::TokenRejected
            }
            LiveKitErrorKind::RateLimited { .. } => FailureClass::LivekitRateLimited,
            LiveKitErrorKind::Internal => FailureClass::GeneratorFault,
            _ => class,
        };
        // Whatever was refused or broke, the room may exist: it is deleted all the same.
        self.fail(class, error.to_string(), now, effects);
        if matches!(error.kind, LiveKitErrorKind::TimedOut | LiveKitErrorKind::Transport) {
            // A slow server may still create the room after its deletion.
            effects.push(RunEffect::DeleteRoomLater);
        }
        if let MachineState::CleaningUp(cleanup) = &mut self.state
            && cleanup.room_may_appear
        {
            cleanup.room_may_appear = false;
            cleanup.room_remains = true;
            effects.push(RunEffect::DeleteRoom);
        }
    }
}
