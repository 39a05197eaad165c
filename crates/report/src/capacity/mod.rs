//! How many conversations at once: a search that holds one level after the other, each as a session of
//! its own, until the last that passes and the first that fails lie close enough.
//!
//! The way through: `rules` (what is searched for, and how long a level is held), `search` (what was
//! tried, and what to try next), `level` (a trial as the profile of a session), `finding` (what a session
//! says of its level), `answer` (what all of it comes to).

mod answer;
mod completed_search;
mod finding;
mod forecast;
mod level;
mod level_standing;
mod log;
mod rules;
mod search;
#[cfg(test)]
pub(crate) mod simulation;
mod trial;

pub use answer::{
    BurstAnswer, CapacityAnswer, CapacityBound, Ceiling, FirstFailure, HeldRange, NeededVerdict,
    Recovery,
};
pub use completed_search::CompletedSearch;
pub use finding::{TrialFinding, TrialThreshold};
pub use forecast::{SearchForecast, SearchMaximum};
pub use level::{SearchSpend, level_profile};
pub use log::{LOG_VERSION, LogEnded, LogLine, LogOpening, LogTrial};
pub use rules::SearchRules;
pub use search::{CapacitySearch, SearchEnd, SearchStep};
pub use trial::{LevelVerdict, Purpose, Trial, TrialResult};
