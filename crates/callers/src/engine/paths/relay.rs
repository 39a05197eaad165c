//! An address on a TURN server (RFC 8656), and the connection to the server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use turn_client_proto::api::{
    Transmit, TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet,
};
use turn_client_proto::client::TurnClient;
use turn_client_proto::stun::Instant;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::stun::attribute::ErrorCode;
use turn_client_proto::types::stun::message::Message;
use turn_client_proto::types::{AddressFamily, TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use super::byte_stream::ByteStream;
use super::framing;
use crate::engine::socket::Socket;
use crate::participant::{IceServer, LocalCandidate};
use rushhour_core::event::MediaPath;
use rushhour_core::units::SessionTime;

/// Peers that get a permission, at most: addresses of one server.
const MAX_PEERS: usize = 8;

/// Error codes of RFC 8489.
const BAD_REQUEST: u16 = 400;
const UNAUTHENTICATED: u16 = 401;
const STALE_NONCE: u16 = 438;

/// How the TURN server is reached.
pub(super) enum RelayTransport {
    /// Over UDP.
    Udp(Arc<Socket>),
    /// Over TCP or TLS.
    Stream(Box<ByteStream>),
}

/// How far an allocation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RelayState {
    /// The server has not answered.
    Asked,
    /// The server gave us this address.
    Allocated(SocketAddr),
    /// It did not, or the connection to it broke.
    Failed(String),
}

/// An address on a TURN server.
pub(super) struct Relay {
    pub(super) path: MediaPath,
    /// The server, for messages.
    pub(super) shown: String,
    pub(super) state: RelayState,
    pub(super) transport: RelayTransport,
    client: TurnClient,
    local: SocketAddr,
    server: SocketAddr,
    peers: Vec<IpAddr>,
    /// The peer that media goes to: it has a channel, which costs 4 bytes a packet instead of 36.
    channel: Option<SocketAddr>,
    /// Whether [`Self::new_candidate`] has told it.
    is_told: bool,
    /// Whether the server has asked for a password.
    is_challenged: bool,
    /// The last error that the server answered.
    refusal: Option<String>,
    next_poll: Instant,
    /// What arrived over a stream and is not a complete message.
    received: Vec<u8>,
}

/// A packet that a relay passed on: its sender and its content.
pub(super) type RelayedPacket = (SocketAddr, Vec<u8>);

impl Relay {
    /// Asks the server for an address of the family of `peers`, which are the server's candidates.
    pub(super) fn allocate(
        server: &IceServer,
        transport: RelayTransport,
        address: SocketAddr,
        family: AddressFamily,
    ) -> Self {
        let credentials = TurnCredentials::new(&server.username, server.credential.expose());
        let mut config = TurnConfig::new(credentials);
        config.set_address_family(family);
        let (local, client) = match &transport {
            RelayTransport::Udp(socket) => {
                let local = socket.local_addr();
                (local, TurnClient::from(TurnClientUdp::allocate(local, address, config)))
            }
            RelayTransport::Stream(stream) => {
                let client = TurnClientTcp::allocate(stream.local, address, config);
                (stream.local, TurnClient::from(client))
            }
        };
        Self {
            path: server.path,
            shown: server.shown(),
            state: RelayState::Asked,
            transport,
            client,
            local,
            server: address,
            peers: Vec::new(),
            channel: None,
            is_told: false,
            is_challenged: false,
            refusal: None,
            next_poll: Instant::from_nanos(0),
            received: Vec::new(),
        }
    }

    /// The address that the server gave us.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        match self.state {
            RelayState::Allocated(address) => Some(address),
            RelayState::Asked | RelayState::Failed(_) => None,
        }
    }

    /// The address that the server gave us, once.
    pub(super) fn new_candidate(&mut self) -> Option<LocalCandidate> {
        let candidate = self.candidate().filter(|_| !self.is_told)?;
        self.is_told = true;
        Some(candidate)
    }

    /// The address that the server gave us, with that of the socket to it.
    pub(super) fn candidate(&self) -> Option<LocalCandidate> {
        let address = self.address()?;
        Some(LocalCandidate::Relayed { address, socket: self.local })
    }

    /// Lets a peer send to us, and us to it.
    pub(super) fn permit(&mut self, peer: IpAddr, now: SessionTime) {
        if self.peers.contains(&peer) || self.peers.len() >= MAX_PEERS {
            return;
        }
        self.peers.push(peer);
        if self.address().is_some() {
            // One that exists already is what was asked for.
            let _ = self.client.create_permission(TransportType::Udp, peer, instant(now));
            self.transmit(now);
        }
    }

    /// Runs timers: sends what is due, refreshes what would expire.
    pub(super) fn advance(&mut self, now: SessionTime) {
        let time = instant(now);
        if let RelayTransport::Stream(stream) = &mut self.transport
            && let Err(error) = stream.flush()
        {
            self.fail(error);
        }
        if matches!(self.state, RelayState::Failed(_)) || time < self.next_poll {
            return;
        }
        match self.client.poll(time) {
            TurnPollRet::WaitUntil(next) => self.next_poll = next,
            TurnPollRet::Closed => {
                let refusal = self.refusal.take();
                self.fail(refusal.unwrap_or_else(|| "no answer".to_owned()));
            }
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {}
        }
        self.transmit(now);
        self.handle_events(now);
    }

    /// Sends a packet to a peer. Returns whether it was sent.
    pub(super) fn send(&mut self, to: SocketAddr, packet: &[u8], now: SessionTime) -> bool {
        let time = instant(now);
        if is_media(packet) && self.channel != Some(to) {
            self.channel = Some(to);
            let _ = self.client.bind_channel(TransportType::Udp, to, time);
            self.transmit(now);
        }
        match self.client.send_to(TransportType::Udp, to, packet, time) {
            Ok(Some(transmit)) => {
                let bytes = transmit.build().data;
                write(&mut self.transport, self.server, &bytes)
            }
            Ok(None) => {
                self.transmit(now);
                true
            }
            Err(_) => false,
        }
    }

    /// Handles a datagram from the server.
    pub(super) fn handle_datagram(
        &mut self,
        bytes: &[u8],
        from: SocketAddr,
        now: SessionTime,
    ) -> Option<RelayedPacket> {
        let packet = self.handle(bytes.to_vec(), TransportType::Udp, from, now);
        self.after_input(now);
        packet
    }

    /// Reads the stream to the server.
    pub(super) fn read(&mut self, now: SessionTime, packets: &mut Vec<RelayedPacket>) {
        let RelayTransport::Stream(stream) = &mut self.transport else { return };
        if matches!(self.state, RelayState::Failed(_)) {
            return;
        }
        let result = stream.receive(&mut self.received);
        if !self.received.is_empty() {
            let mut received = std::mem::take(&mut self.received);
            framing::take_turn(&mut received, |message| {
                packets.extend(self.handle(message.to_vec(), TransportType::Tcp, self.server, now));
            });
            self.received = received;
            self.after_input(now);
        }
        if let Err(error) = result {
            self.fail(error);
        }
    }

    fn handle(
        &mut self,
        bytes: Vec<u8>,
        transport: TransportType,
        from: SocketAddr,
        now: SessionTime,
    ) -> Option<RelayedPacket> {
        if self.address().is_none() {
            self.note_refusal(&bytes);
        }
        let transmit = Transmit::new(bytes, transport, from, self.local);
        match self.client.recv(transmit, instant(now)) {
            TurnRecvRet::PeerData(data) => Some((data.peer, data.data().to_vec())),
            _ => None,
        }
    }

    /// What the server answers instead of an address. That it wants a password is no refusal at first, and is one after
    /// that: some answer to a user name that has expired as to one that is malformed.
    fn note_refusal(&mut self, bytes: &[u8]) {
        let Ok(message) = Message::from_bytes(bytes) else { return };
        let Ok(error) = message.attribute::<ErrorCode>() else { return };
        let code = error.code();
        if [UNAUTHENTICATED, STALE_NONCE].contains(&code)
            && !std::mem::replace(&mut self.is_challenged, true)
        {
            return;
        }
        let reason: String = error.reason().chars().filter(|c| !c.is_control()).take(100).collect();
        let hint = match code {
            BAD_REQUEST | UNAUTHENTICATED => {
                "; the credentials that LiveKit named may have expired"
            }
            _ => "",
        };
        self.refusal = Some(format!("refused with {code} {reason}{hint}"));
    }

    fn after_input(&mut self, now: SessionTime) {
        self.next_poll = instant(now);
        self.handle_events(now);
        self.advance(now);
    }

    fn handle_events(&mut self, now: SessionTime) {
        while let Some(event) = self.client.poll_event() {
            match event {
                TurnEvent::AllocationCreated(_, address) => {
                    self.state = RelayState::Allocated(address);
                    self.refusal = None;
                    for peer in std::mem::take(&mut self.peers) {
                        self.permit(peer, now);
                    }
                }
                TurnEvent::AllocationCreateFailed(_) => {
                    let refusal = self.refusal.take();
                    self.fail(refusal.unwrap_or_else(|| "no answer".to_owned()));
                }
                TurnEvent::PermissionCreateFailed(_, peer) => {
                    self.refusal = Some(format!("it may not relay to {peer}"));
                }
                _ => {}
            }
        }
    }

    fn transmit(&mut self, now: SessionTime) {
        while let Some(transmit) = self.client.poll_transmit(instant(now)) {
            write(&mut self.transport, self.server, &transmit.data);
        }
    }

    fn fail(&mut self, why: String) {
        if !matches!(self.state, RelayState::Failed(_)) {
            self.state = RelayState::Failed(why);
        }
    }

    /// Gives the address back.
    pub(super) fn close(&mut self, now: SessionTime) {
        if self.client.delete(instant(now)).is_ok() {
            self.transmit(now);
        }
    }

    /// How far it came, for people; `answered` says whether the server's media came through it.
    pub(super) fn describe(&self, answered: bool) -> String {
        let shown = &self.shown;
        match &self.state {
            RelayState::Asked => {
                format!("{shown}: {}", self.refusal.as_deref().unwrap_or("no answer"))
            }
            RelayState::Failed(why) => format!("{shown}: {why}"),
            RelayState::Allocated(_) if answered => format!("{shown}: answered"),
            RelayState::Allocated(_) => match &self.refusal {
                Some(refusal) => format!("{shown}: {refusal}"),
                None => format!("{shown}: it relays, and the server does not answer"),
            },
        }
    }
}

/// Whether a packet is media, data or their set-up, not a check of a path (RFC 7983).
pub(super) fn is_media(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| *first >= 20)
}

fn write(transport: &mut RelayTransport, server: SocketAddr, bytes: &[u8]) -> bool {
    match transport {
        RelayTransport::Udp(socket) => socket.send(server, bytes),
        RelayTransport::Stream(stream) => stream.send(|out| framing::append_turn(out, bytes)),
    }
}

fn instant(now: SessionTime) -> Instant {
    Instant::from_nanos(i64::try_from(now.0.saturating_mul(1_000)).unwrap_or(i64::MAX))
}
