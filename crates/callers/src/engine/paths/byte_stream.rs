//! A TCP connection that is read and written at ticks, in clear or over TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use rushhour_livekit::http::CertificateProblem;

/// What waits to be written, at most: two seconds of audio and data. Media that comes too late is of no use.
const MAX_OUTGOING: usize = 64 << 10;
/// What is read at one tick, at most: a flood must not delay the other participants.
const MAX_READ: usize = 256 << 10;

/// A connection to a server.
pub(super) struct ByteStream {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What the system has not taken yet.
    outgoing: Vec<u8>,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl ByteStream {
    /// A connection in clear.
    pub(super) fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        let (local, remote) = (tcp.local_addr()?, tcp.peer_addr()?);
        Ok(Self { tcp, tls: None, outgoing: Vec::new(), local, remote })
    }

    /// A connection over TLS to the server `host`.
    pub(super) fn encrypted(
        tcp: TcpStream,
        host: &str,
        config: Arc<ClientConfig>,
    ) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let tls = ClientConnection::new(config, name).map_err(|error| error.to_string())?;
        let plain = Self::plain(tcp).map_err(|error| error.to_string())?;
        Ok(Self { tls: Some(Box::new(tls)), ..plain })
    }

    /// Queues what `append` adds, and writes as much as the system takes. Returns whether there was room.
    pub(super) fn send(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.outgoing.len() > MAX_OUTGOING {
            return false;
        }
        append(&mut self.outgoing);
        // An error shows again when the stream is read.
        let _ = self.flush();
        true
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        self.try_flush().map_err(|error| words(&error))
    }

    fn try_flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => {
                let mut written = 0;
                let result = loop {
                    match self.outgoing.get(written..) {
                        None | Some([]) => break Ok(()),
                        Some(rest) => match self.tcp.write(rest) {
                            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                            Ok(count) => written += count,
                            Err(error) => break until_blocked(error),
                        },
                    }
                };
                self.outgoing.drain(..written);
                result
            }
            Some(tls) => {
                if !tls.is_handshaking() {
                    let taken = tls.writer().write(&self.outgoing)?;
                    self.outgoing.drain(..taken);
                }
                while tls.wants_write() {
                    if let Err(error) = tls.write_tls(&mut self.tcp) {
                        return until_blocked(error);
                    }
                }
                Ok(())
            }
        }
    }

    /// Appends what arrived to `received`.
    pub(super) fn receive(&mut self, received: &mut Vec<u8>) -> Result<(), String> {
        let result = match &mut self.tls {
            None => read_all(&mut self.tcp, received),
            Some(tls) => read_encrypted(tls, &mut self.tcp, received),
        };
        result.and_then(|()| self.try_flush()).map_err(|error| words(&error))
    }
}

fn read_encrypted(
    tls: &mut ClientConnection,
    tcp: &mut TcpStream,
    received: &mut Vec<u8>,
) -> io::Result<()> {
    for _ in 0..MAX_READ / 4_096 {
        let closed = match tls.read_tls(tcp) {
            Ok(count) => count == 0,
            Err(error) => return until_blocked(error),
        };
        tls.process_new_packets().map_err(io::Error::other)?;
        match read_all(&mut tls.reader(), received) {
            Ok(()) if closed => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn read_all(source: &mut impl Read, received: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    for _ in 0..MAX_READ / buffer.len() {
        match source.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) => return until_blocked(error),
        }
    }
    Ok(())
}

/// Nothing more can be read or written now: that is no error.
fn until_blocked(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

fn words(error: &io::Error) -> String {
    match CertificateProblem::find(error) {
        Some(problem) => problem.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the other side closed the connection".to_owned()
        }
        None => error.to_string(),
    }
}
