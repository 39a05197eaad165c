//! A session cut into windows of equal width by intended start, and what each of them comes to.

use std::collections::BTreeMap;

use super::soak_data::SoakData;
use rushhour_core::units::{Metric, Micros, PositiveDuration, SessionTime};
use rushhour_stats::{Quantile, Sample};

/// Windows where there are runs enough for them.
const USUAL: u64 = 48;
/// Windows where there are not.
const FEW: u64 = 24;
/// Runs a window for a 95th percentile with some room,
const RUNS_FOR_P95: u64 = 30;
/// and for a median.
const RUNS_FOR_P50: u64 = 8;
/// Windows at the most, whatever width was asked for.
const MOST: u64 = 1_000;
/// A window has a median from so many values on,
const VALUES_FOR_P50: usize = 5;
/// and a 95th percentile from so many on.
const VALUES_FOR_P95: usize = 20;

/// What one latency comes to in a window, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowFigure {
    /// How many values there are.
    pub n: u64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile, where there are values enough.
    pub p95: Option<f64>,
}

/// What the worker said in a window, in the medians of its looks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WindowWorker {
    /// Runs that had been started.
    pub started: f64,
    /// Memory, in bytes.
    pub memory: Option<f64>,
    /// The share of what it can carry that is taken.
    pub load: Option<f64>,
    /// Active jobs.
    pub jobs: Option<f64>,
}

/// A window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SoakWindow {
    /// Runs of which it is known how they ended.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Latencies that have a median.
    pub latencies: BTreeMap<Metric, WindowFigure>,
    /// What the worker said, where it was looked at.
    pub worker: Option<WindowWorker>,
}

/// A session in windows.
#[derive(Debug, Clone, PartialEq)]
pub struct SoakWindows {
    /// The first measured run's intended start.
    pub begin: SessionTime,
    /// The last one's.
    pub end: SessionTime,
    /// The width of each window; more than zero.
    pub width: Micros,
    /// The windows in order of time; none where there are no measured runs.
    pub windows: Vec<SoakWindow>,
}

impl SoakWindows {
    /// Cuts a session; into windows of the width that is asked for, or as narrow as the runs allow.
    pub fn of(gathered: &SoakData, width: Option<PositiveDuration>) -> Self {
        let first = gathered.ended.iter().map(|run| run.intended).min();
        let last = gathered.ended.iter().map(|run| run.intended).max();
        let (Some(begin), Some(end)) = (first, last) else {
            let begin = SessionTime::START;
            return Self { begin, end: begin, width: Micros(1), windows: Vec::new() };
        };
        // The last run lies inside the last window, not at its end.
        let span = end.since(begin).0 + 1;
        let runs = gathered.ended.len() as u64;
        let count = match width {
            Some(width) => span.div_ceil(width.micros().0),
            None if runs / RUNS_FOR_P95 >= FEW => USUAL.min(runs / RUNS_FOR_P95),
            None => FEW.min(runs / RUNS_FOR_P50),
        }
        .clamp(1, MOST.min(span));
        let width = width.map_or(0, |width| width.micros().0).max(span.div_ceil(count));
        let mut cut = Self { begin, end, width: Micros(width), windows: Vec::new() };
        let count = usize::try_from(span.div_ceil(width)).unwrap_or(1);
        cut.windows.resize_with(count, SoakWindow::default);
        cut.fill(gathered);
        cut
    }

    /// The window that a moment lies in.
    fn index(&self, at: SessionTime) -> Option<usize> {
        if at < self.begin {
            return None;
        }
        let index = usize::try_from(at.since(self.begin).0 / self.width.0).ok()?;
        (index < self.windows.len()).then_some(index)
    }

    fn fill(&mut self, gathered: &SoakData) {
        for run in &gathered.ended {
            let Some(index) = self.index(run.intended) else { continue };
            self.windows[index].runs += 1;
            self.windows[index].failed += u64::from(run.failed);
        }
        for (metric, values) in &gathered.latencies {
            let mut cut = vec![Vec::new(); self.windows.len()];
            for value in values {
                if let Some(index) = self.index(value.intended) {
                    cut[index].push(value.latency.0 as f64);
                }
            }
            for (window, values) in self.windows.iter_mut().zip(cut) {
                if let Some(figure) = figure(values) {
                    window.latencies.insert(*metric, figure);
                }
            }
        }
        let mut looks = vec![Vec::new(); self.windows.len()];
        for look in &gathered.worker_samples {
            if let Some(index) = self.index(look.at) {
                looks[index].push(look);
            }
        }
        for (window, looks) in self.windows.iter_mut().zip(looks) {
            let middle = |value: &dyn Fn(&super::soak_data::WorkerSample) -> Option<f64>| {
                median(looks.iter().filter_map(|look| value(look)).collect())
            };
            window.worker = middle(&|look| Some(look.started as f64)).map(|started| WindowWorker {
                started,
                memory: middle(&|look| look.health.memory.map(|bytes| bytes as f64)),
                load: middle(&|look| look.health.load),
                jobs: middle(&|look| look.health.jobs.map(|jobs| jobs as f64)),
            });
        }
    }

    /// When a window begins.
    pub fn start_of(&self, index: usize) -> SessionTime {
        self.begin + Micros(self.width.0.saturating_mul(index as u64))
    }

    /// The middle of a window, in hours since the session's beginning.
    pub fn middle_hours(&self, index: usize) -> f64 {
        (self.start_of(index).0 as f64 + self.width.0 as f64 / 2.0) / 3.6e9
    }

    /// From the first measured start to the last.
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
    fn windows_are_as_narrow_as_the_runs_allow_and_hold_every_run() {
        for (count, windows, p95) in
            [(2_880, 48, true), (800, 26, true), (300, 24, false), (100, 12, false), (3, 1, false)]
        {
            let cut = SoakWindows::of(&runs(count, 10), None);
            assert_eq!(cut.windows.len(), windows, "{count}");
            assert_eq!(cut.windows.iter().map(|window| window.runs).sum::<u64>(), count);
            let has = cut.windows.iter().all(|window| {
                window.latencies.get(&Metric::AgentJoin).is_some_and(|f| f.p95.is_some())
            });
            assert_eq!(has, p95, "{count}");
        }
    }

    #[test]
    fn a_width_that_is_asked_for_is_kept_within_bounds() {
        let cut = SoakWindows::of(&runs(100, 60), Some(PositiveDuration::secs(600)));
        assert_eq!((cut.width, cut.windows.len()), (Micros::from_secs(600), 10));
        assert_eq!(cut.begin, SessionTime(900_000_000));
        let most = usize::try_from(MOST).unwrap();
        let cut = SoakWindows::of(&runs(5_000, 60), Some(PositiveDuration::millis(1)));
        assert!(cut.windows.len() <= most && cut.windows.len() > most / 2, "{}", cut.windows.len());
        let none = SoakWindows::of(&SoakData::default(), None);
        assert!(none.windows.is_empty());
        let at_once = SoakWindows::of(&runs(40, 0), None);
        assert_eq!(at_once.windows.len(), 1, "a single moment is one window");
    }
}
