//! Pure mathematics: what a set of measurements says, and how surely.
//!
//! What comes in is checked once, where a [`Sample`], a [`Series`], a [`Proportion`] or a
//! [`SurvivalCurve`] is made; from there on every result is a finite number, or an error or a value
//! that says why there is none. Chance comes from a seed: the same input gives the same result.
//!
//! | question | answered by |
//! | --- | --- |
//! | a quantile, its interval, the runs it needs | [`Sample`], [`rank_interval`], [`smallest_n`] |
//! | a failure rate, the difference of two | [`Proportion`], [`newcombe_difference`] |
//! | a share of a whole of which parts were sampled | [`stratified_share`] |
//! | durations of which some had not ended | [`SurvivalCurve`], [`SurvivalBracket`] |
//! | values that hang together in minutes or scenarios | [`ClusteredSample`], [`BlockLength`] |
//! | a candidate as a multiple of its baseline | [`Arms`], [`censored_ratios`] |
//! | a candidate beside its baseline, pair by pair | [`PairedRuns`], [`PairedVotes`] |
//! | which is greater, by how much, in what shape | [`TwoSampleComparison`], [`holm`] |
//! | drift, steps and departures over hours | [`Trend`], [`step_change`], [`Cusum`] |
//! | one more night after some others | [`next_value`], [`self_starting_scores`] |
//! | what so many runs can show | [`Design`], [`smallest_ratio_seen`] |

mod bootstrap;
mod confidence;
mod convert;
mod interval;
mod normal;
mod order_statistic;
mod p_value;
mod power;
mod proportion;
mod quantile;
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
pub use confidence::Confidence;
pub use interval::{Estimate, Interval, TooFew};
pub use order_statistic::{RankInterval, rank_interval, smallest_n};
pub use p_value::{PValue, holm};
pub use power::{Design, Power, Spread, smallest_ratio_seen};
pub use proportion::{PairedVotes, Proportion, ProportionError, newcombe_difference};
pub use quantile::{ParseLevelError, Quantile};
pub use sample::{GREATEST_MAGNITUDE, Sample, SampleError};
pub use stratified::{StratifiedShare, Stratum, stratified_share};
pub use survival::{
    Observation, ObservationError, QuantileBracket, Reach, SurvivalBracket, SurvivalCurve,
    SurvivalQuantile, SurvivalStep,
};
pub use trend::{
    Baseline, BaselineError, Cusum, CusumAlarm, CusumLimits, CusumPoint, Direction, Drift,
    FirstLastError, FittedLine, Materiality, Series, SeriesError, StepChange, Trend,
    first_against_last, next_value, self_starting_scores, step_change, theil_sen,
};
pub use two_sample::{
    Dominance, KolmogorovSmirnov, MannWhitney, PValueMethod, Shift, TwoSampleComparison,
    hodges_lehmann, kolmogorov_smirnov, mann_whitney,
};
