//! The JSON Schema of profiles, and the commented profile that `rushhour init` writes.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};

use super::raw::RawProfile;

/// A profile to start from, with every table explained.
pub const fn starting_profile() -> &'static str {
    include_str!("starting_profile.toml")
}

/// The JSON Schema (draft 2020-12) of profiles, for editors and other tools.
pub fn json_schema() -> serde_json::Value {
    let generator = SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(WithoutNull))
        .into_generator();
    let mut schema = generator.into_root_schema_for::<RawProfile>();
    schema.insert("title".to_owned(), "Rushhour profile".into());
    schema.to_value()
}

/// Removes null from the allowed values: every key is optional, but TOML has no null.
#[derive(Debug, Clone)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        let is_null = |value: &serde_json::Value| {
            value == "null" || value.get("type").is_some_and(|kind| kind == "null")
        };
        if let Some(serde_json::Value::Array(types)) = schema.get_mut("type") {
            types.retain(|kind| !is_null(kind));
            if let [only] = &types[..] {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(serde_json::Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| !is_null(choice));
            if let [serde_json::Value::Object(only)] = &choices[..] {
                let only = only.clone();
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_rejects_unknown_keys_and_null() {
        let schema = json_schema();
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema["properties"]["stage"].is_object());
        assert!(!schema.to_string().contains("\"null\""));
    }
}
