//! Reading a profile from its file, the environment and the flags.

use std::fs;
use std::io;
use std::path::Path;

use super::arguments::ProfileArguments;
use super::exit::{Exit, Trouble};
use super::print;
use crate::profile::{ENVIRONMENT, Input, Loaded, explain, load};
use crate::report::Style;

/// Reads the profile that the arguments name.
pub(super) fn load_profile(arguments: &ProfileArguments) -> Result<Loaded, Trouble> {
    let path = &arguments.profile;
    let bytes = fs::read(path).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "; `rushhour init` writes one to start from",
            _ => "",
        };
        Trouble::usage(format!("cannot read the profile {}: {error}{hint}", path.display()))
    })?;
    let environment: Vec<(&'static str, String)> = ENVIRONMENT
        .iter()
        .filter_map(|(name, _)| Some((*name, std::env::var(name).ok()?)))
        .collect();
    let file = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    let lend = |name: &str| fs::read(folder.join(name)).map_err(|error| error.to_string());
    let input = Input {
        file: &file,
        bytes: &bytes,
        environment: &environment,
        flags: &arguments.set,
        files: &lend,
    };
    load(input).map_err(|refused| {
        print::err(&explain(&refused, print::err_style() == Style::Colours));
        print::err("");
        Trouble { exit: Exit::ProfileInvalid, words: format!("{refused}: {file}") }
    })
}
