//! Tables whose keys are fixed: their reader, and macros that declare a table or a choice of words.

use super::diagnostic::{DiagnosticKind, Diagnostics, Located};
use super::from_node::{FromNode, wrong_type};
use super::node::{Node, NodeValue, TableEntry};
use super::redaction::is_secret_name;

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

/// Reads a table field by field.
pub(super) struct TableReader<'a, 'd> {
    entries: &'a [TableEntry],
    diagnostics: &'d mut Diagnostics,
    has_errors: bool,
}

impl<'a, 'd> TableReader<'a, 'd> {
    /// Opens a table; `None` and a diagnostic if the node is none.
    pub(super) fn open(node: &'a Node, diagnostics: &'d mut Diagnostics) -> Option<Self> {
        match &node.value {
            NodeValue::Table(entries) => Some(Self { entries, diagnostics, has_errors: false }),
            _ => wrong_type(node, "a table", diagnostics),
        }
    }

    /// The field with this key, if it is present and can be read.
    pub(super) fn field<T: FromNode>(&mut self, key: &str) -> Option<Located<T>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let value = Located::from_node(&entry.node, self.diagnostics);
        self.has_errors |= value.is_none();
        value
    }

    /// Reports every key that is not in `known`, with the most similar known one. Returns whether any
    /// key of the table was unknown or could not be read.
    pub(super) fn finish(mut self, known: &[&str]) -> bool {
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            self.has_errors = true;
            if let Some((key, variable)) = SECRET_KEYS.iter().find(|(key, _)| *key == entry.key) {
                self.diagnostics.at(
                    DiagnosticKind::Secret,
                    &entry.key_span,
                    format!("`{key}` would put a secret into the profile"),
                    format!("set {variable} in the environment, or name a file with `key_file`"),
                );
                continue;
            }
            if is_secret_name(&entry.key) {
                self.diagnostics.at(
                    DiagnosticKind::Secret,
                    &entry.key_span,
                    format!("`{}` would put a secret into the profile", entry.key),
                    "secrets come from the environment: LIVEKIT_API_KEY, LIVEKIT_API_SECRET, CEKURA_API_KEY",
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
                None => format!("this table has the keys: {}", known.join(", ")),
            };
            self.diagnostics.at(
                DiagnosticKind::UnknownKey,
                &entry.key_span,
                format!("unknown key `{}`", entry.key),
                hint,
            );
        }
        self.has_errors
    }
}

/// Declares a raw table from one list of fields: the struct, in which every field is optional and
/// located, its `FromNode` and its JSON Schema.
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
            /// Whether a key was unknown or could not be read: a missing field may be the misspelt one.
            #[schemars(skip)]
            pub(crate) has_errors: bool,
        }

        impl $crate::profile::from_node::FromNode for $name {
            fn from_node(
                node: &$crate::profile::node::Node,
                diagnostics: &mut $crate::profile::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let mut reader = $crate::profile::table::TableReader::open(node, diagnostics)?;
                let mut table =
                    Self { $( $field: reader.field(stringify!($field)), )* has_errors: false };
                table.has_errors = reader.finish(&[$( stringify!($field), )*]);
                Some(table)
            }
        }
    };
}

/// Declares a choice of words: the enum, its `FromNode` and its JSON Schema.
macro_rules! choice {
    (
        $(#[$attribute:meta])*
        $visibility:vis $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $word:literal, )* }
    ) => {
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema, serde::Serialize,
            serde::Deserialize,
        )]
        $(#[$attribute])*
        $visibility enum $name {
            $( $(#[doc = $doc])* #[serde(rename = $word)] $variant, )*
        }

        impl $name {
            /// The name used in profiles, journals and reports.
            $visibility const fn name(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl $crate::profile::from_node::FromNode for $name {
            fn from_node(
                node: &$crate::profile::node::Node,
                diagnostics: &mut $crate::profile::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let text =
                    <String as $crate::profile::from_node::FromNode>::from_node(node, diagnostics)?;
                match text.as_str() {
                    $( $word => Some(Self::$variant), )*
                    _ => {
                        let words: &[&str] = &[$( $word, )*];
                        diagnostics.invalid(
                            &node.span,
                            format!("`{text}` is not one of the choices"),
                            format!("write one of: {}", words.join(", ")),
                        );
                        None
                    }
                }
            }
        }
    };
}

pub(super) use {choice, raw_table};
