//! `rushhour validate`: checks a profile.

use clap::Args;

use crate::arguments::ProfileArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::print;

const HELP: &str = "\
Examples:
  rushhour validate my-agent.toml

Exit codes:
  0    the profile is valid
  104  it is not; every mistake is underlined";

/// Check a profile, and show every mistake at once.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    profile: ProfileArgs,
}

pub(crate) fn validate(arguments: &ValidateArgs) -> Result<Exit, CliError> {
    let profile = load_profile(&arguments.profile)?.profile;
    let shown = arguments.profile.profile.display();
    print::stdout(&format!(
        "{shown} is valid: {} stages, {} scenarios. `rushhour plan {shown}` shows what it would do.",
        profile.stages.len(),
        profile.mix.scenarios().len()
    ));
    Ok(Exit::Passed)
}
