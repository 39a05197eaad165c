//! A file that the user named, and that is not there yet.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::error::CliError;

/// Writes a new file, and never over another one.
pub(crate) fn write_new_file(path: &Path, text: &str) -> Result<(), CliError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())
    };
    let shown = path.display();
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            CliError::usage(format!("{shown} exists, and is not overwritten"))
                .with_hint("name another file")
        }
        _ => CliError::usage(format!("cannot write {shown}")).caused_by(error),
    })
}
