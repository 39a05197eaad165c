//! A session judged as a soak: its series as one family, what leaked, the nightly runs before it, and one verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::criteria::SoakCriteria;
use super::leaks::{LeakCheck, LeakFinding, find_leaks};
use super::nightly_comparison::NightlyComparison;
use super::nightly_run::{History, NightlyRun};
use super::series_judgement::{SeriesFinding, SeriesJudgement, judge_series};
use super::soak_data::{SoakData, WorkerSample};
use super::windows::SoakWindows;
use crate::fold::FoldedSession;
use crate::session::StalledJoins;
use rushhour_core::units::Micros;

/// How long the agent has to release jobs and processes if the profile does not say.
const SETTLE: Micros = Micros::from_secs(30);

/// The verdict on a soak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoakVerdict {
    /// Nothing grew or leaked, and previous nightly runs were no better.
    Steady,
    /// Something grew or leaked, or was worse than in previous nightly runs.
    Drifts,
    /// There is too little data to tell.
    #[serde(rename = "too_little")]
    NotEnoughData,
    /// The generator did not deliver the requested load, so the session says nothing about the agent.
    Invalid,
}

/// A session judged as a soak.
#[derive(Debug, Clone, PartialEq)]
pub struct SoakAnalysis {
    /// The session.
    pub session: String,
    /// The profile's name.
    pub profile: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// When the session began, RFC 3339 in UTC.
    pub started: String,
    /// The verdict.
    pub verdict: SoakVerdict,
    /// What it was judged by.
    pub criteria: SoakCriteria,
    /// The windows.
    pub windows: SoakWindows,
    /// Runs of measured stages that completed, or failed for a reason that may be the agent's.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Whether the profile has the agent's worker polled.
    pub polls_worker: bool,
    /// Samples of the worker, evenly thinned where there are many.
    pub worker_samples: Vec<WorkerSample>,
    /// Polls of the worker that were not answered usefully.
    pub failed_worker_polls: u64,
    /// Whether the session was completed.
    pub closed: bool,
    /// Whether the session was interrupted and resumed.
    pub resumed: bool,
    /// What the server's own dispatcher did to joins, if it did anything.
    pub stalled: Option<StalledJoins>,
    /// Each series.
    pub series: Vec<SeriesJudgement>,
    /// The number of series that were judged as one family.
    pub family: u64,
    /// What leaked.
    pub leaks: Vec<LeakCheck>,
    /// The session compared with previous nightly runs.
    pub nightly: NightlyComparison,
}

impl SoakAnalysis {
    /// Judges a session by its data and by its history. `delivered` says whether the generator delivered the requested
    /// load.
    pub fn of(
        data: SoakData,
        folded: &FoldedSession,
        criteria: SoakCriteria,
        delivered: bool,
        history: &History,
    ) -> Self {
        let opening = &folded.opening;
        let windows = SoakWindows::of(&data, criteria.settings.window);
        let (series, family) = judge_series(&windows, &criteria);
        let agent_health = opening.profile.agent_health.as_ref();
        let settle = agent_health.map_or(SETTLE, |health| health.settle.micros());
        let mut analysis = Self {
            session: opening.session.as_str().to_owned(),
            profile: opening.profile.name.clone(),
            profile_hash: opening.profile_hash.clone(),
            started: opening.anchor.clone(),
            verdict: SoakVerdict::NotEnoughData,
            criteria,
            windows,
            runs: data.ended.len() as u64,
            failed: data.ended.iter().filter(|run| run.failed).count() as u64,
            polls_worker: agent_health.is_some(),
            leaks: find_leaks(&data, settle),
            worker_samples: data.worker_samples,
            failed_worker_polls: data.failed_worker_polls,
            closed: folded.closed,
            resumed: !folded.resumptions.is_empty(),
            stalled: StalledJoins::of_session(folded),
            series,
            family: family as u64,
            nightly: NightlyComparison::default(),
        };
        analysis.verdict = analysis.verdict_alone(delivered);
        analysis.nightly = NightlyComparison::of(&NightlyRun::of(&analysis, ""), history);
        if analysis.verdict == SoakVerdict::Steady && analysis.nightly.is_worse() {
            analysis.verdict = SoakVerdict::Drifts;
        }
        analysis
    }

    /// The verdict without previous nightly runs.
    fn verdict_alone(&self, delivered: bool) -> SoakVerdict {
        if !delivered {
            SoakVerdict::Invalid
        } else if self.has_leaked() || self.series.iter().any(|one| one.finding.is_worse()) {
            SoakVerdict::Drifts
        } else if self.judged_series() == 0 {
            SoakVerdict::NotEnoughData
        } else {
            SoakVerdict::Steady
        }
    }

    /// Whether anything leaked.
    pub fn has_leaked(&self) -> bool {
        self.leaks.iter().any(|leak| leak.finding == LeakFinding::Leaked)
    }

    /// The number of series with enough windows.
    pub fn judged_series(&self) -> usize {
        self.series.iter().filter(|one| one.finding != SeriesFinding::TooFew).count()
    }
}
