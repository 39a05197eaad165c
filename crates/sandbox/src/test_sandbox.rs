//! A sandbox for unit tests, without sockets; the test advances its clock.

use livekit_protocol as proto;
use prost::Message;
use serde_json::{Value, json};

use rushhour_core::units::{AgentName, Micros, Mode, RoomName, SessionTime};

use super::clock::Anchor;
use super::http::{SandboxRequest, SandboxResponse};
use super::tokens::{TokenClaims, VideoGrant, sign};
use super::truth::{SandboxFact, SandboxTruth};
use super::world::{ParticipantRole, World};
use super::{
    CekuraTimes, DelayDistribution, Faults, LivekitTimes, SandboxConfig, SandboxTimes, router,
};

/// The agent that [`TestSandbox::create_room_with_agent`] dispatches.
pub(crate) const AGENT: &str = "front-desk";
/// The sandbox's host and port.
pub(crate) const AUTHORITY: &str = "127.0.0.1:7881";
const WALL_MICROS: u64 = 1_784_000_000_000_000;

pub(crate) struct TestSandbox {
    pub(crate) world: World,
    now: SessionTime,
    facts: Vec<(SessionTime, SandboxFact)>,
}

impl Default for TestSandbox {
    fn default() -> Self {
        Self::new(config())
    }
}

/// A configuration with fixed, round delays: an agent joins after 300 ms, a run starts after 500 ms, a voice
/// conversation takes 4 s, a chat 2 s and judging 1 s. The evaluator waits 5 s for an agent and 3 s in silence.
pub(crate) fn config() -> SandboxConfig {
    let times = SandboxTimes {
        livekit: LivekitTimes {
            room_call: DelayDistribution::fixed(2),
            dispatch_call: DelayDistribution::fixed(3),
            assignment: DelayDistribution::fixed(200),
            join: DelayDistribution::fixed(100),
            listening: DelayDistribution::fixed(50),
            slow: DelayDistribution::fixed(3_000),
            late: DelayDistribution::fixed(20_000),
        },
        cekura: CekuraTimes {
            submit: DelayDistribution::fixed(0),
            submit_slow: DelayDistribution::fixed(5_000),
            poll: DelayDistribution::fixed(4),
            poll_slow: DelayDistribution::fixed(3_000),
            retry_after: Micros::from_millis(1_500),
            queue: DelayDistribution::fixed(500),
            voice: DelayDistribution::fixed(4_000),
            chat: DelayDistribution::fixed(2_000),
            judging: DelayDistribution::fixed(1_000),
            unknown_status: DelayDistribution::fixed(700),
            agent_timeout: Micros::from_secs(5),
            silence_timeout: Micros::from_secs(3),
        },
    };
    SandboxConfig { times, ..SandboxConfig::default() }
}

/// [`config`] with these faults.
pub(crate) fn config_with(faults: Faults) -> SandboxConfig {
    SandboxConfig { faults, ..config() }
}

/// Grants creating and deleting rooms.
pub(crate) fn create_grant() -> VideoGrant {
    VideoGrant { room_create: true, ..VideoGrant::default() }
}

/// Grants administering this room.
pub(crate) fn admin_grant(room: &str) -> VideoGrant {
    VideoGrant { room_admin: true, room: room.to_owned(), ..VideoGrant::default() }
}

impl TestSandbox {
    pub(crate) fn new(config: SandboxConfig) -> Self {
        let world = World::new(config, Anchor::new(WALL_MICROS), AUTHORITY.parse().unwrap());
        Self { world, now: SessionTime::START, facts: Vec::new() }
    }

    /// Advances the clock by this many milliseconds.
    pub(crate) fn advance(&mut self, millis: u64) {
        self.now += Micros::from_millis(millis);
        self.world.advance(self.now);
    }

    pub(crate) fn send(&mut self, request: &SandboxRequest<'_>) -> SandboxResponse {
        router::handle(&mut self.world, request, self.now)
    }

    /// Claims that are valid for the next five minutes.
    pub(crate) fn claims(&self, video: VideoGrant) -> TokenClaims {
        let now = (WALL_MICROS + self.now.0) / 1_000_000;
        let iss = SandboxConfig::API_KEY.to_owned();
        TokenClaims { iss, nbf: now, exp: now + 300, video, ..TokenClaims::default() }
    }

    /// Makes a Twirp call in protobuf with a token of these grants.
    pub(crate) fn twirp<A: Message + Default>(
        &mut self,
        method: &str,
        video: VideoGrant,
        request: &impl Message,
    ) -> Result<A, Box<SandboxResponse>> {
        let token = sign(&self.claims(video), SandboxConfig::API_SECRET);
        let response = self.twirp_response(method, &format!("Bearer {token}"), request);
        if response.status == 200 {
            Ok(A::decode(&*response.body).unwrap())
        } else {
            Err(Box::new(response))
        }
    }

    /// Makes a Twirp call in protobuf with this `Authorization` header.
    pub(crate) fn twirp_response(
        &mut self,
        method: &str,
        authorization: &str,
        request: &impl Message,
    ) -> SandboxResponse {
        self.send(&SandboxRequest {
            method: "POST",
            path: &format!("/twirp/livekit.{method}"),
            authorization: Some(authorization),
            content_type: "application/protobuf",
            body: &request.encode_to_vec(),
            ..SandboxRequest::default()
        })
    }

    /// Creates a room with the agent [`AGENT`].
    pub(crate) fn create_room_with_agent(&mut self, room: &str, metadata: &str) {
        let query = proto::CreateRoomRequest {
            name: room.to_owned(),
            agents: vec![proto::RoomAgentDispatch {
                agent_name: AGENT.to_owned(),
                metadata: metadata.to_owned(),
                ..proto::RoomAgentDispatch::default()
            }],
            ..proto::CreateRoomRequest::default()
        };
        self.twirp::<proto::Room>("RoomService/CreateRoom", create_grant(), &query).unwrap();
    }

    pub(crate) fn delete(
        &mut self,
        room: &str,
    ) -> Result<proto::DeleteRoomResponse, Box<SandboxResponse>> {
        let query = proto::DeleteRoomRequest { room: room.to_owned() };
        self.twirp("RoomService/DeleteRoom", create_grant(), &query)
    }

    /// Sends a request to Cekura's API with the right key.
    pub(crate) fn cekura(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        body: &Value,
    ) -> SandboxResponse {
        self.send(&SandboxRequest {
            method,
            path: &format!("/test_framework/{path}"),
            query,
            cekura_key: Some(SandboxConfig::CEKURA_KEY),
            content_type: "application/json",
            body: body.to_string().as_bytes(),
            ..SandboxRequest::default()
        })
    }

    pub(crate) fn get(&mut self, path: &str, query: &str) -> Value {
        let response = self.cekura("GET", path, query, &Value::Null);
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        serde_json::from_slice(&response.body).unwrap()
    }

    /// A token for the evaluator to join this room.
    pub(crate) fn join_token(&self, room: &str) -> String {
        let video = VideoGrant { room_join: true, room: room.to_owned(), ..VideoGrant::default() };
        let claims = TokenClaims { sub: "evaluator".to_owned(), ..self.claims(video) };
        sign(&claims, SandboxConfig::API_SECRET)
    }

    /// An entry of a submission.
    pub(crate) fn entry(&self, room: &str) -> Value {
        json!({
            "scenario": 30,
            "livekit_room_url": format!("ws://{AUTHORITY}"),
            "access_token": self.join_token(room),
        })
    }

    pub(crate) fn submit_entries(&mut self, mode: Mode, entries: &[Value]) -> SandboxResponse {
        let path = match mode {
            Mode::Voice => "v1/scenarios-external/run_scenarios_livekit/",
            Mode::Chat => "v1/scenarios-external/run_scenarios_livekit_chat/",
        };
        self.cekura("POST", path, "", &json!({ "scenarios": entries }))
    }

    /// Submits one entry and returns its run.
    pub(crate) fn submit(&mut self, mode: Mode, room: &str) -> u64 {
        let response = self.submit_entries(mode, &[self.entry(room)]);
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        body["runs"][0]["id"].as_u64().unwrap()
    }

    /// Polls a run.
    pub(crate) fn run(&mut self, id: u64) -> Value {
        let runs = self.get("v2/runs/bulk/", &format!("run_ids={id}"));
        runs[0].clone()
    }

    pub(crate) fn status(&mut self, id: u64) -> String {
        self.run(id)["status"].as_str().unwrap_or("unknown").to_owned()
    }

    /// The names of the agents in a room.
    pub(crate) fn agents_in(&self, room: &str) -> Vec<AgentName> {
        let room = self.world.room(&RoomName::new(room));
        let participants = room.into_iter().flat_map(|room| &room.participants);
        let agents = participants.filter_map(|participant| match &participant.role {
            ParticipantRole::Agent { name, .. } => Some(name.clone()),
            ParticipantRole::Caller { .. } => None,
        });
        agents.collect()
    }

    pub(crate) fn truth(&self) -> SandboxTruth {
        self.world.truth(None)
    }

    /// All facts so far.
    pub(crate) fn facts(&mut self) -> &[(SessionTime, SandboxFact)] {
        self.facts.extend(self.world.take_facts());
        &self.facts
    }
}
