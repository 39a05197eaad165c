//! Which ways are opened when, on sockets of this machine.

use std::net::{SocketAddr, TcpListener};

use rushhour_core::event::MediaPath;
use rushhour_core::profile::MediaTransport;
use rushhour_core::units::{Micros, Secret, SessionTime};
use rushhour_livekit::http::TrustStore;

use super::MediaPaths;
use crate::engine::NetworkAccess;
use crate::participant::{IceServer, LocalCandidate, PacketProtocol, PacketRoute, ServerCandidate};

const UDP: PacketProtocol = PacketProtocol::Udp;
const TCP: PacketProtocol = PacketProtocol::Tcp;

fn paths(transport: MediaTransport) -> MediaPaths {
    let access = NetworkAccess { trust: TrustStore::system().unwrap(), transport };
    MediaPaths::new(None, &access, tokio::runtime::Handle::current())
}

fn at(ms: u64) -> SessionTime {
    SessionTime::START + Micros::from_millis(ms)
}

fn offer(paths: &mut MediaPaths, protocol: PacketProtocol, address: SocketAddr) {
    paths.add_server_candidate(ServerCandidate { protocol, address }, at(0));
}

/// Advances until there is a new address.
async fn next_candidate(paths: &mut MediaPaths, now: SessionTime) -> LocalCandidate {
    loop {
        paths.advance(now);
        if let Some(candidate) = paths.take_candidates().pop() {
            return candidate;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_socket_is_bound_for_each_address_family() {
    let mut paths = paths(MediaTransport::Any);
    offer(&mut paths, UDP, "127.0.0.1:9".parse().unwrap());
    offer(&mut paths, UDP, "[::1]:9".parse().unwrap());
    paths.advance(at(0));
    let bound: Vec<_> = paths.take_candidates();
    let [
        LocalCandidate::Host { protocol: UDP, address: v4 },
        LocalCandidate::Host { protocol: UDP, address: v6 },
    ] = bound[..]
    else {
        panic!("{bound:?}")
    };
    assert!(v4.is_ipv4() && v6.is_ipv6());
    assert_eq!(paths.describe(), "UDP to 127.0.0.1:9, [::1]:9: no answer");
}

#[tokio::test]
async fn tcp_is_tried_where_udp_does_not_connect_in_time_and_kept_only_if_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let mut paths = paths(MediaTransport::Any);
    offer(&mut paths, UDP, "127.0.0.1:9".parse().unwrap());
    offer(&mut paths, TCP, server);
    paths.advance(at(1_999));
    let [LocalCandidate::Host { protocol: UDP, address: udp }] = paths.take_candidates()[..] else {
        panic!("UDP alone")
    };
    let opened = next_candidate(&mut paths, at(2_000)).await;
    let LocalCandidate::Host { protocol: TCP, address: tcp } = opened else { panic!("{opened:?}") };
    let told = format!(
        "UDP to 127.0.0.1:9: no answer; TCP to {server}: connected, and the server does not answer"
    );
    assert_eq!(paths.describe(), told);

    // A check of the path is not media.
    let route = PacketRoute { protocol: TCP, local: tcp, remote: server };
    assert!(paths.send(route, &[0, 1], at(2_001)));
    assert_eq!(paths.path(), None);
    assert!(paths.send(route, &[22], at(2_002)));
    assert_eq!(paths.path(), Some(MediaPath::Tcp));
    assert!(paths.settle(at(8_000)).is_empty(), "the way that is used stays");

    let mut paths = self::paths(MediaTransport::Any);
    offer(&mut paths, UDP, "127.0.0.1:9".parse().unwrap());
    offer(&mut paths, TCP, server);
    let _ = (udp, next_candidate(&mut paths, at(0)).await);
    let tcp = next_candidate(&mut paths, at(2_000)).await;
    let local = paths.socket(0).unwrap().local_addr();
    let route = PacketRoute { protocol: UDP, local, remote: "127.0.0.1:9".parse().unwrap() };
    paths.send(route, &[22], at(2_001));
    assert_eq!(paths.path(), Some(MediaPath::Udp));
    assert!(paths.settle(at(7_000)).is_empty(), "not yet");
    assert_eq!(paths.settle(at(7_001)), [tcp]);
}

#[tokio::test]
async fn ways_are_opened_again_once_media_has_lost_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let mut paths = paths(MediaTransport::Any);
    offer(&mut paths, UDP, "127.0.0.1:9".parse().unwrap());
    offer(&mut paths, TCP, server);
    let opened = next_candidate(&mut paths, at(0)).await;
    let LocalCandidate::Host { protocol: UDP, address: local } = opened else {
        panic!("{opened:?}")
    };
    let udp = PacketRoute { protocol: UDP, local, remote: "127.0.0.1:9".parse().unwrap() };
    paths.send(udp, &[22], at(10));
    paths.advance(at(60_000));
    assert!(paths.take_candidates().is_empty(), "one way is enough");

    paths.search_again(at(60_000));
    // What is sent over the lost way meanwhile goes nowhere.
    paths.send(udp, &[22], at(60_001));
    paths.advance(at(61_999));
    assert!(paths.take_candidates().is_empty(), "UDP may be back");
    let tcp = next_candidate(&mut paths, at(62_000)).await;
    let LocalCandidate::Host { protocol: TCP, address: local } = tcp else { panic!("{tcp:?}") };
    paths.found();
    let route = PacketRoute { protocol: TCP, local, remote: server };
    paths.send(route, &[22], at(62_001));
    assert_eq!(paths.path(), Some(MediaPath::Tcp));
    assert!(paths.settle(at(62_001)).is_empty());

    // A connection that leads nowhere does not say so: another one is made.
    paths.search_again(at(90_000));
    let other = next_candidate(&mut paths, at(92_000)).await;
    assert_ne!(other, tcp);
    assert_eq!(paths.settle(at(92_001)), [tcp], "the lost one is withdrawn");

    // One that breaks does.
    let LocalCandidate::Host { protocol: TCP, address: local } = other else { panic!("{other:?}") };
    paths.found();
    paths.send(PacketRoute { local, ..route }, &[22], at(92_002));
    assert!(!paths.is_broken());
    let (lost, _) = listener.accept().unwrap();
    let (used, _) = listener.accept().unwrap();
    drop((lost, used));
    while !paths.is_broken() {
        paths.read_streams(at(92_003));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_way_that_was_chosen_is_the_only_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut tcp = paths(MediaTransport::Tcp);
    offer(&mut tcp, UDP, "127.0.0.1:9".parse().unwrap());
    offer(&mut tcp, TCP, address);
    while !tcp.describe().contains("refused") {
        tcp.advance(at(9_000));
        assert!(tcp.take_candidates().is_empty());
        tokio::task::yield_now().await;
    }
    let mut udp = paths(MediaTransport::Udp);
    offer(&mut udp, TCP, address);
    udp.advance(at(9_000));
    assert!(udp.take_candidates().is_empty());
    assert_eq!(udp.describe(), "the server offers no UDP");
    assert_eq!(paths(MediaTransport::Any).describe(), "the server named no address for media");
}

#[tokio::test]
async fn a_turn_server_that_cannot_be_reached_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut paths = paths(MediaTransport::Relay);
    paths.set_ice_servers(vec![IceServer {
        path: MediaPath::TurnTls,
        host: "127.0.0.1".to_owned(),
        port,
        username: "user".to_owned(),
        credential: Secret::new("password"),
    }]);
    offer(&mut paths, UDP, "127.0.0.1:9".parse().unwrap());
    let told = format!("TURN over TLS at 127.0.0.1:{port}: ");
    while !paths.describe().contains("refused") {
        paths.advance(at(0));
        tokio::task::yield_now().await;
    }
    assert!(paths.describe().starts_with(&told), "{}", paths.describe());
}
