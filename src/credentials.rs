//! Keys and secrets: from the environment, or from files that the profile names; never from the profile.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::CliError;
use rushhour_core::units::Secret;

/// Where one secret is looked for.
pub(crate) struct CredentialRequest<'a> {
    /// The environment variable.
    pub(crate) variable: &'a str,
    /// The file that the profile names, relative to the profile.
    pub(crate) file: Option<&'a str>,
    /// The setting that names the file; empty where there is none.
    pub(crate) setting: &'a str,
}

/// Finds a secret; the environment wins over a file.
pub(crate) fn find(wanted: &CredentialRequest<'_>, profile: &Path) -> Result<Secret, CliError> {
    let from_environment = std::env::var(wanted.variable).ok();
    if let Some(text) = &from_environment
        && !text.trim().is_empty()
    {
        return clean(text, wanted.variable);
    }
    let Some(file) = wanted.file else {
        let state = if from_environment.is_some() { "is empty" } else { "is not set" };
        let or_file = if wanted.setting.is_empty() {
            String::new()
        } else {
            format!(", or name a file that holds it with `{}` in the profile", wanted.setting)
        };
        return Err(CliError::usage(format!(
            "{} {state}; set it in the environment{or_file}",
            wanted.variable
        )));
    };
    let path: PathBuf = profile.parent().unwrap_or_else(|| Path::new(".")).join(file);
    let text = fs::read_to_string(&path).map_err(|error| {
        CliError::usage(format!(
            "cannot read {} that `{}` names: {error}",
            path.display(),
            wanted.setting
        ))
    })?;
    if text.trim().is_empty() {
        return Err(CliError::usage(format!(
            "{} that `{}` names is empty; write the secret into it, or set {}",
            path.display(),
            wanted.setting,
            wanted.variable
        )));
    }
    clean(&text, wanted.setting)
}

/// A secret is sent in a header: a line end in the middle of it is a slip of copying.
fn clean(text: &str, source: &str) -> Result<Secret, CliError> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(CliError::usage(format!(
            "{source} holds a line end or a character that no key has; copy it again"
        )));
    }
    Ok(Secret::new(text))
}
