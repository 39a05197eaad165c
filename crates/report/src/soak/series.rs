//! The figures tracked through a session, and their values window by window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::windows::{SoakWindow, SoakWindows};
use crate::fold::TIMELINE_METRICS;
use rushhour_core::units::{Metric, Micros};

/// The least speech of a window that says how often it breaks up.
const LEAST_SPEECH: Micros = Micros::from_secs(20);

/// The fewest words that were said in a window that has a word error rate.
const LEAST_WORDS: u64 = 50;
/// The fewest key words that were said in a window that says how many were missed.
const LEAST_KEY_WORDS: u64 = 10;
/// The fewest turns of a window that says in how many of them the agent talked over the caller.
const LEAST_TURNS: u64 = 20;
/// The smallest change of a share of what was said, or of turns, that can matter.
const LEAST_OF_TALK: f64 = 0.02;
/// The smallest change of a silence that can matter: nobody hears less.
const LEAST_OF_SILENCE: f64 = 100_000.0;

/// A figure that is tracked through a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackedSeries {
    /// The median of a latency.
    Median(Metric),
    /// The 95th percentile of a latency.
    P95(Metric),
    /// Gaps in each minute of the agent's speech.
    SpeechGaps,
    /// The share of turns in which the agent talked over the caller.
    TalkOver,
    /// The agent's word error rate.
    WordErrors,
    /// The share of key words that the agent did not hear.
    MissedKeyWords,
    /// The share of runs that failed.
    Failed,
    /// The resident memory of the agent's worker.
    Memory,
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeriesUnit {
    /// Microseconds.
    Microseconds,
    /// A fraction, from 0 to 1.
    Share,
    /// Bytes.
    Bytes,
    /// A count by the minute.
    PerMinute,
}

impl SeriesUnit {
    /// The smallest change that can matter, whatever the level.
    pub(super) const fn least_material(self) -> f64 {
        match self {
            Self::PerMinute => 0.25,
            Self::Microseconds | Self::Share | Self::Bytes => 0.0,
        }
    }
}

impl TrackedSeries {
    /// Every figure that may be tracked, in the order of reports.
    pub fn all() -> Vec<Self> {
        let latencies = TIMELINE_METRICS
            .into_iter()
            .flat_map(|metric| [Self::Median(metric), Self::P95(metric)]);
        let heard = [Self::WordErrors, Self::MissedKeyWords];
        let others = [Self::Failed, Self::Memory];
        latencies.chain([Self::SpeechGaps, Self::TalkOver]).chain(heard).chain(others).collect()
    }

    /// Its name in reports and in the history.
    pub fn name(self) -> String {
        match self {
            Self::Median(metric) => format!("{metric} p50"),
            Self::P95(metric) => format!("{metric} p95"),
            Self::SpeechGaps => "speech.gaps".to_owned(),
            Self::TalkOver => "talk_over".to_owned(),
            Self::WordErrors => "heard.wer".to_owned(),
            Self::MissedKeyWords => "heard.words missed".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::Memory => "agent memory".to_owned(),
        }
    }

    /// Its unit.
    pub const fn unit(self) -> SeriesUnit {
        match self {
            Self::Median(_) | Self::P95(_) => SeriesUnit::Microseconds,
            Self::SpeechGaps => SeriesUnit::PerMinute,
            Self::TalkOver | Self::WordErrors | Self::MissedKeyWords | Self::Failed => {
                SeriesUnit::Share
            }
            Self::Memory => SeriesUnit::Bytes,
        }
    }

    /// The smallest change that can matter, whatever the level: without it, one gap would be a rise from none.
    pub(super) const fn least_material(self) -> f64 {
        match self {
            Self::TalkOver | Self::WordErrors | Self::MissedKeyWords => LEAST_OF_TALK,
            Self::Median(Metric::DeadAir) | Self::P95(Metric::DeadAir) => LEAST_OF_SILENCE,
            _ => self.unit().least_material(),
        }
    }

    /// Its value in a window.
    pub fn value(self, window: &SoakWindow) -> Option<f64> {
        match self {
            Self::Median(metric) => Some(window.latencies.get(&metric)?.p50),
            Self::P95(metric) => window.latencies.get(&metric)?.p95,
            Self::SpeechGaps => {
                let sound = &window.quality.sound;
                let minutes = sound.speech.as_secs_f64() / 60.0;
                (sound.speech >= LEAST_SPEECH).then(|| sound.gaps() as f64 / minutes)
            }
            Self::TalkOver => {
                window.quality.talk_over_share().filter(|_| window.quality.turns >= LEAST_TURNS)
            }
            Self::WordErrors => {
                window.heard.words.rate().filter(|_| window.heard.words.said() >= LEAST_WORDS)
            }
            Self::MissedKeyWords => {
                window.heard.missed_share().filter(|_| window.heard.key_words >= LEAST_KEY_WORDS)
            }
            Self::Failed => (window.runs > 0).then(|| window.failed as f64 / window.runs as f64),
            Self::Memory => window.worker?.memory,
        }
    }

    /// Its points through a session.
    pub fn points(self, windows: &SoakWindows) -> Vec<SeriesPoint> {
        let point = |(index, window): (usize, &SoakWindow)| {
            let started = window.worker.map_or(0.0, |worker| worker.started);
            Some(SeriesPoint {
                index,
                hours: windows.middle_hours(index),
                started,
                value: self.value(window)?,
            })
        };
        windows.windows.iter().enumerate().filter_map(point).collect()
    }
}

/// A figure in one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesPoint {
    /// The window.
    pub index: usize,
    /// The middle of the window, in hours since the session's start.
    pub hours: f64,
    /// Runs started by then; 0 where the worker has no sample.
    pub started: f64,
    /// The value.
    pub value: f64,
}
