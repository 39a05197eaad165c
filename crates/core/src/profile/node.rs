//! A profile's text as a tree that knows where each value stands, and the laying of one tree over another.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostics, SourceId, SourceSpan};

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Where it stands.
    pub place: SourceSpan,
    /// What it is.
    pub value: NodeValue,
}

/// What a TOML value can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeValue {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A date or a time, as written.
    Datetime(String),
    /// A list.
    Array(Vec<Node>),
    /// Named values, in the order they were written.
    Table(Vec<TableEntry>),
}

/// One named value of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TableEntry {
    /// Its name.
    pub key: String,
    /// Where the name stands.
    pub key_place: SourceSpan,
    /// Its value.
    pub node: Node,
}

impl NodeValue {
    /// The type in a reader's words, with its article.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
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
    /// Reads a TOML document; what is wrong with its syntax goes to `faults`.
    pub(super) fn parse(text: &str, source: SourceId, faults: &mut Diagnostics) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or(0..text.len().min(1));
            faults.at(
                &SourceSpan { source, span },
                error.message().lines().next().unwrap_or("not TOML").to_owned(),
                "see https://toml.io for how it is written",
            );
        }
        let span = table.span();
        Self::from_table(table.into_inner(), span, source, faults)
    }

    fn from_table(
        table: DeTable<'_>,
        span: std::ops::Range<usize>,
        source: SourceId,
        faults: &mut Diagnostics,
    ) -> Self {
        let mut entries: Vec<TableEntry> = table
            .into_iter()
            .map(|(key, value)| TableEntry {
                key_place: SourceSpan { source, span: key.span() },
                key: key.into_inner().into_owned(),
                node: Self::from_value(value, source, faults),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_place.span.start);
        Self { place: SourceSpan { source, span }, value: NodeValue::Table(entries) }
    }

    fn from_value(value: Spanned<DeValue<'_>>, source: SourceId, faults: &mut Diagnostics) -> Self {
        let place = SourceSpan { source, span: value.span() };
        let value = match value.into_inner() {
            DeValue::String(text) => NodeValue::Text(text.into_owned()),
            DeValue::Boolean(boolean) => NodeValue::Boolean(boolean),
            DeValue::Datetime(datetime) => NodeValue::Datetime(datetime.to_string()),
            DeValue::Integer(integer) => {
                if let Ok(number) = i64::from_str_radix(integer.as_str(), integer.radix()) {
                    NodeValue::Integer(number)
                } else {
                    faults.at(&place, "this number is too large", "at most 9223372036854775807");
                    NodeValue::Integer(0)
                }
            }
            DeValue::Float(float) => NodeValue::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Array(array) => NodeValue::Array(
                array.into_iter().map(|item| Self::from_value(item, source, faults)).collect(),
            ),
            DeValue::Table(table) => {
                return Self::from_table(table, place.span, source, faults);
            }
        };
        Self { place, value }
    }

    /// A text at a place, as an environment variable gives it.
    pub(super) const fn text(text: String, place: SourceSpan) -> Self {
        Self { place, value: NodeValue::Text(text) }
    }

    /// A table with one value at the end of a path of names.
    pub(super) fn at_path(path: &[&str], leaf: Self) -> Self {
        path.iter().rev().fold(leaf, |node, key| Self {
            place: node.place.clone(),
            value: NodeValue::Table(vec![TableEntry {
                key: (*key).to_owned(),
                key_place: node.place.clone(),
                node,
            }]),
        })
    }

    /// Lays `over` on this tree: tables are joined, everything else is replaced. A table laid on a
    /// list changes the elements that its keys name, by position from 0 or by `name` or `id`.
    pub(super) fn lay(&mut self, over: Self, faults: &mut Diagnostics) {
        match (&mut self.value, over.value) {
            (NodeValue::Table(entries), NodeValue::Table(over_entries)) => {
                for entry in over_entries {
                    match entries.iter_mut().find(|existing| existing.key == entry.key) {
                        Some(existing) => existing.node.lay(entry.node, faults),
                        None => entries.push(entry),
                    }
                }
            }
            (NodeValue::Array(items), NodeValue::Table(over_entries)) => {
                for entry in over_entries {
                    match Self::element(items, &entry.key) {
                        Some(item) => item.lay(entry.node, faults),
                        None => faults.at(
                            &entry.key_place,
                            format!("no element `{}` in this list", entry.key),
                            format!("there are {}; count from 0, or use the name", items.len()),
                        ),
                    }
                }
            }
            (value, over_value) => {
                *value = over_value;
                self.place = over.place;
            }
        }
    }

    fn element<'a>(items: &'a mut [Self], key: &str) -> Option<&'a mut Self> {
        let position =
            key.parse::<usize>().ok().filter(|index| *index < items.len()).or_else(|| {
                items.iter().position(|item| {
                    let NodeValue::Table(entries) = &item.value else { return false };
                    entries.iter().any(|entry| match (&*entry.key, &entry.node.value) {
                        ("name" | "id", NodeValue::Text(text)) => text == key,
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
        let mut faults = Diagnostics::default();
        let node = Node::parse(text, SourceId(0), &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
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
    fn a_later_text_wins_leaf_by_leaf() {
        let mut faults = Diagnostics::default();
        let mut base = parse("a = 1\n[limits]\nx = 1\ny = 2\n");
        base.lay(parse("limits.y = 3\nb = 4\n"), &mut faults);
        assert!(faults.is_empty());
        assert_eq!(find(&base, &["limits", "x"]), &NodeValue::Integer(1));
        assert_eq!(find(&base, &["limits", "y"]), &NodeValue::Integer(3));
        assert_eq!(find(&base, &["b"]), &NodeValue::Integer(4));
    }

    #[test]
    fn list_elements_are_reached_by_position_name_and_id() {
        let mut faults = Diagnostics::default();
        let mut base = parse(
            "[[stage]]\nname = \"warm\"\nrate = 1\n[[stage]]\nrate = 2\n[[scenario]]\nid = 30\n",
        );
        base.lay(
            parse("stage.warm.rate = 5\nstage.1.rate = 6\nscenario.30.copies = 9"),
            &mut faults,
        );
        assert!(faults.is_empty());
        assert_eq!(find(&base, &["stage", "0", "rate"]), &NodeValue::Integer(5));
        assert_eq!(find(&base, &["stage", "1", "rate"]), &NodeValue::Integer(6));
        assert_eq!(find(&base, &["scenario", "0", "copies"]), &NodeValue::Integer(9));
        base.lay(parse("stage.cold.rate = 5"), &mut faults);
        assert_eq!(faults.into_sorted()[0].message, "no element `cold` in this list");
    }

    #[test]
    fn every_syntax_error_is_told() {
        let mut faults = Diagnostics::default();
        Node::parse("a = \nb = 1\nc = [1,, 2]\n", SourceId(0), &mut faults);
        assert!(faults.into_sorted().len() >= 2);
    }
}
