//! A subscriber for tests of what is logged, and the reading of any answer for those of hostile servers.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Subscriber};
use tracing::{Dispatch, Event, Metadata};

use livekit_protocol as proto;

use super::client::{dispatch_infos, participants_of, room_info};
use super::dispatched_job::DispatchedJob;
use super::error::LiveKitError;
use super::twirp::decode_answer;
use rushhour_core::units::{AgentName, Identity};

/// Reads bytes as the answer to each method whose answer is read at all, and as an error of this status.
pub fn read_any_answer(status: u16, body: &[u8]) {
    let _ = LiveKitError::from_response(status, body);
    let rooms = decode_answer::<proto::ListRoomsResponse>("RoomService/ListRooms", body);
    if let Some(Ok(answer)) = rooms {
        answer.rooms.into_iter().map(room_info).for_each(drop);
    }
    let method = "RoomService/ListParticipants";
    if let Some(Ok(present)) = decode_answer::<proto::ListParticipantsResponse>(method, body) {
        let _ = participants_of(present, &Identity::new("caller"));
    }
    let method = "AgentDispatchService/ListDispatch";
    if let Some(Ok(listed)) = decode_answer::<proto::ListAgentDispatchResponse>(method, body) {
        let _ = DispatchedJob::find(listed.clone(), &AgentName::new("agent"));
        let _ = dispatch_infos(listed);
    }
    let _ = decode_answer::<proto::Room>("RoomService/CreateRoom", body);
    let _ = decode_answer::<proto::AgentDispatch>("AgentDispatchService/CreateDispatch", body);
}

/// Keeps the events of this thread as lines: level, message, and fields as `name=value`.
#[derive(Debug, Clone, Default)]
pub struct EventCapture {
    events: Arc<Mutex<Vec<(String, String)>>>,
}

impl EventCapture {
    /// Captures until the guard is dropped.
    pub fn install(&self) -> CaptureGuard {
        let unused = Dispatch::new(Self::default());
        CaptureGuard { _unused: unused, _default: tracing::subscriber::set_default(self.clone()) }
    }

    /// The events captured so far whose target begins with `target`.
    pub fn events_of(&self, target: &str) -> Vec<String> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let own = events.iter().filter(|(from, _)| from.starts_with(target));
        own.map(|(_, line)| line.clone()).collect()
    }
}

/// Ends the capture when it is dropped.
pub struct CaptureGuard {
    /// While there is only one subscriber, `tracing` disables for good what a thread without a subscriber logs first:
    /// other tests in the process. With two it asks all subscribers.
    _unused: Dispatch,
    _default: DefaultGuard,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("writing to a string does not fail");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Subscriber for EventCapture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push((event.metadata().target().to_owned(), line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
