//! The search carried out: asks what to try next, holds it as a session, and hears what it says.

use std::path::Path;

use jiff::Timestamp;

use super::interruption::Interruption;
use super::log::SearchLog;
use super::reporting::{finding, render};
use crate::arguments::CapacityArguments;
use crate::commands::run::{RunRequest, hold, within_cloud_limits};
use crate::exit::{CliError, Exit};
use crate::folder::{self, LEVELS};
use crate::load_profile::load_profile;
use crate::{print, spending};
use rushhour_core::bill::BillForecast;
use rushhour_core::profile::{LoadedProfile, Profile};
use rushhour_report::capacity::{
    CapacitySearch, LOG_VERSION, LogEnded, LogLine, LogOpening, LogTrial, Purpose, SearchEnd,
    SearchForecast, SearchRules, SearchSpend, SearchStep, Trial, about_to_try, level_profile,
    what_came,
};
use rushhour_report::report::Criterion;

pub(crate) fn capacity(arguments: &CapacityArguments) -> Result<Exit, CliError> {
    let loaded = load_profile(&arguments.profile)?;
    let profile = &loaded.profile;
    if profile.thresholds.is_empty() {
        return Err(without_thresholds(profile));
    }
    let rules = SearchRules::of(profile);
    let most = Trial {
        purpose: Purpose::Step,
        in_flight: rules.settings.most,
        duration: rules.initial_duration(rules.settings.most),
    };
    if let Some(highest) = level_profile(profile, &rules, most, 1, SearchSpend::default()) {
        within_cloud_limits(&highest, arguments.accept_cloud_limits)?;
    }
    let outlook = SearchForecast::of(profile);
    spending::agree(profile, outlook.usual.runs, arguments.yes)?;
    if !arguments.quiet {
        print::err(&forecast(profile, &rules, &outlook));
    }
    let began = Timestamp::now();
    let name = format!("{}-capacity", profile.name);
    let (folder, id) = folder::make(&arguments.out, &name, began)?;
    let opening = LogOpening {
        format: LOG_VERSION,
        rushhour: env!("CARGO_PKG_VERSION").to_owned(),
        search: id.as_str().to_owned(),
        began: format!("{began:.6}"),
        profile: profile.clone(),
    };
    let mut log = SearchLog::create(&folder, opening.clone())?;
    let mut carried = TrialOutcome { arguments, loaded: &loaded, folder: &folder, opening };
    let ending = carried.out(CapacitySearch::new(rules), &mut log)?;
    log.write(&LogLine::Ended(LogEnded { ending }))?;
    render(&folder)
}

/// A search being carried out.
struct TrialOutcome<'a> {
    arguments: &'a CapacityArguments,
    loaded: &'a LoadedProfile,
    folder: &'a Path,
    opening: LogOpening,
}

impl TrialOutcome<'_> {
    fn out(
        &mut self,
        mut search: CapacitySearch,
        log: &mut SearchLog,
    ) -> Result<SearchEnd, CliError> {
        let interruption = Interruption::listen()?;
        let mut spent = SearchSpend::default();
        loop {
            let trial = match search.next() {
                SearchStep::Try(_) if interruption.was_asked() => return Ok(SearchEnd::Stopped),
                SearchStep::Try(trial) => trial,
                SearchStep::End(ending) => return Ok(ending),
            };
            let number = u32::try_from(search.results().len() + 1).unwrap_or(u32::MAX);
            let profile = &self.loaded.profile;
            let Some(level) = level_profile(profile, search.rules(), trial, number, spent) else {
                return Ok(SearchEnd::Budget);
            };
            self.tell(&about_to_try(number, &trial));
            let folder = match self.hold(level) {
                Ok(folder) => folder,
                Err(trouble) if number == 1 => {
                    folder::unmake_search(self.folder);
                    return Err(trouble);
                }
                Err(trouble) => {
                    print::trouble(&trouble.message);
                    return Ok(SearchEnd::Broken);
                }
            };
            let held = LogTrial { number, trial, folder };
            log.write(&LogLine::Trial(held.clone()))?;
            let finding = finding(self.folder, &self.opening, &held)?;
            self.tell(&what_came(&finding));
            spent = spent.plus(finding.spent);
            search.add(finding.result);
        }
    }

    /// Holds one session, and gives its folder below that of the search.
    fn hold(&self, level: Profile) -> Result<String, CliError> {
        let loaded = LoadedProfile { profile: level, settings: self.loaded.settings.clone() };
        let wanted = RunRequest {
            profile_path: &self.arguments.profile.profile,
            out: &self.folder.join(LEVELS),
            quiet: self.arguments.quiet,
            summary: false,
            judgement: Criterion::Interval,
        };
        let folder = hold(&loaded, &wanted)?.folder;
        let below = folder.strip_prefix(self.folder).unwrap_or(&folder);
        Ok(below.to_string_lossy().into_owned())
    }

    fn tell(&self, words: &str) {
        if !self.arguments.quiet {
            print::err(words);
        }
    }
}

fn without_thresholds(profile: &Profile) -> CliError {
    let latency = match profile.mode.any() {
        rushhour_core::units::Mode::Chat => "\"turn.chat.first p95\" = \"< 2s\"",
        rushhour_core::units::Mode::Voice => "\"turn.voice p95\" = \"< 3s\"",
    };
    CliError {
        exit: Exit::ProfileInvalid,
        message: format!(
            "the profile has no thresholds, so nothing says when a level is no longer held; add\n  [thresholds]\n  failed = \"< 5%\"\n  \"agent_join p95\" = \"< 5s\"\n  {latency}"
        ),
    }
}

/// What the search will come to, before it begins.
fn forecast(profile: &Profile, rules: &SearchRules, outlook: &SearchForecast) -> String {
    let settings = &rules.settings;
    let (usual, longest) = (outlook.usual, outlook.longest);
    let mut text = format!(
        "{}: from {} to {} at once, until the answer is {} wide; at most {} sessions, {} and about {} runs where each level is decided at first, and {} and about {} where each is held as long as allowed",
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
        text.push_str("\nthe former ");
        text.push_str(&spending::brief(profile, &bill));
    }
    text
}
