//! The JSON Schemas that `rushhour schema` prints, and a check of written files against them.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::binary::Rushhour;

/// A schema by the argument of `rushhour schema`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    Profile,
    Summary,
    Comparison,
    Capacity,
    Soak,
}

impl Schema {
    pub(crate) const ALL: [Self; 5] =
        [Self::Profile, Self::Summary, Self::Comparison, Self::Capacity, Self::Soak];

    fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Summary => "summary",
            Self::Comparison => "comparison",
            Self::Capacity => "capacity",
            Self::Soak => "soak",
        }
    }

    /// The schema as the binary prints it.
    pub(crate) fn printed(self) -> Value {
        let output = Rushhour::new(Path::new("."), &["schema", self.name()]).run().expect_exit(0);
        serde_json::from_str(&output.stdout).expect("a schema is JSON")
    }

    fn validator(self) -> &'static Validator {
        static VALIDATORS: LazyLock<Vec<Validator>> = LazyLock::new(|| {
            let compile = |schema: Schema| {
                let mut printed = schema.printed();
                forbid_undescribed_fields(&mut printed);
                jsonschema::validator_for(&printed).expect("it is a JSON Schema")
            };
            Schema::ALL.into_iter().map(compile).collect()
        });
        let place = Self::ALL.iter().position(|one| *one == self).expect("it is one of them");
        &VALIDATORS[place]
    }

    /// What is wrong with this value: nothing where it is valid and every field of it is described.
    pub(crate) fn errors(self, value: &Value) -> Vec<String> {
        let errors = self.validator().iter_errors(value);
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// Asserts that a value is valid against a schema; `what` names it in the failure.
#[track_caller]
pub(crate) fn assert_valid(schema: Schema, value: &Value, what: &str) {
    let errors = schema.errors(value);
    assert!(errors.is_empty(), "{what} is no {schema:?}:\n{}", errors.join("\n"));
}

/// The schemas leave room for fields to come. Within one version, a field that no schema describes is a mistake.
fn forbid_undescribed_fields(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(forbid_undescribed_fields);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_undescribed_fields),
        _ => {}
    }
}
