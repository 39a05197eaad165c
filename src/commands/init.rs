//! `rushhour init`: writes a commented profile to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::error::CliError;
use crate::exit::Exit;
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
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(starting_profile().as_bytes())
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            CliError::usage(format!("{shown} exists, and is not overwritten"))
                .with_hint("name another file")
        }
        _ => CliError::usage(format!("cannot write {shown}")).caused_by(error),
    })?;
    print::stdout(&format!(
        "Wrote {shown}. Edit it, then check it with `rushhour validate {shown}` and see what it would do with `rushhour plan {shown}`."
    ));
    Ok(Exit::Passed)
}
