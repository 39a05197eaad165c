//! Verifies access tokens as a LiveKit server does: issuer, HS256 signature, validity period, grants.

use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use livekit_protocol::RoomConfiguration;
use serde::Deserialize;

use rushhour_core::units::Secret;

/// How far clocks may differ, in seconds; go-jose, which LiveKit servers use, allows as much.
const LEEWAY: u64 = 60;

/// The claims of an access token, as far as the sandbox uses them.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TokenClaims {
    /// The API key that issued the token.
    pub(crate) iss: String,
    /// The participant's identity.
    pub(crate) sub: String,
    /// The start of the validity period, in seconds since 1970; 0 if the token names none.
    pub(crate) nbf: u64,
    /// The expiry, in seconds since 1970.
    pub(crate) exp: u64,
    pub(crate) video: VideoGrant,
    /// The configuration of a room that is created by joining it.
    pub(crate) room_config: Option<RoomConfiguration>,
}

/// The `video` claim.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "LiveKit defines the fields")]
pub(crate) struct VideoGrant {
    pub(crate) room_create: bool,
    pub(crate) room_list: bool,
    pub(crate) room_record: bool,
    pub(crate) room_admin: bool,
    pub(crate) room_join: bool,
    /// The room that `room_join` and `room_admin` refer to.
    pub(crate) room: String,
    pub(crate) destination_room: String,
    pub(crate) can_publish: Option<bool>,
    pub(crate) can_subscribe: Option<bool>,
    pub(crate) can_publish_data: Option<bool>,
    pub(crate) can_update_own_metadata: Option<bool>,
    pub(crate) ingress_admin: bool,
    pub(crate) hidden: bool,
    pub(crate) recorder: bool,
    pub(crate) agent: bool,
}

impl VideoGrant {
    /// The JSON names of everything that the token grants. The three permissions inside a room are granted unless
    /// the token denies them.
    pub(crate) fn granted_names(&self) -> Vec<&'static str> {
        let can_publish = self.can_publish.unwrap_or(true);
        let grants = [
            ("roomCreate", self.room_create),
            ("roomList", self.room_list),
            ("roomRecord", self.room_record),
            ("roomAdmin", self.room_admin),
            ("roomJoin", self.room_join),
            ("destinationRoom", !self.destination_room.is_empty()),
            ("canPublish", can_publish),
            ("canSubscribe", self.can_subscribe.unwrap_or(true)),
            ("canPublishData", self.can_publish_data.unwrap_or(can_publish)),
            ("canUpdateOwnMetadata", self.can_update_own_metadata.unwrap_or(false)),
            ("ingressAdmin", self.ingress_admin),
            ("hidden", self.hidden),
            ("recorder", self.recorder),
            ("agent", self.agent),
        ];
        grants.into_iter().filter_map(|(name, granted)| granted.then_some(name)).collect()
    }
}

/// Why a token is refused, in the words of a LiveKit server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenRefusal {
    /// It is not a JSON Web Token.
    #[error("invalid authorization token")]
    Malformed,
    #[error("invalid API key: {0}")]
    UnknownKey(String),
    /// Signed with another secret or algorithm, or modified.
    #[error("token signature is invalid: signature is invalid")]
    Signature,
    #[error("token has invalid claims: token is expired")]
    Expired,
    #[error("token has invalid claims: token is not valid yet")]
    NotYetValid,
}

/// Verifies tokens against one API key and its secret.
#[derive(Debug, Clone)]
pub(crate) struct TokenVerifier {
    api_key: String,
    secret: DecodingKey,
    validation: Validation,
}

impl TokenVerifier {
    pub(crate) fn new(api_key: &str, api_secret: &Secret) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The library compares with the machine's clock; the sandbox has its own: see `check_validity`.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let secret = DecodingKey::from_secret(api_secret.expose().as_bytes());
        Self { api_key: api_key.to_owned(), secret, validation }
    }

    /// The claims of a token with the right issuer and signature. It does not check the validity period.
    pub(crate) fn verify(&self, token: &str) -> Result<TokenClaims, TokenRefusal> {
        let claims = unverified_claims(token)?;
        if claims.iss != self.api_key {
            return Err(TokenRefusal::UnknownKey(claims.iss));
        }
        let verified = decode(token, &self.secret, &self.validation);
        verified.map(|token| token.claims).map_err(|_| TokenRefusal::Signature)
    }
}

/// The claims of a token whose signature is not checked.
pub(crate) fn unverified_claims(token: &str) -> Result<TokenClaims, TokenRefusal> {
    insecure_decode(token).map(|token| token.claims).map_err(|_| TokenRefusal::Malformed)
}

/// Checks a validity period at a time; all in seconds since 1970.
pub(crate) const fn check_validity(
    not_before: u64,
    expires: u64,
    unix_seconds: u64,
) -> Result<(), TokenRefusal> {
    if unix_seconds > expires.saturating_add(LEEWAY) {
        return Err(TokenRefusal::Expired);
    }
    if unix_seconds + LEEWAY < not_before {
        return Err(TokenRefusal::NotYetValid);
    }
    Ok(())
}

/// A token with these claims.
#[cfg(test)]
pub(crate) fn sign(claims: &impl serde::Serialize, api_secret: &str) -> String {
    let secret = jsonwebtoken::EncodingKey::from_secret(api_secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::HS256), claims, &secret).unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(key: &str, secret: &str) -> String {
        sign(&json!({ "iss": key, "sub": "me", "exp": 190, "nbf": 100 }), secret)
    }

    #[test]
    fn claims_have_the_names_that_livekits_libraries_write() {
        let claims = json!({
            "exp": 190, "iss": "key", "nbf": 100, "sub": "me", "name": "unused",
            "video": { "roomJoin": true, "room": "r", "canPublishData": false },
            "roomConfig": { "agents": [{ "agentName": "echo", "metadata": "{}" }] },
        });
        let verifier = TokenVerifier::new("key", &Secret::new("secret"));
        let claims = verifier.verify(&sign(&claims, "secret")).unwrap();
        assert_eq!((claims.sub.as_str(), claims.video.room.as_str()), ("me", "r"));
        assert_eq!((claims.nbf, claims.exp), (100, 190));
        assert_eq!(claims.video.granted_names(), ["roomJoin", "canPublish", "canSubscribe"]);
        assert_eq!(claims.room_config.unwrap().agents[0].agent_name, "echo");
    }

    #[test]
    fn the_example_of_rfc_7515_verifies() {
        // Appendix A.1. Its secret is not UTF-8, so the test replaces the key.
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let mut verifier = TokenVerifier::new("joe", &Secret::new(""));
        let padded = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
        verifier.secret = DecodingKey::from_base64_secret(padded).unwrap();
        assert_eq!(verifier.verify(token).unwrap().exp, 1_300_819_380);
    }

    #[test]
    fn forged_and_foreign_tokens_are_refused_with_their_own_errors() {
        let verifier = TokenVerifier::new("key", &Secret::new("secret"));
        let error = |token: &str| verifier.verify(token).unwrap_err();
        assert_eq!(error(&token("key", "other")), TokenRefusal::Signature);
        assert_eq!(error(&token("other", "secret")), TokenRefusal::UnknownKey("other".to_owned()));
        assert_eq!(error("what"), TokenRefusal::Malformed);
        let good = token("key", "secret");
        let (unsigned, signature) = good.rsplit_once('.').unwrap();
        assert_eq!(error(&format!("{unsigned}.")), TokenRefusal::Signature);
        let wide = sign(&json!({ "iss": "key", "video": { "roomCreate": true } }), "other");
        let (wide, _) = wide.rsplit_once('.').unwrap();
        assert_eq!(error(&format!("{wide}.{signature}")), TokenRefusal::Signature);
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        assert_eq!(check_validity(1_000, 2_000, 939), Err(TokenRefusal::NotYetValid));
        assert_eq!(check_validity(1_000, 2_000, 940), Ok(()));
        assert_eq!(check_validity(1_000, 2_000, 2_060), Ok(()));
        assert_eq!(check_validity(1_000, 2_000, 2_061), Err(TokenRefusal::Expired));
    }

    #[test]
    fn permissions_inside_a_room_are_granted_unless_denied() {
        let join = VideoGrant { room_join: true, ..VideoGrant::default() };
        let all = ["roomJoin", "canPublish", "canSubscribe", "canPublishData"];
        assert_eq!(join.granted_names(), all);
        let hidden = VideoGrant { can_publish: Some(false), hidden: true, ..join };
        assert_eq!(hidden.granted_names(), ["roomJoin", "canSubscribe", "hidden"]);
    }
}
