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

pub use answer::{Answer, BurstAnswer, Ceiling, End, GaveWay, Holds, Needed, Recovery};
pub use csv::capacity_csv;
pub use finding::{Finding, ThresholdFinding};
pub use json::{CAPACITY_VERSION, CapacitySummary, capacity_schema};
pub use level::{Spent, level_profile};
pub use log::{LOG_VERSION, LogEnded, LogHeld, LogLine, LogOpening};
pub use outlook::{Most, Outlook};
pub use page::capacity_page;
pub use rules::Rules;
pub use search::{Ending, Next, Search};
pub use searched::Searched;
pub use trial::{LevelVerdict, Purpose, Trial, Tried};
pub use words::{about_to_try, headline, remarks, what_came};
