//! How a session began: the first event of a journal.

use serde::{Deserialize, Serialize};

use crate::profile::{Profile, ResolvedSetting};
use crate::units::SessionId;

/// How a session began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionHeader {
    /// The version of the event format.
    pub format: u32,
    /// The version of Rushhour.
    pub rushhour: String,
    /// The session.
    pub session: SessionId,
    /// The wall clock at the anchor, RFC 3339 in UTC.
    pub anchor: String,
    /// The profile.
    pub profile: Profile,
    /// The profile's hash: SHA-256 of its JSON, in hexadecimal.
    pub profile_hash: String,
    /// Where its settings came from.
    pub settings: Vec<ResolvedSetting>,
    /// The URL of the LiveKit server.
    pub livekit_url: String,
    /// The URL of the evaluator, or a description of it.
    pub evaluator_url: String,
    /// The number of planned runs, if the plan determines it.
    pub planned: Option<u64>,
    /// Processor cores that this process may use.
    pub cores: u32,
}
