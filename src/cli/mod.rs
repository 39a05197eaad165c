//! The command line: parse, wire the rooms together, open files, print, exit code. One file per command.

mod aborting;
#[cfg(feature = "native")]
mod agent;
mod arguments;
mod attending;
mod capacity;
mod compare;
mod completions;
mod conducting;
mod credentials;
mod doctor;
mod exit;
mod folder;
mod forecast_text;
mod history;
mod history_file;
mod init;
mod judge;
mod load_profile;
mod main;
mod merge;
mod our_callers;
mod outside;
mod plan;
mod print;
mod progress;
mod reading;
mod rendering;
mod report;
mod resume;
mod run;
mod sandbox;
mod schema;
mod signals;
mod soak;
mod spending;
mod sweep;
mod validate;

pub use exit::Exit;
pub use main::main;
