//! Who talks to the agent.

use serde::{Deserialize, Serialize};

use crate::units::{Decibels, PositiveDuration, SoundLevel};

/// Which evaluator talks to the agent, and how to use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EvaluatorSettings {
    /// Cekura's service, or the embedded stand-in for it.
    Cekura(CekuraSettings),
    /// Rushhour's own callers over WebRTC.
    Native(NativeSettings),
}

impl EvaluatorSettings {
    /// The settings of Cekura's service, if it is the evaluator.
    pub const fn cekura(&self) -> Option<&CekuraSettings> {
        match self {
            Self::Cekura(settings) => Some(settings),
            Self::Native(_) => None,
        }
    }
}

/// How native callers behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeSettings {
    /// How long a caller may take to join the room.
    pub join_within: PositiveDuration,
    /// How long after joining the agent may take until it listens.
    pub ready_within: PositiveDuration,
    /// How long the agent must be silent before a caller continues.
    pub quiet: PositiveDuration,
    /// What of the agent's audio is speech; journals of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<SpeechSettings>,
}

/// What of an agent's audio is speech: what is louder than the threshold, and by the margin louder than the noise of
/// its own track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechSettings {
    /// Sound at or below this level is never speech.
    pub threshold: SoundLevel,
    /// How far above the noise floor of its track sound must be; the threshold alone decides if not given.
    pub margin: Option<Decibels>,
}

impl SpeechSettings {
    /// The level from which on sound is audible: speech has an active level between -16 and -30 dBFS, and its quietest
    /// sounds are some 20 dB lower. Noise of codecs and converters, and comfort noise, stay below -50 dBFS.
    pub const THRESHOLD: SoundLevel = SoundLevel::dbfs(-47);
    /// How far speech stands above the noise of its track: docs/statistics.md has the error rates.
    pub const MARGIN: Decibels = Decibels::whole(10);
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self { threshold: Self::THRESHOLD, margin: Some(Self::MARGIN) }
    }
}

/// How to use Cekura's service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CekuraSettings {
    /// The service's base URL; `None` for the embedded stand-in.
    pub url: Option<String>,
    /// A file with the key, relative to the profile.
    pub key_file: Option<String>,
    /// Entries per request, at least 1.
    pub entries_per_request: u32,
    /// How long a request waits for further entries.
    pub fill_within: PositiveDuration,
    /// Cekura's agent, if its scenarios have none.
    pub agent: Option<u64>,
    /// A data message for the evaluator to publish in the room.
    pub publish_data_message: Option<serde_json::Map<String, serde_json::Value>>,
    /// How often to poll a run that may have ended.
    pub poll_every: PositiveDuration,
    /// The path that starts voice runs.
    pub voice_path: String,
    /// The path that starts chat runs.
    pub chat_path: String,
    /// The path that returns the status of runs.
    pub runs_path: String,
    /// The path that ends one run, with `{id}`.
    pub end_call_path: String,
}
