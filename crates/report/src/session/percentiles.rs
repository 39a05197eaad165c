//! Percentiles with their confidence intervals.

use crate::fold::Latencies;
use rushhour_core::units::{Micros, Percentile};
use rushhour_stats::{Confidence, Quantile, rank_interval};

/// A percentile, or the number of samples that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PercentileFigure {
    /// The value with its 95 % interval.
    Known { value: Micros, low: Micros, high: Micros },
    /// Too few samples for a two-sided interval. The value alone would be an anecdote.
    TooFew { n: u64, needs: u64 },
}

impl PercentileFigure {
    /// The percentile by nearest rank, with its distribution-free interval. If the samples are bounds from polling,
    /// the value and the upper end come from the upper bounds, and the lower end comes from the lower bounds.
    pub(crate) fn of(latencies: &Latencies, percentile: Percentile) -> Self {
        let quantile = quantile_of(percentile);
        let n = latencies.count();
        match rank_interval(quantile, n, Confidence::default()) {
            Err(few) => Self::TooFew { n: few.n, needs: few.needs },
            Ok(ranks) => {
                let rank = quantile.rank(n).unwrap_or(1);
                Self::Known {
                    value: latencies.at_rank(rank),
                    low: latencies.low_at_rank(ranks.low),
                    high: latencies.at_rank(ranks.high),
                }
            }
        }
    }
}

pub(crate) fn quantile_of(percentile: Percentile) -> Quantile {
    Quantile::from_fraction(percentile.fraction()).unwrap_or(Quantile::P50)
}

/// Every percentile that reports list.
pub(crate) fn listed_percentiles(latencies: &Latencies) -> Vec<(Percentile, PercentileFigure)> {
    Percentile::LISTED
        .into_iter()
        .map(|percentile| (percentile, PercentileFigure::of(latencies, percentile)))
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
    fn a_percentile_needs_enough_samples_for_an_interval() {
        let too_few = PercentileFigure::TooFew { n: 71, needs: 72 };
        assert_eq!(PercentileFigure::of(&latencies(71), p("p95")), too_few);
        let figure = PercentileFigure::of(&latencies(100), p("p95"));
        let PercentileFigure::Known { value, low, high } = figure else { panic!() };
        assert_eq!(value, Micros(95));
        assert!(low < value && value < high && high <= Micros(100), "{low} {high}");
        assert_eq!(
            PercentileFigure::of(&Latencies::default(), p("p50")),
            PercentileFigure::TooFew { n: 0, needs: 6 }
        );
    }

    #[test]
    fn the_interval_of_polled_ends_includes_the_lower_bounds() {
        let mut polled = Latencies::default();
        for value in 1..=100 {
            let (low, high) = (Micros(value * 1000), Micros((value + 5) * 1000));
            polled.add(&LatencySample { metric: Metric::Judging, low, high });
        }
        let figure = PercentileFigure::of(&polled, p("p50"));
        let PercentileFigure::Known { value, low, .. } = figure else { panic!() };
        assert!(value.0.abs_diff(55_000) < 60);
        assert!(low.0 < 42_000, "{low}");
    }
}
