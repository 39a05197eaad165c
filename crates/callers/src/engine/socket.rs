//! One participant's UDP socket: datagrams are sent one by one, and received in batches with the kernel's timestamps.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags};

use super::clock::EngineClock;
use rushhour_core::units::SessionTime;

/// WebRTC's datagrams are shorter than this.
const MAX_DATAGRAM_BYTES: usize = 2_048;
/// Datagrams received by one system call, at most: rarely more than two have arrived, and each place costs something.
const BATCH_SIZE: usize = 4;
/// Batches received at one tick, at most: a flood must not delay the other participants.
const MAX_BATCHES: usize = 16;

/// A socket bound to the local address that reaches the server.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Socket {
    /// Binds a socket to the local address that reaches `server`.
    pub(super) fn towards(server: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        // Connecting a UDP socket sends nothing; it looks the route up.
        let probe = UdpSocket::bind((any, 0))?;
        probe.connect(server)?;
        let ip = probe.local_addr()?.ip();
        drop(probe);
        let socket = UdpSocket::bind((ip, 0))?;
        socket.set_nonblocking(true)?;
        timestamps::enable(&socket)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    pub(super) const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// For asking whether something has arrived, together with other sockets.
    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)
    }

    /// Sends a datagram. Returns whether the system accepted it.
    pub(super) fn send(&self, to: SocketAddr, datagram: &[u8]) -> bool {
        self.socket.send_to(datagram, to).is_ok()
    }
}

/// The memory of one batch, shared by the sockets of a thread.
pub(super) struct ReceiveBuffers {
    datagrams: Box<Datagrams>,
    batch: timestamps::Batch,
}

type Datagrams = [[u8; MAX_DATAGRAM_BYTES]; BATCH_SIZE];

impl Default for ReceiveBuffers {
    fn default() -> Self {
        let datagrams = vec![[0; MAX_DATAGRAM_BYTES]; BATCH_SIZE].into_boxed_slice();
        let datagrams = datagrams.try_into().expect("its length is BATCH_SIZE");
        Self { datagrams, batch: timestamps::Batch::default() }
    }
}

impl ReceiveBuffers {
    /// Passes the datagrams that have arrived at a socket to `handle`, with the sender's address and the time.
    pub(super) fn receive_all(
        &mut self,
        socket: &Socket,
        clock: &EngineClock,
        mut handle: impl FnMut(&[u8], SocketAddr, SessionTime),
    ) {
        for _ in 0..MAX_BATCHES {
            let count = self.batch.receive(&mut self.datagrams, socket, clock, &mut handle);
            if count < BATCH_SIZE {
                break;
            }
        }
    }
}

#[cfg(any(not(target_os = "linux"), feature = "portable"))]
use portable as timestamps;

#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod timestamps {
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
    use std::os::fd::AsRawFd;

    use nix::cmsg_space;
    use nix::sys::socket::sockopt::ReceiveTimestampns;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike,
        recvmmsg, setsockopt,
    };
    use nix::sys::time::TimeSpec;

    use super::{BATCH_SIZE, Datagrams, EngineClock, SessionTime, Socket};
    use rushhour_core::units::Micros;

    pub(super) fn enable(socket: &UdpSocket) -> io::Result<()> {
        Ok(setsockopt(socket, ReceiveTimestampns, &true)?)
    }

    /// Receives with `recvmmsg`. Each address family has headers of its own, because the kernel writes the length of
    /// the last address into them.
    pub(super) struct Batch {
        v4: MultiHeaders<SockaddrIn>,
        v6: MultiHeaders<SockaddrIn6>,
    }

    impl Default for Batch {
        fn default() -> Self {
            let control = || Some(cmsg_space!(TimeSpec));
            Self {
                v4: MultiHeaders::preallocate(BATCH_SIZE, control()),
                v6: MultiHeaders::preallocate(BATCH_SIZE, control()),
            }
        }
    }

    impl Batch {
        pub(super) fn receive(
            &mut self,
            datagrams: &mut Datagrams,
            socket: &Socket,
            clock: &EngineClock,
            handle: &mut impl FnMut(&[u8], SocketAddr, SessionTime),
        ) -> usize {
            match socket.local {
                SocketAddr::V4(_) => {
                    receive(&mut self.v4, datagrams, socket, clock, |b, from, at| {
                        handle(b, SocketAddr::V4(SocketAddrV4::from(from)), at);
                    })
                }
                SocketAddr::V6(_) => {
                    receive(&mut self.v6, datagrams, socket, clock, |b, from, at| {
                        handle(b, SocketAddr::V6(SocketAddrV6::from(from)), at);
                    })
                }
            }
        }
    }

    fn receive<A: SockaddrLike + Copy>(
        headers: &mut MultiHeaders<A>,
        datagrams: &mut Datagrams,
        socket: &Socket,
        clock: &EngineClock,
        mut handle: impl FnMut(&[u8], A, SessionTime),
    ) -> usize {
        let mut slices = datagrams.each_mut().map(|datagram| [IoSliceMut::new(datagram)]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(messages) =
            recvmmsg(socket.socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)
        else {
            return 0;
        };
        let reading = clock.read_both();
        let mut count = 0;
        for message in messages {
            count += 1;
            let timestamp = message.cmsgs().ok().and_then(|mut control| {
                control.find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(timestamp) => Some(timestamp),
                    _ => None,
                })
            });
            let wall =
                timestamp.map(|timestamp| Micros::from(std::time::Duration::from(timestamp)));
            let at = reading.session_time(wall);
            if let (Some(from), Some(bytes)) = (message.address, message.iovs().next()) {
                handle(bytes, from, at);
            }
        }
        count
    }
}

// In tests on Linux too, where nothing else uses it.
#[cfg(any(test, not(target_os = "linux"), feature = "portable"))]
#[expect(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "it has the functions of the one with timestamps"
)]
mod portable {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};

    use super::{BATCH_SIZE, Datagrams, EngineClock, SessionTime, Socket};

    pub(super) fn enable(_socket: &UdpSocket) -> io::Result<()> {
        Ok(())
    }

    /// Receives one by one. Arrival times are those of the call, up to a tick late.
    #[derive(Default)]
    pub(super) struct Batch {}

    impl Batch {
        pub(super) fn receive(
            &mut self,
            datagrams: &mut Datagrams,
            socket: &Socket,
            clock: &EngineClock,
            handle: &mut impl FnMut(&[u8], SocketAddr, SessionTime),
        ) -> usize {
            let mut count = 0;
            while count < BATCH_SIZE {
                let Ok((length, from)) = socket.socket.recv_from(&mut datagrams[0]) else { break };
                handle(&datagrams[0][..length], from, clock.read_both().session_time(None));
                count += 1;
            }
            count
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Socket, clock and peer, which has sent 40 datagrams that begin with their number.
    #[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
    fn sent_to() -> (Socket, EngineClock, UdpSocket) {
        let clock = EngineClock::new(Instant::now(), 0);
        let socket = Socket::towards("127.0.0.1:9".parse().unwrap()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        // The kernel enables timestamps with a delay if no other socket uses them (net_enable_timestamp).
        std::thread::sleep(Duration::from_millis(100));
        for byte in 0..40_u8 {
            peer.send_to(&[byte; 100], socket.local_addr()).unwrap();
        }
        (socket, clock, peer)
    }

    fn assert_in_order(datagrams: &[(u8, SessionTime)]) {
        let order: Vec<u8> = datagrams.iter().map(|(byte, _)| *byte).collect();
        assert_eq!(order, (0..40).collect::<Vec<u8>>());
    }

    #[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
    #[test]
    fn datagrams_have_the_time_of_their_arrival_not_of_the_receive_call() {
        let (socket, clock, peer) = sent_to();
        let sent = clock.now();
        std::thread::sleep(Duration::from_millis(50));
        let received = clock.now();
        let mut datagrams = Vec::new();
        ReceiveBuffers::default().receive_all(&socket, &clock, |bytes, from, at| {
            assert_eq!((bytes.len(), from), (100, peer.local_addr().unwrap()));
            datagrams.push((bytes[0], at));
        });
        assert_in_order(&datagrams);
        if cfg!(all(target_os = "linux", not(feature = "portable"))) {
            let half = received.since(sent).0 / 2;
            assert!(datagrams.iter().all(|(_, at)| at.0 < sent.0 + half), "{datagrams:?}");
        }
    }

    #[test]
    fn other_systems_receive_all_datagrams_in_order_too() {
        let (socket, clock, peer) = sent_to();
        portable::enable(&socket.socket).unwrap();
        let (mut buffer, mut batch) = (ReceiveBuffers::default(), portable::Batch::default());
        let (mut datagrams, mut batches) = (Vec::new(), Vec::new());
        while batches.last().is_none_or(|count| *count == BATCH_SIZE) {
            let mut handle = |bytes: &[u8], from: SocketAddr, at: SessionTime| {
                assert_eq!((bytes.len(), from), (100, peer.local_addr().unwrap()));
                datagrams.push((bytes[0], at));
            };
            batches.push(batch.receive(&mut buffer.datagrams, &socket, &clock, &mut handle));
        }
        assert_eq!(batches, [vec![BATCH_SIZE; 40 / BATCH_SIZE], vec![40 % BATCH_SIZE]].concat());
        assert_in_order(&datagrams);
    }
}
