//! One pass over the events of a session.

use std::collections::HashMap;

use super::folded_session::{FoldedSession, ResumptionRecord, RoomsListed};
use super::join_times::JoinTime;
use super::run_record::{RunOutcome, RunRecord, SubmissionTimes, TimeSpan};
use rushhour_core::event::{
    ConversationSummary, Event, EventKind, FailureClass, FramesSent, Outcome, RunMapping,
};
use rushhour_core::profile::DispatchMethod;
use rushhour_core::units::{RunIndex, SessionTime};

/// The most runs that a session's reports list: each has a line in a file, whoever wrote the journal.
pub const MAX_RUNS: u64 = 10_000_000;

/// Events that are not those of one session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The first event does not open a session.
    #[error("the journal does not begin with a session")]
    NotOpened,
    /// A session was opened twice.
    #[error("the journal holds a second session")]
    OpenedTwice,
    /// More runs did not start than a session can plan.
    #[error("the journal says that {0} runs did not start, which no session plans")]
    TooManyRuns(u64),
    /// A run ended that was never started.
    #[error("run {0} ends in the journal without having started")]
    UnknownRun(RunIndex),
}

/// The outcomes that an event decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedRuns {
    /// None.
    Nothing,
    /// The outcome of one run.
    Run(Box<RunRecord>),
    /// Planned runs were not started.
    NotStarted {
        /// The first of them.
        from: RunIndex,
        /// How many.
        count: u64,
        /// Why.
        class: FailureClass,
    },
}

/// Whoever wrote the journal says how many runs did not start.
fn check_rest(folded: &FoldedSession, from: RunIndex, count: u64) -> Result<(), FoldError> {
    let most = folded.opening.planned.unwrap_or(MAX_RUNS).min(MAX_RUNS);
    match from.0.checked_add(count) {
        Some(runs) if runs <= most => Ok(()),
        _ => Err(FoldError::TooManyRuns(count)),
    }
}

/// A session being folded.
#[derive(Debug, Default)]
pub struct Fold {
    folded: Option<FoldedSession>,
    live: HashMap<RunIndex, RunRecord>,
    /// Failed attempts of submissions that are not accepted yet.
    failed_attempts: HashMap<u64, u32>,
}

impl Fold {
    fn open(&mut self, first: &Event) -> Result<EndedRuns, FoldError> {
        let EventKind::Opened(opening) = &first.kind else { return Err(FoldError::NotOpened) };
        self.folded = Some(FoldedSession::new((**opening).clone()));
        Ok(EndedRuns::Nothing)
    }

    /// Adds an event, and returns the outcomes that it decided.
    ///
    /// # Errors
    /// Where the events are not those of one session.
    pub fn add(&mut self, event: &Event) -> Result<EndedRuns, FoldError> {
        let Some(folded) = &mut self.folded else { return self.open(event) };
        folded.last_event = folded.last_event.max(event.at);
        match &event.kind {
            EventKind::Opened(_) => return Err(FoldError::OpenedTwice),
            EventKind::RunStarted { run, free, room, .. } => {
                let Some(mut record) = RunRecord::of_start(&event.kind) else {
                    return Ok(EndedRuns::Nothing);
                };
                record.slot_free = *free;
                record.room = Some(room.clone());
                record.started = Some(event.at);
                folded.add_start(&record, event.at);
                self.live.insert(*run, record);
                folded.in_flight_peak = folded.in_flight_peak.max(self.live.len() as u64);
            }
            EventKind::RunSkipped { .. } => {
                let Some(mut record) = RunRecord::of_start(&event.kind) else {
                    return Ok(EndedRuns::Nothing);
                };
                record.ending = Some(RunOutcome {
                    outcome: Outcome::Skipped,
                    seen: TimeSpan { from: event.at, to: event.at },
                    conversation_duration: None,
                });
                folded.add_skipped(&record);
                return Ok(EndedRuns::Run(Box::new(record)));
            }
            EventKind::RestNotStarted { from, count } => {
                check_rest(folded, *from, *count)?;
                let class = folded.add_not_started(*count);
                return Ok(EndedRuns::NotStarted { from: *from, count: *count, class });
            }
            EventKind::Ended { run, outcome, after, seen, conversation_duration } => {
                let mut record = self.live.remove(run).ok_or(FoldError::UnknownRun(*run))?;
                record.ending = Some(RunOutcome {
                    outcome: outcome.clone(),
                    seen: TimeSpan { from: *after, to: *seen },
                    conversation_duration: *conversation_duration,
                });
                folded.add_end(&record, *seen);
                return Ok(EndedRuns::Run(Box::new(record)));
            }
            EventKind::SubmitIntent { runs, .. } => {
                for run in runs {
                    let Some(record) = self.live.get_mut(run) else { continue };
                    record.submit_intent = Some(event.at);
                }
            }
            EventKind::SubmitRetry { request, attempt, .. } => {
                folded.submission_attempts += 1;
                self.failed_attempts.insert(*request, *attempt);
            }
            EventKind::Submitted { .. } => self.add_submission(&event.kind),
            EventKind::EvaluatorSeen { .. } => folded.submissions_found_accepted += 1,
            EventKind::RoomCreated { run, .. } => {
                folded.rooms_created += 1;
                self.observe(*run, &event.kind);
            }
            EventKind::RpcCalls { calls, .. } => folded.rpc_calls.add(calls),
            EventKind::Conversation { run, summary } => {
                self.add_conversation(*run, summary);
                self.observe(*run, &event.kind);
            }
            EventKind::Dispatched { run, .. }
            | EventKind::AgentSeen { run, .. }
            | EventKind::AgentReady { run, .. }
            | EventKind::Greeted { run, .. }
            | EventKind::Turn { run, .. }
            | EventKind::Reconnected { run, .. }
            | EventKind::MediaPath { run, .. }
            | EventKind::AudioSent { run, .. }
            | EventKind::ModelUsage { run, .. }
            | EventKind::PhaseSeen { run, .. } => {
                folded.reconnects.add(&event.kind, self.live.get(run));
                self.observe(*run, &event.kind);
            }
            EventKind::RoomDeleted { .. } => folded.rooms_deleted += 1,
            EventKind::RoomNotDeleted { .. } => folded.rooms_not_deleted += 1,
            EventKind::RoomsListed { rooms, deleted_again } => {
                let (remaining, deleted_again) = (*rooms, *deleted_again);
                folded.rooms_listed = Some(RoomsListed { remaining, deleted_again });
            }
            EventKind::Health(health) => folded.health.add(health),
            EventKind::WorkerHealth(health) => folded.workers.add(health),
            // The soak analysis has a series of its own for the figures of the agent's worker.
            EventKind::AgentHealth(health) => folded.agent_workers.add(event.at, health),
            EventKind::Mark { text } => folded.add_mark(event.at, text),
            EventKind::Stopping { reason, detail } => folded.add_stop(*reason, detail),
            EventKind::Resumed { .. } => self.resume(&event.kind, event.at),
            EventKind::Closed => folded.closed = true,
        }
        Ok(EndedRuns::Nothing)
    }

    /// The session after all its events.
    ///
    /// # Errors
    /// Where there was no event at all.
    pub fn finish(self) -> Result<FoldedSession, FoldError> {
        let mut folded = self.folded.ok_or(FoldError::NotOpened)?;
        folded.add_open(self.live.into_values().collect());
        Ok(folded)
    }

    /// The session after the events so far.
    pub const fn so_far(&self) -> Option<&FoldedSession> {
        self.folded.as_ref()
    }

    /// The session as if its journal ended here: runs in flight are counted, as in reports of a killed session. They are
    /// not copied: it is taken once a second, and they may be ten thousand.
    pub fn snapshot(&self) -> Option<FoldedSession> {
        let mut folded = self.folded.clone()?;
        let mut open: Vec<&RunRecord> = self.live.values().collect();
        open.sort_unstable_by_key(|record| record.run);
        folded.count_open(open);
        folded.is_running = !folded.closed;
        Some(folded)
    }

    fn dispatch_method(&self) -> Option<DispatchMethod> {
        Some(self.folded.as_ref()?.opening.profile.livekit.dispatch.method())
    }

    /// Adds an event to the record of its run, if it is in flight. Events after the outcome,
    /// such as a room that is created late, change nothing.
    fn observe(&mut self, run: RunIndex, kind: &EventKind) {
        let method = self.dispatch_method();
        let Some((record, method)) = self.live.get_mut(&run).zip(method) else { return };
        record.observe(kind, method);
        if let EventKind::AgentSeen { seen, joined, .. } = kind
            && let (Some(requested), Some(folded)) = (record.agent_requested, &mut self.folded)
        {
            folded.joins.add(JoinTime { requested, joined: joined.unwrap_or(*seen) });
        }
        match (kind, &mut self.folded) {
            (EventKind::MediaPath { path, .. }, Some(folded)) => {
                folded.conversations.add_path(record.media_path.replace(*path), *path);
            }
            (EventKind::AudioSent { frames, .. }, _) => self.add_frames(*frames),
            _ => {}
        }
    }

    fn add_frames(&mut self, frames: FramesSent) {
        let Some(folded) = &mut self.folded else { return };
        folded.frames.sent += frames.sent;
        folded.frames.late += frames.late;
        folded.frames.given_up += frames.given_up;
    }

    fn add_conversation(&mut self, run: RunIndex, summary: &ConversationSummary) {
        let Some(folded) = &mut self.folded else { return };
        folded.conversations.add(summary);
        if let Some((rule, record)) = summary.hung_up_by_rule.zip(self.live.get(&run)) {
            folded.rules.follow(record.scenario, rule);
        }
    }

    fn resume(&mut self, kind: &EventKind, at: SessionTime) {
        let EventKind::Resumed { wall, torn, downtime: unwatched, open } = kind else { return };
        let Some(folded) = &mut self.folded else { return };
        let gap = TimeSpan { from: at - *unwatched, to: at };
        // With dispatch by token nothing is sent before the submission; else a CreateRoom request may be unanswered.
        let sends_late = folded.opening.profile.livekit.dispatch.method() == DispatchMethod::Token;
        for run in open {
            let Some(record) = self.live.get_mut(run) else { continue };
            record.add_unobserved(gap, sends_late);
        }
        folded.resumptions.push(ResumptionRecord {
            gap,
            wall: wall.clone(),
            torn_bytes: *torn,
            open_runs: open.len() as u64,
        });
    }

    fn add_submission(&mut self, kind: &EventKind) {
        let EventKind::Submitted { request, admitted, sent, answered, result, accepted, mapping } =
            kind
        else {
            return;
        };
        let Some(folded) = &mut self.folded else { return };
        let attempts = self.failed_attempts.remove(request).unwrap_or(0) + 1;
        folded.submissions += 1;
        folded.submission_attempts += 1;
        let method = folded.opening.profile.livekit.dispatch.method();
        for entry in accepted {
            if *mapping == RunMapping::Assumed {
                folded.assumed_mappings += 1;
            }
            let Some(record) = self.live.get_mut(&entry.run) else { continue };
            record.submission = Some(SubmissionTimes {
                request: *request,
                ready: entry.ready,
                admitted: *admitted,
                span: TimeSpan { from: *sent, to: *answered },
                attempts,
                result: result.clone(),
                evaluator_run: entry.evaluator_run.clone(),
                mapping: *mapping,
                worker: entry.worker,
            });
            if method == DispatchMethod::Token {
                record.agent_requested = Some(*sent);
            }
        }
    }
}
