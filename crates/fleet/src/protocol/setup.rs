//! What a worker needs of a session before it can take a conversation: the same for all of them, so that it is fetched
//! once, by its hash, like scripts and clips.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::blobs::BlobHash;
use rushhour_core::profile::{MediaTransport, NativeSettings, NetworkConditions, Script};
use rushhour_core::units::{Mode, ScenarioId};

/// What callers need of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSetup {
    /// How callers behave.
    pub settings: NativeSettings,
    /// The network conditions of the profile.
    pub networks: Vec<NetworkConditions>,
    /// The session's seed.
    pub seed: u64,
    /// The way of media and data.
    pub transport: MediaTransport,
    /// Certificates of authorities that callers trust beside the system's, as PEM.
    pub authorities: Option<String>,
    /// The script of each scenario and mode.
    pub scripts: Vec<ScriptRef>,
}

/// The script of a scenario in a mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptRef {
    /// The scenario.
    pub scenario: ScenarioId,
    /// The mode.
    pub mode: Mode,
    /// The [`ScriptFile`].
    pub script: BlobHash,
}

/// A script, and the clips that it plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptFile {
    /// The script.
    pub script: Script,
    /// Its clips, by the names that it has for them.
    pub clips: BTreeMap<String, BlobHash>,
}
