//! Reading a profile from its file, the environment and the flags.

use std::fs;
use std::io;
use std::path::Path;

use crate::arguments::ProfileArguments;
use crate::exit::{CliError, Exit};
use crate::print;
use rushhour_core::profile::{ENVIRONMENT_VARIABLES, LoadedProfile, ProfileInput, explain, load};
use rushhour_report::report::Style;

/// Reads the profile that the arguments name.
pub(crate) fn load_profile(arguments: &ProfileArguments) -> Result<LoadedProfile, CliError> {
    let path = &arguments.profile;
    let bytes = fs::read(path).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "; `rushhour init` writes one to start from",
            _ => "",
        };
        CliError::usage(format!("cannot read the profile {}: {error}{hint}", path.display()))
    })?;
    refuse_own_secrets(&bytes, &arguments.set)?;
    let environment: Vec<(&'static str, String)> = ENVIRONMENT_VARIABLES
        .iter()
        .filter_map(|(name, _)| Some((*name, std::env::var(name).ok()?)))
        .collect();
    let file = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    let lend = |name: &str| fs::read(folder.join(name));
    let input = ProfileInput {
        file: &file,
        bytes: &bytes,
        environment: &environment,
        flags: &arguments.set,
        read_file: &lend,
    };
    load(input).map_err(|refused| {
        print::err(&explain(&refused, print::err_style() == Style::Colours));
        print::err("");
        CliError { exit: Exit::ProfileInvalid, message: format!("{refused}: {file}") }
    })
}

/// A profile that holds a secret of the environment would put it into every journal and report.
fn refuse_own_secrets(profile: &[u8], flags: &[String]) -> Result<(), CliError> {
    /// Shorter ones, such as a development server's, are words of their own.
    const SHORTEST: usize = 12;
    for variable in ["LIVEKIT_API_SECRET", "CEKURA_API_KEY"] {
        let Ok(secret) = std::env::var(variable) else { continue };
        let secret = secret.trim();
        let holds =
            |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        if secret.len() >= SHORTEST
            && (holds(profile) || flags.iter().any(|flag| holds(flag.as_bytes())))
        {
            return Err(CliError {
                exit: Exit::ProfileInvalid,
                message: format!(
                    "the value of {variable} stands in the profile; take it out, the environment is enough"
                ),
            });
        }
    }
    Ok(())
}
