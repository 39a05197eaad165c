//! What the judged sample says about all runs: stratified estimates with their intervals.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::fold::JudgedRun;
use crate::fold::FoldedSession;
use rushhour_core::event::Outcome;
use rushhour_core::profile::{CallersVerdict, JudgingSelection};
use rushhour_stats::{Confidence, Proportion, StratifiedShare, Stratum, stratified_share};

/// The result of judging a sample of a session's runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct JudgedFigures {
    /// The judging session.
    pub session: String,
    /// Who judged: `Cekura`, or `the stand-in for Cekura`.
    pub by: String,
    /// Whether the judging session finished.
    pub closed: bool,
    /// The share to sample, such as `5%`.
    pub sample: String,
    /// The most judged runs in flight at once; the original session had more.
    pub in_flight: u32,
    /// Measured runs of the original session that passed.
    pub passed: JudgedStratum,
    /// Measured runs of the original session that the agent failed.
    pub failed: JudgedStratum,
    /// Measured runs that say nothing about the conversation. They are in none of the shares.
    pub apart: u64,
    /// Chosen runs without a verdict, by reason.
    pub without_verdict: BTreeMap<String, u64>,
    /// Judged failures of the original session, by class; `expect` if an answer did not match the script.
    pub failures: BTreeMap<String, JudgedFailures>,
    /// The share that would pass if all passed and failed runs were rerun and judged; absent if none was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<WeightedShare>,
    /// The share that passed in the original session and would pass with the judge, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_with_both: Option<WeightedShare>,
    /// The share in which the original session and the judge would agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<WeightedShare>,
}

/// Failures of one class that were rerun and judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct JudgedFailures {
    /// All judged failures.
    pub judged: u64,
    /// Of these, those that passed without the load.
    pub did_not_come_back: u64,
}

/// The runs with the same verdict in the original session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct JudgedStratum {
    /// All runs.
    pub in_all: u64,
    /// Chosen to be judged.
    pub chosen: u64,
    /// Rerun and judged.
    pub judged: u64,
    /// Judged as passed.
    pub judged_passed: u64,
}

impl JudgedStratum {
    /// Judged as failed.
    pub const fn judged_failed(&self) -> u64 {
        self.judged - self.judged_passed
    }

    fn of(verdict: CallersVerdict, in_all: u64, runs: &[JudgedRun]) -> Self {
        let chosen = || runs.iter().filter(|run| run.verdict == verdict);
        Self {
            in_all,
            chosen: chosen().count() as u64,
            judged: chosen().filter(|run| run.judged.is_some()).count() as u64,
            judged_passed: chosen().filter(|run| run.judged == Some(true)).count() as u64,
        }
    }

    fn stratum(&self, successes: u64) -> Stratum {
        Stratum { size: self.in_all, sample: Proportion::new(successes, self.judged).ok() }
    }
}

/// A share of all runs from 0 to 1 with its 95 % interval. Each stratum is weighted by its size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct WeightedShare {
    /// The estimate; null if no run of a stratum was judged.
    pub share: Option<f64>,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// The share of runs in strata without a judged run. The interval allows for all or none of them.
    pub unseen: f64,
}

impl WeightedShare {
    fn of(share: StratifiedShare) -> Self {
        Self {
            share: share.point,
            low: share.interval.low(),
            high: share.interval.high(),
            unseen: share.unsampled,
        }
    }

    /// The share within a larger whole. `part` is the size of this part, from 0 to 1; the remaining part has none.
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
    pub(crate) fn new(
        selection: &JudgingSelection,
        runs: &[JudgedRun],
        judging: &FoldedSession,
        session: &FoldedSession,
    ) -> Self {
        let opening = &judging.opening;
        let is_real = opening.profile.evaluator.cekura().is_some_and(|cekura| cekura.url.is_some());
        let passed = JudgedStratum::of(CallersVerdict::Passed, selection.passed, runs);
        let failed = JudgedStratum::of(CallersVerdict::Failed, selection.failed, runs);
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
            *without_verdict.entry(no_verdict_reason(run).to_owned()).or_default() += 1;
        }
        let mut failures: BTreeMap<String, JudgedFailures> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.verdict == CallersVerdict::Failed) {
            let Some(passed) = run.judged else { continue };
            let class = run.original.outcome.as_ref().and_then(Outcome::class);
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
            sample: judging_settings.map_or(String::new(), |settings| settings.sample.to_string()),
            in_flight: opening.profile.limits.in_flight,
            passed,
            failed,
            apart: selection.excluded,
            without_verdict,
            failures,
            success: success.map(WeightedShare::of),
            success_with_both: both,
            agreement: agreement.map(WeightedShare::of),
        }
    }

    /// The runs that the shares are about.
    pub const fn in_all(&self) -> u64 {
        self.passed.in_all + self.failed.in_all
    }

    /// All judged runs.
    pub const fn judged(&self) -> u64 {
        self.passed.judged + self.failed.judged
    }
}

/// As `summary.json` names it.
fn no_verdict_reason(run: &JudgedRun) -> &'static str {
    let Some(rerun) = &run.rerun else { return "not held again" };
    match &rerun.outcome {
        None => "still open",
        Some(outcome) => outcome.class().map_or("not judged", |class| class.name()),
    }
}
