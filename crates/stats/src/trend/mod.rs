//! Change over time: drift, a sudden step, a departure from a run known to be good, an unusual next value.
//!
//! Neighbouring windows are autocorrelated, so tests that take them as independent see drift everywhere. Here blocks of
//! neighbours stay together, and a drift must also be large enough to matter.

mod cusum;
mod dependence;
mod drift;
mod first_last;
#[cfg(test)]
mod nile;
mod prediction;
mod series;
mod step;
mod theil_sen;

#[cfg(test)]
pub(super) use nile::NILE;

pub use cusum::{Baseline, BaselineError, Cusum, CusumAlarm, CusumLimits, CusumPoint};
pub use drift::{Direction, Drift, Materiality, Trend};
pub use first_last::{FirstLastError, compare_first_and_last};
pub use prediction::{prediction_interval, self_starting_scores};
pub use series::{Series, SeriesError};
pub use step::{StepChange, step_change};
pub use theil_sen::{FittedLine, theil_sen};
