//! Once through the events of a session, keeping what its reports need and nothing that grows with it
//! but the runs under way and the pairs of a paired session.

use std::collections::{BTreeMap, HashMap};

use super::failure_messages::FailureMessages;
use super::funnel::Funnel;
use super::latencies::LatencyTable;
use super::pairs::PairTable;
use super::run_record::{AgentTimes, RunOutcome, RunRecord, SubmissionTimes, TimeSpan};
use super::slowest::Slowest;
use super::tally::OutcomeTally;
use super::timeline::Timeline;
use rushhour_core::bill::{Bill, Tariff};
use rushhour_core::event::{
    Event, EventKind, FailureClass, FramesSent, GeneratorHealth, Outcome, RunMapping, RunPhase,
    SessionHeader, StopReason,
};
use rushhour_core::profile::DispatchMethod;
use rushhour_core::units::{Micros, Mode, PairId, RunIndex, SessionTime};

/// Events that are no session's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The first event does not open a session.
    #[error("the journal does not begin with a session")]
    NotOpened,
    /// A session was opened twice.
    #[error("the journal holds a second session")]
    OpenedTwice,
    /// An event speaks of a run that was never started.
    #[error("the journal speaks of run {0}, which it never started")]
    UnknownRun(RunIndex),
}

/// Names of stages and scenarios by their position in the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageNames {
    /// Each stage's name, and whether it is measured.
    pub stages: Vec<(String, bool)>,
    /// Each scenario's name.
    pub scenarios: Vec<String>,
}

impl StageNames {
    /// The names in the profile that a session was opened with.
    pub fn of(opening: &SessionHeader) -> Self {
        let profile = &opening.profile;
        Self {
            stages: profile.stages.iter().map(|s| (s.name.clone(), s.measured)).collect(),
            scenarios: profile.mix.scenarios().iter().map(|s| s.name.clone()).collect(),
        }
    }

    /// Whether a stage is measured.
    pub fn is_measured(&self, stage: u32) -> bool {
        self.stages.get(stage as usize).is_some_and(|(_, measured)| *measured)
    }
}

/// The generator's worst moments, and its sums.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PeakHealth {
    /// The most memory, in bytes.
    pub memory: u64,
    /// Processor time in all.
    pub cpu: Micros,
    /// The largest share of one core over a stretch.
    pub cpu_share: f64,
    /// The longest the loop came late.
    pub loop_lag: Micros,
    /// Questions answered and not answered.
    pub polls: (u64, u64),
    /// The longest a due question waited.
    pub poll_lag: Micros,
    /// Answers of 429.
    pub throttled: u64,
    /// Looks into rooms.
    pub looks: u64,
    /// The longest a due look waited.
    pub look_lag: Micros,
    /// Beats of our own callers' threads, and those that began late.
    pub beats: (u64, u64),
    /// The latest of them.
    pub latest_beat: Micros,
}

/// What a session comes to.
#[derive(Debug, Clone)]
pub struct FoldedSession {
    /// How it began.
    pub opening: SessionHeader,
    /// Names by position.
    pub names: StageNames,
    /// All runs.
    pub tally: OutcomeTally,
    /// The runs of measured stages.
    pub measured: OutcomeTally,
    /// The runs of each stage.
    pub by_stage: BTreeMap<u32, OutcomeTally>,
    /// Its pairs; none in a session of one mode.
    pub pairs: Option<PairTable>,
    /// What its runs cost; empty where nothing is charged.
    pub bill: Bill,
    /// Latencies.
    pub latencies: LatencyTable,
    /// How long runs had gone on that were cut off before their end: each would have taken longer.
    pub unfinished: LatencyTable,
    /// Over time.
    pub timeline: Timeline,
    /// When the first run of each stage was meant to start.
    pub stage_starts: BTreeMap<u32, SessionTime>,
    /// How far all runs came.
    pub funnel: Funnel,
    /// Audio that our own callers sent.
    pub frames: FramesSent,
    /// What was said of failures.
    pub failure_words: FailureMessages,
    /// The slowest runs of measured stages.
    pub slowest: Slowest,
    /// Submissions accepted, and attempts in all.
    pub submissions: (u64, u64),
    /// Runs whose name at the evaluator is an assumption.
    pub assumed: u64,
    /// Submissions without a clear answer that were accepted all the same, as the room showed.
    pub proven_late: u64,
    /// Rooms made.
    pub rooms_made: u64,
    /// Rooms deleted.
    pub rooms_deleted: u64,
    /// Rooms that could not be deleted.
    pub rooms_left: u64,
    /// Rooms that the server still listed after the session's end, where it was asked, and how many it had listed
    /// that were then deleted once more.
    pub rooms_listed: Option<(u64, u64)>,
    /// The last intended start that was let in, or skipped.
    pub last_intended: SessionTime,
    /// The last start.
    pub last_start: SessionTime,
    /// The most runs in flight at once.
    pub in_flight_peak: u64,
    /// The generator's own health.
    pub health: PeakHealth,
    /// Why nothing more was started, in order.
    pub stops: Vec<(StopReason, String)>,
    /// When its process died and another one took it up, in order.
    pub resumptions: Vec<ResumptionRecord>,
    /// The last event's time.
    pub last_event: SessionTime,
    /// Whether the session came to its end; a killed one did not.
    pub closed: bool,
    /// Runs under way when the journal ends; empty for one that came to its end.
    pub open: Vec<RunRecord>,
    tariff: Option<Tariff>,
}

/// The session's process died, and another one took it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumptionRecord {
    /// The time in which nobody watched.
    pub gap: TimeSpan,
    /// The wall clock when it was taken up.
    pub wall: String,
    /// Bytes of half a line that were cut off the journal.
    pub torn: u64,
    /// Runs that were under way.
    pub open: u64,
}

/// What an event told of outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedRuns {
    /// Nothing.
    Nothing,
    /// The outcome of a run.
    Run(Box<RunRecord>),
    /// That runs were not started.
    NotStarted {
        /// The first of them.
        from: RunIndex,
        /// How many.
        count: u64,
        /// Why.
        class: FailureClass,
    },
}

/// A session being folded.
#[derive(Debug, Default)]
pub struct Fold {
    folded: Option<FoldedSession>,
    live: HashMap<RunIndex, RunRecord>,
    attempts: HashMap<u64, u32>,
}

impl Fold {
    /// Takes in an event, and tells whose outcome it is.
    ///
    /// # Errors
    /// Where the events are no session's.
    pub fn add(&mut self, event: &Event) -> Result<EndedRuns, FoldError> {
        let Some(folded) = &mut self.folded else {
            let EventKind::Opened(opening) = &event.kind else {
                return Err(FoldError::NotOpened);
            };
            self.folded = Some(FoldedSession::new((**opening).clone()));
            return Ok(EndedRuns::Nothing);
        };
        folded.last_event = folded.last_event.max(event.at);
        match &event.kind {
            EventKind::Opened(_) => return Err(FoldError::OpenedTwice),
            EventKind::RunStarted {
                run,
                stage,
                scenario,
                copy,
                mode,
                pair,
                intended,
                free,
                room,
            } => {
                let place = (*run, *stage, *scenario, *copy);
                let mut record = new_record(place, (*mode, *pair), *intended);
                record.free = *free;
                record.room = Some(room.clone());
                record.started = Some(event.at);
                folded.started(&record, event.at);
                self.live.insert(*run, record);
                folded.in_flight_peak = folded.in_flight_peak.max(self.live.len() as u64);
            }
            EventKind::RunSkipped { run, stage, scenario, copy, mode, pair, intended } => {
                folded.each_tally(*stage, |tally| tally.skipped += 1);
                folded.intended(*stage, *intended);
                let window = folded.timeline.at(*intended);
                window.intended += 1;
                window.skipped += 1;
                let place = (*run, *stage, *scenario, *copy);
                let mut record = new_record(place, (*mode, *pair), *intended);
                let seen = TimeSpan { from: event.at, to: event.at };
                record.ending = Some(RunOutcome { outcome: Outcome::Skipped, seen, talked: None });
                folded.pair(&record);
                return Ok(EndedRuns::Run(Box::new(record)));
            }
            EventKind::RestNotStarted { from, count } => {
                folded.tally.not_started += count;
                let class = match folded.stops.last() {
                    Some((StopReason::Budget, _)) => FailureClass::BudgetStopped,
                    _ => FailureClass::Cancelled,
                };
                return Ok(EndedRuns::NotStarted { from: *from, count: *count, class });
            }
            EventKind::SubmitRetry { request, attempt, .. } => {
                folded.submissions.1 += 1;
                self.attempts.insert(*request, *attempt);
            }
            EventKind::Submitted { .. } => self.submitted(&event.kind),
            EventKind::Ended { run, outcome, after, seen, conversation_duration: talked } => {
                let mut record = self.live.remove(run).ok_or(FoldError::UnknownRun(*run))?;
                record.ending = Some(RunOutcome {
                    outcome: outcome.clone(),
                    seen: TimeSpan { from: *after, to: *seen },
                    talked: *talked,
                });
                folded.ended(&record, *seen);
                return Ok(EndedRuns::Run(Box::new(record)));
            }
            EventKind::RoomDeleted { .. } => folded.rooms_deleted += 1,
            EventKind::RoomNotDeleted { .. } => folded.rooms_left += 1,
            EventKind::Health(health) => folded.health.take(health),
            EventKind::Stopping { reason, detail } => folded.stops.push((*reason, detail.clone())),
            EventKind::Closed => folded.closed = true,
            // A series of its own follows what the agent's worker says.
            EventKind::AgentHealth(_) => {}
            EventKind::RoomsListed { rooms, deleted_again } => {
                folded.rooms_listed = Some((*rooms, *deleted_again));
            }
            EventKind::Resumed { .. } => self.resumed(&event.kind, event.at),
            EventKind::EvaluatorSeen { .. } => folded.proven_late += 1,
            EventKind::SubmitIntent { runs, .. } => {
                for run in runs {
                    let Some(record) = self.live.get_mut(run) else { continue };
                    record.asked = Some(event.at);
                }
            }
            EventKind::RoomCreated { .. }
            | EventKind::Dispatched { .. }
            | EventKind::AgentSeen { .. }
            | EventKind::AgentReady { .. }
            | EventKind::Greeted { .. }
            | EventKind::Turn { .. }
            | EventKind::ModelUsage { .. }
            | EventKind::AudioSent { .. }
            | EventKind::PhaseSeen { .. } => self.of_a_run(&event.kind),
        }
        Ok(EndedRuns::Nothing)
    }

    fn resumed(&mut self, happening: &EventKind, at: SessionTime) {
        let EventKind::Resumed { wall, torn, downtime: unwatched, open } = happening else {
            return;
        };
        let Some(folded) = &mut self.folded else { return };
        let gap = TimeSpan { from: at - *unwatched, to: at };
        let sends_late = folded.opening.profile.livekit.dispatch.method() == DispatchMethod::Token;
        for run in open {
            let Some(record) = self.live.get_mut(run) else { continue };
            record.not_watched(gap, sends_late);
        }
        let (wall, torn) = (wall.clone(), *torn);
        folded.resumptions.push(ResumptionRecord { gap, wall, torn, open: open.len() as u64 });
    }

    /// What it all came to.
    ///
    /// # Errors
    /// Where there was no event at all.
    pub fn finish(self) -> Result<FoldedSession, FoldError> {
        let mut folded = self.folded.ok_or(FoldError::NotOpened)?;
        folded.open = self.live.into_values().collect();
        folded.open.sort_by_key(|record| record.run);
        for record in std::mem::take(&mut folded.open) {
            folded.cut_off(&record);
            folded.funnel.add(&record);
            folded.charge(&record);
            folded.pair(&record);
            folded.open.push(record);
        }
        Ok(folded)
    }

    /// What it has come to so far.
    pub const fn so_far(&self) -> Option<&FoldedSession> {
        self.folded.as_ref()
    }

    /// What is said of a run after its outcome, when its room comes late for example, changes nothing of it.
    fn of_a_run(&mut self, happening: &EventKind) {
        let Some(folded) = &mut self.folded else { return };
        let method = folded.opening.profile.livekit.dispatch.method();
        match happening {
            EventKind::RoomCreated { run, sent, answered } => {
                folded.rooms_made += 1;
                let Some(record) = self.live.get_mut(run) else { return };
                record.room_made = Some(TimeSpan { from: *sent, to: *answered });
                if matches!(method, DispatchMethod::Room | DispatchMethod::None) {
                    record.agent_sent_for = Some(*sent);
                }
            }
            EventKind::Dispatched { run, sent, answered, .. } => {
                let Some(record) = self.live.get_mut(run) else { return };
                record.dispatched = Some(TimeSpan { from: *sent, to: *answered });
                record.agent_sent_for = Some(*sent);
            }
            EventKind::AgentSeen { run, after, seen, joined, .. } => {
                let Some(record) = self.live.get_mut(run) else { return };
                let seen = TimeSpan { from: *after, to: *seen };
                // After a resumption it may be looked for again.
                record.agent.get_or_insert(AgentTimes { seen, joined: *joined });
            }
            EventKind::AgentReady { run, after, seen } => {
                let Some(record) = self.live.get_mut(run) else { return };
                record.agent_ready.get_or_insert(TimeSpan { from: *after, to: *seen });
            }
            EventKind::Greeted { run, at } => {
                let Some(record) = self.live.get_mut(run) else { return };
                record.greeted = Some(*at);
            }
            EventKind::Turn { run, turn } => {
                let Some(record) = self.live.get_mut(run) else { return };
                record.turns.push(*turn);
            }
            EventKind::ModelUsage { run, usage: used } => {
                let Some(record) = self.live.get_mut(run) else { return };
                record.used = Some(*used);
            }
            EventKind::AudioSent { run, frames } => {
                let Some(record) = self.live.get_mut(run) else { return };
                record.frames = Some(*frames);
                folded.frames.sent += frames.sent;
                folded.frames.late += frames.late;
                folded.frames.given_up += frames.given_up;
            }
            EventKind::PhaseSeen { run, phase: sighting, after, seen, .. } => {
                let Some(record) = self.live.get_mut(run) else { return };
                let span = Some(TimeSpan { from: *after, to: *seen });
                match sighting {
                    RunPhase::Queued => {}
                    RunPhase::Running => record.running = span,
                    RunPhase::Judging => record.judging = span,
                }
            }
            _ => {}
        }
    }

    fn submitted(&mut self, happening: &EventKind) {
        let EventKind::Submitted {
            request,
            admitted,
            sent,
            answered,
            result,
            accepted: entered,
            mapping,
        } = happening
        else {
            return;
        };
        let Some(folded) = &mut self.folded else { return };
        let attempts = self.attempts.remove(request).unwrap_or(0) + 1;
        folded.submissions.0 += 1;
        folded.submissions.1 += 1;
        let method = folded.opening.profile.livekit.dispatch.method();
        for entry in entered {
            if *mapping == RunMapping::Assumed {
                folded.assumed += 1;
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
            });
            if method == DispatchMethod::Token {
                record.agent_sent_for = Some(*sent);
            }
        }
    }
}

impl FoldedSession {
    fn new(opening: SessionHeader) -> Self {
        let tariff = Tariff::new(&opening.profile);
        let is_paired = opening.profile.mode.is_paired();
        Self {
            names: StageNames::of(&opening),
            funnel: Funnel::of(&opening.profile),
            opening,
            pairs: is_paired.then(|| PairTable::of(tariff.as_ref())),
            bill: tariff.as_ref().map(Bill::new).unwrap_or_default(),
            tariff,
            tally: OutcomeTally::default(),
            measured: OutcomeTally::default(),
            by_stage: BTreeMap::new(),
            latencies: LatencyTable::default(),
            unfinished: LatencyTable::default(),
            timeline: Timeline::default(),
            stage_starts: BTreeMap::new(),
            frames: FramesSent::default(),
            failure_words: FailureMessages::default(),
            slowest: Slowest::default(),
            submissions: (0, 0),
            assumed: 0,
            proven_late: 0,
            rooms_made: 0,
            rooms_deleted: 0,
            rooms_left: 0,
            rooms_listed: None,
            last_intended: SessionTime::START,
            last_start: SessionTime::START,
            in_flight_peak: 0,
            health: PeakHealth::default(),
            stops: Vec::new(),
            resumptions: Vec::new(),
            last_event: SessionTime::START,
            closed: false,
            open: Vec::new(),
        }
    }

    fn each_tally(&mut self, stage: u32, count: impl Fn(&mut OutcomeTally)) {
        count(&mut self.tally);
        if self.names.is_measured(stage) {
            count(&mut self.measured);
        }
        count(self.by_stage.entry(stage).or_default());
    }

    fn intended(&mut self, stage: u32, at: SessionTime) {
        self.last_intended = self.last_intended.max(at);
        let first = self.stage_starts.entry(stage).or_insert(at);
        *first = at.min(*first);
    }

    fn started(&mut self, record: &RunRecord, at: SessionTime) {
        self.each_tally(record.stage, |tally| tally.started += 1);
        self.intended(record.stage, record.intended);
        self.last_start = self.last_start.max(at);
        self.timeline.at(record.intended).intended += 1;
        self.timeline.at(at).started += 1;
    }

    fn ended(&mut self, record: &RunRecord, at: SessionTime) {
        let Some(ending) = &record.ending else { return };
        self.each_tally(record.stage, |tally| tally.end(&ending.outcome));
        let window = self.timeline.at(at);
        match &ending.outcome {
            Outcome::Failed { class, detail } => {
                window.failed += 1;
                self.failure_words.add(*class, detail);
            }
            Outcome::Completed { .. } | Outcome::Skipped => window.completed += 1,
        }
        self.funnel.add(record);
        self.charge(record);
        self.pair(record);
        let measured = self.names.is_measured(record.stage);
        for sample in record.samples() {
            self.latencies.add(&sample, record.mode, record.scenario, record.stage, measured);
            if measured {
                self.timeline.add(record.intended, &sample);
                self.slowest.add(record, &sample);
            }
        }
        self.cut_off(record);
    }

    /// A run that was under way when the journal ends is charged for up to then.
    fn charge(&mut self, record: &RunRecord) {
        if let Some(tariff) = &self.tariff {
            let usage = record.usage(&self.opening.profile, self.last_event);
            self.bill.add(tariff, &usage, 1);
        }
    }

    fn pair(&mut self, record: &RunRecord) {
        if let Some(pairs) = self.pairs.as_mut().filter(|_| self.names.is_measured(record.stage)) {
            pairs.add(record, &self.opening.profile, self.tariff.as_ref());
        }
    }

    fn cut_off(&mut self, record: &RunRecord) {
        let measured = self.names.is_measured(record.stage);
        for sample in record.unfinished(self.last_event) {
            self.unfinished.add(&sample, record.mode, record.scenario, record.stage, measured);
        }
    }
}

impl PeakHealth {
    fn take(&mut self, health: &GeneratorHealth) {
        self.memory = self.memory.max(health.memory);
        self.cpu = self.cpu + health.cpu;
        if health.interval > Micros::ZERO {
            let share = health.cpu.as_secs_f64() / health.interval.as_secs_f64();
            self.cpu_share = self.cpu_share.max(share);
        }
        self.loop_lag = self.loop_lag.max(health.loop_lag);
        self.polls.0 += u64::from(health.polls);
        self.polls.1 += u64::from(health.polls_failed);
        self.poll_lag = self.poll_lag.max(health.poll_lag);
        self.throttled += u64::from(health.throttled);
        self.looks += u64::from(health.room_polls);
        self.look_lag = self.look_lag.max(health.room_poll_lag);
        if let Some(callers) = health.callers {
            self.beats.0 += callers.ticks;
            self.beats.1 += callers.late_ticks;
            self.latest_beat = self.latest_beat.max(callers.latest_tick);
        }
    }
}

fn new_record(
    (run, stage, scenario, copy): (RunIndex, u32, u32, u32),
    (mode, pair): (Mode, Option<PairId>),
    intended: SessionTime,
) -> RunRecord {
    RunRecord {
        run,
        stage,
        scenario,
        copy,
        mode,
        pair,
        intended,
        free: intended,
        started: None,
        room: None,
        room_made: None,
        dispatched: None,
        agent_sent_for: None,
        agent: None,
        agent_ready: None,
        asked: None,
        submission: None,
        running: None,
        judging: None,
        greeted: None,
        turns: Vec::new(),
        frames: None,
        used: None,
        ending: None,
        unwatched: Vec::new(),
    }
}
