//! Networks as they are: loss, delay, jitter, reordering and bandwidth, between a caller's UDP socket and its media.
//!
//! `path_model` says what becomes of each datagram, `emulated_network` keeps those that are on their way. Neither reads a
//! clock or a socket: the engine passes datagrams and time in.

mod emulated_network;
mod path_model;

pub(crate) use emulated_network::Delivery;
pub use emulated_network::EmulatedNetwork;
pub use path_model::{DatagramFate, PathModel};
