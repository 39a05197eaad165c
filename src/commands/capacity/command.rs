//! The search carried out: asks what to try next, holds it as a session, and hears what it says.

use std::path::Path;

use jiff::Timestamp;

use super::interruption::Interruption;
use super::log::SearchLog;
use super::reporting::{finding, render};
use crate::arguments::CapacityArguments;
use crate::commands::run::{Wanted, hold, within_cloud_limits};
use crate::exit::{Exit, Trouble};
use crate::folder::{self, LEVELS};
use crate::load_profile::load_profile;
use crate::{print, spending};
use rushhour_core::bill::BillForecast;
use rushhour_core::profile::{Loaded, Profile};
use rushhour_report::capacity::{
    Ending, LOG_VERSION, LogEnded, LogHeld, LogLine, LogOpening, Next, Outlook, Purpose, Rules,
    Search, Spent, Trial, about_to_try, level_profile, what_came,
};
use rushhour_report::report::Judgement;

pub(crate) fn capacity(arguments: &CapacityArguments) -> Result<Exit, Trouble> {
    let loaded = load_profile(&arguments.profile)?;
    let profile = &loaded.profile;
    if profile.thresholds.is_empty() {
        return Err(without_thresholds(profile));
    }
    let rules = Rules::of(profile);
    let most = Trial {
        purpose: Purpose::Step,
        in_flight: rules.settings.most,
        lasts: rules.first_stretch(rules.settings.most),
    };
    if let Some(highest) = level_profile(profile, &rules, most, 1, Spent::default()) {
        within_cloud_limits(&highest, arguments.accept_cloud_limits)?;
    }
    let outlook = Outlook::of(profile);
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
    let mut carried = Carried { arguments, loaded: &loaded, folder: &folder, opening };
    let ending = carried.out(Search::new(rules), &mut log)?;
    log.write(&LogLine::Ended(LogEnded { ending }))?;
    render(&folder)
}

/// A search being carried out.
struct Carried<'a> {
    arguments: &'a CapacityArguments,
    loaded: &'a Loaded,
    folder: &'a Path,
    opening: LogOpening,
}

impl Carried<'_> {
    fn out(&mut self, mut search: Search, log: &mut SearchLog) -> Result<Ending, Trouble> {
        let interruption = Interruption::listen()?;
        let mut spent = Spent::default();
        loop {
            let trial = match search.next() {
                Next::Try(_) if interruption.was_asked() => return Ok(Ending::Stopped),
                Next::Try(trial) => trial,
                Next::End(ending) => return Ok(ending),
            };
            let number = u32::try_from(search.tried().len() + 1).unwrap_or(u32::MAX);
            let profile = &self.loaded.profile;
            let Some(level) = level_profile(profile, search.rules(), trial, number, spent) else {
                return Ok(Ending::Budget);
            };
            self.tell(&about_to_try(number, &trial));
            let folder = match self.hold(level) {
                Ok(folder) => folder,
                Err(trouble) if number == 1 => {
                    folder::unmake_search(self.folder);
                    return Err(trouble);
                }
                Err(trouble) => {
                    print::trouble(&trouble.words);
                    return Ok(Ending::Broken);
                }
            };
            let held = LogHeld { number, trial, folder };
            log.write(&LogLine::Held(held.clone()))?;
            let finding = finding(self.folder, &self.opening, &held)?;
            self.tell(&what_came(&finding));
            spent = spent.and(finding.spent);
            search.add(finding.tried);
        }
    }

    /// Holds one session, and gives its folder below that of the search.
    fn hold(&self, level: Profile) -> Result<String, Trouble> {
        let loaded = Loaded { profile: level, settings: self.loaded.settings.clone() };
        let wanted = Wanted {
            profile_path: &self.arguments.profile.profile,
            out: &self.folder.join(LEVELS),
            quiet: self.arguments.quiet,
            summary: false,
            judgement: Judgement::Interval,
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

fn without_thresholds(profile: &Profile) -> Trouble {
    let latency = match profile.mode.any() {
        rushhour_core::units::Mode::Chat => "\"turn.chat.first p95\" = \"< 2s\"",
        rushhour_core::units::Mode::Voice => "\"turn.voice p95\" = \"< 3s\"",
    };
    Trouble {
        exit: Exit::ProfileInvalid,
        words: format!(
            "the profile has no thresholds, so nothing says when a level is no longer held; add\n  [thresholds]\n  failed = \"< 5%\"\n  \"agent_join p95\" = \"< 5s\"\n  {latency}"
        ),
    }
}

/// What the search will come to, before it begins.
fn forecast(profile: &Profile, rules: &Rules, outlook: &Outlook) -> String {
    let settings = &rules.settings;
    let (usual, longest) = (outlook.usual, outlook.longest);
    let mut text = format!(
        "{}: from {} to {} at once, until the answer is {} wide; at most {} sessions, {} and about {} runs where each level is decided at first, and {} and about {} where each is held as long as allowed",
        profile.name,
        settings.start,
        settings.most,
        settings.width,
        usual.sessions,
        usual.lasts,
        usual.runs,
        longest.lasts.min(settings.within.micros()),
        longest.runs,
    );
    if let Some(bill) = BillForecast::new(profile, usual.runs) {
        text.push_str("\nthe former ");
        text.push_str(&spending::brief(profile, &bill));
    }
    text
}
