//! Tokens for the rooms: for one identity, one room, no longer and no more than needed.

use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use livekit_protocol as proto;

use rushhour_core::units::{AgentName, Identity, Micros, RoomName, Secret};

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// Who joins.
    pub identity: Identity,
    /// Where.
    pub room: RoomName,
    /// How long the joining may take; a token is not needed after it.
    pub lifetime: Micros,
    /// The agent that the joining dispatches, with its metadata, where the token does that.
    pub agent: Option<(AgentName, String)>,
}

/// A token could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no token can be made: {0}")]
pub struct TokenError(#[from] AccessTokenError);

/// Signs tokens with one key.
#[derive(Debug, Clone)]
pub struct TokenSigner {
    key: Secret,
    secret: Secret,
}

impl TokenSigner {
    /// A mint with the server's key and secret.
    pub const fn new(key: Secret, secret: Secret) -> Self {
        Self { key, secret }
    }

    /// A token to join, publish, subscribe and send data in one room; nothing else is granted.
    ///
    /// # Errors
    /// Where the key or the secret is empty.
    pub fn mint(&self, request: TokenRequest) -> Result<Secret, TokenError> {
        let grants = VideoGrants {
            room_join: true,
            room: request.room.as_str().to_owned(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..VideoGrants::default()
        };
        let mut token = AccessToken::with_api_key(self.key.expose(), self.secret.expose())
            .with_ttl(request.lifetime.as_duration())
            .with_identity(request.identity.as_str())
            .with_grants(grants);
        if let Some((agent, metadata)) = request.agent {
            token = token.with_room_config(proto::RoomConfiguration {
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

    /// A token to register as a worker of the agent service; nothing else is granted.
    ///
    /// # Errors
    /// Where the key or the secret is empty.
    pub fn mint_for_worker(&self, lifetime: Micros) -> Result<Secret, TokenError> {
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

    fn request(agent: Option<(AgentName, String)>) -> TokenRequest {
        TokenRequest {
            identity: Identity::new("caller-7"),
            room: RoomName::new("rushhour-7"),
            lifetime: Micros::from_secs(900),
            agent,
        }
    }

    #[test]
    fn a_token_grants_one_room_for_as_long_as_asked() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let token =
            TokenSigner::new(Secret::new("key"), secret.clone()).mint(request(None)).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        assert_eq!(claims.sub, "caller-7");
        assert_eq!(claims.exp - claims.nbf, 900);
        let wanted = VideoGrants {
            room_join: true,
            room: "rushhour-7".into(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            ..VideoGrants::default()
        };
        assert_eq!(claims.video, wanted);
        assert!(claims.room_config.is_none());
    }

    #[test]
    fn a_token_can_carry_the_agent() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let agent = Some((AgentName::new("echo"), "{\"text_mode\":true}".to_owned()));
        let token =
            TokenSigner::new(Secret::new("key"), secret.clone()).mint(request(agent)).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        let agents = claims.room_config.unwrap().agents;
        assert_eq!(
            (&*agents[0].agent_name, &*agents[0].metadata),
            ("echo", "{\"text_mode\":true}")
        );
    }

    #[test]
    fn a_workers_token_grants_that_alone() {
        let secret = Secret::new("a-secret-of-thirty-two-characters");
        let mint = TokenSigner::new(Secret::new("key"), secret.clone());
        let token = mint.mint_for_worker(Micros::from_secs(60)).unwrap();
        let claims =
            TokenVerifier::with_api_key("key", secret.expose()).verify(token.expose()).unwrap();
        assert_eq!(claims.video, VideoGrants { agent: true, ..VideoGrants::default() });
    }

    #[test]
    fn an_empty_secret_is_refused() {
        assert!(TokenSigner::new(Secret::new("key"), Secret::new("")).mint(request(None)).is_err());
    }
}
