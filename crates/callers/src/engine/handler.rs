//! The interface between a participant and its application.

use std::collections::HashMap;
use std::sync::Arc;

use super::leave_reason::LeaveReason;
use crate::data::RpcFailure;
use crate::participant::{ParticipantEvent, SendOutcome};
use rushhour_core::units::{DtmfKey, Identity, SessionTime};

/// The application of one participant, such as a caller or an agent.
///
/// The engine calls it on one thread, one call at a time. A call that blocks delays all participants of the thread.
pub trait ParticipantHandler: Send {
    /// Handles an event of the room. `at` is when it happened; for what came over UDP, when the kernel received it.
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    );

    /// Does what is due, and returns when to be called next. Events lead to a call at the next tick in any case.
    fn on_tick(&mut self, handle: &mut dyn ParticipantHandle) -> NextTick {
        let _ = handle;
        NextTick::OnEvent
    }

    /// Handles a request to leave, from [`ParticipantControl::stop`](super::ParticipantControl::stop).
    fn on_stop(&mut self, handle: &mut dyn ParticipantHandle) {
        handle.leave();
    }

    /// The participant is out of the room, or could not join. The last call.
    fn on_left(&mut self, reason: LeaveReason, at: SessionTime);
}

/// When a handler must be called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTick {
    /// At the participant's next tick, at most 20 ms away.
    Next,
    /// At the first tick from this time on.
    At(SessionTime),
    /// Only after an event.
    OnEvent,
}

/// What a handler can do in the room.
pub trait ParticipantHandle {
    /// The current time, read from the clock at each call.
    fn now(&self) -> SessionTime;

    /// When the participant's next tick is due. Ticks are 20 ms apart; audio that is due at one is sent on time.
    fn next_tick(&self) -> SessionTime;

    /// Sends an Opus packet of 20 ms. `rtp_time` is its RTP timestamp at 48 kHz; `marker` begins a talk spurt.
    fn send_audio(&mut self, payload: &Arc<[u8]>, rtp_time: u32, marker: bool) -> SendOutcome;

    /// Uses up the sequence number of an Opus packet that is not sent, as if the network had lost it.
    fn lose_audio(&mut self) {}

    /// Sends an Opus packet of 20 ms on the track for background audio.
    fn send_background(&mut self, payload: &Arc<[u8]>, rtp_time: u32, marker: bool) -> SendOutcome;

    /// Sends a text as one stream.
    fn send_text(
        &mut self,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome;

    /// Sends a text as one stream in the name of another participant, which the server allows only agents.
    fn send_text_as(
        &mut self,
        author: &Identity,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome;

    /// Opens a text stream, to be sent part by part. Returns its id.
    fn open_text_stream(&mut self, topic: &str, attributes: HashMap<String, String>) -> String;

    /// Sends a part of an open text stream; `index` counts the parts from 0.
    fn write_text_stream(&mut self, stream_id: &str, index: u64, text: &str) -> SendOutcome;

    /// Closes an open text stream.
    fn close_text_stream(
        &mut self,
        stream_id: &str,
        attributes: HashMap<String, String>,
    ) -> SendOutcome;

    /// Sends bytes as one stream.
    fn send_bytes(&mut self, topic: &str, bytes: &[u8]) -> SendOutcome;

    /// Acknowledges a call by RPC and answers it: with a payload, or with why there is none.
    fn answer_rpc(
        &mut self,
        caller: &Identity,
        request_id: &str,
        answer: Result<&str, RpcFailure>,
    ) -> SendOutcome;

    /// Presses a key of a telephone.
    fn press_key(&mut self, key: DtmfKey) -> SendOutcome;

    /// Sets attributes of the participant; others keep their values.
    fn set_attributes(&mut self, attributes: HashMap<String, String>);

    /// The ways to the server that were tried for media and data, and what answered, for people.
    fn describe_paths(&self) -> String {
        String::new()
    }

    /// Leaves the room. [`ParticipantHandler::on_left`] is called next, and nothing after it.
    fn leave(&mut self);
}
