//! Whether the agent stays well through the night: drift, steps and leaks of a long session.
//!
//! `gathering` takes from a session's events what is judged, `windows` cuts it by intended start, `series` are the
//! figures that are followed. `judging` (latencies and memory) and `failing` find what drifts, all series as one
//! family; `resting` finds what is left behind; `nights` holds it against the nights before, of which `night` is a
//! line of the history; `soak` puts it together and `answer` says it in a sentence.

mod criteria;
mod failure_series;
mod headline;
mod idle_periods;
mod nightly_comparison;
mod nightly_run;
mod series;
mod series_judgement;
#[cfg(test)]
mod simulations;
#[expect(clippy::module_inception, reason = "the room's name is also its main idea's")]
mod soak;
mod soak_data;
mod wall_clock;
mod windows;

pub use criteria::SoakCriteria;
pub use idle_periods::{IdleKind, IdlePeriod, LeakCheck, LeakFinding, Resource};
pub use nightly_comparison::{FEWEST_NIGHTS, NightFinding, NightJudgement, NightlyComparison};
pub use nightly_run::{HISTORY_VERSION, History, NightFigure, NightlyRun};
pub use series::{SeriesPoint, SeriesUnit, TrackedSeries, percent};
pub use series_judgement::{FirstLast, SeriesFinding, SeriesJudgement, SeriesStep, Slope};
pub use soak::{SOAK_VERSION, Soak, SoakVerdict};
pub use soak_data::{EndedRun, SoakBuilder, SoakData, TimedLatency, WorkerSample};
pub use wall_clock::WallClock;
pub use windows::{SoakWindow, SoakWindows, WindowFigure, WindowWorker};
