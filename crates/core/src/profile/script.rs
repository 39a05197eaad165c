//! What our own callers say and expect: a scenario as a list of turns, from a TOML file of its own.

use std::collections::HashMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::check::Resolver;
use super::diagnostic::{Diagnostics, Located, Origin, SourceId, SourceSpan, SourceText};
use super::model::SessionMode;
use super::node::Node;
use super::raw::{RawGreeting, RawScenario, RawScript, RawTurn};
use super::read::Read;
use crate::units::{Mode, PositiveDuration};

/// Most turns of one script.
const MOST_TURNS: usize = 1_000;

/// A conversation from the caller's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// What the agent is expected to begin with; none where the caller begins.
    pub greeting: Option<ExpectedGreeting>,
    /// The turns, at least one.
    pub turns: Vec<ScriptTurn>,
}

/// What the agent is expected to begin with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectedGreeting {
    /// A regular expression that its words match.
    pub expect: Option<String>,
    /// How long after it joined it has to begin.
    pub within: PositiveDuration,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptTurn {
    /// What is written in chat.
    pub say: Option<String>,
    /// What is played in voice: a file, relative to the profile.
    pub play: Option<String>,
    /// A regular expression that the answer's words match.
    pub expect: Option<String>,
    /// How long after the last of ours the answer has to begin.
    pub within: PositiveDuration,
    /// How long the caller waits before it begins, once the agent is silent.
    pub pause: Option<PositiveDuration>,
    /// The caller begins this long after the agent began to speak, whether it has finished or not.
    pub interrupt: Option<PositiveDuration>,
}

/// The scripts of a profile by the path that it gives, as they are written.
pub(super) type RawScripts = HashMap<String, (SourceId, RawScript)>;

/// Reads the files of scripts that a profile names.
pub(super) fn read_scripts(
    scenarios: Option<&Located<Vec<RawScenario>>>,
    lend: &dyn Fn(&str) -> Result<Vec<u8>, String>,
    sources: &mut Vec<SourceText>,
    faults: &mut Diagnostics,
) -> RawScripts {
    let mut scripts = RawScripts::new();
    let named = scenarios.into_iter().flat_map(|at| &at.value).filter_map(|s| s.script.as_ref());
    for at in named {
        if scripts.contains_key(&at.value) {
            continue;
        }
        let text = lend(&at.value).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| "it is no text (UTF-8)".to_owned())
        });
        let text = match text {
            Ok(text) => text,
            Err(words) => {
                faults.at(
                    &at.place,
                    format!("this script cannot be read: {words}"),
                    "a TOML file, relative to the profile",
                );
                continue;
            }
        };
        let source = SourceId(sources.len());
        let tree = Node::parse(&text, source, faults);
        sources.push(SourceText { origin: Origin::Profile, name: at.value.clone(), text });
        if let Some(script) = RawScript::read(&tree, faults) {
            scripts.insert(at.value.clone(), (source, script));
        }
    }
    scripts
}

/// Decides a scenario's script; `None` where it has none, or none that can be used.
pub(super) fn check_script(
    path: &str,
    scenario: &RawScenario,
    scripts: &RawScripts,
    mode: SessionMode,
    checker: &mut Resolver<'_>,
) -> Option<Script> {
    let at = scenario.script.as_ref()?;
    checker.optional(&format!("{path}.script"), Some(at));
    let (source, raw) = scripts.get(&at.value)?;
    let folder = at.value.rsplit_once('/').map_or("", |(folder, _)| folder);
    let turns = raw.turn.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let whole = SourceSpan { source: *source, span: 0..0 };
    if turns.is_empty() && !raw.spoiled {
        checker.faults.at(&whole, "the script has no turn", "add [[turn]] with `say` or `play`");
        return None;
    }
    if turns.len() > MOST_TURNS {
        checker.faults.at(
            &whole,
            format!("{} turns are too many", turns.len()),
            format!("at most {MOST_TURNS}"),
        );
    }
    let greeting = raw.greeting.as_ref().map(|at| check_greeting(&at.value, checker));
    let has_greeting = greeting.is_some();
    let turns = turns
        .iter()
        .enumerate()
        .map(|(index, turn)| {
            let nothing_before = index == 0 && !has_greeting;
            check_turn(turn, (index, &whole), (folder, mode), nothing_before, checker)
        })
        .collect();
    Some(Script { greeting, turns })
}

fn check_greeting(raw: &RawGreeting, checker: &mut Resolver<'_>) -> ExpectedGreeting {
    ExpectedGreeting {
        expect: expression(raw.expect.as_ref(), checker),
        within: raw.within.as_ref().map_or(PositiveDuration::secs(10), |at| at.value),
    }
}

fn check_turn(
    raw: &RawTurn,
    (index, whole): (usize, &SourceSpan),
    (folder, mode): (&str, SessionMode),
    nothing_before: bool,
    checker: &mut Resolver<'_>,
) -> ScriptTurn {
    let number = index + 1;
    for mode in mode.modes() {
        let (missing, hint) = match mode {
            Mode::Chat => (raw.say.is_none(), "add `say`, the text to be written"),
            Mode::Voice => (raw.play.is_none(), "add `play`, a WAV or Ogg Opus file"),
        };
        if missing && !raw.spoiled {
            let place =
                [&raw.say, &raw.play].into_iter().flatten().next().map_or(whole, |at| &at.place);
            checker.faults.at(place, format!("turn {number} says nothing in {mode}"), hint);
        }
    }
    if let (true, Some(at)) = (nothing_before, &raw.interrupt) {
        checker.faults.at(
            &at.place,
            "there is nothing to interrupt before the first turn",
            "add [greeting], or move `interrupt` to a later turn",
        );
    }
    ScriptTurn {
        say: raw.say.as_ref().map(|at| at.value.clone()),
        play: raw.play.as_ref().map(|at| within(folder, &at.value)),
        expect: expression(raw.expect.as_ref(), checker),
        within: raw.within.as_ref().map_or(PositiveDuration::secs(20), |at| at.value),
        pause: raw.pause.as_ref().map(|at| at.value),
        interrupt: raw.interrupt.as_ref().map(|at| at.value),
    }
}

/// A script names files relative to itself; the profile, relative to the profile.
fn within(folder: &str, file: &str) -> String {
    if folder.is_empty() || file.starts_with('/') {
        file.to_owned()
    } else {
        format!("{folder}/{file}")
    }
}

fn expression(given: Option<&Located<String>>, checker: &mut Resolver<'_>) -> Option<String> {
    let at = given?;
    if let Err(error) = Regex::new(&at.value) {
        let words = error.to_string();
        let last = words.lines().last().unwrap_or_default().trim().to_owned();
        checker.faults.at(
            &at.place,
            format!("this is no regular expression: {last}"),
            "such as \"(?i)table|reservation\"",
        );
    }
    Some(at.value.clone())
}

#[cfg(test)]
mod tests;
