//! Two sessions, or two parts of one, compared: what differs, with which confidence, and how large a difference the
//! comparison could have detected. Data only; every sentence about it is written in `render`.
//!
//! `arm` keeps what a comparison needs of each side, run by run. `latency`, `rate`, `cost` and `quality` compare one
//! measure each. `comparison` checks validity first, and then judges all measures as one family.

mod arm;
mod at_mark;
mod blocks;
mod comparison;
mod cost;
mod criteria;
mod differences;
mod finding;
mod heard;
mod latency;
mod notes;
mod quality;
mod quantile;
mod rate;
mod split;
#[cfg(test)]
mod tests;

pub use arm::{Arm, ArmBuilder};
pub use at_mark::RunsAtMark;
pub(crate) use blocks::{Blocks, SideTiming, TimedValue};
pub use comparison::{
    COMPARISON_VERSION, Conclusion, Incomparable, Regression, SessionComparison, Side,
    comparison_schema,
};
pub use cost::CostComparison;
pub use criteria::ComparisonCriteria;
pub use differences::ProfileDifference;
pub use finding::{ComparisonFinding, FigureNote};
pub use latency::{LatencyComparison, Shape};
pub use notes::ComparisonNote;
pub use quality::QualityComparison;
pub use quantile::QuantileComparison;
pub use rate::RateComparison;
pub use split::{PartError, SessionPart, Split, SplitBy, SplitError};
