//! Who talks to the agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::template::Template;
use crate::profile::table::choice;
use crate::profile::target_kind::travels_in_clear;
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

impl CekuraSettings {
    /// The address to which the key travels in clear, other than on this machine.
    pub fn address_in_clear(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| travels_in_clear(url))
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
    /// What a caller answers when the agent calls it by RPC, by method.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rpc: BTreeMap<String, Template>,
    /// Which of the agent's audio tracks a caller hears.
    #[serde(default, skip_serializing_if = "HearTrack::is_default")]
    pub hear: HearTrack,
    /// How patient a caller is.
    #[serde(flatten)]
    pub patience: CallerPatience,
    /// How hard a caller tries to stay in its room.
    #[serde(flatten)]
    pub staying: ReconnectSettings,
    /// What of the agent's audio is speech; journals of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<SpeechSettings>,
}

/// Which of the agent's audio tracks a caller hears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum HearTrack {
    /// The track of its microphone; its only track, where it publishes but one.
    #[default]
    Microphone,
    /// Every track.
    All,
    /// The track with this name.
    Named(String),
}

impl HearTrack {
    fn is_default(&self) -> bool {
        *self == Self::Microphone
    }
}

impl From<String> for HearTrack {
    fn from(text: String) -> Self {
        match text.as_str() {
            "microphone" => Self::Microphone,
            "all" => Self::All,
            _ => Self::Named(text),
        }
    }
}

impl From<HearTrack> for String {
    fn from(hear: HearTrack) -> Self {
        match hear {
            HearTrack::Microphone => "microphone".to_owned(),
            HearTrack::All => "all".to_owned(),
            HearTrack::Named(name) => name,
        }
    }
}

/// How long a native caller waits for what an agent may never say. Left out of files where it is the default, as in
/// files of earlier versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallerPatience {
    /// How long after its join an agent without a state is assumed to publish none.
    #[serde(skip_serializing_if = "is_default_stateless_after")]
    pub stateless_after: PositiveDuration,
    /// How long an agent may be silent in a state, or with an open text stream, that says it is speaking.
    #[serde(skip_serializing_if = "is_default_longest_silence")]
    pub longest_silence: PositiveDuration,
    /// How long an answer may take, with pauses and tool calls.
    #[serde(skip_serializing_if = "is_default_longest_answer")]
    pub longest_answer: PositiveDuration,
    /// How long a tool may hold an answer back while the agent listens.
    #[serde(skip_serializing_if = "is_default_longest_tool")]
    pub longest_tool: PositiveDuration,
    /// How long after the last agent left another may take its place.
    #[serde(skip_serializing_if = "is_default_replaced_within")]
    pub replaced_within: PositiveDuration,
    /// How long after an interruption an agent may go on with the same sentence.
    #[serde(skip_serializing_if = "is_default_resumes_within")]
    pub resumes_within: PositiveDuration,
    /// How long after the end of an interruption an agent that falls silent has yielded to it.
    #[serde(skip_serializing_if = "is_default_yields_within")]
    pub yields_within: PositiveDuration,
}

impl CallerPatience {
    /// What holds where a profile says nothing else.
    pub const DEFAULT: Self = Self {
        stateless_after: PositiveDuration::secs(3),
        longest_silence: PositiveDuration::secs(5),
        longest_answer: PositiveDuration::secs(60),
        longest_tool: PositiveDuration::secs(30),
        replaced_within: PositiveDuration::secs(5),
        resumes_within: PositiveDuration::secs(3),
        yields_within: PositiveDuration::secs(3),
    };
}

impl Default for CallerPatience {
    fn default() -> Self {
        Self::DEFAULT
    }
}

macro_rules! is_default {
    ($($name:ident: $field:ident,)*) => {
        $(
            fn $name(value: &PositiveDuration) -> bool {
                *value == CallerPatience::DEFAULT.$field
            }
        )*
    };
}

is_default! {
    is_default_stateless_after: stateless_after,
    is_default_longest_silence: longest_silence,
    is_default_longest_answer: longest_answer,
    is_default_longest_tool: longest_tool,
    is_default_replaced_within: replaced_within,
    is_default_resumes_within: resumes_within,
    is_default_yields_within: yields_within,
}

choice! {
    /// Whether a caller that loses its connection tries to get it back.
    #[schemars(rename = "RawReconnect")]
    pub ReconnectMode {
        /// It does what LiveKit's clients do.
        On = "on",
        /// The run has failed.
        Off = "off",
    }
}

/// How hard a native caller tries to stay in its room. Left out of files where it is the default, as in files of earlier
/// versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReconnectSettings {
    /// Whether it tries at all.
    #[serde(rename = "reconnect", skip_serializing_if = "ReconnectMode::is_default")]
    pub mode: ReconnectMode,
    /// The most attempts for one loss, at least 1.
    #[serde(rename = "reconnect_attempts", skip_serializing_if = "is_default_reconnect_attempts")]
    pub attempts: u32,
    /// How long after a loss it gives up.
    #[serde(rename = "reconnect_within", skip_serializing_if = "is_default_reconnect_within")]
    pub within: PositiveDuration,
}

impl ReconnectSettings {
    /// What LiveKit's clients do (client-sdk-js, `DefaultReconnectPolicy.ts`): ten attempts, the last some 45 s after
    /// the loss.
    pub const DEFAULT: Self =
        Self { mode: ReconnectMode::On, attempts: 10, within: PositiveDuration::secs(60) };
}

impl Default for ReconnectSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl ReconnectMode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    const fn is_default(&self) -> bool {
        matches!(self, Self::On)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_default_reconnect_attempts(attempts: &u32) -> bool {
    *attempts == ReconnectSettings::DEFAULT.attempts
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_default_reconnect_within(within: &PositiveDuration) -> bool {
    *within == ReconnectSettings::DEFAULT.within
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
