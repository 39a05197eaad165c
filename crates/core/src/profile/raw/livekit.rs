//! `[livekit]` as written.

use crate::profile::from_node::{Json, MetadataTable, MetadataValue};
use crate::profile::settings::livekit::{DispatchMethod, MediaTransport};
use crate::profile::table::raw_table;
use crate::units::PositiveDuration;

raw_table! {
    /// The LiveKit server, and how the agent gets into the rooms.
    RawLiveKit {
        /// The LiveKit server, such as "wss://example.livekit.cloud"; "sandbox" for the embedded stand-in. LIVEKIT_URL overrides it.
        url: String,
        /// The address of the server API, where Rushhour reaches it under another one than the callers and the evaluator, such as "http://livekit:7880" in docker compose.
        api_url: String,
        /// The agent's name, as its worker registers it.
        agent: String,
        /// How the agent is dispatched.
        dispatch: DispatchMethod,
        /// Added to `text_mode` and `scenario_id` in the dispatch metadata, which the agent reads as `ctx.job.metadata`; a text is sent as it is, with neither. `{run}`, `{scenario}`, `{seed}` and `{mode}` stand for those of the run.
        metadata: MetadataValue,
        /// A table that is added to Rushhour's mark in the metadata of each room, which the agent reads as `ctx.room.metadata`; with the same placeholders.
        room_metadata: MetadataTable,
        /// How the dispatch metadata asks the agent for chat.
        text_mode: RawTextMode,
        /// The prefix of every room name; `sweep` searches for it.
        room_prefix: String,
        /// Whether an agent must be in the room before the evaluator is asked to call.
        wait_for_agent: bool,
        /// An agent that joins later than this counts as late.
        agent_within: PositiveDuration,
        /// How long to wait for an agent to join.
        give_up_after: PositiveDuration,
        /// A file that holds the API key, instead of LIVEKIT_API_KEY; relative to the profile.
        key_file: String,
        /// A file that holds the API secret, instead of LIVEKIT_API_SECRET; relative to the profile.
        secret_file: String,
        /// A file with the certificates (PEM) of authorities that are trusted beside the system's and those of SSL_CERT_FILE, such as a company's own; relative to the profile.
        ca_file: String,
        /// The way of the callers' media and data to the server.
        transport: MediaTransport,
    }
}

raw_table! {
    /// How the dispatch metadata asks the agent for chat.
    RawTextMode {
        /// The key in the dispatch metadata.
        key: String,
        /// Its value in chat.
        chat: Json,
        /// Its value in voice; by default the key is left out.
        voice: Json,
    }
}
