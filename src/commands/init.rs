//! `rushhour init`: writes a commented profile to start from.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::error::CliError;
use crate::exit::Exit;
use crate::new_file::write_new_file;
use crate::print;
use rushhour_core::profile::starting_profile;

/// Write a commented profile to start from.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The file to write; it must not exist.
    #[arg(value_name = "FILE", default_value = "rushhour.toml", value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

pub(crate) fn init(arguments: &InitArgs) -> Result<Exit, CliError> {
    let path = &arguments.file;
    let shown = path.display();
    write_new_file(path, starting_profile())?;
    print::stdout(&format!(
        "Wrote {shown}. Edit it, then check it with `rushhour validate {shown}` and see what it would do with `rushhour plan {shown}`."
    ));
    Ok(Exit::Passed)
}
