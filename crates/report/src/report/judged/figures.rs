//! What the judged runs say of all runs: each stratum by its size, with its interval.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fold::JudgedRun;
use crate::fold::FoldedSession;
use rushhour_core::event::Outcome;
use rushhour_core::profile::{CallersVerdict, JudgingSelection};
use rushhour_stats::{Confidence, Proportion, StratifiedShare, Stratum, stratified_share};

/// What the judging of a session comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedFigures {
    /// The judging session.
    pub session: String,
    /// Who judged: `Cekura`, or `the stand-in for Cekura`.
    pub by: String,
    /// Whether the judging came to its end.
    pub closed: bool,
    /// The share that was to be sampled, such as `5%`.
    pub sample: String,
    /// Judged runs at once, at the most; the session that they judge held more.
    pub in_flight: u32,
    /// Measured runs of our own callers that passed.
    pub passed: JudgedStratum,
    /// Measured runs of our own callers that the agent failed.
    pub failed: JudgedStratum,
    /// Measured runs that say nothing of the conversation, and are in none of the shares.
    pub apart: u64,
    /// Runs that were chosen and have no verdict, by what became of them.
    pub without_verdict: BTreeMap<String, u64>,
    /// Judged failures of our own callers, by their class; `expect` where an answer did not fit.
    pub failures: BTreeMap<String, JudgedFailures>,
    /// The share that would pass if all passed and failed runs were held again and judged; absent where
    /// none was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<WeightedShare>,
    /// The share that passed with our own callers and would pass with the judge as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_with_both: Option<WeightedShare>,
    /// The share in which our own callers and the judge would say the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<WeightedShare>,
}

/// Failures of one class that were judged: held again, with a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedFailures {
    /// All of them.
    pub judged: u64,
    /// Those that did not come back without the load: they passed.
    pub did_not_come_back: u64,
}

/// Runs of which our own callers said the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedStratum {
    /// All of them.
    pub in_all: u64,
    /// Chosen to be judged.
    pub chosen: u64,
    /// Judged: held again, with a verdict.
    pub judged: u64,
    /// Judged as passed.
    pub judged_passed: u64,
}

impl JudgedStratum {
    /// Judged as not passed.
    pub const fn judged_failed(&self) -> u64 {
        self.judged - self.judged_passed
    }

    fn counted(verdict: CallersVerdict, in_all: u64, runs: &[JudgedRun]) -> Self {
        let of = || runs.iter().filter(|run| run.verdict == verdict);
        let judged = |wanted: &dyn Fn(bool) -> bool| {
            of().filter(|run| run.judged.is_some_and(wanted)).count() as u64
        };
        Self {
            in_all,
            chosen: of().count() as u64,
            judged: judged(&|_| true),
            judged_passed: judged(&|passed| passed),
        }
    }

    fn stratum(&self, successes: u64) -> Stratum {
        Stratum { size: self.in_all, sample: Proportion::new(successes, self.judged).ok() }
    }
}

/// A share of all runs from 0 to 1 with its 95 % interval, in which each stratum counts by its size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WeightedShare {
    /// The estimate; none where a part of the runs has nothing to stand for it.
    pub share: Option<f64>,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// The share of runs of whose kind none was judged: the interval has room for all or none of them.
    pub unseen: f64,
}

impl WeightedShare {
    fn of(share: StratifiedShare) -> Self {
        Self {
            share: share.point,
            low: share.interval.low(),
            high: share.interval.high(),
            unseen: share.unseen,
        }
    }

    /// The same of a whole of which it is a part of this size, from 0 to 1, and the rest has none.
    fn within(self, part: f64) -> Self {
        Self {
            share: self.share.map(|share| share * part),
            low: self.low * part,
            high: self.high * part,
            unseen: self.unseen * part,
        }
    }
}

impl JudgedFigures {
    pub(super) fn new(
        selection: &JudgingSelection,
        runs: &[JudgedRun],
        (judging, session): (&FoldedSession, &FoldedSession),
    ) -> Self {
        let opening = &judging.opening;
        let is_real = opening.profile.evaluator.cekura().is_some_and(|cekura| cekura.url.is_some());
        let passed = JudgedStratum::counted(CallersVerdict::Passed, selection.passed, runs);
        let failed = JudgedStratum::counted(CallersVerdict::Failed, selection.failed, runs);
        let share = |strata: &[Stratum]| stratified_share(strata, Confidence::PERCENT_95);
        let of_passed = passed.stratum(passed.judged_passed);
        let both = share(&[of_passed]).map(|share| {
            let all = (selection.passed + selection.failed) as f64;
            WeightedShare::of(share).within(selection.passed as f64 / all)
        });
        let success = share(&[of_passed, failed.stratum(failed.judged_passed)]);
        let agreement = share(&[of_passed, failed.stratum(failed.judged_failed())]);
        let mut without_verdict: BTreeMap<String, u64> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.judged.is_none()) {
            *without_verdict.entry(why_not(run).to_owned()).or_default() += 1;
        }
        let mut failures: BTreeMap<String, JudgedFailures> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.verdict == CallersVerdict::Failed) {
            let Some(passed) = run.judged else { continue };
            let class = run.ours.outcome.as_ref().and_then(Outcome::class);
            let failures = failures.entry(class.map_or("expect", |class| class.name()).to_owned());
            let failures = failures.or_default();
            failures.judged += 1;
            failures.did_not_come_back += u64::from(passed);
        }
        let judging_settings = session.opening.profile.judging.as_ref();
        Self {
            session: opening.session.as_str().to_owned(),
            by: if is_real { "Cekura" } else { "the stand-in for Cekura" }.to_owned(),
            closed: judging.closed,
            sample: judging_settings.map_or(String::new(), |asked| asked.sample.to_string()),
            in_flight: opening.profile.limits.in_flight,
            passed,
            failed,
            apart: selection.apart,
            without_verdict,
            failures,
            success: success.map(WeightedShare::of),
            success_with_both: both,
            agreement: agreement.map(WeightedShare::of),
        }
    }

    /// All runs that the shares speak of.
    pub const fn in_all(&self) -> u64 {
        self.passed.in_all + self.failed.in_all
    }

    /// All that were judged.
    pub const fn judged(&self) -> u64 {
        self.passed.judged + self.failed.judged
    }
}

/// Why a run has no verdict.
fn why_not(run: &JudgedRun) -> &'static str {
    let Some(again) = &run.again else { return "not held again" };
    match &again.outcome {
        None => "still open",
        Some(outcome) => outcome.class().map_or("not judged", |class| class.name()),
    }
}
