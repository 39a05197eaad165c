//! From the journal of a session to its reports: reading and folding events, analysis, rendering.
//!
//! Analysis (`session`, `compare`, `paired`, `judged`, `soak`, `capacity`) produces data. `render` turns it into bytes and
//! sentences, and computes nothing.

pub mod capacity;
pub mod compare;
pub mod fold;
pub mod journal;
pub mod judged;
pub mod live;
pub mod paired;
pub mod render;
pub mod session;
pub mod soak;
