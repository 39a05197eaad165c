//! Runs: queued, in their room, in conversation, judged, over.

use crate::config::RoomOwnership;
use crate::faults::{Fault, Group};
use crate::truth::{RoomStart, SandboxFact};
use rushhour_core::units::{Micros, Mode, Percent, SessionTime};

use super::queue::Queue;
use super::state::TimerEvent;
use super::ticket::Ticket;
use super::{NewRoom, World};

/// For how long a run that never ends is remembered.
const STUCK_KEPT: Micros = Micros::from_secs(24 * 3_600);

/// A run of one scenario in one room.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) folder: u64,
    pub(crate) mode: Mode,
    pub(crate) scenario: u64,
    pub(crate) phase: Phase,
    pub(crate) accepted_at: SessionTime,
    /// When the evaluator was in the room.
    pub(crate) started_at: Option<SessionTime>,
    /// When the conversation was over, or the try at one.
    pub(crate) over_at: Option<SessionTime>,
    pub(crate) ended_at: Option<SessionTime>,
    pub(crate) ended_reason: &'static str,
    pub(crate) error_message: String,
    /// The session id of its room, once it is there.
    pub(crate) room_sid: Option<String>,
    /// How many times it was polled for.
    pub(crate) polls: u32,
    /// Room and number of its entry: the same whatever else happens.
    pub(crate) key: String,
    pub(super) ticket: Ticket,
    pub(super) fate: Option<Fault>,
    pub(super) step: u32,
    pub(super) has_place: bool,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Accepted.
    Pending,
    /// Waiting for a place.
    Queued,
    /// In a status that nobody documented.
    Undocumented,
    /// In the room, with no agent there.
    AwaitingAgent,
    /// In conversation.
    Talking,
    /// In conversation with an agent that says nothing.
    Silent,
    /// In progress for ever.
    Stuck,
    /// Being judged.
    Judging,
    /// Over: judged.
    Completed {
        /// The verdict.
        success: bool,
    },
    /// Over: something broke.
    Failed,
    /// Over: took too long.
    TimedOut,
    /// Over: the client ended it.
    Cancelled,
}

impl Phase {
    /// The status as Cekura words it.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "in_queue",
            Self::Undocumented => "warming_up",
            Self::AwaitingAgent | Self::Talking | Self::Silent | Self::Stuck => "in_progress",
            Self::Judging => "evaluating",
            Self::Completed { .. } => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timeout",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the run is over.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed | Self::TimedOut | Self::Cancelled)
    }
}

/// How a run ends early, in Cekura's words and in plain ones.
#[derive(Debug)]
struct Reason(&'static str, String);

impl World {
    /// The run of this number.
    pub(crate) fn run(&self, id: u64) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// Every run that is remembered, by number.
    pub(crate) fn all_runs(&self) -> impl DoubleEndedIterator<Item = (u64, &Run)> {
        self.runs.iter().map(|(id, run)| (*id, run))
    }

    /// Counts a poll for these runs; the key of the request, by the first that is known.
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

    /// Whether a fault leaves this run out of the poll that was counted last.
    pub(crate) fn left_out(&mut self, id: u64) -> bool {
        if self.config.faults.share(Fault::PollMissingRun) == Percent::ZERO {
            return false;
        }
        let Some(run) = self.runs.get(&id) else { return false };
        let key = format!("{}@{}", run.key, run.polls);
        self.fault(Group::MISSING_RUN, &key).is_some()
    }

    /// Ends the calls of these runs, as far as they are in one or wait for one.
    pub(crate) fn end_calls(&mut self, runs: &[u64]) {
        let ends = |id: &u64| {
            let phase = self.runs.get(id).map(|run| run.phase);
            phase.is_some_and(|phase| !phase.is_over() && phase != Phase::Judging)
        };
        let runs: Vec<u64> = runs.iter().copied().filter(ends).collect();
        self.note(SandboxFact::EndCalls { runs: runs.clone() });
        for id in runs {
            self.end(id, Phase::Cancelled, Reason("run-cancelled-by-user", String::new()));
        }
    }

    /// Ends a run whose room or agent was taken from it. A stuck one stays stuck.
    pub(super) fn run_disconnected(&mut self, id: u64, why: &str) {
        let Some(run) = self.runs.get(&id) else { return };
        match run.phase {
            Phase::AwaitingAgent | Phase::Talking | Phase::Silent => {
                let reason = Reason("participant_disconnected", format!("Call ended: {why}"));
                self.end(id, Phase::Failed, reason);
            }
            _ => self.leave_room_of(id),
        }
    }

    pub(super) fn run_due(&mut self, id: u64, step: u32) {
        let Some(run) = self.runs.get(&id).filter(|run| run.step == step) else { return };
        match (run.phase, run.fate) {
            (Phase::Pending, _) => self.ask_for_place(id),
            (Phase::Queued, _) => self.start(id),
            (Phase::Undocumented, _) => self.connect(id),
            (Phase::AwaitingAgent, _) => {
                let patience = self.config.times.cekura.patience;
                let message = format!("No agent joined the room within {patience}");
                self.end(id, Phase::Failed, Reason("Main agent-did-not-answer", message));
            }
            (Phase::Talking, Some(Fault::RunFails)) => {
                let message = "The testing agent's pipeline failed".to_owned();
                self.end(id, Phase::Failed, Reason("Testing agent-pipeline-error", message));
            }
            (Phase::Talking, Some(Fault::RunTimesOut)) => {
                let message = "The call exceeded its maximum duration".to_owned();
                self.end(id, Phase::TimedOut, Reason("exceeded-max-duration", message));
            }
            (Phase::Talking, _) => self.judge(id),
            (Phase::Silent, _) => {
                let message = match run.mode {
                    Mode::Chat => "Chat messages not received: the agent did not answer",
                    Mode::Voice => "The agent did not speak",
                };
                let reason = Reason("Main agent-silence-timed-out", message.to_owned());
                self.end(id, Phase::Failed, reason);
            }
            (Phase::Stuck, _) => {
                self.leave_room_of(id);
                self.give_place_back(id);
                self.after(STUCK_KEPT, TimerEvent::ForgetRun { run: id });
            }
            (Phase::Judging, fate) => {
                let success = fate != Some(Fault::JudgedFailure);
                self.move_to(id, Phase::Completed { success }, None);
            }
            _ => {}
        }
    }

    fn ask_for_place(&mut self, id: u64) {
        if self.queue_of(id).enter(id) {
            self.start(id);
        } else {
            self.move_to(id, Phase::Queued, None);
        }
    }

    fn start(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.has_place = true;
        if run.fate == Some(Fault::RunUnknownStatus) {
            let wait = self.run_time(id, "undocumented");
            self.move_to(id, Phase::Undocumented, Some(wait));
        } else {
            self.connect(id);
        }
    }

    /// Enters the room, if the ticket still serves.
    fn connect(&mut self, id: u64) {
        let now = self.now();
        let unix_seconds = self.anchor.unix_seconds(now);
        let Some(run) = self.runs.get_mut(&id) else { return };
        if let Some(refusal) = run.ticket.refusal(unix_seconds) {
            let message = format!("Room connection failed: {refusal}");
            self.end(id, Phase::Failed, Reason("Testing agent-did-not-connect", message));
            return;
        }
        run.started_at = Some(now);
        if self.config.rooms == RoomOwnership::Elsewhere {
            self.converse(id);
            return;
        }
        let (room, identity) = (run.ticket.room.clone(), run.ticket.identity.clone());
        let configuration = run.ticket.room_configuration.take().unwrap_or_default();
        let request = NewRoom {
            name: room.clone(),
            empty_timeout: configuration.empty_timeout,
            departure_timeout: configuration.departure_timeout,
            max_participants: configuration.max_participants,
            metadata: configuration.metadata,
            agents: configuration.agents,
        };
        self.make_room(request, RoomStart::Join);
        self.enter_room(&room, &identity, id);
        let sid = self.rooms.get(&room).map(|room| room.sid.clone());
        if let Some(run) = self.runs.get_mut(&id) {
            run.room_sid = sid;
        }
        let patience = self.config.times.cekura.patience;
        self.move_to(id, Phase::AwaitingAgent, Some(patience));
        if self.rooms.get(&room).is_some_and(|room| room.agent_hearing().is_some()) {
            self.converse(id);
        }
    }

    /// Begins the conversation: run and agent are in the room.
    pub(super) fn converse(&mut self, id: u64) {
        let Some(run) = self.runs.get(&id) else { return };
        let hearing = self.rooms.get(&run.ticket.room).and_then(super::Room::agent_hearing);
        let answers = hearing.is_none_or(|hearing| hearing.answers(run.mode));
        let (fate, mode) = (run.fate, run.mode);
        let length = self.run_time(id, mode.name());
        if fate == Some(Fault::RunNeverEnds) {
            self.move_to(id, Phase::Stuck, Some(length));
        } else if self.config.text_mode && !answers {
            self.move_to(id, Phase::Silent, Some(self.config.times.cekura.silence));
        } else if fate == Some(Fault::RunFails) {
            self.move_to(id, Phase::Talking, Some(Micros(length.0 / 2)));
        } else {
            self.move_to(id, Phase::Talking, Some(length));
        }
    }

    fn judge(&mut self, id: u64) {
        let now = self.now();
        if let Some(run) = self.runs.get_mut(&id) {
            run.over_at = Some(now);
        }
        let wait = self.run_time(id, "judging");
        self.move_to(id, Phase::Judging, Some(wait));
        self.leave_room_of(id);
        self.give_place_back(id);
    }

    fn end(&mut self, id: u64, phase: Phase, Reason(ended_reason, error_message): Reason) {
        let now = self.now();
        if let Some(run) = self.runs.get_mut(&id) {
            run.over_at = Some(now);
            run.ended_reason = ended_reason;
            run.error_message = error_message;
        }
        self.move_to(id, phase, None);
        self.leave_room_of(id);
        self.give_place_back(id);
    }

    /// Puts a run into a phase, which it leaves by itself after `wait`.
    fn move_to(&mut self, id: u64, phase: Phase, wait: Option<Micros>) {
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
            let (room, ended_reason) = (run.ticket.room.clone(), run.ended_reason);
            let (status, over) = (phase.status(), phase.is_over());
            self.note(SandboxFact::RunStatus { run: id, room, status, over, ended_reason });
        }
        if let Some(wait) = wait {
            self.after(wait, TimerEvent::Run { run: id, step });
        }
        if phase.is_over() {
            self.after(self.config.kept, TimerEvent::ForgetRun { run: id });
        }
    }

    fn leave_room_of(&mut self, id: u64) {
        if let Some(room) = self.runs.get(&id).map(|run| run.ticket.room.clone()) {
            self.leave_room(&room, id);
        }
    }

    fn give_place_back(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.has_place) else { return };
        run.has_place = false;
        let queue = match run.mode {
            Mode::Voice => &mut self.voice,
            Mode::Chat => &mut self.chat,
        };
        let runs = &self.runs;
        let wants = |run| runs.get(&run).is_some_and(|run| run.phase == Phase::Queued);
        let next =
            queue.leave(wants).and_then(|next| self.runs.get_mut(&next).map(|run| (next, run)));
        if let Some((run, waited)) = next {
            waited.has_place = true;
            // Not started here: thousands whose tokens ran out in the queue would start each other in one stack.
            let step = waited.step;
            self.after(Micros::ZERO, TimerEvent::Run { run, step });
        }
    }

    fn queue_of(&mut self, id: u64) -> &mut Queue {
        match self.runs.get(&id).map(|run| run.mode) {
            Some(Mode::Chat) => &mut self.chat,
            _ => &mut self.voice,
        }
    }

    fn run_time(&self, id: u64, what: &str) -> Micros {
        let times = self.config.times.cekura;
        let latency = match what {
            "undocumented" => times.undocumented,
            "judging" => times.judging,
            "chat" => times.chat,
            _ => times.voice,
        };
        self.runs.get(&id).map_or(Micros::ZERO, |run| self.time(what, &run.key, latency))
    }

    /// Forgets an ended run whose room is gone; else looks again later.
    pub(super) fn forget_run(&mut self, id: u64) {
        let Some(run) = self.runs.get(&id) else { return };
        if self.rooms.contains_key(&run.ticket.room) {
            self.after(self.config.kept, TimerEvent::ForgetRun { run: id });
            return;
        }
        let Some(run) = self.runs.remove(&id) else { return };
        if let Some(ledger) = self.ledgers.get_mut(&run.ticket.room) {
            ledger.runs = ledger.runs.saturating_sub(1);
        }
        if let Some(folder) = self.folders.get_mut(&run.folder) {
            folder.runs.retain(|other| *other != id);
            if folder.runs.is_empty() {
                self.folders.remove(&run.folder);
            }
        }
    }
}

#[cfg(test)]
mod tests;
