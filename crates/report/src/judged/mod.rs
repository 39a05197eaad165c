//! Runs of Rushhour's own callers that Cekura reran and judged. Data only; every sentence about it is written in
//! `render`.
//!
//! `fold` joins the two sessions run by run, and `figures` estimates what the judged sample says about all runs.

mod figures;
mod fold;

pub use figures::{JudgedFailures, JudgedFigures, JudgedStratum, WeightedShare};
pub use fold::{JudgedFold, JudgedRun, JudgingResult, RunVerdict};
