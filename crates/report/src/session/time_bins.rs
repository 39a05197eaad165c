//! The session's windows, merged into bins that hold enough runs to show a figure.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::percentiles::quantile_of;
use crate::fold::{FoldedSession, QualityOfRun, TIMELINE_METRICS, TimelineWindow, value_at_rank};
use rushhour_core::event::TranscriptionErrors;
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
    /// What is known of the turns that were said in it.
    pub(crate) turns: TurnSums,
    latencies: BTreeMap<Metric, Histogram<u32>>,
}

/// How agents sounded in turns, how they took them, and what they heard of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TurnSums {
    pub(crate) quality: QualityOfRun,
    pub(crate) words: TranscriptionErrors,
}

impl TurnSums {
    fn of(window: &TimelineWindow) -> Self {
        Self { quality: window.quality, words: window.words }
    }

    fn plus(&self, other: &Self) -> Self {
        Self { quality: self.quality.plus(&other.quality), words: self.words.plus(&other.words) }
    }
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

/// How turns went with about so many conversations at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LoadTurns {
    /// The most conversations at once of these moments.
    pub(crate) in_flight: u64,
    pub(crate) turns: TurnSums,
}

/// A window with its load.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoadedWindow<'a> {
    pub(super) from: SessionTime,
    /// The most conversations at once at its beginning and its end.
    pub(super) at_once: u64,
    pub(super) window: &'a TimelineWindow,
}

/// The windows with their loads.
fn loaded_windows(folded: &FoldedSession) -> impl Iterator<Item = LoadedWindow<'_>> {
    let width = folded.timeline.width();
    let windows = (0_u64..).zip(folded.timeline.windows());
    windows.scan(0_u64, move |in_flight, (number, window)| {
        let before = *in_flight;
        let ended = window.completed + window.failed;
        *in_flight = (before + window.started).saturating_sub(ended);
        let at_once = before.max(*in_flight);
        Some(LoadedWindow { from: SessionTime(number * width.0), at_once, window })
    })
}

/// The windows in which agents spoke.
pub(super) fn spoken_windows(folded: &FoldedSession) -> impl Iterator<Item = LoadedWindow<'_>> {
    loaded_windows(folded).filter(|loaded| loaded.window.quality.sound.speech > Micros::ZERO)
}

/// How turns went by the number of conversations at once, from few to many.
pub(crate) fn turns_by_load(folded: &FoldedSession) -> Vec<LoadTurns> {
    let width = folded.in_flight_peak.div_ceil(LOAD_CLASSES).max(1);
    let mut classes: BTreeMap<u64, LoadTurns> = BTreeMap::new();
    for LoadedWindow { at_once, window, .. } in loaded_windows(folded) {
        let turns = TurnSums::of(window);
        if turns != TurnSums::default() {
            let class = classes.entry(at_once / width).or_default();
            class.in_flight = class.in_flight.max(at_once);
            class.turns = class.turns.plus(&turns);
        }
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
            turns: group.iter().fold(TurnSums::default(), |sum, w| sum.plus(&TurnSums::of(w))),
            latencies,
        });
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::taken;

    #[test]
    fn turns_belong_to_the_moment_and_the_load_at_which_they_were_said() {
        // Two at once are taken well; of ten at once every second one badly.
        let (folded, _) = taken(&[(2, 120, 0), (10, 120, 2)]).closed();
        let bins = sound_bins(&folded);
        let halves: Vec<TurnSums> = [true, false]
            .map(|first| {
                let of_half = bins.iter().filter(|bin| (bin.from.0 < 120_000_000) == first);
                of_half.fold(TurnSums::default(), |sum, bin| sum.plus(&bin.turns))
            })
            .into();
        let told = |turns: &TurnSums| {
            let quality = &turns.quality;
            (quality.turns, quality.talked_over, turns.words.errors(), turns.words.said())
        };
        assert_eq!(
            halves.iter().map(told).collect::<Vec<_>>(),
            [(12, 0, 0, 120), (60, 30, 30, 600)]
        );
        assert_eq!(halves[0].quality.dead_air, Some(Micros::from_secs(1)));
        assert_eq!(halves[1].quality.dead_air, Some(Micros::from_secs(3)));
        assert_eq!(halves[1].quality.overlap_share(), Some(0.125));
        let by_load = turns_by_load(&folded);
        let few = by_load.iter().filter(|load| load.in_flight <= 2);
        assert_eq!(few.map(|load| load.turns.quality.talked_over).sum::<u64>(), 0);
        let all: u64 = by_load.iter().map(|load| load.turns.quality.turns).sum();
        assert_eq!((all, by_load.last().map(|load| load.in_flight)), (72, Some(10)));
    }
}
