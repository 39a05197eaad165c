//! How often a value of one sample exceeds a value of the other.

use super::super::convert::{count, real};
use super::super::sample::Sample;

/// All pairs of a candidate's and a baseline's value, by which is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dominance {
    /// Pairs in which the candidate's value is greater.
    pub greater: u64,
    /// Pairs in which the candidate's value is smaller.
    pub smaller: u64,
    /// Pairs of equal values.
    pub tied: u64,
}

impl Dominance {
    /// Counts the pairs in one pass over both samples.
    pub fn of(baseline: &Sample, candidate: &Sample) -> Self {
        let from = baseline.ascending();
        let (mut below, mut up_to) = (0, 0);
        let (mut greater, mut at_most) = (0, 0);
        for value in candidate.ascending() {
            below += from[below..].iter().take_while(|other| *other < value).count();
            up_to += from[up_to..].iter().take_while(|other| *other <= value).count();
            greater += count(below);
            at_most += count(up_to);
        }
        let pairs = baseline.size() * candidate.size();
        Self { greater, smaller: pairs - at_most, tied: at_most - greater }
    }

    /// The number of pairs; at least 1.
    pub const fn pairs(self) -> u64 {
        self.greater + self.smaller + self.tied
    }

    /// Cliff's delta, from -1 (every candidate's value is smaller) to 1 (every one is greater).
    ///
    /// Source: N. Cliff, Psychological Bulletin 114 (1993), 494-509.
    pub fn cliffs_delta(self) -> f64 {
        (real(self.greater) - real(self.smaller)) / real(self.pairs().max(1))
    }

    /// The probability that a candidate's value exceeds a baseline's, ties counted half; 0.5 where the samples are equal.
    pub fn probability_of_superiority(self) -> f64 {
        f64::midpoint(self.cliffs_delta(), 1.0)
    }

    /// Mann and Whitney's U of the candidate: pairs in which it is greater, ties counted half.
    pub fn u_statistic(self) -> f64 {
        real(self.greater) + real(self.tied) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_counted_once() {
        let baseline = [1, 2, 2, 3, 3, 3, 4, 5, 6, 6, 7];
        let candidate = [2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 9, 10, 10];
        let by_hand = |expected: std::cmp::Ordering| {
            let pairs = candidate.iter().flat_map(|c| baseline.iter().map(move |b| c.cmp(b)));
            count(pairs.filter(|order| *order == expected).count())
        };
        let sample = |values: &[i32]| Sample::new(values.iter().map(|&v| f64::from(v)).collect());
        let found = Dominance::of(&sample(&baseline).unwrap(), &sample(&candidate).unwrap());
        assert_eq!(found.greater, by_hand(std::cmp::Ordering::Greater));
        assert_eq!(found.smaller, by_hand(std::cmp::Ordering::Less));
        assert_eq!(found.tied, by_hand(std::cmp::Ordering::Equal));
    }

    #[test]
    fn the_extremes_are_all_and_none() {
        let sample = |value: f64| Sample::new(vec![value; 3]).unwrap();
        let delta = |from, to| Dominance::of(&sample(from), &sample(to)).cliffs_delta();
        assert!((delta(1.0, 2.0) - 1.0).abs() < 1e-12);
        assert!((delta(2.0, 1.0) + 1.0).abs() < 1e-12);
        assert!(delta(1.0, 1.0).abs() < 1e-12);
        let same = Dominance::of(&sample(1.0), &sample(1.0));
        assert!((same.probability_of_superiority() - 0.5).abs() < 1e-12);
        assert!((same.u_statistic() - 4.5).abs() < 1e-12);
    }
}
