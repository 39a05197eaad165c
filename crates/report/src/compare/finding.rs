//! The finding on one measure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use rushhour_stats::{BootstrapError, TooFew};

/// How the candidate differs from the baseline in one measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ComparisonFinding {
    /// A latency is significantly longer.
    #[serde(rename = "slower")]
    Slower,
    /// A latency is significantly shorter.
    #[serde(rename = "faster")]
    Faster,
    /// A share is significantly larger.
    #[serde(rename = "more")]
    More,
    /// A share is significantly smaller.
    #[serde(rename = "fewer")]
    Fewer,
    /// A run costs significantly more.
    #[serde(rename = "costs more")]
    CostsMore,
    /// A run costs significantly less.
    #[serde(rename = "costs less")]
    CostsLess,
    /// The difference is not significant.
    #[serde(rename = "no difference shown")]
    NoDifference,
    /// Too little was measured.
    #[serde(rename = "not enough data")]
    NotEnoughData,
}

impl ComparisonFinding {
    /// The words used in files and reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::More => "more",
            Self::Fewer => "fewer",
            Self::CostsMore => "costs more",
            Self::CostsLess => "costs less",
            Self::NoDifference => "no difference shown",
            Self::NotEnoughData => "not enough data",
        }
    }
}

/// The largest probability of any false alarm among all judged figures.
pub(super) const FALSE_ALARMS: f64 = 0.05;

/// Why a figure is missing, or why it must not be relied on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FigureNote {
    /// Too few samples.
    TooFewSamples(TooFew),
    /// Too few blocks of neighbouring runs.
    TooFewBlocks(TooFew),
    /// Too few runs.
    TooFewRuns {
        /// Runs of the smaller side.
        n: u64,
        /// The number of runs that each side needs.
        needs: u64,
    },
    /// Too many runs had not ended.
    TooManyUnfinished,
    /// The baseline is zero, so there is no ratio.
    ZeroBaseline,
    /// The two sides were polled at different intervals, and the difference is no larger than the difference of the
    /// intervals. Longer intervals alone make latencies longer.
    WithinPollingResolution {
        /// The baseline's mean interval, in microseconds.
        baseline_us: f64,
        /// The candidate's mean interval, in microseconds.
        candidate_us: f64,
    },
}

impl From<BootstrapError> for FigureNote {
    fn from(error: BootstrapError) -> Self {
        match error {
            BootstrapError::TooFewValues(few) => Self::TooFewSamples(few),
            BootstrapError::TooFewClusters(few) => Self::TooFewBlocks(few),
            BootstrapError::NotFinite => Self::TooManyUnfinished,
            BootstrapError::ZeroBaseline => Self::ZeroBaseline,
        }
    }
}
