//! The cost of a run compared: the ratio of the means with its interval.

use schemars::JsonSchema;
use serde::Serialize;

use super::arm::ArmPair;
use super::blocks::{Blocks, SideTiming, TimedValue};
use super::finding::{ComparisonFinding, FigureNote};
use rushhour_stats::{Arms, Bootstrap, BootstrapError, ClusteredSample, PairedSample, Ratio};

/// The cost of a run at list prices on two sides. It is information only: no cost is a regression.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CostComparison {
    /// The baseline's number of ended runs.
    pub baseline_n: u64,
    /// The candidate's number of ended runs.
    pub candidate_n: u64,
    /// The mean cost of a run of the baseline, in US dollars.
    pub baseline_usd: f64,
    /// The mean cost of a run of the candidate, in US dollars.
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
    pub note: Option<FigureNote>,
}

/// Compares the cost of a run; `None` if a side is charged for nothing.
pub(super) fn compare_cost(arms: ArmPair<'_>) -> Option<CostComparison> {
    let (from, to) = (arms.baseline.costs(arms.scenarios), arms.candidate.costs(arms.scenarios));
    if from.is_empty() || to.is_empty() {
        return None;
    }
    let timing = arms.timing();
    let blocks = Blocks::cut(&from, &to, timing);
    let side = |values: &[TimedValue], blocks: &[usize]| -> Vec<(usize, f64)> {
        blocks.iter().copied().zip(values.iter().map(|one| one.value)).collect()
    };
    let (left, right) = (side(&from, &blocks.baseline), side(&to, &blocks.candidate));
    let mean = |values: &[(usize, f64)]| {
        values.iter().map(|(_, cost)| cost).sum::<f64>() / values.len() as f64
    };
    let (baseline_usd, candidate_usd) = (mean(&left), mean(&right));
    let bootstrap = arms.criteria.bootstrap(from.len().max(to.len()));
    let ratio = mean_ratio(left, right, timing, &bootstrap);
    let (finding, note) = match ratio {
        Ok(ratio) if ratio.interval.is_above(1.0) => (ComparisonFinding::CostsMore, None),
        Ok(ratio) if ratio.interval.is_below(1.0) => (ComparisonFinding::CostsLess, None),
        Ok(_) => (ComparisonFinding::NoDifference, None),
        Err(error) => (ComparisonFinding::NotEnoughData, Some(error.into())),
    };
    let ratio = ratio.ok();
    Some(CostComparison {
        baseline_n: from.len() as u64,
        candidate_n: to.len() as u64,
        baseline_usd,
        candidate_usd,
        ratio: ratio.map(|ratio| ratio.point),
        ratio_low: ratio.map(|ratio| ratio.interval.low()),
        ratio_high: ratio.map(|ratio| ratio.interval.high()),
        finding,
        note,
    })
}

fn mean_ratio(
    from: Vec<(usize, f64)>,
    to: Vec<(usize, f64)>,
    timing: SideTiming,
    bootstrap: &Bootstrap,
) -> Result<Ratio, BootstrapError> {
    let not_finite = |_| BootstrapError::NotFinite;
    match timing {
        SideTiming::Shared => {
            let both = PairedSample::new(from, to).map_err(not_finite)?;
            Arms::Paired(&both).mean_ratio(bootstrap)
        }
        SideTiming::Apart => {
            let from = ClusteredSample::new(from).map_err(not_finite)?;
            let to = ClusteredSample::new(to).map_err(not_finite)?;
            Arms::Clustered { baseline: &from, candidate: &to }.mean_ratio(bootstrap)
        }
    }
}
