//! Nonparametric comparison of two samples: which is greater, by how much, and whether their shapes differ.
//!
//! Positive always means that the candidate is greater.

mod comparison;
mod dominance;
mod kolmogorov_smirnov_test;
mod rank_sum;
mod shift;

pub use comparison::TwoSampleComparison;
pub use dominance::Dominance;
pub use kolmogorov_smirnov_test::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use rank_sum::{MannWhitney, PValueMethod, mann_whitney};
pub use shift::{Shift, hodges_lehmann};
