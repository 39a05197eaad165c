//! Twirp's wire format: protobuf or JSON in, the same out, errors in JSON.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::{SandboxRequest, SandboxResponse};

/// A Twirp error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TwirpError {
    status: u16,
    code: &'static str,
    message: String,
    /// The requested route, if it does not exist.
    invalid_route: Option<String>,
}

impl TwirpError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), invalid_route: None }
    }

    /// The token or the required grant is missing.
    pub(super) fn unauthenticated() -> Self {
        Self::new(401, "unauthenticated", "permissions denied")
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, "not_found", format!("twirp error unknown: {what}"))
    }

    pub(super) fn invalid_argument(why: &str) -> Self {
        Self::new(400, "invalid_argument", format!("twirp error unknown: {why}"))
    }

    pub(super) fn unavailable() -> Self {
        Self::new(503, "unavailable", "twirp error unknown: no response from servers")
    }

    pub(super) fn resource_exhausted() -> Self {
        Self::new(429, "resource_exhausted", "twirp error unknown: too many requests")
    }

    /// The service has no such method, or not with this HTTP method or content type.
    pub(super) fn bad_route(why: &str, request: &SandboxRequest<'_>) -> Self {
        let invalid_route = Some(format!("{} {}", request.method, request.path));
        Self { invalid_route, ..Self::new(404, "bad_route", why) }
    }

    pub(super) fn response(&self) -> SandboxResponse {
        #[derive(Serialize)]
        struct Meta<'a> {
            twirp_invalid_route: &'a str,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            code: &'a str,
            msg: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            meta: Option<Meta<'a>>,
        }
        let meta =
            self.invalid_route.as_deref().map(|twirp_invalid_route| Meta { twirp_invalid_route });
        SandboxResponse::json(self.status, &Body { code: self.code, msg: &self.message, meta })
    }
}

/// The encoding of the request body and the response body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Protobuf,
    Json,
}

impl Codec {
    /// The codec of the request's content type.
    pub(super) fn of(request: &SandboxRequest<'_>) -> Result<Self, TwirpError> {
        match request.content_type.split(';').next().unwrap_or_default().trim() {
            "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => {
                let why = format!("unexpected Content-Type: {:?}", request.content_type);
                Err(TwirpError::bad_route(&why, request))
            }
        }
    }

    pub(super) fn decode<T: Message + Default + DeserializeOwned>(
        self,
        body: &[u8],
    ) -> Result<T, TwirpError> {
        let malformed = |what| {
            TwirpError::new(400, "malformed", format!("the {what} request could not be decoded"))
        };
        match self {
            Self::Protobuf => T::decode(body).map_err(|_| malformed("protobuf")),
            Self::Json => serde_json::from_slice(body).map_err(|_| malformed("json")),
        }
    }

    pub(super) fn encode<T: Message + Serialize>(self, message: &T) -> SandboxResponse {
        match self {
            Self::Protobuf => {
                SandboxResponse::new(200, "application/protobuf", message.encode_to_vec())
            }
            Self::Json => {
                let value = serde_json::to_value(message);
                SandboxResponse::json(200, &with_proto_names(value.unwrap_or_default()))
            }
        }
    }
}

/// Converts the field names of proto3's JSON to those of the `.proto` file, as LiveKit's servers write them. Keys of
/// maps stay as they are, because users choose them.
fn with_proto_names(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let named = fields.into_iter().map(|(name, field)| {
                let is_map = name == "attributes" || name == "tags";
                let field = if is_map { field } else { with_proto_names(field) };
                (proto_name(&name), field)
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(with_proto_names).collect()),
        other => other,
    }
}

fn proto_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use livekit_protocol::{AgentDispatch, Room};

    use super::*;

    #[test]
    fn json_has_the_field_names_of_the_proto_file_and_keeps_users_keys() {
        let attributes = [("myKey".to_owned(), "v".to_owned())].into();
        let dispatch =
            AgentDispatch { agent_name: "echo".to_owned(), attributes, ..AgentDispatch::default() };
        let response = Codec::Json.encode(&dispatch);
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(text, r#"{"agent_name":"echo","attributes":{"myKey":"v"}}"#);
    }

    #[test]
    fn both_codecs_decode_what_they_encode() {
        let room = Room { name: "r".to_owned(), empty_timeout: 30, ..Room::default() };
        for codec in [Codec::Protobuf, Codec::Json] {
            let body = codec.encode(&room).body;
            assert_eq!(codec.decode::<Room>(&body).unwrap(), room);
            let error = codec.decode::<Room>(b"\xff\xff").unwrap_err().response();
            assert_eq!(error.status, 400);
            assert!(String::from_utf8(error.body).unwrap().contains(r#""code":"malformed""#));
        }
    }
}
