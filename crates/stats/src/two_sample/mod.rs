//! Two samples against each other without assuming any distribution: which is greater, by how much,
//! and whether their shapes differ.
//!
//! The sign is the same throughout: positive means that the candidate is greater.

mod comparison;
mod dominance;
mod rank_sum;
mod shift;
mod smirnov;

pub use comparison::TwoSampleComparison;
pub use dominance::Dominance;
pub use rank_sum::{MannWhitney, PValueMethod, mann_whitney};
pub use shift::{Shift, hodges_lehmann};
pub use smirnov::{KolmogorovSmirnov, kolmogorov_smirnov};
