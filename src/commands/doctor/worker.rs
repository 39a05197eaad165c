//! A real dispatch into a throw-away room: whether an agent comes, and how fast. The room goes on every path.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::finding::Finding;
use super::judgement::{AgentArrival, worker};
use super::server::refused;
use crate::signals::interrupted;
use rushhour_core::profile::{AgentDispatch, Profile};
use rushhour_core::units::{AgentName, Identity, Micros, RoomName, RunIndex, SessionId};
use rushhour_livekit::{
    ControlPlane, CreateDispatchRequest, CreateRoomRequest, LiveKitClient, LiveKitError,
    RoomAgents, dispatch_metadata, room_metadata,
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long an agent that is there is watched for its state.
const LISTENING_WITHIN: Duration = Duration::from_secs(5);
/// Deleting is tried this often.
const ATTEMPTS: u32 = 3;

/// Whether agents are sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DispatchTrial {
    /// The agent of the profile.
    Dispatch,
    /// None: the room alone is made and deleted.
    RoomOnly,
}

/// What came of the trial.
pub(crate) struct DispatchTrialResult {
    pub(crate) findings: Vec<Finding>,
    pub(crate) interrupted: bool,
}

/// Makes a room, sends for the agent, waits for it, and deletes the room; told in two findings: what is
/// granted, and whether an agent came.
pub(crate) async fn try_room(
    livekit: &LiveKitClient,
    profile: &Profile,
    name: &str,
    trial: DispatchTrial,
) -> DispatchTrialResult {
    let room = RoomName::new(name);
    let (mut findings, interrupted) = tokio::select! {
        findings = in_room(livekit, profile, &room, trial) => (findings, false),
        _ = interrupted() => {
            (vec![Finding::not_checked("agent", "interrupted; the room is deleted")], true)
        }
    };
    if let Err(error) = delete(livekit, &room).await {
        findings.push(Finding::warning(
            "throw-away room",
            format!("{room} could not be deleted: {error}"),
            "it goes by itself once it is empty, or with `rushhour sweep`",
        ));
    }
    DispatchTrialResult { findings, interrupted }
}

async fn in_room(
    livekit: &LiveKitClient,
    profile: &Profile,
    room: &RoomName,
    trial: DispatchTrial,
) -> Vec<Finding> {
    let settings = &profile.livekit;
    let metadata = || match profile.mix.scenarios().first() {
        Some(scenario) => dispatch_metadata(settings, &scenario.id, profile.mode.representative()),
        None => String::new(),
    };
    let sent = Instant::now();
    let agents = match (trial, &settings.dispatch) {
        (DispatchTrial::Dispatch, AgentDispatch::Room { agent }) => {
            RoomAgents::Agent(agent.clone(), metadata())
        }
        (DispatchTrial::Dispatch, AgentDispatch::ExplicitFresh { .. } | AgentDispatch::None) => {
            RoomAgents::Absent
        }
        (DispatchTrial::RoomOnly, _)
        | (DispatchTrial::Dispatch, AgentDispatch::Explicit { .. } | AgentDispatch::Token { .. }) => {
            RoomAgents::Placeholder
        }
    };
    let made = livekit
        .create_room(CreateRoomRequest {
            room: room.clone(),
            empty_timeout: settings.give_up_after.micros() + Micros::from_secs(60),
            metadata: room_metadata(&SessionId::new(room.as_str()), RunIndex(0)),
            agents,
        })
        .await;
    if let Err(error) = made {
        return vec![
            refused("livekit grants", &error),
            Finding::not_checked("agent", "no room can be made"),
        ];
    }
    if let Err(error) = livekit.list_participants(room.clone(), Identity::new("nobody")).await {
        return vec![
            refused("livekit grants", &error),
            Finding::not_checked("agent", "the room cannot be looked into"),
        ];
    }
    let granted = Finding::ok("livekit grants", "a room can be made, looked into and deleted");
    let agent = match trial {
        DispatchTrial::RoomOnly => {
            Finding::not_checked("agent", "nobody was sent for: --no-dispatch")
        }
        DispatchTrial::Dispatch => match send_for(livekit, profile, room, metadata(), sent).await {
            Ok((agent, coming)) => worker(&agent, coming, settings.agent_within.micros()),
            Err(error) => refused("agent", &error),
        },
    };
    vec![granted, agent]
}

/// Sends for the agent where the making of the room has not, and waits for it.
async fn send_for(
    livekit: &LiveKitClient,
    profile: &Profile,
    room: &RoomName,
    metadata: String,
    room_sent: Instant,
) -> Result<(String, AgentArrival), LiveKitError> {
    let settings = &profile.livekit;
    let mut sent = room_sent;
    let named = settings.dispatch.agent().cloned();
    match (&settings.dispatch, &named) {
        (AgentDispatch::Room { .. } | AgentDispatch::None, _) | (_, None) => {}
        // An agent that a token sends for is registered under the same name.
        (_, Some(agent)) => {
            sent = Instant::now();
            let request =
                CreateDispatchRequest { room: room.clone(), agent: agent.clone(), metadata };
            livekit.create_dispatch(request).await?;
        }
    }
    let agent = named.unwrap_or_else(|| AgentName::new(""));
    let shown = match agent.as_str() {
        "" => "an agent of automatic dispatch".to_owned(),
        name => name.to_owned(),
    };
    let longest = settings.give_up_after.micros().as_duration();
    let mut joined: Option<Duration> = None;
    loop {
        let seen = livekit.list_participants(room.clone(), Identity::new("nobody")).await;
        let after = sent.elapsed();
        // One look that fails is not the agent's fault.
        let sight = seen.ok().and_then(|present| present.agent);
        if let Some(sight) = sight {
            let since = *joined.get_or_insert(after);
            if sight.listening {
                return Ok((shown, AgentArrival::Joined(since.into(), Some(after.into()))));
            }
        }
        if let Some(since) = joined
            && after > since + LISTENING_WITHIN
        {
            return Ok((shown, AgentArrival::Joined(since.into(), None)));
        }
        if joined.is_none() && after > longest {
            let waited = Micros::from(after);
            let assigned = livekit.is_dispatch_assigned(room.clone(), agent).await.unwrap_or(false);
            let coming = if assigned {
                AgentArrival::NeverJoined(waited)
            } else {
                AgentArrival::Unassigned(waited)
            };
            return Ok((shown, coming));
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn delete(livekit: &LiveKitClient, room: &RoomName) -> Result<(), LiveKitError> {
    let mut attempt = 1;
    loop {
        match livekit.delete_room(room.clone()).await {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            end => return end,
        }
    }
}
