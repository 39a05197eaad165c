//! Recordings of a session's conversations: spooled to the disk while callers talk, and kept or deleted when it is
//! known how a run ended.
//!
//! Callers make them and pass them on without waiting; `keeper` is a thread that writes them, by what
//! `rushhour_core::recording` decides, into the files of `recording_files`.

mod keeper;
mod recording_files;
mod store;

pub(crate) use store::SessionRecordings;
