//! From the submission to the end at an evaluator that is polled; and the wake-ups of all runs.

use super::end_and_cleanup::{EndedBy, RunEnd};
use super::run_machine::{
    CleanupState, MachineState, PollTrouble, PolledConversation, RunEffect, RunMachine,
};
use crate::session_input::RequestTiming;
use crate::settings::DriverSettings;
use rushhour_core::evaluator::{RunState, RunStatus, UpdateMode};
use rushhour_core::event::{EventKind, FailureClass, Outcome, RunPhase};
use rushhour_core::units::{EvaluatorRunId, Micros, SessionTime};

/// The response to a submission may never come: after this, the room is polled for the evaluator meanwhile.
const SLOW_RESPONSE: Micros = Micros::from_secs(3);
/// While a conversation cannot have ended yet, polls are at most this many times as far apart.
const MAX_POLL_GAP_FACTOR: u64 = 4;
/// The longest status in a message, in characters.
const MAX_SHOWN_STATUS: usize = 60;

impl RunMachine {
    pub(crate) fn submission_sent(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        if self.state == MachineState::Ready {
            self.state = MachineState::Submitting;
            if settings.evaluator.updates == UpdateMode::Poll {
                effects.push(RunEffect::PollRoomAt(now + SLOW_RESPONSE));
            }
        }
    }

    /// The submission waits for its retry: until then the run can still be withdrawn.
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
        effects: &mut Vec<RunEffect>,
    ) {
        if let MachineState::CleaningUp(cleanup) = &mut self.state {
            // The run ended while the response was under way, and its conversation has started all the same.
            cleanup.call_remains = true;
            effects.push(RunEffect::EndCall(evaluator_run));
            return;
        }
        if settings.evaluator.updates == UpdateMode::Push {
            self.start_pushed(evaluator_run, timing, settings, effects);
            return;
        }
        let deadline = timing.answered + settings.run_timeout;
        let poll_gap = settings.evaluator.poll_every;
        self.evaluator_run = Some(evaluator_run);
        self.state = MachineState::Polled(PolledConversation {
            phase: None,
            last_seen_open: timing.sent,
            running_since: None,
            poll_gap,
            deadline,
            final_poll: false,
        });
        effects.push(RunEffect::PollStatusAt(timing.answered + poll_gap));
        effects.push(RunEffect::WakeAt(deadline));
    }

    /// The evaluator reported the run's status, or left the run out.
    pub(crate) fn status_polled(
        &mut self,
        status: Option<RunStatus>,
        timing: RequestTiming,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let MachineState::Polled(conversation) = &mut self.state else { return };
        let Some(status) = status else {
            // It does not list the run (yet).
            self.poll_trouble = None;
            effects.push(RunEffect::PollStatusAt(now + settings.evaluator.poll_every));
            return;
        };
        self.poll_trouble = None;
        let phase = match status.state {
            RunState::Ended(outcome) => {
                let end = RunEnd {
                    after: conversation.last_seen_open,
                    seen: timing.answered,
                    conversation_duration: status.conversation_duration,
                    outcome: self.with_agent_seen(outcome),
                };
                self.end(end, EndedBy::Evaluator, effects);
                return;
            }
            RunState::InProgress(phase) => Some(phase),
            RunState::Unknown => {
                let status = shown_status(&status.status);
                self.poll_trouble = Some(Box::new(PollTrouble::NotUnderstood { status }));
                None
            }
        };
        if let Some(phase) = phase.filter(|phase| Some(*phase) > conversation.phase) {
            effects.push(RunEffect::Record(EventKind::PhaseSeen {
                run: self.planned.index,
                phase,
                status: status.status,
                after: conversation.last_seen_open,
                seen: timing.answered,
            }));
            conversation.phase = Some(phase);
            if phase == RunPhase::Running {
                conversation.running_since = Some(timing.answered);
            }
        }
        conversation.last_seen_open = timing.sent;
        if conversation.final_poll {
            self.fail_on_timeout(settings, now, effects);
            return;
        }
        let expected = settings.expected_durations.get(self.planned.scenario as usize);
        let expected = expected.copied().unwrap_or(Micros::ZERO);
        let next = conversation.next_poll(now, settings.evaluator.poll_every, expected);
        effects.push(RunEffect::PollStatusAt(next));
    }

    /// The status poll failed: polls again at `retry`.
    pub(crate) fn poll_failed(
        &mut self,
        message: &str,
        retry: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let before = match self.poll_trouble.as_deref() {
            Some(PollTrouble::Failed { polls, .. }) => *polls,
            _ => 0,
        };
        let message = message.to_owned();
        self.poll_trouble = Some(Box::new(PollTrouble::Failed { polls: before + 1, message }));
        self.poll_again(retry, effects);
    }

    /// Polls the status again at `retry`.
    pub(crate) fn poll_again(&self, retry: SessionTime, effects: &mut Vec<RunEffect>) {
        if matches!(self.state, MachineState::Polled(_)) {
            effects.push(RunEffect::PollStatusAt(retry));
        }
    }

    /// A deadline of the run has passed, or the retry of its room's deletion is due.
    pub(crate) fn wake(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let conversation = match self.state {
            MachineState::Polled(conversation) => conversation,
            MachineState::Pushed(conversation) => {
                self.wake_pushed(conversation, now, effects);
                return;
            }
            MachineState::CleaningUp(CleanupState { room_remains: true, .. }) => {
                effects.push(RunEffect::DeleteRoom);
                return;
            }
            _ => return,
        };
        if conversation.final_poll {
            self.fail_on_timeout(settings, now, effects);
            return;
        }
        // Polls may have failed for a while: the run may have ended in the meantime.
        let until = now + settings.poll_timeout;
        let last = PolledConversation { final_poll: true, deadline: until, ..conversation };
        self.state = MachineState::Polled(last);
        effects.push(RunEffect::PollStatusAt(now));
        effects.push(RunEffect::WakeAt(until));
    }

    fn fail_on_timeout(
        &mut self,
        settings: &DriverSettings,
        now: SessionTime,
        effects: &mut Vec<RunEffect>,
    ) {
        let MachineState::Polled(conversation) = self.state else { return };
        let phase = match conversation.phase {
            None => "never seen at the evaluator",
            Some(RunPhase::Queued) => "still queued",
            Some(RunPhase::Running) => "still running",
            Some(RunPhase::Judging) => "still being judged",
        };
        let within = settings.run_timeout;
        let detail = format!("did not end within {within} of its acceptance: {phase}");
        let (class, detail) = match self.poll_trouble.as_deref() {
            None => (FailureClass::EvaluatorTimeout, detail),
            Some(PollTrouble::Failed { polls, message }) => (
                FailureClass::StatusUnknown,
                format!(
                    "its end was not seen within {within} of its acceptance ({phase}): the last {} failed: {message}",
                    if *polls == 1 {
                        "status poll".to_owned()
                    } else {
                        format!("{polls} status polls")
                    }
                ),
            ),
            Some(PollTrouble::NotUnderstood { status }) => (
                FailureClass::StatusUnknown,
                format!(
                    "its end was not seen within {within} of its acceptance ({phase}): the evaluator reports the status `{status}`, which is not a known one"
                ),
            ),
        };
        self.fail(class, detail, now, effects);
    }

    /// Corrects an evaluator that reports the agent as absent although it was seen in the room.
    fn with_agent_seen(&self, outcome: Outcome) -> Outcome {
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

/// A status of the evaluator's own, short enough for a message.
fn shown_status(status: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = status.chars().take(MAX_SHOWN_STATUS).map(visible).collect();
    if text.trim().is_empty() { "(none)".to_owned() } else { text }
}

impl PolledConversation {
    /// The time of the next poll: the evaluator's interval, doubled up to [`MAX_POLL_GAP_FACTOR`] times while less than
    /// half of the expected duration has passed.
    fn next_poll(&mut self, now: SessionTime, every: Micros, expected: Micros) -> SessionTime {
        let earliest_end = match (self.phase, self.running_since) {
            (Some(RunPhase::Running), Some(since)) => since + Micros(expected.0 / 2),
            _ => SessionTime::START,
        };
        if now + every >= earliest_end {
            self.poll_gap = every;
            return now + every;
        }
        self.poll_gap = Micros((self.poll_gap.0 * 2).min(every.0 * MAX_POLL_GAP_FACTOR));
        (now + self.poll_gap).min(earliest_end)
    }
}
