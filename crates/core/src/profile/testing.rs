//! Profiles for tests, from their text alone.

use super::explain::explain;
use super::load::{LoadedProfile, ProfileError, ProfileInput, load};
use super::settings::network::NetworkConditions;
use super::settings::profile::Profile;
use super::sources::no_files;
use crate::event::{Event, EventKind, FORMAT_VERSION, SessionHeader};
use crate::units::{SessionId, SessionTime};

/// Loads a profile that names no files, with no environment and no flags.
///
/// # Errors
/// All mistakes of an invalid profile.
pub fn load_text(text: &str) -> Result<LoadedProfile, ProfileError> {
    load(ProfileInput {
        file: "p.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &no_files,
    })
}

/// The profile of a text; panics with its mistakes as a user would see them.
pub fn profile_of(text: &str) -> Profile {
    load_text(text).unwrap_or_else(|error| panic!("{}", explain(&error, false))).profile
}

/// The event with which the journal of a session of this profile begins.
pub fn opened_with(profile: Profile) -> Event {
    let header = SessionHeader {
        format: FORMAT_VERSION,
        rushhour: "0.0.0".to_owned(),
        session: SessionId::new("session"),
        anchor: "2026-01-01T00:00:00Z".to_owned(),
        profile,
        profile_hash: String::new(),
        settings: Vec::new(),
        livekit_url: String::new(),
        evaluator_url: String::new(),
        planned: None,
        cores: 1,
    };
    Event { at: SessionTime::START, kind: EventKind::Opened(Box::new(header)) }
}

/// Network conditions for all callers, from their fields as JSON.
///
/// # Panics
/// If a field is mistaken.
pub fn network_conditions(fields: serde_json::Value) -> NetworkConditions {
    let mut json = serde_json::json!({ "name": "test", "share": "100%", "direction": "both" });
    let all = json.as_object_mut().expect("it is an object");
    if let serde_json::Value::Object(fields) = fields {
        all.extend(fields);
    }
    serde_json::from_value(json).expect("they are network conditions")
}
