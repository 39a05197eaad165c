//! How many conversations at once an agent can have: a search that runs one session per level, until the last level
//! that passes and the first that fails are close enough.
//!
//! `rules` are the settings and how long a level runs. `search` decides what to try next from the results of each
//! `trial`, which `level_verdicts` combines by level; `level` makes a trial the profile of a session, and `finding` is
//! what that session says about its level, and `level_quality` how its conversations sounded. `forecast` simulates searches before the first session. `answer` is the
//! result of a `completed_search`; `log` is the file from which reports can be made again.

mod answer;
mod completed_search;
mod finding;
mod forecast;
mod level;
pub(crate) mod level_quality;
mod level_verdicts;
mod log;
mod rules;
mod search;
#[cfg(test)]
pub(crate) mod simulation;
mod trial;

pub use answer::{
    BurstAnswer, CapacityAnswer, CapacityBound, CapacityRange, Ceiling, FirstFailure,
    NeededVerdict, Recovery,
};
pub use completed_search::CompletedSearch;
pub use finding::{TrialFinding, TrialThreshold};
pub use forecast::{SearchForecast, SearchSize};
pub use level::{SearchSpend, level_profile};
pub use level_quality::{LevelMeasure, LevelQuality, QualityLoss};
pub use log::{LOG_VERSION, LogEnded, LogLine, LogOpening, LogTrial};
pub use rules::SearchRules;
pub use search::{CapacitySearch, SearchEnd, SearchStep};
pub use trial::{LevelVerdict, Purpose, Trial, TrialResult};
