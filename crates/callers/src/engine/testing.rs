//! What tests of apps share: a hand without sockets.

use std::collections::HashMap;
use std::sync::Arc;

use super::handler::ParticipantHandle;
use crate::data::read_agent_session;
use crate::participant::SendOutcome as Sent;
use rushhour_core::units::{Identity, Micros, SessionTime};

/// A hand that notes what its app does, in words, at a time of the test's.
#[derive(Default)]
pub struct RecordingHandle {
    /// What it takes the time to be.
    pub now: SessionTime,
    /// How far away the next beat is.
    pub to_next_beat: Micros,
    streams: u32,
    said: Vec<String>,
    /// The audio that was sent, and when.
    pub spoken: Vec<(SessionTime, Arc<[u8]>)>,
    /// What was told of whole turns on `lk.agent.session`.
    pub own_times: Vec<Micros>,
    /// Whether the app has left.
    pub gone: bool,
    /// Whether nothing more can be sent.
    pub full: bool,
}

impl RecordingHandle {
    fn note(&mut self, words: String) -> Sent {
        self.said.push(words);
        if self.full { Sent::Not } else { Sent::Out }
    }

    /// What was written and set since this was last asked, in words.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

impl ParticipantHandle for RecordingHandle {
    fn now(&self) -> SessionTime {
        self.now
    }

    fn next_beat(&self) -> SessionTime {
        self.now + self.to_next_beat
    }

    fn speak(&mut self, payload: &Arc<[u8]>, _: u32, _: bool) -> Sent {
        self.spoken.push((self.now, payload.clone()));
        Sent::Out
    }

    fn say(&mut self, topic: &str, text: &str, _: HashMap<String, String>) -> Sent {
        self.note(format!("{topic}: {text}"))
    }

    fn begin_text(&mut self, topic: &str, attributes: HashMap<String, String>) -> String {
        self.streams += 1;
        let stream = format!("s{}", self.streams);
        assert_eq!(topic, "lk.transcription");
        assert_eq!(attributes["lk.transcription_final"], "false");
        self.note(format!("{stream} begins {}", attributes["lk.segment_id"]));
        stream
    }

    fn continue_text(&mut self, stream: &str, index: u64, text: &str) -> Sent {
        self.note(format!("{stream}[{index}] {text}"))
    }

    fn end_text(&mut self, stream: &str, attributes: HashMap<String, String>) -> Sent {
        assert_eq!(attributes["lk.transcription_final"], "true");
        self.note(format!("{stream} ends"))
    }

    fn say_as(
        &mut self,
        author: &Identity,
        _: &str,
        _: &str,
        attributes: HashMap<String, String>,
    ) -> Sent {
        let track = attributes.get("lk.transcribed_track_id").cloned().unwrap_or_default();
        self.note(format!("as {author} on {track}: {}", attributes["lk.segment_id"]))
    }

    fn send_bytes(&mut self, topic: &str, bytes: &[u8]) -> Sent {
        assert_eq!(topic, "lk.agent.session");
        let times = read_agent_session(bytes).expect("it tells times");
        self.own_times.push(times.end_to_end.expect("of the whole"));
        Sent::Out
    }

    fn set_attributes(&mut self, attributes: HashMap<String, String>) {
        self.note(attributes["lk.agent.state"].clone());
    }

    fn leave(&mut self) {
        self.gone = true;
    }
}
