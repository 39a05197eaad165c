//! How callers speak: who says the words of a script that has no clips, and under which conditions.

use serde::{Deserialize, Serialize};

use crate::profile::table::choice;
use crate::units::{Decibels, PositiveDuration, SoundLevel};

/// The conditions under which the callers of a scenario speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceConditions {
    /// How far the noise around them is below their speech; none if there is no noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snr: Option<Decibels>,
    /// The band of their line.
    pub band: VoiceBand,
    /// The level of their speech without its pauses; that of the clips if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<SoundLevel>,
}

choice! {
    /// The band of a caller's line.
    #[schemars(rename = "RawVoiceBand")]
    pub VoiceBand {
        /// All that Opus carries.
        Full = "full",
        /// A telephone's: 300 to 3,400 Hz.
        Telephone = "telephone",
    }
}

/// How the words of turns without a clip become speech.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynthesisSettings {
    /// What synthesises.
    pub source: SpeechSource,
    /// How long one text may take.
    pub within: PositiveDuration,
    /// A file with the service's key, relative to the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
}

/// What synthesises speech.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeechSource {
    /// A program on this machine and its arguments; at least the program.
    Command(Vec<String>),
    /// A service with OpenAI's `/audio/speech`.
    Service {
        /// The address of the request, which ends with `/audio/speech`.
        url: String,
        /// The name of the model.
        model: String,
        /// The name of the voice.
        voice: String,
    },
}

impl SynthesisSettings {
    /// In an argument of a command: where the text goes. Without it, the text comes on the standard input.
    pub const TEXT: &str = "{text}";
}
