//! Two sessions, or two parts of one, against each other: what differs, how surely, and what could not
//! have been seen.
//!
//! `arm` keeps of each side what a comparison needs, run by run; `split` names the parts of a session;
//! `question` is what is asked and how strictly; `latency`, `rate` and `cost` compare one measure; `comparison`
//! judges all of them as one family, after the validity gate; `text`, `markdown` and `table` are its faces, its JSON is itself.

mod arm;
mod comparison;
mod cost;
mod differences;
mod finding;
mod latency;
mod markdown;
mod question;
mod rate;
mod split;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use arm::{Arm, ArmBuilder};
pub use comparison::{
    COMPARISON_VERSION, Conclusion, Incomparable, SessionComparison, Side, comparison_schema,
};
pub use cost::CostComparison;
pub use finding::ComparisonFinding;
pub use latency::{LatencyComparison, QuantileComparison, Shape};
pub use markdown::comparison_markdown;
pub use question::ComparisonCriteria;
pub use rate::RateComparison;
pub use split::{PartError, SessionPart, Split, SplitBy, SplitError};
pub use table::comparison_csv;
pub use text::comparison_text;
pub(super) use text::wrapped;
