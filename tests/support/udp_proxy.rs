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

type Peers = Arc<Mutex<HashMap<SocketAddr, Peer>>>;

struct Peer {
    to_server: Arc<UdpSocket>,
    /// The name in its last check that passed; another one comes with a restart of ICE.
    username: Vec<u8>,
    passage: Passage,
}

/// What becomes of what a peer sends and is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    /// It is dropped until the peer restarts ICE.
    Forgotten,
    /// It is dropped.
    Barred,
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
        self.let_all_be(Passage::Forgotten)
    }

    /// The same for good; others pass.
    pub(crate) fn bar(&self) -> usize {
        self.let_all_be(Passage::Barred)
    }

    fn let_all_be(&self, passage: Passage) -> usize {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        for peer in peers.values_mut() {
            peer.passage = passage;
        }
        peers.len()
    }
}

fn pass_on(datagram: &[u8], from: SocketAddr, port: u16, entrance: &Arc<UdpSocket>, known: &Peers) {
    let mut peers = known.lock().unwrap_or_else(PoisonError::into_inner);
    let peer = peers.entry(from).or_insert_with(|| {
        let to_server =
            Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free"));
        to_server.connect((Ipv4Addr::LOCALHOST, port)).expect("it is on this machine");
        let (socket, entrance, known) = (to_server.clone(), entrance.clone(), known.clone());
        thread::spawn(move || answer(from, &socket, &entrance, &known));
        Peer { to_server, username: Vec::new(), passage: Passage::Open }
    });
    if let Some(username) = username(datagram) {
        if peer.passage == Passage::Forgotten && peer.username != username {
            peer.passage = Passage::Open;
        }
        if peer.passage == Passage::Open {
            peer.username = username.to_vec();
        }
    }
    if peer.passage == Passage::Open {
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
        if peers.get(&peer).is_some_and(|peer| peer.passage == Passage::Open) {
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
