//! Checks the room URL and the token of a submitted entry.

use std::net::{IpAddr, SocketAddr};

use livekit_protocol::RoomConfiguration;
use url::{Host, Url};

use crate::config::RoomOwnership;
use crate::tokens::{check_validity, unverified_claims};
use rushhour_core::units::{Identity, RoomName, SessionTime};

use super::{SubmissionEntry, World};

/// What a run joins its room with.
#[derive(Debug)]
pub(super) struct RoomAccess {
    pub(super) room: RoomName,
    pub(super) identity: Identity,
    /// Why joining fails at any time.
    problem: Option<String>,
    /// In seconds since 1970.
    not_before: u64,
    /// In seconds since 1970.
    expires: u64,
    /// The configuration of the room if joining creates it.
    pub(super) room_configuration: Option<Box<RoomConfiguration>>,
}

/// How long the token of an entry is valid and what it grants, for the truth log.
#[derive(Debug)]
pub(super) struct TokenScope {
    pub(super) ttl_seconds: u64,
    pub(super) grants: Vec<&'static str>,
}

impl RoomAccess {
    /// Why joining at this time fails, if it does.
    pub(super) fn join_error(&self, unix_seconds: u64) -> Option<String> {
        if self.problem.is_some() {
            return self.problem.clone();
        }
        let error = check_validity(self.not_before, self.expires, unix_seconds).err()?;
        Some(error.to_string())
    }
}

impl World {
    /// Reads the URL and the token of an entry. A problem does not show before the run connects, as with Cekura.
    pub(super) fn room_access(
        &self,
        entry: &SubmissionEntry,
        received: SessionTime,
    ) -> (RoomAccess, TokenScope) {
        let url_problem = self.url_problem(&entry.room_url);
        let (claims, token_problem) = match self.token_verifier.verify(&entry.token) {
            Ok(claims) if !claims.video.room_join || claims.video.room.is_empty() => {
                (claims, Some("token does not grant to join a room".to_owned()))
            }
            Ok(claims) if claims.sub.is_empty() => {
                (claims, Some("token has no identity".to_owned()))
            }
            Ok(claims) => (claims, None),
            Err(error) => {
                let claims = unverified_claims(&entry.token).unwrap_or_default();
                (claims, Some(error.to_string()))
            }
        };
        let start = match claims.nbf {
            0 => self.anchor.unix_seconds(received),
            not_before => not_before,
        };
        let scope = TokenScope {
            ttl_seconds: claims.exp.saturating_sub(start),
            grants: claims.video.granted_names(),
        };
        let room = match claims.video.room {
            // Tokens that name no room get a name each, so that they do not share a history.
            room if room.is_empty() => {
                format!("no-room-{}", self.draw("no room", &entry.token).alphanumeric())
            }
            room => room,
        };
        let access = RoomAccess {
            room: RoomName::new(room),
            identity: Identity::new(claims.sub),
            problem: url_problem.or(token_problem),
            not_before: claims.nbf,
            expires: claims.exp,
            room_configuration: claims.room_config.map(Box::new),
        };
        (access, scope)
    }

    /// Why an evaluator cannot reach this URL, if it cannot.
    fn url_problem(&self, text: &str) -> Option<String> {
        if self.config.rooms == RoomOwnership::Elsewhere {
            return None;
        }
        let Some(url) = Url::parse(text).ok().filter(Url::has_host) else {
            return Some(format!("`{text}` is not a URL"));
        };
        if !matches!(url.scheme(), "ws" | "http") {
            return Some(format!("no TLS on `{text}`: use ws://"));
        }
        (!points_to(&url, self.address)).then(|| format!("`{text}` cannot be reached"))
    }
}

fn points_to(url: &Url, address: SocketAddr) -> bool {
    let same_host = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip) == address.ip(),
        Some(Host::Domain(name)) => name == "localhost",
        _ => false,
    };
    same_host && url.port_or_known_default() == Some(address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_is_reached_by_its_address_or_as_localhost() {
        let address = SocketAddr::from(([127, 0, 0, 1], 7881));
        let reaches = |url: &str| points_to(&Url::parse(url).unwrap(), address);
        assert!(reaches("ws://127.0.0.1:7881") && reaches("http://localhost:7881/rtc?x=1"));
        for other in ["ws://127.0.0.1:7882", "ws://127.0.0.1", "ws://127.0.0.2:7881", "ws://a:7881"]
        {
            assert!(!reaches(other), "{other}");
        }
    }
}
