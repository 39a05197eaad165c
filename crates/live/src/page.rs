//! The page as it was last drawn, and what a viewer who has seen an earlier one needs of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use rushhour_report::render::LivePart;

/// The page as it was last drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct DrawnPage {
    /// Counts drawings, from 1; 0 before the first.
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) parts: Vec<DrawnPart>,
    /// What is said at the end, after which nothing changes.
    pub(crate) over: Option<String>,
    /// What changed since the drawing before, as JSON: written for the first viewer, and the same for all others.
    update: OnceLock<Arc<str>>,
}

#[derive(Debug, Clone)]
pub(crate) struct DrawnPart {
    id: &'static str,
    html: Arc<str>,
    /// The drawing in which it last changed.
    changed: u64,
}

/// What is sent to a viewer.
#[derive(Debug, Serialize)]
struct Update<'a> {
    title: &'a str,
    /// Every part of the page, in order.
    order: Vec<&'static str>,
    /// Those that the viewer does not have.
    parts: BTreeMap<&'static str, &'a str>,
}

impl DrawnPage {
    /// The next drawing.
    pub(crate) fn next(&self, title: String, parts: Vec<LivePart>) -> Self {
        let number = self.number + 1;
        let drawn = |part: LivePart| {
            let before = self.parts.iter().find(|before| before.id == part.id);
            match before.filter(|before| *before.html == *part.html) {
                Some(same) => same.clone(),
                None => DrawnPart { id: part.id, html: part.html.into(), changed: number },
            }
        };
        let parts = parts.into_iter().map(drawn).collect();
        Self { number, title, parts, over: None, update: OnceLock::new() }
    }

    /// What changed since a drawing, as JSON.
    pub(crate) fn update_since(&self, seen: u64) -> Arc<str> {
        if seen + 1 == self.number {
            return Arc::clone(self.update.get_or_init(|| self.written_since(seen)));
        }
        self.written_since(seen)
    }

    fn written_since(&self, seen: u64) -> Arc<str> {
        let changed = self.parts.iter().filter(|part| part.changed > seen);
        let update = Update {
            title: &self.title,
            order: self.parts.iter().map(|part| part.id).collect(),
            parts: changed.map(|part| (part.id, &*part.html)).collect(),
        };
        let json = serde_json::to_string(&update);
        json.expect("strings and lists have a written form").into()
    }

    /// The parts, to be put into a frame.
    pub(crate) fn live_parts(&self) -> Vec<LivePart> {
        let part = |part: &DrawnPart| LivePart { id: part.id, html: part.html.to_string() };
        self.parts.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(all: &[(&'static str, &str)]) -> Vec<LivePart> {
        all.iter().map(|(id, html)| LivePart { id, html: (*html).to_owned() }).collect()
    }

    #[test]
    fn a_viewer_gets_what_changed_since_what_it_has() {
        let first = DrawnPage::default().next("a".into(), parts(&[("header", "1"), ("load", "2")]));
        let second = first.next("b".into(), parts(&[("header", "3"), ("load", "2")]));
        let third =
            second.next("b".into(), parts(&[("header", "3"), ("bill", "4"), ("load", "2")]));
        assert_eq!(
            &*first.update_since(0),
            r#"{"title":"a","order":["header","load"],"parts":{"header":"1","load":"2"}}"#
        );
        assert_eq!(
            &*second.update_since(1),
            r#"{"title":"b","order":["header","load"],"parts":{"header":"3"}}"#
        );
        assert_eq!(
            &*third.update_since(1),
            r#"{"title":"b","order":["header","bill","load"],"parts":{"bill":"4","header":"3"}}"#
        );
        assert_eq!(third.number, 3);
        // It is written once for all viewers that have the drawing before.
        let (one, other) = (third.update_since(2), third.update_since(2));
        assert!(Arc::ptr_eq(&one, &other));
    }
}
