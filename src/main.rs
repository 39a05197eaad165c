//! The `rushhour` command line: parse, wire the crates together, open files, print, exit code.

mod abort_on_fail;
mod app;
mod arguments;
mod commands;
mod credentials;
#[cfg(test)]
mod documentation;
mod exit;
mod folder;
mod forecast_text;
mod history_file;
mod journal_reader;
mod load_profile;
mod native_callers;
mod print;
mod progress;
mod report_writer;
mod services;
mod session_runner;
mod signals;
mod spending;
mod worker_monitor;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main()
}
