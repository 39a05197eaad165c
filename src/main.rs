//! The `rushhour` command line: parses the arguments, runs one command, prints its error, and returns its exit code.

mod arguments;
mod bounded_file;
mod command_line;
mod commands;
mod credentials;
#[cfg(test)]
mod documentation;
mod error;
mod exit;
mod known_secrets;
mod load_profile;
mod logging;
#[cfg(feature = "fleet")]
mod nats_login;
mod new_file;
mod print;
mod profile_files;
mod profile_reference;
mod reports;
mod session;
mod signals;
#[cfg(feature = "native")]
mod speech;

use std::process::ExitCode;

use clap::Parser;
use tracing::info;

use crate::command_line::{Command, CommandLine};
use crate::error::CliError;
use crate::exit::Exit;
use rushhour_report::render::Style;

fn main() -> ExitCode {
    known_secrets::remember_environment();
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            // It may repeat a secret that was given as an argument.
            let (shown, is_error) = (error.render(), error.use_stderr());
            let style = if is_error { print::stderr_style() } else { print::stdout_style() };
            let text = match style {
                Style::Colours => shown.ansi().to_string(),
                Style::Plain => shown.to_string(),
            };
            if is_error {
                print::stderr(text.trim_end());
            } else {
                print::stdout(text.trim_end());
            }
            let exit = if is_error { Exit::Usage } else { Exit::Passed };
            return exit.into();
        }
    };
    match run(&command_line) {
        Ok(exit) => exit.into(),
        Err(error) => {
            print::error(&error);
            error.exit().into()
        }
    }
}

fn run(command_line: &CommandLine) -> Result<Exit, CliError> {
    logging::start(&command_line.log)?;
    info!(version = env!("CARGO_PKG_VERSION"), "started");
    let result = run_command(&command_line.command);
    match &result {
        Ok(exit) => info!(exit_code = *exit as u8, "finished"),
        Err(error) => {
            info!(exit_code = error.exit() as u8, error = error.one_line(), "finished");
        }
    }
    result
}

fn run_command(command: &Command) -> Result<Exit, CliError> {
    use crate::commands as c;
    match command {
        Command::Run(arguments) => c::run::run(arguments),
        Command::Capacity(arguments) => c::capacity::capacity(arguments),
        Command::Soak(arguments) => c::soak::soak(arguments),
        Command::Plan(arguments) => c::plan::plan(arguments),
        Command::Validate(arguments) => c::validate::validate(arguments),
        Command::Doctor(arguments) => c::doctor::doctor(arguments),
        Command::Mark(arguments) => c::mark::mark(arguments),
        Command::Stop(arguments) => c::stop::stop(arguments),
        Command::Report(arguments) => c::report::report(arguments),
        Command::Compare(arguments) => c::compare::compare(arguments),
        Command::History(arguments) => c::history::history(arguments),
        Command::Resume(arguments) => c::resume::resume(arguments),
        Command::Judge(arguments) => c::judge::judge(arguments),
        Command::Merge(arguments) => c::merge::merge(arguments),
        Command::Sweep(arguments) => c::sweep::sweep(arguments),
        Command::Sandbox(arguments) => c::sandbox::sandbox(arguments),
        #[cfg(feature = "native")]
        Command::Agent(arguments) => c::agent::agent(arguments),
        #[cfg(feature = "fleet")]
        Command::Worker(arguments) => c::worker::worker(arguments),
        #[cfg(feature = "fleet")]
        Command::Workers(arguments) => c::workers::workers(arguments),
        Command::Init(arguments) => c::init::init(arguments),
        Command::Import(arguments) => c::import::import(arguments),
        Command::Schema(arguments) => Ok(c::schema::schema(arguments)),
        Command::Completions(arguments) => Ok(c::completions::completions(arguments)),
        Command::Man(arguments) => c::man::man(arguments),
    }
}
