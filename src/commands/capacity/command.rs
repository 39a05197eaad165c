//! The command: runs each session that the search asks for, and tells the search what it found.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use tracing::info;

use super::interruption::Interruption;
use crate::arguments::{CloudArgs, InteractionArgs, OutArgs, ProfileArgs};
use crate::error::{CliError, ErrorKind};
use crate::exit::Exit;
use crate::load_profile::load_profile;
use crate::print;
use crate::reports::search_log::SearchLog;
use crate::reports::search_reports::{SUMMARY, trial_finding, write_and_print_reports};
use crate::session::cost::{self, CostCheck};
use crate::session::folder::{self, LEVELS};
use crate::session::live::{self, LastScrape, LiveArgs, LiveView};
use crate::session::new_session::{
    CompletedSession, SessionOptions, forecast_within_cloud_limits, run_session,
};
use crate::session::notify::{notify, notify_failure, summary_file};
use rushhour_core::bill::BillForecast;
use rushhour_core::profile::{LoadedProfile, Profile};
use rushhour_core::units::Mode;
use rushhour_live::LiveFeed;
use rushhour_report::capacity::{
    CapacitySearch, LOG_VERSION, LogEnded, LogLine, LogOpening, LogTrial, Purpose, SearchEnd,
    SearchForecast, SearchRules, SearchSpend, SearchStep, Trial, level_profile,
};
use rushhour_report::render::{LevelSoFar, trial_line, trial_result_line};
use rushhour_report::session::Criterion;

const HELP: &str = "\
Examples:
  rushhour capacity profiles/native-capacity.toml
  # Check that the agent handles 60 conversations, for at most 20 USD
  rushhour capacity my-agent.toml --set capacity.needed=60 \\
      --set limits.budget='20 USD'

Each level is a session of its own, with its own journal and reports. The level rises until a \
threshold of the profile fails, and the search then narrows down the highest level that passes. \
[capacity] in the profile says where to start, how far to go and how long to hold each level; \
the profile's own stages are not used.

Exit codes:
  0    the answer was found, or capacity.needed are handled
  99   fewer than capacity.needed are handled, or not even one
  105  stopped by a signal; what is known was written
  111  undecided
  112  the load generator was the limit
  113  a limit on money, runs or minutes was reached
Others are those of `rushhour run`.";

/// Find how many conversations an agent handles at once.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct CapacityArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    #[command(flatten)]
    out: OutArgs,
    #[command(flatten)]
    interaction: InteractionArgs,
    #[command(flatten)]
    cloud: CloudArgs,
    #[command(flatten)]
    live: LiveArgs,
}

pub(crate) fn capacity(arguments: &CapacityArgs) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let profile = &loaded.profile;
    let searched = search(arguments, &loaded);
    let (folder, live) = searched.inspect_err(|error| notify_failure(profile, error))?;
    let reported = write_and_print_reports(&folder);
    let reported = reported.inspect_err(|error| notify_failure(profile, error))?;
    let last_scrape = live::close(live, &folder, || Some(Ok(reported.page)));
    notify(profile, || summary_file(&folder.join(SUMMARY)), || Ok(reported.answer));
    last_scrape.into_iter().for_each(LastScrape::wait);
    Ok(reported.exit)
}

/// Searches, and returns the search's folder; whoever follows it goes on to do so.
fn search(
    arguments: &CapacityArgs,
    loaded: &LoadedProfile,
) -> Result<(PathBuf, Option<LiveView>), CliError> {
    let profile = &loaded.profile;
    if profile.thresholds.is_empty() {
        return Err(no_thresholds(profile.mode.representative()));
    }
    let rules = SearchRules::of(profile);
    check_cloud_limits(profile, &rules, arguments.cloud.accept_cloud_limits)?;
    let forecast = SearchForecast::of(profile);
    CostCheck::new(profile, forecast.usual.runs, arguments.interaction.yes).confirm()?;
    if !arguments.interaction.quiet {
        print::stderr(&forecast_text(profile, &rules, &forecast));
    }
    let live = arguments.live.start(Criterion::Interval)?;
    let began = Timestamp::now();
    let name = format!("{}-capacity", profile.name);
    let folder = folder::create(&arguments.out.out, &name, began)?;
    let opening = LogOpening {
        format: LOG_VERSION,
        rushhour: env!("CARGO_PKG_VERSION").to_owned(),
        search: folder.session.as_str().to_owned(),
        began: format!("{began:.6}"),
        profile: profile.clone(),
    };
    let mut log = SearchLog::create(&folder.path, opening.clone())?;
    let feed = live.as_ref().map(LiveView::feed);
    let running = RunningSearch { arguments, loaded, folder: &folder.path, opening, live: feed };
    let ending = running.run(CapacitySearch::new(rules), &mut log)?;
    log.write(&LogLine::Ended(LogEnded { ending }))?;
    Ok((folder.path, live))
}

/// Checks that the highest level keeps to what LiveKit Cloud allows without asking.
fn check_cloud_limits(
    profile: &Profile,
    rules: &SearchRules,
    accepted: bool,
) -> Result<(), CliError> {
    let highest = Trial {
        purpose: Purpose::Step,
        in_flight: rules.settings.most,
        duration: rules.initial_duration(rules.settings.most),
    };
    if let Some(highest) = level_profile(profile, rules, highest, 1, SearchSpend::default()) {
        forecast_within_cloud_limits(&highest, accepted)?;
    }
    Ok(())
}

struct RunningSearch<'a> {
    arguments: &'a CapacityArgs,
    loaded: &'a LoadedProfile,
    folder: &'a Path,
    opening: LogOpening,
    live: Option<&'a LiveFeed>,
}

impl RunningSearch<'_> {
    /// Runs one session after another until the search ends.
    fn run(&self, mut search: CapacitySearch, log: &mut SearchLog) -> Result<SearchEnd, CliError> {
        let interruption = Interruption::listen()?;
        let mut spent = SearchSpend::default();
        let mut is_stopped = false;
        loop {
            let trial = match search.next() {
                SearchStep::Try(_) if is_stopped || interruption.is_requested() => {
                    return Ok(SearchEnd::Stopped);
                }
                SearchStep::Try(trial) => trial,
                SearchStep::End(ending) => return Ok(ending),
            };
            let number = u32::try_from(search.results().len() + 1).unwrap_or(u32::MAX);
            let profile = &self.loaded.profile;
            let Some(level) = level_profile(profile, search.rules(), trial, number, spent) else {
                return Ok(SearchEnd::Budget);
            };
            info!(number, in_flight = trial.in_flight, "trying a level");
            self.print(&trial_line(number, &trial));
            let folder = match self.run_level(level) {
                Ok((folder, stopped_late)) => {
                    is_stopped = stopped_late;
                    folder
                }
                Err(error) if number == 1 => {
                    folder::remove_unused_search(self.folder);
                    return Err(error);
                }
                Err(error) => {
                    print::error(&error);
                    let lacks_workers = lacks_workers(&error);
                    return Ok(if lacks_workers { SearchEnd::Workers } else { SearchEnd::Broken });
                }
            };
            let trial = LogTrial { number, trial, folder };
            log.write(&LogLine::Trial(trial.clone()))?;
            let finding = trial_finding(self.folder, &self.opening, &trial)?;
            let result = trial_result_line(&finding);
            self.print(&result);
            if let Some(live) = self.live {
                let line = format!("{}: {}", trial_line(number, &trial.trial), result.trim());
                live.level(LevelSoFar { line, finding: finding.clone() });
            }
            spent = spent.plus(finding.spent);
            search.add(finding.result);
        }
    }

    /// Runs the session of one level. Returns its folder, relative to that of the search, and whether somebody stopped it
    /// when its runs had ended.
    fn run_level(&self, level: Profile) -> Result<(String, bool), CliError> {
        let loaded = LoadedProfile { profile: level, settings: self.loaded.settings.clone() };
        let files = self.arguments.profile.files();
        let options = SessionOptions {
            files: &files,
            out: &self.folder.join(LEVELS),
            quiet: self.arguments.interaction.quiet,
            print_summary: false,
            criterion: Criterion::Interval,
            live: self.live,
            stopped_by: None,
        };
        let CompletedSession { folder, listener, .. } = run_session(&loaded, &options)?;
        let relative = folder.strip_prefix(self.folder).unwrap_or(&folder);
        Ok((relative.to_string_lossy().into_owned(), listener.is_stop_requested()))
    }

    fn print(&self, text: &str) {
        if !self.arguments.interaction.quiet {
            print::stderr(text);
        }
    }
}

/// Whether a level was not tried because too few workers are there for it.
#[cfg(feature = "fleet")]
fn lacks_workers(error: &CliError) -> bool {
    use rushhour_fleet::FleetError;
    let source = std::error::Error::source(error);
    matches!(
        source.and_then(|source| source.downcast_ref()),
        Some(
            FleetError::TooSmall { .. } | FleetError::TooFew { .. } | FleetError::NoWorkers { .. }
        )
    )
}

/// Nobody is on workers in this build.
#[cfg(not(feature = "fleet"))]
const fn lacks_workers(_: &CliError) -> bool {
    false
}

fn no_thresholds(mode: Mode) -> CliError {
    let latency = match mode {
        Mode::Chat => "\"turn.chat.first p95\" = \"< 2s\"",
        Mode::Voice => "\"turn.voice p95\" = \"< 3s\"",
    };
    CliError::new(
        ErrorKind::InvalidProfile,
        "the profile has no thresholds, so nothing says when a level fails",
    )
    .with_hint(format!(
        "add, for example:\n  [thresholds]\n  failed = \"< 5%\"\n  \"agent_join p95\" = \"< 5s\"\n  {latency}"
    ))
}

/// What the search will take, before it begins.
fn forecast_text(profile: &Profile, rules: &SearchRules, forecast: &SearchForecast) -> String {
    let settings = &rules.settings;
    let (usual, longest) = (forecast.usual, forecast.longest);
    let mut text = format!(
        "{}: from {} to {} at once, until the answer is {} wide; at most {} sessions: {} and about {} runs if every level is decided at once, {} and about {} runs if every level is held as long as allowed",
        profile.name,
        settings.start,
        settings.most,
        settings.width,
        usual.sessions,
        usual.duration,
        usual.runs,
        longest.duration.min(settings.within.micros()),
        longest.runs,
    );
    if let Some(bill) = BillForecast::new(profile, usual.runs) {
        text.push_str("\nthe former costs ");
        text.push_str(&cost::summary(profile, &bill));
    }
    text
}

#[cfg(all(test, feature = "fleet"))]
mod tests {
    use super::*;
    use rushhour_fleet::FleetError;

    #[test]
    fn a_level_that_the_workers_cannot_hold_is_their_limit_and_no_failure() {
        let begins = || CliError::usage("the session cannot begin on workers");
        let too_small = FleetError::TooSmall { callers: 80, workers: 2, capacity: 50 };
        assert!(lacks_workers(&begins().caused_by(too_small)));
        let gone = FleetError::NoWorkers {
            url: "nats://127.0.0.1:4222".to_owned(),
            namespace: "rushhour".to_owned(),
            foreign: Vec::new(),
        };
        assert!(lacks_workers(&begins().caused_by(gone)));
        assert!(!lacks_workers(&begins()));
        assert!(!lacks_workers(&begins().caused_by(std::io::Error::other("full disk"))));
    }
}
