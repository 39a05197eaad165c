//! One thread and its participants, all served at ticks: waking up is a caller's largest cost, so all wake at once.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;

use livekit_protocol::signal_response::Message as Response;

use nix::poll::{PollTimeout, poll};

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
/// The phase of participants that send no audio: they share one, because each wake-up costs as much as serving some.
const SILENT_PHASE: u64 = 0;

/// The most commands that a thread carries out before it serves its participants.
const MAX_COMMANDS: usize = 2_000;

/// The number of a participant in its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    let mut slots = Slots::new();
    let mut buffers = ReceiveBuffers::default();
    let mut idle = Vec::new();
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
        tick = wait_for_next(tick, ServedPhases::of(&slots), clock, counters);
        let mut closing = false;
        // What is left waits for the next tick, so that a flood delays nobody's audio.
        for command in commands.try_iter().take(MAX_COMMANDS) {
            closing |= execute(command, &mut slots, &mut context).is_break();
        }
        find_idle(&slots, tick, clock.now(), &mut idle);
        let mut left: Vec<(SlotId, LeaveReason, SessionTime)> = Vec::new();
        for (id, slot) in &mut slots {
            let phase = phase_of(*id, slot);
            context.next_tick = next_tick_of(phase, tick);
            if closing {
                left.push((*id, LeaveReason::ClientInitiated, clock.now()));
            } else if idle.binary_search(id).is_ok() {
                // Nothing has arrived, and nothing is due.
            } else if !slot.is_open() || phase == tick % PHASES {
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

/// The participants of a thread. Each is large, so the table holds only where it is.
type Slots = HashMap<SlotId, Box<ParticipantSlot>>;

/// The phase in which a participant is served.
const fn phase_of(id: SlotId, slot: &ParticipantSlot) -> u64 {
    if slot.sends_audio() { id.0 % PHASES } else { SILENT_PHASE }
}

/// The phases in which some participant is served, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ServedPhases(u8);

impl ServedPhases {
    const ALL: Self = Self((1 << PHASES) - 1);

    fn of(slots: &Slots) -> Self {
        let mut served = 0;
        for (id, slot) in slots {
            if !slot.is_open() || slot.has_network() {
                return Self::ALL;
            }
            served |= 1 << phase_of(*id, slot);
        }
        Self(served)
    }

    /// The first tick after `last` in which somebody is served.
    fn next_after(self, last: u64) -> u64 {
        let mut all = last + 1..=last + PHASES;
        let is_served = |tick: &u64| self.0 >> (tick % PHASES) & 1 == 1;
        all.find(is_served).unwrap_or(last + PHASES)
    }
}

/// Finds the participants with a tick of their own for which nothing is due and nothing has arrived; `idle` is ascending.
/// All of their sockets are asked at once: a system call for each costs more than everything else about them.
fn find_idle(slots: &Slots, tick: u64, now: SessionTime, idle: &mut Vec<SlotId>) {
    idle.clear();
    let mut asked = Vec::new();
    for (id, slot) in slots {
        if slot.is_open()
            && phase_of(*id, slot) == tick % PHASES
            && let Some(socket) = slot.idle_socket(now)
        {
            idle.push(*id);
            asked.push(socket.poll_fd());
        }
    }
    if asked.is_empty() {
        return;
    }
    // Where the system does not say, all are served.
    let said = poll(&mut asked, PollTimeout::ZERO).is_ok();
    let mut answers = asked.iter().map(|socket| said && socket.any() == Some(false));
    idle.retain(|_| answers.next() == Some(true));
    idle.sort_unstable();
}

/// When the next tick in a participant's own phase is due, after the thread's tick number `tick`.
const fn next_tick_of(phase: u64, tick: u64) -> SessionTime {
    let ahead = (phase + PHASES - tick % PHASES) % PHASES;
    let ahead = if ahead == 0 { PHASES } else { ahead };
    SessionTime((tick + ahead) * TICK.0)
}

fn execute(
    command: ThreadCommand,
    slots: &mut Slots,
    context: &mut TickContext<'_>,
) -> ControlFlow<()> {
    match command {
        ThreadCommand::Add(id, slot) => {
            slots.insert(id, slot);
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

/// Sleeps until the next tick after `last` in which somebody is served, and returns its number. A participant that comes
/// meanwhile ends the sleep with the tick that begins next. Missed ticks are skipped, except for the last of each phase, so
/// that every participant is served.
fn wait_for_next(
    last: u64,
    served: ServedPhases,
    clock: EngineClock,
    counters: &EngineCounters,
) -> u64 {
    let mut next = served.next_after(last);
    let mut now = clock.now();
    let current = now.0 / TICK.0;
    if current > next + PHASES {
        next = served.next_after(current - PHASES - 1);
    }
    let mut due = SessionTime(next * TICK.0);
    while due > now {
        std::thread::park_timeout(due.since(now).as_duration());
        now = clock.now();
        if due > now {
            // Somebody came, or nobody knows why.
            next = next.min(now.0 / TICK.0 + 1);
            due = SessionTime(next * TICK.0);
        }
    }
    counters.count_tick(now.since(due));
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_participant_has_a_tick_every_20_ms_in_its_own_phase() {
        for id in 0..8 {
            for tick in 100..120 {
                let next = next_tick_of(id % PHASES, tick).0 / TICK.0;
                assert!(next > tick && next <= tick + PHASES);
                assert_eq!(next % PHASES, id % PHASES);
            }
        }
    }

    #[test]
    fn ticks_in_which_nobody_is_served_are_slept_through() {
        let silent = ServedPhases(0b0001);
        assert_eq!(
            (silent.next_after(8), silent.next_after(9), silent.next_after(11)),
            (12, 12, 12)
        );
        assert_eq!(ServedPhases::ALL.next_after(9), 10);
        let two = ServedPhases(0b0101);
        assert_eq!((two.next_after(8), two.next_after(10)), (10, 12));
        // A thread without participants waits for one instead.
        assert_eq!(ServedPhases(0).next_after(8), 12);
    }
}
