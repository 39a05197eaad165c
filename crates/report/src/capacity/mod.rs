//! How many conversations at once: a search that holds one level after the other, each as a session of
//! its own, until the last that passes and the first that fails lie close enough.
//!
//! The way through: `rules` (what is searched for, and how long a level is held), `search` (what was
//! tried, and what to try next), `level` (a trial as the profile of a session), `finding` (what a session
//! says of its level), `answer` and `words` (what all of it comes to), `csv`, `json` and `page` (to bytes).

mod answer;
mod completed_search;
mod csv;
mod finding;
mod forecast;
mod json;
mod level;
mod level_verdicts;
mod log;
mod messages;
mod page;
mod rules;
mod search;
#[cfg(test)]
mod simulation;
mod trial;

pub use answer::{
    BurstAnswer, CapacityAnswer, CapacityBound, Ceiling, FirstFailure, HeldRange, NeededVerdict,
    Recovery,
};
pub use completed_search::CompletedSearch;
pub use csv::capacity_csv;
pub use finding::{TrialFinding, TrialThreshold};
pub use forecast::{SearchForecast, SearchMaximum};
pub use json::{CAPACITY_VERSION, CapacitySummary, capacity_schema};
pub use level::{SearchSpend, level_profile};
pub use log::{LOG_VERSION, LogEnded, LogLine, LogOpening, LogTrial};
pub use messages::{about_to_try, headline, remarks, what_came};
pub use page::capacity_page;
pub use rules::SearchRules;
pub use search::{CapacitySearch, SearchEnd, SearchStep};
pub use trial::{LevelVerdict, Purpose, Trial, TrialResult};
