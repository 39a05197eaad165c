//! The job of a dispatched agent as the server lists it, and what it says of an agent that nobody saw.

use livekit_protocol as proto;

use super::control_plane::RoomParticipants;
use rushhour_core::units::{AgentName, ForeignText, Identity};

/// How far a job is. A server of one's own lists it as running from the moment that a worker takes it, whether the agent
/// joins or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobStatus {
    /// The worker says that it failed.
    Failed,
    /// It is over.
    Ended,
    /// No worker has begun it.
    Pending,
    /// A worker has it.
    Running,
}

/// A job that a worker accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchedJob {
    /// How far it is.
    pub status: JobStatus,
    /// Why it failed; empty where nobody says.
    pub error: ForeignText,
    /// The identity with which its agent joins.
    pub identity: Option<Identity>,
}

impl DispatchedJob {
    /// The job of an agent among a room's dispatches: the one that is furthest from its end, and of several the latest.
    pub(crate) fn find(
        listed: proto::ListAgentDispatchResponse,
        agent: &AgentName,
    ) -> Option<Self> {
        let own = listed.agent_dispatches.into_iter();
        let states = own
            .filter(|dispatch| dispatch.agent_name == agent.as_str())
            .flat_map(|dispatch| dispatch.state.unwrap_or_default().jobs)
            .map(|job| job.state.unwrap_or_default());
        let jobs = states.map(|state| {
            let status = match state.status() {
                proto::JobStatus::JsPending => JobStatus::Pending,
                proto::JobStatus::JsRunning => JobStatus::Running,
                proto::JobStatus::JsSuccess => JobStatus::Ended,
                proto::JobStatus::JsFailed => JobStatus::Failed,
            };
            let identity = Some(state.participant_identity).filter(|name| !name.is_empty());
            let (started_at, identity) = (state.started_at, identity.map(Identity::new));
            (started_at, Self { status, error: state.error.into(), identity })
        });
        jobs.max_by_key(|(started_at, job)| (job.status, *started_at)).map(|(_, job)| job)
    }
}

/// Why an agent was not seen, as the end of a sentence that says so: what its job and the room tell, where they are known.
pub fn absence_words(job: Option<&DispatchedJob>, present: Option<&RoomParticipants>) -> String {
    let job = job.map(|job| match (job.status, &job.identity) {
        (JobStatus::Failed, _) if job.error.is_empty() => "its job failed".to_owned(),
        (JobStatus::Failed, _) => format!("its job failed: {}", job.error),
        (JobStatus::Ended, _) => "its job ended before anybody joined".to_owned(),
        (JobStatus::Pending, _) => "no worker has begun its job".to_owned(),
        (JobStatus::Running, identity) => running_words(identity.as_ref(), present),
    });
    let others = present.into_iter().flat_map(|present| &present.others).map(|other| {
        let (identity, kind) = (&other.identity, other.kind);
        format!(
            "participant `{identity}` (kind {kind}) publishes audio, and is not taken for the agent"
        )
    });
    let words: Vec<String> = job.into_iter().chain(others).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) }
}

fn running_words(identity: Option<&Identity>, present: Option<&RoomParticipants>) -> String {
    let named = identity.map_or_else(String::new, |identity| format!(" as `{identity}`"));
    match present.map(|present| &present.agent) {
        Some(Some(agent)) if agent.hidden => {
            format!("its job runs{named}, which the room does not show: it is hidden")
        }
        Some(Some(_)) => {
            format!("its job runs{named}, which is in the room, but was not announced")
        }
        Some(None) => format!(
            "a worker took its job{named}, which is not in the room: the job crashed, or is still starting; see the worker's log"
        ),
        None => format!("a worker took its job{named}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::{AgentParticipant, AudioPublisher};

    fn listed(jobs: Vec<(&str, proto::JobState)>) -> proto::ListAgentDispatchResponse {
        let dispatches = jobs.into_iter().map(|(agent_name, state)| proto::AgentDispatch {
            agent_name: agent_name.to_owned(),
            state: Some(proto::AgentDispatchState {
                jobs: vec![proto::Job { state: Some(state), ..proto::Job::default() }],
                ..proto::AgentDispatchState::default()
            }),
            ..proto::AgentDispatch::default()
        });
        proto::ListAgentDispatchResponse { agent_dispatches: dispatches.collect() }
    }

    fn state(status: proto::JobStatus, identity: &str, started_at: i64) -> proto::JobState {
        proto::JobState {
            status: status.into(),
            participant_identity: identity.to_owned(),
            started_at,
            ..proto::JobState::default()
        }
    }

    fn job(status: JobStatus) -> DispatchedJob {
        DispatchedJob {
            status,
            error: ForeignText::default(),
            identity: Some(Identity::new("agent-AJ_1")),
        }
    }

    fn room(hidden: Option<bool>) -> RoomParticipants {
        let agent = hidden.map(|hidden| AgentParticipant {
            identity: Identity::new("agent-AJ_1"),
            joined_at_ms: None,
            listening: false,
            hidden,
        });
        RoomParticipants { agent, ..RoomParticipants::default() }
    }

    #[test]
    fn the_job_of_an_agent_is_the_one_that_still_runs_or_began_last() {
        use proto::JobStatus::{JsFailed, JsRunning};
        let agent = AgentName::new("a");
        assert_eq!(
            DispatchedJob::find(listed(vec![("b", state(JsRunning, "x", 1))]), &agent),
            None
        );
        let found = |jobs| {
            let job = DispatchedJob::find(listed(jobs), &agent).unwrap();
            (job.status, job.identity.map(|identity| identity.to_string()))
        };
        let failed = |identity, at| ("a", state(JsFailed, identity, at));
        assert_eq!(found(vec![failed("", 1)]), (JobStatus::Failed, None));
        let restarted = vec![failed("first", 1), failed("second", 2)];
        assert_eq!(found(restarted), (JobStatus::Failed, Some("second".into())));
        let running = vec![("a", state(JsRunning, "first", 1)), failed("second", 2)];
        assert_eq!(found(running), (JobStatus::Running, Some("first".into())));
    }

    #[test]
    fn an_absent_agent_is_explained_by_its_job_and_by_who_is_in_the_room() {
        let words = |status, room: Option<RoomParticipants>| {
            absence_words(Some(&job(status)), room.as_ref())
        };
        assert_eq!(words(JobStatus::Failed, None), ": its job failed");
        assert_eq!(words(JobStatus::Ended, None), ": its job ended before anybody joined");
        assert_eq!(words(JobStatus::Running, None), ": a worker took its job as `agent-AJ_1`");
        assert_eq!(
            words(JobStatus::Running, Some(room(None))),
            ": a worker took its job as `agent-AJ_1`, which is not in the room: the job crashed, or is still starting; see the worker's log"
        );
        assert_eq!(
            words(JobStatus::Running, Some(room(Some(true)))),
            ": its job runs as `agent-AJ_1`, which the room does not show: it is hidden"
        );
        assert_eq!(
            words(JobStatus::Running, Some(room(Some(false)))),
            ": its job runs as `agent-AJ_1`, which is in the room, but was not announced"
        );
        let failed = DispatchedJob { error: "no key".into(), ..job(JobStatus::Failed) };
        assert_eq!(absence_words(Some(&failed), None), ": its job failed: no key");
        assert_eq!(absence_words(None, Some(&room(None))), "");
    }

    #[test]
    fn those_who_could_be_the_agent_are_named() {
        let others = vec![AudioPublisher { identity: Identity::new("sip_1"), kind: "SIP" }];
        let room = RoomParticipants { others, ..RoomParticipants::default() };
        assert_eq!(
            absence_words(None, Some(&room)),
            ": participant `sip_1` (kind SIP) publishes audio, and is not taken for the agent"
        );
    }
}
