//! Two sides held against each other: the gate, every measure, one family, one conclusion.

use std::collections::BTreeSet;
use std::thread;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::blocks::SideTiming;
use super::super::validity::Validity;
use super::arm::{Arm, ArmShare};
use super::cost::{CostComparison, compare_cost};
use super::differences::differences;
use super::finding::ComparisonFinding;
use super::latency::{LatencyComparison, compare_latency};
use super::question::ComparisonCriteria;
use super::rate::{RateComparison, compare_rate};
use super::split::{SessionPart, SplitBy};
use rushhour_core::profile::SessionMode;
use rushhour_core::units::Metric;
use rushhour_stats::{Confidence, PValue, holm};

/// The version of the comparison's shape.
pub const COMPARISON_VERSION: u32 = 1;

/// A scenario's share of the runs may differ by this much before it is told.
const MIX: f64 = 0.1;

/// Why two sessions cannot be held against each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// One spoke, the other wrote.
    #[error(
        "{baseline} runs cannot be held against {candidate} runs: turns and greetings are measured otherwise, and the agent does other work; `--across-modes` compares what both have: joins, submissions, queue, conversation, completion and failures"
    )]
    Modes {
        /// How the baseline's conversations were held.
        baseline: SessionMode,
        /// How the candidate's were.
        candidate: SessionMode,
    },
    /// Nothing was talked about in both.
    #[error(
        "the sessions share no scenario: {baseline} against {candidate}; what differs would be the scenarios"
    )]
    Scenarios {
        /// The baseline's.
        baseline: String,
        /// The candidate's.
        candidate: String,
    },
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// A generator did not deliver its load, so nothing is said.
    Invalid,
    /// Something is slower or fails more, beyond its tolerance.
    Regression,
    /// Nothing could be judged at all.
    NotEnoughData,
    /// No regression was shown; some figures leave open whether there is one.
    NoRegressionShown,
    /// Every judged figure is settled: none is a regression beyond its tolerance.
    NoRegression,
}

/// One of the two sessions, or of the two parts of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// The session.
    pub session: String,
    /// Which part of the session, such as `scenario booking`; absent where it is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The version of Rushhour that it was measured with.
    pub rushhour: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// How its conversations were held.
    pub mode: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// How the agent was dispatched.
    pub dispatch_method: String,
    /// Whether it came to its end.
    pub closed: bool,
    /// Measured runs that were started.
    pub started_runs: u64,
    /// Of these, completed.
    pub completed: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, without an outcome.
    pub open: u64,
    /// What its generator did not hold, in words; empty where it delivered its load.
    pub broken: Vec<String>,
}

/// Two sessions held against each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionComparison {
    /// The version of this shape.
    pub schema_version: u32,
    /// What is compared against.
    pub baseline: Side,
    /// What is compared.
    pub candidate: Side,
    /// What it comes to.
    pub conclusion: Conclusion,
    /// The regressions, in words.
    pub regressions: Vec<String>,
    /// A latency may be this much longer, as a share, before it counts as a regression.
    pub tolerance: f64,
    /// Failures may be this much more, as a fraction, before they count as a regression.
    pub failure_tolerance: f64,
    /// Seeds the resampling.
    pub seed: u64,
    /// How sure the intervals are.
    pub confidence: f64,
    /// How many figures were judged together.
    pub judged: u64,
    /// The latencies, in the order of a run's life.
    pub latencies: Vec<LatencyComparison>,
    /// The shares.
    pub rates: Vec<RateComparison>,
    /// What a run costs; absent where a side is charged for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostComparison>,
    /// What differs between the profiles.
    pub profile_differences: Vec<String>,
    /// What the reader has to know.
    pub notes: Vec<String>,
}

/// The JSON Schema (draft 2020-12) of a comparison.
pub fn comparison_schema() -> serde_json::Value {
    schemars::schema_for!(SessionComparison).to_value()
}

impl SessionComparison {
    /// Holds a candidate against its baseline.
    ///
    /// # Errors
    /// Where the two have nothing to be compared by.
    pub fn of(
        baseline: &Arm,
        candidate: &Arm,
        question: &ComparisonCriteria,
    ) -> Result<Self, Incomparable> {
        let modes = (baseline.mode, candidate.mode);
        // Who splits a session by its modes has asked for it.
        let across_modes = question.across_modes || baseline.is_of_one_session_with(candidate);
        if modes.0 != modes.1 && !across_modes {
            return Err(Incomparable::Modes { baseline: modes.0, candidate: modes.1 });
        }
        let shared = shared_scenarios(baseline, candidate)?;
        let (left, right) = (&baseline.folded.opening.profile, &candidate.folded.opening.profile);
        let mut comparison = Self {
            schema_version: COMPARISON_VERSION,
            baseline: side(baseline),
            candidate: side(candidate),
            conclusion: Conclusion::Invalid,
            regressions: Vec::new(),
            tolerance: question.tolerance.fraction(),
            failure_tolerance: question.failure_tolerance.fraction(),
            seed: question.seed,
            confidence: Confidence::default().fraction(),
            judged: 0,
            latencies: Vec::new(),
            rates: Vec::new(),
            cost: None,
            profile_differences: differences(left, right),
            notes: notes(baseline, candidate, &shared),
        };
        if comparison.baseline.broken.is_empty() && comparison.candidate.broken.is_empty() {
            comparison.measure((baseline, candidate), &shared, question);
            comparison.judge(question);
        }
        Ok(comparison)
    }

    fn measure(
        &mut self,
        arms: (&Arm, &Arm),
        shared: &BTreeSet<String>,
        question: &ComparisonCriteria,
    ) {
        let metrics: Vec<Metric> = Metric::ALL
            .iter()
            .copied()
            .filter(|metric| question.metrics.contains(metric))
            .filter(|metric| self.is_comparable(*metric))
            .collect();
        // One thread a metric: each has its own seeded stream, so that their order changes nothing.
        self.latencies = thread::scope(|scope| {
            let compare =
                |metric| scope.spawn(move || compare_latency(metric, arms, shared, question));
            let threads: Vec<_> = metrics.into_iter().map(compare).collect();
            threads
                .into_iter()
                .filter_map(|thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        self.rates = [ArmShare::Failed, ArmShare::JudgedFailed]
            .into_iter()
            .filter_map(|share| compare_rate(share, arms, shared, question))
            .collect();
        self.cost = compare_cost(arms, shared, question);
    }

    /// Joins of other dispatch methods, and greetings of other modes, are other things by one name.
    fn is_comparable(&self, metric: Metric) -> bool {
        let joins = [Metric::AgentJoin, Metric::AgentJoinServer, Metric::AgentReady];
        let other_method = self.baseline.dispatch_method != self.candidate.dispatch_method;
        let other_mode = self.baseline.mode != self.candidate.mode;
        !(other_method && joins.contains(&metric) || other_mode && metric == Metric::Greeting)
    }

    fn judge(&mut self, question: &ComparisonCriteria) {
        let percentiles = || self.latencies.iter().flat_map(|latency| &latency.percentiles);
        let family: Vec<PValue> = percentiles()
            .filter_map(super::latency::QuantileComparison::joins)
            .chain(self.rates.iter().filter_map(RateComparison::joins))
            .collect();
        self.judged = family.len() as u64;
        let mut adjusted = holm(&family).into_iter();
        let mut decided = !family.is_empty();
        for latency in &mut self.latencies {
            for percentile in &mut latency.percentiles {
                if percentile.joins().is_some()
                    && let Some(adjusted) = adjusted.next()
                {
                    percentile.decide(adjusted, question.tolerance);
                    decided &= percentile.decided;
                    if percentile.regression {
                        self.regressions.push(format!(
                            "{} {} is slower by more than {}",
                            latency.metric, percentile.percentile, question.tolerance
                        ));
                    }
                }
            }
        }
        for rate in &mut self.rates {
            if rate.joins().is_some()
                && let Some(adjusted) = adjusted.next()
            {
                rate.decide(adjusted, question.failure_tolerance);
                // That nothing fails more can never be shown to the last point.
                decided &= rate.decided || question.failure_tolerance.fraction() <= 0.0;
                if rate.regression {
                    self.regressions.push(format!("more runs {}", rate.words()));
                }
            }
        }
        self.conclusion = if !self.regressions.is_empty() {
            Conclusion::Regression
        } else if !self.anything_timed() {
            Conclusion::NotEnoughData
        } else if decided {
            Conclusion::NoRegression
        } else {
            Conclusion::NoRegressionShown
        };
    }

    /// Whether any latency could be judged: shares alone say little of an agent.
    fn anything_timed(&self) -> bool {
        let mut all = self.latencies.iter().flat_map(|latency| &latency.percentiles);
        all.any(|percentile| percentile.finding != ComparisonFinding::NotEnoughData)
    }
}

fn side(arm: &Arm) -> Side {
    let folded = &arm.folded;
    let opening = &folded.opening;
    let broken = Validity::of(folded);
    Side {
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
        broken: broken.broken().map(|check| format!("{}: {}", check.name, check.found)).collect(),
    }
}

/// The scenarios that both have measured runs of; where scenarios are what is compared, all of both.
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

fn notes(baseline: &Arm, candidate: &Arm, shared: &BTreeSet<String>) -> Vec<String> {
    let mut notes = Vec::new();
    let (from, to) = (baseline.scenarios(), candidate.scenarios());
    for (words, arm, scenarios) in [("A", baseline, &from), ("B", candidate, &to)] {
        if scenarios.is_empty() {
            notes.push(format!("{words} has no measured run."));
        }
        let (left_out, runs) = scenarios
            .iter()
            .filter(|(scenario, _)| !shared.contains(*scenario))
            .fold((0, 0), |(count, runs), (_, more)| (count + 1, runs + more));
        if left_out > 0 {
            notes.push(format!(
                "{words} has {left_out} scenarios of its own; their {runs} runs are left out."
            ));
        }
        if !arm.folded.closed {
            notes.push(format!(
                "{words} did not come to its end: {} runs without an outcome count as longer than was seen of them.",
                arm.open()
            ));
        }
    }
    let share = |scenarios: &std::collections::BTreeMap<String, u64>, scenario: &str| {
        let total: u64 = shared.iter().filter_map(|scenario| scenarios.get(scenario)).sum();
        scenarios.get(scenario).copied().unwrap_or(0) as f64 / total.max(1) as f64
    };
    let mixed = shared.iter().filter(|_| !are_scenarios(baseline, candidate));
    for scenario in mixed {
        let (a, b) = (share(&from, scenario), share(&to, scenario));
        if (a - b).abs() > MIX {
            notes.push(format!(
                "Scenario {scenario} is {:.0} % of A's runs and {:.0} % of B's: part of what differs may be the mix.",
                a * 100.0,
                b * 100.0
            ));
        }
    }
    let method = |arm: &Arm| arm.folded.opening.profile.livekit.dispatch.method();
    if method(baseline) != method(candidate) {
        notes.push(format!(
            "Agents were dispatched by `{}` and by `{}`: their joins are not compared.",
            method(baseline),
            method(candidate)
        ));
    }
    if baseline.mode != candidate.mode {
        notes.push(format!(
            "A is {} and B is {}: greetings and turns are not compared.",
            baseline.mode, candidate.mode
        ));
    }
    if baseline.is_of_one_session_with(candidate) {
        notes.extend(notes_of_parts(baseline, candidate));
        return notes;
    }
    let identity = |arm: &Arm| {
        let opening = &arm.folded.opening;
        (opening.session.clone(), opening.anchor.clone())
    };
    if identity(baseline) == identity(candidate) {
        notes.push("A and B are the same session.".to_owned());
    }
    notes
}

fn notes_of_parts(baseline: &Arm, candidate: &Arm) -> Vec<String> {
    let timing = match baseline.timing(candidate) {
        SideTiming::Shared => {
            "A and B are parts of one session that ran at the same time: the same blocks of time were resampled for both, and what slows one may slow the other."
        }
        SideTiming::Apart => {
            "A and B are parts of one session that ran one after the other: whatever else changed in between is part of what differs."
        }
    };
    let scenarios = are_scenarios(baseline, candidate).then_some(
        "A and B are different scenarios, so none is shared: part of what differs is what was talked about.",
    );
    [Some(timing), scenarios].into_iter().flatten().map(str::to_owned).collect()
}

/// Whether each side is a scenario.
fn are_scenarios(baseline: &Arm, candidate: &Arm) -> bool {
    let is_scenario =
        |arm: &Arm| arm.part.as_ref().is_some_and(|part| part.by == SplitBy::Scenario);
    is_scenario(baseline) && is_scenario(candidate)
}
