//! Dispatch metadata, which the agent reads, and room metadata, by which `sweep` knows its own rooms.

use serde_json::{Map, Value, json};

use rushhour_core::profile::LiveKitSettings;
use rushhour_core::units::{Mode, RunIndex, ScenarioId, SessionId};

/// The dispatch metadata of a run: the user's own keys, `scenario_id`, and the key that makes the agent
/// chat. A JSON object, because Cekura's tracer reads its top-level keys; `scenario_id` is a number where
/// the id is numeric.
pub fn dispatch_metadata(settings: &LiveKitSettings, scenario: &ScenarioId, mode: Mode) -> String {
    let mut metadata: Map<String, Value> = settings.metadata.clone();
    let scenario = scenario.as_str();
    let id = scenario.parse::<u64>().map_or_else(|_| Value::from(scenario), Value::from);
    metadata.insert("scenario_id".to_owned(), id);
    let text_mode = match mode {
        Mode::Voice => &settings.text_mode.voice,
        Mode::Chat => &settings.text_mode.chat,
    };
    if let Some(value) = text_mode {
        metadata.insert(settings.text_mode.key.clone(), value.clone());
    }
    Value::Object(metadata).to_string()
}

/// The metadata of a room: the session that created it, and the run.
pub fn room_metadata(session: &SessionId, run: RunIndex) -> String {
    json!({ "rushhour": { "session": session.as_str(), "run": run.0 } }).to_string()
}

/// Who created a room, from its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomOwner {
    /// The session.
    pub session: SessionId,
    /// The run.
    pub run: RunIndex,
}

/// Parses what [`room_metadata`] wrote; `None` for a room that no session created.
pub fn parse_room_owner(metadata: &str) -> Option<RoomOwner> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let owner = metadata.get("rushhour")?;
    let session = owner.get("session")?.as_str().filter(|session| !session.is_empty())?;
    let run = owner.get("run")?.as_u64()?;
    Some(RoomOwner { session: SessionId::new(session), run: RunIndex(run) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::profile::testing::profile_of;

    fn settings(extra: &str) -> LiveKitSettings {
        let text = format!(
            "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{extra}\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n"
        );
        profile_of(&text).livekit
    }

    fn metadata(extra: &str, mode: Mode) -> Value {
        let text = dispatch_metadata(&settings(extra), &ScenarioId::new("30"), mode);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn text_mode_is_a_boolean_in_chat_and_absent_in_voice() {
        let own = "metadata = { tenant = \"acme\" }";
        assert_eq!(
            metadata(own, Mode::Chat),
            json!({ "tenant": "acme", "scenario_id": 30, "text_mode": true })
        );
        assert_eq!(metadata(own, Mode::Voice), json!({ "tenant": "acme", "scenario_id": 30 }));
    }

    #[test]
    fn only_metadata_of_a_session_is_parsed() {
        let owner = RoomOwner { session: SessionId::new("20261122T213015Z-a"), run: RunIndex(7) };
        assert_eq!(parse_room_owner(&room_metadata(&owner.session, owner.run)), Some(owner));
        for foreign in [
            "",
            "{}",
            "rushhour",
            "{\"rushhour\":true}",
            "{\"rushhour\":{\"session\":\"\",\"run\":1}}",
            "{\"rushhour\":{\"session\":\"a\",\"run\":-1}}",
            "{\"session\":\"a\",\"run\":1}",
        ] {
            assert_eq!(parse_room_owner(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn other_conventions_can_be_set() {
        let other = "text_mode = { key = \"channel\", chat = \"text\", voice = \"audio\" }";
        assert_eq!(metadata(other, Mode::Chat)["channel"], "text");
        assert_eq!(metadata(other, Mode::Voice)["channel"], "audio");
        assert!(metadata(other, Mode::Chat).get("text_mode").is_none());
    }
}
