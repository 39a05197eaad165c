//! Texts whose sender the server has not announced yet: a participant without a track may be announced as late as 2.9 s
//! after it came (livekit-server 1.13.5), and greet before.

use crate::data::DataEvent;
use rushhour_core::units::{Identity, SessionTime};

/// Events that are kept, at most.
const MAX_EVENTS: usize = 64;
/// Bytes of their texts, at most.
const MAX_BYTES: usize = 64 << 10;

/// What came from senders that are not announced yet.
#[derive(Debug, Default)]
pub(super) struct UnannouncedTexts {
    events: Vec<KeptEvent>,
    bytes: usize,
}

#[derive(Debug)]
struct KeptEvent {
    sender: Identity,
    at: SessionTime,
    event: DataEvent,
}

impl UnannouncedTexts {
    /// Keeps an event whose sender is not known, until it is. Returns whether it is such an event.
    pub(super) fn keep(
        &mut self,
        event: &DataEvent,
        at: SessionTime,
        is_known: impl Fn(&Identity) -> bool,
    ) -> bool {
        let sender = match event {
            DataEvent::TextStreamOpened { sender, .. }
            | DataEvent::TextReceived { sender, .. }
            | DataEvent::SegmentTranscribed { sender, .. } => (!is_known(sender)).then_some(sender),
            DataEvent::TextChunk { stream_id, .. }
            | DataEvent::TextStreamClosed { stream_id, .. }
            | DataEvent::TextIncomplete { stream_id } => self.sender_of(stream_id),
            _ => None,
        };
        let Some(sender) = sender.cloned() else { return false };
        let bytes = match event {
            DataEvent::TextChunk { text, .. }
            | DataEvent::TextReceived { text, .. }
            | DataEvent::SegmentTranscribed { text, .. } => text.len(),
            _ => 0,
        };
        if self.events.len() < MAX_EVENTS && self.bytes + bytes <= MAX_BYTES {
            self.bytes += bytes;
            self.events.push(KeptEvent { sender, at, event: event.clone() });
        }
        true
    }

    /// Who opened a stream.
    fn sender_of(&self, stream: &str) -> Option<&Identity> {
        self.events.iter().find_map(|kept| match &kept.event {
            DataEvent::TextStreamOpened { stream_id, .. } if stream_id == stream => {
                Some(&kept.sender)
            }
            _ => None,
        })
    }

    /// A participant was announced: takes out what it sent before, in order.
    pub(super) fn take(&mut self, sender: &Identity) -> Vec<(SessionTime, DataEvent)> {
        if self.events.is_empty() {
            return Vec::new();
        }
        let taken = self.events.extract_if(.., |kept| kept.sender == *sender);
        let taken = taken.map(|kept| (kept.at, kept.event)).collect();
        if self.events.is_empty() {
            self.bytes = 0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn text(sender: &str, text: &str) -> DataEvent {
        DataEvent::TextReceived { sender: Identity::new(sender), text: text.to_owned() }
    }

    #[test]
    fn what_a_participant_sent_before_it_was_announced_is_kept_for_it() {
        let mut kept = UnannouncedTexts::default();
        let is_known = |sender: &Identity| sender.as_str() == "known";
        assert!(!kept.keep(&text("known", "One."), SessionTime(1), is_known));
        assert!(kept.keep(&text("agent", "Two."), SessionTime(2), is_known));
        assert!(kept.keep(&text("guest", "Three."), SessionTime(3), is_known));
        let opened = DataEvent::TextStreamOpened {
            stream_id: "s".to_owned(),
            sender: Identity::new("agent"),
            topic: "lk.transcription".to_owned(),
            attributes: HashMap::new(),
        };
        let chunk = |stream: &str| {
            let (stream_id, text) = (stream.to_owned(), "Four.".to_owned());
            DataEvent::TextChunk { stream_id, text }
        };
        assert!(!kept.keep(&chunk("s"), SessionTime(4), is_known), "nobody opened it");
        assert!(kept.keep(&opened, SessionTime(5), is_known));
        assert!(kept.keep(&chunk("s"), SessionTime(6), is_known));
        let taken = kept.take(&Identity::new("agent"));
        let times: Vec<u64> = taken.iter().map(|(at, _)| at.0).collect();
        assert_eq!(times, [2, 5, 6]);
        assert!(!kept.keep(&chunk("s"), SessionTime(7), is_known), "its stream is known by now");
        assert_eq!(kept.take(&Identity::new("guest")).len(), 1);
    }

    #[test]
    fn a_crowd_that_is_never_announced_uses_bounded_memory() {
        let mut kept = UnannouncedTexts::default();
        for number in 0..1_000 {
            kept.keep(&text(&number.to_string(), &"x".repeat(10_000)), SessionTime(1), |_| false);
        }
        assert!(kept.bytes <= MAX_BYTES && kept.events.len() <= MAX_EVENTS);
    }
}
