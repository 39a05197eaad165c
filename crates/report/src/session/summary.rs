//! `summary.json`: the analysis of a session for programs, versioned, with a published schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::bill::BillSummary;
use super::conversations_summary::ConversationsSummary;
use super::heard_summary::HeardSummary;
use super::quality_summary::QualitySummary;
use super::summary_parts::{
    GeneratorSummary, LatencySummary, OutcomeCounts, ResumptionSummary, RoomCounts, StopSummary,
    ThresholdSummary, ValidityCheck, scope_of,
};
use super::validity::start_rates;
use super::verdict::SessionVerdict;
use crate::fold::{FoldedSession, Scope};
use crate::judged::JudgedFigures;
use crate::paired::PairedComparison;

/// The version of the summary's format.
pub const SUMMARY_VERSION: u32 = 1;

/// The analysis of a session.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// The version of this format.
    pub schema_version: u32,
    /// The version of Rushhour.
    pub rushhour: String,
    /// The session.
    pub session: String,
    /// The profile's name.
    pub profile: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// The seed.
    pub seed: u64,
    /// The mode of the conversations: `chat`, `voice` or `paired`.
    pub mode: String,
    /// How the agent was dispatched. Join times of different methods are not comparable.
    pub dispatch_method: String,
    /// When the session started, RFC 3339 in UTC.
    pub started: String,
    /// From the start to the last event, in microseconds.
    pub lasted_us: u64,
    /// Whether the session finished; a killed one did not.
    pub closed: bool,
    /// Why no more runs were started, in order; empty if the whole plan was executed.
    pub stops: Vec<StopSummary>,
    /// When the process died and another one resumed the session, in order.
    pub resumptions: Vec<ResumptionSummary>,
    /// Whether the load generator delivered the load. If not, the session says nothing about the agent.
    pub valid: bool,
    /// The conditions behind `valid`.
    pub validity: Vec<ValidityCheck>,
    /// Starts per second requested.
    pub asked_per_s: Option<f64>,
    /// Starts per second delivered.
    pub delivered_per_s: Option<f64>,
    /// All runs.
    pub runs: OutcomeCounts,
    /// The runs of measured stages.
    pub measured: OutcomeCounts,
    /// The runs of each stage.
    pub stages: BTreeMap<String, OutcomeCounts>,
    /// Submissions accepted.
    pub submissions: u64,
    /// Submissions sent, retries included.
    pub submissions_sent: u64,
    /// Submissions without a clear answer that turned out to be accepted, as the room showed.
    pub submissions_proven_late: u64,
    /// Runs whose id at the evaluator is an assumption.
    pub mapping_assumed: u64,
    /// Rooms created, deleted, and left behind.
    pub rooms: RoomCounts,
    /// The thresholds.
    pub thresholds: Vec<ThresholdSummary>,
    /// The latencies of the session, its scenarios and its stages.
    pub latencies: Vec<LatencySummary>,
    /// The cost at list prices; absent if nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<BillSummary>,
    /// How conversations of our own callers ended; absent where nothing was special about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations: Option<ConversationsSummary>,
    /// How well agents heard our own callers; absent where they wrote no transcripts of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<HeardSummary>,
    /// How agents sounded to our own callers, and how they took turns; absent without callers that speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualitySummary>,
    /// Voice compared with chat; absent in a session of one mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairedComparison>,
    /// The sample of runs that was judged; absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<JudgedFigures>,
    /// The load generator's own health.
    pub generator: GeneratorSummary,
}

impl Summary {
    /// The summary of a session.
    pub fn new(folded: &FoldedSession, verdict: &SessionVerdict) -> Self {
        let opening = &folded.opening;
        let profile = &opening.profile;
        let rates = start_rates(folded);
        Self {
            schema_version: SUMMARY_VERSION,
            rushhour: opening.rushhour.clone(),
            session: opening.session.as_str().to_owned(),
            profile: profile.name.clone(),
            profile_hash: opening.profile_hash.clone(),
            seed: profile.seed,
            mode: profile.mode.name().to_owned(),
            dispatch_method: profile.livekit.dispatch.method().name().to_owned(),
            started: opening.anchor.clone(),
            lasted_us: folded.last_event.0,
            closed: folded.closed,
            stops: folded.stops.iter().map(StopSummary::of).collect(),
            resumptions: folded.resumptions.iter().map(ResumptionSummary::of).collect(),
            valid: verdict.validity.holds(),
            validity: verdict.validity.rules.iter().map(ValidityCheck::of).collect(),
            asked_per_s: rates.requested,
            delivered_per_s: rates.delivered,
            runs: OutcomeCounts::of(&folded.tally),
            measured: OutcomeCounts::of(&folded.measured),
            stages: folded
                .by_stage
                .iter()
                .map(|(stage, tally)| {
                    let name = scope_of(folded, Scope::Stage(*stage)).name.to_owned();
                    (name, OutcomeCounts::of(tally))
                })
                .collect(),
            submissions: folded.submissions,
            submissions_sent: folded.submission_attempts,
            submissions_proven_late: folded.submissions_found_accepted,
            mapping_assumed: folded.assumed_mappings,
            rooms: RoomCounts {
                made: folded.rooms_created,
                deleted: folded.rooms_deleted,
                left: folded.rooms_not_deleted,
            },
            thresholds: verdict.thresholds.iter().map(ThresholdSummary::of).collect(),
            latencies: folded
                .latencies
                .iter()
                .map(|(metric, mode, scope, latencies)| {
                    LatencySummary::of(folded, (metric, mode, scope), latencies)
                })
                .collect(),
            bill: BillSummary::of(folded),
            conversations: ConversationsSummary::of(folded),
            heard: HeardSummary::of(folded),
            quality: QualitySummary::of(folded),
            pairs: verdict.pairs.clone(),
            judged: verdict.judged.as_ref().map(|judged| judged.figures.clone()),
            generator: GeneratorSummary::of(folded),
        }
    }
}

/// The JSON Schema (draft 2020-12) of a summary.
pub fn summary_schema() -> serde_json::Value {
    schemars::schema_for!(Summary).to_value()
}
