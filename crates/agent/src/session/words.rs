//! The words of LiveKit's agents: topics, attributes, states (livekit-agents 1.8, `types.py`, `voice/room_io`).

use std::collections::HashMap;

/// The topic on which callers write.
pub(super) const CHAT_TOPIC: &str = "lk.chat";
/// The topic on which agents write.
pub(super) const TRANSCRIPTION_TOPIC: &str = "lk.transcription";
/// The attribute of an agent's state.
pub(super) const STATE: &str = "lk.agent.state";

const FINAL: &str = "lk.transcription_final";
const SEGMENT: &str = "lk.segment_id";
const TRACK: &str = "lk.transcribed_track_id";

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Initializing,
    Listening,
    Thinking,
    Speaking,
}

impl State {
    pub(super) fn attributes(self) -> HashMap<String, String> {
        let word = match self {
            Self::Initializing => "initializing",
            Self::Listening => "listening",
            Self::Thinking => "thinking",
            Self::Speaking => "speaking",
        };
        HashMap::from([(STATE.to_owned(), word.to_owned())])
    }
}

/// What the header of a segment that is being written says.
pub(super) fn begun(segment: &str) -> HashMap<String, String> {
    HashMap::from([
        (FINAL.to_owned(), "false".to_owned()),
        (SEGMENT.to_owned(), segment.to_owned()),
    ])
}

/// What the trailer of a segment says.
pub(super) fn ended() -> HashMap<String, String> {
    HashMap::from([(FINAL.to_owned(), "true".to_owned())])
}

/// What the header of the caller's own words says, which come whole.
pub(super) fn heard(segment: &str, track: Option<&str>) -> HashMap<String, String> {
    let mut attributes = begun(segment);
    attributes.insert(FINAL.to_owned(), "true".to_owned());
    attributes.extend(track.map(|track| (TRACK.to_owned(), track.to_owned())));
    attributes
}
