//! What the sandbox remembers about a room name, whether the room is open or not.

use rushhour_core::units::{RoomName, SessionTime};

use crate::truth::AcceptedCount;

use super::World;
use super::state::TimerEvent;

/// Counts for one room name. They give every attempt its own random draw and reveal repeated submissions.
#[derive(Debug, Default)]
pub(super) struct RoomHistory {
    /// By kind of request.
    attempts: Vec<(&'static str, u32)>,
    /// How many times each scenario was accepted.
    entries: Vec<(u64, u32)>,
    /// The runs of this room that are not forgotten yet.
    pub(super) runs: u32,
    last_used: SessionTime,
}

impl RoomHistory {
    pub(super) fn accepted_entries(&self, room: &RoomName) -> impl Iterator<Item = AcceptedCount> {
        self.entries.iter().map(|(scenario, accepted)| AcceptedCount {
            room: room.clone(),
            scenario: *scenario,
            accepted: *accepted,
        })
    }
}

impl World {
    /// Counts an attempt of this kind; the first is 1.
    pub(crate) fn count_attempt(&mut self, room: &RoomName, kind: &'static str) -> u32 {
        increment(&mut self.room_history(room).attempts, kind)
    }

    /// Counts an accepted run of this room and scenario; the first is 1.
    pub(super) fn count_acceptance(&mut self, room: &RoomName, scenario: u64) -> u32 {
        let history = self.room_history(room);
        history.runs += 1;
        increment(&mut history.entries, scenario)
    }

    fn room_history(&mut self, room: &RoomName) -> &mut RoomHistory {
        let now = self.now();
        if !self.room_histories.contains_key(room) {
            self.room_histories.insert(room.clone(), RoomHistory::default());
            self.schedule(self.config.retention, TimerEvent::ForgetRoom { room: room.clone() });
        }
        let history = self.room_histories.entry(room.clone()).or_default();
        history.last_used = now;
        history
    }

    /// Forgets a room that is closed, has no remembered runs and was not used lately; otherwise checks again later.
    pub(super) fn forget_room(&mut self, room: RoomName) {
        let Some(history) = self.room_histories.get(&room) else { return };
        let recent = self.now().since(history.last_used) < self.config.retention;
        if recent || history.runs > 0 || self.rooms.contains_key(&room) {
            self.schedule(self.config.retention, TimerEvent::ForgetRoom { room });
        } else {
            self.room_histories.remove(&room);
        }
    }
}

fn increment<K: PartialEq + Copy>(counts: &mut Vec<(K, u32)>, key: K) -> u32 {
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
    fn a_room_is_forgotten_once_it_was_not_used_for_the_retention_period() {
        let retention = Micros::from_secs(60);
        let mut sandbox = TestSandbox::new(SandboxConfig { retention, ..config() });
        let room = RoomName::new("room-1");
        let mut attempt = |after: u64| {
            sandbox.advance(after);
            sandbox.world.count_attempt(&room, "submission")
        };
        assert_eq!(attempt(0), 1);
        assert_eq!(attempt(50_000), 2);
        assert_eq!(attempt(50_000), 3);
        assert_eq!(attempt(121_000), 1);
    }
}
