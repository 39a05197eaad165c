//! Access tokens: for one identity and one room, with no more grants and no longer than needed.

use std::collections::BTreeMap;

use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_protocol as proto;

use rushhour_core::profile::CallerKind;
use rushhour_core::units::{AgentName, Identity, Micros, RoomName, Secret};

/// What a token says of its participant, which the server passes on to everybody in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantClaims {
    /// Its kind.
    pub kind: CallerKind,
    /// Its name; empty for none.
    pub name: String,
    /// Its metadata; empty for none.
    pub metadata: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

impl Default for ParticipantClaims {
    fn default() -> Self {
        Self {
            kind: CallerKind::Standard,
            name: String::new(),
            metadata: String::new(),
            attributes: BTreeMap::new(),
        }
    }
}

/// What an access token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The participant.
    pub identity: Identity,
    /// The room.
    pub room: RoomName,
    /// How long after signing the participant may join; it does not need the token afterwards.
    pub lifetime: Micros,
    /// What the join dispatches, where the token does that.
    pub agent: Option<TokenDispatch>,
    /// What it says of the participant.
    pub participant: ParticipantClaims,
}

/// An agent that joining with a token dispatches, into a room that joining may create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDispatch {
    /// The agent.
    pub agent: AgentName,
    /// What the agent is told.
    pub metadata: String,
    /// The metadata of a room that the join creates: the mark of its session, by which `sweep` knows it.
    pub room_metadata: String,
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign an access token: {0}")]
pub struct TokenError(#[from] AccessTokenError);

/// Signs access tokens with one API key.
#[derive(Debug, Clone)]
pub struct TokenSigner {
    key: Secret,
    secret: Secret,
}

impl TokenSigner {
    /// A signer with the server's API key and secret.
    pub const fn new(key: Secret, secret: Secret) -> Self {
        Self { key, secret }
    }

    /// A token that grants to join one room, publish, subscribe and send data there, and nothing else.
    ///
    /// # Errors
    /// The key or the secret is empty.
    pub fn sign(&self, request: TokenRequest) -> Result<Secret, TokenError> {
        let kind = request.participant.kind;
        let kind = (kind != CallerKind::Standard).then(|| kind.name());
        self.sign_with(request, kind, VideoGrants::default())
    }

    /// The same for an agent: a token of the kind that the server gives to a worker's job, for a participant that has no
    /// job of its own. It may publish its state and texts in the name of others.
    ///
    /// # Errors
    /// The key or the secret is empty.
    pub fn sign_for_agent(&self, request: TokenRequest) -> Result<Secret, TokenError> {
        let grants = VideoGrants {
            agent: true,
            can_update_own_metadata: Some(true),
            ..VideoGrants::default()
        };
        self.sign_with(request, Some("agent"), grants)
    }

    /// Grants to join, publish, subscribe and send data, besides what `grants` has.
    fn sign_with(
        &self,
        request: TokenRequest,
        kind: Option<&str>,
        grants: VideoGrants,
    ) -> Result<Secret, TokenError> {
        let grants = VideoGrants {
            room_join: true,
            room: request.room.as_str().to_owned(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..grants
        };
        let mut token = AccessToken::with_api_key(self.key.expose(), self.secret.expose())
            .with_ttl(request.lifetime.as_duration())
            .with_identity(request.identity.as_str())
            .with_grants(grants);
        let ParticipantClaims { kind: _, name, metadata, attributes } = request.participant;
        if !name.is_empty() {
            token = token.with_name(&name);
        }
        if !metadata.is_empty() {
            token = token.with_metadata(&metadata);
        }
        if !attributes.is_empty() {
            token = token.with_attributes(attributes);
        }
        if let Some(kind) = kind {
            token = token.with_kind(kind);
        }
        if let Some(TokenDispatch { agent, metadata, room_metadata }) = request.agent {
            token = token.with_room_config(proto::RoomConfiguration {
                metadata: room_metadata,
                agents: vec![proto::RoomAgentDispatch {
                    agent_name: agent.as_str().to_owned(),
                    metadata,
                    ..proto::RoomAgentDispatch::default()
                }],
                ..proto::RoomConfiguration::default()
            });
        }
        Ok(Secret::new(token.to_jwt()?))
    }

    /// A token that grants to register as an agent worker, and nothing else.
    ///
    /// # Errors
    /// The key or the secret is empty.
    pub fn sign_for_worker(&self, lifetime: Micros) -> Result<Secret, TokenError> {
        let token = AccessToken::with_api_key(self.key.expose(), self.secret.expose())
            .with_ttl(lifetime.as_duration())
            .with_grants(VideoGrants { agent: true, ..VideoGrants::default() });
        Ok(Secret::new(token.to_jwt()?))
    }
}

#[cfg(test)]
mod tests {
    use livekit_api::access_token::TokenVerifier;

    use super::*;

    fn request(agent: Option<TokenDispatch>) -> TokenRequest {
        TokenRequest {
            identity: Identity::new("caller-7"),
            room: RoomName::new("rushhour-7"),
            lifetime: Micros::from_secs(900),
            agent,
            participant: ParticipantClaims::default(),
        }
    }

    #[test]
    fn a_token_says_what_its_participant_is() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let participant = ParticipantClaims {
            kind: CallerKind::Sip,
            name: "Phone 7".to_owned(),
            metadata: "{\"id\":7}".to_owned(),
            attributes: BTreeMap::from([("sip.phoneNumber".to_owned(), "+497".to_owned())]),
        };
        let request = TokenRequest { participant, ..request(None) };
        let token = TokenSigner::new(Secret::new("key"), secret.clone()).sign(request).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        assert_eq!((&*claims.kind, &*claims.name), ("sip", "Phone 7"));
        assert_eq!(claims.metadata, "{\"id\":7}");
        assert_eq!(claims.attributes["sip.phoneNumber"], "+497");
    }

    #[test]
    fn a_token_grants_one_room_for_its_lifetime() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let token =
            TokenSigner::new(Secret::new("key"), secret.clone()).sign(request(None)).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        assert_eq!(claims.sub, "caller-7");
        assert_eq!(claims.exp - claims.nbf, 900);
        let expected = VideoGrants {
            room_join: true,
            room: "rushhour-7".into(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..VideoGrants::default()
        };
        assert_eq!(claims.video, expected);
        assert!(claims.room_config.is_none());
        assert_eq!((&*claims.kind, &*claims.name, &*claims.metadata), ("", "", ""));
    }

    #[test]
    fn a_token_can_dispatch_the_agent() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let agent = Some(TokenDispatch {
            agent: AgentName::new("echo"),
            metadata: "{\"text_mode\":true}".to_owned(),
            room_metadata: "mark".to_owned(),
        });
        let token =
            TokenSigner::new(Secret::new("key"), secret.clone()).sign(request(agent)).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        let configuration = claims.room_config.unwrap();
        assert_eq!(configuration.metadata, "mark");
        let agents = configuration.agents;
        assert_eq!(
            (&*agents[0].agent_name, &*agents[0].metadata),
            ("echo", "{\"text_mode\":true}")
        );
    }

    #[test]
    fn an_agents_token_is_of_its_kind_and_may_change_its_state() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let signer = TokenSigner::new(Secret::new("key"), secret.clone());
        let token = signer.sign_for_agent(request(None)).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        assert_eq!((&*claims.kind, &*claims.sub), ("agent", "caller-7"));
        assert!(claims.video.agent && claims.video.room_join);
        assert_eq!(claims.video.can_update_own_metadata, Some(true));
    }

    #[test]
    fn a_workers_token_grants_nothing_else() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let signer = TokenSigner::new(Secret::new("key"), secret.clone());
        let token = signer.sign_for_worker(Micros::from_secs(60)).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        assert_eq!(claims.video, VideoGrants { agent: true, ..VideoGrants::default() });
    }

    #[test]
    fn an_empty_secret_is_refused() {
        assert!(TokenSigner::new(Secret::new("key"), Secret::new("")).sign(request(None)).is_err());
    }
}
