//! A session over time, in a bounded number of windows that widen as it goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;

use super::latency_samples::LatencySample;
use super::quality::{QualityOfRun, add_gaps};
use rushhour_core::event::{TranscriptionErrors, Turn};
use rushhour_core::units::{Metric, Micros, SessionTime};
use rushhour_stats::ClusteredRatio;

/// With more windows than this, every two are merged.
const MAX_WINDOWS: usize = 240;
/// The width of windows at first.
const MIN_WIDTH: Micros = Micros::from_secs(1);
/// Significant digits in a window: values are accurate to 1 %.
const DIGITS: u8 = 2;
const HIGHEST: u64 = 24 * 3600 * 1_000_000;

/// The metrics that are shown over time.
pub(crate) const TIMELINE_METRICS: [Metric; 8] = [
    Metric::AgentJoin,
    Metric::SubmissionResponse,
    Metric::CompletionResponse,
    Metric::Greeting,
    Metric::TurnChatFirst,
    Metric::TurnVoice,
    Metric::TimeToYield,
    Metric::DeadAir,
];

/// Counts and latencies of one window.
#[derive(Debug, Clone, Default)]
pub struct TimelineWindow {
    /// Runs with their intended start in it.
    pub intended: u64,
    /// Runs that started in it.
    pub started: u64,
    /// Runs with their intended start in it that were skipped.
    pub skipped: u64,
    /// Runs that completed in it.
    pub completed: u64,
    /// Runs that failed in it.
    pub failed: u64,
    /// How agents sounded in the turns of measured runs that were said in it, and how they took them.
    pub quality: QualityOfRun,
    /// What agents heard of the words of these turns.
    pub words: TranscriptionErrors,
    /// Gaps in each millisecond of their speech, by turn.
    pub gaps: ClusteredRatio,
    /// Latencies of the runs with their intended start in it, to two digits. A copy shares them until it adds to them.
    latencies: BTreeMap<Metric, Arc<Histogram<u32>>>,
}

impl TimelineWindow {
    /// The latencies of one metric, of the runs with their intended start in the window.
    pub fn latencies(&self, metric: Metric) -> Option<&Histogram<u32>> {
        self.latencies.get(&metric).map(AsRef::as_ref)
    }

    /// Adds the quality of a turn.
    pub(super) fn add_turn(&mut self, turn: &Turn) {
        self.quality = self.quality.plus(&QualityOfRun::of_turn(turn));
        self.words = self.words.plus(&turn.heard.unwrap_or_default());
        if let Some(sound) = &turn.sound {
            add_gaps(&mut self.gaps, sound);
        }
    }

    fn merge(&mut self, other: Self) {
        self.quality = self.quality.plus(&other.quality);
        self.words = self.words.plus(&other.words);
        self.gaps = self.gaps.plus(&other.gaps);
        self.intended += other.intended;
        self.started += other.started;
        self.skipped += other.skipped;
        self.completed += other.completed;
        self.failed += other.failed;
        for (metric, histogram) in other.latencies {
            match self.latencies.get_mut(&metric) {
                Some(own) => Arc::make_mut(own)
                    .add(&*histogram)
                    .expect("auto-resizing histograms hold every value"),
                None => {
                    self.latencies.insert(metric, histogram);
                }
            }
        }
    }
}

/// A session over time.
#[derive(Debug, Clone)]
pub struct Timeline {
    width: Micros,
    windows: Vec<TimelineWindow>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: MIN_WIDTH, windows: Vec::new() }
    }
}

impl Timeline {
    /// The width of every window.
    pub const fn width(&self) -> Micros {
        self.width
    }

    /// The windows in order, from the session's start.
    pub fn windows(&self) -> &[TimelineWindow] {
        &self.windows
    }

    /// The window that contains a moment.
    pub fn window_at(&mut self, time: SessionTime) -> &mut TimelineWindow {
        while time.0 / self.width.0 >= MAX_WINDOWS as u64 {
            self.widen();
        }
        let index = usize::try_from(time.0 / self.width.0).unwrap_or(MAX_WINDOWS - 1);
        if index >= self.windows.len() {
            self.windows.resize_with(index + 1, TimelineWindow::default);
        }
        &mut self.windows[index]
    }

    /// Adds a latency of a run with this intended start, if its metric is shown over time.
    pub fn add(&mut self, intended: SessionTime, sample: &LatencySample) {
        if !TIMELINE_METRICS.contains(&sample.metric) {
            return;
        }
        let histogram =
            self.window_at(intended).latencies.entry(sample.metric).or_insert_with(|| {
                let mut histogram = Histogram::new_with_bounds(1, 2, DIGITS)
                    .expect("the bounds and digits are constants that the library accepts");
                histogram.auto(true);
                Arc::new(histogram)
            });
        Arc::make_mut(histogram)
            .record(sample.high.0.min(HIGHEST))
            .expect("an auto-resizing histogram holds every value");
    }

    fn widen(&mut self) {
        self.width = self.width + self.width;
        let mut narrower = std::mem::take(&mut self.windows).into_iter();
        while let Some(mut window) = narrower.next() {
            if let Some(second) = narrower.next() {
                window.merge(second);
            }
            self.windows.push(window);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_long_session_widen_and_lose_nothing() {
        let mut timeline = Timeline::default();
        for second in 0..86_400 {
            let time = SessionTime(second * 1_000_000);
            timeline.window_at(time).started += 1;
            let sample = LatencySample {
                metric: Metric::AgentJoin,
                low: Micros(0),
                high: Micros(1_000 + second),
            };
            timeline.add(time, &sample);
        }
        assert!((120..=240).contains(&timeline.windows().len()));
        assert_eq!(timeline.width(), Micros::from_secs(512));
        let started: u64 = timeline.windows().iter().map(|window| window.started).sum();
        let samples: u64 = timeline
            .windows()
            .iter()
            .map(|window| window.latencies(Metric::AgentJoin).unwrap().len())
            .sum();
        assert_eq!((started, samples), (86_400, 86_400));
    }

    #[test]
    fn late_events_go_to_the_window_of_their_time() {
        let mut timeline = Timeline::default();
        timeline.window_at(SessionTime(500_000_000)).started += 1;
        timeline.window_at(SessionTime(0)).started += 1;
        let width = timeline.width().0;
        assert_eq!(timeline.windows()[0].started, 1);
        assert_eq!(timeline.windows()[usize::try_from(500_000_000 / width).unwrap()].started, 1);
    }
}
