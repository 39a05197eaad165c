//! The seam between a participant and what it is used for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::participant::{ParticipantEvent, SendOutcome as Sent};
use rushhour_core::units::{Identity, SessionTime};

/// What a participant can do. The engine has one for its sockets, tests have one for their notes.
pub trait ParticipantHandle {
    /// The time now, read anew at each call.
    fn now(&self) -> SessionTime;
    /// When the participant's next beat is meant to be; beats follow 20 ms apart. Audio that is due on them
    /// leaves on time.
    fn next_beat(&self) -> SessionTime;
    /// Sends an Opus packet of 20 ms; `rtp_time` is its time at 48 kHz, `marker` begins a talk spurt.
    fn speak(&mut self, payload: &Arc<[u8]>, rtp_time: u32, marker: bool) -> Sent;
    /// Sends a whole text as one stream.
    fn say(&mut self, topic: &str, text: &str, attributes: HashMap<String, String>) -> Sent;
    /// Opens a text stream that [`Self::continue_text`] fills and [`Self::end_text`] ends; gives its id.
    fn begin_text(&mut self, topic: &str, attributes: HashMap<String, String>) -> String;
    /// Sends a further part of an open text stream; `index` counts its parts from 0.
    fn continue_text(&mut self, stream: &str, index: u64, text: &str) -> Sent;
    /// Ends an open text stream.
    fn end_text(&mut self, stream: &str, attributes: HashMap<String, String>) -> Sent;
    /// Sends a whole text as one stream in somebody else's name, which the server lets agents do alone.
    fn say_as(
        &mut self,
        author: &Identity,
        topic: &str,
        text: &str,
        attributes: HashMap<String, String>,
    ) -> Sent;
    /// Sends bytes as one stream.
    fn send_bytes(&mut self, topic: &str, bytes: &[u8]) -> Sent;
    /// Sets attributes of this participant's.
    fn set_attributes(&mut self, attributes: HashMap<String, String>);
    /// Leaves the room; [`ParticipantHandler::left`] is called next and nothing after it.
    fn leave(&mut self);
}

/// Why a participant is no longer in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaveReason {
    /// It never got in: the server's answer or the connection's error, in words, and the HTTP status if there was one.
    Refused {
        /// The words.
        words: String,
        /// The status.
        status: Option<u16>,
    },
    /// It never got in, for want of something of this machine's, such as file handles; in words.
    OurFault(String),
    /// It left by itself.
    ByItself,
    /// The room was deleted.
    RoomDeleted,
    /// The server put it out, or the connection was lost; in words.
    Lost(String),
}

/// When an app wants to be called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTick {
    /// At the participant's next beat, at most 20 ms away.
    Beat,
    /// At the first beat from this time on.
    At(SessionTime),
    /// Only when something happens.
    Event,
}

/// What a participant is used for. Its engine calls it on one thread, one call at a time.
pub trait ParticipantHandler: Send {
    /// Something happened in the room, at `at`; for what came over the network that is when it arrived.
    fn event(&mut self, event: ParticipantEvent, at: SessionTime, hand: &mut dyn ParticipantHandle);
    /// Time has passed; says when to be called next. An event leads to a call at the next beat, whatever was said.
    fn tick(&mut self, hand: &mut dyn ParticipantHandle) -> NextTick;
    /// Whoever holds the participant from outside wants it to leave.
    fn stop(&mut self, hand: &mut dyn ParticipantHandle) {
        hand.leave();
    }
    /// The participant is out of the room. The last call.
    fn left(&mut self, why: LeaveReason, at: SessionTime);
}
