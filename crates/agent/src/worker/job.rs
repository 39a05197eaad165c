//! A job: what the server assigns, and how it ends.

use livekit_protocol as proto;

use crate::behaviour::JobFault;
use rushhour_core::units::{Identity, Micros, Mode, RoomName, Secret, SessionTime};

/// An assigned job.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    /// The job's id.
    pub(crate) job: String,
    pub(crate) room: RoomName,
    /// The agent's identity in the room.
    pub(crate) identity: Identity,
    /// The room's server, if it is not the worker's.
    pub(crate) url: Option<String>,
    /// The token to join with.
    pub(crate) token: Secret,
    pub(crate) mode: Mode,
    pub(crate) fault: Option<JobFault>,
    pub(crate) assigned_at: SessionTime,
}

impl Assignment {
    /// `None` if the server's message lacks the job or its room.
    pub(super) fn new(
        assignment: proto::JobAssignment,
        fault: Option<JobFault>,
        assigned_at: SessionTime,
    ) -> Option<Self> {
        let job = assignment.job?;
        let room = job.room?;
        Some(Self {
            identity: identity_of(&job.id),
            job: job.id,
            room: RoomName::new(room.name),
            url: assignment.url.filter(|url| !url.is_empty()),
            token: Secret::new(assignment.token),
            mode: mode_of(&job.metadata),
            fault,
            assigned_at,
        })
    }
}

/// The identity of a job's agent, as LiveKit's framework names it.
pub(super) fn identity_of(job: &str) -> Identity {
    Identity::new(format!("agent-{job}"))
}

/// Chat if the dispatch metadata is a JSON object with `"text_mode": true`, otherwise voice.
fn mode_of(metadata: &str) -> Mode {
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap_or_default();
    if metadata["text_mode"] == true { Mode::Chat } else { Mode::Voice }
}

/// What the agent that takes over a conversation has to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandOver {
    /// The identity of the agent that takes over.
    pub(crate) to: Identity,
    /// When the first agent began to hand over.
    pub(crate) since: SessionTime,
    /// Before the other joins.
    pub(crate) gap: Micros,
    /// The caller.
    pub(crate) caller: Option<Identity>,
    /// The number of the caller's turns so far.
    pub(crate) turn: u32,
    /// How many of them were answered.
    pub(crate) answered: u32,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    /// The job ended with it.
    Job(JobEnd),
    /// Another agent goes on with the job.
    HandedOver(Box<HandOver>),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobEnd {
    /// The conversation ended.
    Done,
    /// The agent could not join, lost its connection or crashed; with the reason.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_boolean_selects_chat() {
        assert_eq!(mode_of(r#"{"text_mode":true,"tenant":"acme"}"#), Mode::Chat);
        for voice in ["", "{}", "true", "[1]", r#"{"text_mode":false}"#, r#"{"text_mode":"true"}"#]
        {
            assert_eq!(mode_of(voice), Mode::Voice, "{voice}");
        }
    }
}
