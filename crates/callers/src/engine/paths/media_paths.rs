//! The ways of one participant's packets: which are tried when, and which one is used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustls::ClientConfig;
use tokio::runtime::Handle;
use tracing::debug;
use turn_client_proto::types::AddressFamily;

use super::byte_stream::ByteStream;
use super::dial::{DialResult, DialTarget, Dialed, dial};
use super::framing;
use super::relay::{Relay, RelayTransport, is_media};
use super::tcp_way::{TcpState, TcpWay};
use crate::engine::network_access::NetworkAccess;
use crate::engine::socket::Socket;
use crate::participant::{IceServer, LocalCandidate, PacketProtocol, PacketRoute, ServerCandidate};
use rushhour_core::event::MediaPath;
use rushhour_core::profile::MediaTransport;
use rushhour_core::units::{Micros, SessionTime};

/// How long the first socket has to connect, before others are bound for addresses that it does not reach,
const FURTHER_SOCKETS_AFTER: Micros = Micros::from_millis(300);
/// and where it reaches none of those that the server has named so far.
const OTHER_SOCKETS_AFTER: Micros = Micros::from_millis(20);
/// How long UDP has to connect, before TCP and relays are tried beside it.
const FALLBACK_AFTER: Micros = Micros::from_secs(2);
/// How long after connecting the ways that are not used are given up.
const SETTLED_AFTER: Micros = Micros::from_secs(5);
/// Sockets, TCP connections and relays of one participant, at most.
const MAX_WAYS: usize = 4;
/// Addresses of the server that are kept, at most.
const MAX_CANDIDATES: usize = 64;

/// A TURN server that is being connected to, or could not be.
pub(super) struct RelayDial {
    pub(super) shown: String,
    pub(super) failure: Option<String>,
}

/// The ways of one participant's packets to its server.
pub(in crate::engine) struct MediaPaths {
    pub(super) transport: MediaTransport,
    runtime: Handle,
    tls: Arc<ClientConfig>,
    pub(super) sockets: Vec<Arc<Socket>>,
    pub(super) streams: Vec<TcpWay>,
    pub(super) relays: Vec<Relay>,
    pub(super) relay_dials: Vec<RelayDial>,
    servers: Vec<IceServer>,
    /// Whether they have been dialed.
    relays_dialed: bool,
    pub(super) candidates: Vec<ServerCandidate>,
    /// Local addresses that the participant does not know yet.
    new_candidates: Vec<LocalCandidate>,
    /// Local addresses that are gone, and that the participant still knows.
    gone_candidates: Vec<LocalCandidate>,
    dials: Option<(Sender<DialResult>, Receiver<DialResult>)>,
    /// When the server named its first address, or media lost its way.
    begun: Option<SessionTime>,
    /// While media has no way after it had one: what is sent meanwhile goes nowhere.
    lost: bool,
    /// When media or its set-up was sent first.
    connected: Option<SessionTime>,
    /// The route of the latest media.
    route: Option<PacketRoute>,
    path: Option<MediaPath>,
    /// Addresses of the server that something came from.
    pub(super) answered: Vec<PacketRoute>,
    settled: bool,
}

impl MediaPaths {
    /// The ways that `access` allows; `socket` is the first for UDP.
    pub(in crate::engine) fn new(
        socket: Option<Socket>,
        access: &NetworkAccess,
        runtime: Handle,
    ) -> Self {
        Self {
            transport: access.transport,
            runtime,
            tls: access.trust.tls_config(),
            sockets: socket.map(Arc::new).into_iter().collect(),
            streams: Vec::new(),
            relays: Vec::new(),
            relay_dials: Vec::new(),
            servers: Vec::new(),
            relays_dialed: false,
            candidates: Vec::new(),
            new_candidates: Vec::new(),
            gone_candidates: Vec::new(),
            dials: None,
            begun: None,
            lost: false,
            connected: None,
            route: None,
            path: None,
            answered: Vec::new(),
            settled: false,
        }
    }

    /// The way of the latest media.
    pub(in crate::engine) const fn path(&self) -> Option<MediaPath> {
        self.path
    }

    /// The socket with this number.
    pub(in crate::engine) fn socket(&self, index: usize) -> Option<Arc<Socket>> {
        self.sockets.get(index).cloned()
    }

    /// The socket that everything comes over, once no other way is there or looked for.
    pub(in crate::engine) fn only_socket(&self) -> Option<&Socket> {
        let has_others = !self.streams.is_empty()
            || !self.relays.is_empty()
            || !self.new_candidates.is_empty()
            || !self.gone_candidates.is_empty();
        match &self.sockets[..] {
            [only] if self.settled && !has_others => Some(only),
            _ => None,
        }
    }

    /// The socket to the TURN server with this number; none where there is no such, or it is not reached over UDP.
    pub(in crate::engine) fn relay_socket(&self, index: usize) -> Option<Arc<Socket>> {
        match &self.relays.get(index)?.transport {
            RelayTransport::Udp(socket) => Some(socket.clone()),
            RelayTransport::Stream(_) => None,
        }
    }

    /// How many TURN servers there are.
    pub(in crate::engine) const fn relay_count(&self) -> usize {
        self.relays.len()
    }

    /// The server can be reached at an address.
    pub(in crate::engine) fn add_server_candidate(
        &mut self,
        candidate: ServerCandidate,
        now: SessionTime,
    ) {
        if self.candidates.len() >= MAX_CANDIDATES || self.candidates.contains(&candidate) {
            return;
        }
        self.begun.get_or_insert(now);
        self.candidates.push(candidate);
        if candidate.protocol == PacketProtocol::Udp {
            for relay in &mut self.relays {
                relay.permit(candidate.address.ip(), now);
            }
        }
    }

    /// The TURN servers that the server names.
    pub(in crate::engine) fn set_ice_servers(&mut self, servers: Vec<IceServer>) {
        self.servers = servers;
        self.relays_dialed = false;
    }

    /// Media has lost its way: the others are opened as if none had been. What was opened before is given up, because
    /// nobody says of a connection that it leads nowhere.
    pub(in crate::engine) fn search_again(&mut self, now: SessionTime) {
        self.close(now);
        for mut way in std::mem::take(&mut self.streams) {
            self.gone_candidates.extend(way.candidate());
        }
        let relays = std::mem::take(&mut self.relays);
        self.gone_candidates.extend(relays.iter().filter_map(Relay::candidate));
        self.relay_dials.clear();
        self.relays_dialed = false;
        self.answered.clear();
        (self.begun, self.lost) = (Some(now), true);
        (self.connected, self.route, self.settled) = (None, None, false);
    }

    /// Whether the connection that media goes over has broken. UDP does not say so.
    pub(in crate::engine) fn is_broken(&mut self) -> bool {
        let (Some(_), Some(route)) = (self.connected, self.route) else { return false };
        let mut open = self.streams.iter_mut().filter_map(TcpWay::candidate);
        let is_open = open.any(|candidate| candidate.is_local_end_of(route))
            || self.sockets.iter().any(|socket| socket.local_addr() == route.local)
            || self.relays.iter().any(|relay| relay.address() == Some(route.local));
        !is_open
    }

    /// Media has found its way.
    pub(in crate::engine) const fn found(&mut self) {
        self.lost = false;
    }

    /// Local addresses that the participant does not know yet.
    pub(in crate::engine) fn take_candidates(&mut self) -> Vec<LocalCandidate> {
        std::mem::take(&mut self.new_candidates)
    }

    /// Sends a packet. Returns whether the system accepted it.
    pub(in crate::engine) fn send(
        &mut self,
        route: PacketRoute,
        packet: &[u8],
        now: SessionTime,
    ) -> bool {
        let (path, sent) = self.send_by(route, packet, now);
        if self.route != Some(route) && !self.lost && is_media(packet) {
            self.connected.get_or_insert(now);
            self.route = Some(route);
            self.path = path.or(self.path);
        }
        sent
    }

    fn send_by(
        &mut self,
        route: PacketRoute,
        packet: &[u8],
        now: SessionTime,
    ) -> (Option<MediaPath>, bool) {
        match route.protocol {
            PacketProtocol::Udp => {
                let mut sockets = self.sockets.iter();
                if let Some(socket) = sockets.find(|socket| socket.local_addr() == route.local) {
                    return (Some(MediaPath::Udp), socket.send(route.remote, packet));
                }
                let mut relays = self.relays.iter_mut();
                match relays.find(|relay| relay.address() == Some(route.local)) {
                    Some(relay) => (Some(relay.path), relay.send(route.remote, packet, now)),
                    None => (None, false),
                }
            }
            PacketProtocol::Tcp => {
                let mut streams = self.streams.iter_mut().filter_map(TcpWay::open);
                let stream = streams.find(|(stream, _)| {
                    stream.local == route.local && stream.remote == route.remote
                });
                // Every address of ours is paired with every one of the server's, and most pairs have no connection.
                let Some((stream, _)) = stream else { return (None, true) };
                let mut is_short = true;
                let has_room = stream.send(|out| is_short = framing::append(out, packet));
                (Some(MediaPath::Tcp), has_room && is_short)
            }
        }
    }

    /// Notes that something came from the server.
    pub(in crate::engine) fn note_arrival(&mut self, route: PacketRoute) {
        if self.connected.is_none()
            && self.answered.len() < MAX_CANDIDATES
            && !self.answered.contains(&route)
        {
            self.answered.push(route);
        }
    }

    /// Opens the ways that are due, and runs their timers.
    pub(in crate::engine) fn advance(&mut self, now: SessionTime) {
        self.finish_dials(now);
        for relay in &mut self.relays {
            relay.advance(now);
            self.new_candidates.extend(relay.new_candidate());
        }
        for stream in &mut self.streams {
            stream.flush();
        }
        if self.connected.is_none()
            && let Some(begun) = self.begun
        {
            self.open_due(now.since(begun));
        }
    }

    fn open_due(&mut self, waited: Micros) {
        let (udp, others) = match self.transport {
            MediaTransport::Udp => (true, false),
            MediaTransport::Any => (true, waited >= FALLBACK_AFTER),
            MediaTransport::Tcp | MediaTransport::Relay => (false, true),
        };
        let patience = if self.reaches_any() { FURTHER_SOCKETS_AFTER } else { OTHER_SOCKETS_AFTER };
        if udp && (self.sockets.is_empty() || waited >= patience) {
            self.bind_sockets();
        }
        if others && self.transport != MediaTransport::Relay {
            self.dial_server();
        }
        if others && self.transport != MediaTransport::Tcp {
            self.dial_relays();
        }
    }

    fn reaches_any(&self) -> bool {
        self.candidates.iter().any(|candidate| reaches(&self.sockets, *candidate))
    }

    /// Binds a socket for each kind of address that none reaches.
    fn bind_sockets(&mut self) {
        for candidate in &self.candidates {
            if candidate.protocol == PacketProtocol::Udp
                && self.sockets.len() < MAX_WAYS
                && !reaches(&self.sockets, *candidate)
                // There may be no way to addresses of that kind.
                && let Ok(socket) = Socket::towards(candidate.address)
            {
                let protocol = PacketProtocol::Udp;
                let address = socket.local_addr();
                self.new_candidates.push(LocalCandidate::Host { protocol, address });
                self.sockets.push(Arc::new(socket));
            }
        }
    }

    fn dial_server(&mut self) {
        let addresses: Vec<SocketAddr> = self
            .candidates
            .iter()
            .filter(|candidate| candidate.protocol == PacketProtocol::Tcp)
            .map(|candidate| candidate.address)
            .filter(|address| !self.streams.iter().any(|way| way.address == *address))
            .collect();
        for address in addresses {
            if self.streams.len() < MAX_WAYS {
                self.streams.push(TcpWay { address, state: TcpState::Dialing });
                self.dial(DialTarget::Server(address));
            }
        }
    }

    fn dial_relays(&mut self) {
        if std::mem::replace(&mut self.relays_dialed, true) {
            return;
        }
        for server in self.servers.clone() {
            if self.relay_dials.len() < MAX_WAYS {
                self.relay_dials.push(RelayDial { shown: server.shown(), failure: None });
                self.dial(DialTarget::Relay(server));
            }
        }
    }

    fn dial(&mut self, target: DialTarget) {
        let (sender, _) = self.dials.get_or_insert_with(channel);
        let sender = sender.clone();
        self.runtime.spawn(async move {
            // The participant may be gone.
            let _ = sender.send(dial(target).await);
        });
    }

    fn finish_dials(&mut self, now: SessionTime) {
        while let Some(result) = self.dials.as_ref().and_then(|(_, dials)| dials.try_recv().ok()) {
            match result.target {
                DialTarget::Server(address) => self.finish_stream(address, result.result),
                DialTarget::Relay(server) => self.finish_relay(&server, result.result, now),
            }
        }
    }

    fn finish_stream(&mut self, address: SocketAddr, result: Result<Dialed, String>) {
        let Some(way) = self.streams.iter_mut().find(|way| way.address == address) else { return };
        let stream = result.and_then(|dialed| match dialed {
            Dialed::Stream(tcp) => ByteStream::plain(tcp).map_err(|error| error.to_string()),
            Dialed::Address(_) => Err("no connection".to_owned()),
        });
        way.state = match stream {
            Ok(stream) => {
                let (protocol, address) = (PacketProtocol::Tcp, stream.local);
                self.new_candidates.push(LocalCandidate::Host { protocol, address });
                TcpState::Open { stream, received: Vec::new() }
            }
            Err(error) => {
                debug!(%address, error, "no TCP connection to the server");
                TcpState::Failed(error)
            }
        };
    }

    fn finish_relay(
        &mut self,
        server: &IceServer,
        result: Result<Dialed, String>,
        now: SessionTime,
    ) {
        let shown = server.shown();
        let transport = result.and_then(|dialed| match dialed {
            Dialed::Address(address) => {
                let socket = Socket::towards(address).map_err(|error| error.to_string())?;
                Ok((RelayTransport::Udp(Arc::new(socket)), address))
            }
            Dialed::Stream(tcp) => {
                let stream = if server.path == MediaPath::TurnTls {
                    ByteStream::encrypted(tcp, &server.host, self.tls.clone())?
                } else {
                    ByteStream::plain(tcp).map_err(|error| error.to_string())?
                };
                let address = stream.remote;
                Ok((RelayTransport::Stream(Box::new(stream)), address))
            }
        });
        match transport {
            Ok((transport, address)) => {
                let mut relay = Relay::allocate(server, transport, address, self.peer_family());
                for candidate in &self.candidates {
                    if candidate.protocol == PacketProtocol::Udp {
                        relay.permit(candidate.address.ip(), now);
                    }
                }
                self.relay_dials.retain(|dial| dial.shown != shown);
                self.relays.push(relay);
            }
            Err(error) => {
                debug!(server = shown, error, "no connection to the TURN server");
                if let Some(dial) = self.relay_dials.iter_mut().find(|dial| dial.shown == shown) {
                    dial.failure = Some(error);
                }
            }
        }
    }

    /// The family of the server's addresses: IPv4 where it has one.
    fn peer_family(&self) -> AddressFamily {
        let mut candidates =
            self.candidates.iter().filter(|candidate| candidate.protocol == PacketProtocol::Udp);
        let has_other = candidates.clone().next().is_some();
        if has_other && candidates.all(|candidate| candidate.address.is_ipv6()) {
            AddressFamily::IPV6
        } else {
            AddressFamily::IPV4
        }
    }

    /// Reads streams: the packets that came, with their routes.
    pub(in crate::engine) fn read_streams(
        &mut self,
        now: SessionTime,
    ) -> Vec<(PacketRoute, Vec<u8>)> {
        let mut packets = Vec::new();
        for way in &mut self.streams {
            way.read(&mut packets);
        }
        let mut relayed = Vec::new();
        for relay in &mut self.relays {
            relay.read(now, &mut relayed);
            let Some(local) = relay.address() else { continue };
            packets.extend(relayed.drain(..).map(|(remote, packet)| {
                (PacketRoute { protocol: PacketProtocol::Udp, local, remote }, packet)
            }));
        }
        packets
    }

    /// Handles a datagram from a TURN server: the packet that it relays, with its route.
    pub(in crate::engine) fn relayed_packet(
        &mut self,
        index: usize,
        bytes: &[u8],
        from: SocketAddr,
        at: SessionTime,
    ) -> Option<(PacketRoute, Vec<u8>)> {
        let relay = self.relays.get_mut(index)?;
        let packet = relay.handle_datagram(bytes, from, at);
        let local = relay.address()?;
        let (remote, packet) = packet?;
        Some((PacketRoute { protocol: PacketProtocol::Udp, local, remote }, packet))
    }

    /// Once the connection has proved itself, gives up the TCP connections and relays that are not used. Returns
    /// their addresses, and those of ways that were lost.
    pub(in crate::engine) fn settle(&mut self, now: SessionTime) -> Vec<LocalCandidate> {
        let mut unused = std::mem::take(&mut self.gone_candidates);
        let (Some(connected), Some(route)) = (self.connected, self.route) else {
            return unused;
        };
        if self.settled || now.since(connected) < SETTLED_AFTER {
            return unused;
        }
        self.settled = true;
        self.streams.retain_mut(|way| {
            let Some(candidate) = way.candidate() else { return false };
            let is_used = candidate.is_local_end_of(route);
            if !is_used {
                unused.push(candidate);
            }
            is_used
        });
        self.relays.retain_mut(|relay| {
            let Some(candidate) = relay.candidate() else { return false };
            let is_used = candidate.is_local_end_of(route);
            if !is_used {
                relay.close(now);
                unused.push(candidate);
            }
            is_used
        });
        unused
    }

    /// Gives addresses on TURN servers back.
    pub(in crate::engine) fn close(&mut self, now: SessionTime) {
        for relay in &mut self.relays {
            relay.close(now);
        }
    }
}

/// Whether one of the sockets reaches an address as far as one can tell: it is of the same family, and on this machine
/// as the address is or is not.
fn reaches(sockets: &[Arc<Socket>], candidate: ServerCandidate) -> bool {
    let address = candidate.address;
    candidate.protocol == PacketProtocol::Udp
        && sockets.iter().any(|socket| {
            let local = socket.local_addr();
            local.is_ipv4() == address.is_ipv4()
                && local.ip().is_loopback() == address.ip().is_loopback()
        })
}
