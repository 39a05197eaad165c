//! Who of a room's participants is an agent, and who an avatar.

use livekit_protocol as proto;

/// The attribute in which an avatar names the agent whose voice it publishes.
const PUBLISH_ON_BEHALF: &str = "lk.publish_on_behalf";

/// Whether a participant is an agent or part of one: its kind says so, or it has the permission of an agent, as those
/// have whose token was signed elsewhere than in LiveKit's dispatch (Pipecat's helper).
#[expect(deprecated, reason = "LiveKit still sends the permission, and agents still have it alone")]
pub fn is_agent(info: &proto::ParticipantInfo) -> bool {
    info.kind() == proto::participant_info::Kind::Agent
        || info.permission.as_ref().is_some_and(|permission| permission.agent)
}

/// The agent on whose behalf a participant publishes, where it is an avatar.
pub fn represented(info: &proto::ParticipantInfo) -> Option<&str> {
    let agent = info.attributes.get(PUBLISH_ON_BEHALF)?;
    (!agent.is_empty()).then_some(agent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn an_agent_has_the_kind_or_the_permission() {
        let info = proto::ParticipantInfo::default();
        assert!(!is_agent(&info));
        let kind = proto::participant_info::Kind::Agent.into();
        assert!(is_agent(&proto::ParticipantInfo { kind, ..info.clone() }));
        #[expect(deprecated, reason = "what is tested")]
        let permission = proto::ParticipantPermission { agent: true, ..Default::default() };
        assert!(is_agent(&proto::ParticipantInfo { permission: Some(permission), ..info }));
    }

    #[test]
    fn an_avatar_names_its_agent() {
        let of = |agent: &str| proto::ParticipantInfo {
            attributes: HashMap::from([(PUBLISH_ON_BEHALF.to_owned(), agent.to_owned())]),
            ..proto::ParticipantInfo::default()
        };
        assert_eq!(represented(&of("agent-1")), Some("agent-1"));
        assert_eq!(represented(&of("")), None);
        assert_eq!(represented(&proto::ParticipantInfo::default()), None);
    }
}
