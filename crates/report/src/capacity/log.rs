//! `search.jsonl`: the log of a search, one line per decision. With the journals of its sessions it is all that reports
//! need.

use serde::{Deserialize, Serialize};

use super::search::SearchEnd;
use super::trial::Trial;
use rushhour_core::profile::Profile;

/// The version of the format.
pub const LOG_VERSION: u32 = 1;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLine {
    /// The search begins.
    Search(Box<LogOpening>),
    /// A session ran.
    #[serde(rename = "held")]
    Trial(LogTrial),
    /// The search ended.
    Ended(LogEnded),
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogOpening {
    /// The version of the format.
    pub format: u32,
    /// The version of Rushhour.
    pub rushhour: String,
    /// The search's name, which is that of its folder.
    pub search: String,
    /// The wall clock at the start, RFC 3339 in UTC.
    pub began: String,
    /// The profile as used.
    pub profile: Profile,
}

/// A session that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTrial {
    /// Its number in the search, from 1.
    pub number: u32,
    /// The trial.
    pub trial: Trial,
    /// The session's folder, relative to the search's.
    pub folder: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnded {
    /// Why the search ended.
    pub ending: SearchEnd,
}

impl LogLine {
    /// The line as JSON, with its line break.
    ///
    /// # Errors
    /// Where the profile has values that JSON does not; a profile that was read has none.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|line| line + "\n")
    }
}
