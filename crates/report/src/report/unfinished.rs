//! Percentiles that count runs that were cut off as longer than what was seen of them.
//!
//! Leaving them out flatters every percentile, for the slow are the ones that were still going on.

use crate::fold::Latencies;
use rushhour_core::units::{Micros, Percentile};
use rushhour_stats::{
    Confidence, Observation, ObservationError, Reach, SurvivalBracket, SurvivalCurve, smallest_n,
};

use super::figures::quantile_of;

/// Durations of which some had not ended: Kaplan and Meier's estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct WithUnfinished {
    bracket: SurvivalBracket,
    ended: u64,
    unfinished: u64,
}

/// A percentile of durations of which some had not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReachedFigure {
    /// The share has ended by a time, or had not when last looked at.
    Known {
        /// The time; none where so many had not ended by `seen_until`.
        value: Option<Micros>,
        /// The lower end of the 95 % interval.
        low: Option<Micros>,
        /// The upper end; none where it lies beyond `seen_until`.
        high: Option<Micros>,
        /// The longest that any run was seen to go on.
        seen_until: Micros,
    },
    /// Too few runs for an interval with two ends.
    TooFew {
        /// How many there are, ended or not.
        n: u64,
        /// How many it takes.
        needs: u64,
    },
}

impl WithUnfinished {
    /// Durations that had ended, and how long others had gone on; none where nothing was cut off.
    pub fn new(ended: &Latencies, unfinished: Option<&Latencies>) -> Option<Self> {
        let unfinished = unfinished.filter(|unfinished| unfinished.count() > 0)?;
        let curve = |ended: &hdrhistogram::Histogram<u64>| {
            let ended = buckets(ended).map(|(time, count)| (Observation::At(time), count));
            let cut = buckets(unfinished.histogram());
            SurvivalCurve::new(ended.chain(cut.map(|(time, n)| (Observation::After(time), n))))
        };
        let bracket = || -> Result<SurvivalBracket, ObservationError> {
            Ok(SurvivalBracket {
                earliest: curve(ended.lower_bounds().unwrap_or(ended.histogram()))?,
                latest: curve(ended.histogram())?,
            })
        };
        let bracket = bracket().ok()?;
        Some(Self { bracket, ended: ended.count(), unfinished: unfinished.count() })
    }

    /// How many had not ended.
    pub const fn unfinished(&self) -> u64 {
        self.unfinished
    }

    /// Of all, which share had not ended.
    pub fn share(&self) -> f64 {
        self.unfinished as f64 / (self.ended + self.unfinished) as f64
    }

    /// A percentile. Where ends are bounds from polling, the value is of the upper ones, as in all
    /// reports, and the interval reaches down to that of the lower ones.
    pub fn figure(&self, percentile: Percentile) -> ReachedFigure {
        let quantile = quantile_of(percentile);
        let n = self.ended + self.unfinished;
        let needs = smallest_n(quantile, Confidence::default());
        if n < needs {
            return ReachedFigure::TooFew { n, needs };
        }
        let found = self.bracket.quantile(quantile, Confidence::default());
        let value = self.bracket.latest.quantile(quantile, Confidence::default()).point;
        ReachedFigure::Known {
            value: reached(value),
            low: reached(found.low),
            high: reached(found.high),
            seen_until: micros(self.bracket.latest.longest()),
        }
    }
}

fn reached(reach: Reach) -> Option<Micros> {
    reach.reached().map(micros)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values of a histogram up to a day"
)]
const fn micros(time: f64) -> Micros {
    Micros(time as u64)
}

/// Values with their counts, as figures show them: the highest of each bucket, never above the largest.
fn buckets(histogram: &hdrhistogram::Histogram<u64>) -> impl Iterator<Item = (f64, u64)> {
    histogram.iter_recorded().map(|bucket| {
        let value = histogram.highest_equivalent(bucket.value_iterated_to());
        (value.min(histogram.max()) as f64, bucket.count_at_value())
    })
}

#[cfg(test)]
mod tests {
    use super::super::figures::{PercentileFigure, figure};
    use super::*;
    use crate::fold::LatencySample;
    use rushhour_core::units::Metric;

    fn latencies(times: impl IntoIterator<Item = (u64, u64)>) -> Latencies {
        let mut latencies = Latencies::default();
        for (low, high) in times {
            let metric = Metric::CompletionResponse;
            latencies.add(&LatencySample { metric, low: Micros(low), high: Micros(high) });
        }
        latencies
    }

    fn exact(times: impl IntoIterator<Item = u64>) -> Latencies {
        latencies(times.into_iter().map(|time| (time, time)))
    }

    fn p(text: &str) -> Percentile {
        text.parse().unwrap()
    }

    #[test]
    fn a_cut_at_one_time_leaves_every_percentile_before_it_as_it_would_have_been() {
        let all = exact(1..=1_000);
        let ended = exact(1..=600);
        let cut = exact([600; 400]);
        let with = WithUnfinished::new(&ended, Some(&cut)).unwrap();
        assert!((with.share() - 0.4).abs() < 1e-12);
        let PercentileFigure::Known { value: truth, .. } = figure(&all, p("p50")) else { panic!() };
        let ReachedFigure::Known { value, low, high, .. } = with.figure(p("p50")) else { panic!() };
        assert_eq!(value, Some(truth));
        assert!(low.unwrap() < truth && high.unwrap() > truth);
        let PercentileFigure::Known { value: naive, .. } = figure(&ended, p("p50")) else {
            panic!()
        };
        assert_eq!(naive, Micros(300), "what leaving them out would say");
        let ReachedFigure::Known { value, high, seen_until, .. } = with.figure(p("p95")) else {
            panic!()
        };
        assert_eq!((value, high, seen_until), (None, None, Micros(600)));
    }

    #[test]
    fn with_nothing_cut_off_there_is_nothing_to_add() {
        assert_eq!(WithUnfinished::new(&exact(1..=10), None), None);
        assert_eq!(WithUnfinished::new(&exact(1..=10), Some(&Latencies::default())), None);
        let only = WithUnfinished::new(&Latencies::default(), Some(&exact([7; 100]))).unwrap();
        let ReachedFigure::Known { value, seen_until, .. } = only.figure(p("p50")) else {
            panic!()
        };
        assert_eq!((value, seen_until), (None, Micros(7)));
        let few = WithUnfinished::new(&exact(1..=10), Some(&exact([3]))).unwrap();
        assert_eq!(few.figure(p("p95")), ReachedFigure::TooFew { n: 11, needs: 72 });
    }

    #[test]
    fn the_interval_reaches_down_to_the_lower_bounds_of_polled_ends() {
        let polled = latencies((1..=500).map(|n| (n * 1_000 - 900, n * 1_000)));
        let with = WithUnfinished::new(&polled, Some(&exact([450_000; 20]))).unwrap();
        let exact_ends = exact((1..=500).map(|n| n * 1_000));
        let sharp = WithUnfinished::new(&exact_ends, Some(&exact([450_000; 20]))).unwrap();
        let low = |figure| match figure {
            ReachedFigure::Known { low, .. } => low.unwrap().0,
            ReachedFigure::TooFew { .. } => panic!(),
        };
        let (wide, narrow) = (low(with.figure(p("p50"))), low(sharp.figure(p("p50"))));
        assert!(narrow - wide >= 800, "{wide} {narrow}");
    }
}
