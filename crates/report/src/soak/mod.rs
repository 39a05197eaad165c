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

pub use gathering::{Ended, Gathered, Look, SoakBuilder, Timed};
pub use judging::{FirstLast, SeriesFinding, SeriesJudgement, Slope, Step};
pub use night::{HISTORY_VERSION, History, Night, NightFigure};
pub use nights::{FEWEST_NIGHTS, NightFinding, NightJudgement, Nights};
pub use question::Question;
pub use resting::{Kept, LeakCheck, LeakFinding, Rest, Stretch};
pub use series::{Followed, Point, Unit, percent};
pub use soak::{SOAK_VERSION, Soak, Standing};
pub use wall::WallClock;
pub use windows::{Window, WindowFigure, WindowLooks, Windows};
