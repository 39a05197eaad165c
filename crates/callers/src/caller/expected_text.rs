//! Which of the agent's segments are the expected answer. A sentence may come in several segments.

use regex::Regex;

use super::utterances::Utterance;

/// The first and the last segment of the expected answer: the first segment that is as expected by itself, else those
/// over which the expected text extends where all are put together. Both are the same where one has all of it.
pub(super) fn find_expected<'a, I: Iterator<Item = &'a Utterance>>(
    segments: impl Fn() -> I,
    expect: &Regex,
) -> Option<(&'a Utterance, &'a Utterance)> {
    if let Some(one) = segments().find(|one| expect.is_match(&one.text_so_far())) {
        return Some((one, one));
    }
    let mut text = String::new();
    let mut ends = Vec::new();
    for one in segments() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&one.text_so_far());
        ends.push((text.len(), one));
    }
    if ends.len() < 2 {
        return None;
    }
    let found = expect.find(&text)?;
    let first = ends.iter().find(|(end, _)| *end > found.start())?;
    let last = ends.iter().find(|(end, _)| *end >= found.end())?;
    Some((first.1, last.1))
}

#[cfg(test)]
mod tests {
    use super::super::utterances::Utterances;
    use super::*;
    use crate::data::DataEvent;
    use rushhour_core::units::{Identity, SessionTime};

    /// Which of these segments are the expected ones, from 0.
    fn found(texts: &[&str], expect: &str) -> Option<(u64, u64)> {
        let mut utterances = Utterances::default();
        for (at, text) in (1..).zip(texts) {
            let (sender, text) = (Identity::new("agent"), (*text).to_owned());
            let event = DataEvent::TextReceived { sender, text };
            assert!(utterances.handle_data(&event, SessionTime(at), |_| true), "{texts:?}");
        }
        let segments = || utterances.since(SessionTime::START);
        let (first, last) = find_expected(segments, &Regex::new(expect).unwrap())?;
        Some((first.opened_at.0 - 1, last.opened_at.0 - 1))
    }

    #[test]
    fn a_segment_that_has_it_all_is_the_answer_even_where_others_together_have_it_too() {
        assert_eq!(found(&["One moment.", "A table.", "A table it is."], "table"), Some((1, 1)));
        assert_eq!(found(&["A", "table", "A table."], "A table"), Some((2, 2)));
        assert_eq!(found(&["One moment.", "Yes"], "^Yes$"), Some((1, 1)));
    }

    #[test]
    fn what_comes_in_several_segments_is_the_answer_from_where_it_begins_to_where_it_ends() {
        let parts = ["One moment.", "Your table", "for four", "is booked.", "Goodbye."];
        assert_eq!(found(&parts, "table for four is booked"), Some((1, 3)));
        assert_eq!(found(&parts, "moment.*table"), Some((0, 1)));
        assert_eq!(found(&parts, "four is"), Some((2, 3)));
        assert_eq!(found(&parts, "table for five"), None);
        assert_eq!((found(&["Your table"], "table for"), found(&[], "table")), (None, None));
    }
}
