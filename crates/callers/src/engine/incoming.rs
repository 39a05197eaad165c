//! What a server may have under way to one participant: a server that sends more than is handled costs that participant,
//! not the process's memory and not the thread that serves others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use livekit_protocol as proto;
use proto::signal_response::Message as Response;

/// The most messages of a participant that wait for its thread.
const MAX_MESSAGES: usize = 1_000;
/// The most memory that they take, in bytes, roughly.
const MAX_BYTES: usize = 2 << 20;
/// What a participant or a track takes in memory, whatever it took on the wire.
const ENTRY_BYTES: usize = 512;

/// The messages of one participant that wait for its thread. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct IncomingQueue(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// A message on its way; it leaves the queue when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    waiting: Arc<Waiting>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.messages.fetch_sub(1, Relaxed);
        self.waiting.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

impl IncomingQueue {
    /// A place for a message that had `length` bytes on the wire; `None` if too much waits already.
    pub(super) fn enter(&self, message: &Response, length: usize) -> Option<Place> {
        let bytes = length + ENTRY_BYTES * entries(message);
        let place = Place { waiting: Arc::clone(&self.0), bytes };
        let messages = self.0.messages.fetch_add(1, Relaxed);
        let waiting = self.0.bytes.fetch_add(bytes, Relaxed);
        // A place that is not given is dropped, and counts no more.
        (messages < MAX_MESSAGES && waiting + bytes <= MAX_BYTES).then_some(place)
    }
}

/// How many participants and tracks a message describes.
fn entries(message: &Response) -> usize {
    let of = |participants: &[proto::ParticipantInfo]| {
        participants.iter().map(|one| 1 + one.tracks.len() + one.attributes.len()).sum()
    };
    match message {
        Response::Join(join) => of(&join.other_participants),
        Response::Update(update) => of(&update.participants),
        Response::Answer(answer) => answer.mid_to_track_id.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(participants: usize) -> Response {
        Response::Update(proto::ParticipantUpdate {
            participants: vec![proto::ParticipantInfo::default(); participants],
        })
    }

    #[test]
    fn what_waits_for_a_thread_is_bounded_in_number_and_in_memory() {
        let queue = IncomingQueue::default();
        let places: Vec<Place> =
            (0..MAX_MESSAGES).map_while(|_| queue.enter(&update(1), 2)).collect();
        assert_eq!(places.len(), MAX_MESSAGES);
        assert!(queue.enter(&update(0), 0).is_none());
        drop(places);
        assert!(queue.enter(&update(0), 0).is_some(), "what was handled waits no more");
        // Two bytes each on the wire.
        assert!(queue.enter(&update(10_000), 20_000).is_none());
        assert!(queue.enter(&update(1_000), 500_000).is_some(), "a room of a thousand");
    }
}
