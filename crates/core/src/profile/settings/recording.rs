//! Which conversations are kept as sound and text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::is_default;
use crate::profile::table::choice;
use crate::units::{ByteSize, Percent};

/// Which conversations are kept, and how much of them at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RecordingSettings {
    /// Which runs are kept by how they ended.
    pub keep: KeepRecordings,
    /// So many of the runs that waited longest for an answer are kept.
    pub slowest: u32,
    /// So many of the runs with the most gaps in the agent's speech are kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub choppiest: u32,
    /// The share of runs that is kept at random.
    pub sample: Percent,
    /// The most runs that are kept.
    pub max_runs: u32,
    /// The most bytes on the disk.
    pub max_bytes: ByteSize,
}

impl RecordingSettings {
    /// Whether any run is kept.
    pub fn keeps_any(&self) -> bool {
        self.records_all() || self.sample > Percent::ZERO
    }

    /// Whether it is known only at its end whether a run is kept, so that all are recorded.
    pub fn records_all(&self) -> bool {
        self.keep != KeepRecordings::None || self.slowest > 0 || self.choppiest > 0
    }
}

impl fmt::Display for RecordingSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kept = Vec::new();
        match self.keep {
            KeepRecordings::None => {}
            KeepRecordings::Failures => kept.push("failures".to_owned()),
            KeepRecordings::All => kept.push("all runs".to_owned()),
        }
        if self.slowest > 0 {
            kept.push(format!("the {} slowest", self.slowest));
        }
        if self.choppiest > 0 {
            kept.push(format!("the {} choppiest", self.choppiest));
        }
        if self.sample > Percent::ZERO {
            kept.push(format!("{} at random", self.sample));
        }
        let Self { max_runs, max_bytes, .. } = self;
        write!(f, "{}; at most {max_runs} runs and {max_bytes}", kept.join(", "))
    }
}

choice! {
    /// Which runs are kept by how they ended.
    pub KeepRecordings {
        /// None.
        None = "none",
        /// Those that failed, or were not answered as expected.
        Failures = "failures",
        /// Every one.
        All = "all",
    }
}
