//! Where packets of a peer connection come from and go to, and the addresses at which the server can be reached.

use std::net::SocketAddr;

/// One of a participant's peer connections. Where there is only one, it is the publisher's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRole {
    /// What the participant offers, and sends on.
    Publisher,
    /// What the server offers, and sends on.
    Subscriber,
}

/// The protocol between two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketProtocol {
    /// UDP; from a relay's address too, however the relay itself is reached.
    Udp,
    /// ICE over TCP (RFC 6544): packets in a stream, each after its length.
    Tcp,
}

/// The addresses between which a packet travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketRoute {
    /// The protocol.
    pub protocol: PacketProtocol,
    /// Our address: a socket's, or the one that a relay gave us.
    pub local: SocketAddr,
    /// The server's.
    pub remote: SocketAddr,
}

/// An address at which the server says that it can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerCandidate {
    /// The protocol.
    pub protocol: PacketProtocol,
    /// The address.
    pub address: SocketAddr,
}

/// An address at which this participant can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalCandidate {
    /// A socket's.
    Host {
        /// The protocol.
        protocol: PacketProtocol,
        /// The address.
        address: SocketAddr,
    },
    /// One that a TURN server gave us.
    Relayed {
        /// The address.
        address: SocketAddr,
        /// That of the socket to the TURN server.
        socket: SocketAddr,
    },
}

impl LocalCandidate {
    /// Whether packets on this route come from it.
    pub(crate) fn is_local_end_of(self, route: PacketRoute) -> bool {
        match self {
            Self::Host { protocol, address } => {
                route.protocol == protocol && route.local == address
            }
            Self::Relayed { address, .. } => {
                route.protocol == PacketProtocol::Udp && route.local == address
            }
        }
    }
}
