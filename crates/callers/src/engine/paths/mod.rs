//! The ways of one participant's packets to its server: UDP sockets, TCP connections and addresses on TURN servers.

mod byte_stream;
mod dial;
mod framing;
mod media_paths;
mod peer_paths;
mod relay;

pub(super) use media_paths::MediaPaths;
pub(super) use peer_paths::PeerPaths;
