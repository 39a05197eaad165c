//! Percentiles as they may be told: with their interval, or with the number of samples they need.

use crate::fold::Latencies;
use rushhour_core::units::{Micros, Percentile};
use rushhour_stats::{Confidence, Quantile, rank_interval};

/// A percentile, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PercentileFigure {
    /// The value, and the interval that holds the truth with 95 % confidence.
    Known {
        /// The value.
        value: Micros,
        /// The interval's lower end.
        low: Micros,
        /// The interval's upper end.
        high: Micros,
    },
    /// Too few samples for an interval with two ends: the value would be an anecdote.
    TooFew {
        /// How many there are.
        n: u64,
        /// How many it takes.
        needs: u64,
    },
}

/// A percentile of a latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileFigure {
    /// Which.
    pub percentile: Percentile,
    /// What it is.
    pub figure: PercentileFigure,
}

/// The quantile that a percentile names.
pub(super) fn quantile_of(percentile: Percentile) -> Quantile {
    Quantile::from_fraction(percentile.fraction()).unwrap_or(Quantile::P50)
}

/// The percentile of a latency, with its distribution-free interval. Where the samples are bounds from
/// polling, the value and the upper end are of the upper bounds and the lower end is of the lower ones.
pub fn figure(latencies: &Latencies, percentile: Percentile) -> PercentileFigure {
    let quantile = quantile_of(percentile);
    let n = latencies.count();
    match rank_interval(quantile, n, Confidence::default()) {
        Err(few) => PercentileFigure::TooFew { n: few.n, needs: few.needs },
        Ok(ranks) => {
            let rank = quantile.rank(n).unwrap_or(1);
            PercentileFigure::Known {
                value: latencies.at_rank(rank),
                low: latencies.low_at_rank(ranks.low),
                high: latencies.at_rank(ranks.high),
            }
        }
    }
}

/// All percentiles that reports list.
pub(super) fn listed(latencies: &Latencies) -> Vec<QuantileFigure> {
    Percentile::LISTED
        .into_iter()
        .map(|percentile| QuantileFigure { percentile, figure: figure(latencies, percentile) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::LatencySample;
    use rushhour_core::units::Metric;

    fn latencies(n: u64) -> Latencies {
        let mut latencies = Latencies::default();
        for value in 1..=n {
            latencies.add(&LatencySample {
                metric: Metric::Room,
                low: Micros(value),
                high: Micros(value),
            });
        }
        latencies
    }

    fn p(text: &str) -> Percentile {
        text.parse().unwrap()
    }

    #[test]
    fn a_percentile_is_told_only_with_enough_samples() {
        assert_eq!(figure(&latencies(71), p("p95")), PercentileFigure::TooFew { n: 71, needs: 72 });
        let PercentileFigure::Known { value, low, high } = figure(&latencies(100), p("p95")) else {
            panic!()
        };
        assert_eq!(value, Micros(95));
        assert!(low < value && value < high && high <= Micros(100), "{low} {high}");
        assert_eq!(
            figure(&Latencies::default(), p("p50")),
            PercentileFigure::TooFew { n: 0, needs: 6 }
        );
    }

    #[test]
    fn the_interval_of_polled_ends_reaches_down_to_the_lower_bounds() {
        let mut polled = Latencies::default();
        for value in 1..=100 {
            let (low, high) = (Micros(value * 1000), Micros((value + 5) * 1000));
            polled.add(&LatencySample { metric: Metric::Judging, low, high });
        }
        let PercentileFigure::Known { value, low, .. } = figure(&polled, p("p50")) else {
            panic!()
        };
        assert!(value.0.abs_diff(55_000) < 60);
        assert!(low.0 < 42_000, "{low}");
    }
}
