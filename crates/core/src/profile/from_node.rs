//! Typed values from TOML nodes. A value that cannot be read adds a diagnostic and is left out.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::diagnostic::{Diagnostics, Located};
use super::node::{Node, NodeValue, TableEntry};
use crate::units::{
    Bandwidth, ByteSize, Decibels, Percent, PositiveDuration, Rate, ScenarioId, SoundLevel, Usd,
};

pub(super) trait FromNode: Sized {
    /// Reads the node; `None` and a diagnostic if that fails.
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self>;
}

impl<T: FromNode> FromNode for Located<T> {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        Some(Self { value: T::from_node(node, diagnostics)?, span: node.span.clone() })
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

/// Adds that the node is not `expected`, a type with its article.
pub(super) fn wrong_type<T>(
    node: &Node,
    expected: &str,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    diagnostics.invalid(
        &node.span,
        format!("this is {}, not {expected}", node.value.kind()),
        format!("write {expected} here"),
    );
    None
}

impl FromNode for String {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            NodeValue::String(text) => Some(text.clone()),
            _ => wrong_type(node, "a string in quotes", diagnostics),
        }
    }
}

impl FromNode for bool {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Boolean(boolean) => Some(boolean),
            _ => wrong_type(node, "true or false", diagnostics),
        }
    }
}

impl FromNode for f64 {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        match node.value {
            NodeValue::Integer(number) => Some(number as Self),
            NodeValue::Float(number) => Some(number),
            _ => wrong_type(node, "a number", diagnostics),
        }
    }
}

macro_rules! read_integer {
    ($($type:ty),*) => {$(
        impl FromNode for $type {
            fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
                let NodeValue::Integer(number) = node.value else {
                    return wrong_type(node, "a whole number", diagnostics);
                };
                let converted = Self::try_from(number).ok();
                if converted.is_none() {
                    diagnostics.invalid(
                        &node.span,
                        format!("{number} is out of range"),
                        format!("write a whole number from {} to {}", Self::MIN, Self::MAX),
                    );
                }
                converted
            }
        }
    )*};
}
read_integer!(u32, u64);

macro_rules! read_parsed {
    ($($type:ty: $expected:literal),* $(,)?) => {$(
        impl FromNode for $type {
            fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
                let NodeValue::String(text) = &node.value else {
                    return wrong_type(node, $expected, diagnostics);
                };
                text.parse().map_err(|error: crate::units::ParseUnitError| {
                    diagnostics.invalid(&node.span, error.message, error.hint);
                }).ok()
            }
        }
    )*};
}
read_parsed! {
    Rate: "a rate in quotes, such as \"5/s\"",
    PositiveDuration: "a duration in quotes, such as \"30s\"",
    ByteSize: "a number of bytes in quotes, such as \"500 MB\"",
    Bandwidth: "a number of bits per second in quotes, such as \"64 kbit/s\"",
    Percent: "a percentage in quotes, such as \"2%\"",
    Usd: "an amount in quotes, such as \"20 USD\"",
    SoundLevel: "a level in quotes, such as \"-47dBFS\"",
    Decibels: "a difference of levels in quotes, such as \"10dB\"",
}

impl FromNode for ScenarioId {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            NodeValue::Integer(number) if *number >= 0 => Some(Self::new(number.to_string())),
            NodeValue::String(text) if !text.trim().is_empty() => Some(Self::new(text.clone())),
            NodeValue::Integer(_) | NodeValue::String(_) => {
                diagnostics.invalid(
                    &node.span,
                    "this is not a scenario's id",
                    "write a number such as 30, or a name in quotes",
                );
                None
            }
            _ => wrong_type(node, "a scenario's number or name", diagnostics),
        }
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        let NodeValue::Array(items) = &node.value else {
            return wrong_type(node, "a list", diagnostics);
        };
        Some(items.iter().filter_map(|item| T::from_node(item, diagnostics)).collect())
    }
}

/// A table whose keys the user chooses.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named<T>(pub(super) Vec<(Located<String>, T)>);

impl<T: FromNode> FromNode for Named<T> {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        let NodeValue::Table(entries) = &node.value else {
            return wrong_type(node, "a table", diagnostics);
        };
        let read = |TableEntry { key, key_span, node }: &TableEntry| {
            let key = Located { value: key.clone(), span: key_span.clone() };
            Some((key, T::from_node(node, diagnostics)?))
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

/// Texts under keys that the user chooses and that may have dots: `a.b = "c"` is the same as `"a.b" = "c"`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DottedTexts(pub(super) Vec<(Located<String>, String)>);

impl FromNode for DottedTexts {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        let NodeValue::Table(entries) = &node.value else {
            return wrong_type(node, "a table", diagnostics);
        };
        let mut texts = Vec::new();
        for TableEntry { key, key_span, node } in entries {
            if matches!(node.value, NodeValue::Table(_)) {
                let inner = Self::from_node(node, diagnostics)?.0;
                let dotted = |(inside, text): (Located<String>, String)| {
                    (Located { value: format!("{key}.{}", inside.value), ..inside }, text)
                };
                texts.extend(inner.into_iter().map(dotted));
            } else if let Some(text) = String::from_node(node, diagnostics) {
                texts.push((Located { value: key.clone(), span: key_span.clone() }, text));
            }
        }
        Some(Self(texts))
    }
}

impl JsonSchema for DottedTexts {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DottedTexts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "object",
            "patternProperties": { "": { "type": ["string", "object"] } },
        })
    }
}

/// Metadata: a table, which becomes a JSON object, or a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MetadataValue {
    Object(Named<Json>),
    Text(String),
}

impl FromNode for MetadataValue {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            NodeValue::String(text) => Some(Self::Text(text.clone())),
            NodeValue::Table(_) => Named::from_node(node, diagnostics).map(Self::Object),
            _ => wrong_type(node, "a table or a string in quotes", diagnostics),
        }
    }
}

impl JsonSchema for MetadataValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MetadataValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "object" }, { "type": "string" }] })
    }
}

/// Metadata that must be a table. A text is read as well, so that the mistake can be explained.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MetadataTable(pub(super) MetadataValue);

impl FromNode for MetadataTable {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        MetadataValue::from_node(node, diagnostics).map(Self)
    }
}

impl JsonSchema for MetadataTable {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MetadataTable".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "object" })
    }
}

/// A value of any type, kept as JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Json(pub(super) serde_json::Value);

impl FromNode for Json {
    fn from_node(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        let json = match &node.value {
            NodeValue::String(text) | NodeValue::Datetime(text) => text.clone().into(),
            NodeValue::Integer(number) => (*number).into(),
            NodeValue::Float(number) => match serde_json::Number::from_f64(*number) {
                Some(number) => number.into(),
                None => return wrong_type(node, "a finite number", diagnostics),
            },
            NodeValue::Boolean(boolean) => (*boolean).into(),
            NodeValue::Array(items) => items
                .iter()
                .filter_map(|item| Some(Self::from_node(item, diagnostics)?.0))
                .collect::<Vec<_>>()
                .into(),
            NodeValue::Table(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .filter_map(|entry| {
                        Some((entry.key.clone(), Self::from_node(&entry.node, diagnostics)?.0))
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
