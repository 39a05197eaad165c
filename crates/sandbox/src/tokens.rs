//! Access tokens as a LiveKit server checks them: HS256 signature, issuer, time, grants.

use std::fmt;

use livekit_api::access_token::{Claims, VideoGrants};
use sha2::{Digest, Sha256};

use rushhour_core::units::Secret;

/// Clocks may differ by this much, in seconds; go-jose and golang-jwt, which servers use, allow it too.
const LEEWAY: u64 = 60;
const SHA256_BLOCK: usize = 64;

/// Why a token opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// It is no JSON Web Token.
    Malformed,
    /// It was issued under another API key.
    UnknownKey(String),
    /// Another secret signed it, or it was changed.
    Signature,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("invalid authorization token"),
            Self::UnknownKey(key) => write!(f, "invalid API key: {key}"),
            Self::Signature => f.write_str("token signature is invalid: signature is invalid"),
            Self::Expired => f.write_str("token has invalid claims: token is expired"),
            Self::NotYetValid => f.write_str("token has invalid claims: token is not valid yet"),
        }
    }
}

/// The key pair that tokens are checked against.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    api_key: String,
    api_secret: Secret,
}

impl Tokens {
    /// Checks against this pair.
    pub(crate) fn new(api_key: &str, api_secret: &Secret) -> Self {
        Self { api_key: api_key.to_owned(), api_secret: api_secret.clone() }
    }

    /// What a token claims, once its issuer and signature are known to be right.
    ///
    /// # Errors
    /// Where it is malformed, of another key, or wrongly signed. Its time is not looked at.
    pub(crate) fn read(&self, token: &str) -> Result<Claims, TokenError> {
        let claims = Claims::from_unverified(token).map_err(|_| TokenError::Malformed)?;
        if claims.iss != self.api_key {
            return Err(TokenError::UnknownKey(claims.iss));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let right = hmac_sha256(self.api_secret.expose().as_bytes(), signed.as_bytes());
        if base64url(&right) == signature { Ok(claims) } else { Err(TokenError::Signature) }
    }
}

/// Whether a token counts at this time; all in seconds since 1970.
///
/// # Errors
/// Where it is expired or not yet valid, by more than a minute.
pub(crate) const fn valid_at(
    not_before: u64,
    expires: u64,
    unix_seconds: u64,
) -> Result<(), TokenError> {
    if unix_seconds > expires.saturating_add(LEEWAY) {
        return Err(TokenError::Expired);
    }
    if unix_seconds + LEEWAY < not_before {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

/// Everything that a token grants, under its names on the wire. The three permissions inside a room are
/// granted where the token is silent.
pub(crate) fn granted(video: &VideoGrants) -> Vec<&'static str> {
    let grants = [
        ("roomCreate", video.room_create),
        ("roomList", video.room_list),
        ("roomRecord", video.room_record),
        ("roomAdmin", video.room_admin),
        ("roomJoin", video.room_join),
        ("destinationRoom", !video.destination_room.is_empty()),
        ("canPublish", video.can_publish()),
        ("canSubscribe", video.can_subscribe()),
        ("canPublishData", video.can_publish_data()),
        ("canUpdateOwnMetadata", video.can_update_own_metadata()),
        ("ingressAdmin", video.ingress_admin),
        ("hidden", video.hidden),
        ("recorder", video.recorder),
        ("agent", video.agent),
    ];
    grants.into_iter().filter_map(|(name, granted)| granted.then_some(name)).collect()
}

/// A token with these claims, for tests whose clock is not the system's.
#[cfg(test)]
pub(crate) fn sign(claims: &Claims, api_secret: &str) -> String {
    let claims = serde_json::to_vec(claims).expect("claims are plain values");
    let header = br#"{"alg":"HS256","typ":"JWT"}"#;
    let signed = format!("{}.{}", base64url(header), base64url(&claims));
    let signature = hmac_sha256(api_secret.as_bytes(), signed.as_bytes());
    format!("{signed}.{}", base64url(&signature))
}

/// The keyed hash of RFC 2104 over SHA-256.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; SHA256_BLOCK];
    if key.len() > SHA256_BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

/// The alphabet of RFC 4648 section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |n: usize| u32::from(chunk.get(n).copied().unwrap_or_default());
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for letter in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * letter) & 0x3f) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use livekit_api::access_token::AccessToken;

    use super::*;

    fn token(key: &str, secret: &str) -> String {
        let video = VideoGrants { room_join: true, room: "r".to_owned(), ..VideoGrants::default() };
        let token = AccessToken::with_api_key(key, secret).with_identity("me").with_grants(video);
        token.with_ttl(Duration::from_secs(90)).to_jwt().unwrap()
    }

    #[test]
    fn tokens_of_the_official_library_are_read() {
        // A key longer than SHA-256's block is hashed first.
        for secret in ["short", &"long".repeat(40)] {
            let tokens = Tokens::new("key", &Secret::new(secret));
            let claims = tokens.read(&token("key", secret)).unwrap();
            assert_eq!((claims.sub.as_str(), claims.video.room.as_str()), ("me", "r"));
            assert_eq!(claims.exp - claims.nbf, 90);
        }
    }

    #[test]
    fn forged_and_foreign_tokens_are_told_apart() {
        let tokens = Tokens::new("key", &Secret::new("secret"));
        let read = |token: &str| tokens.read(token).unwrap_err();
        assert_eq!(read(&token("key", "other")), TokenError::Signature);
        assert_eq!(read(&token("other", "secret")), TokenError::UnknownKey("other".to_owned()));
        assert_eq!(read("what"), TokenError::Malformed);
        let good = token("key", "secret");
        let (unsigned, _) = good.rsplit_once('.').unwrap();
        assert_eq!(read(&format!("{unsigned}.")), TokenError::Signature);
        let (header, rest) = good.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let widened = base64url(br#"{"iss":"key","exp":1,"video":{"roomCreate":true}}"#);
        assert_eq!(read(&format!("{header}.{widened}.{signature}")), TokenError::Signature);
    }

    #[test]
    fn a_minute_of_difference_between_clocks_is_forgiven() {
        assert_eq!(valid_at(1_000, 2_000, 939), Err(TokenError::NotYetValid));
        assert_eq!(valid_at(1_000, 2_000, 940), Ok(()));
        assert_eq!(valid_at(1_000, 2_000, 2_060), Ok(()));
        assert_eq!(valid_at(1_000, 2_000, 2_061), Err(TokenError::Expired));
    }

    #[test]
    fn silence_in_a_token_grants_the_permissions_inside_a_room() {
        let join = VideoGrants { room_join: true, ..VideoGrants::default() };
        assert_eq!(granted(&join), ["roomJoin", "canPublish", "canSubscribe", "canPublishData"]);
        let hidden = VideoGrants { can_publish: Some(false), hidden: true, ..join };
        assert_eq!(granted(&hidden), ["roomJoin", "canSubscribe", "hidden"]);
    }

    #[test]
    fn the_keyed_hash_agrees_with_rfc_4231() {
        // Test case 2: key `Jefe`.
        let hash = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(base64url(&hash), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
    }
}
