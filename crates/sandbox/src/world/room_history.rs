//! What is remembered under a room's name, whether the room is there or not: how often it was asked for what.

use crate::truth::AcceptedEntry;
use rushhour_core::units::{RoomName, SessionTime};

use super::World;
use super::state::TimerEvent;

/// Counts under one room's name. They make every attempt's draw another one, and a repeat visible.
#[derive(Debug, Default)]
pub(super) struct RoomHistory {
    attempts: Vec<(&'static str, u32)>,
    /// Scenario and how many times it was accepted.
    entries: Vec<(u64, u32)>,
    /// Runs of this room that are still remembered.
    pub(super) runs: u32,
    touched: SessionTime,
}

impl RoomHistory {
    pub(super) fn accepted_entries(&self, room: &RoomName) -> impl Iterator<Item = AcceptedEntry> {
        self.entries.iter().map(|(scenario, accepted)| AcceptedEntry {
            room: room.clone(),
            scenario: *scenario,
            accepted: *accepted,
        })
    }
}

impl World {
    /// The number of this attempt, from 1.
    pub(crate) fn attempt(&mut self, room: &RoomName, what: &'static str) -> u32 {
        next(&mut self.ledger(room).attempts, what)
    }

    /// How many times this room's scenario has been accepted, with this time.
    pub(super) fn accept_entry(&mut self, room: &RoomName, scenario: u64) -> u32 {
        let ledger = self.ledger(room);
        ledger.runs += 1;
        next(&mut ledger.entries, scenario)
    }

    fn ledger(&mut self, room: &RoomName) -> &mut RoomHistory {
        let now = self.now();
        if !self.ledgers.contains_key(room) {
            self.ledgers.insert(room.clone(), RoomHistory::default());
            self.after(self.config.kept, TimerEvent::ForgetRoom { room: room.clone() });
        }
        let ledger = self.ledgers.entry(room.clone()).or_default();
        ledger.touched = now;
        ledger
    }

    /// Forgets a room that is gone, whose runs are forgotten and that nobody asked for lately; else looks again later.
    pub(super) fn forget_room(&mut self, room: RoomName) {
        let Some(ledger) = self.ledgers.get(&room) else { return };
        let recent = self.now().since(ledger.touched) < self.config.kept;
        if recent || ledger.runs > 0 || self.rooms.contains_key(&room) {
            self.after(self.config.kept, TimerEvent::ForgetRoom { room });
        } else {
            self.ledgers.remove(&room);
        }
    }
}

fn next<K: PartialEq + Copy>(counts: &mut Vec<(K, u32)>, key: K) -> u32 {
    if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == key) {
        *count += 1;
        return *count;
    }
    counts.push((key, 1));
    1
}

#[cfg(test)]
mod tests {
    use crate::SandboxConfig;
    use crate::test_sandbox::{TestSandbox, config};
    use rushhour_core::units::{Micros, RoomName};

    #[test]
    fn a_room_is_remembered_until_nobody_asked_for_it_lately() {
        let kept = Micros::from_secs(60);
        let mut sandbox = TestSandbox::new(SandboxConfig { kept, ..config() });
        let room = RoomName::new("room-1");
        let mut attempt = |after: u64| {
            sandbox.wait(after);
            sandbox.world.attempt(&room, "submission")
        };
        assert_eq!(attempt(0), 1);
        assert_eq!(attempt(50_000), 2);
        assert_eq!(attempt(50_000), 3);
        assert_eq!(attempt(121_000), 1);
    }
}
