//! One participant's datagrams: sent at once, received many a call with the kernel's own times of arrival.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::clock::EngineClock;
use rushhour_core::units::SessionTime;

/// The longest datagram that WebRTC sends stays below this.
const LONGEST: usize = 2_048;
/// Datagrams taken in by one call.
const AT_ONCE: usize = 16;

/// A socket bound to the address from which the server is reached.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Socket {
    /// Binds a socket to the local address that leads to `server`.
    ///
    /// # Errors
    /// Where no address leads there, or the process may not open another socket.
    pub(super) fn towards(server: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        // Connecting sends nothing; it asks the routing table.
        let probe = UdpSocket::bind((any, 0))?;
        probe.connect(server)?;
        let ip = probe.local_addr()?.ip();
        drop(probe);
        let socket = UdpSocket::bind((ip, 0))?;
        socket.set_nonblocking(true)?;
        stamps::want(&socket)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Where it is bound.
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends a datagram; gives whether the system took it.
    pub(super) fn send(&self, to: SocketAddr, datagram: &[u8]) -> bool {
        self.socket.send_to(datagram, to).is_ok()
    }
}

/// Room for what one call takes in; one for each thread.
pub(super) struct ReceiveBuffers {
    buffers: Box<[[u8; LONGEST]; AT_ONCE]>,
    batch: stamps::Batch,
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        let buffers = vec![[0; LONGEST]; AT_ONCE].into_boxed_slice();
        let buffers = buffers.try_into().expect("as many as were made");
        Self { buffers, batch: stamps::Batch::default() }
    }
}

impl ReceiveBuffers {
    /// Hands over everything that has arrived at a socket, with where from and when.
    pub(super) fn empty(
        &mut self,
        socket: &Socket,
        clock: &EngineClock,
        mut take: impl FnMut(&[u8], SocketAddr, SessionTime),
    ) {
        // A flood is left for the next beat, so that the others have their turn.
        for _ in 0..4 {
            if self.batch.receive(&mut self.buffers, socket, clock, &mut take) < AT_ONCE {
                break;
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod stamps {
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

    use super::{AT_ONCE, EngineClock, LONGEST, SessionTime, Socket};
    use rushhour_core::units::Micros;

    pub(super) fn want(socket: &UdpSocket) -> io::Result<()> {
        Ok(setsockopt(socket, ReceiveTimestampns, &true)?)
    }

    /// Headers are kept apart by address family, because the kernel writes the length of the last
    /// address into them.
    pub(super) struct Batch {
        v4: MultiHeaders<SockaddrIn>,
        v6: MultiHeaders<SockaddrIn6>,
    }

    impl Default for Batch {
        fn default() -> Self {
            let room = || Some(cmsg_space!(TimeSpec));
            Self {
                v4: MultiHeaders::preallocate(AT_ONCE, room()),
                v6: MultiHeaders::preallocate(AT_ONCE, room()),
            }
        }
    }

    // The headers hold pointers into buffers that they own themselves, and stay where they are allocated.
    impl Batch {
        pub(super) fn receive(
            &mut self,
            buffers: &mut [[u8; LONGEST]; AT_ONCE],
            socket: &Socket,
            clock: &EngineClock,
            take: &mut impl FnMut(&[u8], SocketAddr, SessionTime),
        ) -> usize {
            match socket.local {
                SocketAddr::V4(_) => receive(&mut self.v4, buffers, socket, clock, take, |from| {
                    SocketAddr::V4(SocketAddrV4::from(from))
                }),
                SocketAddr::V6(_) => receive(&mut self.v6, buffers, socket, clock, take, |from| {
                    SocketAddr::V6(SocketAddrV6::from(from))
                }),
            }
        }
    }

    fn receive<S: SockaddrLike + Copy>(
        headers: &mut MultiHeaders<S>,
        buffers: &mut [[u8; LONGEST]; AT_ONCE],
        socket: &Socket,
        clock: &EngineClock,
        take: &mut impl FnMut(&[u8], SocketAddr, SessionTime),
        address: impl Fn(S) -> SocketAddr,
    ) -> usize {
        let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(messages) =
            recvmmsg(socket.socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)
        else {
            return 0;
        };
        let both = clock.both();
        let mut count = 0;
        for message in messages {
            count += 1;
            let stamp = message.cmsgs().ok().and_then(|mut all| {
                all.find_map(|one| match one {
                    ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
                    _ => None,
                })
            });
            let at = stamp.map_or(both.now(), |stamp| {
                let duration = std::time::Duration::from(stamp);
                both.place(Micros::from(duration))
            });
            if let (Some(from), Some(bytes)) = (message.address, message.iovs().next()) {
                take(bytes, address(from), at);
            }
        }
        count
    }
}

#[cfg(not(target_os = "linux"))]
mod stamps {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};

    use super::{AT_ONCE, EngineClock, LONGEST, SessionTime, Socket};

    pub(super) fn want(_socket: &UdpSocket) -> io::Result<()> {
        Ok(())
    }

    /// Datagrams one by one; their time is that of the look, up to a beat late.
    #[derive(Default)]
    pub(super) struct Batch;

    impl Batch {
        pub(super) fn receive(
            &mut self,
            buffers: &mut [[u8; LONGEST]; AT_ONCE],
            socket: &Socket,
            clock: &EngineClock,
            take: &mut impl FnMut(&[u8], SocketAddr, SessionTime),
        ) -> usize {
            let mut count = 0;
            while count < AT_ONCE {
                let Ok((length, from)) = socket.socket.recv_from(&mut buffers[0]) else { break };
                take(&buffers[0][..length], from, clock.now());
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

    #[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
    #[test]
    fn datagrams_come_with_the_time_of_their_arrival_not_of_the_look() {
        let clock = EngineClock::new(Instant::now(), 0);
        let socket = Socket::towards("127.0.0.1:9".parse().unwrap()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        // The kernel takes a moment to begin stamping when no socket had asked for it (net_enable_timestamp).
        std::thread::sleep(Duration::from_millis(100));
        for byte in 0..40_u8 {
            peer.send_to(&[byte; 100], socket.local()).unwrap();
        }
        let sent = clock.now();
        std::thread::sleep(Duration::from_millis(50));
        let looked = clock.now();
        let mut seen = Vec::new();
        ReceiveBuffers::default().empty(&socket, &clock, |bytes, from, at| {
            assert_eq!((bytes.len(), from), (100, peer.local_addr().unwrap()));
            seen.push((bytes[0], at));
        });
        let order: Vec<u8> = seen.iter().map(|(byte, _)| *byte).collect();
        assert_eq!(order, (0..40).collect::<Vec<u8>>());
        if cfg!(target_os = "linux") {
            let between = looked.since(sent).0 / 2;
            assert!(seen.iter().all(|(_, at)| at.0 < sent.0 + between), "{seen:?}");
        }
    }
}
