//! Resolves `[speech]` and the `voice` of a scenario.

use super::resolver::Resolver;
use crate::profile::address::parse_speech_url;
use crate::profile::diagnostic::Located;
use crate::profile::raw::speech::{RawSpeech, RawVoice};
use crate::profile::settings::voice::{
    SpeechSource, SynthesisSettings, VoiceBand, VoiceConditions,
};
use crate::units::PositiveDuration;

/// `None` if nothing could synthesise.
pub(super) fn resolve_synthesis(
    raw: &Located<RawSpeech>,
    is_native: bool,
    resolver: &mut Resolver<'_>,
) -> Option<SynthesisSettings> {
    let table = &raw.value;
    if !is_native {
        resolver.diagnostics.conflict(
            &raw.span,
            "[speech] is for native callers, and this profile has none",
            "set evaluator.kind = \"native\", or remove [speech]",
        );
    }
    let source = match (&table.command, &table.url) {
        (Some(command), Some(_)) => {
            resolver.diagnostics.conflict(
                &command.span,
                "[speech] has a command and a service",
                "remove `command` or `url`",
            );
            return None;
        }
        (None, None) => {
            if !table.has_errors {
                resolver.diagnostics.missing_at(
                    &raw.span,
                    "[speech] says nothing",
                    "add `command`, such as \"espeak-ng --stdout\", or `url`, `model` and `voice`",
                );
            }
            return None;
        }
        (Some(command), None) => resolve_command(command, table, resolver)?,
        (None, Some(url)) => resolve_service(url, raw, resolver)?,
    };
    Some(SynthesisSettings {
        source,
        within: resolver.or_default(
            "speech.within",
            table.within.as_ref(),
            PositiveDuration::secs(30),
        ),
        key_file: resolver.optional("speech.key_file", table.key_file.as_ref()),
    })
}

fn resolve_command(
    command: &Located<String>,
    table: &RawSpeech,
    resolver: &mut Resolver<'_>,
) -> Option<SpeechSource> {
    for (name, given) in
        [("model", &table.model), ("voice", &table.voice), ("key_file", &table.key_file)]
    {
        if let Some(at) = given {
            resolver.diagnostics.conflict(
                &at.span,
                format!("`{name}` is for a service, and this is a command"),
                "remove it, or write `url` instead of `command`; a command has arguments",
            );
        }
    }
    resolver.optional("speech.command", Some(command));
    let words = shlex::split(&command.value).unwrap_or_default();
    if words.first().is_none_or(String::is_empty) {
        resolver.diagnostics.invalid(
            &command.span,
            "this is not a command: it is empty, or a quote is not closed",
            "write a program and its arguments, such as \"espeak-ng --stdout\"",
        );
        return None;
    }
    Some(SpeechSource::Command(words))
}

fn resolve_service(
    url: &Located<String>,
    raw: &Located<RawSpeech>,
    resolver: &mut Resolver<'_>,
) -> Option<SpeechSource> {
    resolver.optional("speech.url", Some(url));
    let parsed = parse_speech_url(&url.value);
    if let Err(problem) = &parsed {
        let (message, hint) = (problem.message.clone(), problem.hint.clone());
        resolver.diagnostics.at(problem.kind, &url.span, message, hint);
    }
    let mut named = |name: &str, given: &Option<Located<String>>| {
        let given = given.as_ref().filter(|at| !at.value.trim().is_empty());
        if given.is_none() && !raw.value.has_errors {
            resolver.diagnostics.missing_at(
                &raw.span,
                format!("[speech] has no `{name}`"),
                format!("add the name of a {name} that the service has"),
            );
        }
        resolver.optional(&format!("speech.{name}"), given)
    };
    let model = named("model", &raw.value.model);
    let voice = named("voice", &raw.value.voice);
    Some(SpeechSource::Service { url: parsed.ok()?, model: model?, voice: voice? })
}

/// How the callers of a scenario sound.
pub(super) fn resolve_voice(
    path: &str,
    raw: &Located<RawVoice>,
    is_native: bool,
    resolver: &mut Resolver<'_>,
) -> VoiceConditions {
    let table = &raw.value;
    if !is_native {
        resolver.diagnostics.conflict(
            &raw.span,
            "`voice` is for native callers, and this profile has none",
            "set evaluator.kind = \"native\", or remove `voice`",
        );
    }
    VoiceConditions {
        snr: resolver.optional(&format!("{path}.voice.snr"), table.snr.as_ref()),
        band: resolver.or_default(
            &format!("{path}.voice.band"),
            table.band.as_ref(),
            VoiceBand::Full,
        ),
        level: resolver.optional(&format!("{path}.voice.level"), table.level.as_ref()),
    }
}
