//! `[evaluator]` as written.

use crate::profile::from_node::{DottedTexts, Json, Named};
use crate::profile::settings::evaluator::ReconnectMode;
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
        /// How long the agent must be silent, and listen where it tells its state, before a native caller continues; native only.
        quiet: PositiveDuration,
        /// What a native caller answers when the agent calls it by RPC: `method = "payload"`, with the placeholders of `[caller]`. Other methods are answered as unsupported (error 1400); native only.
        rpc: DottedTexts,
        /// Which of the agent's audio tracks a native caller hears: "microphone" (its avatar's where it has one; its only track, where it publishes but one), "all", or a track's name; native only.
        hear: String,
        /// How long after its join an agent that has published no state is assumed to publish none, and is addressed; native only.
        stateless_after: PositiveDuration,
        /// How long an agent may be silent while its state is speaking, or a text stream of it is open, until it is taken to have finished; native only.
        longest_silence: PositiveDuration,
        /// How long an answer may take from its beginning to its end, pauses and tool calls included; native only.
        longest_answer: PositiveDuration,
        /// How long a tool may hold the rest of an answer back while the agent listens; one that runs for longer is taken to run in the background; native only.
        longest_tool: PositiveDuration,
        /// How long after the last agent left another one may take its place; native only.
        replaced_within: PositiveDuration,
        /// How long after an interruption the agent may go on with the sentence that it paused, which is then no new answer; native only.
        resumes_within: PositiveDuration,
        /// How long after the end of our interruption an agent that falls silent has yielded to it; later, it has finished what it was saying; native only.
        yields_within: PositiveDuration,
        /// Whether a native caller that loses its connection gets it back as LiveKit's clients do: the signal connection is resumed while media goes on, and joining again is the last resort. With "off", the run has failed (connection_lost); native only.
        reconnect: ReconnectMode,
        /// How often a native caller tries to get a lost connection back; native only.
        reconnect_attempts: u32,
        /// How long after a loss a native caller gives up; native only.
        reconnect_within: PositiveDuration,
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
