//! What becomes of a measure as hours pass: slow drift, a sudden step, a departure from a run known
//! to be good.
//!
//! Neighbouring windows resemble each other, so tests that take them as independent see drift
//! everywhere. Here blocks of neighbours stay together, and a drift must also matter.

mod cusum;
mod dependence;
mod drift;
mod first_last;
mod next_value;
#[cfg(test)]
mod nile;
mod series;
mod step;
mod theil_sen;

#[cfg(test)]
pub(super) use nile::NILE;

pub use cusum::{Baseline, BaselineError, Cusum, CusumAlarm, CusumLimits, CusumPoint};
pub use drift::{Direction, Drift, Materiality, Trend};
pub use first_last::{FirstLastError, first_against_last};
pub use next_value::{next_value, self_starting_scores};
pub use series::{Series, SeriesError};
pub use step::{StepChange, step_change};
pub use theil_sen::{FittedLine, theil_sen};
