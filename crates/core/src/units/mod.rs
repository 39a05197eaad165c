//! Quantities and names with their units in the type: every other room speaks in these.

mod duration;
mod ids;
mod metric;
mod mode;
mod money;
mod percent;
mod rate;
mod secret;
mod time;

pub use duration::{PositiveDuration, format_duration, parse_duration};
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

/// Why a text is not a value of the wanted unit: what was wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ParseUnitError {
    /// What is wrong with the text.
    pub what: String,
    /// What would be accepted, with an example.
    pub hint: String,
}

impl ParseUnitError {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}
