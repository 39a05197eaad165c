//! What a run has to get into its room: the entry's URL and token, as they were found to be.

use livekit_api::access_token::Claims;
use livekit_protocol::RoomConfiguration;

use crate::config::RoomOwnership;
use crate::tokens::{granted, valid_at};
use rushhour_core::units::{Identity, RoomName, SessionTime};

use super::{SubmissionEntry, World};

/// An entry's way into its room.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) room: RoomName,
    pub(super) identity: Identity,
    /// What was wrong with it from the start.
    flaw: Option<String>,
    not_before: u64,
    expires: u64,
    /// What the room is made with, where joining makes it.
    pub(super) room_configuration: Option<Box<RoomConfiguration>>,
}

/// What an entry's token says of itself.
#[derive(Debug)]
pub(super) struct TokenWidth {
    pub(super) ttl_seconds: u64,
    pub(super) grants: Vec<&'static str>,
}

impl Ticket {
    /// Why nobody gets in with this ticket at this time.
    pub(super) fn refusal(&self, unix_seconds: u64) -> Option<String> {
        if self.flaw.is_some() {
            return self.flaw.clone();
        }
        let error = valid_at(self.not_before, self.expires, unix_seconds).err()?;
        Some(error.to_string())
    }
}

impl World {
    /// Looks at an entry's URL and token; the run made from it finds out later whether they serve.
    pub(super) fn ticket(
        &self,
        entry: &SubmissionEntry,
        received: SessionTime,
    ) -> (Ticket, TokenWidth) {
        let url_flaw = self.url_flaw(&entry.room_url);
        let (claims, token_flaw) = match self.tokens.read(&entry.token) {
            Ok(claims) if !claims.video.room_join || claims.video.room.is_empty() => {
                (claims, Some("token does not grant to join a room".to_owned()))
            }
            Ok(claims) if claims.sub.is_empty() => {
                (claims, Some("token has no identity".to_owned()))
            }
            Ok(claims) => (claims, None),
            Err(error) => {
                let claims = Claims::from_unverified(&entry.token);
                (claims.unwrap_or_default(), Some(error.to_string()))
            }
        };
        let start = match claims.nbf as u64 {
            0 => self.anchor.unix_seconds(received),
            not_before => not_before,
        };
        let width = TokenWidth {
            ttl_seconds: (claims.exp as u64).saturating_sub(start),
            grants: granted(&claims.video),
        };
        let room = match claims.video.room {
            // Tokens that name no room are told apart by themselves.
            room if room.is_empty() => {
                format!("no-room-{}", self.draw("no room", &entry.token).alphanumeric())
            }
            room => room,
        };
        let ticket = Ticket {
            room: RoomName::new(room),
            identity: Identity::new(claims.sub),
            flaw: url_flaw.or(token_flaw),
            not_before: claims.nbf as u64,
            expires: claims.exp as u64,
            room_configuration: claims.room_config.map(Box::new),
        };
        (ticket, width)
    }

    /// What keeps an evaluator from reaching this URL.
    fn url_flaw(&self, url: &str) -> Option<String> {
        if self.config.rooms == RoomOwnership::Elsewhere {
            return None;
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return Some(format!("`{url}` is not a URL"));
        };
        if !matches!(scheme, "ws" | "http") {
            return Some(format!("no TLS on `{url}`: the sandbox is reached by ws://"));
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let local = authority.replacen("localhost", "127.0.0.1", 1);
        (local != self.authority).then(|| format!("`{url}` cannot be reached"))
    }
}
