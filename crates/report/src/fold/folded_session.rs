//! Everything that reports need of a session. Nothing here grows with the session, except the runs in flight, the pairs
//! of a paired session and, up to a bound, the times of agents' joins.

use std::collections::BTreeMap;

use super::agent_workers::AgentWorkers;
use super::connections::ConnectionTallies;
use super::conversations::ConversationTally;
use super::failure_messages::FailureMessages;
use super::funnel::Funnel;
use super::heard::HeardTally;
use super::join_times::JoinTimes;
use super::latencies::LatencyTable;
use super::pairs::PairTable;
use super::peak_health::PeakHealth;
use super::quality::{QualityOfRun, QualityTally};
use super::reconnects::ReconnectTally;
use super::rules::RuleTally;
use super::run_record::{RunRecord, TimeSpan};
use super::slowest::Slowest;
use super::stage_names::StageNames;
use super::tally::OutcomeTally;
use super::timeline::Timeline;
use super::workers::FoldedWorkers;
use rushhour_core::bill::{Bill, Tariff};
use rushhour_core::event::{
    FailureClass, FramesSent, Outcome, RpcCalls, SessionHeader, StopReason,
};
use rushhour_core::units::{ForeignText, SessionTime};

/// The most marks of a session that are shown: whoever wrote the journal says how many there are.
pub const MAX_MARKS: usize = 50;

/// A moment that somebody marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: SessionTime,
    /// What it marks.
    pub text: ForeignText,
}

/// A session after all its events.
#[derive(Debug, Clone)]
pub struct FoldedSession {
    /// The session's header.
    pub opening: SessionHeader,
    /// Names by position.
    pub names: StageNames,
    /// All runs.
    pub tally: OutcomeTally,
    /// The runs of measured stages.
    pub measured: OutcomeTally,
    /// The runs of each stage, by its position in the profile.
    pub by_stage: BTreeMap<u32, OutcomeTally>,
    /// Its pairs; none in a session of one mode.
    pub pairs: Option<PairTable>,
    /// The cost of its runs; empty where nothing is charged.
    pub bill: Bill,
    /// Latencies.
    pub latencies: LatencyTable,
    /// Right-censored latencies: how long runs that were cut off had taken so far.
    pub unfinished: LatencyTable,
    /// Counts and latencies over time.
    pub timeline: Timeline,
    /// The intended start of the first run of each stage.
    pub stage_starts: BTreeMap<u32, SessionTime>,
    /// When agents were requested, and joined.
    pub joins: JoinTimes,
    /// How far all runs came.
    pub funnel: Funnel,
    /// Audio frames that our own callers sent.
    pub frames: FramesSent,
    /// What the agents asked of our own callers by RPC.
    pub rpc_calls: RpcCalls,
    /// Connections that our own callers lost and recovered.
    pub reconnects: ReconnectTally,
    /// How well agents heard our own callers.
    pub heard: HeardTally,
    /// How often callers followed the rules of their scripts.
    pub rules: RuleTally,
    /// How agents sounded in measured runs of our own callers, and how they took turns.
    pub quality: QualityTally,
    /// How LiveKit rated connections in measured runs.
    pub connections: ConnectionTallies,
    /// What was special about the conversations of our own callers.
    pub conversations: ConversationTally,
    /// Messages of failures.
    pub failure_messages: FailureMessages,
    /// The slowest runs of measured stages.
    pub slowest: Slowest,
    /// Submissions accepted.
    pub submissions: u64,
    /// Attempts to submit, including retries.
    pub submission_attempts: u64,
    /// Runs whose mapping to a run at the evaluator is an assumption.
    pub assumed_mappings: u64,
    /// Submissions without a clear answer that had been accepted, as a participant in the room showed.
    pub submissions_found_accepted: u64,
    /// Rooms created.
    pub rooms_created: u64,
    /// Rooms deleted.
    pub rooms_deleted: u64,
    /// Rooms that could not be deleted.
    pub rooms_not_deleted: u64,
    /// Rooms that the server listed after the session's end; none where it was not asked.
    pub rooms_listed: Option<RoomsListed>,
    /// The last intended start of a run that was started or skipped.
    pub last_intended: SessionTime,
    /// The last actual start.
    pub last_start: SessionTime,
    /// The most runs in flight at once.
    pub in_flight_peak: u64,
    /// The workers that held the native callers, if any did.
    pub workers: FoldedWorkers,
    /// The number of the agent's workers over time, where several are asked for their health.
    pub agent_workers: AgentWorkers,
    /// The generator's own health.
    pub health: PeakHealth,
    /// Moments that somebody marked, in order; at most [`MAX_MARKS`].
    pub marks: Vec<Mark>,
    /// Why the session stopped early, in order, each with a detail for people.
    pub stops: Vec<(StopReason, String)>,
    /// The times that another process resumed the session, in order.
    pub resumptions: Vec<ResumptionRecord>,
    /// The time of the last event.
    pub last_event: SessionTime,
    /// Whether the session was completed; a killed one was not.
    pub closed: bool,
    /// Whether this is a session that still runs: runs without an end are in flight.
    pub is_running: bool,
    /// How many runs are forecast, of a session that still runs.
    pub forecast: Option<u64>,
    /// Runs in flight when the journal ends; empty if the session was completed, and while it runs: nothing that is
    /// shown of it names them.
    pub open: Vec<RunRecord>,
    tariff: Option<Tariff>,
}

/// A resumption: the session's process died, and another one continued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumptionRecord {
    /// The time in which nobody observed the runs.
    pub gap: TimeSpan,
    /// The wall clock at the resumption.
    pub wall: String,
    /// Bytes of an incomplete line that were removed from the journal.
    pub torn_bytes: u64,
    /// Runs that were in flight.
    pub open_runs: u64,
}

/// The session's rooms that the server listed after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomsListed {
    /// Rooms that remained.
    pub remaining: u64,
    /// Rooms that it had still listed after their deletion, and that were deleted again.
    pub deleted_again: u64,
}

impl FoldedSession {
    pub(super) fn new(opening: SessionHeader) -> Self {
        let tariff = Tariff::new(&opening.profile);
        let is_paired = opening.profile.mode.is_paired();
        Self {
            names: StageNames::of(&opening),
            joins: JoinTimes::default(),
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
            rpc_calls: RpcCalls::default(),
            reconnects: ReconnectTally::default(),
            heard: HeardTally::default(),
            rules: RuleTally::default(),
            quality: QualityTally::default(),
            connections: ConnectionTallies::default(),
            conversations: ConversationTally::default(),
            failure_messages: FailureMessages::default(),
            slowest: Slowest::default(),
            submissions: 0,
            submission_attempts: 0,
            assumed_mappings: 0,
            submissions_found_accepted: 0,
            rooms_created: 0,
            rooms_deleted: 0,
            rooms_not_deleted: 0,
            rooms_listed: None,
            last_intended: SessionTime::START,
            last_start: SessionTime::START,
            in_flight_peak: 0,
            workers: FoldedWorkers::default(),
            agent_workers: AgentWorkers::default(),
            health: PeakHealth::default(),
            marks: Vec::new(),
            stops: Vec::new(),
            resumptions: Vec::new(),
            last_event: SessionTime::START,
            closed: false,
            is_running: false,
            forecast: None,
            open: Vec::new(),
        }
    }

    /// How many runs were planned. Before the end this is what is forecast, or what the plan determines: stages may end
    /// long before every copy has started.
    pub fn planned(&self) -> u64 {
        let decided = self.tally.planned();
        if self.closed || !self.stops.is_empty() {
            return decided;
        }
        decided.max(self.forecast.or(self.opening.planned).unwrap_or(0))
    }

    /// Applies `count` to every tally that a run of this stage belongs to.
    fn count(&mut self, stage: u32, count: impl Fn(&mut OutcomeTally)) {
        count(&mut self.tally);
        if self.names.is_measured(stage) {
            count(&mut self.measured);
        }
        count(self.by_stage.entry(stage).or_default());
    }

    fn add_intended(&mut self, stage: u32, at: SessionTime) {
        self.last_intended = self.last_intended.max(at);
        let first = self.stage_starts.entry(stage).or_insert(at);
        *first = at.min(*first);
    }

    pub(super) fn add_start(&mut self, record: &RunRecord, at: SessionTime) {
        self.count(record.stage, |tally| tally.started += 1);
        self.add_intended(record.stage, record.intended);
        self.last_start = self.last_start.max(at);
        self.timeline.window_at(record.intended).intended += 1;
        self.timeline.window_at(at).started += 1;
    }

    pub(super) fn add_skipped(&mut self, record: &RunRecord) {
        self.count(record.stage, |tally| tally.skipped += 1);
        self.add_intended(record.stage, record.intended);
        let window = self.timeline.window_at(record.intended);
        window.intended += 1;
        window.skipped += 1;
        self.add_to_pair(record);
    }

    /// Keeps a mark, unless there are too many to show.
    pub(super) fn add_mark(&mut self, at: SessionTime, text: &ForeignText) {
        if self.marks.len() < MAX_MARKS {
            self.marks.push(Mark { at, text: text.clone() });
        }
    }

    pub(super) fn add_stop(&mut self, reason: StopReason, detail: &str) {
        self.stops.push((reason, detail.to_owned()));
    }

    /// Counts runs that were not started, and returns the class of their failure.
    pub(super) fn add_not_started(&mut self, count: u64) -> FailureClass {
        self.tally.not_started += count;
        match self.stops.last() {
            Some((StopReason::Budget, _)) => FailureClass::BudgetStopped,
            _ => FailureClass::Cancelled,
        }
    }

    pub(super) fn add_end(&mut self, record: &RunRecord, at: SessionTime) {
        let Some(ending) = &record.ending else { return };
        self.count(record.stage, |tally| tally.add(&ending.outcome));
        let window = self.timeline.window_at(at);
        match &ending.outcome {
            Outcome::Failed { class, detail } => {
                window.failed += 1;
                self.failure_messages.add(*class, detail);
            }
            Outcome::Completed { .. } | Outcome::Skipped => window.completed += 1,
        }
        if record.is_redial {
            self.conversations.add_redial(&ending.outcome);
        }
        self.funnel.add(record);
        self.charge(record);
        self.add_to_pair(record);
        self.rules.add(record);
        let measured = self.names.is_measured(record.stage);
        if measured {
            self.heard.add(record);
            self.add_quality(record);
            self.connections.add(&record.connections);
        }
        for sample in record.samples() {
            self.latencies.add(&sample, record.mode, record.scenario, record.stage, measured);
            if measured {
                self.timeline.add(record.intended, &sample);
                self.slowest.add(record, &sample);
            }
        }
        self.add_unfinished(record);
    }

    /// A turn belongs to the window in which it was taken: conversations are long.
    fn add_quality(&mut self, record: &RunRecord) {
        self.quality.add(&QualityOfRun::of(record));
        for turn in record.turns.iter().filter(|turn| !turn.away) {
            if turn.sound.is_some() || turn.taking.is_some() || turn.heard.is_some() {
                self.timeline.window_at(turn.said).add_turn(turn);
            }
        }
    }

    /// Takes the runs that were in flight when the journal ended.
    pub(super) fn add_open(&mut self, mut open: Vec<RunRecord>) {
        open.sort_by_key(|record| record.run);
        self.count_open(&open);
        self.open = open;
    }

    /// Counts runs in flight, in their order, without keeping them.
    pub(super) fn count_open<'a>(&mut self, open: impl IntoIterator<Item = &'a RunRecord>) {
        for record in open {
            self.add_unfinished(record);
            self.funnel.add(record);
            self.charge(record);
            self.add_to_pair(record);
            if self.names.is_measured(record.stage) {
                self.heard.add(record);
            }
        }
    }

    /// A run in flight when the journal ends is charged until then.
    fn charge(&mut self, record: &RunRecord) {
        if let Some(tariff) = &self.tariff {
            let usage = record.usage(&self.opening.profile, self.last_event);
            self.bill.add(tariff, &usage, 1);
        }
    }

    fn add_to_pair(&mut self, record: &RunRecord) {
        if let Some(pairs) = self.pairs.as_mut().filter(|_| self.names.is_measured(record.stage)) {
            pairs.add(record, &self.opening.profile, self.tariff.as_ref());
        }
    }

    fn add_unfinished(&mut self, record: &RunRecord) {
        let measured = self.names.is_measured(record.stage);
        for sample in record.unfinished(self.last_event) {
            self.unfinished.add(&sample, record.mode, record.scenario, record.stage, measured);
        }
    }
}
