//! Cekura's service: runs started by the manual LiveKit endpoints, followed by the bulk endpoint.
//!
//! Written to its documentation, which leaves the answers of those endpoints open; so everything is
//! accepted that can be understood, and nothing is sent twice that may have been accepted.

mod account;
mod client;
mod entries;
mod error_message;
mod status;

pub use account::{AccountError, PlanLimits, read_limits};
pub use client::{Cekura, CekuraConfig};
pub use entries::read_accepted;
pub use error_message::words_of;
pub use status::read_sights;
