//! Submissions: each entry becomes a run.

use crate::faults::FaultGroup;
use crate::truth::SandboxFact;
use rushhour_core::units::{Micros, Mode, RoomName, SessionTime};

use super::state::TimerEvent;
use super::{Phase, Run, World};

/// A valid submission.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) mode: Mode,
    /// Cekura's id of the agent.
    pub(crate) agent: u64,
    pub(crate) entries: Vec<SubmissionEntry>,
}

/// What becomes one run.
#[derive(Debug)]
pub(crate) struct SubmissionEntry {
    pub(crate) scenario: u64,
    pub(crate) room_url: String,
    pub(crate) token: String,
}

/// The runs of one submission, which Cekura calls a result.
#[derive(Debug)]
pub(crate) struct CekuraResult {
    pub(crate) mode: Mode,
    pub(crate) agent: u64,
    pub(crate) created_at: SessionTime,
    pub(crate) runs: Vec<u64>,
}

/// The ids of an accepted submission and of what it created.
#[derive(Debug)]
pub(crate) struct SubmissionIds {
    pub(crate) submission: u64,
    pub(crate) result: u64,
    pub(crate) runs: Vec<u64>,
}

impl World {
    pub(crate) fn result(&self, id: u64) -> Option<&CekuraResult> {
        self.results.get(&id)
    }

    /// All remembered results, by id.
    pub(crate) fn all_results(&self) -> impl DoubleEndedIterator<Item = (u64, &CekuraResult)> {
        self.results.iter().map(|(id, result)| (*id, result))
    }

    /// Creates a run for each entry. Their time in the queue starts with the response, `response_delay` from now.
    pub(crate) fn accept_submission(
        &mut self,
        submission: Submission,
        response_delay: Micros,
    ) -> SubmissionIds {
        let Submission { mode, agent, entries } = submission;
        self.last_ids.submission += 1;
        self.last_ids.result += 1;
        let (submission, result) = (self.last_ids.submission, self.last_ids.result);
        let runs: Vec<u64> =
            entries.iter().map(|entry| self.create_run(mode, entry, response_delay)).collect();
        let created_at = self.now();
        self.results.insert(result, CekuraResult { mode, agent, created_at, runs: runs.clone() });
        SubmissionIds { submission, result, runs }
    }

    /// Creates a run of the submission and the result that were numbered last.
    fn create_run(&mut self, mode: Mode, entry: &SubmissionEntry, response_delay: Micros) -> u64 {
        let received = self.now();
        let (access, scope) = self.room_access(entry, received);
        let room = access.room.clone();
        let key = format!("{room}#{}", self.count_attempt(&room, "entry"));
        let fault = self.choose_fault(FaultGroup::RUN, &key);
        self.last_ids.run += 1;
        let id = self.last_ids.run;
        let result = self.last_ids.result;
        let copy = self.count_acceptance(&room, entry.scenario);
        self.record(SandboxFact::EntryAccepted {
            submission: self.last_ids.submission,
            result,
            run: id,
            room,
            scenario: entry.scenario,
            mode,
            copy,
            identity: access.identity.clone(),
            token_ttl_s: scope.ttl_seconds,
            grants: scope.grants,
            received_us: received,
        });
        let queue_time = self.sample_delay("queue", &key, self.config.times.cekura.queue);
        let run = Run {
            result,
            mode,
            scenario: entry.scenario,
            phase: Phase::Pending,
            accepted_at: received,
            started_at: None,
            conversation_ended_at: None,
            ended_at: None,
            ended_reason: "",
            error_message: String::new(),
            room_sid: None,
            polls: 0,
            key,
            access,
            fault,
            step: 0,
            holds_slot: false,
        };
        self.runs.insert(id, run);
        self.schedule(response_delay + queue_time, TimerEvent::Run { run: id, step: 0 });
        id
    }

    /// The key of a submission's random draws: the rooms of its entries and the attempt.
    pub(crate) fn submission_key(&mut self, submission: &Submission) -> String {
        let now = self.now();
        let room = |entry: &SubmissionEntry| self.room_access(entry, now).0.room;
        let rooms: Vec<RoomName> = submission.entries.iter().map(room).collect();
        let first = rooms.first().cloned().unwrap_or_else(|| RoomName::new(""));
        let attempt = self.count_attempt(&first, "submission");
        let names: Vec<&str> = rooms.iter().map(RoomName::as_str).collect();
        format!("{}#{attempt}", names.join(","))
    }
}
