//! A sandbox without sockets and without a clock, for unit tests: requests in, answers out, time by hand.

use livekit_api::access_token::{Claims, VideoGrants};
use livekit_protocol as proto;
use prost::Message;
use serde_json::{Value, json};

use rushhour_core::units::{AgentName, Micros, Mode, RoomName, SessionTime};

use super::clock::Anchor;
use super::exchange::{SandboxRequest, SandboxResponse};
use super::tokens::sign;
use super::truth::{SandboxFact, SandboxTruth};
use super::world::{Occupant, World};
use super::{
    CekuraTimes, DelayDistribution, Faults, LivekitTimes, SandboxConfig, SandboxTimes, router,
};

/// The agent that rooms are furnished with.
pub(crate) const AGENT: &str = "front-desk";
/// Where the rehearsed sandbox is reached.
pub(crate) const AUTHORITY: &str = "127.0.0.1:7881";
const WALL_MICROS: u64 = 1_784_000_000_000_000;

/// A rehearsed sandbox.
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

/// A configuration whose times are round: an agent is there after 300 ms, a run starts after 500 ms, a voice
/// conversation takes 4 s, a chat 2 s, judging 1 s; patience is 5 s and silence 3 s.
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
            undocumented: DelayDistribution::fixed(700),
            patience: Micros::from_secs(5),
            silence: Micros::from_secs(3),
        },
    };
    SandboxConfig { times, ..SandboxConfig::default() }
}

/// The same with these faults.
pub(crate) fn config_with(faults: Faults) -> SandboxConfig {
    SandboxConfig { faults, ..config() }
}

/// The grants of a token that creates and deletes rooms.
pub(crate) fn creator() -> VideoGrants {
    VideoGrants { room_create: true, ..VideoGrants::default() }
}

/// The grants of a token that administers this room.
pub(crate) fn admin(room: &str) -> VideoGrants {
    VideoGrants { room_admin: true, room: room.to_owned(), ..VideoGrants::default() }
}

impl TestSandbox {
    pub(crate) fn new(config: SandboxConfig) -> Self {
        let world = World::new(config, Anchor::new(WALL_MICROS), AUTHORITY);
        Self { world, now: SessionTime::START, facts: Vec::new() }
    }

    /// Lets this many milliseconds pass.
    pub(crate) fn wait(&mut self, millis: u64) {
        self.now += Micros::from_millis(millis);
        self.world.advance(self.now);
    }

    pub(crate) fn send(&mut self, request: &SandboxRequest<'_>) -> SandboxResponse {
        router::answer(&mut self.world, request, self.now)
    }

    /// Claims that are valid for five minutes from now.
    pub(crate) fn claims(&self, video: VideoGrants) -> Claims {
        let now = usize::try_from((WALL_MICROS + self.now.0) / 1_000_000).unwrap();
        let iss = SandboxConfig::API_KEY.to_owned();
        Claims { iss, nbf: now, exp: now + 300, video, ..Claims::default() }
    }

    /// A Twirp call in protobuf with a token of these grants.
    pub(crate) fn twirp<A: Message + Default>(
        &mut self,
        method: &str,
        video: VideoGrants,
        query: &impl Message,
    ) -> Result<A, Box<SandboxResponse>> {
        let token = sign(&self.claims(video), SandboxConfig::API_SECRET);
        let answer = self.twirp_answer(method, &format!("Bearer {token}"), query);
        if answer.status == 200 {
            Ok(A::decode(&*answer.body).unwrap())
        } else {
            Err(Box::new(answer))
        }
    }

    /// The same with this `Authorization`, and with the whole answer.
    pub(crate) fn twirp_answer(
        &mut self,
        method: &str,
        authorization: &str,
        query: &impl Message,
    ) -> SandboxResponse {
        self.send(&SandboxRequest {
            method: "POST",
            path: &format!("/twirp/livekit.{method}"),
            authorization: Some(authorization),
            content_type: "application/protobuf",
            body: &query.encode_to_vec(),
            ..SandboxRequest::default()
        })
    }

    /// Makes a room and dispatches the agent into it.
    pub(crate) fn furnish(&mut self, room: &str, metadata: &str) {
        let query = proto::CreateRoomRequest {
            name: room.to_owned(),
            agents: vec![proto::RoomAgentDispatch {
                agent_name: AGENT.to_owned(),
                metadata: metadata.to_owned(),
                ..proto::RoomAgentDispatch::default()
            }],
            ..proto::CreateRoomRequest::default()
        };
        self.twirp::<proto::Room>("RoomService/CreateRoom", creator(), &query).unwrap();
    }

    pub(crate) fn delete(
        &mut self,
        room: &str,
    ) -> Result<proto::DeleteRoomResponse, Box<SandboxResponse>> {
        let query = proto::DeleteRoomRequest { room: room.to_owned() };
        self.twirp("RoomService/DeleteRoom", creator(), &query)
    }

    /// A request to Cekura's API with the right key.
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
        let answer = self.cekura("GET", path, query, &Value::Null);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// A token with which the evaluator joins this room.
    pub(crate) fn ticket(&self, room: &str) -> String {
        let video =
            VideoGrants { room_join: true, room: room.to_owned(), ..VideoGrants::default() };
        let claims = Claims { sub: "evaluator".to_owned(), ..self.claims(video) };
        sign(&claims, SandboxConfig::API_SECRET)
    }

    /// An entry of a submission.
    pub(crate) fn entry(&self, room: &str) -> Value {
        json!({
            "scenario": 30,
            "livekit_room_url": format!("ws://{AUTHORITY}"),
            "access_token": self.ticket(room),
        })
    }

    pub(crate) fn submit_entries(&mut self, mode: Mode, entries: &[Value]) -> SandboxResponse {
        let path = match mode {
            Mode::Voice => "v1/scenarios-external/run_scenarios_livekit/",
            Mode::Chat => "v1/scenarios-external/run_scenarios_livekit_chat/",
        };
        self.cekura("POST", path, "", &json!({ "scenarios": entries }))
    }

    /// Submits one entry; its run.
    pub(crate) fn submit(&mut self, mode: Mode, room: &str) -> u64 {
        let answer = self.submit_entries(mode, &[self.entry(room)]);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        body["runs"][0]["id"].as_u64().unwrap()
    }

    /// The run as a poll shows it.
    pub(crate) fn run(&mut self, id: u64) -> Value {
        let runs = self.get("v2/runs/bulk/", &format!("run_ids={id}"));
        runs[0].clone()
    }

    pub(crate) fn status(&mut self, id: u64) -> String {
        self.run(id)["status"].as_str().unwrap_or("unknown").to_owned()
    }

    /// Names of the agents that are in a room.
    pub(crate) fn agents_in(&self, room: &str) -> Vec<AgentName> {
        let room = self.world.room(&RoomName::new(room));
        let participants = room.into_iter().flat_map(|room| &room.participants);
        let agents = participants.filter_map(|participant| match &participant.occupant {
            Occupant::Agent { name, .. } => Some(name.clone()),
            Occupant::Caller { .. } => None,
        });
        agents.collect()
    }

    pub(crate) fn truth(&self) -> SandboxTruth {
        self.world.truth(None)
    }

    /// Everything that was noted so far.
    pub(crate) fn facts(&mut self) -> &[(SessionTime, SandboxFact)] {
        self.facts.extend(self.world.take_facts());
        &self.facts
    }
}
