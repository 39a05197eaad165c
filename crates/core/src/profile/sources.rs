//! The texts that a profile is read from.

use std::io;

use super::diagnostic::{Diagnostics, Origin, SourceId, SourceText};
use super::node::Node;

/// Reads a file that the profile names, by its path relative to the profile.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// Refuses to read any file.
///
/// # Errors
/// Always, with [`io::ErrorKind::Unsupported`].
pub fn no_files(_: &str) -> io::Result<Vec<u8>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "no files are available here"))
}

/// The profile's file, environment variables, flags, and the files that the profile names.
pub(super) struct Sources<'a> {
    texts: Vec<SourceText>,
    read_file: ReadFile<'a>,
}

impl<'a> Sources<'a> {
    pub(super) const fn new(read_file: ReadFile<'a>) -> Self {
        Self { texts: Vec::new(), read_file }
    }

    pub(super) fn texts(&self) -> &[SourceText] {
        &self.texts
    }

    pub(super) fn into_texts(self) -> Vec<SourceText> {
        self.texts
    }

    /// Adds a text, not parsed.
    pub(super) fn add(&mut self, origin: Origin, name: &str, text: &str) -> SourceId {
        self.texts.push(SourceText { origin, name: name.to_owned(), text: text.to_owned() });
        SourceId(self.texts.len() - 1)
    }

    /// Adds a TOML text and parses it.
    pub(super) fn parse(
        &mut self,
        origin: Origin,
        name: &str,
        text: &str,
        diagnostics: &mut Diagnostics,
    ) -> (SourceId, Node) {
        let source = self.add(origin, name, text);
        (source, Node::parse(text, source, diagnostics))
    }

    /// Reads a TOML file that the profile names, which has one of the keys `known`, adds it and parses it. Whoever wrote
    /// the profile chose the file: nothing is shown of one that was made for something else.
    pub(super) fn read_file(
        &mut self,
        path: &str,
        known: &[&str],
        diagnostics: &mut Diagnostics,
    ) -> io::Result<(SourceId, Node)> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let text = String::from_utf8((self.read_file)(path)?)
            .map_err(|_| invalid("it is not UTF-8 text".to_owned()))?;
        let mut mistakes = Diagnostics::default();
        let tree = Node::parse(&text, SourceId(self.texts.len()), &mut mistakes);
        if !known.iter().any(|key| tree.get(key).is_some()) {
            return Err(invalid(match mistakes.first_line(&text) {
                Some(line) => format!("line {line} is not TOML"),
                None => format!("it has none of the keys {}", known.join(", ")),
            }));
        }
        Ok(self.parse(Origin::Profile, path, &text, diagnostics))
    }
}
