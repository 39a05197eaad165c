//! Rooms: made, entered, left, closed.

use std::collections::HashMap;

use livekit_protocol::RoomAgentDispatch;

use crate::truth::{DispatchStart, RoomEnd, RoomStart, SandboxFact};
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, RoomName, SessionTime};

use super::agents::{AgentAudience, Dispatch, NewDispatch};
use super::state::TimerEvent;
use super::{Phase, World};

/// How long a room waits for its first participant, where its maker did not say.
const EMPTY_TIMEOUT: u32 = 300;
/// How long a room waits after its last participant, where its maker did not say.
const DEPARTURE_TIMEOUT: u32 = 20;
const LOOK_AGAIN: Micros = Micros::from_secs(60);

/// An open room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) sid: String,
    pub(crate) made_at: SessionTime,
    /// In seconds.
    pub(crate) empty_timeout: u32,
    /// In seconds.
    pub(crate) departure_timeout: u32,
    pub(crate) max_participants: u32,
    pub(crate) metadata: String,
    pub(crate) participants: Vec<RoomMember>,
    pub(crate) dispatches: Vec<Dispatch>,
    caller_left_at: Option<SessionTime>,
}

/// Somebody in a room.
#[derive(Debug)]
pub(crate) struct RoomMember {
    pub(crate) sid: String,
    pub(crate) identity: Identity,
    pub(crate) joined_at: SessionTime,
    pub(crate) occupant: Occupant,
}

/// Who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occupant {
    /// The evaluator's side of a run.
    Caller { run: u64 },
    /// An agent.
    Agent { dispatch: DispatchId, name: AgentName, listening: bool, hearing: AgentAudience },
}

/// What a room is made with.
#[derive(Debug, Clone)]
pub(crate) struct NewRoom {
    pub(crate) name: RoomName,
    /// In seconds; 0 for the default.
    pub(crate) empty_timeout: u32,
    /// In seconds; 0 for the default.
    pub(crate) departure_timeout: u32,
    pub(crate) max_participants: u32,
    pub(crate) metadata: String,
    pub(crate) agents: Vec<RoomAgentDispatch>,
}

impl NewRoom {
    /// A room of this name, all else as the server likes it.
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
        self.participants.iter().filter_map(|participant| match participant.occupant {
            Occupant::Caller { run } => Some(run),
            Occupant::Agent { .. } => None,
        })
    }

    /// What the first agent in the room can hear; `None` where there is no agent.
    pub(super) fn agent_hearing(&self) -> Option<AgentAudience> {
        self.participants.iter().find_map(|participant| match &participant.occupant {
            Occupant::Agent { hearing, .. } => Some(*hearing),
            Occupant::Caller { .. } => None,
        })
    }
}

impl World {
    /// The open room of this name.
    pub(crate) fn room(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.get(name)
    }

    /// Every open room.
    pub(crate) fn open_rooms(&self) -> &HashMap<RoomName, Room> {
        &self.rooms
    }

    /// Makes a room, unless it is there; an open one stays as it is.
    pub(crate) fn make_room(&mut self, request: NewRoom, by: RoomStart) {
        let NewRoom { name, agents, .. } = request;
        if self.rooms.contains_key(&name) {
            return;
        }
        let incarnation = self.attempt(&name, "room");
        let letters = self.draw("room sid", &format!("{name}#{incarnation}")).alphanumeric();
        let or = |seconds: u32, default: u32| if seconds == 0 { default } else { seconds };
        let room = Room {
            sid: format!("RM_{letters}"),
            made_at: self.now(),
            empty_timeout: or(request.empty_timeout, EMPTY_TIMEOUT),
            departure_timeout: or(request.departure_timeout, DEPARTURE_TIMEOUT),
            max_participants: request.max_participants,
            metadata: request.metadata,
            participants: Vec::new(),
            dispatches: Vec::new(),
            caller_left_at: None,
        };
        let sid = room.sid.clone();
        let idle = Micros::from_secs(u64::from(room.empty_timeout));
        self.rooms.insert(name.clone(), room);
        self.note(SandboxFact::RoomMade { room: name.clone(), sid, by });
        self.look_when_idle(&name, idle);
        if agents.is_empty() {
            // Real servers offer every room that asks for no agent to nameless workers.
            self.dispatch(&name, NewDispatch::nameless(), DispatchStart::Room);
        }
        for agent in agents {
            self.dispatch(&name, NewDispatch::from(agent), DispatchStart::Room);
        }
    }

    /// Changes a room's metadata; whether the room is there.
    pub(crate) fn set_metadata(&mut self, name: &RoomName, metadata: String) -> bool {
        let room = self.rooms.get_mut(name);
        room.map(|room| room.metadata = metadata).is_some()
    }

    /// Closes a room and ends what is going on in it; whether it was there.
    pub(crate) fn close_room(&mut self, name: &RoomName, reason: RoomEnd) -> bool {
        let Some(room) = self.rooms.remove(name) else { return false };
        self.note(SandboxFact::RoomClosed { room: name.clone(), reason });
        let callers: Vec<u64> = room.callers().collect();
        for run in callers {
            self.run_disconnected(run, "the room was closed");
        }
        true
    }

    /// Closes a room in which nobody was for too long. An agent alone counts as nobody.
    pub(super) fn room_idle(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get(name) else { return };
        if room.callers().next().is_some() {
            return;
        }
        let since = room.caller_left_at.unwrap_or(room.made_at);
        let patience = match room.caller_left_at {
            Some(_) => room.departure_timeout,
            None => room.empty_timeout,
        };
        let patience = Micros::from_secs(u64::from(patience));
        let left = patience.saturating_sub(self.now().since(since));
        if left == Micros::ZERO {
            self.close_room(name, RoomEnd::Empty);
        } else {
            self.look_when_idle(name, left);
        }
    }

    /// Lets a run into its room; one of the same identity has to go, as on a real server.
    pub(super) fn enter_room(&mut self, name: &RoomName, identity: &Identity, run: u64) {
        let earlier = self.rooms.get(name).and_then(|room| {
            let same = |participant: &&RoomMember| participant.identity == *identity;
            room.participants.iter().find(same).map(|participant| participant.occupant.clone())
        });
        if let Some(Occupant::Caller { run }) = earlier {
            self.run_disconnected(run, "another participant joined with the same identity");
        }
        let joined_at = self.now();
        let letters = self.draw("caller sid", &format!("{name}/{run}")).alphanumeric();
        if let Some(room) = self.rooms.get_mut(name) {
            // Two participants are the rule, and a list doubles to four at its first push.
            room.participants.reserve_exact(1);
            room.participants.push(RoomMember {
                sid: format!("PA_{letters}"),
                identity: identity.clone(),
                joined_at,
                occupant: Occupant::Caller { run },
            });
        }
    }

    /// Takes a run out of its room. With the last caller the agents go, for an agent's session ends with
    /// the participant that it is linked to.
    pub(super) fn leave_room(&mut self, name: &RoomName, run: u64) {
        let now = self.now();
        let Some(room) = self.rooms.get_mut(name) else { return };
        let before = room.participants.len();
        room.participants.retain(|participant| participant.occupant != Occupant::Caller { run });
        if room.participants.len() == before || room.callers().next().is_some() {
            return;
        }
        room.participants.clear();
        room.caller_left_at = Some(now);
        let idle = Micros::from_secs(u64::from(room.departure_timeout));
        self.look_when_idle(name, idle);
    }

    /// Looks at a room in the end, but at least every minute: deleted rooms leave their timers behind, and
    /// the time-outs of a soak's rooms are hours.
    fn look_when_idle(&mut self, name: &RoomName, wait: Micros) {
        self.after(wait.min(LOOK_AGAIN), TimerEvent::RoomIdle { room: name.clone() });
    }

    /// Removes a participant; whether it was there.
    pub(crate) fn remove_participant(&mut self, name: &RoomName, identity: &Identity) -> bool {
        let Some(room) = self.rooms.get_mut(name) else { return false };
        let is_meant = |participant: &RoomMember| participant.identity == *identity;
        let Some(at) = room.participants.iter().position(is_meant) else { return false };
        if let Occupant::Caller { run } = room.participants[at].occupant {
            self.run_disconnected(run, "the participant was removed");
        } else {
            room.participants.remove(at);
            self.agent_left(name);
        }
        true
    }

    /// Ends the conversations of a room whose last agent left.
    pub(super) fn agent_left(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get(name).filter(|room| room.agent_hearing().is_none()) else {
            return;
        };
        let talking = |run: &u64| {
            let phase = self.runs.get(run).map(|run| run.phase);
            matches!(phase, Some(Phase::Talking | Phase::Silent))
        };
        let callers: Vec<u64> = room.callers().filter(talking).collect();
        for run in callers {
            self.run_disconnected(run, "the agent left");
        }
    }

    /// Tells the runs that wait in a room for an agent that one is there.
    pub(super) fn agent_arrived(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get(name) else { return };
        let waits =
            |run: &u64| self.runs.get(run).is_some_and(|run| run.phase == Phase::AwaitingAgent);
        let callers: Vec<u64> = room.callers().filter(waits).collect();
        for run in callers {
            self.converse(run);
        }
    }
}

#[cfg(test)]
mod tests;
