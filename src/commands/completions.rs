//! `rushhour completions`: prints the completion script of a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command_line::CommandLine;
use crate::exit::Exit;
use crate::print;

const HELP: &str = "\
Examples:
  rushhour completions zsh > ~/.zfunc/_rushhour";

/// Print the completion script of a shell.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(crate) fn completions(arguments: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "rushhour", &mut script);
    print::stdout(String::from_utf8_lossy(&script).trim_end());
    Exit::Passed
}
