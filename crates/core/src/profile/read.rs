//! From the tree to typed raw tables: every field optional, every mistake noted, none of them fatal.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::diagnostic::{Diagnostics, Located};
use super::node::{Node, NodeValue, TableEntry};
use crate::units::{Percent, PositiveDuration, Rate, ScenarioId, Usd};

/// A value that can be read from a node; what is wrong with it goes to the faults.
pub(super) trait Read: Sized {
    /// Reads the node, or notes why it cannot and gives nothing.
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self>;
}

impl<T: Read> Read for Located<T> {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        Some(Self { value: T::read(node, faults)?, place: node.place.clone() })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

fn wrong_type<T>(node: &Node, wanted: &str, faults: &mut Diagnostics) -> Option<T> {
    faults.at(
        &node.place,
        format!("this is {}, not {wanted}", node.value.kind()),
        format!("write {wanted} here"),
    );
    None
}

impl Read for String {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            NodeValue::Text(text) => Some(text.clone()),
            _ => wrong_type(node, "a text in quotes", faults),
        }
    }
}

impl Read for bool {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Boolean(boolean) => Some(boolean),
            _ => wrong_type(node, "true or false", faults),
        }
    }
}

impl Read for f64 {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Integer(number) => Some(number as Self),
            NodeValue::Float(number) => Some(number),
            _ => wrong_type(node, "a number", faults),
        }
    }
}

macro_rules! read_integer {
    ($($type:ty),*) => {$(
        impl Read for $type {
            fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
                let NodeValue::Integer(number) = node.value else {
                    return wrong_type(node, "a whole number", faults);
                };
                let converted = Self::try_from(number).ok();
                if converted.is_none() {
                    faults.at(
                        &node.place,
                        format!("{number} is out of range"),
                        format!("a whole number from {} to {}", Self::MIN, Self::MAX),
                    );
                }
                converted
            }
        }
    )*};
}
read_integer!(u32, u64);

macro_rules! read_parsed {
    ($($type:ty: $wanted:literal),* $(,)?) => {$(
        impl Read for $type {
            fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
                let NodeValue::Text(text) = &node.value else {
                    return wrong_type(node, $wanted, faults);
                };
                text.parse().map_err(|error: crate::units::ParseUnitError| {
                    faults.at(&node.place, error.what, error.hint);
                }).ok()
            }
        }
    )*};
}
read_parsed! {
    Rate: "a rate in quotes, such as \"5/s\"",
    PositiveDuration: "a length of time in quotes, such as \"30s\"",
    Percent: "a share in quotes, such as \"2%\"",
    Usd: "an amount in quotes, such as \"20 USD\"",
}

impl Read for ScenarioId {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            NodeValue::Integer(number) if *number >= 0 => Some(Self::new(number.to_string())),
            NodeValue::Text(text) if !text.trim().is_empty() => Some(Self::new(text.clone())),
            NodeValue::Integer(_) | NodeValue::Text(_) => {
                faults.at(
                    &node.place,
                    "this is no scenario",
                    "a number such as 30, or a file name",
                );
                None
            }
            _ => wrong_type(node, "a scenario's number or file", faults),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        let NodeValue::Array(items) = &node.value else {
            return wrong_type(node, "a list", faults);
        };
        Some(items.iter().filter_map(|item| T::read(item, faults)).collect())
    }
}

/// Named values whose names are the user's own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named<T>(pub Vec<(Located<String>, T)>);

impl<T: Read> Read for Named<T> {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        let NodeValue::Table(entries) = &node.value else {
            return wrong_type(node, "a table", faults);
        };
        let read = |TableEntry { key, key_place, node }: &TableEntry| {
            let key = Located { value: key.clone(), place: key_place.clone() };
            Some((key, T::read(node, faults)?))
        };
        Some(Self(entries.iter().filter_map(read).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}

/// A free value that is passed on as JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Json(pub serde_json::Value);

impl Read for Json {
    fn read(node: &Node, faults: &mut Diagnostics) -> Option<Self> {
        let json = match &node.value {
            NodeValue::Text(text) | NodeValue::Datetime(text) => text.clone().into(),
            NodeValue::Integer(number) => (*number).into(),
            NodeValue::Float(number) => match serde_json::Number::from_f64(*number) {
                Some(number) => number.into(),
                None => return wrong_type(node, "a finite number", faults),
            },
            NodeValue::Boolean(boolean) => (*boolean).into(),
            NodeValue::Array(items) => items
                .iter()
                .filter_map(|item| Some(Self::read(item, faults)?.0))
                .collect::<Vec<_>>()
                .into(),
            NodeValue::Table(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .filter_map(|entry| {
                        Some((entry.key.clone(), Self::read(&entry.node, faults)?.0))
                    })
                    .collect(),
            ),
        };
        Some(Self(json))
    }
}

impl JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::from(true)
    }
}

/// Keys that would hold a secret, with where the secret belongs instead.
const SECRET_KEYS: [(&str, &str); 7] = [
    ("api_key", "LIVEKIT_API_KEY"),
    ("api_secret", "LIVEKIT_API_SECRET"),
    ("secret", "LIVEKIT_API_SECRET"),
    ("key", "CEKURA_API_KEY"),
    ("cekura_api_key", "CEKURA_API_KEY"),
    ("access_token", "LIVEKIT_API_SECRET"),
    ("token", "LIVEKIT_API_SECRET"),
];

/// What is wrong with a key that would hold a secret; its value is not shown.
pub(super) const WOULD_HOLD_A_SECRET: &str = "would put a secret into the profile";

/// A table being read field by field; keys nobody asked for are reported at the end.
pub(super) struct TableReader<'a, 'f> {
    entries: &'a [TableEntry],
    faults: &'f mut Diagnostics,
    spoiled: bool,
}

impl<'a, 'f> TableReader<'a, 'f> {
    /// Opens a table, or notes that the node is none.
    pub(super) fn open(node: &'a Node, faults: &'f mut Diagnostics) -> Option<Self> {
        match &node.value {
            NodeValue::Table(entries) => Some(Self { entries, faults, spoiled: false }),
            _ => wrong_type(node, "a table", faults),
        }
    }

    /// The field of that name, if it is there and can be read.
    pub(super) fn field<T: Read>(&mut self, name: &str) -> Option<Located<T>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        let value = Located::read(&entry.node, self.faults);
        self.spoiled |= value.is_none();
        value
    }

    /// Notes every key that is none of `known`, with the nearest known one; tells whether the table was spoiled.
    pub(super) fn finish(mut self, known: &[&str]) -> bool {
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            self.spoiled = true;
            if let Some((key, variable)) = SECRET_KEYS.iter().find(|(key, _)| *key == entry.key) {
                self.faults.at(
                    &entry.key_place,
                    format!("`{key}` {WOULD_HOLD_A_SECRET}"),
                    format!("set {variable} in the environment, or name a file with `key_file`"),
                );
                continue;
            }
            let nearest = known
                .iter()
                .map(|name| (strsim::damerau_levenshtein(name, &entry.key), name))
                .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
                .min();
            let hint = match nearest {
                Some((_, name)) => format!("did you mean `{name}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.faults.at(&entry.key_place, format!("unknown key `{}`", entry.key), hint);
        }
        self.spoiled
    }
}

/// Declares a raw table: a struct whose fields are all optional and know their places, its reader,
/// and its JSON Schema, from one list of fields.
macro_rules! raw_table {
    (
        $(#[doc = $table_doc:literal])*
        $name:ident { $( $(#[doc = $doc:literal])* $field:ident: $type:ty, )* }
    ) => {
        $(#[doc = $table_doc])*
        #[derive(Debug, Clone, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(crate) struct $name {
            $( $(#[doc = $doc])* pub(crate) $field: Option<$crate::profile::diagnostic::Located<$type>>, )*
            /// Whether a key of it could not be read: what is missing may be what was misspelt.
            #[schemars(skip)]
            pub(crate) spoiled: bool,
        }

        impl $crate::profile::read::Read for $name {
            fn read(
                node: &$crate::profile::node::Node,
                faults: &mut $crate::profile::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let mut reader = $crate::profile::read::TableReader::open(node, faults)?;
                let mut table =
                    Self { $( $field: reader.field(stringify!($field)), )* spoiled: false };
                table.spoiled = reader.finish(&[$( stringify!($field), )*]);
                Some(table)
            }
        }
    };
}

/// Declares a choice between words: an enum, its reader and its JSON Schema.
macro_rules! raw_choice {
    (
        $(#[doc = $choice_doc:literal])*
        $visibility:vis $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[doc = $choice_doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema, serde::Serialize,
            serde::Deserialize,
        )]
        $visibility enum $name {
            $( $(#[doc = $doc])* #[serde(rename = $word)] $variant, )*
        }

        impl $name {
            /// The word that a profile uses.
            $visibility const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl $crate::profile::read::Read for $name {
            fn read(
                node: &$crate::profile::node::Node,
                faults: &mut $crate::profile::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let text = String::read(node, faults)?;
                match text.as_str() {
                    $( $word => Some(Self::$variant), )*
                    _ => {
                        let words: &[&str] = &[$( $word, )*];
                        faults.at(
                            &node.place,
                            format!("`{text}` is none of the choices"),
                            format!("one of: {}", words.join(", ")),
                        );
                        None
                    }
                }
            }
        }
    };
}

pub(super) use {raw_choice, raw_table};
