//! The profile reference (docs/profile.md) as Markdown, from the profile's JSON Schema and its defaults.

use std::collections::BTreeMap;
use std::fmt::Write;

use rushhour_core::profile::{Origin, ProfileInput, json_schema, load};
use serde_json::Value;

/// An introduction, and a table of keys for each section of a profile.
pub(crate) fn profile_reference() -> String {
    render(&json_schema(), &defaults())
}

/// Profiles of the fewest keys, one for each evaluator: each shows defaults that the others do not have.
const LEAST: [&str; 3] = [
    "[livekit]\nurl = \"wss://example.com\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n",
    "[livekit]\nurl = \"ws://127.0.0.1:7880\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n[[scenario]]\nid = \"s\"\nscript = \"s.toml\"\ncekura = 1\ncopies = 1\nvoice = {}\n[[stage]]\nrate = \"1/s\"\n[judging]\nby = \"sandbox\"\nsample = \"5%\"\n[capacity]\n[soak]\n[agent_health]\nurl = \"http://127.0.0.1:8081/worker\"\n[notify]\n[workers]\nnats = \"nats://127.0.0.1:4222\"\n[speech]\ncommand = \"say\"\n",
    "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n[sandbox]\n",
];

/// The default of each key by its path, such as `limits.in_flight`.
fn defaults() -> BTreeMap<String, String> {
    let script = |_: &str| Ok(b"[[turn]]\nsay = \"hello\"\nplay = \"hello.opus\"\n".to_vec());
    let mut defaults = BTreeMap::new();
    for text in LEAST {
        let input = ProfileInput {
            file: "least",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &script,
        };
        let settings = load(input).map(|loaded| loaded.settings).unwrap_or_default();
        for setting in settings.into_iter().filter(|setting| setting.origin == Origin::Default) {
            // Entries of a list are named: `stage.stage-1.measured`.
            let parts: Vec<&str> = setting.path.split('.').collect();
            let path = match parts[..] {
                [list @ ("scenario" | "stage"), _, ref rest @ ..] => {
                    format!("{list}.{}", rest.join("."))
                }
                _ => setting.path.clone(),
            };
            defaults.entry(path).or_insert(setting.value);
        }
    }
    defaults
}

/// `defaults` maps paths such as `limits.in_flight` to the value that is used when a key is left out.
fn render(schema: &Value, defaults: &BTreeMap<String, String>) -> String {
    let reference = Reference { schema, defaults };
    let mut keys = String::new();
    let mut sections = String::new();
    for (name, property) in properties(schema) {
        let (target, array) = match reference.resolved(property).get("items") {
            Some(items) => (reference.resolved(items), true),
            None => (reference.resolved(property), false),
        };
        if target.get("properties").is_none() && target.get("additionalProperties").is_none() {
            reference.row(&mut keys, name, name, property);
            continue;
        }
        let header = if array { format!("[[{name}]]") } else { format!("[{name}]") };
        let _ = write!(sections, "\n## `{header}`\n\n{}\n\n{HEAD}", description(property, target));
        reference.rows(&mut sections, "", name, target);
    }
    format!("{INTRODUCTION}{HEAD}{keys}{sections}")
}

const INTRODUCTION: &str = "\
# Profile reference

<!-- Made by `rushhour schema reference`; a test keeps it current. -->

A profile is a TOML file. `rushhour init` writes a commented one, `rushhour validate` shows every mistake, and
`rushhour plan` shows where each setting comes from: the default, the profile, the environment or `--set key=value`.
Unknown keys are refused. `rushhour schema profile` prints the JSON Schema for editors.

## Keys before any section

";
const HEAD: &str = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";

struct Reference<'a> {
    schema: &'a Value,
    defaults: &'a BTreeMap<String, String>,
}

impl<'a> Reference<'a> {
    fn resolved(&self, property: &'a Value) -> &'a Value {
        let target = property["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/"));
        target.map_or(property, |name| &self.schema["$defs"][name])
    }

    /// A row for each key of a table; tables within it follow as `table.key`.
    fn rows(&self, out: &mut String, prefix: &str, path: &str, table: &'a Value) {
        if let Some(values) = table.get("additionalProperties").filter(|values| values.is_object())
        {
            let name = format!("{prefix}NAME");
            self.row(out, &name, &format!("{path}.NAME"), values);
        }
        for (name, property) in properties(table) {
            let shown = format!("{prefix}{name}");
            let path = format!("{path}.{name}");
            let target = self.resolved(property);
            if target.get("properties").is_some()
                || target.get("additionalProperties").is_some_and(Value::is_object)
            {
                self.rows(out, &format!("{shown}."), &path, target);
            } else {
                self.row(out, &shown, &path, property);
            }
        }
    }

    fn row(&self, out: &mut String, shown: &str, path: &str, property: &'a Value) {
        let default = self
            .defaults
            .get(path)
            .filter(|_| path != "name")
            .map(|value| format!("`{value}`"))
            .unwrap_or_default();
        let meaning = description(property, self.resolved(property));
        let kind = self.kind(property);
        let _ =
            writeln!(out, "| `{shown}` | {kind} | {default} | {} |", meaning.replace('|', "\\|"));
    }

    /// What is written for a value: its type with an example, or the words to choose from.
    fn kind(&self, property: &'a Value) -> String {
        let target = self.resolved(property);
        let alternatives = |choices: &'a [Value]| {
            let words: Vec<String> = choices.iter().map(|choice| self.kind(choice)).collect();
            words.join(" or ")
        };
        if let Some(word) = target["const"].as_str() {
            return format!("`\"{word}\"`");
        }
        if let Some(choices) = target["oneOf"].as_array() {
            return alternatives(choices).replace(" or ", ", ");
        }
        if let Some(choices) = target["anyOf"].as_array() {
            return alternatives(choices);
        }
        match target["type"].as_str() {
            Some("array") => format!("list of {}", self.kind(&target["items"])),
            Some("object") => {
                let keys: Vec<&str> = properties(target).map(|(key, _)| key.as_str()).collect();
                if keys.is_empty() {
                    return "table".to_owned();
                }
                format!("`{{ {} }}`", keys.join(", "))
            }
            Some("integer") => "whole number".to_owned(),
            Some("string") => match target["examples"][0].as_str() {
                Some(example) => format!("such as `\"{example}\"`"),
                None => "text".to_owned(),
            },
            Some(other) => other.to_owned(),
            None => "any value".to_owned(),
        }
    }
}

fn properties(table: &Value) -> impl Iterator<Item = (&String, &Value)> {
    table["properties"].as_object().into_iter().flatten()
}

fn description<'a>(property: &'a Value, target: &'a Value) -> &'a str {
    property["description"].as_str().or_else(|| target["description"].as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_in_the_documentation_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/profile.md");
        let page = std::fs::read_to_string(path).expect("docs/profile.md exists");
        assert!(page == profile_reference(), "run `rushhour schema reference > docs/profile.md`");
    }

    #[test]
    fn the_profiles_of_the_fewest_keys_are_valid() {
        let defaults = defaults();
        for key in ["limits.in_flight", "evaluator.quiet", "judging.failures", "stage.measured"] {
            assert!(defaults.contains_key(key), "{key}: {:?}", defaults.keys());
        }
    }

    #[test]
    fn sections_keys_types_and_defaults_are_shown() {
        let schema = serde_json::json!({
            "properties": {
                "name": { "type": "string", "description": "Names the session." },
                "stage": { "type": "array", "items": { "$ref": "#/$defs/Stage" }, "description": "The load." },
            },
            "$defs": {
                "Stage": { "properties": {
                    "lasts": { "$ref": "#/$defs/Duration", "description": "How long." },
                    "mode": { "oneOf": [{ "const": "a" }, { "const": "b" }] },
                } },
                "Duration": { "type": "string", "examples": ["30s"] },
            },
        });
        let defaults = BTreeMap::from([("stage.lasts".to_owned(), "1m".to_owned())]);
        let reference = render(&schema, &defaults);
        assert!(reference.contains("| `name` | text |  | Names the session. |"), "{reference}");
        assert!(reference.contains("## `[[stage]]`\n\nThe load.\n"), "{reference}");
        assert!(
            reference.contains("| `lasts` | such as `\"30s\"` | `1m` | How long. |"),
            "{reference}"
        );
        assert!(reference.contains("| `mode` | `\"a\"`, `\"b\"` |"), "{reference}");
    }
}
