//! From the submission to the end at the evaluator.

use super::ending::{EndedBy, RunEnd};
use super::state::{CleanupState, FollowState, MachineState, RunEffect, RunMachine};
use crate::effects::RequestTiming;
use crate::settings::DriverSettings;
use rushhour_core::evaluator::{RunState, RunStatus, UpdateMode};
use rushhour_core::event::{EventKind, FailureClass, Outcome, RunPhase};
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};

/// An answer to a submission that takes longer than this may never come: the room is looked into meanwhile.
const SLOW_ANSWER: Micros = Micros::from_secs(3);
/// While a conversation cannot be over yet, it is asked after at most this much more rarely.
const LONGEST_ASK_GAP: u64 = 4;

impl RunMachine {
    pub(crate) fn submission_sent(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        if self.state == MachineState::Ready {
            self.state = MachineState::Submitting;
            if settings.manner.updates == UpdateMode::Poll {
                todo.push(RunEffect::LookAt(now + SLOW_ANSWER));
            }
        }
    }

    /// The submission will be sent again: until then the run can still be withdrawn.
    pub(crate) fn submission_postponed(&mut self) {
        if self.state == MachineState::Submitting {
            self.state = MachineState::Ready;
        }
    }

    pub(crate) fn accepted(
        &mut self,
        evaluator_run: EvaluatorRunId,
        timing: RequestTiming,
        settings: &DriverSettings,
        todo: &mut Vec<RunEffect>,
    ) {
        if let MachineState::Cleaning(cleaning) = &mut self.state {
            // It was given up while the answer was under way, and is running after all.
            cleaning.call_left = true;
            todo.push(RunEffect::EndCall(evaluator_run));
            return;
        }
        if settings.manner.updates == UpdateMode::Push {
            self.calls(evaluator_run, timing, settings, todo);
            return;
        }
        let deadline = timing.answered + settings.run_timeout;
        let ask_gap = settings.manner.poll_every;
        self.entered_as = Some(evaluator_run);
        self.state = MachineState::Following(FollowState {
            seen: None,
            last_look: timing.sent,
            running_since: None,
            ask_gap,
            deadline,
            last_chance: false,
        });
        todo.push(RunEffect::AskAt(timing.answered + ask_gap));
        todo.push(RunEffect::WakeAt(deadline));
    }

    /// What was seen of it, or nothing where the evaluator did not mention it.
    pub(crate) fn sighted(
        &mut self,
        sight: Option<RunStatus>,
        timing: RequestTiming,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let MachineState::Following(follow) = &mut self.state else { return };
        let Some(sight) = sight else {
            todo.push(RunEffect::AskAt(now + settings.manner.poll_every));
            return;
        };
        let going = match sight.state {
            RunState::Ended(outcome) => {
                let after = follow.last_look;
                let outcome = self.as_seen_from_here(outcome);
                let ended = RunEnd {
                    outcome,
                    after,
                    seen: timing.answered,
                    talked: sight.conversation_duration,
                };
                self.end(ended, EndedBy::Evaluator, todo);
                return;
            }
            RunState::InProgress(going) => Some(going),
            RunState::Unknown => None,
        };
        if let Some(going) = going.filter(|going| Some(*going) > follow.seen) {
            todo.push(RunEffect::Record(EventKind::PhaseSeen {
                run: self.planned.index,
                phase: going,
                status: sight.status,
                after: follow.last_look,
                seen: timing.answered,
            }));
            follow.seen = Some(going);
            if going == RunPhase::Running {
                follow.running_since = Some(timing.answered);
            }
        }
        follow.last_look = timing.sent;
        if follow.last_chance {
            self.out_of_time(settings, now, todo);
            return;
        }
        let expected =
            settings.expected.get(self.planned.scenario as usize).copied().unwrap_or(Micros::ZERO);
        let next = follow.next_look(now, settings.manner.poll_every, expected);
        todo.push(RunEffect::AskAt(next));
    }

    /// A question about it was not answered: asks again.
    pub(crate) fn not_answered(&self, again: SessionTime, todo: &mut Vec<RunEffect>) {
        if matches!(self.state, MachineState::Following(_)) {
            todo.push(RunEffect::AskAt(again));
        }
    }

    /// Its time is up, or its room is to be deleted once more.
    pub(crate) fn wake(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let follow = match self.state {
            MachineState::Following(follow) => follow,
            MachineState::Calling(call) => {
                self.wake_in_call(call, settings, now, todo);
                return;
            }
            MachineState::Cleaning(CleanupState { room_left: true, .. }) => {
                todo.push(RunEffect::DeleteRoom);
                return;
            }
            _ => return,
        };
        if follow.last_chance {
            self.out_of_time(settings, now, todo);
            return;
        }
        // Questions may have gone unanswered for a while: its end may be there to be seen.
        let until = now + settings.poll_timeout;
        self.state =
            MachineState::Following(FollowState { last_chance: true, deadline: until, ..follow });
        todo.push(RunEffect::AskAt(now));
        todo.push(RunEffect::WakeAt(until));
    }

    fn out_of_time(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        todo: &mut Vec<RunEffect>,
    ) {
        let MachineState::Following(follow) = self.state else { return };
        let seen = match follow.seen {
            None => "never seen at the evaluator",
            Some(RunPhase::Queued) => "still queued",
            Some(RunPhase::Running) => "still running",
            Some(RunPhase::Judging) => "still being judged",
        };
        let detail = format!("not over {} after it was accepted: {seen}", settings.run_timeout);
        self.fail(FailureClass::EvaluatorTimeout, detail, now, todo);
    }

    /// An evaluator that blames the agent's absence is wrong where the agent was seen.
    fn as_seen_from_here(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed { class: FailureClass::AgentNeverJoined, detail }
                if self.agent_seen =>
            {
                Outcome::Failed { class: FailureClass::AgentMute, detail }
            }
            other => other,
        }
    }
}

impl FollowState {
    /// When to ask next: at the evaluator's pace, and more rarely while the conversation, of which at
    /// least half the expected length is still to come, cannot be over yet.
    fn next_look(&mut self, now: SessionTime, every: Micros, expected: Micros) -> SessionTime {
        let cannot_be_over_before = match (self.seen, self.running_since) {
            (Some(RunPhase::Running), Some(since)) => since + Micros(expected.0 / 2),
            _ => SessionTime::START,
        };
        if now + every >= cannot_be_over_before {
            self.ask_gap = every;
            return now + every;
        }
        self.ask_gap = Micros((self.ask_gap.0 * 2).min(every.0 * LONGEST_ASK_GAP));
        (now + self.ask_gap).min(cannot_be_over_before)
    }
}
