//! One share of the runs compared: the difference in percentage points.

use schemars::JsonSchema;
use serde::Serialize;

use super::arm::{Arm, ArmPair, ArmShare};
use super::blocks::{Blocks, SideTiming, TimedValue};
use super::finding::{ComparisonFinding, FALSE_ALARMS, FigureNote};
use rushhour_core::units::{Percent, SessionTime};
use rushhour_stats::{
    Bootstrap, Confidence, Estimate, Interval, PValue, Power, Proportion, detectable_ratio_of,
    newcombe_difference,
};

/// The fewest runs of a side.
pub(super) const FEWEST_RUNS: u64 = 6;
/// Bisection steps that find a p-value to one in a million.
const BISECTIONS: u32 = 40;

/// The runs, or what was said in them, of one block that count towards the share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BlockCount {
    pub(super) yes: u64,
    pub(super) of: u64,
}

/// What one run counts towards the share.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedCount {
    pub(super) at: SessionTime,
    pub(super) count: BlockCount,
}

/// A share of the runs of two sessions. Shares and differences are fractions of 1.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RateComparison {
    /// `failed`, of all runs with an outcome; `judged_failed`, of all runs that were judged; `heard.wer`, `heard.cer` and
    /// `heard.words_missed`, of the words, characters and key words that callers said.
    pub measure: String,
    /// The baseline's count.
    pub baseline_count: u64,
    /// The baseline's number of runs, or of what was said in them.
    pub baseline_n: u64,
    /// The candidate's count.
    pub candidate_count: u64,
    /// The candidate's number of runs, or of what was said in them.
    pub candidate_n: u64,
    /// The candidate's share minus the baseline's.
    pub difference: Option<f64>,
    /// The lower end of its 95 % interval (Newcombe; over conversations for what was said).
    pub difference_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub difference_high: Option<f64>,
    /// The lower end if blocks of neighbouring runs are resampled, for failures that come in bursts.
    pub blocks_low: Option<f64>,
    /// The upper end of the same interval.
    pub blocks_high: Option<f64>,
    /// The p-value of a difference of 0, by inverting the Newcombe interval.
    pub p_value: Option<f64>,
    /// The p-value, adjusted for all figures that were judged together (Holm).
    pub p_adjusted: Option<f64>,
    /// The smallest difference that four of five such comparisons would detect.
    pub smallest_difference_seen: Option<f64>,
    /// What was found.
    pub finding: ComparisonFinding,
    /// Whether it counts as a regression: more, by more than the tolerance with its whole interval.
    pub regression: bool,
    /// Whether it is settled that this is a regression beyond the tolerance, or that it is not.
    pub decided: bool,
    /// Why nothing was found.
    pub note: Option<FigureNote>,
}

/// Compares one share, without deciding; `None` if no run was judged on either side.
pub(super) fn compare_rate(share: ArmShare, arms: ArmPair<'_>) -> Option<RateComparison> {
    let timing = arms.timing();
    let counted = |arm: &Arm| -> Vec<TimedCount> {
        let indicators = arm.indicators(share, arms.scenarios);
        let count = |one: TimedValue| TimedCount {
            at: one.at,
            count: BlockCount { yes: u64::from(one.value > 0.0), of: 1 },
        };
        indicators.into_iter().map(count).collect()
    };
    let (from, to) = by_block(&counted(arms.baseline), &counted(arms.candidate), timing);
    let (baseline, candidate) = (sum(&from), sum(&to));
    if share == ArmShare::JudgedFailed && baseline.of == 0 && candidate.of == 0 {
        return None;
    }
    let is_enough = baseline.of >= FEWEST_RUNS && candidate.of >= FEWEST_RUNS;
    let proportions = Proportion::new(baseline.yes, baseline.of)
        .and_then(|from| Ok((from, Proportion::new(candidate.yes, candidate.of)?)))
        .ok();
    let difference = proportions.map(|(from, to)| {
        (newcombe_difference(from, to, Confidence::default()), p_value(from, to))
    });
    let bootstrap = is_enough.then(|| arms.criteria.bootstrap(from.len().max(to.len())));
    let blocks = bootstrap.and_then(|bootstrap| block_interval(&from, &to, timing, &bootstrap));
    let measure = match share {
        ArmShare::Failed => "failed",
        ArmShare::JudgedFailed => "judged_failed",
    };
    let n = baseline.of.min(candidate.of);
    Some(undecided(measure, (baseline, candidate), difference, blocks, n))
}

/// A share of both sides, `n` of the smaller one, with its difference, the p-value of none, and the interval over blocks.
pub(super) fn undecided(
    measure: &str,
    (baseline, candidate): (BlockCount, BlockCount),
    difference: Option<(Estimate, f64)>,
    blocks: Option<Interval>,
    n: u64,
) -> RateComparison {
    let is_enough = n >= FEWEST_RUNS;
    let estimate = difference.map(|(estimate, _)| estimate);
    RateComparison {
        measure: measure.to_owned(),
        baseline_count: baseline.yes,
        baseline_n: baseline.of,
        candidate_count: candidate.yes,
        candidate_n: candidate.of,
        difference: estimate.map(|found| found.point),
        difference_low: estimate.map(|found| found.interval.low()),
        difference_high: estimate.map(|found| found.interval.high()),
        blocks_low: blocks.map(Interval::low),
        blocks_high: blocks.map(Interval::high),
        p_value: difference.map(|(_, p)| p),
        p_adjusted: None,
        smallest_difference_seen: estimate.and_then(|found| smallest_difference(found.interval)),
        finding: if is_enough {
            ComparisonFinding::NoDifference
        } else {
            ComparisonFinding::NotEnoughData
        },
        regression: false,
        decided: false,
        note: (!is_enough).then_some(FigureNote::TooFewRuns { n, needs: FEWEST_RUNS }),
    }
}

/// The interval of the difference with blocks resampled; shared blocks are resampled together.
pub(super) fn block_interval(
    from: &[BlockCount],
    to: &[BlockCount],
    timing: SideTiming,
    bootstrap: &Bootstrap,
) -> Option<Interval> {
    let difference = |from: &[BlockCount], to: &[BlockCount]| share_of(to) - share_of(from);
    let estimate = match timing {
        SideTiming::Apart => bootstrap.contrast_of(from, to, difference),
        SideTiming::Shared => {
            let both: Vec<(BlockCount, BlockCount)> =
                from.iter().copied().zip(to.iter().copied()).collect();
            bootstrap.interval_of(&both, |both: &[(BlockCount, BlockCount)]| {
                let (from, to): (Vec<BlockCount>, Vec<BlockCount>) = both.iter().copied().unzip();
                difference(&from, &to)
            })
        }
    };
    Some(estimate.ok()?.interval)
}

/// Both sides block by block. Shared blocks are equally many on both sides.
pub(super) fn by_block(
    from: &[TimedCount],
    to: &[TimedCount],
    timing: SideTiming,
) -> (Vec<BlockCount>, Vec<BlockCount>) {
    let shares = |side: &[TimedCount]| -> Vec<TimedValue> {
        let share = |one: &TimedCount| one.count.yes as f64 / one.count.of.max(1) as f64;
        side.iter().map(|one| TimedValue { at: one.at, value: share(one) }).collect()
    };
    let blocks = Blocks::cut(&shares(from), &shares(to), timing);
    let count = |side: &[TimedCount], blocks: &[usize]| {
        let mut counts = vec![BlockCount::default(); blocks.last().map_or(0, |last| last + 1)];
        for (one, block) in side.iter().zip(blocks) {
            counts[*block].of = counts[*block].of.saturating_add(one.count.of);
            counts[*block].yes = counts[*block].yes.saturating_add(one.count.yes);
        }
        counts
    };
    let (mut from, mut to) = (count(from, &blocks.baseline), count(to, &blocks.candidate));
    if timing == SideTiming::Shared {
        let most = from.len().max(to.len());
        from.resize(most, BlockCount::default());
        to.resize(most, BlockCount::default());
    }
    (from, to)
}

pub(super) fn sum(blocks: &[BlockCount]) -> BlockCount {
    blocks.iter().fold(BlockCount::default(), |all, block| BlockCount {
        yes: all.yes.saturating_add(block.yes),
        of: all.of.saturating_add(block.of),
    })
}

fn share_of(blocks: &[BlockCount]) -> f64 {
    let all = sum(blocks);
    all.yes as f64 / all.of.max(1) as f64
}

/// The smallest significance level at which the interval excludes 0; 1 if even the narrowest interval includes it.
fn p_value(from: Proportion, to: Proportion) -> f64 {
    let excludes_zero = |confidence: f64| {
        Confidence::from_fraction(confidence).is_some_and(|confidence| {
            !newcombe_difference(from, to, confidence).interval.contains(0.0)
        })
    };
    let (mut excluding, mut including) = (0.5, 0.999_999);
    if !excludes_zero(excluding) {
        return 1.0;
    }
    if excludes_zero(including) {
        return 1.0 - including;
    }
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(excluding, including);
        if excludes_zero(middle) {
            excluding = middle;
        } else {
            including = middle;
        }
    }
    1.0 - excluding
}

/// A difference is a ratio on the exponential scale.
fn smallest_difference(interval: Interval) -> Option<f64> {
    let scaled = Interval::new(interval.low().exp(), interval.high().exp())?;
    detectable_ratio_of(scaled, Confidence::default(), Power::default()).map(f64::ln)
}

impl RateComparison {
    /// The p-value that joins the family; `None` if there is nothing to judge.
    pub(super) fn family_p_value(&self) -> Option<PValue> {
        let is_judged = self.finding != ComparisonFinding::NotEnoughData;
        self.p_value.filter(|_| is_judged).and_then(PValue::new)
    }

    /// Decides, once the p-value is adjusted for the family. A difference that one burst explains is none.
    pub(super) fn decide(&mut self, adjusted: PValue, tolerance: Percent) {
        let (Some(difference), Some(low), Some(high)) =
            (self.difference, self.difference_low, self.difference_high)
        else {
            return;
        };
        self.p_adjusted = Some(adjusted.probability());
        let (blocks_low, blocks_high) =
            (self.blocks_low.unwrap_or(low), self.blocks_high.unwrap_or(high));
        let is_more_than_bursts = blocks_low > 0.0 || blocks_high < 0.0;
        if adjusted.is_significant_at(FALSE_ALARMS) && is_more_than_bursts {
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
    fn the_p_value_is_where_the_interval_starts_to_include_zero() {
        let found = p_value(of(10, 200), of(30, 200));
        let at = |confidence: f64| {
            let confidence = Confidence::from_fraction(confidence).unwrap();
            newcombe_difference(of(10, 200), of(30, 200), confidence).interval.contains(0.0)
        };
        assert!(found > 0.0005 && found < 0.005, "{found}");
        assert!(!at(1.0 - found - 1e-9) && at(1.0 - found + 1e-6));
        assert!((p_value(of(5, 100), of(5, 100)) - 1.0).abs() < f64::EPSILON);
        assert!(p_value(of(0, 1_000), of(500, 1_000)) < 2e-6);
    }
}
