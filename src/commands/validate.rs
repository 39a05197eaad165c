//! `rushhour validate`: whether a profile can be used.

use crate::arguments::ProfileArguments;
use crate::exit::{CliError, Exit};
use crate::load_profile::load_profile;
use crate::print;

pub(crate) fn validate(arguments: &ProfileArguments) -> Result<Exit, CliError> {
    let loaded = load_profile(arguments)?;
    print::out(&format!(
        "{} is valid: {} stages, {} scenarios; `rushhour plan` shows what it would do",
        arguments.profile.display(),
        loaded.profile.stages.len(),
        loaded.profile.mix.scenarios().len()
    ));
    Ok(Exit::Passed)
}
