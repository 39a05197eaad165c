//! How long things last when some had not ended: Kaplan-Meier, with ends that are only bracketed.
//!
//! Dropping what had not ended flatters every percentile, because the slow are the ones still
//! running. Here each counts as "longer than this" instead.

mod bracket;
mod curve;
mod observation;

pub use bracket::{QuantileBracket, SurvivalBracket};
pub use curve::{Reach, SurvivalCurve, SurvivalQuantile, SurvivalStep};
pub use observation::{Observation, ObservationError};
