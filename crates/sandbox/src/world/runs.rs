//! Runs: queued, joining their room, in conversation, judged, over.

use crate::config::RoomOwnership;
use crate::faults::{Fault, FaultGroup};
use crate::truth::{RoomOrigin, SandboxFact};
use rushhour_core::rng::DelayDistribution;
use rushhour_core::units::{Micros, Mode, Percent, SessionTime};

use super::room_access::RoomAccess;
use super::slot_queue::SlotQueue;
use super::state::TimerEvent;
use super::{RoomSpec, World};

/// How long a run that never ends is remembered.
const STUCK_RUN_RETENTION: Micros = Micros::from_secs(24 * 3_600);

/// A run of one scenario in one room.
#[derive(Debug)]
pub(crate) struct Run {
    /// The Cekura result that it belongs to.
    pub(crate) result: u64,
    pub(crate) mode: Mode,
    pub(crate) scenario: u64,
    pub(crate) phase: Phase,
    pub(crate) accepted_at: SessionTime,
    /// When the evaluator joined the room.
    pub(crate) started_at: Option<SessionTime>,
    /// When the conversation, or the attempt at one, ended.
    pub(crate) conversation_ended_at: Option<SessionTime>,
    /// When the run reached its final status.
    pub(crate) ended_at: Option<SessionTime>,
    pub(crate) ended_reason: &'static str,
    pub(crate) error_message: String,
    /// The session id of its room, once it has joined.
    pub(crate) room_sid: Option<String>,
    /// How many polls asked for it.
    pub(crate) polls: u32,
    /// The key of its random draws: its room and the number of its entry there. It does not depend on other runs.
    pub(crate) key: String,
    pub(super) access: RoomAccess,
    pub(super) fault: Option<Fault>,
    /// Increases with every phase, so that a timer of an earlier phase does nothing.
    pub(super) step: u32,
    pub(super) holds_slot: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Accepted.
    Pending,
    /// Waiting for a slot of the plan.
    Queued,
    /// In a status that Cekura does not document.
    UnknownStatus,
    /// In the room, without an agent.
    AwaitingAgent,
    Talking,
    /// In conversation with an agent that says nothing.
    Silent,
    /// In progress for ever.
    Stuck,
    Judging,
    Completed {
        /// The verdict.
        success: bool,
    },
    Failed,
    TimedOut,
    Cancelled,
}

impl Phase {
    /// Cekura's name of the status.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "in_queue",
            Self::UnknownStatus => "warming_up",
            Self::AwaitingAgent | Self::Talking | Self::Silent | Self::Stuck => "in_progress",
            Self::Judging => "evaluating",
            Self::Completed { .. } => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timeout",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the status is a final one.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed | Self::TimedOut | Self::Cancelled)
    }
}

/// Why a run ends without a verdict.
#[derive(Debug)]
struct EarlyEnd {
    /// Cekura's code.
    ended_reason: &'static str,
    error_message: String,
}

impl EarlyEnd {
    fn new(ended_reason: &'static str, error_message: impl Into<String>) -> Self {
        Self { ended_reason, error_message: error_message.into() }
    }
}

impl World {
    pub(crate) fn run(&self, id: u64) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// All remembered runs, by id.
    pub(crate) fn all_runs(&self) -> impl DoubleEndedIterator<Item = (u64, &Run)> {
        self.runs.iter().map(|(id, run)| (*id, run))
    }

    /// Counts a poll for these runs. Returns the key of its random draws, from the first run that exists.
    pub(crate) fn count_poll(&mut self, ids: &[u64]) -> String {
        let mut key = None;
        for id in ids {
            if let Some(run) = self.runs.get_mut(id) {
                run.polls += 1;
                key.get_or_insert_with(|| format!("{}@{}", run.key, run.polls));
            }
        }
        key.unwrap_or_default()
    }

    /// Decides whether a fault omits this run from the response to the last poll.
    pub(crate) fn omits_from_poll(&mut self, id: u64) -> bool {
        if self.config.faults.share(Fault::PollMissingRun) == Percent::ZERO {
            return false;
        }
        let Some(run) = self.runs.get(&id) else { return false };
        let key = format!("{}@{}", run.key, run.polls);
        self.choose_fault(FaultGroup::MISSING_RUN, &key).is_some()
    }

    /// Cancels those of the runs that are in a call or wait for one.
    pub(crate) fn end_calls(&mut self, runs: &[u64]) {
        let can_be_cancelled = |id: &u64| {
            let phase = self.runs.get(id).map(|run| run.phase);
            phase.is_some_and(|phase| !phase.is_over() && phase != Phase::Judging)
        };
        let runs: Vec<u64> = runs.iter().copied().filter(can_be_cancelled).collect();
        self.record(SandboxFact::EndCalls { runs: runs.clone() });
        for id in runs {
            self.end_run(id, Phase::Cancelled, EarlyEnd::new("run-cancelled-by-user", ""));
        }
    }

    /// Ends a run that lost its room or its agent. A stuck run stays stuck.
    pub(super) fn disconnect_run(&mut self, id: u64, why: &str) {
        let Some(run) = self.runs.get(&id) else { return };
        match run.phase {
            Phase::AwaitingAgent | Phase::Talking | Phase::Silent => {
                let message = format!("Call ended: {why}");
                let end = EarlyEnd::new("participant_disconnected", message);
                self.end_run(id, Phase::Failed, end);
            }
            _ => self.leave_room_of(id),
        }
    }

    /// Moves a run on when the time of its phase is over.
    pub(super) fn advance_run(&mut self, id: u64, step: u32) {
        let Some(run) = self.runs.get(&id).filter(|run| run.step == step) else { return };
        match (run.phase, run.fault) {
            (Phase::Pending, _) => self.request_slot(id),
            (Phase::Queued, _) => self.start_run(id),
            (Phase::UnknownStatus, _) => self.connect(id),
            (Phase::AwaitingAgent, _) => {
                let timeout = self.config.times.cekura.agent_timeout;
                let message = format!("No agent joined the room within {timeout}");
                let end = EarlyEnd::new("Main agent-did-not-answer", message);
                self.end_run(id, Phase::Failed, end);
            }
            (Phase::Talking, Some(Fault::RunFails)) => {
                let message = "The testing agent's pipeline failed";
                let end = EarlyEnd::new("Testing agent-pipeline-error", message);
                self.end_run(id, Phase::Failed, end);
            }
            (Phase::Talking, Some(Fault::RunTimesOut)) => {
                let message = "The call exceeded its maximum duration";
                let end = EarlyEnd::new("exceeded-max-duration", message);
                self.end_run(id, Phase::TimedOut, end);
            }
            (Phase::Talking, _) => self.start_judging(id),
            (Phase::Silent, _) => {
                let message = match run.mode {
                    Mode::Chat => "Chat messages not received: the agent did not answer",
                    Mode::Voice => "The agent did not speak",
                };
                let end = EarlyEnd::new("Main agent-silence-timed-out", message);
                self.end_run(id, Phase::Failed, end);
            }
            (Phase::Stuck, _) => {
                self.leave_room_of(id);
                self.release_slot(id);
                self.schedule(STUCK_RUN_RETENTION, TimerEvent::ForgetRun { run: id });
            }
            (Phase::Judging, fault) => {
                let success = fault != Some(Fault::JudgedFailure);
                self.set_phase(id, Phase::Completed { success }, None);
            }
            _ => {}
        }
    }

    fn request_slot(&mut self, id: u64) {
        let Some(run) = self.runs.get(&id) else { return };
        if self.slots(run.mode).acquire(id) {
            self.start_run(id);
        } else {
            self.set_phase(id, Phase::Queued, None);
        }
    }

    fn start_run(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.holds_slot = true;
        if run.fault == Some(Fault::RunUnknownStatus) {
            let distribution = self.config.times.cekura.unknown_status;
            let duration = self.run_delay(id, "undocumented", distribution);
            self.set_phase(id, Phase::UnknownStatus, Some(duration));
        } else {
            self.connect(id);
        }
    }

    /// Joins the room, if URL and token allow it.
    fn connect(&mut self, id: u64) {
        let now = self.now();
        let unix_seconds = self.anchor.unix_seconds(now);
        let Some(run) = self.runs.get_mut(&id) else { return };
        if let Some(error) = run.access.join_error(unix_seconds) {
            let message = format!("Room connection failed: {error}");
            let end = EarlyEnd::new("Testing agent-did-not-connect", message);
            self.end_run(id, Phase::Failed, end);
            return;
        }
        run.started_at = Some(now);
        if self.config.rooms == RoomOwnership::Elsewhere {
            self.start_conversation(id);
            return;
        }
        let (room, identity) = (run.access.room.clone(), run.access.identity.clone());
        let configuration = run.access.room_configuration.take().unwrap_or_default();
        let spec = RoomSpec {
            name: room.clone(),
            empty_timeout: configuration.empty_timeout,
            departure_timeout: configuration.departure_timeout,
            max_participants: configuration.max_participants,
            metadata: configuration.metadata,
            agents: configuration.agents,
        };
        self.create_room(spec, RoomOrigin::Join);
        self.join_room(&room, &identity, id);
        let sid = self.rooms.get(&room).map(|room| room.sid.clone());
        if let Some(run) = self.runs.get_mut(&id) {
            run.room_sid = sid;
        }
        let timeout = self.config.times.cekura.agent_timeout;
        self.set_phase(id, Phase::AwaitingAgent, Some(timeout));
        if self.rooms.get(&room).is_some_and(|room| room.agent_modes().is_some()) {
            self.start_conversation(id);
        }
    }

    /// Starts the conversation of a run whose room has an agent.
    pub(super) fn start_conversation(&mut self, id: u64) {
        let Some(run) = self.runs.get(&id) else { return };
        let modes = self.rooms.get(&run.access.room).and_then(super::Room::agent_modes);
        let answers = modes.is_none_or(|modes| modes.contains(run.mode));
        let (fault, mode) = (run.fault, run.mode);
        let times = self.config.times.cekura;
        let distribution = match mode {
            Mode::Voice => times.voice,
            Mode::Chat => times.chat,
        };
        let duration = self.run_delay(id, mode.name(), distribution);
        if fault == Some(Fault::RunNeverEnds) {
            self.set_phase(id, Phase::Stuck, Some(duration));
        } else if self.config.text_mode && !answers {
            self.set_phase(id, Phase::Silent, Some(times.silence_timeout));
        } else if fault == Some(Fault::RunFails) {
            self.set_phase(id, Phase::Talking, Some(Micros(duration.0 / 2)));
        } else {
            self.set_phase(id, Phase::Talking, Some(duration));
        }
    }

    fn start_judging(&mut self, id: u64) {
        let now = self.now();
        if let Some(run) = self.runs.get_mut(&id) {
            run.conversation_ended_at = Some(now);
        }
        let duration = self.run_delay(id, "judging", self.config.times.cekura.judging);
        self.set_phase(id, Phase::Judging, Some(duration));
        self.leave_room_of(id);
        self.release_slot(id);
    }

    fn end_run(&mut self, id: u64, phase: Phase, end: EarlyEnd) {
        let now = self.now();
        if let Some(run) = self.runs.get_mut(&id) {
            run.conversation_ended_at = Some(now);
            run.ended_reason = end.ended_reason;
            run.error_message = end.error_message;
        }
        self.set_phase(id, phase, None);
        self.leave_room_of(id);
        self.release_slot(id);
    }

    /// Puts a run into a phase; with a duration, [`Self::advance_run`] ends the phase after it.
    fn set_phase(&mut self, id: u64, phase: Phase, duration: Option<Micros>) {
        let now = self.now();
        let Some(run) = self.runs.get_mut(&id) else { return };
        let before = run.phase.status();
        run.phase = phase;
        run.step += 1;
        let step = run.step;
        if matches!(phase, Phase::Completed { .. }) {
            run.ended_reason = "Main agent-ended-call";
        }
        if phase.is_over() {
            run.ended_at = Some(now);
        }
        if phase.status() != before {
            let (room, ended_reason) = (run.access.room.clone(), run.ended_reason);
            let (status, over) = (phase.status(), phase.is_over());
            self.record(SandboxFact::RunStatus { run: id, room, status, over, ended_reason });
        }
        if let Some(duration) = duration {
            self.schedule(duration, TimerEvent::Run { run: id, step });
        }
        if phase.is_over() {
            self.schedule(self.config.retention, TimerEvent::ForgetRun { run: id });
        }
    }

    fn leave_room_of(&mut self, id: u64) {
        if let Some(room) = self.runs.get(&id).map(|run| run.access.room.clone()) {
            self.leave_room(&room, id);
        }
    }

    fn release_slot(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.holds_slot) else { return };
        run.holds_slot = false;
        let slots = match run.mode {
            Mode::Voice => &mut self.voice_slots,
            Mode::Chat => &mut self.chat_slots,
        };
        let runs = &self.runs;
        let still_waits = |run| runs.get(&run).is_some_and(|run| run.phase == Phase::Queued);
        let Some(next) = slots.release(still_waits) else { return };
        let Some(waiting) = self.runs.get_mut(&next) else { return };
        waiting.holds_slot = true;
        // Started by a timer: if thousands of tokens expired in the queue, the runs would otherwise end each other
        // recursively and overflow the stack.
        let step = waiting.step;
        self.schedule(Micros::ZERO, TimerEvent::Run { run: next, step });
    }

    const fn slots(&mut self, mode: Mode) -> &mut SlotQueue {
        match mode {
            Mode::Voice => &mut self.voice_slots,
            Mode::Chat => &mut self.chat_slots,
        }
    }

    fn run_delay(&self, id: u64, purpose: &str, distribution: DelayDistribution) -> Micros {
        let run = self.runs.get(&id);
        run.map_or(Micros::ZERO, |run| self.sample_delay(purpose, &run.key, distribution))
    }

    /// Forgets a run whose room is closed; otherwise checks again later.
    pub(super) fn forget_run(&mut self, id: u64) {
        let Some(run) = self.runs.get(&id) else { return };
        if self.rooms.contains_key(&run.access.room) {
            self.schedule(self.config.retention, TimerEvent::ForgetRun { run: id });
            return;
        }
        let Some(run) = self.runs.remove(&id) else { return };
        if let Some(history) = self.room_histories.get_mut(&run.access.room) {
            history.runs = history.runs.saturating_sub(1);
        }
        if let Some(result) = self.results.get_mut(&run.result) {
            result.runs.retain(|other| *other != id);
            if result.runs.is_empty() {
                self.results.remove(&run.result);
            }
        }
    }
}

#[cfg(test)]
mod tests;
