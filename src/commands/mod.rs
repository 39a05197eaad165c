//! The commands: a file or a folder for each, with its arguments and its help.

#[cfg(feature = "native")]
pub(crate) mod agent;
pub(crate) mod capacity;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod judge;
pub(crate) mod man;
pub(crate) mod mark;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod soak;
pub(crate) mod stop;
pub(crate) mod sweep;
pub(crate) mod validate;
#[cfg(feature = "fleet")]
pub(crate) mod worker;
#[cfg(feature = "fleet")]
mod worker_measure;
#[cfg(feature = "fleet")]
pub(crate) mod workers;
