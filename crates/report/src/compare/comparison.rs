//! Two sides compared: validity first, then every measure, judged as one family, and one conclusion.

use std::collections::BTreeSet;
use std::thread;

use schemars::JsonSchema;
use serde::Serialize;

use super::arm::{Arm, ArmPair, ArmShare};
use super::at_mark::RunsAtMark;
use super::cost::{CostComparison, compare_cost};
use super::criteria::ComparisonCriteria;
use super::differences::{ProfileDifference, differences};
use super::finding::ComparisonFinding;
use super::heard::compare_heard;
use super::latency::{LatencyComparison, compare_latency};
use super::notes::{ComparisonNote, are_scenarios, notes};
use super::quality::{QualityComparison, compare_quality};
use super::quantile::QuantileComparison;
use super::rate::{RateComparison, compare_rate};
use super::split::SessionPart;
use crate::session::{Validity, ValidityRule};
use rushhour_core::profile::{HeardShare, SessionMode};
use rushhour_core::units::{Metric, Percent};
use rushhour_stats::{Confidence, PValue, holm};

/// The version of the comparison's format.
pub const COMPARISON_VERSION: u32 = 1;

/// Why two sessions cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// One is voice, the other is chat.
    #[error(
        "{baseline} runs cannot be compared with {candidate} runs: turns and greetings are measured differently, and the agent does different work; `--across-modes` compares what both have: joins, submissions, queue, conversation, completion and failures"
    )]
    Modes {
        /// The baseline's mode.
        baseline: SessionMode,
        /// The candidate's mode.
        candidate: SessionMode,
    },
    /// They have no scenario in common.
    #[error(
        "the sessions share no scenario: the baseline has {baseline}, the candidate has {candidate}; compare sessions with at least one scenario in common"
    )]
    Scenarios {
        /// The baseline's.
        baseline: String,
        /// The candidate's.
        candidate: String,
    },
}

/// The conclusion of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// A load generator did not deliver its load, so nothing is compared.
    Invalid,
    /// Something is slower or fails more often, beyond its tolerance.
    Regression,
    /// Nothing could be judged.
    NotEnoughData,
    /// No regression was shown, but some figures leave open whether there is one.
    NoRegressionShown,
    /// Every judged figure is settled, and none is a regression beyond its tolerance.
    NoRegression,
}

/// One of the two sessions, or of the two parts of one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Side {
    /// The session.
    pub session: String,
    /// The part of the session, such as `scenario booking`; absent if it is the whole session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The version of Rushhour that measured it.
    pub rushhour: String,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// The mode of its conversations.
    pub mode: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// How the agent was dispatched.
    pub dispatch_method: String,
    /// Whether it finished.
    pub closed: bool,
    /// Measured runs that were started.
    pub started_runs: u64,
    /// Of these, completed.
    pub completed: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, without an outcome.
    pub open: u64,
    /// The conditions that its load generator broke; empty if it delivered its load.
    pub broken: Vec<ValidityRule>,
}

impl Side {
    fn of(arm: &Arm) -> Self {
        let folded = &arm.folded;
        let opening = &folded.opening;
        Self {
            session: opening.session.as_str().to_owned(),
            part: arm.part.as_ref().map(SessionPart::to_string),
            rushhour: opening.rushhour.clone(),
            started: opening.anchor.clone(),
            mode: arm.mode.name().to_owned(),
            profile_hash: opening.profile_hash.clone(),
            dispatch_method: opening.profile.livekit.dispatch.method().name().to_owned(),
            closed: folded.closed,
            started_runs: arm.started(),
            completed: arm.completed(),
            failed: arm.failed(),
            open: arm.open(),
            broken: Validity::of(folded).broken().copied().collect(),
        }
    }
}

/// One regression.
#[derive(Debug, Clone, PartialEq)]
pub enum Regression {
    /// A percentile of a latency is longer by more than the tolerance.
    Slower {
        /// The latency.
        metric: String,
        /// The percentile.
        percentile: String,
        /// The tolerance.
        tolerance: Percent,
    },
    /// More runs failed.
    MoreFailed,
    /// More runs were judged as failed.
    MoreJudgedFailed,
    /// More of what callers said was misheard.
    MoreMisheard {
        /// Which share.
        measure: String,
    },
}

/// Two sessions compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SessionComparison {
    /// The version of this format.
    pub schema_version: u32,
    /// The session compared with.
    pub baseline: Side,
    /// The session that is compared.
    pub candidate: Side,
    /// Runs that belong to neither side, because they were in flight at the mark that splits the session; absent in other
    /// comparisons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_mark: Option<RunsAtMark>,
    /// The conclusion.
    pub conclusion: Conclusion,
    /// The regressions, in words.
    pub regressions: Vec<Regression>,
    /// A latency may be longer by this share before it counts as a regression.
    pub tolerance: f64,
    /// The failure rate may be higher by this fraction before it counts as a regression.
    pub failure_tolerance: f64,
    /// The seed of the resampling.
    pub seed: u64,
    /// The confidence level of the intervals.
    pub confidence: f64,
    /// The number of figures judged together.
    pub judged: u64,
    /// The latencies, in the order of a run's life.
    pub latencies: Vec<LatencyComparison>,
    /// The shares.
    pub rates: Vec<RateComparison>,
    /// The cost of a run; absent if a side is charged for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostComparison>,
    /// How agents sounded and took turns; absent where no callers of ours heard them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityComparison>,
    /// The differences between the profiles.
    pub profile_differences: Vec<ProfileDifference>,
    /// What the reader must know.
    pub notes: Vec<ComparisonNote>,
}

/// The JSON Schema (draft 2020-12) of a comparison.
pub fn comparison_schema() -> serde_json::Value {
    schemars::schema_for!(SessionComparison).to_value()
}

impl SessionComparison {
    /// Compares a candidate with its baseline.
    ///
    /// # Errors
    /// If the two have nothing in common to compare.
    pub fn of(
        baseline: &Arm,
        candidate: &Arm,
        criteria: &ComparisonCriteria,
    ) -> Result<Self, Incomparable> {
        // Splitting a session by its modes is a request to compare them.
        let may_cross_modes = criteria.across_modes || baseline.shares_session_with(candidate);
        if baseline.mode != candidate.mode && !may_cross_modes {
            return Err(Incomparable::Modes { baseline: baseline.mode, candidate: candidate.mode });
        }
        let shared = shared_scenarios(baseline, candidate)?;
        let (left, right) = (&baseline.folded.opening.profile, &candidate.folded.opening.profile);
        let mut comparison = Self {
            schema_version: COMPARISON_VERSION,
            baseline: Side::of(baseline),
            candidate: Side::of(candidate),
            at_mark: baseline.at_mark.or(candidate.at_mark),
            conclusion: Conclusion::Invalid,
            regressions: Vec::new(),
            tolerance: criteria.tolerance.fraction(),
            failure_tolerance: criteria.failure_tolerance.fraction(),
            seed: criteria.seed,
            confidence: Confidence::default().fraction(),
            judged: 0,
            latencies: Vec::new(),
            rates: Vec::new(),
            cost: None,
            quality: Vec::new(),
            profile_differences: differences(left, right),
            notes: notes(baseline, candidate, &shared),
        };
        if comparison.baseline.broken.is_empty() && comparison.candidate.broken.is_empty() {
            comparison.measure(ArmPair { baseline, candidate, scenarios: &shared, criteria });
            comparison.judge(criteria);
        }
        Ok(comparison)
    }

    fn measure(&mut self, arms: ArmPair<'_>) {
        let metrics: Vec<Metric> = Metric::ALL
            .iter()
            .copied()
            .filter(|metric| arms.criteria.metrics.contains(metric))
            .filter(|metric| self.is_comparable(*metric))
            .collect();
        // One thread per metric. Each has its own seeded random numbers, so their order changes nothing.
        self.latencies = thread::scope(|scope| {
            let threads: Vec<_> = metrics
                .into_iter()
                .map(|metric| scope.spawn(move || compare_latency(metric, arms)))
                .collect();
            threads
                .into_iter()
                .filter_map(|thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        self.rates = [ArmShare::Failed, ArmShare::JudgedFailed]
            .into_iter()
            .filter_map(|share| compare_rate(share, arms))
            .chain(HeardShare::ALL.into_iter().filter_map(|share| compare_heard(share, arms)))
            .collect();
        self.cost = compare_cost(arms);
        self.quality = compare_quality(arms);
    }

    /// Joins of different dispatch methods, and greetings of different modes, are different things.
    fn is_comparable(&self, metric: Metric) -> bool {
        let joins = [Metric::AgentJoin, Metric::AgentJoinServer, Metric::AgentReady];
        let other_method = self.baseline.dispatch_method != self.candidate.dispatch_method;
        let other_mode = self.baseline.mode != self.candidate.mode;
        !(other_method && joins.contains(&metric) || other_mode && metric == Metric::Greeting)
    }

    fn judge(&mut self, criteria: &ComparisonCriteria) {
        let percentiles = self.latencies.iter().flat_map(|latency| &latency.percentiles);
        let family: Vec<PValue> = percentiles
            .filter_map(QuantileComparison::family_p_value)
            .chain(self.rates.iter().filter_map(RateComparison::family_p_value))
            .collect();
        self.judged = family.len() as u64;
        let mut adjusted = holm(&family).into_iter();
        let mut all_decided = !family.is_empty();
        for latency in &mut self.latencies {
            for percentile in &mut latency.percentiles {
                if percentile.family_p_value().is_some()
                    && let Some(adjusted) = adjusted.next()
                {
                    percentile.decide(adjusted, criteria.tolerance);
                    all_decided &= percentile.decided;
                    if percentile.regression {
                        self.regressions.push(Regression::Slower {
                            metric: latency.metric.clone(),
                            percentile: percentile.percentile.clone(),
                            tolerance: criteria.tolerance,
                        });
                    }
                }
            }
        }
        for rate in &mut self.rates {
            if rate.family_p_value().is_some()
                && let Some(adjusted) = adjusted.next()
            {
                rate.decide(adjusted, criteria.failure_tolerance);
                // With a tolerance of zero, "not more" can never be shown.
                all_decided &= rate.decided || criteria.failure_tolerance.fraction() <= 0.0;
                if rate.regression {
                    self.regressions.push(match rate.measure.as_str() {
                        "failed" => Regression::MoreFailed,
                        "judged_failed" => Regression::MoreJudgedFailed,
                        measure => Regression::MoreMisheard { measure: measure.to_owned() },
                    });
                }
            }
        }
        self.conclusion = if !self.regressions.is_empty() {
            Conclusion::Regression
        } else if !self.has_judged_latency() {
            Conclusion::NotEnoughData
        } else if all_decided {
            Conclusion::NoRegression
        } else {
            Conclusion::NoRegressionShown
        };
    }

    /// Without a judged latency there is no conclusion, because shares alone say little about an agent.
    fn has_judged_latency(&self) -> bool {
        let mut all = self.latencies.iter().flat_map(|latency| &latency.percentiles);
        all.any(|percentile| percentile.finding != ComparisonFinding::NotEnoughData)
    }
}

/// The scenarios of which both sides have measured runs; if the sides are scenarios themselves, those of either.
fn shared_scenarios(baseline: &Arm, candidate: &Arm) -> Result<BTreeSet<String>, Incomparable> {
    let (from, to) = (baseline.scenarios(), candidate.scenarios());
    if are_scenarios(baseline, candidate) {
        return Ok(from.into_keys().chain(to.into_keys()).collect());
    }
    let both: BTreeSet<String> =
        from.keys().filter(|scenario| to.contains_key(*scenario)).cloned().collect();
    if both.is_empty() && !from.is_empty() && !to.is_empty() {
        let list = |scenarios: std::collections::BTreeMap<String, u64>| {
            scenarios.into_keys().collect::<Vec<_>>().join(", ")
        };
        return Err(Incomparable::Scenarios { baseline: list(from), candidate: list(to) });
    }
    Ok(both)
}
