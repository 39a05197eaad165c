//! Topics and attributes of LiveKit's agents (livekit-agents 1.8, `types.py` and `voice/room_io`).

use std::collections::HashMap;

/// The topic of the callers' messages.
pub(super) const CHAT_TOPIC: &str = "lk.chat";
/// The topic of the agents' answers and transcriptions.
pub(super) const TRANSCRIPTION_TOPIC: &str = "lk.transcription";

const FINAL: &str = "lk.transcription_final";
const SEGMENT: &str = "lk.segment_id";
const TRACK: &str = "lk.transcribed_track_id";

/// The attributes in the header of a segment that is still being written.
pub(super) fn open_segment(segment: &str) -> HashMap<String, String> {
    HashMap::from([
        (FINAL.to_owned(), "false".to_owned()),
        (SEGMENT.to_owned(), segment.to_owned()),
    ])
}

/// The attributes in the trailer of a segment.
pub(super) fn end_of_segment() -> HashMap<String, String> {
    HashMap::from([(FINAL.to_owned(), "true".to_owned())])
}

/// The attributes in the header of a transcription of the caller's speech.
pub(super) fn user_transcription(
    segment: &str,
    track: Option<&str>,
    is_final: bool,
) -> HashMap<String, String> {
    let mut attributes = open_segment(segment);
    attributes.insert(FINAL.to_owned(), is_final.to_string());
    attributes.extend(track.map(|track| (TRACK.to_owned(), track.to_owned())));
    attributes
}
