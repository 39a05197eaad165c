//! Rooms and their participants: created, joined, left, closed.

use std::collections::HashMap;

use livekit_protocol::RoomAgentDispatch;

use crate::truth::{DispatchOrigin, RoomCloseReason, RoomOrigin, SandboxFact};
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, RoomName, SessionTime};

use super::agents::{AnsweredModes, Dispatch, DispatchSpec};
use super::state::TimerEvent;
use super::{Phase, World};

/// How long a room waits for its first participant by default, in seconds.
const EMPTY_TIMEOUT: u32 = 300;
/// How long a room waits after its last participant left by default, in seconds.
const DEPARTURE_TIMEOUT: u32 = 20;
/// Deleted rooms leave their timers behind, and the timeouts of a soak test's rooms are hours long. With a timer a
/// minute, the timers of deleted rooms do not pile up.
const MAX_IDLE_CHECK_DELAY: Micros = Micros::from_secs(60);

/// An open room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) sid: String,
    pub(crate) created_at: SessionTime,
    /// In seconds.
    pub(crate) empty_timeout: u32,
    /// In seconds.
    pub(crate) departure_timeout: u32,
    pub(crate) max_participants: u32,
    pub(crate) metadata: String,
    pub(crate) participants: Vec<ParticipantState>,
    pub(crate) dispatches: Vec<Dispatch>,
    last_caller_left_at: Option<SessionTime>,
}

/// A participant in a room.
#[derive(Debug)]
pub(crate) struct ParticipantState {
    pub(crate) sid: String,
    pub(crate) identity: Identity,
    pub(crate) joined_at: SessionTime,
    pub(crate) role: ParticipantRole,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParticipantRole {
    /// The evaluator's side of a run.
    Caller {
        run: u64,
    },
    Agent {
        dispatch: DispatchId,
        name: AgentName,
        listening: bool,
        answers: AnsweredModes,
    },
}

/// What a room is created with.
#[derive(Debug, Clone)]
pub(crate) struct RoomSpec {
    pub(crate) name: RoomName,
    /// In seconds; 0 for the default.
    pub(crate) empty_timeout: u32,
    /// In seconds; 0 for the default.
    pub(crate) departure_timeout: u32,
    pub(crate) max_participants: u32,
    pub(crate) metadata: String,
    pub(crate) agents: Vec<RoomAgentDispatch>,
}

impl RoomSpec {
    /// A room with the default settings.
    pub(crate) fn named(name: RoomName) -> Self {
        Self {
            name,
            empty_timeout: 0,
            departure_timeout: 0,
            max_participants: 0,
            metadata: String::new(),
            agents: Vec::new(),
        }
    }
}

impl Room {
    fn callers(&self) -> impl Iterator<Item = u64> {
        self.participants.iter().filter_map(|participant| match participant.role {
            ParticipantRole::Caller { run } => Some(run),
            ParticipantRole::Agent { .. } => None,
        })
    }

    fn has_callers(&self) -> bool {
        self.callers().next().is_some()
    }

    /// The modes that the first agent in the room answers; `None` without an agent.
    pub(super) fn agent_modes(&self) -> Option<AnsweredModes> {
        self.participants.iter().find_map(|participant| match &participant.role {
            ParticipantRole::Agent { answers, .. } => Some(*answers),
            ParticipantRole::Caller { .. } => None,
        })
    }
}

impl World {
    /// The open room of this name.
    pub(crate) fn room(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.get(name)
    }

    pub(crate) fn open_rooms(&self) -> &HashMap<RoomName, Room> {
        &self.rooms
    }

    /// Creates a room. If it is already open, nothing changes.
    pub(crate) fn create_room(&mut self, spec: RoomSpec, by: RoomOrigin) {
        let RoomSpec { name, agents, .. } = spec;
        if self.rooms.contains_key(&name) {
            return;
        }
        let number = self.count_attempt(&name, "room");
        let letters = self.draw("room sid", &format!("{name}#{number}")).alphanumeric();
        let or = |seconds: u32, default: u32| if seconds == 0 { default } else { seconds };
        let room = Room {
            sid: format!("RM_{letters}"),
            created_at: self.now(),
            empty_timeout: or(spec.empty_timeout, EMPTY_TIMEOUT),
            departure_timeout: or(spec.departure_timeout, DEPARTURE_TIMEOUT),
            max_participants: spec.max_participants,
            metadata: spec.metadata,
            participants: Vec::new(),
            dispatches: Vec::new(),
            last_caller_left_at: None,
        };
        let sid = room.sid.clone();
        let timeout = Micros::from_secs(u64::from(room.empty_timeout));
        self.rooms.insert(name.clone(), room);
        self.record(SandboxFact::RoomCreated { room: name.clone(), sid, by });
        self.schedule_idle_check(&name, timeout);
        if agents.is_empty() {
            // Real servers dispatch the nameless agent into every room that lists no agents.
            self.create_dispatch(&name, DispatchSpec::nameless(), DispatchOrigin::Room);
        }
        for agent in agents {
            self.create_dispatch(&name, DispatchSpec::from(agent), DispatchOrigin::Room);
        }
    }

    /// Sets a room's metadata, if the room is open.
    pub(crate) fn set_metadata(&mut self, name: &RoomName, metadata: String) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.metadata = metadata;
        }
    }

    /// Closes a room and ends its conversations. Returns whether the room was open.
    pub(crate) fn close_room(&mut self, name: &RoomName, reason: RoomCloseReason) -> bool {
        let Some(room) = self.rooms.remove(name) else { return false };
        self.record(SandboxFact::RoomClosed { room: name.clone(), reason });
        let callers: Vec<u64> = room.callers().collect();
        for run in callers {
            self.disconnect_run(run, "the room was closed");
        }
        true
    }

    /// Closes a room that has had no caller for longer than its timeout. Agents do not keep a room open.
    pub(super) fn check_idle_room(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get(name).filter(|room| !room.has_callers()) else { return };
        let (since, timeout) = match room.last_caller_left_at {
            Some(left_at) => (left_at, room.departure_timeout),
            None => (room.created_at, room.empty_timeout),
        };
        let timeout = Micros::from_secs(u64::from(timeout));
        let remaining = timeout.saturating_sub(self.now().since(since));
        if remaining == Micros::ZERO {
            self.close_room(name, RoomCloseReason::Empty);
        } else {
            self.schedule_idle_check(name, remaining);
        }
    }

    fn schedule_idle_check(&mut self, name: &RoomName, wait: Micros) {
        let wait = wait.min(MAX_IDLE_CHECK_DELAY);
        self.schedule(wait, TimerEvent::RoomIdle { room: name.clone() });
    }

    /// Adds a run to its room. It displaces a caller with the same identity, as on a real server.
    pub(super) fn join_room(&mut self, name: &RoomName, identity: &Identity, run: u64) {
        let earlier = self.rooms.get(name).and_then(|room| {
            let same = |participant: &&ParticipantState| participant.identity == *identity;
            room.participants.iter().find(same).map(|participant| participant.role.clone())
        });
        if let Some(ParticipantRole::Caller { run }) = earlier {
            self.disconnect_run(run, "another participant joined with the same identity");
        }
        let joined_at = self.now();
        let letters = self.draw("caller sid", &format!("{name}/{run}")).alphanumeric();
        if let Some(room) = self.rooms.get_mut(name) {
            // Most rooms have two participants; `push` alone would make space for four.
            room.participants.reserve_exact(1);
            room.participants.push(ParticipantState {
                sid: format!("PA_{letters}"),
                identity: identity.clone(),
                joined_at,
                role: ParticipantRole::Caller { run },
            });
        }
    }

    /// Removes a run from its room. The agents leave with the last caller: an agent's session ends when the
    /// participant that it is linked to leaves.
    pub(super) fn leave_room(&mut self, name: &RoomName, run: u64) {
        let now = self.now();
        let Some(room) = self.rooms.get_mut(name) else { return };
        let before = room.participants.len();
        room.participants.retain(|participant| participant.role != ParticipantRole::Caller { run });
        if room.participants.len() == before || room.has_callers() {
            return;
        }
        room.participants.clear();
        room.last_caller_left_at = Some(now);
        let timeout = Micros::from_secs(u64::from(room.departure_timeout));
        self.schedule_idle_check(name, timeout);
    }

    /// Removes a participant. Returns whether it was in the room.
    pub(crate) fn remove_participant(&mut self, name: &RoomName, identity: &Identity) -> bool {
        let Some(room) = self.rooms.get_mut(name) else { return false };
        let same = |participant: &ParticipantState| participant.identity == *identity;
        let Some(index) = room.participants.iter().position(same) else { return false };
        if let ParticipantRole::Caller { run } = room.participants[index].role {
            self.disconnect_run(run, "the participant was removed");
        } else {
            room.participants.remove(index);
            self.end_conversations_without_agent(name);
        }
        true
    }

    /// Ends the conversations in a room if its last agent has left.
    fn end_conversations_without_agent(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get(name).filter(|room| room.agent_modes().is_none()) else {
            return;
        };
        let in_conversation = |run: &u64| {
            let phase = self.runs.get(run).map(|run| run.phase);
            matches!(phase, Some(Phase::Talking | Phase::Silent))
        };
        let callers: Vec<u64> = room.callers().filter(in_conversation).collect();
        for run in callers {
            self.disconnect_run(run, "the agent left");
        }
    }

    /// Starts the conversations of the runs that wait in a room for an agent.
    pub(super) fn start_waiting_conversations(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get(name) else { return };
        let waits =
            |run: &u64| self.runs.get(run).is_some_and(|run| run.phase == Phase::AwaitingAgent);
        let callers: Vec<u64> = room.callers().filter(waits).collect();
        for run in callers {
            self.start_conversation(run);
        }
    }
}

#[cfg(test)]
mod tests;
