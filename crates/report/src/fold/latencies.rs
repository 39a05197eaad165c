//! Latency histograms, one for each metric, mode and part of the session.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::{Counter, Histogram};

use super::latency_samples::LatencySample;
use rushhour_core::units::{Metric, Micros, Mode};

/// The lowest discernible value, in microseconds.
const LOWEST: u64 = 1;
/// The highest trackable value, in microseconds: 24 hours.
const HIGHEST: u64 = 24 * 3600 * 1_000_000;
/// Significant digits: values are accurate to 0.1 %.
const DIGITS: u8 = 3;

/// A part of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All runs of measured stages.
    Measured,
    /// One scenario's runs of measured stages, by its position in the profile.
    Scenario(u32),
    /// One stage's runs, measured or not, by its position in the profile.
    Stage(u32),
}

/// The latencies of one metric in one part of the session.
#[derive(Debug, Clone)]
pub struct Latencies {
    high: Histogram<u64>,
    /// Lower bounds, where polling makes them differ from the upper ones.
    low: Option<Histogram<u64>>,
    widest_bounds: Micros,
}

fn empty() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(LOWEST, 2 * LOWEST, DIGITS)
        .expect("the bounds and digits are constants that the library accepts");
    // It grows with the values recorded: most latencies are far below a day.
    histogram.auto(true);
    histogram
}

impl Default for Latencies {
    fn default() -> Self {
        Self { high: empty(), low: None, widest_bounds: Micros::ZERO }
    }
}

impl Latencies {
    /// Adds a sample.
    pub fn add(&mut self, sample: &LatencySample) {
        let clamp = |micros: Micros| micros.0.min(HIGHEST);
        self.widest_bounds = self.widest_bounds.max(sample.high.saturating_sub(sample.low));
        if sample.low != sample.high || self.low.is_some() {
            let high = &self.high;
            let low = self.low.get_or_insert_with(|| high.clone());
            record(low, clamp(sample.low));
        }
        record(&mut self.high, clamp(sample.high));
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Self) {
        if other.low.is_some() || self.low.is_some() {
            let high = &self.high;
            let low = self.low.get_or_insert_with(|| high.clone());
            add(low, other.low.as_ref().unwrap_or(&other.high));
        }
        add(&mut self.high, &other.high);
        self.widest_bounds = self.widest_bounds.max(other.widest_bounds);
    }

    /// The number of samples.
    pub fn count(&self) -> u64 {
        self.high.len()
    }

    /// The histogram of the values that reports show: upper bounds, where the values are bounds.
    pub const fn histogram(&self) -> &Histogram<u64> {
        &self.high
    }

    /// The histogram of lower bounds, where the values are bounds.
    pub const fn lower_bounds(&self) -> Option<&Histogram<u64>> {
        self.low.as_ref()
    }

    /// The largest difference between the bounds of a sample: the resolution of the values.
    pub const fn widest_bounds(&self) -> Micros {
        self.widest_bounds
    }

    /// The value at a rank from 1 to [`Self::count`], to the precision of the histogram.
    pub fn at_rank(&self, rank: u64) -> Micros {
        value_at_rank(&self.high, rank)
    }

    /// The lower bound at a rank from 1 to [`Self::count`]; the value itself where values are exact.
    pub fn low_at_rank(&self, rank: u64) -> Micros {
        value_at_rank(self.low.as_ref().unwrap_or(&self.high), rank)
    }

    /// The smallest value.
    pub fn min(&self) -> Micros {
        Micros(self.high.min())
    }

    /// The largest value.
    pub fn max(&self) -> Micros {
        Micros(self.high.max())
    }

    /// The mean, in microseconds; zero where there are none.
    pub fn mean(&self) -> f64 {
        self.high.mean()
    }
}

/// The value at a rank from 1 to the number of values, to the precision of the histogram.
pub(crate) fn value_at_rank<C: Counter>(histogram: &Histogram<C>, rank: u64) -> Micros {
    if rank >= histogram.len() {
        return Micros(histogram.max());
    }
    // Half a rank less, so that the quotient never rounds up to the next rank.
    let quantile = (rank as f64 - 0.5) / histogram.len() as f64;
    Micros(histogram.value_at_quantile(quantile).min(histogram.max()))
}

/// `saturating_record` would not resize the histogram.
fn record(histogram: &mut Histogram<u64>, value: u64) {
    histogram.record(value).expect("an auto-resizing histogram holds every value");
}

fn add(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    to.add(from).expect("auto-resizing histograms hold every value");
}

/// All latencies of a session. A copy shares the histograms until one of both adds to them: a page is drawn of a copy.
#[derive(Debug, Clone, Default)]
pub struct LatencyTable {
    table: BTreeMap<(Metric, Mode, Scope), Arc<Latencies>>,
}

impl LatencyTable {
    /// Adds a sample to every part of the session it belongs to.
    pub fn add(
        &mut self,
        sample: &LatencySample,
        mode: Mode,
        scenario: u32,
        stage: u32,
        measured: bool,
    ) {
        let mut add = |scope| {
            Arc::make_mut(self.table.entry((sample.metric, mode, scope)).or_default()).add(sample);
        };
        add(Scope::Stage(stage));
        if measured {
            add(Scope::Measured);
            add(Scope::Scenario(scenario));
        }
    }

    /// The latencies of one metric in one part, where there are any.
    pub fn get(&self, metric: Metric, mode: Mode, scope: Scope) -> Option<&Latencies> {
        self.table.get(&(metric, mode, scope)).map(AsRef::as_ref)
    }

    /// All latencies, ordered by metric, mode and scope.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, Mode, Scope, &Latencies)> {
        self.table
            .iter()
            .map(|((metric, mode, scope), latencies)| (*metric, *mode, *scope, &**latencies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(value: u64) -> LatencySample {
        LatencySample { metric: Metric::Room, low: Micros(value), high: Micros(value) }
    }

    #[test]
    fn values_are_accurate_to_three_digits_up_to_a_day() {
        let mut latencies = Latencies::default();
        for value in [0, 1, 1_234, 1_234_567, 3_600_000_000, u64::MAX / 2] {
            latencies.add(&exact(value));
        }
        assert_eq!(latencies.count(), 6);
        assert_eq!(latencies.at_rank(1), Micros(0));
        assert_eq!(latencies.at_rank(3), Micros(1_234));
        let million = latencies.at_rank(4).0 as f64;
        assert!((million / 1_234_567.0 - 1.0).abs() < 0.001);
        assert!(latencies.max().0 as f64 / HIGHEST as f64 - 1.0 < 0.001);
    }

    #[test]
    fn ranks_are_the_sorted_samples() {
        let mut latencies = Latencies::default();
        for value in (1..=1000).rev() {
            latencies.add(&exact(value));
        }
        for rank in [1, 2, 500, 950, 999, 1000] {
            assert_eq!(latencies.at_rank(rank), Micros(rank), "{rank}");
        }
    }

    #[test]
    fn bounds_that_differ_are_kept_and_merged() {
        let bounded = LatencySample { metric: Metric::Queue, low: Micros(100), high: Micros(350) };
        let mut one = Latencies::default();
        one.add(&exact(50));
        assert!(one.lower_bounds().is_none());
        one.add(&bounded);
        assert_eq!(one.widest_bounds(), Micros(250));
        let low = one.lower_bounds().unwrap();
        assert_eq!((low.len(), low.min(), low.max()), (2, 50, 100));
        let mut two = Latencies::default();
        two.add(&exact(70));
        two.merge(&one);
        assert_eq!((two.count(), two.max()), (3, Micros(350)));
        assert_eq!(two.lower_bounds().unwrap().len(), 3);
    }
}
