//! `rushhour run`: runs a profile to its end, and reports.

use clap::Args;

use crate::arguments::{NewSessionArgs, ProfileArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::reports::session_reports::{SUMMARY, notice_text, page_parts};
use crate::session::cost::CostCheck;
use crate::session::judging::{confirm_judging, judge_completed};
use crate::session::live::{self, LastScrape, LiveView};
use crate::session::new_session::{CompletedSession, forecast_within_cloud_limits, run_session};
use crate::session::notify::{notify, notify_failure, summary_file};
use rushhour_core::profile::{LoadedProfile, Profile};

const HELP: &str = "\
Examples:
  rushhour run profiles/quickstart.toml
  rushhour run my-agent.toml --set stage.steady.rate=2/s --set seed=7 --out /tmp/reports

It starts the conversations on schedule, follows each to its end, and writes reports into a \
folder of their own.

It shows the forecast cost at list prices first. Above bill.ask_above it asks before it starts \
anything; without a terminal it requires --yes. It never exceeds limits.budget, limits.max_runs \
and limits.max_minutes.

Press Ctrl-C once to start no more runs and finish those in flight, twice to end them now. \
Either way every planned run has an outcome, rooms are deleted and reports are written.

Exit codes:
  0    passed
  2    missing credentials, an unreachable server, an evaluator that rejects all, an unwritable file
  99   a threshold failed, or no run completed
  104  the profile is not valid
  105  stopped by a signal
  111  too few samples to decide a threshold
  112  invalid: the load generator did not deliver the load, or a service failed every run
  113  the budget was reached";

/// Run a profile, and report how its conversations went.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    #[command(flatten)]
    session: NewSessionArgs,
    /// Judge no run, whatever the profile's `[judging]` says.
    ///
    /// `rushhour judge` judges them later.
    #[arg(long)]
    no_judging: bool,
}

impl RunArgs {
    const fn is_judged(&self, profile: &Profile) -> bool {
        !self.no_judging && profile.judging.is_some()
    }
}

pub(crate) fn run(arguments: &RunArgs) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let (profile, session) = (&loaded.profile, &arguments.session);
    let ran = run_profile(arguments, &loaded);
    let (completed, live) = ran.inspect_err(|error| notify_failure(profile, error))?;
    let (folder, criterion) = (&completed.folder, session.criterion());
    let exit = if arguments.is_judged(profile) {
        let files = arguments.profile.files();
        judge_completed(&completed, &session.options(&files, live.as_ref()))
    } else {
        Ok(completed.exit)
    };
    let last_scrape = live::close(live, folder, || {
        // Whoever watched has seen all but what judging found.
        arguments.is_judged(profile).then(|| page_parts(folder, criterion))
    });
    notify(profile, || summary_file(&folder.join(SUMMARY)), || notice_text(folder, criterion));
    last_scrape.into_iter().for_each(LastScrape::wait);
    exit
}

/// Runs the profile's session to its reports; whoever follows it goes on to do so.
fn run_profile(
    arguments: &RunArgs,
    loaded: &LoadedProfile,
) -> Result<(CompletedSession, Option<LiveView>), CliError> {
    let (profile, session) = (&loaded.profile, &arguments.session);
    let agreed = session.interaction.yes;
    let forecast = forecast_within_cloud_limits(profile, session.cloud.accept_cloud_limits)?;
    CostCheck::new(profile, forecast.calls(), agreed).confirm()?;
    let files = arguments.profile.files();
    let live = session.start_live()?;
    if arguments.is_judged(profile) {
        confirm_judging(profile, &files, forecast.most_calls, agreed)?;
    }
    let completed = run_session(loaded, &session.options(&files, live.as_ref()))?;
    Ok((completed, live))
}
