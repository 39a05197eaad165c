//! Submissions: each entry becomes a run.

use crate::faults::Group;
use crate::truth::SandboxFact;
use rushhour_core::units::{Micros, Mode, RoomName, SessionTime};

use super::state::TimerEvent;
use super::{Phase, Run, World};

/// A valid submission.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) mode: Mode,
    /// Cekura's number of the agent.
    pub(crate) agent: u64,
    pub(crate) entries: Vec<SubmissionEntry>,
}

/// What one run is made from.
#[derive(Debug)]
pub(crate) struct SubmissionEntry {
    pub(crate) scenario: u64,
    pub(crate) room_url: String,
    pub(crate) token: String,
}

/// The runs of one submission: what Cekura calls a result.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) mode: Mode,
    pub(crate) agent: u64,
    pub(crate) made_at: SessionTime,
    pub(crate) runs: Vec<u64>,
}

/// What a submission made.
#[derive(Debug)]
pub(crate) struct SubmissionReceipt {
    pub(crate) submission: u64,
    pub(crate) folder: u64,
    pub(crate) runs: Vec<u64>,
}

impl World {
    /// The result of this number.
    pub(crate) fn folder(&self, id: u64) -> Option<&Folder> {
        self.folders.get(&id)
    }

    /// Every result that is remembered, by number.
    pub(crate) fn all_folders(&self) -> impl DoubleEndedIterator<Item = (u64, &Folder)> {
        self.folders.iter().map(|(id, folder)| (*id, folder))
    }

    /// Makes a run of each entry. Their time in the queue counts from the planned answer, `answer_after`.
    pub(crate) fn accept(
        &mut self,
        submission: Submission,
        answer_after: Micros,
    ) -> SubmissionReceipt {
        let Submission { mode, agent, entries } = submission;
        self.numbers.submission += 1;
        self.numbers.folder += 1;
        let (number, folder) = (self.numbers.submission, self.numbers.folder);
        let runs: Vec<u64> = entries
            .iter()
            .map(|entry| self.accept_run(number, folder, mode, entry, answer_after))
            .collect();
        let made_at = self.now();
        self.folders.insert(folder, Folder { mode, agent, made_at, runs: runs.clone() });
        SubmissionReceipt { submission: number, folder, runs }
    }

    fn accept_run(
        &mut self,
        submission: u64,
        folder: u64,
        mode: Mode,
        entry: &SubmissionEntry,
        answer_after: Micros,
    ) -> u64 {
        let received = self.now();
        let (ticket, width) = self.ticket(entry, received);
        let room = ticket.room.clone();
        let key = format!("{room}#{}", self.attempt(&room, "entry"));
        let fate = self.fault(Group::RUN, &key);
        self.numbers.run += 1;
        let id = self.numbers.run;
        let copy = self.accept_entry(&room, entry.scenario);
        self.note(SandboxFact::EntryAccepted {
            submission,
            result: folder,
            run: id,
            room,
            scenario: entry.scenario,
            mode,
            copy,
            identity: ticket.identity.clone(),
            token_ttl_s: width.ttl_seconds,
            grants: width.grants,
            received_us: received,
        });
        let wait = answer_after + self.time("queue", &key, self.config.times.cekura.queue);
        let run = Run {
            folder,
            mode,
            scenario: entry.scenario,
            phase: Phase::Pending,
            accepted_at: received,
            started_at: None,
            over_at: None,
            ended_at: None,
            ended_reason: "",
            error_message: String::new(),
            room_sid: None,
            polls: 0,
            key,
            ticket,
            fate,
            step: 0,
            has_place: false,
        };
        self.runs.insert(id, run);
        self.after(wait, TimerEvent::Run { run: id, step: 0 });
        id
    }

    /// The rooms that a submission's entries name, one key for all of them.
    pub(crate) fn submission_key(&mut self, submission: &Submission) -> String {
        let rooms: Vec<RoomName> =
            submission.entries.iter().map(|entry| self.ticket(entry, self.now()).0.room).collect();
        let first = rooms.first().cloned().unwrap_or_else(|| RoomName::new(""));
        let attempt = self.attempt(&first, "submission");
        let names: Vec<&str> = rooms.iter().map(RoomName::as_str).collect();
        format!("{}#{attempt}", names.join(","))
    }
}
