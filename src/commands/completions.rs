//! `rushhour completions`: what a shell needs to complete our words.

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments};
use crate::exit::Exit;
use crate::print;

pub(crate) fn completions(arguments: &CompletionsArguments) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "rushhour", &mut script);
    print::out(String::from_utf8_lossy(&script).trim_end());
    Exit::Passed
}
