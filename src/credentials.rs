//! Keys and secrets: from the environment, or from files that the profile names; never from the profile itself.

use std::ffi::OsStr;
use std::io;

use tracing::debug;

use crate::bounded_file::MAX_KEY;
use crate::error::CliError;
use crate::known_secrets;
use crate::profile_files::ProfileFiles;
use rushhour_core::units::Secret;

/// Where to look for one secret.
pub(crate) struct CredentialRequest<'a> {
    /// The environment variable.
    pub(crate) variable: &'a str,
    /// The file that the profile names, relative to the profile.
    pub(crate) file: Option<&'a str>,
    /// The setting that names the file; none where there is no profile.
    pub(crate) setting: Option<&'a str>,
}

/// A secret of the environment alone, where there is no profile.
pub(crate) fn from_environment(variable: &str) -> Result<Secret, CliError> {
    find(&CredentialRequest { variable, file: None, setting: None }, &ProfileFiles::none())
}

/// The same, where it need not be set. One that is empty is not: that is what CI makes of a secret that it does not have.
pub(crate) fn optional_from_environment(variable: &str) -> Result<Option<Secret>, CliError> {
    let is_given = std::env::var_os(variable).is_some_and(|value| !is_blank(&value));
    is_given.then(|| from_environment(variable)).transpose()
}

fn is_blank(value: &OsStr) -> bool {
    value.to_string_lossy().trim().is_empty()
}

/// Finds a secret. The environment takes precedence over a file.
pub(crate) fn find(
    request: &CredentialRequest<'_>,
    files: &ProfileFiles,
) -> Result<Secret, CliError> {
    let variable = request.variable;
    let value = std::env::var(variable).ok();
    if let Some(text) = &value
        && !text.trim().is_empty()
    {
        debug!(variable, "found a credential in the environment");
        return parse(text, variable);
    }
    let (Some(file), Some(setting)) = (request.file, request.setting) else {
        let state = if value.is_some() { "is empty" } else { "is not set" };
        let hint = match request.setting {
            Some(setting) => format!(
                "set it in the environment, or name a file that holds it with `{setting}` in the profile"
            ),
            None => "set it in the environment".to_owned(),
        };
        return Err(CliError::usage(format!("{variable} {state}")).with_hint(hint));
    };
    let path = files.path(file);
    let named = format!("{} that `{setting}` names", path.display());
    let text = files.read_key(file, MAX_KEY).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is not a text"))
    });
    let text = text.map_err(|error| {
        CliError::usage(format!("cannot read the file {named}"))
            .caused_by(error)
            .with_hint(format!("correct the path, name its folder with --files, or set {variable}"))
    })?;
    if text.trim().is_empty() {
        return Err(CliError::usage(format!("the file {named} is empty"))
            .with_hint(format!("write the secret into it, or set {variable}")));
    }
    debug!(variable, file = %path.display(), "found a credential in a file");
    let secret = parse(&text, setting)?;
    known_secrets::remember(&secret);
    Ok(secret)
}

/// A secret is sent in a header, so a line end within it is a copying mistake.
fn parse(text: &str, source: &str) -> Result<Secret, CliError> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(CliError::usage(format!(
            "{source} contains a line end or another character that no key has"
        ))
        .with_hint("copy it again"));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_need_not_be_set_may_be_empty() {
        assert!(is_blank(OsStr::new("")) && is_blank(OsStr::new(" \n")));
        assert!(!is_blank(OsStr::new("Bearer x")));
        assert!(optional_from_environment("RUSHHOUR_SET_BY_NOBODY").unwrap().is_none());
    }
}
