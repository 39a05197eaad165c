//! Resolves metadata and the other texts of a profile that may hold placeholders.

use serde_json::{Map, Value};

use super::resolver::Resolver;
use crate::profile::diagnostic::{Located, SourceSpan};
use crate::profile::from_node::{Json, MetadataTable, MetadataValue, Named};
use crate::profile::raw::livekit::RawLiveKit;
use crate::profile::settings::livekit::TextMode;
use crate::profile::settings::template::{
    Metadata, PLACEHOLDERS, Template, unknown_placeholder, unknown_placeholder_in,
};

/// The key of a room's metadata that holds Rushhour's mark.
const ROOM_MARK: &str = "rushhour";

/// The user's part of the dispatch metadata.
pub(super) fn resolve_dispatch_metadata(
    raw: &RawLiveKit,
    text_mode: &TextMode,
    resolver: &mut Resolver<'_>,
) -> Metadata {
    let Some(at) = &raw.metadata else { return Metadata::Object(Map::new()) };
    match &at.value {
        MetadataValue::Text(text) => {
            if let Some(text_mode) = &raw.text_mode {
                resolver.diagnostics.conflict(
                    &text_mode.span,
                    "dispatch metadata that is a text has no place for these keys",
                    "write {mode} in the text, or make `metadata` a table",
                );
            }
            Metadata::Text(resolve_template("livekit.metadata", text, &at.span, resolver))
        }
        MetadataValue::Object(table) => {
            for (key, _) in &table.0 {
                if key.value == "scenario_id" {
                    resolver.diagnostics.conflict(
                        &key.span,
                        "Rushhour sets `scenario_id` for each run from its scenario",
                        "remove it here",
                    );
                } else if key.value == text_mode.key {
                    resolver.diagnostics.conflict(
                        &key.span,
                        format!("Rushhour sets `{}` for each run from its mode", key.value),
                        "remove it here; [livekit.text_mode] holds its values in chat and in voice",
                    );
                }
            }
            Metadata::Object(resolve_object("livekit.metadata", table, resolver))
        }
    }
}

/// The user's keys of the rooms' metadata.
pub(super) fn resolve_room_metadata(
    raw: Option<&Located<MetadataTable>>,
    resolver: &mut Resolver<'_>,
) -> Map<String, Value> {
    let Some(at) = raw else { return Map::new() };
    let MetadataTable(MetadataValue::Object(table)) = &at.value else {
        resolver.diagnostics.conflict(
            &at.span,
            "the metadata of a room must be a table: it also holds the mark by which `rushhour sweep` knows its own rooms",
            "write { key = \"value\" }; a text that the agent needs fits `metadata`, which is that of the dispatch",
        );
        return Map::new();
    };
    if let Some((key, _)) = table.0.iter().find(|(key, _)| key.value == ROOM_MARK) {
        resolver.diagnostics.conflict(
            &key.span,
            format!("`{ROOM_MARK}` is the mark by which `rushhour sweep` knows its own rooms"),
            "choose another key",
        );
    }
    resolve_object("livekit.room_metadata", table, resolver)
}

/// Metadata in which no key is reserved.
pub(super) fn resolve_metadata(
    path: &str,
    at: &Located<MetadataValue>,
    resolver: &mut Resolver<'_>,
) -> Metadata {
    match &at.value {
        MetadataValue::Text(text) => {
            Metadata::Text(resolve_template(path, text, &at.span, resolver))
        }
        MetadataValue::Object(table) => Metadata::Object(resolve_object(path, table, resolver)),
    }
}

fn resolve_object(
    path: &str,
    table: &Named<Json>,
    resolver: &mut Resolver<'_>,
) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, value) in &table.0 {
        if let Some(name) = unknown_placeholder_in(&value.0) {
            reject_placeholder(name, &key.span, resolver);
        }
        let shown = Located { value: value.0.to_string(), span: key.span.clone() };
        resolver.optional(&format!("{path}.{}", key.value), Some(&shown));
        object.insert(key.value.clone(), value.0.clone());
    }
    object
}

/// A text whose placeholders are known.
pub(super) fn resolve_template(
    path: &str,
    text: &str,
    span: &SourceSpan,
    resolver: &mut Resolver<'_>,
) -> Template {
    if let Some(name) = unknown_placeholder(text) {
        reject_placeholder(name, span, resolver);
    }
    let template = Template::new(text.to_owned());
    let shown = Located { value: template.clone(), span: span.clone() };
    resolver.optional(path, Some(&shown));
    template
}

fn reject_placeholder(name: &str, span: &SourceSpan, resolver: &mut Resolver<'_>) {
    let known: Vec<String> = PLACEHOLDERS.iter().map(|name| format!("{{{name}}}")).collect();
    resolver.diagnostics.invalid(
        span,
        format!("{{{name}}} stands for nothing"),
        format!("write one of {}; {{{{{name}}}}} stands for the text itself", known.join(", ")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::settings::profile::Profile;
    use crate::profile::testing::{load_text, profile_of};

    fn text(livekit: &str, more: &str) -> String {
        format!(
            "mode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{livekit}\n{more}\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n"
        )
    }

    /// The mistakes in a profile: what is underlined, and the message.
    fn mistakes(text: &str) -> Vec<(String, String)> {
        let error = load_text(text).expect_err("the profile is invalid");
        let shown =
            |span: &SourceSpan| error.sources[span.source.0].text[span.range.clone()].to_owned();
        error
            .diagnostics
            .iter()
            .map(|one| (one.span.as_ref().map(shown).unwrap_or_default(), one.message.clone()))
            .collect()
    }

    #[test]
    fn a_name_in_braces_that_stands_for_nothing_is_underlined_wherever_it_is() {
        let profile = text(
            "metadata = { tenant = { in = [\"{tenant}\"] } }\nroom_metadata = { a = \"{a}\" }",
            "[caller]\nname = \"{name}\"\nmetadata = \"{data}\"\nattributes = { \"sip.phoneNumber\" = \"{number}\" }",
        );
        let found = mistakes(&profile);
        let expected = [
            ("tenant", "{tenant} stands for nothing"),
            ("a", "{a} stands for nothing"),
            ("\"{name}\"", "{name} stands for nothing"),
            ("\"{data}\"", "{data} stands for nothing"),
            ("\"sip.phoneNumber\"", "{number} stands for nothing"),
        ];
        assert_eq!(found, expected.map(|(place, message)| (place.to_owned(), message.to_owned())));
    }

    #[test]
    fn dispatch_metadata_may_be_a_text_that_stands_alone() {
        let profile = profile_of(&text("metadata = \"+49-{run}\"", ""));
        assert_eq!(profile.livekit.metadata, Metadata::Text(Template::new("+49-{run}".to_owned())));
        let found = mistakes(&text("metadata = \"x\"\ntext_mode = { key = \"channel\" }", ""));
        assert!(found[0].1.contains("no place for these keys"), "{found:?}");
        let found = mistakes(&text("metadata = 7", ""));
        assert!(found[0].1.contains("not a table or a string"), "{found:?}");
    }

    #[test]
    fn room_metadata_leaves_room_for_the_mark() {
        let profile = profile_of(&text("room_metadata = { tenant = \"acme\" }", ""));
        assert_eq!(profile.livekit.room_metadata["tenant"], "acme");
        let found = mistakes(&text("room_metadata = { rushhour = 1 }", ""));
        assert!(found[0].0 == "rushhour" && found[0].1.contains("sweep"), "{found:?}");
        let found = mistakes(&text("room_metadata = \"acme\"", ""));
        assert!(found[0].1.contains("must be a table"), "{found:?}");
    }

    #[test]
    fn what_is_said_of_the_caller_survives_the_journal() {
        let profile = profile_of(&text(
            "metadata = \"+49-{run}\"\nroom_metadata = { a = 1 }",
            "[caller]\nkind = \"sip\"\nname = \"N {run}\"\nmetadata = { id = \"{run}\" }\n[caller.attributes]\nsip.phoneNumber = \"+49{run}\"",
        ));
        assert_eq!(profile.caller.attributes["sip.phoneNumber"].as_str(), "+49{run}");
        let written = serde_json::to_value(&profile).unwrap();
        assert_eq!(serde_json::from_value::<Profile>(written).unwrap(), profile);
        // A journal from before has neither.
        let before = serde_json::to_value(profile_of(&text("metadata = { a = 1 }", ""))).unwrap();
        assert!(before.get("caller").is_none() && before["livekit"].get("room_metadata").is_none());
        assert_eq!(before["livekit"]["metadata"]["a"], 1);
    }
}
