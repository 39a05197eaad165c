//! What agents heard of callers, compared: the difference of shares over conversations, in percentage points.

use super::arm::{Arm, ArmPair};
use super::blocks::SideTiming;
use super::rate::{
    BlockCount, FEWEST_RUNS, RateComparison, TimedCount, block_interval, by_block, sum, undecided,
};
use rushhour_core::profile::HeardShare;
use rushhour_stats::{ClusteredRatio, Confidence, Interval};

/// The name of what is compared: more of it is worse.
pub(super) const fn measure_name(share: HeardShare) -> &'static str {
    match share {
        HeardShare::WordErrors | HeardShare::CharacterErrors => share.name(),
        HeardShare::KeyWords => "heard.words_missed",
    }
}

/// Compares one share, without deciding; `None` if nothing is known on either side.
pub(super) fn compare_heard(share: HeardShare, arms: ArmPair<'_>) -> Option<RateComparison> {
    let timing = arms.timing();
    let counted = |arm: &Arm| -> Vec<TimedCount> {
        let misheard = arm.misheard(share, arms.scenarios).into_iter();
        misheard.map(|(at, yes, of)| TimedCount { at, count: BlockCount { yes, of } }).collect()
    };
    let sides = (counted(arms.baseline), counted(arms.candidate));
    if sides.0.is_empty() && sides.1.is_empty() {
        return None;
    }
    let (from, to) = by_block(&sides.0, &sides.1, timing);
    let (baseline, candidate) = (sum(&from), sum(&to));
    let n = sides.0.len().min(sides.1.len()) as u64;
    let is_enough = n >= FEWEST_RUNS;
    let found =
        ClusteredRatio::difference(&ratio(&sides.0), &ratio(&sides.1), Confidence::default());
    let blocks = is_enough.then(|| block_interval_of(&from, &to, timing, arms)).flatten();
    Some(undecided(measure_name(share), (baseline, candidate), found, blocks, n))
}

fn block_interval_of(
    from: &[BlockCount],
    to: &[BlockCount],
    timing: SideTiming,
    arms: ArmPair<'_>,
) -> Option<Interval> {
    let bootstrap = arms.criteria.bootstrap(from.len().max(to.len()));
    block_interval(from, to, timing, &bootstrap)
}

fn ratio(side: &[TimedCount]) -> ClusteredRatio {
    let mut ratio = ClusteredRatio::default();
    for one in side {
        ratio.add(one.count.yes, one.count.of);
    }
    ratio
}
