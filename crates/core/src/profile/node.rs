//! A TOML text as a tree of values with their spans, and the overlay of one tree on another.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{DiagnosticKind, Diagnostics, SourceId, SourceSpan};

/// A TOML value and its span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) span: SourceSpan,
    pub(super) value: NodeValue,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeValue {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A date or a time, as written.
    Datetime(String),
    Array(Vec<Node>),
    /// In the order of the text.
    Table(Vec<TableEntry>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct TableEntry {
    pub(super) key: String,
    pub(super) key_span: SourceSpan,
    pub(super) node: Node,
}

impl NodeValue {
    /// The type for messages, with its article.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Datetime(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// Parses a TOML document; adds its syntax errors to `diagnostics`.
    pub(super) fn parse(text: &str, source: SourceId, diagnostics: &mut Diagnostics) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let range = error.span().unwrap_or(0..text.len().min(1));
            diagnostics.at(
                DiagnosticKind::Syntax,
                &SourceSpan { source, range },
                error.message().lines().next().unwrap_or("not TOML"),
                "see https://toml.io for the syntax",
            );
        }
        let range = table.span();
        Self::from_table(table.into_inner(), range, source, diagnostics)
    }

    fn from_table(
        table: DeTable<'_>,
        range: Range<usize>,
        source: SourceId,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut entries: Vec<TableEntry> = table
            .into_iter()
            .map(|(key, value)| TableEntry {
                key_span: SourceSpan { source, range: key.span() },
                key: key.into_inner().into_owned(),
                node: Self::from_value(value, source, diagnostics),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.range.start);
        Self { span: SourceSpan { source, range }, value: NodeValue::Table(entries) }
    }

    fn from_value(
        value: Spanned<DeValue<'_>>,
        source: SourceId,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let span = SourceSpan { source, range: value.span() };
        let value = match value.into_inner() {
            DeValue::String(text) => NodeValue::String(text.into_owned()),
            DeValue::Boolean(boolean) => NodeValue::Boolean(boolean),
            DeValue::Datetime(datetime) => NodeValue::Datetime(datetime.to_string()),
            DeValue::Integer(integer) => {
                if let Ok(number) = i64::from_str_radix(integer.as_str(), integer.radix()) {
                    NodeValue::Integer(number)
                } else {
                    diagnostics.invalid(
                        &span,
                        "this number is too large",
                        "write at most 9223372036854775807",
                    );
                    NodeValue::Integer(0)
                }
            }
            DeValue::Float(float) => NodeValue::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Array(array) => NodeValue::Array(
                array.into_iter().map(|item| Self::from_value(item, source, diagnostics)).collect(),
            ),
            DeValue::Table(table) => {
                return Self::from_table(table, span.range, source, diagnostics);
            }
        };
        Self { span, value }
    }

    pub(super) const fn string(text: String, span: SourceSpan) -> Self {
        Self { span, value: NodeValue::String(text) }
    }

    /// The value of a key, if this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let NodeValue::Table(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    pub(super) fn is_string(&self, text: &str) -> bool {
        matches!(&self.value, NodeValue::String(own) if own == text)
    }

    /// Nested tables with one value, at the end of a path of keys.
    pub(super) fn at_path(path: &[&str], leaf: Self) -> Self {
        path.iter().rev().fold(leaf, |node, key| Self {
            span: node.span.clone(),
            value: NodeValue::Table(vec![TableEntry {
                key: (*key).to_owned(),
                key_span: node.span.clone(),
                node,
            }]),
        })
    }

    /// Overlays this tree with `over`: merges tables and replaces everything else. A table over a
    /// list changes the elements that its keys name, by position from 0 or by `name` or `id`.
    pub(super) fn overlay(&mut self, over: Self, diagnostics: &mut Diagnostics) {
        match (&mut self.value, over.value) {
            (NodeValue::Table(entries), NodeValue::Table(over_entries)) => {
                for entry in over_entries {
                    match entries.iter_mut().find(|existing| existing.key == entry.key) {
                        Some(existing) => existing.node.overlay(entry.node, diagnostics),
                        None => entries.push(entry),
                    }
                }
            }
            (NodeValue::Array(items), NodeValue::Table(over_entries)) => {
                for entry in over_entries {
                    match Self::element(items, &entry.key) {
                        Some(item) => item.overlay(entry.node, diagnostics),
                        None => diagnostics.invalid(
                            &entry.key_span,
                            format!("this list has no element `{}`", entry.key),
                            format!(
                                "it has {}: use a position from 0, a `name` or an `id`",
                                items.len()
                            ),
                        ),
                    }
                }
            }
            (value, over_value) => {
                *value = over_value;
                self.span = over.span;
            }
        }
    }

    fn element<'a>(items: &'a mut [Self], key: &str) -> Option<&'a mut Self> {
        let position =
            key.parse::<usize>().ok().filter(|index| *index < items.len()).or_else(|| {
                items.iter().position(|item| {
                    let NodeValue::Table(entries) = &item.value else { return false };
                    entries.iter().any(|entry| match (&*entry.key, &entry.node.value) {
                        ("name" | "id", NodeValue::String(text)) => text == key,
                        ("id", NodeValue::Integer(number)) => number.to_string() == key,
                        _ => false,
                    })
                })
            })?;
        items.get_mut(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node {
        let mut diagnostics = Diagnostics::default();
        let node = Node::parse(text, SourceId(0), &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        node
    }

    fn find<'a>(node: &'a Node, path: &[&str]) -> &'a NodeValue {
        path.iter().fold(&node.value, |value, key| match value {
            NodeValue::Table(entries) => {
                &entries.iter().find(|entry| entry.key == *key).unwrap().node.value
            }
            NodeValue::Array(items) => &items[key.parse::<usize>().unwrap()].value,
            _ => panic!("no {key}"),
        })
    }

    #[test]
    fn an_overlay_wins_key_by_key() {
        let mut diagnostics = Diagnostics::default();
        let mut base = parse("a = 1\n[limits]\nx = 1\ny = 2\n");
        base.overlay(parse("limits.y = 3\nb = 4\n"), &mut diagnostics);
        assert!(diagnostics.is_empty());
        assert_eq!(find(&base, &["limits", "x"]), &NodeValue::Integer(1));
        assert_eq!(find(&base, &["limits", "y"]), &NodeValue::Integer(3));
        assert_eq!(find(&base, &["b"]), &NodeValue::Integer(4));
    }

    #[test]
    fn list_elements_are_found_by_position_name_and_id() {
        let mut diagnostics = Diagnostics::default();
        let mut base = parse(
            "[[stage]]\nname = \"warm\"\nrate = 1\n[[stage]]\nrate = 2\n[[scenario]]\nid = 30\n",
        );
        base.overlay(
            parse("stage.warm.rate = 5\nstage.1.rate = 6\nscenario.30.copies = 9"),
            &mut diagnostics,
        );
        assert!(diagnostics.is_empty());
        assert_eq!(find(&base, &["stage", "0", "rate"]), &NodeValue::Integer(5));
        assert_eq!(find(&base, &["stage", "1", "rate"]), &NodeValue::Integer(6));
        assert_eq!(find(&base, &["scenario", "0", "copies"]), &NodeValue::Integer(9));
        base.overlay(parse("stage.cold.rate = 5"), &mut diagnostics);
        assert_eq!(diagnostics.into_sorted()[0].message, "this list has no element `cold`");
    }

    #[test]
    fn every_syntax_error_is_reported() {
        let mut diagnostics = Diagnostics::default();
        Node::parse("a = \nb = 1\nc = [1,, 2]\n", SourceId(0), &mut diagnostics);
        assert!(diagnostics.into_sorted().len() >= 2);
    }
}
