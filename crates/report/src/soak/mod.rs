//! Whether the agent stays well in a long session: drift, steps and leaks.
//!
//! `soak_data` is collected from the events of a session. `windows` divides the session by intended start, `series` are
//! the figures tracked through it. `series_judgement` (latencies and memory) and `failure_series` find drift, all series
//! as one family; `leaks` finds what is not released in `idle_periods`; `nightly_comparison` compares the session with
//! the `nightly_run`s of the history. `analysis` combines them into one verdict. `rendering` turns the analysis into
//! JSON and sentences; nothing else here does.

mod analysis;
mod criteria;
mod failure_series;
mod idle_periods;
mod leaks;
mod nightly_comparison;
mod nightly_run;
mod rendering;
mod series;
mod series_judgement;
#[cfg(test)]
mod simulations;
mod soak_data;
mod windows;

pub use analysis::{SoakAnalysis, SoakVerdict};
pub(crate) use criteria::FALSE_ALARMS;
pub use criteria::SoakCriteria;
pub use idle_periods::{CountRange, IdleKind, IdlePeriod};
pub use leaks::{LeakCheck, LeakFinding, Resource};
pub(crate) use nightly_comparison::MIN_NIGHTS;
pub use nightly_comparison::{NightlyComparison, NightlyFinding, NightlyJudgement};
pub use nightly_run::{History, NightlyFigure, NightlyRun};
pub use rendering::{
    LeakSummary, NightlySeriesSummary, NightlySummary, SeriesStepSummary, SeriesSummary,
    SoakSummary,
};
pub(crate) use rendering::{
    leak_sentence, nightly_sentence, percent, series_sentence, soak_headline, soak_notes,
};
pub use series::{SeriesPoint, SeriesUnit, TrackedSeries};
pub use series_judgement::{FirstLast, SeriesFinding, SeriesJudgement, SeriesStep, Slope};
pub use soak_data::{EndedRun, SoakBuilder, SoakData, TimedLatency, WorkerSample};
pub use windows::{SoakWindow, SoakWindows, WindowFigure, WindowWorker};
