//! Survival analysis: Kaplan-Meier estimates of durations, right-censored or known only within a range.
//!
//! Dropping durations that had not ended makes every percentile too low, because the slow ones are the ones still
//! running. Here each counts as longer than observed.

mod bracket;
mod curve;
mod observation;

pub use bracket::{QuantileBracket, SurvivalBracket};
pub use curve::{Reach, SurvivalCurve, SurvivalQuantile, SurvivalStep};
pub use observation::{Observation, ObservationError};
