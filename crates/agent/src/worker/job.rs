//! A job: what the server hands over with it, and how it ends.

use livekit_protocol as proto;

use crate::behaviour::JobFault;
use rushhour_core::units::{Identity, Mode, RoomName, Secret, SessionTime};

/// A job that is to be done now.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The job's id.
    pub job: String,
    /// The room to join.
    pub room: RoomName,
    /// As whom.
    pub identity: Identity,
    /// Where the server is, unless it is where the worker is.
    pub url: Option<String>,
    /// The token to join with.
    pub token: Secret,
    /// Whether it is a chat or a conversation.
    pub mode: Mode,
    /// The fault that is to show.
    pub fault: Option<JobFault>,
    /// When the job was assigned.
    pub assigned_at: SessionTime,
}

impl Assignment {
    /// A job as the server assigns it.
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

/// As whom the agent of a job joins; the name that LiveKit's framework gives.
pub(super) fn identity_of(job: &str) -> Identity {
    Identity::new(format!("agent-{job}"))
}

/// A chat where the dispatch metadata is a JSON object with `"text_mode": true`, else a conversation.
fn mode_of(metadata: &str) -> Mode {
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap_or_default();
    if metadata["text_mode"] == true { Mode::Chat } else { Mode::Voice }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// The conversation is over.
    Done,
    /// The agent never got in, lost its connection or crashed; in words.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_boolean_makes_a_chat() {
        assert_eq!(mode_of(r#"{"text_mode":true,"tenant":"acme"}"#), Mode::Chat);
        for voice in ["", "{}", "true", "[1]", r#"{"text_mode":false}"#, r#"{"text_mode":"true"}"#]
        {
            assert_eq!(mode_of(voice), Mode::Voice, "{voice}");
        }
    }
}
