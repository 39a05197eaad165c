//! One thread's participants, attended to on a beat: waking up is what a caller costs most, so all wake at once.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;

use livekit_protocol::signal_response::Message as Response;

use super::clock::EngineClock;
use super::handler::LeaveReason;
use super::health::EngineCounters;
use super::slot::{ParticipantSlot, TickContext};
use super::socket::ReceiveBuffers;
use rushhour_core::units::{Micros, SessionTime};

/// The beat. A participant that is joining is attended to at every one,
const BEAT: Micros = Micros::from_millis(5);
/// and one that is in the room at every so manieth: each 20 ms, the length of an audio frame.
const PHASES: u64 = 4;

/// Which participant of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SlotId(pub(super) u64);

/// What a thread is told.
pub(super) enum ThreadCommand {
    /// Take in a participant.
    Take(SlotId, Box<ParticipantSlot>),
    /// The server says something to one, or says nothing any more.
    Signal(SlotId, Box<Result<Response, String>>, SessionTime),
    /// The engine is no more: everybody leaves.
    Close,
}

/// Attends to participants until the engine is no more.
pub(super) fn attend(
    orders: &Receiver<ThreadCommand>,
    clock: EngineClock,
    counters: &Arc<EngineCounters>,
) {
    let mut seats: HashMap<SlotId, ParticipantSlot> = HashMap::new();
    let mut inbox = ReceiveBuffers::default();
    let mut beat: u64 = 0;
    loop {
        let next_beat = SessionTime((beat + 1) * BEAT.0);
        let mut lent = TickContext { clock: &clock, inbox: &mut inbox, counters, next_beat };
        if seats.is_empty() {
            let Ok(order) = orders.recv() else { return };
            if obey(order, &mut seats, &mut lent).is_break() {
                return;
            }
            beat = clock.now().0 / BEAT.0;
            continue;
        }
        beat = wait_for_next(beat, clock, counters);
        let mut closing = false;
        while let Ok(order) = orders.try_recv() {
            closing |= obey(order, &mut seats, &mut lent).is_break();
        }
        let mut gone: Vec<(SlotId, LeaveReason, SessionTime)> = Vec::new();
        for (id, seat) in &mut seats {
            lent.next_beat = next_beat_of(*id, beat);
            if closing {
                gone.push((*id, LeaveReason::ByItself, clock.now()));
            } else if (!seat.is_open() || id.0 % PHASES == beat % PHASES)
                && let Some((why, at)) = seat.attend(&mut lent)
            {
                gone.push((*id, why, at));
            }
        }
        for (id, why, at) in gone {
            if let Some(seat) = seats.remove(&id) {
                counters.participants.fetch_sub(1, Relaxed);
                seat.depart(why, at);
            }
        }
        if closing {
            return;
        }
    }
}

/// When a seat has its next beat in its own phase.
const fn next_beat_of(id: SlotId, beat: u64) -> SessionTime {
    let ahead = (id.0 % PHASES + PHASES - beat % PHASES) % PHASES;
    let ahead = if ahead == 0 { PHASES } else { ahead };
    SessionTime((beat + ahead) * BEAT.0)
}

fn obey(
    order: ThreadCommand,
    seats: &mut HashMap<SlotId, ParticipantSlot>,
    lent: &mut TickContext<'_>,
) -> ControlFlow<()> {
    match order {
        ThreadCommand::Take(id, seat) => {
            seats.insert(id, *seat);
        }
        ThreadCommand::Signal(id, message, at) => {
            if let Some(seat) = seats.get_mut(&id) {
                seat.signal(*message, at, lent);
            }
        }
        ThreadCommand::Close => return ControlFlow::Break(()),
    }
    ControlFlow::Continue(())
}

/// Sleeps until the beat after `last`; beats that have gone by meanwhile are left out, but for one round of
/// phases, so that nobody is passed over.
fn wait_for_next(last: u64, clock: EngineClock, counters: &EngineCounters) -> u64 {
    let mut next = last + 1;
    let now = clock.now();
    let current = now.0 / BEAT.0;
    if current > next + PHASES {
        next = current - PHASES;
    }
    let due = SessionTime(next * BEAT.0);
    if due > now {
        #[expect(clippy::disallowed_methods, reason = "a thread of its own, which keeps the beat")]
        std::thread::sleep(due.since(now).as_duration());
    }
    counters.beat(clock.now().since(due));
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seat_has_a_beat_every_20_ms_in_its_own_phase() {
        for id in 0..8 {
            for beat in 100..120 {
                let next = next_beat_of(SlotId(id), beat).0 / BEAT.0;
                assert!(next > beat && next <= beat + PHASES);
                assert_eq!(next % PHASES, id % PHASES);
            }
        }
    }
}
