//! Reads and resolves the scripts of native callers, each in a TOML file of its own.

use std::collections::HashMap;

use regex::Regex;

use super::resolver::Resolver;
use super::scenarios::ScenarioContext;
use super::script_rules::{
    resolve_abandonment, resolve_backchannel, resolve_redial, resolve_rules,
};
use crate::event::KeyWords;
use crate::profile::diagnostic::{DiagnosticKind, Diagnostics, Located, SourceId, SourceSpan};
use crate::profile::from_node::FromNode;
use crate::profile::raw::scenario::{RawGreeting, RawScenario, RawScript, RawTurn};
use crate::profile::settings::script::{ExpectedGreeting, Script, ScriptTurn};
use crate::profile::sources::Sources;
use crate::units::{DtmfKey, Mode, PositiveDuration};

const MOST_TURNS: usize = 1_000;
/// The most keys of one turn.
const MOST_KEYS: usize = 64;

/// The scripts that a profile names, by the path in the profile.
pub(crate) type RawScripts = HashMap<String, (SourceId, RawScript)>;

/// Reads the scripts that the scenarios name.
pub(crate) fn read_scripts(
    scenarios: Option<&Located<Vec<RawScenario>>>,
    sources: &mut Sources<'_>,
    diagnostics: &mut Diagnostics,
) -> RawScripts {
    let mut scripts = RawScripts::new();
    let named = scenarios.into_iter().flat_map(|at| &at.value).filter_map(|s| s.script.as_ref());
    for at in named {
        if scripts.contains_key(&at.value) {
            continue;
        }
        let (source, tree) =
            match sources.read_file(&at.value, &["turn", "greeting", "rule"], diagnostics) {
                Ok(read) => read,
                Err(error) => {
                    diagnostics.at(
                        DiagnosticKind::UnreadableFile,
                        &at.span,
                        format!("this script cannot be read: {error}"),
                        "name a TOML file, relative to the profile",
                    );
                    continue;
                }
            };
        if let Some(script) = RawScript::from_node(&tree, diagnostics) {
            scripts.insert(at.value.clone(), (source, script));
        }
    }
    scripts
}

/// `None` if the scenario has no script, or its script cannot be used.
pub(super) fn resolve_script(
    path: &str,
    scenario: &RawScenario,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> Option<Script> {
    let at = scenario.script.as_ref()?;
    resolver.optional(&format!("{path}.script"), Some(at));
    let (source, raw) = context.scripts.get(&at.value)?;
    let turns = raw.turn.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let start = SourceSpan { source: *source, range: 0..0 };
    if turns.is_empty() && !raw.has_errors {
        resolver.diagnostics.missing_at(
            &start,
            "the script has no turns",
            "add [[turn]] with `say`, `play` or `dtmf`",
        );
        return None;
    }
    if turns.len() > MOST_TURNS {
        resolver.diagnostics.invalid(
            &start,
            format!("{} turns are too many", turns.len()),
            format!("write at most {MOST_TURNS}"),
        );
    }
    let greeting = raw.greeting.as_ref().map(|at| resolve_greeting(&at.value, resolver));
    if let (None, Some(at)) = (&greeting, turns.first().and_then(|turn| turn.interrupt.as_ref())) {
        resolver.diagnostics.conflict(
            &at.span,
            "there is nothing to interrupt before the first turn",
            "add [greeting], or move `interrupt` to a later turn",
        );
    }
    let folder = at.value.rsplit_once('/').map_or("", |(folder, _)| folder);
    let turns = turns
        .iter()
        .enumerate()
        .map(|(index, turn)| {
            check_turn_has_content(index + 1, turn, &start, context, resolver);
            resolve_turn(turn, folder, context, resolver)
        })
        .collect();
    let rules = resolve_rules(raw.rule.as_ref(), folder, context, resolver);
    let abandon = raw.abandon.as_ref().and_then(|at| resolve_abandonment(at, resolver));
    let redial = raw.redial.as_ref().and_then(|at| resolve_redial(at, context, resolver));
    Some(Script { greeting, turns, rules, abandon, redial, background: None })
}

fn resolve_greeting(raw: &RawGreeting, resolver: &mut Resolver<'_>) -> ExpectedGreeting {
    ExpectedGreeting {
        expect: resolve_expression(raw.expect.as_ref(), resolver),
        within: raw.within.as_ref().map_or(PositiveDuration::secs(10), |at| at.value),
    }
}

/// Every turn needs text in chat and audio in voice.
fn check_turn_has_content(
    number: usize,
    raw: &RawTurn,
    start: &SourceSpan,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) {
    for mode in context.mode.modes() {
        let presses_keys = raw.dtmf.is_some();
        let (missing, hint) = match mode {
            Mode::Chat => (!has_words(raw.say.as_ref()), "add `say`, the text to send"),
            Mode::Voice => {
                let has_words = has_words(raw.say.as_ref());
                let is_said = raw.play.is_some() || has_words && context.synthesises;
                let hint = if raw.say.is_some() {
                    "add `play`, a WAV or Ogg Opus file, or [speech] to the profile, which says what `say` has"
                } else {
                    "add `play`, a WAV or Ogg Opus file, or `dtmf`, keys to press"
                };
                (!is_said && !presses_keys, hint)
            }
        };
        if missing && !raw.has_errors {
            let span = [&raw.say, &raw.play, &raw.dtmf]
                .into_iter()
                .flatten()
                .next()
                .map_or(start, |at| &at.span);
            let message = if presses_keys {
                format!("turn {number} presses keys, and a {mode} has none")
            } else {
                format!("turn {number} says nothing in {mode}")
            };
            resolver.diagnostics.missing_at(span, message, hint);
        }
    }
}

/// Whether there is anything in a text that can be sent or said.
pub(super) fn has_words(text: Option<&Located<String>>) -> bool {
    text.is_some_and(|at| !at.value.trim().is_empty())
}

/// The keys of a telephone, which are pressed where otherwise a clip is played.
pub(super) fn resolve_keys(
    given: Option<&Located<String>>,
    plays: bool,
    resolver: &mut Resolver<'_>,
) -> Option<String> {
    let at = given?;
    if plays {
        resolver.diagnostics.conflict(
            &at.span,
            "a turn either plays a clip or presses keys",
            "make two turns of it",
        );
    }
    if let Some(sign) = at.value.chars().find(|sign| DtmfKey::new(*sign).is_none()) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("a telephone has no key `{sign}`"),
            "write keys such as \"12#\": 0 to 9, *, #, A to D",
        );
    } else if at.value.is_empty() || at.value.len() > MOST_KEYS {
        resolver.diagnostics.invalid(
            &at.span,
            format!("{} keys cannot be pressed in a turn", at.value.len()),
            format!("write 1 to {MOST_KEYS} keys"),
        );
    }
    Some(at.value.clone())
}

/// The words that the agent must hear.
fn resolve_key_words(raw: &RawTurn, resolver: &mut Resolver<'_>) -> Vec<String> {
    let Some(at) = &raw.hears else { return Vec::new() };
    if at.value.len() > KeyWords::MOST {
        resolver.diagnostics.invalid(
            &at.span,
            format!("{} key words are too many for one turn", at.value.len()),
            format!("write at most {}", KeyWords::MOST),
        );
    }
    for key_word in at.value.iter().filter(|one| !KeyWords::can_be_heard(&one.value)) {
        resolver.diagnostics.invalid(
            &key_word.span,
            format!("no word of `{}` can be heard", key_word.value),
            "write words, and spellings of the same word with | between them, such as \"eight|8\"",
        );
    }
    if let (Some(keys), None) = (&raw.dtmf, &raw.play) {
        resolver.diagnostics.conflict(
            &keys.span,
            "keys are pressed, and nothing of them is heard",
            "remove `hears`, or `dtmf`",
        );
    }
    at.value.iter().map(|key_word| key_word.value.clone()).collect()
}

fn resolve_turn(
    raw: &RawTurn,
    folder: &str,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> ScriptTurn {
    ScriptTurn {
        say: raw.say.as_ref().map(|at| at.value.clone()),
        play: raw.play.as_ref().map(|at| path_from_profile(folder, &at.value)),
        dtmf: resolve_keys(raw.dtmf.as_ref(), raw.play.is_some(), resolver),
        hears: resolve_key_words(raw, resolver),
        expect: resolve_expression(raw.expect.as_ref(), resolver),
        within: raw.within.as_ref().map_or(PositiveDuration::secs(20), |at| at.value),
        pause: raw.pause.as_ref().map(|at| at.value),
        interrupt: raw.interrupt.as_ref().map(|at| at.value),
        backchannel: raw
            .backchannel
            .as_ref()
            .map(|at| resolve_backchannel(at, folder, context, resolver)),
    }
}

/// Turns the path of a file relative to the script, in `folder`, into one relative to the profile.
pub(super) fn path_from_profile(folder: &str, file: &str) -> String {
    if folder.is_empty() || file.starts_with('/') {
        file.to_owned()
    } else {
        format!("{folder}/{file}")
    }
}

fn resolve_expression(
    given: Option<&Located<String>>,
    resolver: &mut Resolver<'_>,
) -> Option<String> {
    let at = given?;
    if let Err(error) = Regex::new(&at.value) {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim();
        resolver.diagnostics.invalid(
            &at.span,
            format!("this is not a regular expression: {reason}"),
            "write one such as \"(?i)table|reservation\"",
        );
    }
    Some(at.value.clone())
}

#[cfg(test)]
mod tests;
