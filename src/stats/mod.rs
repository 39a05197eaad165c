//! Pure mathematics: what a set of measurements says, and how surely.

mod bootstrap;
mod confidence;
mod interval;
mod normal;
mod numbers;
mod order_statistic;
mod p_value;
mod power;
mod proportion;
mod quantile;
mod random;
mod sample;
#[cfg(test)]
mod simulations;
mod survival;
mod trend;
mod two_sample;

pub use bootstrap::{
    Arms, BlockLength, Bootstrap, BootstrapError, ClusteredSample, PairedSample, QuantileRatio,
    Ratio,
};
pub use confidence::Confidence;
pub use interval::{Estimate, Interval, TooFew};
pub use order_statistic::{RankInterval, rank_interval, smallest_n};
pub use p_value::{PValue, holm};
pub use power::{Design, Power, Spread, smallest_ratio_seen};
pub use proportion::{Proportion, ProportionError, newcombe_difference};
pub use quantile::{ParseLevelError, Quantile};
pub use sample::{GREATEST_MAGNITUDE, Sample, SampleError};
pub use survival::{
    Observation, ObservationError, QuantileBracket, Reach, SurvivalBracket, SurvivalCurve,
    SurvivalQuantile, SurvivalStep,
};
pub use trend::{
    Baseline, BaselineError, Cusum, CusumAlarm, CusumLimits, CusumPoint, Direction, Drift,
    FirstLastError, Line, Materiality, Series, SeriesError, StepChange, Trend, first_against_last,
    step_change, theil_sen,
};
pub use two_sample::{
    Comparison, Dominance, KolmogorovSmirnov, MannWhitney, PValueMethod, Shift, hodges_lehmann,
    kolmogorov_smirnov, mann_whitney,
};
