//! From being let in to being ready to submit: the room, the dispatch, the agent.

use super::state::{AgentWait, MachineState, RunEffect, RunMachine};
use crate::effects::{RequestTiming, RoomPoll};
use crate::settings::DriverSettings;
use rushhour_core::evaluator::UpdateMode;
use rushhour_core::event::{EventKind, FailureClass, StopReason};
use rushhour_core::units::{DispatchId, Micros, SessionTime};
use rushhour_livekit::{LiveKitError, LiveKitErrorKind};

/// The first look comes this long after the dispatch: no server is faster.
const FIRST_LOOK: Micros = Micros::from_millis(150);
/// The gap between looks grows from this, by half each time,
pub(super) const SHORTEST_LOOK_GAP: Micros = Micros::from_millis(100);
/// to this.
const LONGEST_LOOK_GAP: Micros = Micros::from_secs(1);
impl RunMachine {
    pub(crate) fn room_made(
        &mut self,
        timing: RequestTiming,
        result: Result<(), LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if let Err(error) = result {
            self.livekit_failed(FailureClass::RoomFailed, &error, now, todo);
            return;
        }
        todo.push(RunEffect::Record(EventKind::RoomCreated {
            run: self.planned.index,
            sent: timing.sent,
            answered: timing.answered,
        }));
        match self.state {
            MachineState::MakingRoom if settings.manner.updates == UpdateMode::Push => {
                // With the room, unless a request of its own follows the caller.
                self.sent_for = (!settings.dispatches_by_request()).then_some(timing.sent);
                self.prepared(todo);
            }
            MachineState::MakingRoom if settings.dispatches_by_request() => {
                self.state = MachineState::Dispatching;
                todo.push(RunEffect::Dispatch);
            }
            MachineState::MakingRoom => self.agent_sent_for(timing, settings, now, todo),
            _ => self.room_came_late(todo),
        }
    }

    pub(crate) fn dispatched(
        &mut self,
        timing: RequestTiming,
        result: Result<DispatchId, LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        match result {
            Err(error) => self.livekit_failed(FailureClass::DispatchFailed, &error, now, todo),
            Ok(dispatch) => {
                todo.push(RunEffect::Record(EventKind::Dispatched {
                    run: self.planned.index,
                    dispatch: Some(dispatch),
                    sent: timing.sent,
                    answered: timing.answered,
                }));
                match self.state {
                    MachineState::Dispatching => self.agent_sent_for(timing, settings, now, todo),
                    MachineState::Calling(_) => {
                        self.dispatched_into_call(timing, settings, now, todo);
                    }
                    _ => self.room_came_late(todo),
                }
            }
        }
    }

    fn agent_sent_for(
        &mut self,
        timing: RequestTiming,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if !settings.wait_for_agent {
            self.prepared(todo);
            return;
        }
        self.state = MachineState::AwaitingAgent(AgentWait {
            since: timing.sent,
            not_seen_at: timing.sent,
            gap: SHORTEST_LOOK_GAP,
        });
        todo.push(RunEffect::LookAt(now + FIRST_LOOK));
    }

    pub(super) fn prepared(&mut self, todo: &mut Vec<RunEffect>) {
        self.state = MachineState::Ready;
        todo.push(RunEffect::BeReady);
    }

    pub(crate) fn looked(
        &mut self,
        timing: RequestTiming,
        result: Result<RoomPoll, LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let wait = match self.state {
            MachineState::AwaitingAgent(wait) => wait,
            MachineState::Submitting | MachineState::Watching(_) => {
                return self.watched(timing, &result, now, todo);
            }
            _ => return,
        };
        let result = result.map(|sight| sight.agent);
        let waited = timing.answered.since(wait.since);
        match result {
            Ok(Some((sight, joined))) => {
                self.agent_seen = true;
                todo.push(RunEffect::Record(EventKind::AgentSeen {
                    run: self.planned.index,
                    identity: sight.identity,
                    after: wait.not_seen_at,
                    seen: timing.answered,
                    joined,
                }));
                if sight.listening {
                    todo.push(RunEffect::Record(EventKind::AgentReady {
                        run: self.planned.index,
                        after: wait.not_seen_at,
                        seen: timing.answered,
                    }));
                }
                // The last look without it may have been in time, and the rate of looks is not the agent's doing.
                let came = joined.unwrap_or(wait.not_seen_at).since(wait.since);
                if waited > settings.agent_within && came > settings.agent_within {
                    let detail = format!(
                        "the agent joined {came} after it was sent for, later than {}",
                        settings.agent_within
                    );
                    self.fail(FailureClass::AgentLate, detail, now, todo);
                } else {
                    self.prepared(todo);
                }
            }
            Err(error) if error.kind == LiveKitErrorKind::Unauthenticated => {
                self.livekit_failed(FailureClass::TokenRejected, &error, now, todo);
            }
            Ok(None) | Err(_) if waited >= settings.give_up_after => {
                self.state = MachineState::AskingAssigned;
                todo.push(RunEffect::AskAssigned);
            }
            // A look that failed says nothing of the agent: the last one that worked still stands.
            other => {
                let not_seen_at = if other.is_ok() { timing.sent } else { wait.not_seen_at };
                let gap = Micros((wait.gap.0 * 3 / 2).min(LONGEST_LOOK_GAP.0));
                self.state = MachineState::AwaitingAgent(AgentWait { not_seen_at, gap, ..wait });
                todo.push(RunEffect::LookAt(now + wait.gap));
            }
        }
    }

    pub(crate) fn assigned(
        &mut self,
        result: Result<bool, LiveKitError>,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if self.state != MachineState::AskingAssigned {
            return;
        }
        let waited = settings.give_up_after;
        let agent = settings.dispatch.agent();
        let named = agent.map_or_else(|| "the agent".to_owned(), |name| format!("agent `{name}`"));
        let (class, detail) = match result {
            _ if self.agent_seen => {
                (FailureClass::AgentLate, format!("{named} joined only after {waited}"))
            }
            Ok(false) if agent.is_some() => (
                FailureClass::DispatchUnassigned,
                format!(
                    "no worker was given the job of {named} within {waited}; is one registered under that name?"
                ),
            ),
            Ok(_) => {
                (FailureClass::AgentNeverJoined, format!("{named} did not join within {waited}"))
            }
            Err(error) => (
                FailureClass::AgentNeverJoined,
                format!(
                    "{named} did not join within {waited}; whether a worker was given the job is not known: {error}"
                ),
            ),
        };
        self.fail(class, detail, now, todo);
    }

    fn livekit_failed(
        &mut self,
        class: FailureClass,
        error: &LiveKitError,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let refused =
            matches!(error.kind, LiveKitErrorKind::Unauthenticated | LiveKitErrorKind::Forbidden);
        if error.kind == LiveKitErrorKind::Unauthenticated {
            let words = format!("{}; check LIVEKIT_API_KEY and LIVEKIT_API_SECRET", error.words);
            todo.push(RunEffect::StopSession(StopReason::Credentials, words));
        }
        let class = match error.kind {
            _ if refused => FailureClass::TokenRejected,
            LiveKitErrorKind::OurFault => FailureClass::GeneratorFault,
            _ => class,
        };
        // Whatever was refused or broke, the room may be there: it is deleted all the same.
        self.fail(class, error.words.clone(), now, todo);
        if matches!(error.kind, LiveKitErrorKind::TimedOut | LiveKitErrorKind::Transport) {
            // A server that was held up may do it yet, after the room's deletion.
            todo.push(RunEffect::Revisit);
        }
        if let MachineState::Cleaning(cleaning) = &mut self.state
            && cleaning.room_may_come
        {
            cleaning.room_may_come = false;
            cleaning.room_left = true;
            todo.push(RunEffect::DeleteRoom);
        }
    }
}
