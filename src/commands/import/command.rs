//! Reads the file, writes the script, and says what was left out.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::structured_test::script_of;
use crate::bounded_file::{MAX_TEXT, read_bounded};
use crate::error::CliError;
use crate::exit::Exit;
use crate::new_file::write_new_file;
use crate::print;

const HELP: &str = "\
A structured test has conditions, such as \"when the agent asks for your name\", and what the caller does then. What it says word for word (fixed_message) becomes a turn or a rule of a script. Everything else is left out, and listed. A condition is plain English, and a rule needs a regular expression: the words of the condition are a first guess, to be corrected.

Examples:
  # What GET /test_framework/v1/scenarios/30/ returned
  rushhour import scenario-30.json --to scripts/scenario-30.toml";

/// Make a script of a structured test of Cekura.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct ImportArgs {
    /// The test as JSON: a scenario of Cekura's API, or its `conditional_actions` alone.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// The script to write; it must not exist. Without it, the script goes to standard output.
    #[arg(long, value_name = "SCRIPT", value_hint = ValueHint::FilePath)]
    to: Option<PathBuf>,
}

pub(crate) fn import(arguments: &ImportArgs) -> Result<Exit, CliError> {
    let shown = arguments.file.display();
    let bytes = read_bounded(&arguments.file, MAX_TEXT)
        .map_err(|error| CliError::usage(format!("cannot read {shown}")).caused_by(error))?;
    let json = serde_json::from_slice(&bytes)
        .map_err(|error| CliError::usage(format!("{shown} is not JSON")).caused_by(error))?;
    let imported = script_of(&json).map_err(|error| {
        let hint = error.hint();
        CliError::usage(format!("{shown} cannot become a script")).caused_by(error).with_hint(hint)
    })?;
    match &arguments.to {
        None => print::stdout(imported.script.trim_end()),
        Some(path) => {
            write_new_file(path, &imported.script)?;
            print::stderr(&format!(
                "Wrote {}. Correct what its rules hear, and give its turns clips or the profile [speech].",
                path.display()
            ));
        }
    }
    for line in &imported.left_out {
        print::stderr(&format!("Left out: {line}"));
    }
    Ok(Exit::Passed)
}
