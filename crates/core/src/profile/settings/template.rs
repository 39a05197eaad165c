//! Texts with placeholders for what differs from run to run, such as `user-{run}`.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::units::{Mode, RunIndex, ScenarioId};

/// What the placeholders of a run stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunVariables<'a> {
    /// `{run}`: its number, as in `runs.csv`.
    pub run: RunIndex,
    /// `{scenario}`: the id of its scenario.
    pub scenario: &'a ScenarioId,
    /// `{seed}`: the seed of the session.
    pub seed: u64,
    /// `{mode}`: `voice` or `chat`.
    pub mode: Mode,
}

/// The placeholders that a text may hold.
pub(crate) const PLACEHOLDERS: [&str; 4] = ["run", "scenario", "seed", "mode"];

/// A text with placeholders. `{{run}}` stands for the text `{run}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

impl Template {
    /// The text as written; `unknown_placeholder` says whether it may be used.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text of a run.
    pub fn fill_in(&self, run: &RunVariables<'_>) -> String {
        run.fill_in(&self.0)
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Metadata of a participant, a room or a dispatch: to LiveKit a text, to most agents a JSON object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metadata {
    /// A JSON object; placeholders are filled in in its strings.
    Object(Map<String, Value>),
    /// A text, which is sent as it is.
    Text(Template),
}

impl Metadata {
    /// The metadata of a run.
    pub fn fill_in(&self, run: &RunVariables<'_>) -> String {
        match self {
            Self::Object(object) => Value::Object(run.fill_in_object(object)).to_string(),
            Self::Text(text) => text.fill_in(run),
        }
    }
}

impl RunVariables<'_> {
    /// Replaces the placeholders in a text. Braces around anything else stay, as in JSON.
    pub fn fill_in(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut copied = 0;
        for Placeholder { place, name, is_escaped } in placeholders(text) {
            let value = match (is_escaped, name) {
                (true, name) => format!("{{{name}}}"),
                (false, "run") => self.run.0.to_string(),
                (false, "scenario") => self.scenario.to_string(),
                (false, "seed") => self.seed.to_string(),
                (false, "mode") => self.mode.to_string(),
                (false, _) => continue,
            };
            filled.push_str(&text[copied..place.start]);
            filled.push_str(&value);
            copied = place.end;
        }
        filled.push_str(&text[copied..]);
        filled
    }

    /// Replaces the placeholders in the strings of a JSON object, at any depth. Keys stay as they are.
    pub fn fill_in_object(&self, object: &Map<String, Value>) -> Map<String, Value> {
        object.iter().map(|(key, value)| (key.clone(), self.fill_in_value(value))).collect()
    }

    fn fill_in_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill_in(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_in_value(item)).collect(),
            Value::Object(object) => Value::Object(self.fill_in_object(object)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

/// The first placeholder in a text that stands for nothing.
pub(crate) fn unknown_placeholder(text: &str) -> Option<&str> {
    placeholders(text)
        .find(|one| !one.is_escaped && !PLACEHOLDERS.contains(&one.name))
        .map(|one| one.name)
}

/// The first placeholder in the strings of a JSON value that stands for nothing.
pub(crate) fn unknown_placeholder_in(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => unknown_placeholder(text),
        Value::Array(items) => items.iter().find_map(unknown_placeholder_in),
        Value::Object(object) => object.values().find_map(unknown_placeholder_in),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A name in braces.
struct Placeholder<'a> {
    /// With the braces, of which there are two on either side where it is escaped.
    place: Range<usize>,
    name: &'a str,
    is_escaped: bool,
}

/// The names in braces: lower-case letters, digits and `_`, beginning with a letter, so that no JSON is one.
fn placeholders(text: &str) -> impl Iterator<Item = Placeholder<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let open = from + text[from..].find('{')?;
            from = open + 1;
            let length = text[from..].find(|c: char| !is_of_name(c))?;
            let name = &text[from..from + length];
            let close = from + length;
            let is_name = name.starts_with(|c: char| c.is_ascii_lowercase());
            if is_name && text[close..].starts_with('}') {
                let is_escaped = text[..open].ends_with('{') && text[close..].starts_with("}}");
                let place = if is_escaped { open - 1..close + 2 } else { open..close + 1 };
                from = place.end;
                return Some(Placeholder { place, name, is_escaped });
            }
        }
    })
}

const fn is_of_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(text: &str) -> String {
        let scenario = ScenarioId::new("30");
        let run = RunVariables { run: RunIndex(7), scenario: &scenario, seed: 3, mode: Mode::Chat };
        run.fill_in(text)
    }

    #[test]
    fn placeholders_are_replaced_and_other_braces_stay() {
        for (text, expected) in [
            ("user-{run}", "user-7"),
            ("{run}{scenario}{seed}{mode}", "7303chat"),
            ("{\"id\":\"{run}\",\"of\":{\"n\":{run}}}", "{\"id\":\"7\",\"of\":{\"n\":7}}"),
            ("{{run}} {{{run}}}", "{run} {{run}}"),
            ("{} {Run} {run } { run} {run", "{} {Run} {run } { run} {run"),
            ("é{run}ß", "é7ß"),
            ("", ""),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn a_name_in_braces_that_stands_for_nothing_is_found() {
        for (text, unknown) in [
            ("{runs}", Some("runs")),
            ("{run} {user_id}", Some("user_id")),
            ("{{user}} {run} {\"a\":1} {1}", None),
            ("{", None),
        ] {
            assert_eq!(unknown_placeholder(text), unknown, "{text}");
        }
        let value = json!({ "a": ["{run}", { "{key}": "{tenant}" }], "b": 1 });
        assert_eq!(unknown_placeholder_in(&value), Some("tenant"));
    }

    #[test]
    fn placeholders_are_filled_in_in_strings_of_an_object_at_any_depth() {
        let object =
            json!({ "user": "u-{run}", "tags": ["{mode}", 1], "in": { "{run}": "{seed}" } });
        let Value::Object(object) = object else { unreachable!("it is one") };
        let scenario = ScenarioId::new("30");
        let run =
            RunVariables { run: RunIndex(7), scenario: &scenario, seed: 3, mode: Mode::Voice };
        let text = Metadata::Object(object).fill_in(&run);
        let filled: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({ "user": "u-7", "tags": ["voice", 1], "in": { "{run}": "3" } });
        assert_eq!(filled, expected);
        let text = Metadata::Text(Template::new("+49-{run}".to_owned()));
        assert_eq!(text.fill_in(&run), "+49-7");
    }
}
