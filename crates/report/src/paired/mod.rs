//! Voice compared with chat, pair by pair: what a conversation takes and costs in each mode. Data only; every sentence
//! about it is written in `render`.
//!
//! `difference` compares one measure of both modes. `premium` splits the difference in cost into its parts.
//! `comparison` holds all measures, and `answer` is the conclusion with its notes.

mod answer;
mod comparison;
mod difference;
mod measures;
mod premium;
#[cfg(test)]
mod tests;

pub use answer::{CostReason, PairedAnswer, PairedNote};
pub use comparison::{ModeFigures, PairCounts, PairedComparison};
pub use difference::{DifferenceNote, PairedDifference, PairedFinding, PairedMeasure, PairedUnit};
pub use premium::{Premium, PremiumPart};
