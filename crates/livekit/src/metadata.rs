//! Dispatch metadata, which the agent reads, and room metadata, by which `sweep` knows its own rooms.

use serde_json::{Map, Value, json};

use rushhour_core::profile::{CallerSettings, LiveKitSettings, Metadata, RunVariables};
use rushhour_core::units::{Mode, RunIndex, SessionId};

use super::token::ParticipantClaims;

/// The dispatch metadata of a run: the user's own keys, `scenario_id`, and the key that makes the agent
/// chat. A JSON object, because Cekura's tracer reads its top-level keys; `scenario_id` is a number where
/// the id is numeric. Where the user gives a text instead, it stands alone.
pub fn dispatch_metadata(settings: &LiveKitSettings, run: &RunVariables<'_>) -> String {
    let Metadata::Object(own) = &settings.metadata else { return settings.metadata.fill_in(run) };
    let mut metadata = run.fill_in_object(own);
    let scenario = run.scenario.as_str();
    let id = scenario.parse::<u64>().map_or_else(|_| Value::from(scenario), Value::from);
    metadata.insert("scenario_id".to_owned(), id);
    let text_mode = match run.mode {
        Mode::Voice => &settings.text_mode.voice,
        Mode::Chat => &settings.text_mode.chat,
    };
    if let Some(value) = text_mode {
        metadata.insert(settings.text_mode.key.clone(), value.clone());
    }
    Value::Object(metadata).to_string()
}

/// What the token of a run's caller says of it.
pub fn caller_claims(settings: &CallerSettings, run: &RunVariables<'_>) -> ParticipantClaims {
    ParticipantClaims {
        kind: settings.kind,
        name: settings.name.as_ref().map(|name| name.fill_in(run)).unwrap_or_default(),
        metadata: settings.metadata.as_ref().map(|own| own.fill_in(run)).unwrap_or_default(),
        attributes: settings.attributes_of(run),
    }
}

/// The metadata of a run's room: the user's own keys, and the mark of the session that created it.
pub fn room_metadata_with(
    own: &Map<String, Value>,
    session: &SessionId,
    run: &RunVariables<'_>,
) -> String {
    let mut metadata = run.fill_in_object(own);
    metadata.extend(room_mark(session, run.run));
    Value::Object(metadata).to_string()
}

/// The metadata of a room: the session that created it, and the run.
pub fn room_metadata(session: &SessionId, run: RunIndex) -> String {
    Value::Object(room_mark(session, run)).to_string()
}

fn room_mark(session: &SessionId, run: RunIndex) -> Map<String, Value> {
    let mark = json!({ "session": session.as_str(), "run": run.0 });
    Map::from_iter([("rushhour".to_owned(), mark)])
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
    use rushhour_core::profile::CallerKind;
    use rushhour_core::profile::testing::profile_of;
    use rushhour_core::units::ScenarioId;

    fn settings(extra: &str) -> LiveKitSettings {
        let text = format!(
            "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{extra}\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n"
        );
        profile_of(&text).livekit
    }

    fn dispatched(extra: &str, mode: Mode) -> String {
        let scenario = ScenarioId::new("30");
        let run = RunVariables { run: RunIndex(7), scenario: &scenario, seed: 1, mode };
        dispatch_metadata(&settings(extra), &run)
    }

    fn metadata(extra: &str, mode: Mode) -> Value {
        serde_json::from_str(&dispatched(extra, mode)).unwrap()
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
    fn placeholders_become_those_of_the_run_and_a_text_stands_alone() {
        let own = "metadata = { user = \"{mode}-{run}\" }";
        assert_eq!(
            metadata(own, Mode::Chat),
            json!({ "user": "chat-7", "scenario_id": 30, "text_mode": true })
        );
        assert_eq!(dispatched("metadata = \"+49-{run}\"", Mode::Chat), "+49-7");
    }

    #[test]
    fn a_room_with_metadata_of_the_user_still_has_its_owner() {
        let owner = RoomOwner { session: SessionId::new("20261122T213015Z-a"), run: RunIndex(7) };
        let own = settings("room_metadata = { tenant = \"acme\", line = \"{run}\" }").room_metadata;
        let scenario = ScenarioId::new("30");
        let run = RunVariables { run: owner.run, scenario: &scenario, seed: 1, mode: Mode::Voice };
        let text = room_metadata_with(&own, &owner.session, &run);
        let metadata: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&metadata["tenant"], &metadata["line"]), (&json!("acme"), &json!("7")));
        assert_eq!(parse_room_owner(&text), Some(owner.clone()));
        // Without any, the mark is all.
        let bare = room_metadata_with(&Map::new(), &owner.session, &run);
        assert_eq!(bare, room_metadata(&owner.session, owner.run));
    }

    #[test]
    fn a_telephone_has_the_attributes_of_a_call_unless_the_profile_gives_others() {
        let claims = |caller: &str| {
            let text = format!(
                "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{caller}\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n"
            );
            let scenario = ScenarioId::new("30");
            let run =
                RunVariables { run: RunIndex(7), scenario: &scenario, seed: 1, mode: Mode::Voice };
            caller_claims(&profile_of(&text).caller, &run)
        };
        assert_eq!(claims(""), ParticipantClaims::default());
        let phone = claims(
            "[caller]\nkind = \"sip\"\nname = \"Phone {run}\"\nmetadata = { id = \"{run}\" }\n[caller.attributes]\nsip.phoneNumber = \"+493{run}\"\nsip.callStatus = \"ringing\"",
        );
        assert_eq!((&*phone.name, &*phone.metadata), ("Phone 7", "{\"id\":\"7\"}"));
        assert_eq!(phone.kind, CallerKind::Sip);
        let attributes: Vec<(&str, &str)> =
            phone.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            attributes,
            [
                ("sip.callID", "SCL_rushhour_7"),
                ("sip.callStatus", "ringing"),
                ("sip.phoneNumber", "+4937"),
            ]
        );
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
