//! Intervals by resampling: what else could have been measured, judged from what was.
//!
//! Every draw comes from a seed, so a report made twice is the same report. Values that belong
//! together (one scenario in one minute, one worker) are resampled together; treating them as
//! independent makes intervals too narrow and raises false alarms.

mod arms;
mod blocks;
mod censored;
mod censored_pair;
mod clustered_estimate;
mod clusters;
mod independent;
mod paired_runs;
mod percentile;
mod plan;

pub use arms::{Arms, QuantileRatio, Ratio};
pub use blocks::BlockLength;
pub use censored::{CensoredSample, censored_ratios};
pub use censored_pair::CensoredPair;
pub use clusters::{ClusteredSample, PairedSample};
pub use paired_runs::PairedRuns;
pub use plan::{Bootstrap, BootstrapError};

pub(super) use blocks::resample_circular_blocks;
pub(super) use percentile::{Freedom, basic_interval};
