//! Joins a room of a LiveKit server without libwebrtc, sends a chat message, and prints what happens in the room for
//! ten seconds.
//!
//! ```text
//! lk token create --api-key KEY --api-secret SECRET --join --room demo --identity visitor
//! cargo run --example join_room -- ws://127.0.0.1:7880 TOKEN
//! ```

#![expect(clippy::print_stdout, reason = "this example prints what it receives")]

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use rushhour_callers::data::{DataEvent, RpcFailure};
use rushhour_callers::engine::{
    Engine, EngineClock, JoinRequest, LeaveReason, ParticipantHandle, ParticipantHandler,
};
use rushhour_callers::participant::ParticipantEvent;
use rushhour_callers::{Secret, SessionTime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const STAY: Duration = Duration::from_secs(10);

/// Greets the room, and prints its events.
struct Visitor {
    hears_audio: bool,
    left: UnboundedSender<LeaveReason>,
}

impl ParticipantHandler for Visitor {
    fn on_event(
        &mut self,
        event: ParticipantEvent,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        let text = match event {
            ParticipantEvent::Joined { identity, others } => {
                let others: Vec<_> = others.iter().map(|one| one.identity.as_str()).collect();
                format!("joined as {identity}; in the room: {others:?}")
            }
            ParticipantEvent::DataChannelOpen => {
                let sent = handle.send_text("lk.chat", "Hello, room!", HashMap::new());
                format!("data channel open; greeting: {sent:?}")
            }
            ParticipantEvent::ParticipantUpdated(other) if other.connected => {
                format!("{} is here; agent state: {:?}", other.identity, other.agent_state)
            }
            ParticipantEvent::ParticipantUpdated(other) => format!("{} left", other.identity),
            ParticipantEvent::Data(DataEvent::TextStreamOpened { sender, topic, .. }) => {
                format!("{sender} writes on {topic}")
            }
            ParticipantEvent::Data(DataEvent::TextChunk { text, .. }) => format!("text: {text}"),
            ParticipantEvent::Data(DataEvent::ByteStreamReceived { sender, topic, bytes }) => {
                format!("{sender} sent {} bytes on {topic}", bytes.len())
            }
            ParticipantEvent::Data(DataEvent::RpcCalled { caller, request_id, method, .. }) => {
                // A caller that gets no answer waits for seven seconds.
                handle.answer_rpc(&caller, &request_id, Err(RpcFailure::UnsupportedMethod));
                format!("{caller} calls {method}")
            }
            ParticipantEvent::Data(DataEvent::DtmfReceived { sender, digit, .. }) => {
                format!("{sender} pressed {digit}")
            }
            ParticipantEvent::Audio { track_sid, .. } => {
                // A packet arrives every 20 ms.
                if std::mem::replace(&mut self.hears_audio, true) {
                    return;
                }
                format!("receives audio of track {track_sid:?}")
            }
            ParticipantEvent::ServerKnown(server) => {
                format!("server {}, signalling {}", server.version, server.protocol.name())
            }
            ParticipantEvent::ConnectionLost(cause) => {
                format!("lost the connection: {}", cause.meaning())
            }
            ParticipantEvent::Reconnected(reconnect) => {
                format!("back after {}", reconnect.duration())
            }
            ParticipantEvent::ConnectionRated { of, rating } => {
                format!("{} is rated {rating:?}", of.as_deref().unwrap_or("my own connection"))
            }
            ParticipantEvent::Data(_)
            | ParticipantEvent::Rejoined { .. }
            | ParticipantEvent::TrackPublished { .. }
            | ParticipantEvent::PathChosen(_)
            | ParticipantEvent::Disconnected(_) => return,
        };
        println!("{:7.3} s  {text}", at.as_secs_f64());
    }

    fn on_left(&mut self, reason: LeaveReason, at: SessionTime) {
        println!("{:7.3} s  out of the room", at.as_secs_f64());
        let _ = self.left.send(reason);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: join_room URL TOKEN".into());
    };
    let (left, mut left_receiver) = unbounded_channel();
    let engine = Engine::start(EngineClock::start(), 1)?;
    let visitor = Visitor { hears_audio: false, left };
    let participant = engine.join(JoinRequest::new(url, Secret::new(token), visitor));
    let reason = tokio::select! {
        reason = left_receiver.recv() => reason,
        () = tokio::time::sleep(STAY) => {
            participant.stop();
            left_receiver.recv().await
        }
    };
    match reason {
        None | Some(LeaveReason::ClientInitiated) => Ok(()),
        Some(reason) => Err(reason.to_string().into()),
    }
}
