//! Whether the agent stays well through the night: drift, steps and leaks of a long session.
//!
//! `gathering` takes from a session's events what is judged, `windows` cuts it by intended start, `series` are the
//! figures that are followed. `judging` (latencies and memory) and `failing` find what drifts, all series as one
//! family; `resting` finds what is left behind; `nights` holds it against the nights before, of which `night` is a
//! line of the history; `soak` puts it together and `answer` says it in a sentence.

mod answer;
mod failing;
mod gathering;
mod judging;
mod night;
mod nights;
mod question;
mod resting;
mod series;
#[cfg(test)]
mod simulations;
#[expect(clippy::module_inception, reason = "the room's name is also its main idea's")]
mod soak;
mod wall;
mod windows;

pub use gathering::{EndedRun, SoakBuilder, SoakData, TimedLatency, WorkerSample};
pub use judging::{FirstLast, SeriesFinding, SeriesJudgement, SeriesStep, Slope};
pub use night::{HISTORY_VERSION, History, NightFigure, NightlyRun};
pub use nights::{FEWEST_NIGHTS, NightFinding, NightJudgement, NightlyComparison};
pub use question::SoakCriteria;
pub use resting::{IdleKind, IdlePeriod, LeakCheck, LeakFinding, Resource};
pub use series::{SeriesPoint, SeriesUnit, TrackedSeries, percent};
pub use soak::{SOAK_VERSION, Soak, SoakVerdict};
pub use wall::WallClock;
pub use windows::{SoakWindow, SoakWindows, WindowFigure, WindowWorker};
