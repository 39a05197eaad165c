//! Seeded random numbers.
//!
//! [`SeededRng`] is a generator for sequences, such as the runs of a plan. [`KeyedRng`] has no state:
//! its numbers depend on the seed and a key alone, so that the order of events cannot matter.

mod delay;
mod keyed;
mod seeded;

pub use delay::DelayDistribution;
pub use keyed::{KeyedDraw, KeyedRng};
pub(crate) use seeded::RngStream;
pub use seeded::SeededRng;
