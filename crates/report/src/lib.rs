//! From the journal of a session to its reports: reading and folding events, analysis, rendering.

pub mod capacity;
pub mod fold;
pub mod journal;
pub mod report;
pub mod soak;
