//! LiveKit's server API on the wire: Twirp over HTTP, protobuf both ways, one short-lived token a request.
//!
//! The library's own client is not used for it: it cannot list a room's agents at its creation, loses
//! the status of an answer that is no JSON (a wrong secret is answered in plain text), bounds no answer,
//! and replays requests against other regions. Protocol:
//! <https://twitchtv.github.io/twirp/docs/spec_v7.html>.

use std::time::{Duration, SystemTime};

use livekit_api::access_token::{AccessToken, VideoGrants};
use prost::Message;

use super::error::{LiveKitError, LiveKitErrorKind};
use crate::http::HttpClient;
use rushhour_core::units::Secret;

/// A list of tens of thousands of rooms; an answer larger than this is not LiveKit's.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
/// A request's token outlives its time-out by this, for clocks that disagree.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// A server's API, with the key to it.
pub(super) struct Twirp {
    http: HttpClient,
    base: String,
    key: Secret,
    secret: Secret,
    timeout: Duration,
}

impl Twirp {
    /// The API of the server at `url` (`ws://`, `wss://`, `http://` or `https://`).
    pub(super) fn new(
        url: &str,
        key: &Secret,
        secret: &Secret,
        timeout: Duration,
    ) -> Result<Self, LiveKitError> {
        let http = HttpClient::new(timeout).map_err(|error| LiveKitError::transport(&error))?;
        let url = url.trim_end_matches('/');
        let base = match url.strip_prefix("ws") {
            Some(rest) => format!("http{rest}/twirp/livekit"),
            None => format!("{url}/twirp/livekit"),
        };
        Ok(Self { http, base, key: key.clone(), secret: secret.clone(), timeout })
    }

    /// Calls a method such as `RoomService/CreateRoom` with a token of these grants.
    pub(super) async fn call<Response: Message + Default>(
        &self,
        method: &str,
        grants: VideoGrants,
        request: &impl Message,
    ) -> Result<Response, LiveKitError> {
        self.call_dated(method, grants, request).await.map(|(response, _)| response)
    }

    /// The same, with the server's wall clock where it tells.
    pub(super) async fn call_dated<Response: Message + Default>(
        &self,
        method: &str,
        grants: VideoGrants,
        request: &impl Message,
    ) -> Result<(Response, Option<SystemTime>), LiveKitError> {
        let token = AccessToken::with_api_key(self.key.expose(), self.secret.expose())
            .with_ttl(self.timeout + CLOCK_SKEW)
            .with_grants(grants)
            .to_jwt()
            .map_err(|error| {
                let words = format!("no token can be made: {error}");
                LiveKitError::new(LiveKitErrorKind::Unauthenticated, words)
            })?;
        let request = self
            .http
            .post(&format!("{}.{method}", self.base))
            .bearer_auth(token)
            .header("content-type", "application/protobuf")
            .body(request.encode_to_vec());
        let answer = self
            .http
            .send(request, LARGEST_ANSWER)
            .await
            .map_err(|error| LiveKitError::transport(&error))?;
        if !answer.is_success() {
            return Err(LiveKitError::of_refusal(answer.status, &answer.body));
        }
        if answer.cut {
            return Err(LiveKitError::foreign(answer.status));
        }
        Response::decode(&*answer.body)
            .map(|response| (response, answer.date))
            .map_err(|_| LiveKitError::foreign(answer.status))
    }
}
