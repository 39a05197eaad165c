//! Bootstrap intervals: resampling for quantiles, means and ratios, of independent, clustered and paired values.
//!
//! Random numbers come from a seed, so that the same report can be computed again. Values that are
//! correlated (one scenario in one minute, one worker) are resampled together: treated as independent, they
//! make intervals too narrow and raise false alarms.

mod arms;
mod blocks;
mod censored;
mod censored_pair;
mod clustered_estimate;
mod clusters;
mod independent_draws;
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
pub(super) use percentile::{DegreesOfFreedom, basic_interval};
