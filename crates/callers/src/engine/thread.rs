//! One thread and its participants, all served at ticks: waking up is a caller's largest cost, so all wake at once.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;

use livekit_protocol::signal_response::Message as Response;

use super::clock::EngineClock;
use super::health::EngineCounters;
use super::incoming::Place;
use super::leave_reason::LeaveReason;
use super::paths::PeerPaths;
use super::signal_connection::SignalError;
use super::slot::{ParticipantSlot, TickContext};
use super::socket::ReceiveBuffers;
use crate::participant::Participant;
use rushhour_core::units::{Micros, SessionTime};

/// The interval of a thread's ticks. A participant whose data channel is not open yet is served at every tick,
pub(super) const TICK: Micros = Micros::from_millis(5);
/// and any other at every fourth, in its own phase: every 20 ms, the length of an audio frame.
const PHASES: u64 = 4;

/// The most commands that a thread carries out before it serves its participants.
const MAX_COMMANDS: usize = 2_000;

/// The number of a participant in its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SlotId(pub(super) u64);

/// What the engine sends to a thread.
pub(super) enum ThreadCommand {
    /// Serve a participant.
    Add(SlotId, Box<ParticipantSlot>),
    /// A message from the server to a participant, or the end of its signal connection.
    Signal(SlotId, Box<SignalMessage>),
    /// A participant that lost its connection has new ones.
    Rejoin(SlotId, Box<Rejoin>),
    /// The engine is dropped: all participants leave, and the thread ends.
    Close,
}

/// What came over a signal connection, or why it ended.
pub(super) struct SignalMessage {
    /// The number of the connection: the participant may have asked for another one since.
    pub(super) number: u64,
    pub(super) message: Result<(Response, Place), SignalError>,
    pub(super) at: SessionTime,
}

/// New connections for a participant.
pub(super) struct Rejoin {
    /// The number of the signal connection that leads to them.
    pub(super) number: u64,
    pub(super) participant: Participant,
    pub(super) paths: PeerPaths,
}

/// Serves participants until the engine is dropped.
pub(super) fn run(
    commands: &Receiver<ThreadCommand>,
    clock: EngineClock,
    counters: &Arc<EngineCounters>,
) {
    let mut slots: HashMap<SlotId, ParticipantSlot> = HashMap::new();
    let mut buffers = ReceiveBuffers::default();
    let mut tick: u64 = 0;
    loop {
        let next_tick = SessionTime((tick + 1) * TICK.0);
        let mut context = TickContext { clock: &clock, buffers: &mut buffers, counters, next_tick };
        if slots.is_empty() {
            let Ok(command) = commands.recv() else { return };
            if execute(command, &mut slots, &mut context).is_break() {
                return;
            }
            tick = clock.now().0 / TICK.0;
            continue;
        }
        tick = wait_for_next(tick, clock, counters);
        let mut closing = false;
        // What is left waits for the next tick, so that a flood delays nobody's audio.
        for command in commands.try_iter().take(MAX_COMMANDS) {
            closing |= execute(command, &mut slots, &mut context).is_break();
        }
        let mut left: Vec<(SlotId, LeaveReason, SessionTime)> = Vec::new();
        for (id, slot) in &mut slots {
            context.next_tick = next_tick_of(*id, tick);
            if closing {
                left.push((*id, LeaveReason::ClientInitiated, clock.now()));
            } else if !slot.is_open() || id.0 % PHASES == tick % PHASES {
                left.extend(slot.tick(&mut context).map(|(reason, at)| (*id, reason, at)));
            } else if slot.has_network() {
                slot.move_packets(&mut context);
            }
        }
        for (id, reason, at) in left {
            if let Some(slot) = slots.remove(&id) {
                counters.participants.fetch_sub(1, Relaxed);
                slot.close(reason, at);
            }
        }
        if closing {
            return;
        }
    }
}

/// When the next tick in the slot's own phase is due, after the thread's tick number `tick`.
const fn next_tick_of(id: SlotId, tick: u64) -> SessionTime {
    let ahead = (id.0 % PHASES + PHASES - tick % PHASES) % PHASES;
    let ahead = if ahead == 0 { PHASES } else { ahead };
    SessionTime((tick + ahead) * TICK.0)
}

fn execute(
    command: ThreadCommand,
    slots: &mut HashMap<SlotId, ParticipantSlot>,
    context: &mut TickContext<'_>,
) -> ControlFlow<()> {
    match command {
        ThreadCommand::Add(id, slot) => {
            slots.insert(id, *slot);
        }
        ThreadCommand::Signal(id, signal) => {
            let SignalMessage { number, message, at } = *signal;
            // The message leaves its queue once it is handled.
            let (message, _place) = match message {
                Ok((message, place)) => (Ok(message), Some(place)),
                Err(error) => (Err(error), None),
            };
            if let Some(slot) = slots.get_mut(&id) {
                slot.handle_signal(number, message, at, context);
            }
        }
        ThreadCommand::Rejoin(id, rejoin) => {
            if let Some(slot) = slots.get_mut(&id) {
                slot.rejoin(*rejoin, context.clock.now());
            }
        }
        ThreadCommand::Close => return ControlFlow::Break(()),
    }
    ControlFlow::Continue(())
}

/// Sleeps until the tick after `last`, and returns its number. Missed ticks are skipped, except for the last of each
/// phase, so that every participant is served.
fn wait_for_next(last: u64, clock: EngineClock, counters: &EngineCounters) -> u64 {
    let mut next = last + 1;
    let now = clock.now();
    let current = now.0 / TICK.0;
    if current > next + PHASES {
        next = current - PHASES;
    }
    let due = SessionTime(next * TICK.0);
    if due > now {
        #[expect(clippy::disallowed_methods, reason = "this thread has no other way to keep time")]
        std::thread::sleep(due.since(now).as_duration());
    }
    counters.count_tick(clock.now().since(due));
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_participant_has_a_tick_every_20_ms_in_its_own_phase() {
        for id in 0..8 {
            for tick in 100..120 {
                let next = next_tick_of(SlotId(id), tick).0 / TICK.0;
                assert!(next > tick && next <= tick + PHASES);
                assert_eq!(next % PHASES, id % PHASES);
            }
        }
    }
}
