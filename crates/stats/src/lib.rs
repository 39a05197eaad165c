//! Statistics of measurements: estimates, intervals, tests and sample sizes. Pure mathematics.
//!
//! Inputs are checked once, when a [`Sample`], a [`Series`], a [`Proportion`] or a [`SurvivalCurve`] is
//! built; from there on every result is a finite number, or an error or a value that says why there is
//! none. Random numbers come from a seed: the same input gives the same result.
//!
//! | question | answered by |
//! | --- | --- |
//! | a quantile, its interval, the sample size it needs | [`Sample`], [`rank_interval`], [`min_sample_size`] |
//! | a failure rate, the difference of two | [`Proportion`], [`newcombe_difference`] |
//! | a ratio of sums that are correlated within conversations | [`ClusteredRatio`] |
//! | a share, from a stratified sample | [`stratified_share`] |
//! | durations, some of them censored | [`SurvivalCurve`], [`SurvivalBracket`] |
//! | values that are correlated within minutes or scenarios | [`ClusteredSample`], [`BlockLength`] |
//! | the ratio of a candidate to its baseline | [`Arms`], [`censored_ratios`] |
//! | a candidate against its baseline, in pairs | [`PairedRuns`], [`PairedVotes`] |
//! | which of two samples is greater, by how much, in what shape | [`TwoSampleComparison`], [`holm`] |
//! | drift, steps and departures over time | [`Trend`], [`step_change`], [`Cusum`] |
//! | whether the next of a few values is unusual | [`prediction_interval`], [`self_starting_scores`] |
//! | when a rate of events rose | [`rate_rise`] |
//! | what a number of runs can detect | [`Design`], [`detectable_ratio_of`] |

mod bootstrap;
mod clustered_ratio;
mod confidence;
mod convert;
mod interval;
mod normal;
mod order_statistic;
mod p_value;
mod power;
mod proportion;
mod quantile;
mod rate_rise;
mod rng;
mod sample;
#[cfg(test)]
mod simulations;
mod stratified;
mod survival;
mod trend;
mod two_sample;

pub use bootstrap::{
    Arms, BlockLength, Bootstrap, BootstrapError, CensoredPair, CensoredSample, ClusteredSample,
    PairedRuns, PairedSample, QuantileRatio, Ratio, censored_ratios,
};
pub use clustered_ratio::ClusteredRatio;
pub use confidence::Confidence;
pub use interval::{Estimate, Interval, TooFew};
pub use order_statistic::{RankInterval, min_sample_size, rank_interval};
pub use p_value::{PValue, holm};
pub use power::{Design, Power, Spread, detectable_ratio_of};
pub use proportion::{PairedVotes, Proportion, ProportionError, newcombe_difference};
pub use quantile::{ParseLevelError, Quantile};
pub use rate_rise::{ExposedCount, RateRise, rate_rise};
pub use sample::{MAX_MAGNITUDE, Sample, SampleError};
pub use stratified::{StratifiedShare, Stratum, stratified_share};
pub use survival::{
    Observation, ObservationError, QuantileBracket, Reach, SurvivalBracket, SurvivalCurve,
    SurvivalQuantile, SurvivalStep,
};
pub use trend::{
    Baseline, BaselineError, Cusum, CusumAlarm, CusumLimits, CusumPoint, Direction, Drift,
    FirstLastError, FittedLine, Materiality, Series, SeriesError, StepChange, Trend,
    compare_first_and_last, prediction_interval, self_starting_scores, step_change, theil_sen,
};
pub use two_sample::{
    Dominance, KolmogorovSmirnov, MannWhitney, PValueMethod, Shift, TwoSampleComparison,
    hodges_lehmann, kolmogorov_smirnov, mann_whitney,
};
