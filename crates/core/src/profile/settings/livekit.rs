//! The LiveKit server, and how the agent gets into the rooms.

use serde::{Deserialize, Serialize};
use url::Url;

use super::template::Metadata;
use crate::profile::table::choice;
use crate::profile::target_kind::{TargetKind, target_kind, travels_in_clear};
use crate::units::{AgentName, PositiveDuration};

choice! {
    /// How the agent is dispatched.
    #[schemars(rename = "RawDispatch")]
    pub DispatchMethod {
        /// CreateDispatch into a room that was created with an agents list, which keeps the server from launching a nameless job as well.
        Explicit = "explicit",
        /// CreateDispatch into a room that was created without an agents list; the open-source server slows down above some 20 starts a second.
        ExplicitFresh = "explicit-fresh",
        /// The room is created with the agent in its configuration.
        Room = "room",
        /// The evaluator's token carries the agent in its room configuration; joining creates the room.
        Token = "token",
        /// Rushhour does not dispatch: LiveKit dispatches the agent automatically to every room.
        None = "none",
    }
}

choice! {
    /// The way of the callers' media and data to the server.
    #[schemars(rename = "RawTransport")]
    pub MediaTransport {
        /// UDP; where it does not connect in time, TCP and the server's TURN servers as well.
        Any = "any",
        /// UDP alone.
        Udp = "udp",
        /// ICE over TCP alone (port 7881).
        Tcp = "tcp",
        /// The TURN servers that the server names alone, over UDP, TCP or TLS.
        Relay = "relay",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro takes no attribute of a variant")]
impl Default for MediaTransport {
    fn default() -> Self {
        Self::Any
    }
}

impl MediaTransport {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// A LiveKit server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveKitTarget {
    /// The embedded stand-in.
    Sandbox,
    /// A server's URL, `ws://` or `wss://`.
    Url(String),
}

/// The LiveKit server, and how the agent gets into the rooms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveKitSettings {
    /// The server.
    pub target: LiveKitTarget,
    /// The address of the server API, where it is not the one that callers and the evaluator join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// How the agent is dispatched, and which one.
    pub dispatch: AgentDispatch,
    /// The user's keys of the dispatch metadata, or the whole of it.
    pub metadata: Metadata,
    /// The user's keys of the rooms' metadata.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub room_metadata: serde_json::Map<String, serde_json::Value>,
    /// How the dispatch metadata asks the agent for chat.
    pub text_mode: TextMode,
    /// The prefix of every room name.
    pub room_prefix: String,
    /// Whether an agent must be in the room before the evaluator is asked to call.
    pub wait_for_agent: bool,
    /// An agent that joins later than this counts as late.
    pub agent_within: PositiveDuration,
    /// How long to wait for an agent; at least `agent_within`.
    pub give_up_after: PositiveDuration,
    /// A file with the API key, relative to the profile.
    pub key_file: Option<String>,
    /// A file with the API secret, relative to the profile.
    pub secret_file: Option<String>,
    /// A file with certificates of further authorities, relative to the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The way of the callers' media and data.
    #[serde(default, skip_serializing_if = "MediaTransport::is_any")]
    pub transport: MediaTransport,
}

impl LiveKitSettings {
    /// The address of the server API of a server that is not the sandbox.
    pub fn server_api(&self) -> Option<&str> {
        match &self.target {
            LiveKitTarget::Sandbox => None,
            LiveKitTarget::Url(url) => Some(self.api_url.as_deref().unwrap_or(url)),
        }
    }

    /// Whether the server is LiveKit Cloud.
    pub fn is_livekit_cloud(&self) -> bool {
        self.server_api().is_some_and(|url| {
            Url::parse(url).is_ok_and(|url| target_kind(&url) == TargetKind::LiveKitCloud)
        })
    }

    /// The addresses to which tokens and media travel in clear, other than on this machine.
    pub fn addresses_in_clear(&self) -> Vec<&str> {
        let target = match &self.target {
            LiveKitTarget::Sandbox => None,
            LiveKitTarget::Url(url) => Some(url.as_str()),
        };
        let addresses = [target, self.api_url.as_deref()].into_iter().flatten();
        addresses.filter(|address| travels_in_clear(address)).collect()
    }
}

/// How the agent is dispatched, and which one; see [`DispatchMethod`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum AgentDispatch {
    /// CreateDispatch into a room that was created with an agents list.
    Explicit {
        /// The agent's name.
        agent: AgentName,
    },
    /// CreateDispatch into a room that was created without an agents list.
    ExplicitFresh {
        /// The agent's name.
        agent: AgentName,
    },
    /// The room is created with the agent in its configuration.
    Room {
        /// The agent's name.
        agent: AgentName,
    },
    /// The evaluator's token carries the agent; joining creates the room.
    Token {
        /// The agent's name.
        agent: AgentName,
    },
    /// LiveKit's automatic dispatch.
    None,
}

impl AgentDispatch {
    /// The method without the agent.
    pub const fn method(&self) -> DispatchMethod {
        match self {
            Self::Explicit { .. } => DispatchMethod::Explicit,
            Self::ExplicitFresh { .. } => DispatchMethod::ExplicitFresh,
            Self::Room { .. } => DispatchMethod::Room,
            Self::Token { .. } => DispatchMethod::Token,
            Self::None => DispatchMethod::None,
        }
    }

    /// The agent's name; `None` with automatic dispatch.
    pub const fn agent(&self) -> Option<&AgentName> {
        match self {
            Self::Explicit { agent }
            | Self::ExplicitFresh { agent }
            | Self::Room { agent }
            | Self::Token { agent } => Some(agent),
            Self::None => None,
        }
    }
}

/// The key of the dispatch metadata that asks the agent for chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextMode {
    /// The key.
    pub key: String,
    /// Its value in chat; the key is left out if there is none.
    pub chat: Option<serde_json::Value>,
    /// Its value in voice; the key is left out if there is none.
    pub voice: Option<serde_json::Value>,
}
