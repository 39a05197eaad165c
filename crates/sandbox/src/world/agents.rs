//! Agents: asked for, assigned, joined, listening, in the steps and with the gaps of a real server.

use livekit_protocol::RoomAgentDispatch;
use serde_json::Value;

use crate::faults::{Fault, Group};
use crate::truth::{DispatchStart, SandboxFact};
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, Mode, RoomName, SessionTime};

use super::state::TimerEvent;
use super::{Occupant, RoomMember, World};

/// An agent asked for, into a room.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) id: DispatchId,
    pub(crate) made_at: SessionTime,
    pub(crate) asked: NewDispatch,
    /// When a worker took the job.
    pub(crate) assigned_at: Option<SessionTime>,
    fate: Option<Fault>,
    key: String,
}

/// What is asked of a dispatch.
#[derive(Debug, Clone)]
pub(crate) struct NewDispatch {
    pub(crate) agent: AgentName,
    pub(crate) metadata: String,
    pub(crate) attributes: Vec<(String, String)>,
}

/// What an agent pays attention to, by the metadata of its dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgentAudience {
    chat: bool,
    voice: bool,
}

/// What a dispatch does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AgentStep {
    Assigned,
    Joined,
    Listening,
}

impl Dispatch {
    /// The job's id; the dispatch has one job.
    pub(crate) fn job_id(&self) -> String {
        self.id.as_str().replacen("AD_", "AJ_", 1)
    }

    /// The agent's identity in the room.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new(format!("agent-{}", self.job_id()))
    }
}

impl NewDispatch {
    /// What real servers ask for in a room that asks for no agent.
    pub(super) fn nameless() -> Self {
        Self { agent: AgentName::new(""), metadata: String::new(), attributes: Vec::new() }
    }
}

impl From<RoomAgentDispatch> for NewDispatch {
    fn from(asked: RoomAgentDispatch) -> Self {
        Self {
            agent: AgentName::new(asked.agent_name),
            metadata: asked.metadata,
            attributes: asked.attributes.into_iter().collect(),
        }
    }
}

impl AgentAudience {
    /// Cekura's tracer drops speech where `text_mode` is anything that Python takes for true, and a
    /// text is true: `"false"` too. Chat wants the boolean, so that such slips are seen.
    fn of_metadata(metadata: &str) -> Self {
        let metadata: Value = serde_json::from_str(metadata).unwrap_or_default();
        let text_mode = metadata.get("text_mode").unwrap_or(&Value::Null);
        let truthy = match text_mode {
            Value::Null => false,
            Value::Bool(told) => *told,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(keys) => !keys.is_empty(),
        };
        Self { chat: *text_mode == Value::Bool(true), voice: !truthy }
    }

    /// Whether the agent answers in a conversation of this mode.
    pub(super) const fn answers(self, mode: Mode) -> bool {
        match mode {
            Mode::Chat => self.chat,
            Mode::Voice => self.voice,
        }
    }
}

impl World {
    /// Asks for an agent in an open room.
    pub(crate) fn dispatch(
        &mut self,
        room: &RoomName,
        asked: NewDispatch,
        by: DispatchStart,
    ) -> DispatchId {
        let number = self.attempt(room, "dispatch");
        let key = format!("{room}/{}#{number}", asked.agent);
        let id = DispatchId::new(format!("AD_{}", self.draw("dispatch id", &key).alphanumeric()));
        let nameless = asked.agent.as_str().is_empty();
        if !nameless {
            self.note(SandboxFact::DispatchMade {
                room: room.clone(),
                dispatch: id.clone(),
                agent: asked.agent.clone(),
                metadata: asked.metadata.clone(),
                by,
            });
        }
        let has_worker = self.config.workers.have(&asked.agent);
        let fate = if has_worker { self.fault(Group::DISPATCH, &key) } else { None };
        if has_worker && fate != Some(Fault::DispatchLost) {
            let wait = self.time("assignment", &key, self.config.times.livekit.assignment);
            self.agent_later(room, &id, AgentStep::Assigned, wait);
        }
        let made_at = self.now();
        let dispatch = Dispatch { id: id.clone(), made_at, asked, assigned_at: None, fate, key };
        if let Some(room) = self.rooms.get_mut(room) {
            room.dispatches.reserve_exact(1);
            room.dispatches.push(dispatch);
        }
        id
    }

    /// Takes a dispatch back, and its agent out of the room.
    pub(crate) fn undispatch(&mut self, name: &RoomName, id: &DispatchId) -> Option<Dispatch> {
        let room = self.rooms.get_mut(name)?;
        let at = room.dispatches.iter().position(|dispatch| dispatch.id == *id)?;
        let dispatch = room.dispatches.remove(at);
        let identity = dispatch.identity();
        self.remove_participant(name, &identity);
        Some(dispatch)
    }

    pub(super) fn agent_due(&mut self, room: &RoomName, id: &DispatchId, step: AgentStep) {
        // The room may be gone, or the dispatch taken back.
        let dispatches = self.rooms.get(room).map(|room| &room.dispatches);
        let found = dispatches.and_then(|all| all.iter().find(|dispatch| dispatch.id == *id));
        let Some(dispatch) = found.cloned() else { return };
        match step {
            AgentStep::Assigned => self.agent_assigned(room, &dispatch),
            AgentStep::Joined => self.agent_joined(room, &dispatch),
            AgentStep::Listening => self.agent_listening(room, &dispatch),
        }
    }

    fn agent_assigned(&mut self, name: &RoomName, dispatch: &Dispatch) {
        let now = self.now();
        let room = self.rooms.get_mut(name);
        let dispatches = room.into_iter().flat_map(|room| &mut room.dispatches);
        for same in dispatches.filter(|other| other.id == dispatch.id) {
            same.assigned_at = Some(now);
        }
        self.note(SandboxFact::JobAssigned { room: name.clone(), dispatch: dispatch.id.clone() });
        let times = self.config.times.livekit;
        let late = match dispatch.fate {
            Some(Fault::AgentNeverJoins) => return,
            Some(Fault::AgentLate) => self.time("late", &dispatch.key, times.late),
            _ => Micros::ZERO,
        };
        let wait = self.time("join", &dispatch.key, times.join) + late;
        self.agent_later(name, &dispatch.id, AgentStep::Joined, wait);
    }

    fn agent_joined(&mut self, name: &RoomName, dispatch: &Dispatch) {
        let joined_at = self.now();
        let sid = format!("PA_{}", self.draw("agent sid", &dispatch.key).alphanumeric());
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.participants.reserve_exact(1);
        room.participants.push(RoomMember {
            sid,
            identity: dispatch.identity(),
            joined_at,
            occupant: Occupant::Agent {
                dispatch: dispatch.id.clone(),
                name: dispatch.asked.agent.clone(),
                listening: false,
                hearing: AgentAudience::of_metadata(&dispatch.asked.metadata),
            },
        });
        self.note(SandboxFact::AgentJoined {
            room: name.clone(),
            dispatch: dispatch.id.clone(),
            identity: dispatch.identity(),
            after_us: joined_at.since(dispatch.made_at).0,
        });
        let wait = self.time("listening", &dispatch.key, self.config.times.livekit.listening);
        self.agent_later(name, &dispatch.id, AgentStep::Listening, wait);
        self.agent_arrived(name);
    }

    fn agent_listening(&mut self, name: &RoomName, dispatch: &Dispatch) {
        let room = self.rooms.get_mut(name);
        let mut occupants = room
            .into_iter()
            .flat_map(|room| &mut room.participants)
            .map(|participant| &mut participant.occupant);
        let here = occupants.find_map(|occupant| match occupant {
            Occupant::Agent { dispatch: of, listening, .. } if *of == dispatch.id => {
                Some(listening)
            }
            _ => None,
        });
        // It may have left again.
        let Some(listening) = here else { return };
        *listening = true;
        self.note(SandboxFact::AgentListening {
            room: name.clone(),
            dispatch: dispatch.id.clone(),
            after_us: self.now().since(dispatch.made_at).0,
        });
    }

    fn agent_later(&mut self, room: &RoomName, id: &DispatchId, step: AgentStep, wait: Micros) {
        self.after(wait, TimerEvent::Agent { room: room.clone(), dispatch: id.clone(), step });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_hear_what_their_metadata_tells_them_to() {
        let hears = |metadata: &str| {
            let hearing = AgentAudience::of_metadata(metadata);
            (hearing.answers(Mode::Chat), hearing.answers(Mode::Voice))
        };
        assert_eq!(hears(r#"{"text_mode":true,"scenario_id":30}"#), (true, false));
        assert_eq!(hears(r#"{"text_mode":false}"#), (false, true));
        assert_eq!(hears(r#"{"scenario_id":30}"#), (false, true));
        assert_eq!(hears(""), (false, true));
        assert_eq!(hears("not JSON"), (false, true));
        // Python's truth: the text is not empty.
        assert_eq!(hears(r#"{"text_mode":"false"}"#), (false, false));
        assert_eq!(hears(r#"{"text_mode":1}"#), (false, false));
        assert_eq!(hears(r#"{"text_mode":0}"#), (false, true));
    }
}
