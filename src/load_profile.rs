//! Reads a profile from its file, the environment and the flags.

use std::fs;
use std::io;
use std::path::Path;

use tracing::info;

use crate::arguments::ProfileArgs;
use crate::error::{CliError, ErrorKind};
use crate::print;
use rushhour_core::profile::{ENVIRONMENT_VARIABLES, LoadedProfile, ProfileInput, explain, load};
use rushhour_report::render::Style;

/// Secrets shorter than this, such as those of a development server, are also ordinary words of a profile.
const SHORTEST_SECRET: usize = 12;

/// Reads the profile that the arguments name, and prints what is wrong with it.
pub(crate) fn load_profile(arguments: &ProfileArgs) -> Result<LoadedProfile, CliError> {
    let path = &arguments.profile;
    let bytes = fs::read(path).map_err(|error| unreadable(path, error))?;
    refuse_secrets(&bytes, &arguments.set)?;
    let environment: Vec<(&'static str, String)> = ENVIRONMENT_VARIABLES
        .iter()
        .filter_map(|(name, _)| Some((*name, std::env::var(name).ok()?)))
        .collect();
    let file = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    let read_file = |name: &str| fs::read(folder.join(name));
    let input = ProfileInput {
        file: &file,
        bytes: &bytes,
        environment: &environment,
        flags: &arguments.set,
        read_file: &read_file,
    };
    let loaded = load(input).map_err(|invalid| {
        print::stderr(&explain(&invalid, print::stderr_style() == Style::Colours));
        print::stderr("");
        CliError::new(ErrorKind::InvalidProfile, format!("{invalid}: {file}"))
    })?;
    let profile = &loaded.profile;
    info!(file, name = profile.name, seed = profile.seed, mode = %profile.mode, "loaded the profile");
    Ok(loaded)
}

fn unreadable(path: &Path, error: io::Error) -> CliError {
    let shown = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        return CliError::usage(format!("there is no profile {shown}"))
            .with_hint("correct the path, or write a profile to start from with `rushhour init`");
    }
    let failed = CliError::usage(format!("cannot read the profile {shown}"));
    if path.is_dir() {
        return failed.caused_by(error).with_hint("name a TOML file, not a folder");
    }
    failed.caused_by(error)
}

/// A secret in a profile would be written into every journal and report.
fn refuse_secrets(profile: &[u8], flags: &[String]) -> Result<(), CliError> {
    for variable in ["LIVEKIT_API_SECRET", "CEKURA_API_KEY"] {
        let Ok(secret) = std::env::var(variable) else { continue };
        let secret = secret.trim();
        let has_secret =
            |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        if secret.len() >= SHORTEST_SECRET
            && (has_secret(profile) || flags.iter().any(|flag| has_secret(flag.as_bytes())))
        {
            return Err(CliError::new(
                ErrorKind::InvalidProfile,
                format!("the profile contains the value of {variable}"),
            )
            .with_hint("remove it from the profile and from --set; the environment is enough"));
        }
    }
    Ok(())
}
