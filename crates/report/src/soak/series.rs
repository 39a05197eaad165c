//! The figures that are followed through a session, and their values window by window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::windows::{SoakWindow, SoakWindows};
use crate::fold::WINDOWED;
use rushhour_core::units::{Metric, Micros};

/// A figure that is followed through a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackedSeries {
    /// The median of a latency.
    Median(Metric),
    /// The 95th percentile of a latency.
    P95(Metric),
    /// The share of runs that failed.
    Failed,
    /// What the agent's worker has in memory.
    Memory,
}

/// What a figure is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeriesUnit {
    /// Microseconds.
    Microseconds,
    /// A share, from 0 to 1.
    Share,
    /// Bytes.
    Bytes,
}

impl TrackedSeries {
    /// Every figure that may be followed, in the order in which they are told.
    pub fn all() -> Vec<Self> {
        let latencies =
            WINDOWED.into_iter().flat_map(|metric| [Self::Median(metric), Self::P95(metric)]);
        latencies.chain([Self::Failed, Self::Memory]).collect()
    }

    /// Its name, the same in all reports and in the history.
    pub fn name(self) -> String {
        match self {
            Self::Median(metric) => format!("{metric} p50"),
            Self::P95(metric) => format!("{metric} p95"),
            Self::Failed => "failed".to_owned(),
            Self::Memory => "agent memory".to_owned(),
        }
    }

    /// What it is in.
    pub const fn unit(self) -> SeriesUnit {
        match self {
            Self::Median(_) | Self::P95(_) => SeriesUnit::Microseconds,
            Self::Failed => SeriesUnit::Share,
            Self::Memory => SeriesUnit::Bytes,
        }
    }

    /// Its value in a window, where there is one.
    pub fn value(self, window: &SoakWindow) -> Option<f64> {
        match self {
            Self::Median(metric) => Some(window.latencies.get(&metric)?.p50),
            Self::P95(metric) => window.latencies.get(&metric)?.p95,
            Self::Failed => (window.runs > 0).then(|| window.failed as f64 / window.runs as f64),
            Self::Memory => window.worker?.memory,
        }
    }

    /// Its points through a session.
    pub fn points(self, cut: &SoakWindows) -> Vec<SeriesPoint> {
        let point = |(index, window): (usize, &SoakWindow)| {
            let started = window.worker.map_or(0.0, |worker| worker.started);
            Some(SeriesPoint {
                index,
                hours: cut.middle_hours(index),
                started,
                value: self.value(window)?,
            })
        };
        cut.windows.iter().enumerate().filter_map(point).collect()
    }
}

/// A figure in one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesPoint {
    /// The window.
    pub index: usize,
    /// Its middle, in hours since the session's beginning.
    pub hours: f64,
    /// Runs that had been started by then, where the worker was looked at.
    pub started: f64,
    /// The value.
    pub value: f64,
}

impl SeriesUnit {
    /// An amount in words: `312ms`, `1.2 %`, `34.5 MB`.
    pub fn words(self, amount: f64) -> String {
        let sign = if amount < 0.0 { "-" } else { "" };
        let size = amount.abs();
        match self {
            Self::Microseconds => format!("{sign}{}", Micros::from_secs_f64(size / 1e6)),
            Self::Share => format!("{sign}{}", percent(size)),
            Self::Bytes if size >= 1e9 => format!("{sign}{:.2} GB", size / 1e9),
            Self::Bytes if size >= 1e6 => format!("{sign}{:.1} MB", size / 1e6),
            Self::Bytes if size >= 1e3 => format!("{sign}{:.1} kB", size / 1e3),
            Self::Bytes => format!("{sign}{size:.0} B"),
        }
    }
}

/// A share in words: `3 %`, `0.4 %`, `240 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        size if size >= 9.95 => format!("{percent:.0} %"),
        size if size < 0.005 => "0 %".to_owned(),
        size if size >= 0.095 => format!("{percent:.1} %"),
        _ => format!("{percent:.2} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_in_their_unit() {
        assert_eq!(SeriesUnit::Microseconds.words(312_400.0), "312ms");
        assert_eq!(SeriesUnit::Microseconds.words(-1_500.0), "-1.50ms");
        assert_eq!(SeriesUnit::Bytes.words(34_500_000.0), "34.5 MB");
        assert_eq!(SeriesUnit::Share.words(0.012), "1.2 %");
        assert_eq!(
            [percent(0.03), percent(2.4), percent(0.0), percent(-0.15)],
            ["3.0 %", "240 %", "0 %", "-15 %"]
        );
    }
}
