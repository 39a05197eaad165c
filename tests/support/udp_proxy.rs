//! A UDP proxy in front of livekit-server that forgets connections, as a network address translator does that was
//! started again: what comes from a peer is dropped until ICE has been restarted.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The longest datagram of WebRTC.
const BUFFER: usize = 2_048;
/// The type of a request that checks a path, and of its attribute that names the peers (RFC 8489).
const BINDING_REQUEST: [u8; 2] = [0, 1];
const USERNAME: u16 = 6;
const STUN_HEADER: usize = 20;

/// A proxy to one port of this machine, at the same port of another loopback address.
pub(crate) struct UdpProxy {
    address: Ipv4Addr,
    port: u16,
    peers: Peers,
}

type Peers = Arc<Mutex<KnownPeers>>;

#[derive(Default)]
struct KnownPeers {
    known: HashMap<SocketAddr, Peer>,
    /// Whether nothing passes any more.
    is_down: bool,
}

struct Peer {
    to_server: Arc<UdpSocket>,
    /// The name in its last check that passed; another one comes with a restart of ICE.
    username: Vec<u8>,
    is_forgotten: bool,
}

impl UdpProxy {
    pub(crate) fn start() -> Self {
        let (entrance, address, port) = (1..=254)
            .find_map(|last| {
                let address = Ipv4Addr::new(127, 77, 8, last);
                let entrance = UdpSocket::bind((address, 0)).ok()?;
                let port = entrance.local_addr().ok()?.port();
                UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
                Some((Arc::new(entrance), address, port))
            })
            .expect("a port is free");
        let peers = Peers::default();
        let known = Arc::clone(&peers);
        thread::spawn(move || {
            let mut buffer = [0; BUFFER];
            while let Ok((length, from)) = entrance.recv_from(&mut buffer) {
                pass_on(&buffer[..length], from, port, &entrance, &known);
            }
        });
        Self { address, port, peers }
    }

    /// The address and the port of the proxy; the server is at the same port of 127.0.0.1.
    pub(crate) const fn address(&self) -> (Ipv4Addr, u16) {
        (self.address, self.port)
    }

    /// Drops what goes between the server and the peers that it knows, until they restart ICE. Returns how many they are.
    pub(crate) fn forget(&self) -> usize {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        for peer in peers.known.values_mut() {
            peer.is_forgotten = true;
        }
        peers.known.len()
    }

    /// Drops everything from now on.
    pub(crate) fn take_down(&self) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).is_down = true;
    }
}

fn pass_on(datagram: &[u8], from: SocketAddr, port: u16, entrance: &Arc<UdpSocket>, known: &Peers) {
    let mut peers = known.lock().unwrap_or_else(PoisonError::into_inner);
    if peers.is_down {
        return;
    }
    let peer = peers.known.entry(from).or_insert_with(|| {
        let to_server =
            Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free"));
        to_server.connect((Ipv4Addr::LOCALHOST, port)).expect("it is on this machine");
        let (socket, entrance, known) = (to_server.clone(), entrance.clone(), known.clone());
        thread::spawn(move || answer(from, &socket, &entrance, &known));
        Peer { to_server, username: Vec::new(), is_forgotten: false }
    });
    if let Some(username) = username(datagram) {
        if peer.is_forgotten && peer.username != username {
            peer.is_forgotten = false;
        }
        if !peer.is_forgotten {
            peer.username = username.to_vec();
        }
    }
    if !peer.is_forgotten {
        let _ = peer.to_server.send(datagram);
    }
}

/// Passes on what the server sends to a peer.
fn answer(peer: SocketAddr, server: &UdpSocket, entrance: &UdpSocket, known: &Peers) {
    let mut buffer = [0; BUFFER];
    loop {
        // The server may not listen yet, or not any more.
        let Ok(length) = server.recv(&mut buffer) else { continue };
        let peers = known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = peers.known.get(&peer).is_some_and(|peer| !peer.is_forgotten);
        if is_known && !peers.is_down {
            let _ = entrance.send_to(&buffer[..length], peer);
        }
    }
}

/// The name in a check of a path.
fn username(datagram: &[u8]) -> Option<&[u8]> {
    if !datagram.starts_with(&BINDING_REQUEST) {
        return None;
    }
    let mut attributes = datagram.get(STUN_HEADER..)?;
    loop {
        let (header, rest) = attributes.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if u16::from_be_bytes([header[0], header[1]]) == USERNAME {
            return rest.get(..length);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
}
