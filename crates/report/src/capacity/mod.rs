//! How many conversations at once: a search that holds one level after the other, each as a session of
//! its own, until the last that passes and the first that fails lie close enough.
//!
//! The way through: `rules` (what is searched for, and how long a level is held), `search` (what was
//! tried, and what to try next), `level` (a trial as the profile of a session), `finding` (what a session
//! says of its level), `answer` and `words` (what all of it comes to), `csv`, `json` and `page` (to bytes).

mod answer;
mod csv;
mod finding;
mod json;
mod level;
mod log;
mod outlook;
mod page;
mod rules;
mod search;
mod searched;
#[cfg(test)]
mod simulation;
mod standing;
mod trial;
mod words;

pub use answer::{
    BurstAnswer, CapacityAnswer, CapacityBound, Ceiling, FirstFailure, HeldRange, NeededVerdict,
    Recovery,
};
pub use csv::capacity_csv;
pub use finding::{TrialFinding, TrialThreshold};
pub use json::{CAPACITY_VERSION, CapacitySummary, capacity_schema};
pub use level::{SearchSpend, level_profile};
pub use log::{LOG_VERSION, LogEnded, LogLine, LogOpening, LogTrial};
pub use outlook::{SearchForecast, SearchMaximum};
pub use page::capacity_page;
pub use rules::SearchRules;
pub use search::{CapacitySearch, SearchEnd, SearchStep};
pub use searched::CompletedSearch;
pub use trial::{LevelVerdict, Purpose, Trial, TrialResult};
pub use words::{about_to_try, headline, remarks, what_came};
