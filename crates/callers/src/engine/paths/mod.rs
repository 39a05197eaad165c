//! The ways of one participant's packets to its server: UDP sockets, TCP connections and addresses on TURN servers.

mod byte_stream;
mod describe;
mod dial;
mod framing;
mod media_paths;
mod peer_paths;
mod relay;
mod tcp_way;
#[cfg(test)]
mod tests;

pub(super) use media_paths::MediaPaths;
pub(super) use peer_paths::PeerPaths;
