//! Profiles for tests, from their text alone.

use super::load::{InvalidProfile, LoadedProfile, ProfileInput, load, no_files};
use super::model::Profile;

/// Loads a profile that names no files, with no environment and no flags.
///
/// # Errors
/// All mistakes of an invalid profile.
pub fn load_text(text: &str) -> Result<LoadedProfile, InvalidProfile> {
    load(ProfileInput {
        file: "p.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        files: &no_files,
    })
}

/// The profile that a text says; a mistake in it is told as a user would see it.
pub fn profile_of(text: &str) -> Profile {
    load_text(text)
        .unwrap_or_else(|refused| panic!("{}", super::explain::explain(&refused, false)))
        .profile
}
