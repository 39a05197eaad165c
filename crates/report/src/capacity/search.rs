//! What was tried, and what to try next: a function of the rules and of what came of each session before.

use super::level_verdicts::{GENERATOR_FAULTS, LevelVerdicts};
use super::rules::SearchRules;
use super::trial::{LevelVerdict, Purpose, Trial, TrialResult};
use rushhour_core::units::Micros;

/// Sessions of one search at the most, whatever comes of them.
pub(super) const MOST_TRIALS: usize = 120;
/// An undecided level is held at least and at most so many times as long as before.
const LONGER: (f64, f64) = (1.5, 4.0);
/// How much longer it is held than what is thought to settle it.
const SPARE: f64 = 1.2;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchStep {
    /// Hold this.
    Try(Trial),
    /// Nothing more.
    End(SearchEnd),
}

/// Why a search ends.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// Everything that was to be found was found.
    Complete,
    /// A signal.
    Stopped,
    /// A cap on money, runs or minutes.
    Budget,
    /// `capacity.within`, or as many sessions as one search may hold.
    Time,
    /// A session could not be held, or the search's process died.
    Broken,
}

/// A search under way.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacitySearch {
    rules: SearchRules,
    results: Vec<TrialResult>,
}

impl CapacitySearch {
    /// A search at its beginning.
    pub const fn new(rules: SearchRules) -> Self {
        Self { rules, results: Vec::new() }
    }

    /// What it goes by.
    pub const fn rules(&self) -> &SearchRules {
        &self.rules
    }

    /// What was tried, in order.
    pub fn results(&self) -> &[TrialResult] {
        &self.results
    }

    /// Takes in what came of a session.
    pub fn add(&mut self, tried: TrialResult) {
        self.results.push(tried);
    }

    pub(super) fn level_verdicts(&self) -> LevelVerdicts {
        LevelVerdicts::of(&self.rules, &self.results)
    }

    /// What to do next.
    pub fn next(&self) -> SearchStep {
        let standings = self.level_verdicts();
        let Some(last) = self.results.last() else {
            return self.run_level(Purpose::Step, self.rules.settings.start);
        };
        match last.verdict {
            LevelVerdict::Stopped => return SearchStep::End(SearchEnd::Stopped),
            LevelVerdict::Budget => return SearchStep::End(SearchEnd::Budget),
            LevelVerdict::Broken => return SearchStep::End(SearchEnd::Broken),
            _ => {}
        }
        if last.end >= self.rules.settings.within.micros() || self.results.len() >= MOST_TRIALS {
            return SearchStep::End(SearchEnd::Time);
        }
        self.repeat(last, &standings)
            .or_else(|| self.recovery())
            .or_else(|| standings.contradictory().map(|level| self.once_more(level)))
            .or_else(|| self.step_or_bisect(&standings))
            .or_else(|| self.confirmation(&standings))
            .or_else(|| self.burst(&standings))
            .map_or(SearchStep::End(SearchEnd::Complete), |next| next)
    }

    fn run_level(&self, purpose: Purpose, in_flight: u32) -> SearchStep {
        SearchStep::Try(Trial {
            purpose,
            in_flight,
            duration: self.rules.initial_duration(in_flight),
        })
    }

    /// The same level longer where it was undecided; the same again where the generator had one bad moment.
    fn repeat(&self, last: &TrialResult, standings: &LevelVerdicts) -> Option<SearchStep> {
        let trial = last.trial;
        if !trial.purpose.decides_level() {
            return None;
        }
        match last.verdict {
            LevelVerdict::Undecided => {
                let longest = self.rules.max_duration(trial.in_flight);
                let longer = last.extension.unwrap_or(2.0) * SPARE;
                let seconds = trial.duration.as_secs_f64() * longer.clamp(LONGER.0, LONGER.1);
                let lasts = Micros::from_secs_f64(seconds).min(longest);
                (trial.duration < longest)
                    .then_some(SearchStep::Try(Trial { duration: lasts, ..trial }))
            }
            LevelVerdict::Generator => {
                let faults = standings.record(trial.in_flight).generator;
                (faults < GENERATOR_FAULTS).then_some(SearchStep::Try(trial))
            }
            _ => None,
        }
    }

    /// The lowest passed level right after the first failed one, until it passes again.
    fn recovery(&self) -> Option<SearchStep> {
        let watched = self.rules.settings.recover?.micros();
        let (failed_at, failed) = self.first_failed()?;
        let probes = &self.results[failed_at + 1..];
        let is_over = probes.iter().any(|probe| {
            probe.trial.purpose != Purpose::Recover || probe.verdict == LevelVerdict::Passed
        });
        let now = self.results.last().map_or(Micros::ZERO, |last| last.end);
        if is_over || now.saturating_sub(failed.end) >= watched {
            return None;
        }
        Some(self.run_level(Purpose::Recover, self.lowest_passed_before(failed_at)?))
    }

    /// The first session that failed its level, and which of all it was.
    pub(super) fn first_failed(&self) -> Option<(usize, &TrialResult)> {
        self.results.iter().enumerate().find(|(_, tried)| {
            tried.verdict == LevelVerdict::Failed && tried.trial.purpose.decides_level()
        })
    }

    fn lowest_passed_before(&self, place: usize) -> Option<u32> {
        self.results[..place]
            .iter()
            .filter(|tried| tried.verdict == LevelVerdict::Passed)
            .map(|tried| tried.trial.in_flight)
            .min()
    }

    /// The same level for as long as it was last decided.
    fn once_more(&self, level: u32) -> SearchStep {
        let decided = self.results.iter().rev().find(|tried| {
            tried.trial.in_flight == level
                && tried.trial.purpose.decides_level()
                && matches!(tried.verdict, LevelVerdict::Passed | LevelVerdict::Failed)
        });
        let lasts = decided
            .map_or_else(|| self.rules.initial_duration(level), |tried| tried.trial.duration);
        SearchStep::Try(Trial { purpose: Purpose::Confirm, in_flight: level, duration: lasts })
    }

    fn step_or_bisect(&self, standings: &LevelVerdicts) -> Option<SearchStep> {
        let settings = &self.rules.settings;
        let (lowest, highest) = standings.ends()?;
        let failed = standings.failed();
        if failed.is_none() && standings.generator_limited().is_none() && highest < settings.most {
            return Some(self.run_level(Purpose::Step, self.step_up(highest)));
        }
        let Some(passed) = standings.passed() else {
            return (lowest > 1).then(|| self.run_level(Purpose::Step, (lowest / 2).max(1)));
        };
        let undecided = standings.undecided();
        let above = undecided.first().copied().or(failed);
        let below_failed = undecided.last().copied();
        let gaps = [above.map(|above| (passed, above)), below_failed.zip(failed)];
        let wide = |gap: &(u32, u32)| !self.rules.is_within_width(gap.0, gap.1);
        let (low, high) = gaps.into_iter().flatten().find(wide)?;
        let middle = low.midpoint(high);
        let within_reach = standings.generator_limited().is_none_or(|beyond| middle < beyond);
        within_reach.then(|| self.run_level(Purpose::Bisect, middle))
    }

    fn step_up(&self, from: u32) -> u32 {
        let settings = &self.rules.settings;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let next = (f64::from(from) * settings.factor).ceil() as u32;
        next.max(from.saturating_add(1)).min(settings.most)
    }

    /// The last passed and the first failed level are each held once more.
    fn confirmation(&self, standings: &LevelVerdicts) -> Option<SearchStep> {
        let open = |level: &u32| !standings.record(*level).is_confirmed_or_cannot_be();
        let ends = [standings.failed(), standings.passed()];
        ends.into_iter().flatten().find(open).map(|level| self.once_more(level))
    }

    fn burst(&self, standings: &LevelVerdicts) -> Option<SearchStep> {
        let done = self.results.iter().any(|tried| tried.trial.purpose == Purpose::Burst);
        let level = standings.passed().filter(|_| self.rules.settings.burst && !done)?;
        Some(self.run_level(Purpose::Burst, level))
    }
}

#[cfg(test)]
mod tests;
