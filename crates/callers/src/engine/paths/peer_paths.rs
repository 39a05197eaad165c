//! The ways of a participant's packets, by peer connection.

use super::media_paths::MediaPaths;
use crate::engine::socket::Socket;
use crate::network::{Delivery, EmulatedNetwork};
use crate::participant::{IceServer, PacketRoute, PeerRole};
use rushhour_core::event::MediaPath;
use rushhour_core::units::SessionTime;

/// The ways of each of a participant's peer connections.
pub(in crate::engine) struct PeerPaths {
    publisher: MediaPaths,
    /// Of the peer connection that the server offers, with an older server.
    subscriber: Option<MediaPaths>,
    /// What stands between them and media, if it is not to be the network that is there alone.
    network: Option<Box<EmulatedNetwork>>,
}

impl PeerPaths {
    pub(in crate::engine) const fn one(publisher: MediaPaths) -> Self {
        Self { publisher, subscriber: None, network: None }
    }

    pub(in crate::engine) const fn two(publisher: MediaPaths, subscriber: MediaPaths) -> Self {
        Self { publisher, subscriber: Some(subscriber), network: None }
    }

    /// The same, in a network of its own.
    pub(in crate::engine) fn with_network(self, network: Option<EmulatedNetwork>) -> Self {
        Self { network: network.map(Box::new), ..self }
    }

    /// Other ways, in the same network of its own.
    pub(in crate::engine) fn replace(&mut self, others: Self, now: SessionTime) {
        self.close(now);
        let network = self.network.take();
        *self = Self { network, ..others };
    }

    /// Whether there is a network of its own.
    pub(in crate::engine) const fn has_network(&self) -> bool {
        self.network.is_some()
    }

    /// The socket that everything comes over, once no other way is there or looked for.
    pub(in crate::engine) fn only_socket(&self) -> Option<&Socket> {
        let is_single = self.subscriber.is_none() && self.network.is_none();
        self.publisher.only_socket().filter(|_| is_single)
    }

    /// Whether a packet that arrived is received at once: its own network may lose or delay it.
    pub(in crate::engine) fn passes(
        &mut self,
        peer: PeerRole,
        packet: &[u8],
        route: PacketRoute,
        at: SessionTime,
    ) -> bool {
        let network = self.network.as_mut();
        network.is_none_or(|network| network.receiving.pass(peer, route, packet, at))
    }

    /// The next packet that its own network delivers by `now`.
    pub(in crate::engine) fn next_received(&mut self, now: SessionTime) -> Option<Delivery> {
        self.network.as_mut()?.receiving.next_delivery(now)
    }

    /// Sends a packet. Returns whether the system accepted it; `None` where its own network loses or delays it.
    pub(in crate::engine) fn send(
        &mut self,
        peer: PeerRole,
        route: PacketRoute,
        packet: &[u8],
        at: SessionTime,
    ) -> Option<bool> {
        let network = self.network.as_mut();
        network
            .is_none_or(|network| network.sending.pass(peer, route, packet, at))
            .then(|| self.get_mut(peer).send(route, packet, at))
    }

    /// Sends the next packet that was delayed until `now`. Returns whether the system accepted it; `None` without one.
    pub(in crate::engine) fn send_next(&mut self, now: SessionTime) -> Option<bool> {
        let Delivery { peer, route, packet, .. } =
            self.network.as_mut()?.sending.next_delivery(now)?;
        Some(self.get_mut(peer).send(route, &packet, now))
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

    /// Media has lost its ways: others are opened as if none had been.
    pub(in crate::engine) fn search_again(&mut self, now: SessionTime) {
        for paths in self.all_mut() {
            paths.search_again(now);
        }
    }

    /// Media has found its ways.
    pub(in crate::engine) fn found(&mut self) {
        for paths in self.all_mut() {
            paths.found();
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
