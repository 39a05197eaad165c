//! What a run costs on two sides: the ratio of the means with its interval.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::blocks::{Blocks, SideTiming, TimedValue};
use super::arm::Arm;
use super::finding::ComparisonFinding;
use super::latency::why_not;
use super::question::ComparisonCriteria;
use rushhour_stats::{Arms, Bootstrap, BootstrapError, ClusteredSample, PairedSample, Ratio};

/// What a run costs at list prices on two sides. It judges nothing: no cost is a regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostComparison {
    /// How many runs of the baseline came to an end.
    pub baseline_n: u64,
    /// How many of the candidate.
    pub candidate_n: u64,
    /// What one of the baseline costs on average, in US dollars.
    pub baseline_usd: f64,
    /// What one of the candidate costs on average.
    pub candidate_usd: f64,
    /// The candidate's as a multiple of the baseline's.
    pub ratio: Option<f64>,
    /// The lower end of its 95 % interval.
    pub ratio_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub ratio_high: Option<f64>,
    /// What was found.
    pub finding: ComparisonFinding,
    /// Why there is no ratio.
    pub note: Option<String>,
}

/// What a run costs on two sides; none where one of them is charged for nothing.
pub(super) fn compare_cost(
    (baseline, candidate): (&Arm, &Arm),
    shared: &BTreeSet<String>,
    question: &ComparisonCriteria,
) -> Option<CostComparison> {
    let (from, to) = (baseline.costs(shared), candidate.costs(shared));
    if from.is_empty() || to.is_empty() {
        return None;
    }
    let timing = baseline.timing(candidate);
    let blocks = Blocks::cut(&from, &to, timing);
    let side = |values: &[TimedValue], blocks: &[usize]| -> Vec<(usize, f64)> {
        blocks.iter().copied().zip(values.iter().map(|one| one.value)).collect()
    };
    let (left, right) = (side(&from, &blocks.baseline), side(&to, &blocks.candidate));
    let mean = |values: &[(usize, f64)]| {
        values.iter().map(|(_, cost)| cost).sum::<f64>() / values.len() as f64
    };
    let means = (mean(&left), mean(&right));
    let found = ratio(left, right, timing, &question.plan(from.len().max(to.len())));
    let (finding, note) = match found {
        Ok(ratio) if ratio.interval.is_above(1.0) => (ComparisonFinding::CostsMore, None),
        Ok(ratio) if ratio.interval.is_below(1.0) => (ComparisonFinding::CostsLess, None),
        Ok(_) => (ComparisonFinding::NoDifference, None),
        Err(error) => (ComparisonFinding::NotEnoughData, Some(why_not(error))),
    };
    let ratio = found.ok();
    Some(CostComparison {
        baseline_n: from.len() as u64,
        candidate_n: to.len() as u64,
        baseline_usd: means.0,
        candidate_usd: means.1,
        ratio: ratio.map(|ratio| ratio.point),
        ratio_low: ratio.map(|ratio| ratio.interval.low()),
        ratio_high: ratio.map(|ratio| ratio.interval.high()),
        finding,
        note,
    })
}

fn ratio(
    from: Vec<(usize, f64)>,
    to: Vec<(usize, f64)>,
    timing: SideTiming,
    plan: &Bootstrap,
) -> Result<Ratio, BootstrapError> {
    let unusual = |_| BootstrapError::NotFinite;
    match timing {
        SideTiming::Shared => {
            let both = PairedSample::new(from, to).map_err(unusual)?;
            Arms::Paired(&both).mean_ratio(plan)
        }
        SideTiming::Apart => {
            let from = ClusteredSample::new(from).map_err(unusual)?;
            let to = ClusteredSample::new(to).map_err(unusual)?;
            Arms::Clustered { baseline: &from, candidate: &to }.mean_ratio(plan)
        }
    }
}
