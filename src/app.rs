//! From arguments to a command to an exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::exit::{CliError, Exit};
use crate::{
    commands::capacity, commands::compare, commands::completions, commands::doctor,
    commands::history, commands::init, commands::judge, commands::merge, commands::plan,
    commands::report, commands::resume, commands::run, commands::sandbox, commands::schema,
    commands::soak, commands::sweep, commands::validate, print,
};

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Passed };
            return exit.into();
        }
    };
    match carry_out(&arguments.command) {
        Ok(exit) => exit.into(),
        Err(trouble) => {
            print::trouble(&trouble.message);
            trouble.exit.into()
        }
    }
}

fn carry_out(command: &Command) -> Result<Exit, CliError> {
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Soak(arguments) => soak::soak(arguments),
        Command::Capacity(arguments) => capacity::capacity(arguments),
        Command::History(arguments) => history::history(arguments),
        Command::Resume(arguments) => resume::resume(arguments),
        Command::Judge(arguments) => judge::judge(arguments),
        Command::Plan(arguments) => plan::plan(arguments),
        Command::Validate(arguments) => validate::validate(arguments),
        Command::Doctor(arguments) => doctor::doctor(arguments),
        Command::Report(arguments) => report::report(arguments),
        Command::Merge(arguments) => merge::merge(arguments),
        Command::Compare(arguments) => compare::compare(arguments),
        Command::Sweep(arguments) => sweep::sweep(arguments),
        Command::Sandbox(arguments) => sandbox::sandbox(arguments),
        #[cfg(feature = "native")]
        Command::Agent(arguments) => crate::commands::agent::agent(arguments),
        Command::Init(arguments) => init::init(arguments),
        Command::Schema(arguments) => Ok(schema::schema(arguments)),
        Command::Completions(arguments) => Ok(completions::completions(arguments)),
        Command::Man(arguments) => crate::commands::man::man(arguments),
    }
}
