//! What the agent writes: its text streams, with their segments and times.
//!
//! LiveKit's agent framework sends one stream for each segment of speech on the topic `lk.transcription`, named by the
//! attribute `lk.segment_id`. Transcriptions of the caller come on the same topic, in the caller's name.

use crate::data::DataEvent;
use rushhour_core::units::{Identity, SessionTime};

/// The topic of an agent's transcriptions.
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";
/// The topic of chat, on which an agent may answer too.
pub(super) const CHAT_TOPIC: &str = "lk.chat";
/// The attribute that names a segment.
const SEGMENT_ID: &str = "lk.segment_id";
/// Utterances that are kept, and segments that are remembered, at most.
const MAX_UTTERANCES: usize = 64;
/// Characters of one utterance that are kept, at most.
const MAX_TEXT: usize = 16 << 10;

/// One text stream of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Utterance {
    stream_id: String,
    segment: Option<String>,
    /// Whether an earlier stream had the same segment: this is an update or a late repetition.
    is_repetition: bool,
    opened_at: SessionTime,
    /// When its first text arrived.
    pub(super) first_text_at: Option<SessionTime>,
    pub(super) closed_at: Option<SessionTime>,
    /// Its text so far.
    pub(super) text: String,
}

/// The agent's text streams, the latest last.
#[derive(Debug, Default)]
pub(super) struct Utterances {
    list: Vec<Utterance>,
    /// The segments that were seen.
    segments: Vec<String>,
}

impl Utterances {
    /// Handles an event that arrived at `at`. Returns whether it is part of a text stream of the agent.
    pub(super) fn handle_data(
        &mut self,
        event: &DataEvent,
        at: SessionTime,
        is_agent: impl Fn(&Identity) -> bool,
    ) -> bool {
        match event {
            DataEvent::TextStreamOpened { stream_id, sender, topic, attributes } => {
                if !(is_agent(sender)
                    && [TRANSCRIPTION_TOPIC, CHAT_TOPIC].contains(&topic.as_str()))
                {
                    return false;
                }
                self.open(stream_id, attributes.get(SEGMENT_ID), at);
            }
            DataEvent::TextChunk { stream_id, text } => {
                let Some(utterance) = self.find_open(stream_id) else { return false };
                if !text.is_empty() {
                    utterance.first_text_at.get_or_insert(at);
                }
                let free = MAX_TEXT.saturating_sub(utterance.text.len());
                utterance.text.extend(text.chars().take(free));
            }
            DataEvent::TextStreamClosed { stream_id, .. } => {
                let Some(utterance) = self.find_open(stream_id) else { return false };
                utterance.closed_at = Some(at);
            }
            DataEvent::ByteStreamReceived { .. }
            | DataEvent::RpcCalled { .. }
            | DataEvent::DtmfReceived { .. } => return false,
        }
        true
    }

    fn open(&mut self, stream_id: &str, segment: Option<&String>, at: SessionTime) {
        let is_repetition = segment.is_some_and(|segment| self.segments.contains(segment));
        if let (Some(segment), false) = (segment, is_repetition) {
            if self.segments.len() >= MAX_UTTERANCES {
                self.segments.remove(0);
            }
            self.segments.push(segment.clone());
        }
        if self.list.len() >= MAX_UTTERANCES {
            self.list.remove(0);
        }
        self.list.push(Utterance {
            stream_id: stream_id.to_owned(),
            segment: segment.cloned(),
            is_repetition,
            opened_at: at,
            first_text_at: None,
            closed_at: None,
            text: String::new(),
        });
    }

    fn find_open(&mut self, stream_id: &str) -> Option<&mut Utterance> {
        let mut latest_first = self.list.iter_mut().rev();
        latest_first.find(|one| one.stream_id == stream_id && one.closed_at.is_none())
    }

    /// Whether a stream is open.
    pub(super) fn is_writing(&self) -> bool {
        self.list.iter().any(|one| one.closed_at.is_none())
    }

    /// When the first text of the latest open stream arrived.
    pub(super) fn writing_since(&self) -> Option<SessionTime> {
        self.list.iter().rev().find(|one| one.closed_at.is_none())?.first_text_at
    }

    /// The streams that were opened after `time`, without repetitions.
    pub(super) fn since(&self, time: SessionTime) -> impl Iterator<Item = &Utterance> {
        self.list.iter().filter(move |one| one.opened_at > time && !one.is_repetition)
    }

    /// The text of the streams that were opened after `time`, without repetitions.
    pub(super) fn text_since(&self, time: SessionTime) -> String {
        self.since(time).map(|one| one.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn opened(stream: &str, sender: &str, segment: &str) -> DataEvent {
        DataEvent::TextStreamOpened {
            stream_id: stream.to_owned(),
            sender: Identity::new(sender),
            topic: TRANSCRIPTION_TOPIC.to_owned(),
            attributes: HashMap::from([(SEGMENT_ID.to_owned(), segment.to_owned())]),
        }
    }

    fn chunk(stream: &str, text: &str) -> DataEvent {
        DataEvent::TextChunk { stream_id: stream.to_owned(), text: text.to_owned() }
    }

    fn closed(stream: &str) -> DataEvent {
        DataEvent::TextStreamClosed { stream_id: stream.to_owned(), attributes: HashMap::new() }
    }

    fn received(events: &[(DataEvent, u64)]) -> Utterances {
        let mut utterances = Utterances::default();
        for (event, at) in events {
            utterances.handle_data(event, SessionTime(*at), |sender| sender.as_str() == "agent");
        }
        utterances
    }

    #[test]
    fn an_utterance_has_its_times_and_its_text() {
        let utterances = received(&[
            (opened("s", "agent", "a"), 10),
            (chunk("s", ""), 11),
            (chunk("s", "Good "), 12),
            (chunk("s", "evening"), 13),
        ]);
        assert!(utterances.is_writing());
        assert_eq!(utterances.writing_since(), Some(SessionTime(12)));
        let utterances = received(&[
            (opened("s", "agent", "a"), 10),
            (chunk("s", "Good evening"), 12),
            (closed("s"), 14),
        ]);
        let one = utterances.since(SessionTime(5)).next().unwrap();
        assert_eq!(
            (one.first_text_at, one.closed_at),
            (Some(SessionTime(12)), Some(SessionTime(14)))
        );
        assert_eq!(utterances.text_since(SessionTime(5)), "Good evening");
        assert!(!utterances.is_writing());
    }

    #[test]
    fn transcriptions_of_the_caller_and_repeated_segments_are_left_out() {
        let utterances = received(&[
            (opened("e", "caller", "u"), 10),
            (chunk("e", "I would like"), 11),
            (opened("s", "agent", "a"), 20),
            (closed("s"), 21),
            (opened("t", "agent", "a"), 30),
            (opened("v", "agent", "b"), 40),
        ]);
        let segments: Vec<_> =
            utterances.since(SessionTime(0)).map(|one| one.segment.clone().unwrap()).collect();
        assert_eq!(segments, ["a", "b"]);
    }

    #[test]
    fn an_agent_that_never_stops_writing_uses_bounded_memory() {
        let mut utterances = Utterances::default();
        for number in 0..10_000_u64 {
            let stream = format!("s{number}");
            let header = opened(&stream, "agent", &stream);
            utterances.handle_data(&header, SessionTime(number), |_| true);
            utterances
                .handle_data(&chunk(&stream, &"x".repeat(100)), SessionTime(number), |_| true);
        }
        assert_eq!(utterances.list.len(), MAX_UTTERANCES);
        for _ in 0..10_000 {
            utterances.handle_data(&chunk("s9999", &"x".repeat(100)), SessionTime(1), |_| true);
        }
        assert!(utterances.list.last().unwrap().text.len() <= MAX_TEXT);
    }
}
