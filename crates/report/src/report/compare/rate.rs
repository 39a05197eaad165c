//! One share of two sides: how much more or fewer, in points of percent.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::blocks::{Blocks, SideTiming, TimedValue};
use super::arm::{Arm, ArmShare};
use super::finding::{ComparisonFinding, FALSE_ALARMS};
use super::question::ComparisonCriteria;
use rushhour_core::units::Percent;
use rushhour_stats::{
    Confidence, Interval, PValue, Power, Proportion, detectable_ratio_of, newcombe_difference,
};

/// Fewer runs than this say nothing of a share.
const FEWEST: u64 = 6;
/// Halvings that find a p-value to one in a million.
const HALVINGS: u32 = 40;

/// Yes and no in one block of neighbouring runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Votes {
    yes: u64,
    of: u64,
}

/// A share of the runs of two sessions; shares and differences are fractions of 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateComparison {
    /// `failed`, of all whose outcome is known, or `judged_failed`, of all that were judged.
    pub measure: String,
    /// How many of the baseline.
    pub baseline_count: u64,
    /// Of how many.
    pub baseline_n: u64,
    /// How many of the candidate.
    pub candidate_count: u64,
    /// Of how many.
    pub candidate_n: u64,
    /// The candidate's share less the baseline's.
    pub difference: Option<f64>,
    /// The lower end of its 95 % interval (Newcombe).
    pub difference_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub difference_high: Option<f64>,
    /// The lower end where blocks of neighbouring runs are resampled, for failures that come in bursts.
    pub blocks_low: Option<f64>,
    /// The upper end of the same.
    pub blocks_high: Option<f64>,
    /// How rarely chance alone makes such a difference: what the strictest interval without 0 leaves.
    pub p_value: Option<f64>,
    /// The same, adjusted for all that was judged together (Holm).
    pub p_adjusted: Option<f64>,
    /// The smallest difference that would have been found in four of five such comparisons.
    pub smallest_difference_seen: Option<f64>,
    /// What was found.
    pub finding: ComparisonFinding,
    /// Whether it counts as a regression: more, and by more than the tolerance with its whole interval.
    pub regression: bool,
    /// Whether it is settled that it is no regression beyond the tolerance, or that it is one.
    pub decided: bool,
    /// Why there is nothing to say.
    pub note: Option<String>,
}

/// A share of two sides, its finding open; none where nobody was judged on either.
pub(super) fn compare_rate(
    share: ArmShare,
    (baseline, candidate): (&Arm, &Arm),
    shared: &BTreeSet<String>,
    question: &ComparisonCriteria,
) -> Option<RateComparison> {
    let timing = baseline.timing(candidate);
    let (from, to) =
        in_blocks(&baseline.votes(share, shared), &candidate.votes(share, shared), timing);
    let ((from_yes, from_of), (to_yes, to_of)) = (sum(&from), sum(&to));
    if share == ArmShare::JudgedFailed && from_of == 0 && to_of == 0 {
        return None;
    }
    let enough = from_of >= FEWEST && to_of >= FEWEST;
    let estimate = Proportion::new(from_yes, from_of)
        .and_then(|from| Ok((from, Proportion::new(to_yes, to_of)?)))
        .ok()
        .map(|(from, to)| (from, to, newcombe_difference(from, to, Confidence::default())));
    let blocks = enough.then(|| question.plan(from.len().max(to.len()))).and_then(|plan| {
        let contrast = |from: &[Votes], to: &[Votes]| share_of(to) - share_of(from);
        match timing {
            SideTiming::Apart => plan.contrast_of(&from, &to, contrast).ok(),
            SideTiming::Shared => {
                let both: Vec<(Votes, Votes)> =
                    from.iter().copied().zip(to.iter().copied()).collect();
                let statistic = |both: &[(Votes, Votes)]| {
                    let (from, to): (Vec<Votes>, Vec<Votes>) = both.iter().copied().unzip();
                    contrast(&from, &to)
                };
                plan.interval_of(&both, statistic).ok()
            }
        }
    });
    let fewest = from_of.min(to_of);
    Some(RateComparison {
        measure: match share {
            ArmShare::Failed => "failed".to_owned(),
            ArmShare::JudgedFailed => "judged_failed".to_owned(),
        },
        baseline_count: from_yes,
        baseline_n: from_of,
        candidate_count: to_yes,
        candidate_n: to_of,
        difference: estimate.map(|(.., found)| found.point),
        difference_low: estimate.map(|(.., found)| found.interval.low()),
        difference_high: estimate.map(|(.., found)| found.interval.high()),
        blocks_low: blocks.map(|found| found.interval.low()),
        blocks_high: blocks.map(|found| found.interval.high()),
        p_value: estimate.map(|(from, to, _)| chance(from, to)),
        p_adjusted: None,
        smallest_difference_seen: estimate
            .and_then(|(.., found)| smallest_difference(found.interval)),
        finding: if enough {
            ComparisonFinding::NoDifference
        } else {
            ComparisonFinding::NotEnoughData
        },
        regression: false,
        decided: false,
        note: (!enough).then(|| format!("{fewest} runs, needs {FEWEST}")),
    })
}

/// Both sides block by block; shared blocks are as many on either side.
fn in_blocks(
    from: &[TimedValue],
    to: &[TimedValue],
    timing: SideTiming,
) -> (Vec<Votes>, Vec<Votes>) {
    let blocks = Blocks::cut(from, to, timing);
    let collect = |side: &[TimedValue], blocks: &[usize]| {
        let mut votes = vec![Votes::default(); blocks.last().map_or(0, |last| last + 1)];
        for (vote, block) in side.iter().zip(blocks) {
            votes[*block].of += 1;
            votes[*block].yes += u64::from(vote.value > 0.0);
        }
        votes
    };
    let (mut from, mut to) = (collect(from, &blocks.baseline), collect(to, &blocks.candidate));
    if timing == SideTiming::Shared {
        let most = from.len().max(to.len());
        from.resize(most, Votes::default());
        to.resize(most, Votes::default());
    }
    (from, to)
}

/// How many said yes, and of how many.
fn sum(votes: &[Votes]) -> (u64, u64) {
    votes.iter().fold((0, 0), |(yes, of), vote| (yes + vote.yes, of + vote.of))
}

fn share_of(votes: &[Votes]) -> f64 {
    let (yes, of) = sum(votes);
    yes as f64 / of.max(1) as f64
}

/// What the strictest interval leaves that does not hold 0; 1 where even the laxest does.
fn chance(from: Proportion, to: Proportion) -> f64 {
    let shows = |confidence: f64| {
        Confidence::from_fraction(confidence).is_some_and(|confidence| {
            !newcombe_difference(from, to, confidence).interval.contains(0.0)
        })
    };
    let (mut shown, mut not) = (0.5, 0.999_999);
    if !shows(shown) {
        return 1.0;
    }
    if shows(not) {
        return 1.0 - not;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(shown, not);
        if shows(middle) {
            shown = middle;
        } else {
            not = middle;
        }
    }
    1.0 - shown
}

/// A difference is a ratio on the exponential scale.
fn smallest_difference(interval: Interval) -> Option<f64> {
    let scaled = Interval::new(interval.low().exp(), interval.high().exp())?;
    detectable_ratio_of(scaled, Confidence::default(), Power::default()).map(f64::ln)
}

impl RateComparison {
    /// What its runs did, in words.
    pub(super) fn words(&self) -> &'static str {
        if self.measure == "failed" { "failed" } else { "were judged as not passed" }
    }

    /// The p-value that joins the family; none where there is nothing to judge.
    pub(super) fn joins(&self) -> Option<PValue> {
        let asked = self.finding != ComparisonFinding::NotEnoughData;
        self.p_value.filter(|_| asked).and_then(PValue::new)
    }

    /// Decides, once the family is known: more or fewer only where bursts do not explain it either.
    pub(super) fn decide(&mut self, adjusted: PValue, tolerance: Percent) {
        let (Some(difference), Some(low), Some(high)) =
            (self.difference, self.difference_low, self.difference_high)
        else {
            return;
        };
        self.p_adjusted = Some(adjusted.probability());
        let (blocks_low, blocks_high) =
            (self.blocks_low.unwrap_or(low), self.blocks_high.unwrap_or(high));
        let beyond_bursts = blocks_low > 0.0 || blocks_high < 0.0;
        if adjusted.is_significant_at(FALSE_ALARMS) && beyond_bursts {
            self.finding =
                if difference > 0.0 { ComparisonFinding::More } else { ComparisonFinding::Fewer };
        }
        let bound = tolerance.fraction();
        self.regression = self.finding == ComparisonFinding::More && low.min(blocks_low) > bound;
        self.decided = self.regression || high <= bound;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(successes: u64, trials: u64) -> Proportion {
        Proportion::new(successes, trials).unwrap()
    }

    #[test]
    fn the_chance_is_where_the_interval_begins_to_hold_zero() {
        let found = chance(of(10, 200), of(30, 200));
        let at = |confidence: f64| {
            let confidence = Confidence::from_fraction(confidence).unwrap();
            newcombe_difference(of(10, 200), of(30, 200), confidence).interval.contains(0.0)
        };
        assert!(found > 0.0005 && found < 0.005, "{found}");
        assert!(!at(1.0 - found - 1e-9) && at(1.0 - found + 1e-6));
        assert!((chance(of(5, 100), of(5, 100)) - 1.0).abs() < f64::EPSILON);
        assert!(chance(of(0, 1_000), of(500, 1_000)) < 2e-6);
    }
}
