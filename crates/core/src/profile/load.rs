//! Loads a profile: the file, overridden by the environment, overridden by flags.

use super::diagnostic::{
    Diagnostic, DiagnosticKind, Diagnostics, Origin, SourceId, SourceSpan, SourceText,
};
use super::from_node::FromNode;
use super::overrides::{apply_flag, apply_variable};
use super::raw::RawProfile;
use super::redaction::tokens_in;
use super::resolve::{ResolveInput, ResolvedSetting, read_prices, read_scripts, resolve_profile};
use super::settings::profile::Profile;
use super::sources::{ReadFile, Sources};

/// The largest file that is read as a profile, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The texts that a profile is read from.
#[derive(Clone, Copy)]
pub struct ProfileInput<'a> {
    /// The file's name for messages.
    pub file: &'a str,
    /// The file's content.
    pub bytes: &'a [u8],
    /// The variables of [`ENVIRONMENT_VARIABLES`](super::ENVIRONMENT_VARIABLES) that are set, with their values.
    pub environment: &'a [(&'static str, String)],
    /// Flags `key=value`; later ones override earlier ones.
    pub flags: &'a [String],
    /// Reads the scripts and the price file that the profile names.
    pub read_file: ReadFile<'a>,
}

/// A valid profile and the origin of each setting.
#[derive(Debug, Clone)]
pub struct LoadedProfile {
    /// The profile.
    pub profile: Profile,
    /// Every resolved setting, in the order of the profile.
    pub settings: Vec<ResolvedSetting>,
}

/// An invalid profile, with every mistake in it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} in the profile", match diagnostics.len() { 1 => "1 mistake".to_owned(), n => format!("{n} mistakes") })]
pub struct ProfileError {
    /// The texts that were read.
    pub sources: Vec<SourceText>,
    /// The mistakes, in the order of the texts; at least one.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads a profile.
///
/// # Errors
/// If the profile is invalid: all of its mistakes at once.
pub fn load(input: ProfileInput<'_>) -> Result<LoadedProfile, ProfileError> {
    let mut sources = Sources::new(input.read_file);
    let mut diagnostics = Diagnostics::default();
    match load_from(input, &mut sources, &mut diagnostics) {
        Some(loaded) if diagnostics.is_empty() => Ok(loaded),
        _ => Err(ProfileError {
            sources: sources.into_texts(),
            diagnostics: diagnostics.into_sorted(),
        }),
    }
}

fn load_from(
    input: ProfileInput<'_>,
    sources: &mut Sources<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<LoadedProfile> {
    let text = read_text(input.bytes)
        .map_err(|message| {
            let hint = "`rushhour init` writes a profile to start from";
            diagnostics.without_span(DiagnosticKind::Syntax, message, hint);
        })
        .ok()?;
    let (_, mut tree) = sources.parse(Origin::Profile, input.file, text, diagnostics);
    if !diagnostics.is_empty() {
        // After a syntax error, tables that were read in part would cause false reports.
        return None;
    }
    for (variable, value) in input.environment {
        apply_variable(&mut tree, variable, value, sources, diagnostics);
    }
    for flag in input.flags {
        apply_flag(&mut tree, flag, sources, diagnostics);
    }
    reject_tokens(sources.texts(), diagnostics);
    let raw = RawProfile::from_node(&tree, diagnostics).unwrap_or_default();
    let scripts = read_scripts(raw.scenario.as_ref(), sources, diagnostics);
    let prices = read_prices(raw.prices.as_ref(), sources, diagnostics);
    let resolve_input = ResolveInput {
        raw: &raw,
        file_stem: file_stem(input.file),
        scripts: &scripts,
        prices,
        sources: sources.texts(),
    };
    let (profile, settings) = resolve_profile(resolve_input, diagnostics)?;
    Some(LoadedProfile { profile, settings })
}

/// A token in a profile would end up in every journal and report.
fn reject_tokens(sources: &[SourceText], diagnostics: &mut Diagnostics) {
    for (number, source) in sources.iter().enumerate() {
        for range in tokens_in(&source.text) {
            diagnostics.at(
                DiagnosticKind::Secret,
                &SourceSpan { source: SourceId(number), range },
                "this looks like a token, which would end up in every journal and report",
                "keep tokens out of profiles: Rushhour needs only LIVEKIT_API_SECRET and CEKURA_API_KEY",
            );
        }
    }
}

fn read_text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > LARGEST {
        let megabytes = bytes.len() as f64 / 1e6;
        return Err(format!("a file of {megabytes:.0} MB is too large for a profile"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("byte {} is not UTF-8 text", error.valid_up_to()))?;
    if text.trim().is_empty() {
        return Err("the profile is empty".to_owned());
    }
    Ok(text)
}

fn file_stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

#[cfg(test)]
mod tests;
