//! The UDP sockets of one participant: one for each of its peer connections.

use std::net::SocketAddr;

use super::clock::EngineClock;
use super::socket::{ReceiveBuffers, Socket};
use rushhour_core::units::SessionTime;

/// A participant's sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    first: Socket,
    /// Of the peer connection that the server offers, with an older server.
    second: Option<Socket>,
}

impl Sockets {
    pub(super) const fn one(first: Socket) -> Self {
        Self { first, second: None }
    }

    pub(super) const fn two(first: Socket, second: Socket) -> Self {
        Self { first, second: Some(second) }
    }

    /// Sends a datagram from the socket with the address `from`. Returns whether the system accepted it.
    pub(super) fn send(&self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> bool {
        let second = self.second.as_ref().filter(|second| second.local_addr() == from);
        second.unwrap_or(&self.first).send(to, datagram)
    }

    /// Passes the datagrams that have arrived to `handle`: with the sender, the socket's own address and the time.
    pub(super) fn receive_all(
        &self,
        buffers: &mut ReceiveBuffers,
        clock: &EngineClock,
        mut handle: impl FnMut(&[u8], SocketAddr, SocketAddr, SessionTime),
    ) {
        for socket in std::iter::once(&self.first).chain(&self.second) {
            let local = socket.local_addr();
            buffers.receive_all(socket, clock, |bytes, from, at| handle(bytes, from, local, at));
        }
    }
}
