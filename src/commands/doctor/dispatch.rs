//! A real dispatch into a throw-away room: whether an agent joins, and how fast. The room is deleted on every path.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::finding::Finding;
use super::livekit::request_failed;
use super::rules::{AgentArrival, agent, hidden_agent};
use crate::profile_files::ProfileFiles;
use crate::signals::interrupted;
use rushhour_core::profile::{AgentDispatch, Profile, RunVariables};
use rushhour_core::units::{
    AgentName, Identity, Micros, RoomName, RunIndex, ScenarioId, SessionId,
};
use rushhour_livekit::{
    ControlPlane, CreateDispatchRequest, CreateRoomRequest, LiveKitClient, LiveKitError,
    RoomAgents, TokenSigner, absence_words, dispatch_metadata, room_metadata_with,
};

use rushhour_livekit::http::TrustStore;
#[cfg(feature = "native")]
use {
    super::first_turn::FirstTurn,
    super::listener::RoomListener,
    super::traits::agent_traits,
    crate::print,
    rushhour_callers::engine::NetworkAccess,
    rushhour_core::profile::EvaluatorSettings,
    rushhour_livekit::{TokenRequest, caller_claims},
};

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long to wait for an agent in the room to listen.
const LISTENING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an empty room stays beyond the wait for the agent.
const EMPTY_TIMEOUT_MARGIN: Micros = Micros::from_secs(60);

/// How long a token is valid with which the room is joined.
#[cfg(feature = "native")]
const TOKEN_LIFETIME: Micros = Micros::from_secs(60);

/// The attempts to delete the room.
const ATTEMPTS: u32 = 3;

/// What to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DispatchTrial {
    /// Create a room, and dispatch the agent of the profile.
    Dispatch,
    /// Only create a room and delete it.
    RoomOnly,
}

/// The server of the trial.
pub(crate) struct TrialTarget<'a> {
    pub(crate) livekit: &'a LiveKitClient,
    /// Its address, for a participant.
    #[cfg_attr(not(feature = "native"), expect(dead_code, reason = "only a caller needs it"))]
    pub(crate) url: &'a str,
    #[cfg_attr(not(feature = "native"), expect(dead_code, reason = "only a caller needs it"))]
    pub(crate) tokens: &'a TokenSigner,
    #[cfg_attr(not(feature = "native"), expect(dead_code, reason = "only a caller needs it"))]
    pub(crate) trust: &'a TrustStore,
    /// The files that the profile names.
    #[cfg_attr(not(feature = "native"), expect(dead_code, reason = "only a caller needs it"))]
    pub(crate) files: &'a ProfileFiles,
}

/// The result of the trial.
pub(crate) struct DispatchTrialResult {
    pub(crate) findings: Vec<Finding>,
    pub(crate) interrupted: bool,
}

/// Creates a room, dispatches the agent, waits for it, and deletes the room. Finds out what the key is granted, and
/// whether an agent joined.
pub(crate) async fn try_room(
    target: &TrialTarget<'_>,
    profile: &Profile,
    name: &str,
    trial: DispatchTrial,
) -> DispatchTrialResult {
    let room = RoomName::new(name);
    let (mut findings, interrupted) = tokio::select! {
        findings = create_and_dispatch(target, profile, &room, trial) => (findings, false),
        _ = interrupted() => {
            (vec![Finding::not_checked("agent", "interrupted; the room is deleted")], true)
        }
    };
    if let Err(error) = delete(target.livekit, &room).await {
        findings.push(Finding::warning(
            "throw-away room",
            format!("{room} could not be deleted: {error}"),
            "the server deletes it once it is empty; `rushhour sweep` deletes it too",
        ));
    }
    DispatchTrialResult { findings, interrupted }
}

async fn create_and_dispatch(
    target: &TrialTarget<'_>,
    profile: &Profile,
    room: &RoomName,
    trial: DispatchTrial,
) -> Vec<Finding> {
    let livekit = target.livekit;
    let settings = &profile.livekit;
    let scenario = profile.mix.scenarios().first().map(|scenario| scenario.id.clone());
    let scenario = scenario.unwrap_or_else(|| ScenarioId::new(""));
    let run = RunVariables {
        run: RunIndex(0),
        scenario: &scenario,
        seed: profile.seed,
        mode: profile.mode.representative(),
    };
    let metadata = || dispatch_metadata(settings, &run);
    let room_requested = Instant::now();
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
    let created = livekit
        .create_room(CreateRoomRequest {
            room: room.clone(),
            empty_timeout: settings.give_up_after.micros() + EMPTY_TIMEOUT_MARGIN,
            metadata: room_metadata_with(
                &settings.room_metadata,
                &SessionId::new(room.as_str()),
                &run,
            ),
            agents,
        })
        .await;
    if let Err(error) = created {
        return vec![
            request_failed("livekit grants", &error),
            Finding::not_checked("agent", "no room can be created"),
        ];
    }
    if let Err(error) = livekit.list_participants(room.clone(), Identity::new("nobody")).await {
        return vec![
            request_failed("livekit grants", &error),
            Finding::not_checked("agent", "the room's participants cannot be listed"),
        ];
    }
    let granted =
        Finding::ok("livekit grants", "may create and delete rooms, and list their participants");
    // Callers join before the agent does.
    let listening = join_room(target, profile, room, &run);
    let mut findings = vec![granted];
    findings.extend(connection(listening.as_ref()).await);
    if trial == DispatchTrial::RoomOnly {
        findings.push(Finding::not_checked("agent", "no agent was dispatched: --no-dispatch"));
        return findings;
    }
    match dispatch(livekit, profile, room, metadata(), room_requested).await {
        Ok((name, arrival)) => {
            let is_there = matches!(arrival, AgentArrival::Joined { .. });
            let is_absent = !is_there && !matches!(arrival, AgentArrival::Hidden(_));
            if is_absent && is_hidden(listening.as_ref()) {
                findings.push(hidden_agent(&name));
                return findings;
            }
            findings.push(agent(&name, arrival, settings.agent_within.micros()));
            if is_there {
                findings.extend(listen(listening, profile, target).await);
            }
        }
        Err(error) => findings.push(request_failed("agent", &error)),
    }
    findings
}

#[cfg(feature = "native")]
type Listening = Result<RoomListener, Finding>;
#[cfg(not(feature = "native"))]
type Listening = std::convert::Infallible;

/// Joins the room to listen to the agent, where our own callers are to talk to it.
#[cfg(feature = "native")]
fn join_room(
    target: &TrialTarget<'_>,
    profile: &Profile,
    room: &RoomName,
    run: &RunVariables<'_>,
) -> Option<Listening> {
    let EvaluatorSettings::Native(native) = &profile.evaluator else { return None };
    let token = target.tokens.sign(TokenRequest {
        identity: Identity::new("doctor"),
        room: room.clone(),
        lifetime: TOKEN_LIFETIME,
        agent: None,
        participant: caller_claims(&profile.caller, run),
    });
    let not_checked = |why: String| Finding::not_checked("agent in the room", why);
    Some(token.map_err(|error| not_checked(error.to_string())).and_then(|token| {
        let network =
            NetworkAccess { trust: target.trust.clone(), transport: profile.livekit.transport };
        RoomListener::join(target.url.to_owned(), token, run.mode, native, network)
            .map_err(|error| not_checked(format!("cannot start a thread: {error}")))
    }))
}

#[cfg(not(feature = "native"))]
fn join_room(
    _: &TrialTarget<'_>,
    _: &Profile,
    _: &RoomName,
    _: &RunVariables<'_>,
) -> Option<Listening> {
    None
}

/// What connection our own callers have with the server: signalling, media and data.
#[cfg(feature = "native")]
async fn connection(listening: Option<&Listening>) -> Option<Finding> {
    let listener = listening?.as_ref().ok()?;
    print::set_status("connecting media and data");
    Some(listener.connection().await)
}

#[cfg(not(feature = "native"))]
fn connection(_: Option<&Listening>) -> std::future::Ready<Option<Finding>> {
    std::future::ready(None)
}

/// Listens to an agent that has joined.
#[cfg(feature = "native")]
async fn listen(
    listening: Option<Listening>,
    profile: &Profile,
    target: &TrialTarget<'_>,
) -> Option<Finding> {
    let listener = match listening? {
        Ok(listener) => listener,
        Err(finding) => return Some(finding),
    };
    print::set_status("listening to the agent");
    let mode = profile.mode.representative();
    let traits = listener.listen(FirstTurn::of(profile, mode, target.files)).await;
    Some(match traits {
        Some(traits) => agent_traits(&traits, profile, mode),
        None => Finding::not_checked(
            "agent in the room",
            "a caller of Rushhour's could not join the room, or did not see the agent there",
        ),
    })
}

/// Whether an agent was heard or read that is not announced.
#[cfg(feature = "native")]
fn is_hidden(listening: Option<&Listening>) -> bool {
    listening.is_some_and(|joined| joined.as_ref().is_ok_and(RoomListener::is_hidden))
}

#[cfg(not(feature = "native"))]
fn listen(
    _: Option<Listening>,
    _: &Profile,
    _: &TrialTarget<'_>,
) -> std::future::Ready<Option<Finding>> {
    std::future::ready(None)
}

#[cfg(not(feature = "native"))]
const fn is_hidden(_: Option<&Listening>) -> bool {
    false
}

/// Dispatches the agent, unless the creation of the room has done so, and waits for it.
async fn dispatch(
    livekit: &LiveKitClient,
    profile: &Profile,
    room: &RoomName,
    metadata: String,
    room_requested: Instant,
) -> Result<(String, AgentArrival), LiveKitError> {
    let settings = &profile.livekit;
    let name = settings.dispatch.agent().cloned();
    let dispatched = match (&settings.dispatch, &name) {
        (AgentDispatch::Room { .. } | AgentDispatch::None, _) | (_, None) => room_requested,
        // An agent that a token dispatches is registered under the same name.
        (_, Some(agent)) => {
            let requested = Instant::now();
            let request =
                CreateDispatchRequest { room: room.clone(), agent: agent.clone(), metadata };
            livekit.create_dispatch(request).await?;
            requested
        }
    };
    let name = name.unwrap_or_else(|| AgentName::new(""));
    let shown = match name.as_str() {
        "" => "an agent of automatic dispatch".to_owned(),
        name => name.to_owned(),
    };
    let give_up_after = settings.give_up_after.micros().as_duration();
    Ok((shown, await_agent(livekit, room, name, dispatched, give_up_after).await))
}

/// Polls the room until the agent listens, or the wait is over.
async fn await_agent(
    livekit: &LiveKitClient,
    room: &RoomName,
    name: AgentName,
    dispatched: Instant,
    give_up_after: Duration,
) -> AgentArrival {
    let mut joined: Option<Duration> = None;
    loop {
        let listed = livekit.list_participants(room.clone(), Identity::new("nobody")).await;
        let elapsed = dispatched.elapsed();
        // One poll that fails is not the agent's fault.
        if let Some(agent) = listed.ok().and_then(|participants| participants.agent) {
            let joined = *joined.get_or_insert(elapsed);
            if agent.hidden {
                return AgentArrival::Hidden(joined.into());
            }
            if agent.listening {
                let listening_after = Some(elapsed.into());
                return AgentArrival::Joined { after: joined.into(), listening_after };
            }
        }
        if let Some(joined) = joined
            && elapsed > joined + LISTENING_TIMEOUT
        {
            return AgentArrival::Joined { after: joined.into(), listening_after: None };
        }
        if joined.is_none() && elapsed > give_up_after {
            let waited = Micros::from(elapsed);
            let job = livekit.dispatched_job(room.clone(), name).await.ok().flatten();
            let Some(job) = job else { return AgentArrival::Unassigned(waited) };
            let present = livekit.list_participants(room.clone(), Identity::new("doctor")).await;
            let why = absence_words(Some(&job), present.ok().as_ref());
            return AgentArrival::NeverJoined { waited, why };
        }
        sleep(POLL_INTERVAL).await;
    }
}

async fn delete(livekit: &LiveKitClient, room: &RoomName) -> Result<(), LiveKitError> {
    let mut attempt = 1;
    loop {
        match livekit.delete_room(room.clone()).await {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}
