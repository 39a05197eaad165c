//! Values in order of time, cut into blocks of neighbours for the block bootstrap.

use rushhour_core::units::{Micros, SessionTime};
use rushhour_stats::BlockLength;

/// The length of a block, in microseconds: neighbouring runs share the state of the network, the agent and the
/// evaluator.
const MINUTE: u64 = 60_000_000;
/// The number of blocks in a session of fewer minutes.
const BLOCKS_OF_SHORT_SESSION: usize = 30;
/// The fewest blocks, however strongly values are autocorrelated.
const FEWEST_BLOCKS: usize = 16;

/// Whether the runs of two sides took place at the same time, under the same load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SideTiming {
    /// Each side has blocks of its own.
    Apart,
    /// Both sides have the same blocks, because they share the conditions of each minute.
    Shared,
}

/// A value and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TimedValue {
    pub(crate) at: SessionTime,
    pub(crate) value: f64,
}

/// The block number of each value of two sides, each side in order of time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub(crate) baseline: Vec<usize>,
    pub(crate) candidate: Vec<usize>,
}

impl Blocks {
    /// Cuts two sides. Shared blocks have the length of the side that needs longer ones.
    pub(crate) fn cut(
        baseline: &[TimedValue],
        candidate: &[TimedValue],
        timing: SideTiming,
    ) -> Self {
        let (from, to) = (block_count(baseline), block_count(candidate));
        let (all, shared) = (baseline.len() + candidate.len(), from.min(to));
        let before = |side: &[TimedValue], is_before: &dyn Fn(SessionTime) -> bool| {
            side.partition_point(|value| is_before(value.at))
        };
        match timing {
            SideTiming::Apart => Self {
                baseline: (0..baseline.len()).map(|rank| rank * from / baseline.len()).collect(),
                candidate: (0..candidate.len()).map(|rank| rank * to / candidate.len()).collect(),
            },
            SideTiming::Shared => Self {
                baseline: (0..)
                    .zip(baseline)
                    .map(|(rank, value)| rank + before(candidate, &|at| at < value.at))
                    .map(|rank: usize| rank * shared / all)
                    .collect(),
                candidate: (0..)
                    .zip(candidate)
                    .map(|(rank, value)| rank + before(baseline, &|at| at <= value.at))
                    .map(|rank: usize| rank * shared / all)
                    .collect(),
            },
        }
    }
}

fn block_count(side: &[TimedValue]) -> usize {
    let (Some(first), Some(last)) = (side.first(), side.last()) else { return 1 };
    let values: Vec<f64> = side.iter().map(|timed| timed.value).collect();
    block_count_of(last.at.since(first.at), &values)
}

/// One block per minute, or a fixed number in a short session; fewer and longer ones if values are autocorrelated.
fn block_count_of(span: Micros, values: &[f64]) -> usize {
    let n = values.len();
    if n == 0 {
        return 1;
    }
    let minutes = usize::try_from(span.0 / MINUTE).unwrap_or(usize::MAX);
    let by_time = minutes.max(BLOCKS_OF_SHORT_SESSION).min(n / 2);
    let by_autocorrelation = n / BlockLength::automatic(values).length();
    by_time.min(by_autocorrelation).max(FEWEST_BLOCKS).min(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uncorrelated values, the same on every platform.
    fn noise(n: u64) -> Vec<f64> {
        let mixed = |n: u64| {
            let n = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((n ^ (n >> 31)) >> 40) as f64
        };
        (0..n).map(mixed).collect()
    }

    #[test]
    fn blocks_are_minutes_or_fixed_parts_of_a_short_session() {
        let minutes = |minutes: u64| Micros::from_secs(60 * minutes);
        assert_eq!(block_count_of(minutes(120), &noise(1_000)), 120);
        assert_eq!(block_count_of(minutes(5), &noise(1_000)), 30);
        assert_eq!(block_count_of(Micros::ZERO, &noise(40)), 20);
        assert_eq!(block_count_of(minutes(5), &noise(3)), 3);
        assert_eq!(block_count_of(minutes(5), &[]), 1);
        let drifting: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(block_count_of(minutes(120), &drifting), FEWEST_BLOCKS);
    }

    #[test]
    fn shared_blocks_cover_the_same_time_and_separate_ones_do_not() {
        let side = |from: usize| -> Vec<TimedValue> {
            let timed = |(second, value): (u64, f64)| TimedValue {
                at: SessionTime(second * 1_000_000),
                value,
            };
            (0..).zip(noise(400)).map(timed).skip(from).collect()
        };
        let (long, late) = (side(0), side(200));
        let shared = Blocks::cut(&long, &late, SideTiming::Shared);
        assert_eq!(shared.baseline[200..], shared.candidate);
        assert_eq!((shared.baseline[0], shared.candidate[199]), (0, 29));
        let apart = Blocks::cut(&long, &late, SideTiming::Apart);
        assert_eq!((apart.candidate[0], apart.candidate[199], apart.baseline[399]), (0, 29, 29));
        let none = Blocks::cut(&[], &late, SideTiming::Shared);
        assert!(none.baseline.is_empty() && none.candidate.len() == 200);
    }
}
