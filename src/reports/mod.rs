//! Reports of sessions and of capacity searches: written from journals alone, always in the same way.

pub(crate) mod history_file;
pub(crate) mod journal;
pub(crate) mod locate;
pub(crate) mod output_file;
pub(crate) mod recordings;
pub(crate) mod search_log;
pub(crate) mod search_reports;
pub(crate) mod session_reports;
pub(crate) mod soak_file;
