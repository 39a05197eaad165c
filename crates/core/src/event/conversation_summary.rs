//! How a conversation of a native caller ended, and what was special about it.

use serde::{Deserialize, Serialize};

use super::agent_rtc_stats::AgentRtcStats;
use super::connection_ratings::ConnectionRatings;
use super::is_default;
use super::received_audio::ReceivedAudio;
use crate::units::SessionTime;

/// How a conversation of a native caller ended.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ConversationEnd {
    /// The script was over, or the caller gave up: what failed is the outcome's to say.
    #[default]
    Caller,
    /// The agent left after its last answer.
    HungUp,
    /// The agent left before its last answer.
    HungUpEarly,
    /// The server lost the agent's connection: its process or its network is gone.
    ProcessGone,
    /// Somebody removed the agent from the room.
    Removed,
    /// The agent's session did not answer while its participant stayed: it was closed, or hung.
    SessionClosed,
    /// The room was deleted after the agent's last answer, by the agent as far as one can tell.
    RoomDeletedByAgent,
    /// The room was deleted before the agent's last answer, by the agent or by somebody else.
    RoomDeleted,
    /// The agent's audio is encrypted end to end.
    Encrypted,
    /// The session was stopped, or the run took too long.
    Stopped,
    /// The caller lost its connection.
    ConnectionLost,
    /// The caller hung up before the script was over, as some callers do.
    Abandoned,
}

impl ConversationEnd {
    /// The word that the journal has.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::HungUp => "hung_up",
            Self::HungUpEarly => "hung_up_early",
            Self::ProcessGone => "process_gone",
            Self::Removed => "removed",
            Self::SessionClosed => "session_closed",
            Self::RoomDeletedByAgent => "room_deleted_by_agent",
            Self::RoomDeleted => "room_deleted",
            Self::Encrypted => "encrypted",
            Self::Stopped => "stopped",
            Self::ConnectionLost => "connection_lost",
            Self::Abandoned => "abandoned",
        }
    }

    /// What happened, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Caller => "ended by the caller",
            Self::HungUp => "hung up by the agent after its last answer",
            Self::HungUpEarly => "hung up early by the agent",
            Self::ProcessGone => "the agent's process gone",
            Self::Removed => "the agent removed from the room",
            Self::SessionClosed => "the agent's session closed or hung",
            Self::RoomDeletedByAgent => "room deleted by the agent after its last answer",
            Self::RoomDeleted => "room deleted early, by the agent or somebody else",
            Self::Encrypted => "audio encrypted end to end",
            Self::Stopped => "stopped",
            Self::ConnectionLost => "the caller's connection lost",
            Self::Abandoned => "abandoned by the caller, which hung up early",
        }
    }
}

/// What a native caller has to say about a conversation beyond its turns and its outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationSummary {
    /// How it ended.
    pub ended: ConversationEnd,
    /// How often the agent handed over to another participant, or was replaced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hand_offs: u32,
    /// Whether the agent was hidden: it was there, but never announced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hidden: bool,
    /// Whether several agents were in the room when a turn began: each of them may answer it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub several_agents: bool,
    /// Turns that were said again because nobody heard them: before a session began, in a greeting, or in a hand-off.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unheard_turns: u32,
    /// Interruptions to which the agent did not yield, or after which it went on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignored_interruptions: u32,
    /// Texts of the agent of which a part did not arrive.
    #[serde(default, skip_serializing_if = "is_default")]
    pub incomplete_texts: u32,
    /// How often the caller showed that it listens, while the agent spoke.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backchannels: u32,
    /// How often the agent stopped for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub false_interruptions: u32,
    /// How often the agent said what a rule hears that had been followed as often as it may be.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules_used_up: u32,
    /// The number of the rule by which the caller hung up, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hung_up_by_rule: Option<u32>,
    /// When the agent was last active, as far as the caller saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_active: Option<SessionTime>,
    /// How LiveKit rated the agent's connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_connection: Option<ConnectionRatings>,
    /// How LiveKit rated the caller's connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_connection: Option<ConnectionRatings>,
    /// What the agent's own WebRTC stack had counted, where its session tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_rtc: Option<AgentRtcStats>,
    /// What the network did to the agent's voice on the way to the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<ReceivedAudio>,
}

impl ConversationSummary {
    /// Whether it says anything but when the agent was last active.
    pub fn says_anything(&self) -> bool {
        Self { last_active: None, ..*self } != Self::default()
    }

    /// The same with its time on another clock.
    #[must_use]
    pub fn on_clock(self, clock: impl Fn(SessionTime) -> SessionTime) -> Self {
        Self { last_active: self.last_active.map(clock), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Micros;

    #[test]
    fn an_end_is_named_as_in_the_journal() {
        use ConversationEnd as End;
        for end in [
            End::Caller,
            End::HungUp,
            End::HungUpEarly,
            End::ProcessGone,
            End::Removed,
            End::SessionClosed,
            End::RoomDeletedByAgent,
            End::RoomDeleted,
            End::Encrypted,
            End::Stopped,
            End::ConnectionLost,
            End::Abandoned,
        ] {
            assert_eq!(serde_json::to_value(end).unwrap(), end.name());
        }
    }

    #[test]
    fn a_summary_writes_only_what_is_special() {
        let plain = ConversationSummary { last_active: Some(SessionTime(5)), ..Default::default() };
        assert!(!plain.says_anything());
        let hung_up = ConversationSummary { ended: ConversationEnd::HungUp, ..plain };
        assert!(hung_up.says_anything());
        let text = serde_json::to_string(&hung_up).unwrap();
        assert_eq!(text, r#"{"ended":"hung_up","last_active":5}"#);
        assert_eq!(serde_json::from_str::<ConversationSummary>(&text).unwrap(), hung_up);
        let later = hung_up.on_clock(|at| at + Micros(3));
        assert_eq!(later.last_active, Some(SessionTime(8)));
    }
}
