//! Agents: dispatched, assigned, joined, listening, in the steps and with the delays of a real server.

use livekit_protocol::RoomAgentDispatch;
use serde_json::Value;

use crate::faults::{Fault, FaultGroup};
use crate::truth::{DispatchOrigin, SandboxFact};
use rushhour_core::units::{AgentName, DispatchId, Identity, Micros, Mode, RoomName, SessionTime};

use super::state::TimerEvent;
use super::{ParticipantRole, ParticipantState, World};

/// A dispatch of an agent into a room.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) id: DispatchId,
    pub(crate) created_at: SessionTime,
    pub(crate) spec: DispatchSpec,
    /// When a worker accepted the job.
    pub(crate) assigned_at: Option<SessionTime>,
    fault: Option<Fault>,
    /// The key of its random draws.
    key: String,
}

/// What a client asks for in a dispatch.
#[derive(Debug, Clone)]
pub(crate) struct DispatchSpec {
    pub(crate) agent: AgentName,
    pub(crate) metadata: String,
    pub(crate) attributes: Vec<(String, String)>,
}

/// The modes that an agent answers, which the metadata of its dispatch determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnsweredModes {
    chat: bool,
    voice: bool,
}

/// The next step of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AgentStep {
    Assigned,
    Joined,
    Listening,
}

impl Dispatch {
    /// The id of its one job.
    pub(crate) fn job_id(&self) -> String {
        self.id.as_str().replacen("AD_", "AJ_", 1)
    }

    /// The agent's identity in the room.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new(format!("agent-{}", self.job_id()))
    }
}

impl DispatchSpec {
    /// The agent that real servers dispatch into a room without a list of agents.
    pub(super) fn nameless() -> Self {
        Self { agent: AgentName::new(""), metadata: String::new(), attributes: Vec::new() }
    }
}

impl From<RoomAgentDispatch> for DispatchSpec {
    fn from(dispatch: RoomAgentDispatch) -> Self {
        Self {
            agent: AgentName::new(dispatch.agent_name),
            metadata: dispatch.metadata,
            attributes: dispatch.attributes.into_iter().collect(),
        }
    }
}

impl AnsweredModes {
    /// Cekura's tracer drops speech if Python takes `text_mode` for true, which includes every non-empty text, even
    /// `"false"`. For chat the sandbox insists on the boolean, to reveal such mistakes.
    fn of_metadata(metadata: &str) -> Self {
        let metadata: Value = serde_json::from_str(metadata).unwrap_or_default();
        let text_mode = metadata.get("text_mode").unwrap_or(&Value::Null);
        let truthy = match text_mode {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(keys) => !keys.is_empty(),
        };
        Self { chat: *text_mode == Value::Bool(true), voice: !truthy }
    }

    pub(super) const fn contains(self, mode: Mode) -> bool {
        match mode {
            Mode::Chat => self.chat,
            Mode::Voice => self.voice,
        }
    }
}

impl World {
    /// Dispatches an agent into an open room.
    pub(crate) fn create_dispatch(
        &mut self,
        room: &RoomName,
        spec: DispatchSpec,
        by: DispatchOrigin,
    ) -> DispatchId {
        let number = self.count_attempt(room, "dispatch");
        let key = format!("{room}/{}#{number}", spec.agent);
        let id = DispatchId::new(format!("AD_{}", self.draw("dispatch id", &key).alphanumeric()));
        let nameless = spec.agent.as_str().is_empty();
        if !nameless {
            self.record(SandboxFact::DispatchCreated {
                room: room.clone(),
                dispatch: id.clone(),
                agent: spec.agent.clone(),
                metadata: spec.metadata.clone(),
                by,
            });
        }
        let has_worker = self.config.workers.has_worker(&spec.agent);
        let fault = if has_worker { self.choose_fault(FaultGroup::DISPATCH, &key) } else { None };
        if has_worker && fault != Some(Fault::DispatchLost) {
            let distribution = self.config.times.livekit.assignment;
            let delay = self.sample_delay("assignment", &key, distribution);
            self.schedule_agent_step(room, &id, AgentStep::Assigned, delay);
        }
        let created_at = self.now();
        let dispatch = Dispatch { id: id.clone(), created_at, spec, assigned_at: None, fault, key };
        if let Some(room) = self.rooms.get_mut(room) {
            room.dispatches.reserve_exact(1);
            room.dispatches.push(dispatch);
        }
        id
    }

    /// Deletes a dispatch and removes its agent from the room.
    pub(crate) fn delete_dispatch(&mut self, name: &RoomName, id: &DispatchId) -> Option<Dispatch> {
        let room = self.rooms.get_mut(name)?;
        let index = room.dispatches.iter().position(|dispatch| dispatch.id == *id)?;
        let dispatch = room.dispatches.remove(index);
        let identity = dispatch.identity();
        self.remove_participant(name, &identity);
        Some(dispatch)
    }

    pub(super) fn advance_dispatch(&mut self, room: &RoomName, id: &DispatchId, step: AgentStep) {
        // Meanwhile the room may have been closed or the dispatch deleted.
        let dispatches = self.rooms.get(room).map(|room| &room.dispatches);
        let found = dispatches.and_then(|all| all.iter().find(|dispatch| dispatch.id == *id));
        let Some(dispatch) = found.cloned() else { return };
        match step {
            AgentStep::Assigned => self.assign_job(room, &dispatch),
            AgentStep::Joined => self.join_agent(room, &dispatch),
            AgentStep::Listening => self.set_listening(room, &dispatch),
        }
    }

    fn assign_job(&mut self, name: &RoomName, dispatch: &Dispatch) {
        let now = self.now();
        let room = self.rooms.get_mut(name);
        let dispatches = room.into_iter().flat_map(|room| &mut room.dispatches);
        for same in dispatches.filter(|other| other.id == dispatch.id) {
            same.assigned_at = Some(now);
        }
        self.record(SandboxFact::JobAssigned { room: name.clone(), dispatch: dispatch.id.clone() });
        let times = self.config.times.livekit;
        let late = match dispatch.fault {
            Some(Fault::AgentNeverJoins) => return,
            Some(Fault::AgentLate) => self.sample_delay("late", &dispatch.key, times.late),
            _ => Micros::ZERO,
        };
        let delay = self.sample_delay("join", &dispatch.key, times.join) + late;
        self.schedule_agent_step(name, &dispatch.id, AgentStep::Joined, delay);
    }

    fn join_agent(&mut self, name: &RoomName, dispatch: &Dispatch) {
        let joined_at = self.now();
        let sid = format!("PA_{}", self.draw("agent sid", &dispatch.key).alphanumeric());
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.participants.reserve_exact(1);
        room.participants.push(ParticipantState {
            sid,
            identity: dispatch.identity(),
            joined_at,
            role: ParticipantRole::Agent {
                dispatch: dispatch.id.clone(),
                name: dispatch.spec.agent.clone(),
                listening: false,
                answers: AnsweredModes::of_metadata(&dispatch.spec.metadata),
            },
        });
        self.record(SandboxFact::AgentJoined {
            room: name.clone(),
            dispatch: dispatch.id.clone(),
            identity: dispatch.identity(),
            after_us: joined_at.since(dispatch.created_at).0,
        });
        let distribution = self.config.times.livekit.listening;
        let delay = self.sample_delay("listening", &dispatch.key, distribution);
        self.schedule_agent_step(name, &dispatch.id, AgentStep::Listening, delay);
        self.start_waiting_conversations(name);
    }

    fn set_listening(&mut self, name: &RoomName, dispatch: &Dispatch) {
        let room = self.rooms.get_mut(name);
        let participants = room.into_iter().flat_map(|room| &mut room.participants);
        let mut roles = participants.map(|participant| &mut participant.role);
        let listening = roles.find_map(|role| match role {
            ParticipantRole::Agent { dispatch: of, listening, .. } if *of == dispatch.id => {
                Some(listening)
            }
            _ => None,
        });
        // The agent may have left already.
        let Some(listening) = listening else { return };
        *listening = true;
        self.record(SandboxFact::AgentListening {
            room: name.clone(),
            dispatch: dispatch.id.clone(),
            after_us: self.now().since(dispatch.created_at).0,
        });
    }

    fn schedule_agent_step(
        &mut self,
        room: &RoomName,
        id: &DispatchId,
        step: AgentStep,
        delay: Micros,
    ) {
        self.schedule(delay, TimerEvent::Agent { room: room.clone(), dispatch: id.clone(), step });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_mode_in_the_metadata_decides_which_modes_an_agent_answers() {
        let answers = |metadata: &str| {
            let modes = AnsweredModes::of_metadata(metadata);
            (modes.contains(Mode::Chat), modes.contains(Mode::Voice))
        };
        assert_eq!(answers(r#"{"text_mode":true,"scenario_id":30}"#), (true, false));
        assert_eq!(answers(r#"{"text_mode":false}"#), (false, true));
        assert_eq!(answers(r#"{"scenario_id":30}"#), (false, true));
        assert_eq!(answers(""), (false, true));
        assert_eq!(answers("not JSON"), (false, true));
        // Python takes a non-empty text for true.
        assert_eq!(answers(r#"{"text_mode":"false"}"#), (false, false));
        assert_eq!(answers(r#"{"text_mode":1}"#), (false, false));
        assert_eq!(answers(r#"{"text_mode":0}"#), (false, true));
    }
}
