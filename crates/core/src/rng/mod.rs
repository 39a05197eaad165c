//! Seeded chance without a state of its own: draws, and lengths of time that are drawn.
//!
//! What is drawn depends on the seed and on names alone, so that the order in which things happen cannot matter.

mod delay;
mod keyed;

pub use delay::DelayDistribution;
pub use keyed::{KeyedDraw, KeyedRng};
