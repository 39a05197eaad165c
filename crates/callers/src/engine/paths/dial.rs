//! Connections that take time to make: they are made on the runtime, and come back to the participant's thread.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::participant::IceServer;
use rushhour_core::event::MediaPath;
use rushhour_livekit::http::{ProxyServer, connect_stream};

/// How long a connection may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is reached.
pub(super) enum DialTarget {
    /// The server's own address, for ICE over TCP.
    Server(SocketAddr),
    /// A TURN server.
    Relay(IceServer),
}

/// What a connection is made of.
pub(super) enum Dialed {
    /// A TCP connection.
    Stream(TcpStream),
    /// The address of a TURN server over UDP, of the family that was looked for where there is one.
    Address(SocketAddr),
}

/// A connection that was made, or was not.
pub(super) struct DialResult {
    pub(super) target: DialTarget,
    pub(super) result: Result<Dialed, String>,
}

/// Makes a connection.
pub(super) async fn dial(target: DialTarget) -> DialResult {
    let result = match timeout(TIMEOUT, connect(&target)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    };
    DialResult { target, result }
}

async fn connect(target: &DialTarget) -> Result<Dialed, String> {
    let stream = match target {
        DialTarget::Server(address) => {
            let stream = tokio::net::TcpStream::connect(address).await;
            stream.map_err(|error| error.to_string())?
        }
        DialTarget::Relay(IceServer { path: MediaPath::TurnUdp, host, port, .. }) => {
            let mut found =
                lookup_host((host.as_str(), *port)).await.map_err(|error| error.to_string())?;
            return found.next().map(Dialed::Address).ok_or_else(|| "it has no address".to_owned());
        }
        DialTarget::Relay(server) => {
            let host = if server.host.contains(':') {
                format!("[{}]", server.host)
            } else {
                server.host.clone()
            };
            let scheme = if server.path == MediaPath::TurnTls { "https" } else { "http" };
            let url = format!("{scheme}://{host}:{}", server.port);
            let proxy = ProxyServer::for_service(&url);
            connect_stream(&url, proxy.as_ref()).await.map_err(|error| error.to_string())?
        }
    };
    let _ = stream.set_nodelay(true);
    stream.into_std().map(Dialed::Stream).map_err(|error| error.to_string())
}
