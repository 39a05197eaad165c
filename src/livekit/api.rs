//! A LiveKit server behind its API: one client for all, nothing replayed behind our back.

use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_api::services::LiveKitApi;
use livekit_protocol as proto;
use prost::Message;

use super::control_plane::{
    AgentSight, BoxFuture, ControlPlane, DispatchRequest, RoomAgents, RoomRequest,
};
use super::error::{LiveKitError, LiveKitErrorKind};
use crate::http::HttpClient;
use crate::units::{AgentName, DispatchId, Identity, RoomName, Secret};

/// The name in the agents list of a room whose agent is dispatched explicitly; no worker registers it.
const PLACEHOLDER_AGENT: &str = "rushhour-placeholder";

/// The attribute in which an agent built with LiveKit's framework tells its state.
const AGENT_STATE: &str = "lk.agent.state";

/// An answer larger than this is cut: a room and an error are both small.
const LARGEST_ANSWER: usize = 64 * 1024;

/// A LiveKit server. Failover is off: it would replay CreateDispatch against another region, which is
/// a second agent and a latency nobody sees.
pub struct LiveKitServer {
    api: LiveKitApi,
    http: HttpClient,
    create_room_url: String,
    key: Secret,
    secret: Secret,
    timeout: Duration,
}

impl LiveKitServer {
    /// A client for the server at `url` (`ws://`, `wss://`, `http://` or `https://`); every request may take `timeout`.
    ///
    /// # Errors
    /// Where no HTTP client can be made, which is the machine's fault.
    pub fn new(
        url: &str,
        key: &Secret,
        secret: &Secret,
        timeout: Duration,
    ) -> Result<Self, LiveKitError> {
        let api = LiveKitApi::with_api_key(url, key.expose(), secret.expose())
            .with_failover(false)
            .with_request_timeout(timeout);
        let http = HttpClient::new(timeout).map_err(|error| LiveKitError::transport(&error))?;
        let base = url.trim_end_matches('/');
        let base = match base.strip_prefix("ws") {
            Some(rest) => format!("http{rest}"),
            None => base.to_owned(),
        };
        Ok(Self {
            api,
            http,
            create_room_url: format!("{base}/twirp/livekit.RoomService/CreateRoom"),
            key: key.clone(),
            secret: secret.clone(),
            timeout,
        })
    }

    /// Asks for one room that is not there: shows that the server answers and accepts the key.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn greet(&self) -> Result<(), LiveKitError> {
        self.api.room().list_rooms(vec!["rushhour-greets".to_owned()]).await?;
        Ok(())
    }

    /// CreateRoom with an agents list, which the library's own call cannot carry. Twirp over HTTP:
    /// <https://twitchtv.github.io/twirp/docs/spec_v7.html>.
    async fn create(&self, request: proto::CreateRoomRequest) -> Result<(), LiveKitError> {
        let token = AccessToken::with_api_key(self.key.expose(), self.secret.expose())
            .with_ttl(self.timeout + Duration::from_mins(1))
            .with_grants(VideoGrants { room_create: true, ..VideoGrants::default() })
            .to_jwt()
            .map_err(|error| {
                LiveKitError::new(
                    LiveKitErrorKind::Unauthenticated,
                    format!("no token can be made: {error}"),
                )
            })?;
        let request = self
            .http
            .post(&self.create_room_url)
            .bearer_auth(token)
            .header("content-type", "application/protobuf")
            .body(request.encode_to_vec());
        let answer = self
            .http
            .send(request, LARGEST_ANSWER)
            .await
            .map_err(|error| LiveKitError::transport(&error))?;
        if answer.is_success() {
            return Ok(());
        }
        match serde_json::from_slice::<TwirpAnswer>(&answer.body) {
            Ok(twirp) => Err(LiveKitError::twirp(&twirp.code, &twirp.msg)),
            Err(_) => Err(LiveKitError::foreign(Some(answer.status))),
        }
    }
}

/// An error in Twirp's own form.
#[derive(serde::Deserialize)]
struct TwirpAnswer {
    code: String,
    msg: String,
}

impl ControlPlane for LiveKitServer {
    fn create_room(&self, request: RoomRequest) -> BoxFuture<'_, Result<(), LiveKitError>> {
        let agent = |agent_name: String, metadata: String| proto::RoomAgentDispatch {
            agent_name,
            metadata,
            ..proto::RoomAgentDispatch::default()
        };
        let agents = match request.agents {
            RoomAgents::Absent => Vec::new(),
            RoomAgents::Placeholder => vec![agent(PLACEHOLDER_AGENT.to_owned(), String::new())],
            RoomAgents::Agent(name, metadata) => vec![agent(name.as_str().to_owned(), metadata)],
        };
        let seconds = request.empty_timeout.0.div_ceil(1_000_000);
        let request = proto::CreateRoomRequest {
            name: request.room.as_str().to_owned(),
            empty_timeout: u32::try_from(seconds).unwrap_or(u32::MAX),
            metadata: request.metadata,
            agents,
            ..proto::CreateRoomRequest::default()
        };
        Box::pin(self.create(request))
    }

    fn dispatch(
        &self,
        request: DispatchRequest,
    ) -> BoxFuture<'_, Result<DispatchId, LiveKitError>> {
        let request = proto::CreateAgentDispatchRequest {
            agent_name: request.agent.as_str().to_owned(),
            room: request.room.as_str().to_owned(),
            metadata: request.metadata,
            ..proto::CreateAgentDispatchRequest::default()
        };
        Box::pin(async move {
            let dispatch = self.api.agent_dispatch().create_dispatch(request).await?;
            Ok(DispatchId::new(dispatch.id))
        })
    }

    fn look(&self, room: RoomName) -> BoxFuture<'_, Result<Option<AgentSight>, LiveKitError>> {
        Box::pin(async move {
            let present = match self.api.room().list_participants(room.as_str()).await {
                Ok(present) => present,
                Err(error) => {
                    let error = LiveKitError::from(error);
                    // A room that its first participant makes is not there before.
                    return match error.kind {
                        LiveKitErrorKind::NotFound => Ok(None),
                        _ => Err(error),
                    };
                }
            };
            let agent = present
                .into_iter()
                .find(|participant| participant.kind() == proto::participant_info::Kind::Agent);
            Ok(agent.map(|participant| AgentSight {
                joined_at_ms: (participant.joined_at_ms > 0).then_some(participant.joined_at_ms),
                listening: participant
                    .attributes
                    .get(AGENT_STATE)
                    .is_some_and(|state| state == "listening"),
                identity: Identity::new(participant.identity),
            }))
        })
    }

    fn assigned(
        &self,
        room: RoomName,
        agent: AgentName,
    ) -> BoxFuture<'_, Result<bool, LiveKitError>> {
        Box::pin(async move {
            let dispatches = self.api.agent_dispatch().list_dispatch(room.as_str()).await?;
            Ok(dispatches.iter().any(|dispatch| {
                dispatch.agent_name == agent.as_str()
                    && dispatch.state.as_ref().is_some_and(|state| !state.jobs.is_empty())
            }))
        })
    }

    fn delete_room(&self, room: RoomName) -> BoxFuture<'_, Result<(), LiveKitError>> {
        Box::pin(async move {
            match self.api.room().delete_room(room.as_str()).await.map_err(LiveKitError::from) {
                Err(error) if error.kind != LiveKitErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
    }
}
