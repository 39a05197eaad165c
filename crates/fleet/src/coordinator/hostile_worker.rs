//! A worker that says anything, for tests of other crates: what a coordinator makes of its messages, without NATS.

use std::collections::{HashMap, HashSet};

use super::state::FleetState;
use crate::clock::ClockExchange;
use crate::protocol::{
    Attached, BlobRequest, ClockAnswer, Command, Done, PROTOCOL, Refusal, ScriptFile, SessionSetup,
    UpdateBatch, VERSION, WorkerReport, decode,
};
use rushhour_core::units::{Micros, RunIndex, SessionId, SessionTime};

/// How much time passes between two messages.
const BETWEEN: Micros = Micros::from_millis(500);

/// Takes in messages of workers. Each begins with a letter for what it is read as; the body follows, in JSON.
pub fn hear_hostile_worker<'a>(messages: impl IntoIterator<Item = &'a [u8]>) {
    let session = SessionId::new("s");
    let lease = Micros::from_secs(30);
    let mut state = FleetState::new(session, lease, HashMap::new(), HashSet::new());
    state.set_session_zero(0);
    let mut now = Micros::ZERO;
    for (number, message) in (0..).zip(messages) {
        let asked = SessionTime(now.0);
        now = now + BETWEEN;
        let Some((kind, body)) = message.split_first() else { continue };
        let envelope = format!("{{\"rushhour\":{PROTOCOL},\"version\":\"{VERSION}\",\"body\":");
        let message = [envelope.as_bytes(), body, b"}"].concat();
        let known = state.members().next().map(|(worker, _)| worker);
        match (*kind, known) {
            (b'r', _) => {
                if let Ok(report) = decode::<WorkerReport>(&message) {
                    state.heard(report, now);
                    let _ = state.take_unasked();
                }
            }
            (b'a', Some(worker)) => {
                if let Ok(attached) = decode::<Attached>(&message) {
                    let _ = state.attached(worker, attached);
                }
            }
            (b'c', Some(worker)) => {
                if let Ok(ClockAnswer { received, answered }) = decode(&message) {
                    let returned = SessionTime(now.0);
                    let exchange = ClockExchange { sent: asked, received, answered, returned };
                    state.clock_measured(worker, exchange);
                }
            }
            (b'u', _) => {
                if let Ok(batch) = decode::<UpdateBatch>(&message) {
                    let _ = state.updated(batch, now);
                }
            }
            _ => {
                let _ = decode::<Command>(&message);
                let _ = decode::<Done>(&message);
                let _ = decode::<Refusal>(&message);
                let _ = decode::<BlobRequest>(&message);
                let _ = decode::<WorkerReport>(body);
                let _ = serde_json::from_slice::<SessionSetup>(body);
                let _ = serde_json::from_slice::<ScriptFile>(body);
            }
        }
        let _ = state.place(RunIndex(number), now);
    }
    let _ = (state.acknowledgements(), state.take_health(now));
    let _ = state.expire(now + lease + lease, SessionTime(now.0));
    state.durable(u64::MAX);
}
