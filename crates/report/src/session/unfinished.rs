//! Percentiles of right-censored durations: runs that were cut off count as longer than the time observed.
//!
//! Leaving these runs out makes every percentile look better, because slow runs are the ones that are cut off.

use crate::fold::Latencies;
use rushhour_core::units::{Micros, Percentile};
use rushhour_stats::{
    Confidence, Observation, ObservationError, Reach, SurvivalBracket, SurvivalCurve,
    min_sample_size,
};

use super::percentiles::quantile_of;

/// The Kaplan-Meier estimate of durations of which some are censored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WithUnfinished {
    bracket: SurvivalBracket,
    ended: u64,
    unfinished: u64,
}

/// A percentile of durations of which some are censored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReachedFigure {
    Known {
        /// `None` if fewer runs than the percentile's share had ended by `observed_until`.
        value: Option<Micros>,
        /// The lower end of the 95 % interval.
        low: Option<Micros>,
        /// The upper end; `None` if it lies beyond `observed_until`.
        high: Option<Micros>,
        /// The longest time for which any run was observed.
        observed_until: Micros,
    },
    /// Too few runs, ended or not, for a two-sided interval.
    TooFew { n: u64, needs: u64 },
}

impl WithUnfinished {
    /// From the durations of runs that ended, and the observed times of runs that were cut off. `None` if no run was
    /// cut off.
    pub(crate) fn new(ended: &Latencies, unfinished: Option<&Latencies>) -> Option<Self> {
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

    /// The number of runs that were cut off.
    pub(crate) const fn unfinished(&self) -> u64 {
        self.unfinished
    }

    /// The share of runs that were cut off, from 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        self.unfinished as f64 / (self.ended + self.unfinished) as f64
    }

    /// A percentile. If ends are bounds from polling, the value comes from the upper bounds, as in all reports, and
    /// the interval's lower end comes from the lower bounds.
    pub(crate) fn figure(&self, percentile: Percentile) -> ReachedFigure {
        let quantile = quantile_of(percentile);
        let n = self.ended + self.unfinished;
        let needs = min_sample_size(quantile, Confidence::default());
        if n < needs {
            return ReachedFigure::TooFew { n, needs };
        }
        let found = self.bracket.quantile(quantile, Confidence::default());
        let value = self.bracket.latest.quantile(quantile, Confidence::default()).point;
        ReachedFigure::Known {
            value: reached(value),
            low: reached(found.low),
            high: reached(found.high),
            observed_until: micros(self.bracket.latest.longest()),
        }
    }
}

fn reached(reach: Reach) -> Option<Micros> {
    reach.reached().map(micros)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a histogram holds values of up to a day"
)]
const fn micros(time: f64) -> Micros {
    Micros(time as u64)
}

/// Values with their counts, as reports show them: the highest value of each bucket, capped at the maximum.
fn buckets(histogram: &hdrhistogram::Histogram<u64>) -> impl Iterator<Item = (f64, u64)> {
    histogram.iter_recorded().map(|bucket| {
        let value = histogram.highest_equivalent(bucket.value_iterated_to());
        (value.min(histogram.max()) as f64, bucket.count_at_value())
    })
}

#[cfg(test)]
mod tests {
    use super::super::percentiles::PercentileFigure;
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
    fn censoring_at_one_time_does_not_change_the_percentiles_before_it() {
        let all = exact(1..=1_000);
        let ended = exact(1..=600);
        let cut = exact([600; 400]);
        let with = WithUnfinished::new(&ended, Some(&cut)).unwrap();
        assert!((with.share() - 0.4).abs() < 1e-12);
        let PercentileFigure::Known { value: truth, .. } = PercentileFigure::of(&all, p("p50"))
        else {
            panic!()
        };
        let ReachedFigure::Known { value, low, high, .. } = with.figure(p("p50")) else { panic!() };
        assert_eq!(value, Some(truth));
        assert!(low.unwrap() < truth && high.unwrap() > truth);
        let PercentileFigure::Known { value: naive, .. } = PercentileFigure::of(&ended, p("p50"))
        else {
            panic!()
        };
        assert_eq!(naive, Micros(300), "what leaving out the censored runs would say");
        let ReachedFigure::Known { value, high, observed_until, .. } = with.figure(p("p95")) else {
            panic!()
        };
        assert_eq!((value, high, observed_until), (None, None, Micros(600)));
    }

    #[test]
    fn there_is_no_estimate_if_no_run_was_cut_off() {
        assert_eq!(WithUnfinished::new(&exact(1..=10), None), None);
        assert_eq!(WithUnfinished::new(&exact(1..=10), Some(&Latencies::default())), None);
        let only = WithUnfinished::new(&Latencies::default(), Some(&exact([7; 100]))).unwrap();
        let ReachedFigure::Known { value, observed_until, .. } = only.figure(p("p50")) else {
            panic!()
        };
        assert_eq!((value, observed_until), (None, Micros(7)));
        let few = WithUnfinished::new(&exact(1..=10), Some(&exact([3]))).unwrap();
        assert_eq!(few.figure(p("p95")), ReachedFigure::TooFew { n: 11, needs: 72 });
    }

    #[test]
    fn the_interval_of_polled_ends_includes_the_lower_bounds() {
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
