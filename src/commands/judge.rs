//! `rushhour judge`: has runs of Rushhour's own callers judged by Cekura, after their session.

use clap::Args;

use crate::arguments::{CriterionArgs, InteractionArgs, ProfileFilesArgs, SessionArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::reports::locate::session_folder;
use crate::session::journal_hosts::{AskedServices, TrustArgs, confirm_hosts};
use crate::session::judging::{confirm_judging, judge_session, plan_judging};
use crate::session::new_session::SessionOptions;

const HELP: &str = "\
Examples:
  rushhour run hybrid.toml --no-judging
  rushhour judge reports/20261122T213015Z-hybrid

[judging] in the profile says which runs of Rushhour's own callers are judged: a sample of those \
that passed, drawn from the seed, and the failures. Cekura runs their conversations again, in \
rooms of their own, within the rate and the budget of [judging]. The reports of the session are \
then rewritten; they weight the sample back to all runs.

The judging is a session of its own, in the folder `judged` of the first one. Resume one that \
was interrupted with `rushhour resume SESSION/judged`.";

/// Have a sample of a session's runs judged by Cekura.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct JudgeArgs {
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    files: ProfileFilesArgs,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    criterion: CriterionArgs,
    #[command(flatten)]
    interaction: InteractionArgs,
}

pub(crate) fn judge(arguments: &JudgeArgs) -> Result<Exit, CliError> {
    let folder = session_folder(&arguments.session.session)?;
    let plan = plan_judging(&folder)?;
    let cekura = plan.profile().judging.as_ref().map(|judging| &judging.cekura);
    confirm_hosts(plan.profile(), AskedServices { cekura, worker: true }, arguments.trust)?;
    let files = arguments.files.files();
    confirm_judging(plan.profile(), &files, plan.runs(), arguments.interaction.yes)?;
    let options = SessionOptions {
        files: &files,
        out: &folder,
        quiet: arguments.interaction.quiet,
        print_summary: true,
        criterion: arguments.criterion.criterion(),
        live: None,
        stopped_by: None,
    };
    judge_session(&folder, &plan, &options)
}
