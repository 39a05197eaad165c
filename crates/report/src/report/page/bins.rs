//! The session's windows, as many to a bin as give a bin enough runs to speak of.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::super::figures::quantile_of;
use crate::fold::{FoldedSession, TIMELINE_METRICS, value_at_rank};
use rushhour_core::units::{Metric, Micros, Percentile, SessionTime};
use rushhour_stats::{Confidence, Quantile, rank_interval};

/// Runs that a bin of latencies should have.
const RUNS_A_BIN: u64 = 24;
/// Starts that a bin of counts should have.
const STARTS_A_BIN: u64 = 5;
/// Below, the 95th percentile is the largest value and no more.
pub(super) const ENOUGH_FOR_P95: u64 = 20;
/// Bins at the least and at the most, of latencies and of counts.
const OF_LATENCIES: (u64, u64) = (6, 80);
const OF_COUNTS: (u64, u64) = (20, 120);

/// A stretch of the session.
#[derive(Debug, Clone)]
pub(super) struct Bin {
    pub(super) from: SessionTime,
    pub(super) to: SessionTime,
    /// Where its measured part begins.
    measured_from: SessionTime,
    pub(super) intended: u64,
    pub(super) started: u64,
    pub(super) skipped: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) in_flight_at_end: u64,
    latencies: BTreeMap<Metric, Histogram<u32>>,
}

/// What is told of one latency in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BinFigure {
    pub(super) n: u64,
    pub(super) median: Micros,
    /// The median's 95 % interval; none with fewer than six.
    pub(super) interval: Option<(Micros, Micros)>,
    /// The 95th percentile; none with fewer than twenty.
    pub(super) p95: Option<Micros>,
}

impl Bin {
    /// The middle of its measured part.
    pub(super) fn middle(&self) -> f64 {
        f64::midpoint(self.measured_from.0 as f64, self.to.0 as f64)
    }

    pub(super) fn seconds(&self) -> f64 {
        self.to.since(self.from).as_secs_f64()
    }

    /// What is told of a latency; none where none was measured.
    pub(super) fn figure(&self, metric: Metric) -> Option<BinFigure> {
        let histogram = self.latencies.get(&metric)?;
        let n = histogram.len();
        let at = |quantile: Quantile| {
            let rank = quantile.rank(n).unwrap_or(1);
            value_at_rank(histogram, rank)
        };
        let ranks = rank_interval(Quantile::P50, n, Confidence::default()).ok();
        Some(BinFigure {
            n,
            median: at(Quantile::P50),
            interval: ranks.map(|ranks| {
                (value_at_rank(histogram, ranks.low), value_at_rank(histogram, ranks.high))
            }),
            p95: (n >= ENOUGH_FOR_P95).then(|| at(quantile_of(Percentile::LISTED[3]))),
        })
    }
}

/// Bins in which latencies can be told.
pub(super) fn latency_bins(folded: &FoldedSession) -> Vec<Bin> {
    let wanted = (folded.measured.started / RUNS_A_BIN).clamp(OF_LATENCIES.0, OF_LATENCIES.1);
    let first = folded
        .stage_starts
        .iter()
        .filter(|(stage, _)| folded.names.is_measured(**stage))
        .map(|(_, at)| *at)
        .min();
    let mut bins = bins(folded, wanted);
    for bin in &mut bins {
        let begun = first.filter(|first| (bin.from..bin.to).contains(first));
        bin.measured_from = begun.unwrap_or(bin.from);
    }
    bins
}

/// Bins in which starts and ends are counted.
pub(super) fn count_bins(folded: &FoldedSession) -> Vec<Bin> {
    let wanted = (folded.tally.planned() / STARTS_A_BIN).clamp(OF_COUNTS.0, OF_COUNTS.1);
    bins(folded, wanted)
}

fn bins(folded: &FoldedSession, most: u64) -> Vec<Bin> {
    let windows = folded.timeline.windows();
    let width = folded.timeline.width();
    let together = windows.len().div_ceil(usize::try_from(most).unwrap_or(usize::MAX)).max(1);
    let mut under_way: u64 = 0;
    let mut bins = Vec::new();
    for (number, group) in windows.chunks(together).enumerate() {
        let from = (number * together) as u64 * width.0;
        let sum =
            |count: fn(&crate::fold::TimelineWindow) -> u64| group.iter().map(count).sum::<u64>();
        let (started, completed, failed) =
            (sum(|w| w.started), sum(|w| w.completed), sum(|w| w.failed));
        under_way = (under_way + started).saturating_sub(completed + failed);
        let mut latencies: BTreeMap<Metric, Histogram<u32>> = BTreeMap::new();
        for window in group {
            for metric in TIMELINE_METRICS {
                let Some(own) = window.latencies(metric) else { continue };
                match latencies.get_mut(&metric) {
                    Some(all) => all.add(own).expect("both grow as they must"),
                    None => {
                        latencies.insert(metric, own.clone());
                    }
                }
            }
        }
        bins.push(Bin {
            from: SessionTime(from),
            measured_from: SessionTime(from),
            to: SessionTime(from + group.len() as u64 * width.0),
            intended: sum(|w| w.intended),
            started,
            skipped: sum(|w| w.skipped),
            completed,
            failed,
            in_flight_at_end: under_way,
            latencies,
        });
    }
    bins
}
