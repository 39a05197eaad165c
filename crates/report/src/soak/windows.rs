//! A session in windows of equal width by intended start, with the figures of each window.

use std::collections::BTreeMap;

use super::soak_data::{SoakData, WorkerSample};
use crate::fold::{HeardOfRun, QualityOfRun};
use rushhour_core::units::{Metric, Micros, PositiveDuration, SessionTime};
use rushhour_stats::{Quantile, Sample};

/// The most windows of a session with enough runs for a 95th percentile in each.
const MAX_WINDOWS_WITH_P95: u64 = 48;
/// The most windows of a session with fewer runs.
const MAX_WINDOWS_WITH_P50: u64 = 24;
/// Runs per window for a 95th percentile, with some margin.
const RUNS_FOR_P95: u64 = 30;
/// Runs per window for a median.
const RUNS_FOR_P50: u64 = 8;
/// The most windows if the profile sets their width.
const MAX_WINDOWS: u64 = 1_000;
/// The fewest values of a window that has a median.
const VALUES_FOR_P50: usize = 5;
/// The fewest values of a window that has a 95th percentile.
const VALUES_FOR_P95: usize = 20;

/// The figures of one latency in a window, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowFigure {
    /// The number of values.
    pub n: u64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile; none where there are too few values.
    pub p95: Option<f64>,
}

/// The medians of the worker's samples in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WindowWorker {
    /// Runs started so far.
    pub started: f64,
    /// Memory, in bytes.
    pub memory: Option<f64>,
    /// Load, as a fraction of what the worker can take.
    pub load: Option<f64>,
    /// Active jobs.
    pub jobs: Option<f64>,
}

/// A window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SoakWindow {
    /// Runs that completed or failed.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// The latencies that have a median.
    pub latencies: BTreeMap<Metric, WindowFigure>,
    /// How the agent sounded, and how it took turns.
    pub quality: QualityOfRun,
    /// What the agent heard.
    pub heard: HeardOfRun,
    /// The worker; none where it has no sample.
    pub worker: Option<WindowWorker>,
}

/// A session in windows.
#[derive(Debug, Clone, PartialEq)]
pub struct SoakWindows {
    /// The intended start of the first measured run.
    pub begin: SessionTime,
    /// The intended start of the last measured run.
    pub end: SessionTime,
    /// The width of each window; more than zero.
    pub width: Micros,
    /// The windows in order of time; none where there are no measured runs.
    pub windows: Vec<SoakWindow>,
}

impl SoakWindows {
    /// Windows of the given width, or as narrow as the number of runs allows.
    pub fn of(data: &SoakData, width: Option<PositiveDuration>) -> Self {
        let first = data.ended.iter().map(|run| run.intended).min();
        let last = data.ended.iter().map(|run| run.intended).max();
        let (Some(begin), Some(end)) = (first, last) else {
            let begin = SessionTime::START;
            return Self { begin, end: begin, width: Micros(1), windows: Vec::new() };
        };
        // The last run lies inside the last window, not at its end.
        let span = end.since(begin).0 + 1;
        let runs = data.ended.len() as u64;
        let count = match width {
            Some(width) => span.div_ceil(width.micros().0),
            None if runs / RUNS_FOR_P95 >= MAX_WINDOWS_WITH_P50 => {
                MAX_WINDOWS_WITH_P95.min(runs / RUNS_FOR_P95)
            }
            None => MAX_WINDOWS_WITH_P50.min(runs / RUNS_FOR_P50),
        }
        .clamp(1, MAX_WINDOWS.min(span));
        let width = width.map_or(0, |width| width.micros().0).max(span.div_ceil(count));
        let count = usize::try_from(span.div_ceil(width)).unwrap_or(1);
        let windows = vec![SoakWindow::default(); count];
        let mut windows = Self { begin, end, width: Micros(width), windows };
        windows.fill(data);
        windows
    }

    /// The window that contains a moment.
    fn index(&self, at: SessionTime) -> Option<usize> {
        if at < self.begin {
            return None;
        }
        let index = usize::try_from(at.since(self.begin).0 / self.width.0).ok()?;
        (index < self.windows.len()).then_some(index)
    }

    fn fill(&mut self, data: &SoakData) {
        for run in &data.ended {
            let Some(index) = self.index(run.intended) else { continue };
            self.windows[index].runs += 1;
            self.windows[index].failed += u64::from(run.failed);
        }
        for one in &data.qualities {
            let Some(index) = self.index(one.intended) else { continue };
            let quality = &mut self.windows[index].quality;
            *quality = quality.plus(&one.quality);
        }
        for one in &data.heard {
            let Some(index) = self.index(one.intended) else { continue };
            let heard = &mut self.windows[index].heard;
            *heard = heard.plus(&one.heard);
        }
        for (metric, values) in &data.latencies {
            let mut by_window = vec![Vec::new(); self.windows.len()];
            for value in values {
                if let Some(index) = self.index(value.intended) {
                    by_window[index].push(value.latency.0 as f64);
                }
            }
            for (window, values) in self.windows.iter_mut().zip(by_window) {
                if let Some(figure) = figure(values) {
                    window.latencies.insert(*metric, figure);
                }
            }
        }
        let mut by_window = vec![Vec::new(); self.windows.len()];
        for sample in &data.worker_samples {
            if let Some(index) = self.index(sample.at) {
                by_window[index].push(sample);
            }
        }
        for (window, samples) in self.windows.iter_mut().zip(by_window) {
            let median_of = |value: &dyn Fn(&WorkerSample) -> Option<f64>| {
                median(samples.iter().filter_map(|sample| value(sample)).collect())
            };
            window.worker =
                median_of(&|sample| Some(sample.started as f64)).map(|started| WindowWorker {
                    started,
                    memory: median_of(&|sample| sample.health.memory.map(|bytes| bytes as f64)),
                    load: median_of(&|sample| sample.health.load),
                    jobs: median_of(&|sample| sample.health.jobs.map(|jobs| jobs as f64)),
                });
        }
    }

    /// The start of a window.
    pub fn start_of(&self, index: usize) -> SessionTime {
        self.begin + Micros(self.width.0.saturating_mul(index as u64))
    }

    /// The middle of a window, in hours since the session's start.
    pub fn middle_hours(&self, index: usize) -> f64 {
        (self.start_of(index).0 as f64 + self.width.0 as f64 / 2.0) / 3.6e9
    }

    /// From the first intended start to the last.
    pub const fn span(&self) -> Micros {
        self.end.since(self.begin)
    }
}

fn figure(values: Vec<f64>) -> Option<WindowFigure> {
    let n = values.len();
    if n < VALUES_FOR_P50 {
        return None;
    }
    let sample = Sample::new(values).ok()?;
    let p95 = (n >= VALUES_FOR_P95).then(|| sample.quantile(Quantile::P95));
    Some(WindowFigure { n: sample.size(), p50: sample.quantile(Quantile::P50), p95 })
}

fn median(values: Vec<f64>) -> Option<f64> {
    Some(Sample::new(values).ok()?.quantile(Quantile::P50))
}

#[cfg(test)]
mod tests {
    use super::super::soak_data::{EndedRun, TimedLatency};
    use super::*;

    fn runs(count: u64, every_s: u64) -> SoakData {
        let at = |run: u64| SessionTime(900_000_000 + run * every_s * 1_000_000);
        let timed = |run| TimedLatency { intended: at(run), latency: Micros(1_000 + run % 7) };
        SoakData {
            ended: (0..count)
                .map(|run| EndedRun { intended: at(run), failed: run % 10 == 0 })
                .collect(),
            latencies: [(Metric::AgentJoin, (0..count).map(timed).collect())].into(),
            ..SoakData::default()
        }
    }

    #[test]
    fn windows_are_as_narrow_as_the_runs_allow_and_contain_every_run() {
        for (count, expected, p95) in
            [(2_880, 48, true), (800, 26, true), (300, 24, false), (100, 12, false), (3, 1, false)]
        {
            let windows = SoakWindows::of(&runs(count, 10), None);
            assert_eq!(windows.windows.len(), expected, "{count}");
            assert_eq!(windows.windows.iter().map(|window| window.runs).sum::<u64>(), count);
            let has = windows.windows.iter().all(|window| {
                window.latencies.get(&Metric::AgentJoin).is_some_and(|f| f.p95.is_some())
            });
            assert_eq!(has, p95, "{count}");
        }
    }

    #[test]
    fn a_configured_width_is_used_within_bounds() {
        let windows = SoakWindows::of(&runs(100, 60), Some(PositiveDuration::secs(600)));
        assert_eq!((windows.width, windows.windows.len()), (Micros::from_secs(600), 10));
        assert_eq!(windows.begin, SessionTime(900_000_000));
        let most = usize::try_from(MAX_WINDOWS).unwrap();
        let windows = SoakWindows::of(&runs(5_000, 60), Some(PositiveDuration::millis(1)));
        assert!(
            windows.windows.len() <= most && windows.windows.len() > most / 2,
            "{}",
            windows.windows.len()
        );
        let none = SoakWindows::of(&SoakData::default(), None);
        assert!(none.windows.is_empty());
        let at_once = SoakWindows::of(&runs(40, 0), None);
        assert_eq!(at_once.windows.len(), 1, "runs at one moment are one window");
    }
}
