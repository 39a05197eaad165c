//! Seeded chance without a state of its own: draws, and lengths of time that are drawn.
//!
//! What is drawn depends on the seed and on names alone, so that the order in which things happen cannot matter.

mod draw;
mod latency;

pub use draw::{KeyedDraw, KeyedRng};
pub use latency::DelayDistribution;
