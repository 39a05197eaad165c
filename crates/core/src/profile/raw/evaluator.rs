//! `[evaluator]` as written.

use crate::profile::from_node::{Json, Named};
use crate::profile::table::{choice, raw_table};
use crate::units::{Decibels, PositiveDuration, SoundLevel};

raw_table! {
    /// Who talks to the agent.
    RawEvaluator {
        /// Which evaluator.
        kind: RawEvaluatorKind,
        /// The service's base URL; CEKURA_API_URL overrides it.
        url: String,
        /// A file that holds the key, instead of CEKURA_API_KEY; relative to the profile.
        key_file: String,
        /// How many entries share one request. With more than one, Rushhour may have to assume which run belongs to which entry.
        entries_per_request: u32,
        /// How long a request waits for further entries.
        fill_within: PositiveDuration,
        /// Cekura's agent, if its scenarios have none assigned; chat only.
        agent: u64,
        /// A data message for the evaluator to publish in the room; chat only.
        publish_data_message: Named<Json>,
        /// How often to poll a run that may have ended.
        poll_every: PositiveDuration,
        /// How long a native caller may take to join the room; native only.
        join_within: PositiveDuration,
        /// How long after joining the agent may take until it listens; native only.
        ready_within: PositiveDuration,
        /// How long the agent must be silent before a native caller continues; native only.
        quiet: PositiveDuration,
        /// The level above which sound on the agent's track may be speech; voice of native callers only.
        speech_threshold: SoundLevel,
        /// How far speech must stand above the noise on the agent's own track; voice of native callers only.
        speech_margin: Decibels,
        /// The path that starts voice runs.
        voice_path: String,
        /// The path that starts chat runs.
        chat_path: String,
        /// The path that returns the status of runs.
        runs_path: String,
        /// The path that ends one run; `{id}` stands for the run.
        end_call_path: String,
    }
}

choice! {
    /// Which evaluator.
    pub(crate) RawEvaluatorKind {
        /// Cekura's service.
        Cekura = "cekura",
        /// The embedded stand-in for Cekura.
        Sandbox = "sandbox",
        /// Rushhour's own callers over WebRTC; each scenario needs a `script`.
        Native = "native",
    }
}
