//! Pure mathematics: what a set of measurements says, and how surely.

mod confidence;
mod interval;
mod normal;
mod numbers;
mod order_statistic;
mod proportion;
mod quantile;
mod sample;
mod survival;

pub use confidence::Confidence;
pub use interval::{Estimate, Interval, TooFew};
pub use order_statistic::{RankInterval, rank_interval, smallest_n};
pub use proportion::{Proportion, ProportionError, newcombe_difference};
pub use quantile::{ParseLevelError, Quantile};
pub use sample::{GREATEST_MAGNITUDE, Sample, SampleError};
pub use survival::*;
