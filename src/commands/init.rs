//! `rushhour init`: a commented profile to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};

use crate::arguments::InitArguments;
use crate::exit::{CliError, Exit};
use crate::print;
use rushhour_core::profile::starting_profile;

pub(crate) fn init(arguments: &InitArguments) -> Result<Exit, CliError> {
    let path = &arguments.file;
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(starting_profile().as_bytes())
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CliError::usage(format!(
            "{} exists and is not overwritten; name another file",
            path.display()
        )),
        _ => CliError::usage(format!("cannot write {}: {error}", path.display())),
    })?;
    print::out(&format!(
        "wrote {0}; edit it, then `rushhour validate {0}` and `rushhour plan {0}`",
        path.display()
    ));
    Ok(Exit::Passed)
}
