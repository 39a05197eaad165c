//! Reads a profile from its file, the environment and the flags.

use std::io;
use std::path::Path;

use tracing::info;

use crate::arguments::ProfileArgs;
use crate::bounded_file::{MAX_KEY, MAX_PROFILE, MAX_TEXT, read_bounded};
use crate::error::{CliError, ErrorKind};
use crate::print;
use crate::profile_files::ProfileFiles;
use rushhour_core::profile::{
    ENVIRONMENT_VARIABLES, LoadedProfile, Profile, ProfileInput, explain, load,
};
use rushhour_report::render::Style;

/// Secrets shorter than this, such as those of a development server, are also ordinary words of a profile.
const SHORTEST_SECRET: usize = 12;

/// Reads the profile that the arguments name, and prints what is wrong with it.
pub(crate) fn load_profile(arguments: &ProfileArgs) -> Result<LoadedProfile, CliError> {
    let path = &arguments.profile;
    let bytes = read_bounded(path, MAX_PROFILE).map_err(|error| unreadable(path, error))?;
    let flags = arguments.overrides();
    refuse_secrets(&bytes, &flags)?;
    let environment: Vec<(&'static str, String)> = ENVIRONMENT_VARIABLES
        .iter()
        .filter_map(|(name, _)| Some((*name, std::env::var(name).ok()?)))
        .collect();
    let file = path.display().to_string();
    let files = arguments.files();
    let read_file = |name: &str| files.read(name, MAX_TEXT);
    let input = ProfileInput {
        file: &file,
        bytes: &bytes,
        environment: &environment,
        flags: &flags,
        read_file: &read_file,
    };
    let loaded = load(input).map_err(|invalid| {
        print::stderr(&explain(&invalid, print::stderr_style() == Style::Colours));
        print::stderr("");
        CliError::new(ErrorKind::InvalidProfile, format!("{invalid}: {file}"))
    })?;
    let profile = &loaded.profile;
    refuse_keys_of_files(profile, &files, &bytes, &flags)?;
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
    for variable in ["LIVEKIT_API_SECRET", "CEKURA_API_KEY", "SPEECH_API_KEY"] {
        let Ok(secret) = std::env::var(variable) else { continue };
        if contains_secret(profile, flags, &secret) {
            return Err(repeats_secret(
                &format!("the value of {variable}"),
                "remove it from the profile and from --set; the environment is enough",
            ));
        }
    }
    Ok(())
}

/// The same for secrets in files that the profile names.
fn refuse_keys_of_files(
    profile: &Profile,
    files: &ProfileFiles,
    text: &[u8],
    flags: &[String],
) -> Result<(), CliError> {
    let judge = profile.judging.as_ref().map(|judging| &judging.cekura);
    let cekura = profile.evaluator.cekura().into_iter().chain(judge);
    let speech = profile.speech.iter().map(|speech| &speech.key_file);
    let named = [&profile.livekit.secret_file]
        .into_iter()
        .chain(cekura.map(|one| &one.key_file))
        .chain(speech);
    for file in named.flatten() {
        // A file that cannot be read is reported where its key is needed: the environment may have it.
        let Ok(secret) = files.read_key(file, MAX_KEY) else { continue };
        if contains_secret(text, flags, &String::from_utf8_lossy(&secret)) {
            return Err(repeats_secret(
                &format!("the secret that is in the file {file}"),
                "remove it from the profile and from --set; the file is enough",
            ));
        }
    }
    Ok(())
}

fn contains_secret(profile: &[u8], flags: &[String], secret: &str) -> bool {
    let secret = secret.trim();
    let has_secret =
        |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
    secret.len() >= SHORTEST_SECRET
        && (has_secret(profile) || flags.iter().any(|flag| has_secret(flag.as_bytes())))
}

fn repeats_secret(what: &str, hint: &str) -> CliError {
    CliError::new(ErrorKind::InvalidProfile, format!("the profile contains {what}")).with_hint(hint)
}
