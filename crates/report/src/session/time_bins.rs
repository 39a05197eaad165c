//! The session's windows, merged into bins that hold enough runs to show a figure.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::percentiles::quantile_of;
use crate::fold::{FoldedSession, TIMELINE_METRICS, TimelineWindow, value_at_rank};
use rushhour_core::event::SpeechQuality;
use rushhour_core::units::{Metric, Micros, Percentile, SessionTime};
use rushhour_stats::{Confidence, Quantile, rank_interval};

/// The target number of runs in a bin of latencies.
const RUNS_PER_BIN: u64 = 24;
/// The target number of starts in a bin of counts.
const STARTS_PER_BIN: u64 = 5;
/// With fewer runs, the 95th percentile is the maximum.
pub(crate) const FEWEST_FOR_P95: u64 = 20;
/// The target of speech in a bin of how agents sounded.
const SPEECH_PER_BIN: Micros = Micros::from_secs(10);
/// The fewest and the most bins of latencies, and of how agents sounded.
const LATENCY_BINS: (u64, u64) = (6, 80);
/// The fewest and the most bins of counts.
const COUNT_BINS: (u64, u64) = (20, 120);

/// The most classes of conversations at once.
const LOAD_CLASSES: u64 = 12;

/// A period of the session.
#[derive(Debug, Clone)]
pub(crate) struct Bin {
    pub(crate) from: SessionTime,
    pub(crate) to: SessionTime,
    /// When its measured part begins.
    measured_from: SessionTime,
    pub(crate) intended: u64,
    pub(crate) started: u64,
    pub(crate) skipped: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) in_flight_at_end: u64,
    /// How agents sounded in the turns that were said in it.
    pub(crate) sound: SpeechQuality,
    latencies: BTreeMap<Metric, Histogram<u32>>,
}

/// One latency in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BinFigure {
    pub(crate) n: u64,
    pub(crate) median: Micros,
    /// The median's 95 % interval; `None` with fewer than six runs.
    pub(crate) interval: Option<(Micros, Micros)>,
    /// `None` with fewer than [`FEWEST_FOR_P95`] runs.
    pub(crate) p95: Option<Micros>,
}

impl Bin {
    /// The middle of its measured part, in microseconds of session time.
    pub(crate) fn middle(&self) -> f64 {
        f64::midpoint(self.measured_from.0 as f64, self.to.0 as f64)
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.to.since(self.from).as_secs_f64()
    }

    /// `None` if the latency was not measured.
    pub(crate) fn figure(&self, metric: Metric) -> Option<BinFigure> {
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
            p95: (n >= FEWEST_FOR_P95).then(|| at(quantile_of(Percentile::LISTED[3]))),
        })
    }
}

/// Bins for latencies.
pub(crate) fn latency_bins(folded: &FoldedSession) -> Vec<Bin> {
    measured_bins(folded, folded.measured.started / RUNS_PER_BIN)
}

/// Bins for how agents sounded.
pub(crate) fn sound_bins(folded: &FoldedSession) -> Vec<Bin> {
    measured_bins(folded, folded.quality.sum.sound.speech.0 / SPEECH_PER_BIN.0)
}

/// About so many bins, whose measured part begins with the first measured stage.
fn measured_bins(folded: &FoldedSession, target: u64) -> Vec<Bin> {
    let target = target.clamp(LATENCY_BINS.0, LATENCY_BINS.1);
    let first = folded
        .stage_starts
        .iter()
        .filter(|(stage, _)| folded.names.is_measured(**stage))
        .map(|(_, at)| *at)
        .min();
    let mut bins = bins(folded, target);
    for bin in &mut bins {
        let begun = first.filter(|first| (bin.from..bin.to).contains(first));
        bin.measured_from = begun.unwrap_or(bin.from);
    }
    bins
}

/// How agents sounded with about so many conversations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoadSound {
    /// The most conversations at once of these moments.
    pub(crate) in_flight: u64,
    pub(crate) sound: SpeechQuality,
}

/// A window in which an agent spoke.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpokenWindow<'a> {
    pub(super) from: SessionTime,
    /// The most conversations at once at its beginning and its end.
    pub(super) at_once: u64,
    pub(super) window: &'a TimelineWindow,
}

/// The windows in which agents spoke.
pub(super) fn spoken_windows(folded: &FoldedSession) -> impl Iterator<Item = SpokenWindow<'_>> {
    let width = folded.timeline.width();
    let windows = (0_u64..).zip(folded.timeline.windows());
    let with_load = windows.scan(0_u64, move |in_flight, (number, window)| {
        let before = *in_flight;
        let ended = window.completed + window.failed;
        *in_flight = (before + window.started).saturating_sub(ended);
        let at_once = before.max(*in_flight);
        Some(SpokenWindow { from: SessionTime(number * width.0), at_once, window })
    });
    with_load.filter(|spoken| spoken.window.sound.speech > Micros::ZERO)
}

/// How agents sounded by the number of conversations at once, from few to many.
pub(crate) fn sound_by_load(folded: &FoldedSession) -> Vec<LoadSound> {
    let width = folded.in_flight_peak.div_ceil(LOAD_CLASSES).max(1);
    let mut classes: BTreeMap<u64, LoadSound> = BTreeMap::new();
    for SpokenWindow { at_once, window, .. } in spoken_windows(folded) {
        let empty = LoadSound { in_flight: 0, sound: SpeechQuality::default() };
        let class = classes.entry(at_once / width).or_insert(empty);
        class.in_flight = class.in_flight.max(at_once);
        class.sound = class.sound.plus(&window.sound);
    }
    classes.into_values().collect()
}

/// Bins for counts of starts and ends.
pub(crate) fn count_bins(folded: &FoldedSession) -> Vec<Bin> {
    let target = (folded.tally.planned() / STARTS_PER_BIN).clamp(COUNT_BINS.0, COUNT_BINS.1);
    bins(folded, target)
}

fn bins(folded: &FoldedSession, most: u64) -> Vec<Bin> {
    let windows = folded.timeline.windows();
    let width = folded.timeline.width();
    let per_bin = windows.len().div_ceil(usize::try_from(most).unwrap_or(usize::MAX)).max(1);
    let mut in_flight: u64 = 0;
    let mut bins = Vec::new();
    for (number, group) in windows.chunks(per_bin).enumerate() {
        let from = (number * per_bin) as u64 * width.0;
        let sum = |count: fn(&TimelineWindow) -> u64| group.iter().map(count).sum::<u64>();
        let (started, completed, failed) =
            (sum(|w| w.started), sum(|w| w.completed), sum(|w| w.failed));
        in_flight = (in_flight + started).saturating_sub(completed + failed);
        let mut latencies: BTreeMap<Metric, Histogram<u32>> = BTreeMap::new();
        for window in group {
            for metric in TIMELINE_METRICS {
                let Some(own) = window.latencies(metric) else { continue };
                match latencies.get_mut(&metric) {
                    Some(all) => all.add(own).expect("both histograms resize themselves"),
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
            in_flight_at_end: in_flight,
            sound: group.iter().fold(SpeechQuality::default(), |sum, w| sum.plus(&w.sound)),
            latencies,
        });
    }
    bins
}
