//! Quantities and ids, each with its own type.

mod duration;
mod ids;
mod metric;
mod mode;
mod money;
mod percent;
mod rate;
mod secret;
mod time;

pub use duration::PositiveDuration;
pub(crate) use duration::{format_duration, parse_duration};
pub use ids::{
    AgentName, DispatchId, EvaluatorRunId, Identity, PairId, ResultId, RoomName, RunIndex,
    ScenarioId, SessionId,
};
pub use metric::{Metric, Percentile};
pub use mode::Mode;
pub use money::Usd;
pub use percent::Percent;
pub use rate::Rate;
pub use secret::{Secret, redact};
pub use time::{Micros, SessionTime};

/// A text that cannot be parsed as a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseUnitError {
    /// What is wrong with the text.
    pub message: String,
    /// How to write it, with an example.
    pub hint: String,
}

impl ParseUnitError {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: what.into(), hint: hint.into() }
    }
}
