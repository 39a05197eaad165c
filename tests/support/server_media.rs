//! How a livekit-server of the tests takes media: its configuration, and what stands before it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;

use super::certificates::{Authority, ServerCertificate};
use super::cutting_proxy::CuttingProxy;
use super::peers::ServerVersion;

/// The port that LiveKit names for TURN over TLS, whatever its configuration says.
const TURN_TLS_PORT: u16 = 443;

/// How a server takes media.
pub(crate) struct ServerMedia {
    /// Its address, for signalling and media.
    pub(crate) address: IpAddr,
    pub(crate) udp: ServerUdp,
    /// Whether it takes ICE over TCP.
    pub(crate) tcp: bool,
    pub(crate) turn: Option<ServerTurn>,
    /// For how many seconds its credentials for TURN are good, if not for its default.
    pub(crate) turn_ttl: Option<i32>,
}

/// Where a server takes media over UDP.
pub(crate) enum ServerUdp {
    /// At one port, for all connections.
    Port,
    /// At this port, which it names with another address: a proxy's.
    Behind(Ipv4Addr, u16),
    /// At so many ports, each for one connection.
    Ports(u16),
}

/// The server's own TURN server.
pub(crate) enum ServerTurn {
    Udp,
    /// With a certificate of this authority.
    Tls(Box<Authority>),
}

impl Default for ServerMedia {
    fn default() -> Self {
        let address = Ipv4Addr::LOCALHOST.into();
        Self { address, udp: ServerUdp::Port, tcp: false, turn: None, turn_ttl: None }
    }
}

/// A part of a server's configuration, and what stands before its TURN server.
pub(super) struct MediaConfig {
    pub(super) yaml: String,
    pub(super) turn_entrance: Option<CuttingProxy>,
}

impl ServerMedia {
    pub(crate) fn ipv6() -> Self {
        Self { address: Ipv6Addr::LOCALHOST.into(), ..Self::default() }
    }

    pub(super) fn config(&self, folder: &Path, version: ServerVersion) -> MediaConfig {
        let (turn, turn_entrance) = match &self.turn {
            None => (String::new(), None),
            Some(ServerTurn::Udp) => {
                let udp_port = format!("udp_port: {}", free_udp_port());
                (self.turn_config(version, &self.named_address().to_string(), &udp_port), None)
            }
            Some(ServerTurn::Tls(authority)) => {
                let (listener, address) = turn_listener();
                let tls_port = super::peers::free_tcp_port();
                let ServerCertificate { certificate, key } =
                    authority.certify(&address.to_string());
                let (certificate_file, key_file) =
                    (folder.join("turn.pem"), folder.join("turn.key"));
                fs::write(&certificate_file, certificate).expect("a file can be written");
                fs::write(&key_file, key).expect("a file can be written");
                let options = format!(
                    "tls_port: {tls_port}, cert_file: \"{}\", key_file: \"{}\"",
                    certificate_file.display(),
                    key_file.display()
                );
                let entrance = CuttingProxy::before(listener, tls_port);
                (self.turn_config(version, &address.to_string(), &options), Some(entrance))
            }
        };
        let tcp_port = if self.tcp { super::peers::free_tcp_port() } else { 0 };
        // Without a port for TCP, a server whose UDP failed once would name no address at all.
        let (fallback, udp) = (self.tcp, self.udp_config());
        // It names one address for all, and answers at the first only.
        let only = match self.address {
            IpAddr::V4(address) if !address.is_loopback() => {
                format!(", ips: {{includes: [\"{address}/32\"]}}")
            }
            _ => String::new(),
        };
        let yaml = format!(
            "rtc: {{tcp_port: {tcp_port}, allow_tcp_fallback: {fallback}, use_external_ip: false, \
             enable_loopback_candidate: true, interfaces: {{includes: [lo]}}{only}, {udp}}}\n{turn}"
        );
        MediaConfig { yaml, turn_entrance }
    }

    fn udp_config(&self) -> String {
        match self.udp {
            ServerUdp::Port => {
                format!("node_ip: \"{}\", udp_port: {}", self.address, free_udp_port())
            }
            ServerUdp::Behind(address, port) => {
                // Otherwise the server would ask its peers itself, past the proxy.
                format!("node_ip: \"{address}\", udp_port: {port}, use_ice_lite: true")
            }
            ServerUdp::Ports(count) => {
                let first = free_udp_ports(count);
                let last = first + count - 1;
                format!(
                    "node_ip: \"{}\", port_range_start: {first}, port_range_end: {last}",
                    self.address
                )
            }
        }
    }

    /// The address that it names for media, and for TURN over UDP.
    fn named_address(&self) -> IpAddr {
        match self.udp {
            ServerUdp::Behind(address, _) => address.into(),
            ServerUdp::Port | ServerUdp::Ports(_) => self.address,
        }
    }

    fn turn_config(&self, version: ServerVersion, domain: &str, options: &str) -> String {
        let ttl = self.turn_ttl.map(|ttl| format!("ttl_seconds: {ttl}, ")).unwrap_or_default();
        // Older servers stop at options that they do not know, and listen at and relay to every address.
        let address = match version {
            ServerVersion::Newest => format!(
                "bind_addresses: [\"{}\"], allow_restricted_peer_cidrs: [127.0.0.0/8], {ttl}",
                self.named_address()
            ),
            ServerVersion::V1_8_4 | ServerVersion::V1_9_11 => String::new(),
        };
        format!("turn: {{enabled: true, domain: \"{domain}\", {address}{options}}}\n")
    }
}

/// A listener at an address of this machine that nobody else uses, at the port of TURN over TLS.
fn turn_listener() -> (TcpListener, Ipv4Addr) {
    let addresses = (1..=254).map(|last| Ipv4Addr::new(127, 77, 7, last));
    let mut listeners =
        addresses.filter_map(|at| Some((TcpListener::bind((at, TURN_TLS_PORT)).ok()?, at)));
    listeners.next().expect("port 443 of some loopback address is free, and this user may bind it")
}

fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port is free");
    socket.local_addr().expect("it is bound").port()
}

/// The first of `count` ports in a row that are free, outside those that systems give away.
fn free_udp_ports(count: u16) -> u16 {
    let is_free = |port| UdpSocket::bind(("127.0.0.1", port)).is_ok();
    let mut firsts = (20_000..30_000).step_by(usize::from(count));
    firsts.find(|first| (*first..first + count).all(is_free)).expect("some ports in a row are free")
}
