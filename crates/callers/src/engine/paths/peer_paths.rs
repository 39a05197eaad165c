//! The ways of a participant's packets, by peer connection.

use super::media_paths::MediaPaths;
use crate::participant::{IceServer, PeerRole};
use rushhour_core::event::MediaPath;
use rushhour_core::units::SessionTime;

/// The ways of each of a participant's peer connections.
pub(in crate::engine) struct PeerPaths {
    publisher: MediaPaths,
    /// Of the peer connection that the server offers, with an older server.
    subscriber: Option<MediaPaths>,
}

impl PeerPaths {
    pub(in crate::engine) const fn one(publisher: MediaPaths) -> Self {
        Self { publisher, subscriber: None }
    }

    pub(in crate::engine) const fn two(publisher: MediaPaths, subscriber: MediaPaths) -> Self {
        Self { publisher, subscriber: Some(subscriber) }
    }

    /// The peer connections that there are.
    pub(in crate::engine) const fn roles(&self) -> &'static [PeerRole] {
        match self.subscriber {
            None => &[PeerRole::Publisher],
            Some(_) => &[PeerRole::Publisher, PeerRole::Subscriber],
        }
    }

    /// The ways of one of them; of the only one, where there is no other.
    pub(in crate::engine) const fn get_mut(&mut self, peer: PeerRole) -> &mut MediaPaths {
        match (peer, &mut self.subscriber) {
            (PeerRole::Subscriber, Some(subscriber)) => subscriber,
            _ => &mut self.publisher,
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut MediaPaths> {
        std::iter::once(&mut self.publisher).chain(&mut self.subscriber)
    }

    /// The TURN servers that the server names.
    pub(in crate::engine) fn set_ice_servers(&mut self, servers: &[IceServer]) {
        for paths in self.all_mut() {
            paths.set_ice_servers(servers.to_vec());
        }
    }

    /// The way of what the participant sends.
    pub(in crate::engine) const fn path(&self) -> Option<MediaPath> {
        self.publisher.path()
    }

    /// Gives addresses on TURN servers back.
    pub(in crate::engine) fn close(&mut self, now: SessionTime) {
        for paths in self.all_mut() {
            paths.close(now);
        }
    }

    /// The ways that were tried, and what answered, for people.
    pub(in crate::engine) fn describe(&self) -> String {
        match &self.subscriber {
            None => self.publisher.describe(),
            Some(subscriber) => format!(
                "to send, {}; to receive, {}",
                self.publisher.describe(),
                subscriber.describe()
            ),
        }
    }
}
