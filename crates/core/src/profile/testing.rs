//! Profiles for tests, from their text alone.

use super::explain::explain;
use super::load::{LoadedProfile, ProfileError, ProfileInput, load};
use super::settings::network::NetworkConditions;
use super::settings::profile::Profile;
use super::sources::no_files;

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

/// Network conditions for all callers, from the keys of their table, `name` and `share` left out.
///
/// # Panics
/// If the keys are mistaken.
pub fn network_conditions(keys: &str) -> NetworkConditions {
    let value: toml::Table = toml::from_str(keys).expect("they are TOML");
    let mut json = serde_json::to_value(value).expect("it has no dates");
    let fields = json.as_object_mut().expect("it is a table");
    fields.insert("name".to_owned(), "test".into());
    fields.insert("share".to_owned(), "100%".into());
    fields.entry("direction").or_insert_with(|| "both".into());
    serde_json::from_value(json).expect("they are network conditions")
}
