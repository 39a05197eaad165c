//! A participant without sockets, for tests of handlers.

use std::collections::HashMap;
use std::sync::Arc;

use super::handler::ParticipantHandle;
use crate::data::{RpcFailure, decode_turn_metrics};
use crate::participant::SendOutcome;
use rushhour_core::units::{DtmfKey, Identity, Micros, SessionTime};

/// Records what a handler does, at times that the test sets.
#[derive(Default)]
pub struct RecordingHandle {
    /// The current time.
    pub now: SessionTime,
    /// The time until the next tick.
    pub until_next_tick: Micros,
    streams: u32,
    log: Vec<String>,
    /// The audio that was sent, and when.
    pub sent_audio: Vec<(SessionTime, Arc<[u8]>)>,
    /// When a packet was lost.
    pub lost_audio: Vec<SessionTime>,
    /// The background audio that was sent, and when.
    pub sent_background: Vec<(SessionTime, Arc<[u8]>)>,
    /// The end-to-end latencies that were sent on `lk.agent.session`.
    pub reported_latencies: Vec<Micros>,
    /// Whether the handler has left.
    pub has_left: bool,
    /// Whether texts cannot be sent.
    pub is_blocked: bool,
}

impl RecordingHandle {
    fn record(&mut self, entry: String) -> SendOutcome {
        self.log.push(entry);
        if self.is_blocked { SendOutcome::NotSent } else { SendOutcome::Sent }
    }

    /// The texts that were sent (or blocked) and the states that were set since the last call, one line each.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

impl ParticipantHandle for RecordingHandle {
    fn now(&self) -> SessionTime {
        self.now
    }

    fn next_tick(&self) -> SessionTime {
        self.now + self.until_next_tick
    }

    fn send_audio(&mut self, payload: &Arc<[u8]>, _: u32, _: bool) -> SendOutcome {
        self.sent_audio.push((self.now, payload.clone()));
        SendOutcome::Sent
    }

    fn lose_audio(&mut self) {
        self.lost_audio.push(self.now);
    }

    fn send_background(&mut self, payload: &Arc<[u8]>, _: u32, _: bool) -> SendOutcome {
        self.sent_background.push((self.now, payload.clone()));
        SendOutcome::Sent
    }

    fn send_text(&mut self, topic: &str, text: &str, _: HashMap<String, String>) -> SendOutcome {
        self.record(format!("{topic}: {text}"))
    }

    fn send_text_as(
        &mut self,
        author: &Identity,
        _: &str,
        _: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome {
        let track = attributes.get("lk.transcribed_track_id").cloned().unwrap_or_default();
        self.record(format!("as {author} on {track}: {}", attributes["lk.segment_id"]))
    }

    fn open_text_stream(&mut self, topic: &str, attributes: HashMap<String, String>) -> String {
        self.streams += 1;
        let stream_id = format!("s{}", self.streams);
        assert_eq!(topic, "lk.transcription");
        assert_eq!(attributes["lk.transcription_final"], "false");
        self.record(format!("{stream_id} begins {}", attributes["lk.segment_id"]));
        stream_id
    }

    fn write_text_stream(&mut self, stream_id: &str, index: u64, text: &str) -> SendOutcome {
        self.record(format!("{stream_id}[{index}] {text}"))
    }

    fn close_text_stream(
        &mut self,
        stream_id: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome {
        assert_eq!(attributes["lk.transcription_final"], "true");
        self.record(format!("{stream_id} ends"))
    }

    fn send_bytes(&mut self, topic: &str, bytes: &[u8]) -> SendOutcome {
        assert_eq!(topic, "lk.agent.session");
        let Some(latencies) = decode_turn_metrics(bytes) else {
            return self.record(format!("{topic}: a request"));
        };
        self.reported_latencies.push(latencies.end_to_end.expect("the end-to-end latency"));
        SendOutcome::Sent
    }

    fn answer_rpc(
        &mut self,
        caller: &Identity,
        request_id: &str,
        answer: Result<&str, RpcFailure>,
    ) -> SendOutcome {
        self.record(match answer {
            Ok(payload) => format!("{request_id} of {caller}: {payload}"),
            Err(failure) => format!("{request_id} of {caller}: error {}", failure.code()),
        })
    }

    fn press_key(&mut self, key: DtmfKey) -> SendOutcome {
        self.record(format!("key {}", key.sign()))
    }

    fn set_attributes(&mut self, attributes: HashMap<String, String>) {
        self.record(attributes["lk.agent.state"].clone());
    }

    fn describe_paths(&self) -> String {
        "UDP to 127.0.0.1:7882: no answer".to_owned()
    }

    fn leave(&mut self) {
        self.has_left = true;
    }
}
