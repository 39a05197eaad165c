//! The datagrams of one caller that are on their way.

use std::collections::BTreeMap;

use super::path_model::{DatagramFate, PathModel};
use crate::participant::{PacketRoute, PeerRole};
use rushhour_core::profile::{NetworkConditions, NetworkDirection};
use rushhour_core::rng::KeyedRng;
use rushhour_core::units::{RunIndex, SessionTime};

/// Datagrams on their way in one direction, at most; more are lost.
const MOST_UNDER_WAY: usize = 2_000;

/// Both directions of a caller's network.
#[derive(Debug)]
pub struct EmulatedNetwork {
    /// What the caller sends.
    pub(crate) sending: EmulatedPath,
    /// What it receives.
    pub(crate) receiving: EmulatedPath,
}

impl EmulatedNetwork {
    /// The network of a run; the session's seed and the run decide what happens to its datagrams.
    pub fn new(conditions: &NetworkConditions, seed: u64, run: RunIndex) -> Self {
        let path = |direction: NetworkDirection| {
            let applies = [NetworkDirection::Both, direction].contains(&conditions.direction);
            let key = format!("{} {run}", direction.name());
            let seed = KeyedRng::new(seed).draw("datagrams", &key).bits();
            EmulatedPath::new(applies.then(|| PathModel::new(conditions, seed)))
        };
        Self { sending: path(NetworkDirection::Send), receiving: path(NetworkDirection::Receive) }
    }
}

/// A datagram with the peer connection and the addresses that it belongs to, and when it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) peer: PeerRole,
    pub(crate) route: PacketRoute,
    pub(crate) packet: Box<[u8]>,
    pub(crate) at: SessionTime,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct EmulatedPath {
    /// `None` where datagrams pass as they are.
    model: Option<PathModel>,
    /// By time of arrival; datagrams of one time in the order in which they were sent.
    under_way: BTreeMap<(SessionTime, u64), Delivery>,
    passed: u64,
}

impl EmulatedPath {
    const fn new(model: Option<PathModel>) -> Self {
        Self { model, under_way: BTreeMap::new(), passed: 0 }
    }

    /// Takes in a datagram. Returns whether it arrives at once: then the caller of this delivers it.
    pub(crate) fn pass(
        &mut self,
        peer: PeerRole,
        route: PacketRoute,
        packet: &[u8],
        at: SessionTime,
    ) -> bool {
        let Some(model) = &mut self.model else { return true };
        let DatagramFate::Arrives(arrives) = model.pass(at, packet.len()) else { return false };
        if arrives <= at {
            return true;
        }
        if self.under_way.len() < MOST_UNDER_WAY {
            self.passed += 1;
            let delivery = Delivery { peer, route, packet: packet.into(), at: arrives };
            self.under_way.insert((arrives, self.passed), delivery);
        }
        false
    }

    /// The next datagram that arrives by `now`.
    pub(crate) fn next_delivery(&mut self, now: SessionTime) -> Option<Delivery> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::participant::PacketProtocol;
    use rushhour_core::units::PositiveDuration;

    fn conditions(direction: NetworkDirection) -> NetworkConditions {
        NetworkConditions {
            name: "a".to_owned(),
            share: "100%".parse().unwrap(),
            direction,
            loss: None,
            loss_burst: None,
            delay: Some(PositiveDuration::millis(100)),
            jitter: None,
            reorder: Some("50%".parse().unwrap()),
            bandwidth: None,
        }
    }

    const PEER: PeerRole = PeerRole::Publisher;

    fn route() -> PacketRoute {
        let local = SocketAddr::from(([127, 0, 0, 1], 5_000));
        let remote = SocketAddr::from(([127, 0, 0, 1], 7_882));
        PacketRoute { protocol: PacketProtocol::Udp, local, remote }
    }

    #[test]
    fn datagrams_arrive_in_the_order_of_their_arrival_times() {
        let mut network = EmulatedNetwork::new(&conditions(NetworkDirection::Both), 1, RunIndex(0));
        for number in 0..100_u8 {
            let at = SessionTime(u64::from(number) * 20_000);
            assert!(!network.sending.pass(PEER, route(), &[number], at));
        }
        assert_eq!(network.sending.next_delivery(SessionTime(99_999)), None);
        let mut delivered = Vec::new();
        while let Some(delivery) = network.sending.next_delivery(SessionTime(3_000_000)) {
            let sent = SessionTime(u64::from(delivery.packet[0]) * 20_000);
            let took = delivery.at.since(sent).0 / 1_000;
            assert!([100, 150].contains(&took), "{took} ms");
            delivered.push(delivery);
        }
        assert_eq!(delivered.len(), 100);
        assert!(delivered.is_sorted_by_key(|delivery| delivery.at));
        assert!(!delivered.is_sorted_by_key(|delivery| delivery.packet[0]));
    }

    #[test]
    fn a_direction_without_conditions_passes_datagrams_as_they_are() {
        let mut network =
            EmulatedNetwork::new(&conditions(NetworkDirection::Receive), 1, RunIndex(0));
        assert!(network.sending.pass(PEER, route(), &[1], SessionTime(7)));
        assert!(!network.receiving.pass(PEER, route(), &[1], SessionTime(7)));
    }

    #[test]
    fn the_directions_and_the_runs_lose_different_datagrams() {
        let conditions = NetworkConditions {
            loss: Some("50%".parse().unwrap()),
            delay: None,
            reorder: None,
            ..conditions(NetworkDirection::Both)
        };
        let fates = |path: &mut EmulatedPath| -> Vec<bool> {
            (0..64).map(|n| path.pass(PEER, route(), &[0], SessionTime(n))).collect()
        };
        let mut one = EmulatedNetwork::new(&conditions, 1, RunIndex(0));
        let mut other = EmulatedNetwork::new(&conditions, 1, RunIndex(1));
        let sending = fates(&mut one.sending);
        assert_ne!(sending, fates(&mut one.receiving));
        assert_ne!(sending, fates(&mut other.sending));
        let mut again = EmulatedNetwork::new(&conditions, 1, RunIndex(0));
        assert_eq!(sending, fates(&mut again.sending));
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let mut network = EmulatedNetwork::new(&conditions(NetworkDirection::Both), 1, RunIndex(0));
        for _ in 0..3_000 {
            network.sending.pass(PEER, route(), &[0; 100], SessionTime(5));
        }
        assert_eq!(network.sending.under_way.len(), MOST_UNDER_WAY);
    }
}
