//! LiveKit's server API on the wire: Twirp over HTTP, protobuf both ways, one short-lived token per request.
//!
//! livekit-api's own client is not used: it cannot set a room's agents list at creation, loses the status of
//! a response that is not JSON (a wrong secret is responseed in plain text), does not bound responses, and
//! repeats requests in other regions. Protocol: <https://twitchtv.github.io/twirp/docs/spec_v7.html>.

use std::time::{Duration, SystemTime};

use livekit_api::access_token::{AccessToken, VideoGrants};
use prost::{DecodeError, Message};

use super::error::LiveKitError;
use super::message_parts::has_more_parts;
use super::token::TokenError;
use crate::http::{HttpClient, TrustStore};
use rushhour_core::units::Secret;

/// The longest answer to a method: what it can need, and little enough that many at once fit in memory.
fn max_response(method: &str) -> usize {
    match method {
        // Some ten thousand rooms.
        "RoomService/ListRooms" => 4 * 1024 * 1024,
        // The agent, the caller, and whoever else is in the room.
        "RoomService/ListParticipants" => 256 * 1024,
        _ => 64 * 1024,
    }
}

/// The most parts of an answer to a method: an answer of its longest length may take a hundred times as much in memory.
fn max_parts(method: &str) -> usize {
    match method {
        // A room has some 25: its texts, the codecs and their names.
        "RoomService/ListRooms" => 256 * 1024,
        // A participant has some 60, with its tracks and their codecs.
        _ => 8 * 1024,
    }
}

/// How much longer than the timeout a request's token is valid, because clocks disagree.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// A server's API and the key to it.
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
        trust: &TrustStore,
    ) -> Result<Self, LiveKitError> {
        let url = url.trim_end_matches('/');
        let base = match url.strip_prefix("ws") {
            Some(rest) => format!("http{rest}/twirp/livekit"),
            None => format!("{url}/twirp/livekit"),
        };
        let http = HttpClient::for_service(&base, trust, timeout)?;
        Ok(Self { http, base, key: key.clone(), secret: secret.clone(), timeout })
    }

    /// Calls a method such as `RoomService/CreateRoom` with a token of these grants.
    pub(super) async fn call<Response: Message + Default>(
        &self,
        method: &str,
        grants: VideoGrants,
        request: &impl Message,
    ) -> Result<Response, LiveKitError> {
        self.call_with_date(method, grants, request).await.map(|(response, _)| response)
    }

    /// The same, with the server's wall clock from the response's `Date` header.
    pub(super) async fn call_with_date<Response: Message + Default>(
        &self,
        method: &str,
        grants: VideoGrants,
        request: &impl Message,
    ) -> Result<(Response, Option<SystemTime>), LiveKitError> {
        let token = AccessToken::with_api_key(self.key.expose(), self.secret.expose())
            .with_ttl(self.timeout + CLOCK_SKEW)
            .with_grants(grants)
            .to_jwt()
            .map_err(TokenError::from)?;
        let request = self
            .http
            .post(&format!("{}.{method}", self.base))
            .bearer_auth(token)
            .header("content-type", "application/protobuf")
            .body(request.encode_to_vec());
        let response = self.http.send(request, max_response(method)).await?;
        let through = |error: LiveKitError| error.through(self.http.proxy());
        if !response.is_success() {
            return Err(through(LiveKitError::from_http(&response)));
        }
        let not_livekit = || LiveKitError::not_livekit(response.status);
        if response.truncated {
            return Err(through(not_livekit()));
        }
        match decode_answer(method, &response.body) {
            Some(Ok(message)) => Ok((message, response.date)),
            Some(Err(error)) => Err(through(not_livekit().with_source(error))),
            None => Err(through(not_livekit())),
        }
    }
}

/// The answer to a method; `None` if it has more parts than it can need, and is not decoded.
pub(crate) fn decode_answer<Response: Message + Default>(
    method: &str,
    body: &[u8],
) -> Option<Result<Response, DecodeError>> {
    (!has_more_parts(body, max_parts(method))).then(|| Response::decode(body))
}
