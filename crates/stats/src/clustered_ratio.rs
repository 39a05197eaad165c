//! A ratio of two sums over clusters, such as errors for each word over conversations: what happens within a cluster is
//! not independent.

use super::confidence::Confidence;
use super::convert::real;
use super::interval::{Estimate, Interval};
use super::normal::{student_cumulative, student_inverse_cumulative};

/// What clusters add up to. Memory does not grow with their number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClusteredRatio {
    clusters: u64,
    count: f64,
    units: f64,
    count_squares: f64,
    unit_squares: f64,
    products: f64,
}

impl ClusteredRatio {
    /// Adds a cluster in which `count` of `units` were found, or more than one for each unit. One without units says
    /// nothing.
    pub fn add(&mut self, count: u64, units: u64) {
        if units == 0 {
            return;
        }
        let (count, units) = (real(count), real(units));
        self.clusters += 1;
        self.count += count;
        self.units += units;
        self.count_squares += count * count;
        self.unit_squares += units * units;
        self.products += count * units;
    }

    /// All clusters of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            clusters: self.clusters + other.clusters,
            count: self.count + other.count,
            units: self.units + other.units,
            count_squares: self.count_squares + other.count_squares,
            unit_squares: self.unit_squares + other.unit_squares,
            products: self.products + other.products,
        }
    }

    /// How many clusters there are.
    pub const fn clusters(&self) -> u64 {
        self.clusters
    }

    /// The ratio of the sums; `None` for no cluster.
    pub fn ratio(&self) -> Option<f64> {
        (self.units > 0.0).then(|| self.count / self.units)
    }

    /// The interval of the ratio; `None` for fewer than two clusters, which do not tell how much they differ.
    ///
    /// A ratio of at most 1 is taken for a share: Wilson's interval with the effective number of units, which is the
    /// number that independent units would have with the same variance, and at most the real one, lowered for few
    /// clusters as Student's t does (E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998), 193-201, with Wilson's
    /// interval). A greater one has the normal interval. The variance is that of a ratio, linearised (W. G. Cochran,
    /// Sampling Techniques, 1977, 6.4).
    pub fn interval(&self, confidence: Confidence) -> Option<Interval> {
        let ratio = self.ratio().filter(|_| self.clusters >= 2)?;
        let clusters = real(self.clusters);
        let z = confidence.critical_value();
        let t = -student_inverse_cumulative(clusters - 1.0, confidence.tail());
        let variance = self.variance(ratio);
        if ratio > 1.0 {
            let half = t * variance.sqrt();
            return Some(Interval::between((ratio - half).max(0.0), ratio + half));
        }
        let independent = ratio * (1.0 - ratio) / self.units;
        // Without any variance nothing tells how alike units of a cluster are.
        let effect = if independent > 0.0 { (variance / independent).max(1.0) } else { 1.0 };
        let n = self.units / effect * (z / t).powi(2);
        let square = z * z;
        let centre = (n * ratio + square / 2.0) / (n + square);
        let half = z / (n + square) * (n * ratio * (1.0 - ratio) + square / 4.0).sqrt();
        let low = if ratio <= 0.0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if ratio >= 1.0 { 1.0 } else { (centre + half).min(1.0) };
        Some(Interval::between(low, high))
    }

    /// The difference of two independent ratios, `candidate - baseline`, with its interval, and the p-value of none; `None`
    /// where either has fewer than two clusters.
    ///
    /// The interval is the square-and-add of both (G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008), 1693-1702).
    /// The p-value is that of Welch's t; without any variance, it is 1.
    pub fn difference(
        baseline: &Self,
        candidate: &Self,
        confidence: Confidence,
    ) -> Option<(Estimate, f64)> {
        let (from, to) = (baseline.ratio()?, candidate.ratio()?);
        let (around_from, around_to) =
            (baseline.interval(confidence)?, candidate.interval(confidence)?);
        let point = to - from;
        let below = (to - around_to.low()).hypot(around_from.high() - from);
        let above = (around_to.high() - to).hypot(from - around_from.low());
        let interval = Interval::between(point - below, point + above);
        let variances = (baseline.variance(from), candidate.variance(to));
        let sum = variances.0 + variances.1;
        if sum <= 0.0 {
            return Some((Estimate { point, interval }, 1.0));
        }
        // Welch-Satterthwaite.
        let share = |variance: f64, clusters: u64| variance * variance / (real(clusters) - 1.0);
        let degrees = sum * sum
            / (share(variances.0, baseline.clusters) + share(variances.1, candidate.clusters));
        let p = 2.0 * student_cumulative(degrees, -(point / sum.sqrt()).abs());
        Some((Estimate { point, interval }, p.clamp(0.0, 1.0)))
    }

    /// The variance of the ratio.
    fn variance(&self, ratio: f64) -> f64 {
        let clusters = real(self.clusters);
        let residuals =
            self.count_squares - 2.0 * ratio * self.products + ratio * ratio * self.unit_squares;
        // Rounding may leave less than nothing.
        clusters / (clusters - 1.0).max(1.0) * residuals.max(0.0) / (self.units * self.units)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rng::StatsRng;
    use super::*;

    fn of(clusters: impl IntoIterator<Item = (u64, u64)>) -> ClusteredRatio {
        let mut ratio = ClusteredRatio::default();
        for (count, units) in clusters {
            ratio.add(count, units);
        }
        ratio
    }

    #[test]
    fn the_ratio_is_that_of_the_sums() {
        assert_eq!(ClusteredRatio::default().ratio(), None);
        let some = of([(1, 2), (0, 6), (5, 0)]);
        assert_eq!((some.ratio(), some.clusters()), (Some(1.0 / 8.0), 2));
        assert_eq!(of([(1, 2)]).plus(&of([(0, 6)])), some);
        assert_eq!(of([(1, 2)]).interval(Confidence::default()), None);
        let none = of([(0, 10); 50]).interval(Confidence::default()).unwrap();
        assert!(none.low() == 0.0 && (0.006..0.010).contains(&none.high()), "{none:?}");
        let more = of([(9, 3), (6, 3), (7, 3)]).interval(Confidence::default()).unwrap();
        assert!(more.low() > 0.0 && more.contains(22.0 / 9.0) && more.high() > 3.0, "{more:?}");
    }

    #[test]
    fn clusters_that_are_all_wrong_or_all_right_count_as_one_unit_each() {
        let alike = of((0..100).map(|number| (if number % 5 == 0 { 10 } else { 0 }, 10)));
        let spread = of((0..100).map(|_| (2, 10)));
        let interval = |ratio: ClusteredRatio| ratio.interval(Confidence::default()).unwrap();
        assert!((0.13..0.17).contains(&interval(alike).width()), "{:?}", interval(alike));
        assert!((0.04..0.06).contains(&interval(spread).width()), "{:?}", interval(spread));
    }

    /// Sessions of 100 conversations that hear equally well, and that hear worse.
    #[test]
    fn differences_raise_few_alarms_and_are_found() {
        let session = |rng: &mut StatsRng, rate: f64| {
            let clusters = (0..100).map(|_| {
                let rate = rate + 0.05 * (2.0 * rng.unit() - 1.0);
                ((0..12).filter(|_| rng.unit() < rate).count() as u64, 12)
            });
            of(clusters.collect::<Vec<_>>())
        };
        let found = |to: f64, seed: u64| {
            (0..1_000_u64)
                .filter(|trial| {
                    let mut rng = StatsRng::new(seed, *trial);
                    let (one, other) = (session(&mut rng, 0.08), session(&mut rng, to));
                    let difference =
                        ClusteredRatio::difference(&one, &other, Confidence::default());
                    let (estimate, p) = difference.unwrap();
                    assert!(
                        (p < 0.05) != estimate.interval.contains(0.0) || (p - 0.05).abs() < 0.03
                    );
                    p < 0.05
                })
                .count()
        };
        let (alarms, hits) = (found(0.08, 5), found(0.16, 6));
        assert!((25..=75).contains(&alarms), "{alarms} of 1,000");
        assert!(hits > 990, "{hits} of 1,000");
    }

    /// Conversations of 5 to 24 words; each has a rate of its own around 8 %.
    #[test]
    fn intervals_hold_the_truth() {
        for (spread, conversations, seed) in
            [(0.0, 100_u64, 1_u64), (0.08, 100, 2), (0.08, 20, 3), (0.08, 400, 4)]
        {
            let held = (0..1_000_u64)
                .filter(|trial| {
                    let mut rng = StatsRng::new(seed, *trial);
                    let clusters = (0..conversations).map(|_| {
                        let words = 5 + rng.index(20);
                        let rate = 0.08 + spread * (2.0 * rng.unit() - 1.0);
                        let wrong = (0..words).filter(|_| rng.unit() < rate).count();
                        (wrong as u64, words as u64)
                    });
                    let ratio = of(clusters.collect::<Vec<_>>());
                    ratio.interval(Confidence::default()).unwrap().contains(0.08)
                })
                .count();
            assert!((925..=985).contains(&held), "{held} of 1,000 at {spread}, {conversations}");
        }
    }
}
