//! Runs of our own callers that were held again and judged: `fold` brings both sessions together, run by
//! run; `figures` is what that comes to; `words` says it; `csv` lists the runs.

mod csv;
mod figures;
mod fold;
mod words;

pub use csv::judged_csv;
pub use figures::{JudgedFailures, JudgedFigures, JudgedStratum, WeightedShare};
pub use fold::{JudgedFold, JudgedRun, JudgingResult, RunVerdict};
pub use words::judged_words;
#[cfg(test)]
pub(super) use words::tests::example;
