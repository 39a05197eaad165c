//! A paired session's answer: what a conversation takes and costs by voice and by chat, pair by pair.
//!
//! `difference` holds one measure of both modes against each other with its interval; `money` tells what
//! runs and tasks cost, and where the difference comes from; `comparison` brings all of it together;
//! `words` says it in sentences; `table` is a row for each pair.

mod comparison;
mod difference;
mod money;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use comparison::{ModeFigures, PairCounts, PairedComparison};
pub use difference::PairedDifference;
pub use money::{Premium, PremiumPart};
pub use table::pairs_csv;
pub(super) use words::{DIFFERENT_LATENCIES, figure_words, pairs_words, table_rows};
