//! What a dispatch tells the agent, and what a room tells a sweep.

use serde_json::{Map, Value, json};

use rushhour_core::profile::LiveKitSettings;
use rushhour_core::units::{Mode, RunIndex, ScenarioId, SessionId};

/// The dispatch metadata of a run: the user's own keys, `scenario_id`, and what tells the agent to
/// hold a chat. A JSON object, because Cekura's tracer reads its top-level keys; `scenario_id` is a
/// number where it is one.
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

/// The metadata of a room: which session made it, and for which run.
pub fn room_metadata(session: &SessionId, run: RunIndex) -> String {
    json!({ "rushhour": { "session": session.as_str(), "run": run.0 } }).to_string()
}

/// What the metadata of a room says of who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomOwner {
    /// The session.
    pub session: SessionId,
    /// The run.
    pub run: RunIndex,
}

/// Reads what [`room_metadata`] wrote; none where the room is not of any session of ours.
pub fn room_mark(metadata: &str) -> Option<RoomOwner> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let mark = metadata.get("rushhour")?;
    let session = mark.get("session")?.as_str().filter(|session| !session.is_empty())?;
    let run = mark.get("run")?.as_u64()?;
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
    fn only_our_own_mark_is_read() {
        let mark = RoomOwner { session: SessionId::new("20261122T213015Z-a"), run: RunIndex(7) };
        assert_eq!(room_mark(&room_metadata(&mark.session, mark.run)), Some(mark));
        for foreign in [
            "",
            "{}",
            "rushhour",
            "{\"rushhour\":true}",
            "{\"rushhour\":{\"session\":\"\",\"run\":1}}",
            "{\"rushhour\":{\"session\":\"a\",\"run\":-1}}",
            "{\"session\":\"a\",\"run\":1}",
        ] {
            assert_eq!(room_mark(foreign), None, "{foreign}");
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
