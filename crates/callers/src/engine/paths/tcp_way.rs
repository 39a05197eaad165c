//! A TCP connection to one of the server's addresses, for ICE over TCP (RFC 6544).

use std::net::SocketAddr;

use super::byte_stream::ByteStream;
use super::framing;
use crate::participant::{LocalCandidate, PacketProtocol, PacketRoute};

/// A TCP connection to one of the server's addresses.
pub(super) struct TcpWay {
    pub(super) address: SocketAddr,
    pub(super) state: TcpState,
}

/// How far it is.
pub(super) enum TcpState {
    Dialing,
    Open { stream: ByteStream, received: Vec<u8> },
    Failed(String),
}

impl TcpWay {
    pub(super) fn open(&mut self) -> Option<(&mut ByteStream, &mut Vec<u8>)> {
        match &mut self.state {
            TcpState::Open { stream, received } => Some((stream, received)),
            TcpState::Dialing | TcpState::Failed(_) => None,
        }
    }

    /// Its own address, once it is connected.
    pub(super) fn candidate(&mut self) -> Option<LocalCandidate> {
        let (stream, _) = self.open()?;
        Some(LocalCandidate::Host { protocol: PacketProtocol::Tcp, address: stream.local })
    }

    pub(super) fn flush(&mut self) {
        if let Some((stream, _)) = self.open()
            && let Err(error) = stream.flush()
        {
            self.state = TcpState::Failed(error);
        }
    }

    pub(super) fn read(&mut self, packets: &mut Vec<(PacketRoute, Vec<u8>)>) {
        let Some((stream, received)) = self.open() else { return };
        let result = stream.receive(received);
        let (local, remote) = (stream.local, stream.remote);
        let route = PacketRoute { protocol: PacketProtocol::Tcp, local, remote };
        framing::take(received, |packet| packets.push((route, packet.to_vec())));
        if let Err(error) = result {
            self.state = TcpState::Failed(error);
        }
    }

    pub(super) fn describe(&self, answered: &[PacketRoute]) -> String {
        let address = self.address;
        match &self.state {
            TcpState::Dialing => format!("TCP to {address}: no answer"),
            TcpState::Failed(error) => format!("TCP to {address}: {error}"),
            TcpState::Open { stream, .. } => {
                let is_answer = |route: &&PacketRoute| route.local == stream.local;
                let answer = match answered.iter().find(is_answer) {
                    Some(_) => "answered",
                    None => "connected, and the server does not answer",
                };
                format!("TCP to {address}: {answer}")
            }
        }
    }
}
