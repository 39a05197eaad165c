//! Values in order of time cut into blocks of neighbours, which are resampled whole.

use rushhour_core::units::{Micros, SessionTime};
use rushhour_stats::BlockLength;

/// Neighbouring runs share the state of the network, the agent and the evaluator: a minute stays together,
const MINUTE: u64 = 60_000_000;
/// a shorter session is cut into so many parts,
const PARTS: usize = 30;
/// and where each value carries over to the next, into at least so many.
const FEWEST_PARTS: usize = 16;

/// Whether the runs of two sides went on at the same time, under the same load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SideTiming {
    /// Each side has blocks of its own.
    Apart,
    /// Both sides have the same blocks: what a minute does to one, it does to the other.
    Shared,
}

/// A value with the moment that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TimedValue {
    pub(super) at: SessionTime,
    pub(super) value: f64,
}

/// The block of each value of two sides, each side in order of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) baseline: Vec<usize>,
    pub(super) candidate: Vec<usize>,
}

impl Blocks {
    /// Cuts two sides; shared blocks are as long as the side needs them that needs the longer ones.
    pub(super) fn cut(
        baseline: &[TimedValue],
        candidate: &[TimedValue],
        timing: SideTiming,
    ) -> Self {
        let (from, to) = (parts_of(baseline), parts_of(candidate));
        let (all, parts) = (baseline.len() + candidate.len(), from.min(to));
        let before = |side: &[TimedValue], end: &dyn Fn(SessionTime) -> bool| {
            side.partition_point(|value| end(value.at))
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
                    .map(|rank: usize| rank * parts / all)
                    .collect(),
                candidate: (0..)
                    .zip(candidate)
                    .map(|(rank, value)| rank + before(baseline, &|at| at <= value.at))
                    .map(|rank: usize| rank * parts / all)
                    .collect(),
            },
        }
    }
}

fn parts_of(side: &[TimedValue]) -> usize {
    let (Some(first), Some(last)) = (side.first(), side.last()) else { return 1 };
    let values: Vec<f64> = side.iter().map(|timed| timed.value).collect();
    parts(last.at.since(first.at), &values)
}

/// Into how many blocks values in order of time are cut: minutes, or parts of a short session; fewer and
/// longer ones where each value carries over to the next.
fn parts(span: Micros, values: &[f64]) -> usize {
    let n = values.len();
    if n == 0 {
        return 1;
    }
    let minutes = usize::try_from(span.0 / MINUTE).unwrap_or(usize::MAX);
    let fine = minutes.max(PARTS).min(n / 2);
    let carried = n / BlockLength::automatic(values).length();
    fine.min(carried).max(FEWEST_PARTS).min(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values without an order, the same everywhere.
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
    fn neighbours_stay_together_for_a_minute_or_a_part_of_a_short_session() {
        let minutes = |minutes: u64| Micros::from_secs(60 * minutes);
        assert_eq!(parts(minutes(120), &noise(1_000)), 120);
        assert_eq!(parts(minutes(5), &noise(1_000)), 30);
        assert_eq!(parts(Micros::ZERO, &noise(40)), 20);
        assert_eq!(parts(minutes(5), &noise(3)), 3);
        assert_eq!(parts(minutes(5), &[]), 1);
        let drifting: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(parts(minutes(120), &drifting), FEWEST_PARTS);
    }

    #[test]
    fn shared_blocks_are_of_one_time_and_own_ones_are_not() {
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
