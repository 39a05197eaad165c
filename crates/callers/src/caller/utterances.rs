//! What the agent writes: its text streams, each with its segment, when it began, and its words.
//!
//! LiveKit's framework sends one stream a segment of speech on the topic `lk.transcription`, named by the
//! attribute `lk.segment_id`. What it heard of the caller comes on the same topic in the caller's name.

use crate::data::DataEvent;
use rushhour_core::units::{Identity, SessionTime};

/// The topic on which an agent writes.
const TRANSCRIPTION: &str = "lk.transcription";
/// The topic on which an agent may also write.
const CHAT: &str = "lk.chat";
/// The attribute that names a segment.
const SEGMENT: &str = "lk.segment_id";
/// Utterances that are remembered; more belong to an agent that never comes to an end.
const MOST: usize = 64;
/// Most of one utterance's words that is kept.
const LONGEST: usize = 16 << 10;

/// Something the agent wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Utterance {
    stream: String,
    segment: Option<String>,
    /// Whether its segment had been written before: an update, or a late echo.
    pub(super) is_old: bool,
    /// When its stream began.
    pub(super) began: SessionTime,
    /// When its first words arrived.
    pub(super) first: Option<SessionTime>,
    /// When its end arrived.
    pub(super) ended: Option<SessionTime>,
    /// Its words so far.
    pub(super) words: String,
}

/// All that the agent wrote, the latest last.
#[derive(Debug, Default)]
pub(super) struct Utterances {
    list: Vec<Utterance>,
    segments: Vec<String>,
}

impl Utterances {
    /// Takes in what arrived at `at`; gives whether it was the agent writing.
    pub(super) fn take(
        &mut self,
        event: &DataEvent,
        at: SessionTime,
        is_agent: impl Fn(&Identity) -> bool,
    ) -> bool {
        match event {
            DataEvent::TextBegins { stream, sender, topic, attributes } => {
                if !(is_agent(sender) && [TRANSCRIPTION, CHAT].contains(&topic.as_str())) {
                    return false;
                }
                self.begin(stream, attributes.get(SEGMENT), at);
            }
            DataEvent::TextPart { stream, text } => {
                let Some(utterance) = self.open(stream) else { return false };
                if !text.is_empty() {
                    utterance.first.get_or_insert(at);
                }
                let room = LONGEST.saturating_sub(utterance.words.len());
                utterance.words.extend(text.chars().take(room));
            }
            DataEvent::TextEnds { stream, .. } => {
                let Some(utterance) = self.open(stream) else { return false };
                utterance.ended = Some(at);
            }
            DataEvent::Bytes { .. } => return false,
        }
        true
    }

    fn begin(&mut self, stream: &str, segment: Option<&String>, at: SessionTime) {
        let is_old = segment.is_some_and(|segment| self.segments.contains(segment));
        if let (Some(segment), false) = (segment, is_old) {
            if self.segments.len() >= MOST {
                self.segments.remove(0);
            }
            self.segments.push(segment.clone());
        }
        if self.list.len() >= MOST {
            self.list.remove(0);
        }
        self.list.push(Utterance {
            stream: stream.to_owned(),
            segment: segment.cloned(),
            is_old,
            began: at,
            first: None,
            ended: None,
            words: String::new(),
        });
    }

    fn open(&mut self, stream: &str) -> Option<&mut Utterance> {
        self.list.iter_mut().rev().find(|one| one.stream == stream && one.ended.is_none())
    }

    /// Whether a stream is open.
    pub(super) fn is_writing(&self) -> bool {
        self.list.iter().any(|one| one.ended.is_none())
    }

    /// Utterances of segments of their own whose streams began after `time`.
    pub(super) fn since(&self, time: SessionTime) -> impl Iterator<Item = &Utterance> {
        self.list.iter().filter(move |one| one.began > time && !one.is_old)
    }

    /// When the first words of the latest utterance that is still being written arrived.
    pub(super) fn writing_since(&self) -> Option<SessionTime> {
        self.list.iter().rev().find(|one| one.ended.is_none())?.first
    }

    /// All words that were written in streams that began after `time`.
    pub(super) fn words_since(&self, time: SessionTime) -> String {
        self.since(time).map(|one| one.words.as_str()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn begins(stream: &str, sender: &str, segment: &str) -> DataEvent {
        DataEvent::TextBegins {
            stream: stream.to_owned(),
            sender: Identity::new(sender),
            topic: TRANSCRIPTION.to_owned(),
            attributes: HashMap::from([(SEGMENT.to_owned(), segment.to_owned())]),
        }
    }

    fn part(stream: &str, text: &str) -> DataEvent {
        DataEvent::TextPart { stream: stream.to_owned(), text: text.to_owned() }
    }

    fn ends(stream: &str) -> DataEvent {
        DataEvent::TextEnds { stream: stream.to_owned(), attributes: HashMap::new() }
    }

    fn told(events: &[(DataEvent, u64)]) -> Utterances {
        let mut utterances = Utterances::default();
        for (event, at) in events {
            utterances.take(event, SessionTime(*at), |who| who.as_str() == "agent");
        }
        utterances
    }

    #[test]
    fn an_utterance_has_its_moments_and_its_words() {
        let utterances = told(&[
            (begins("s", "agent", "a"), 10),
            (part("s", ""), 11),
            (part("s", "Good "), 12),
            (part("s", "evening"), 13),
        ]);
        assert!(utterances.is_writing());
        assert_eq!(utterances.writing_since(), Some(SessionTime(12)));
        let utterances = told(&[
            (begins("s", "agent", "a"), 10),
            (part("s", "Good evening"), 12),
            (ends("s"), 14),
        ]);
        let one = utterances.since(SessionTime(5)).next().unwrap();
        assert_eq!((one.first, one.ended), (Some(SessionTime(12)), Some(SessionTime(14))));
        assert_eq!(utterances.words_since(SessionTime(5)), "Good evening");
        assert!(!utterances.is_writing());
    }

    #[test]
    fn an_echo_of_the_caller_and_a_segment_written_before_are_no_answers() {
        let utterances = told(&[
            (begins("e", "caller", "u"), 10),
            (part("e", "I would like"), 11),
            (begins("s", "agent", "a"), 20),
            (ends("s"), 21),
            (begins("t", "agent", "a"), 30),
            (begins("v", "agent", "b"), 40),
        ]);
        let segments: Vec<_> =
            utterances.since(SessionTime(0)).map(|one| one.segment.clone().unwrap()).collect();
        assert_eq!(segments, ["a", "b"]);
    }

    #[test]
    fn an_agent_that_never_comes_to_an_end_fills_nothing() {
        let mut utterances = Utterances::default();
        for number in 0..10_000_u64 {
            let stream = format!("s{number}");
            let begins = begins(&stream, "agent", &stream);
            utterances.take(&begins, SessionTime(number), |_| true);
            utterances.take(&part(&stream, &"x".repeat(100)), SessionTime(number), |_| true);
        }
        assert_eq!(utterances.list.len(), MOST);
        for _ in 0..10_000 {
            utterances.take(&part("s9999", &"x".repeat(100)), SessionTime(1), |_| true);
        }
        assert!(utterances.list.last().unwrap().words.len() <= LONGEST);
    }
}
