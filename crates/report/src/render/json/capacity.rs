//! `capacity.json`: the answer of a search for programs, versioned, with a published schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::capacity::{
    CapacityBound, CapacityRange, Ceiling, CompletedSearch, LevelMeasure, LevelVerdict,
    NeededVerdict, Purpose, QualityLoss, SearchEnd, TrialFinding, TrialThreshold,
};
use crate::render::sentences::capacity::{capacity_headline, capacity_remarks};
use crate::render::sentences::first_to_give::because;
use crate::session::{Estimated, QualityFigure};

/// The version of the format.
pub const CAPACITY_VERSION: u32 = 1;

/// The answer of a search.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CapacitySummary {
    /// The version of this format.
    pub schema_version: u32,
    /// The version of Rushhour.
    pub rushhour: String,
    /// The search.
    pub search: String,
    /// The profile's name.
    pub profile: String,
    /// The seed.
    pub seed: u64,
    /// The mode of the conversations.
    pub mode: String,
    /// How the agent was dispatched.
    pub dispatch_method: String,
    /// When the search started, RFC 3339 in UTC.
    pub started: String,
    /// From the start to the end of the last session, in microseconds.
    pub lasted_us: u64,
    /// The answer in one sentence.
    pub answer: String,
    /// What else the reader must know.
    pub remarks: Vec<String>,
    /// The highest level that passed; null if none did.
    pub passed: Option<LevelEnd>,
    /// The lowest level that failed; null if none did.
    pub failed: Option<LevelEnd>,
    /// Why no level above the passed one was found to fail: `most`, `generator`, `undecided` or `ended`.
    pub ceiling: Option<String>,
    /// The lowest level that the load generator could not hold, if that ended the search.
    pub generator_limit: Option<u32>,
    /// Levels between the two that are undecided.
    pub undecided: Vec<u32>,
    /// Why the search ended.
    pub ending: SearchEnd,
    /// What failed first.
    pub first_to_give: Option<FirstToGive>,
    /// Where quality gives way that has no threshold in the profile, the lowest level first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality_losses: Vec<QualityLossSummary>,
    /// The last passed level, started at one instant.
    pub burst: Option<BurstSummary>,
    /// How soon the agent recovered.
    pub recovery: Option<RecoverySummary>,
    /// Whether the agent holds as many conversations as needed.
    pub needed: Option<NeededSummary>,
    /// Runs started in all sessions.
    pub runs: u64,
    /// Their cost at list prices, or the cost they would have had if the stand-ins were real.
    pub spent_usd: f64,
    /// Every session, in order.
    pub sessions: Vec<SessionSummary>,
}

/// One end of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LevelEnd {
    /// Conversations at once.
    pub in_flight: u32,
    /// Sessions with this verdict.
    pub sessions: u32,
}

/// What failed first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FirstToGive {
    /// The level.
    pub in_flight: u32,
    /// The threshold and its figures there.
    pub threshold: LevelThresholdSummary,
    /// The reason in words.
    pub because: String,
}

/// The last passed level, started at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BurstSummary {
    /// Conversations at once.
    pub in_flight: u32,
    /// The verdict.
    pub verdict: LevelVerdict,
    /// The session of the burst.
    pub burst_session: u32,
    /// The session in which the same level was ramped.
    pub ramped_session: u32,
}

/// How soon the lowest level passed again after the first failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecoverySummary {
    /// The level that failed.
    pub after: u32,
    /// The level that was tried afterwards.
    pub in_flight: u32,
    /// The earliest time of the recovery, from the end of the failed level's last run, in microseconds.
    pub not_before_us: u64,
    /// The latest time of the recovery; null if it was not observed.
    pub by_us: Option<u64>,
}

/// Whether the agent holds as many conversations as needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NeededSummary {
    /// How many are needed.
    pub in_flight: u32,
    /// Whether they are held; null if it is unknown.
    pub held: Option<bool>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SessionSummary {
    /// Its number in the search, from 1.
    pub order: u32,
    /// Conversations at once.
    pub in_flight: u32,
    /// Its purpose.
    pub purpose: Purpose,
    /// The verdict.
    pub verdict: LevelVerdict,
    /// When it started, from the start of the search, in microseconds.
    pub began_us: u64,
    /// The length of its measured stage, in microseconds.
    pub measured_us: u64,
    /// When it ended, from the start of the search, in microseconds.
    pub ended_us: u64,
    /// Measured runs with an outcome.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Failures by class.
    pub failures: BTreeMap<String, u64>,
    /// The most runs in flight.
    pub peak_in_flight: u64,
    /// The thresholds.
    pub thresholds: Vec<LevelThresholdSummary>,
    /// How its conversations sounded, were heard and took turns, whether or not there is a threshold; absent without voice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<LevelQualitySummary>,
    /// The conditions that the load generator broke, so that the session says nothing about the agent.
    pub generator: Vec<String>,
    /// Its folder, relative to that of the search.
    pub folder: String,
}

/// A threshold at one level.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LevelThresholdSummary {
    /// The threshold.
    pub threshold: String,
    /// The verdict.
    pub verdict: String,
    /// The number of samples.
    pub n: u64,
    /// The figure: a share between 0 and 1, or microseconds.
    pub figure: Option<f64>,
    /// The lower end of its 95 % interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// A measure of quality at one level.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LevelQualitySummary {
    /// The measure: `speech.gaps`, `heard.wer` or `talk_over`.
    pub measure: String,
    /// The number of conversations.
    pub n: u64,
    /// The figure: gaps a minute, or a share between 0 and 1; with its 95 % interval.
    pub figure: QualityFigure,
}

/// The lowest level at which a measure of quality clearly gives way.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QualityLossSummary {
    /// The measure: `speech.gaps`, `heard.wer` or `talk_over`.
    pub measure: String,
    /// The level.
    pub in_flight: u32,
    /// The figure there, of all its sessions.
    pub figure: QualityFigure,
    /// The lowest level that was measured; null where that is the level itself.
    pub lowest_in_flight: Option<u32>,
    /// The figure there.
    pub lowest_figure: Option<QualityFigure>,
}

impl CapacitySummary {
    /// The answer of a search.
    pub fn new(searched: &CompletedSearch<'_>) -> Self {
        let answer = searched.answer();
        let (opening, spent) = (searched.opening, searched.spent());
        let profile = &opening.profile;
        let end =
            |end: CapacityBound| LevelEnd { in_flight: end.in_flight, sessions: end.sessions };
        let (passed, failed, ceiling) = match answer.range {
            CapacityRange::Between(passed, failed) => (Some(passed), Some(failed), None),
            CapacityRange::AtLeast(passed, ceiling) => (Some(passed), None, Some(ceiling)),
            CapacityRange::FewerThan(failed) => (None, Some(failed), None),
            CapacityRange::Unknown => (None, None, None),
        };
        let generator_limit = match ceiling {
            Some(Ceiling::Generator(level)) => Some(level),
            _ => None,
        };
        Self {
            schema_version: CAPACITY_VERSION,
            rushhour: opening.rushhour.clone(),
            search: opening.search.clone(),
            profile: profile.name.clone(),
            seed: profile.seed,
            mode: profile.mode.to_string(),
            dispatch_method: profile.livekit.dispatch.method().to_string(),
            started: opening.began.clone(),
            lasted_us: searched.duration().0,
            answer: capacity_headline(&answer),
            remarks: capacity_remarks(&answer),
            passed: passed.map(end),
            failed: failed.map(end),
            ceiling: ceiling.map(|ceiling| ceiling_word(ceiling).to_owned()),
            generator_limit,
            undecided: answer.undecided.clone(),
            ending: answer.ending,
            first_to_give: answer.first_failure.as_ref().map(|gave_way| FirstToGive {
                in_flight: gave_way.finding.in_flight(),
                threshold: threshold(gave_way.threshold),
                because: because(gave_way),
            }),
            quality_losses: answer.quality_losses.iter().map(quality_loss).collect(),
            burst: answer.burst.as_ref().map(|burst| BurstSummary {
                in_flight: burst.burst.in_flight(),
                verdict: burst.burst.result.verdict,
                burst_session: burst.burst.number,
                ramped_session: burst.ramped.number,
            }),
            recovery: answer.recovery.map(|recovery| RecoverySummary {
                after: recovery.failed_level,
                in_flight: recovery.probed_level,
                not_before_us: recovery.earliest.0,
                by_us: recovery.latest.map(|by| by.0),
            }),
            needed: answer.needed.map(needed),
            runs: spent.runs,
            spent_usd: spent.money.dollars(),
            sessions: searched.findings.iter().map(session).collect(),
        }
    }
}

const fn ceiling_word(ceiling: Ceiling) -> &'static str {
    match ceiling {
        Ceiling::Most => "most",
        Ceiling::Generator(_) => "generator",
        Ceiling::Undecided(_) => "undecided",
        Ceiling::Ended => "ended",
    }
}

const fn needed(needed: NeededVerdict) -> NeededSummary {
    let (in_flight, held) = match needed {
        NeededVerdict::Met(needed) => (needed, Some(true)),
        NeededVerdict::NotMet(needed) => (needed, Some(false)),
        NeededVerdict::Unknown(needed) => (needed, None),
    };
    NeededSummary { in_flight, held }
}

fn session(finding: &TrialFinding) -> SessionSummary {
    let tried = &finding.result;
    SessionSummary {
        order: finding.number,
        in_flight: finding.in_flight(),
        purpose: finding.purpose(),
        verdict: tried.verdict,
        began_us: tried.start.0,
        measured_us: tried.trial.duration.0,
        ended_us: tried.end.0,
        runs: finding.runs,
        failed: finding.failed,
        failures: finding.failures.iter().map(|(class, n)| (class.name().to_owned(), *n)).collect(),
        peak_in_flight: finding.peak_in_flight,
        thresholds: finding.thresholds.iter().map(threshold).collect(),
        quality: finding.quality.known().map(|known| quality(finding, known)).collect(),
        generator: finding.generator_faults.clone(),
        folder: finding.folder.clone(),
    }
}

fn quality(
    finding: &TrialFinding,
    (measure, found): (LevelMeasure, Estimated),
) -> LevelQualitySummary {
    LevelQualitySummary {
        measure: measure.of_threshold().to_string(),
        n: finding.quality.conversations(measure),
        figure: found.into(),
    }
}

fn quality_loss(loss: &QualityLoss) -> QualityLossSummary {
    QualityLossSummary {
        measure: loss.measure.of_threshold().to_string(),
        in_flight: loss.in_flight,
        figure: loss.estimated.into(),
        lowest_in_flight: loss.before.map(|(level, _)| level),
        lowest_figure: loss.before.map(|(_, found)| found.into()),
    }
}

fn threshold(found: &TrialThreshold) -> LevelThresholdSummary {
    LevelThresholdSummary {
        threshold: found.threshold.to_string(),
        verdict: found.verdict.name().to_owned(),
        n: found.n,
        figure: found.estimated.map(|estimated| estimated.value),
        low: found.estimated.map(|estimated| estimated.low),
        high: found.estimated.map(|estimated| estimated.high),
    }
}

/// The JSON Schema (draft 2020-12) of the answer of a search.
pub fn capacity_schema() -> serde_json::Value {
    schemars::schema_for!(CapacitySummary).to_value()
}
