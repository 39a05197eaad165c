//! `search.jsonl`: what was decided, a line each; with the sessions' journals everything that is reported.

use serde::{Deserialize, Serialize};

use super::search::SearchEnd;
use super::trial::Trial;
use rushhour_core::profile::Profile;

/// The version of these lines.
pub const LOG_VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLine {
    /// The search begins.
    Search(Box<LogOpening>),
    /// A session was held.
    Trial(LogTrial),
    /// Nothing more is tried.
    Ended(LogEnded),
}

/// How a search begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogOpening {
    /// The version of these lines.
    pub format: u32,
    /// The version of Rushhour.
    pub rushhour: String,
    /// The search's name: that of its folder.
    pub search: String,
    /// The wall clock then, RFC 3339 in UTC.
    pub began: String,
    /// The profile as used.
    pub profile: Profile,
}

/// A session that was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTrial {
    /// Its place in the search, from 1.
    pub number: u32,
    /// What was tried.
    pub trial: Trial,
    /// Its folder, below that of the search.
    pub folder: String,
}

/// Why nothing more is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnded {
    /// Why.
    pub ending: SearchEnd,
}

impl LogLine {
    /// The line with its end.
    ///
    /// # Errors
    /// Where the profile holds what JSON cannot, which a profile that was read does not.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|line| line + "\n")
    }
}
