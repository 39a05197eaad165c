//! What to try next: a function of the rules and of the results so far.

use super::level_verdicts::{GENERATOR_FAULTS, LevelVerdicts};
use super::rules::SearchRules;
use super::trial::{LevelVerdict, Purpose, Trial, TrialResult};
use rushhour_core::units::Micros;

/// The most sessions of one search.
pub(super) const MAX_TRIALS: usize = 120;
/// The least that an undecided level is extended by, as a factor.
const MIN_EXTENSION: f64 = 1.5;
/// The most that an undecided level is extended by at once, as a factor.
const MAX_EXTENSION: f64 = 4.0;
/// The factor on the duration that is expected to decide a level.
const EXTENSION_MARGIN: f64 = 1.2;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchStep {
    /// Run this trial.
    Try(Trial),
    /// The search ends.
    End(SearchEnd),
}

/// Why a search ends.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// The search found everything it looks for.
    Complete,
    /// A signal stopped it.
    Stopped,
    /// A limit on money, runs or minutes was reached.
    Budget,
    /// `capacity.within`, or the most sessions of a search, was reached.
    Time,
    /// The workers hold fewer callers than the next level has.
    Workers,
    /// A session could not run, or the search's process died.
    Broken,
}

/// A search in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacitySearch {
    rules: SearchRules,
    results: Vec<TrialResult>,
}

impl CapacitySearch {
    /// A search without results.
    pub const fn new(rules: SearchRules) -> Self {
        Self { rules, results: Vec::new() }
    }

    /// The rules.
    pub const fn rules(&self) -> &SearchRules {
        &self.rules
    }

    /// The results so far, in order.
    pub fn results(&self) -> &[TrialResult] {
        &self.results
    }

    /// Adds the result of a session.
    pub fn add(&mut self, result: TrialResult) {
        self.results.push(result);
    }

    pub(super) fn level_verdicts(&self) -> LevelVerdicts {
        LevelVerdicts::of(&self.rules, &self.results)
    }

    /// What to do next.
    pub fn next(&self) -> SearchStep {
        let levels = self.level_verdicts();
        let Some(last) = self.results.last() else {
            return self.run_level(Purpose::Step, self.rules.settings.start);
        };
        match last.verdict {
            LevelVerdict::Stopped => return SearchStep::End(SearchEnd::Stopped),
            LevelVerdict::Budget => return SearchStep::End(SearchEnd::Budget),
            LevelVerdict::Broken => return SearchStep::End(SearchEnd::Broken),
            _ => {}
        }
        if last.end >= self.rules.settings.within.micros() || self.results.len() >= MAX_TRIALS {
            return SearchStep::End(SearchEnd::Time);
        }
        self.repeat(last, &levels)
            .or_else(|| self.recovery())
            .or_else(|| levels.contradictory().map(|level| self.confirm(level)))
            .or_else(|| self.step_or_bisect(&levels))
            .or_else(|| self.confirmation(&levels))
            .or_else(|| self.burst(&levels))
            .map_or(SearchStep::End(SearchEnd::Complete), |next| next)
    }

    fn run_level(&self, purpose: Purpose, in_flight: u32) -> SearchStep {
        SearchStep::Try(Trial {
            purpose,
            in_flight,
            duration: self.rules.initial_duration(in_flight),
        })
    }

    /// The same trial for longer if it was undecided; once more if the generator failed once, or the server's dispatcher held
    /// dispatches back.
    fn repeat(&self, last: &TrialResult, levels: &LevelVerdicts) -> Option<SearchStep> {
        let trial = last.trial;
        if !trial.purpose.decides_level() {
            return None;
        }
        match last.verdict {
            LevelVerdict::Undecided => {
                let longest = self.rules.max_duration(trial.in_flight);
                let extension = last.extension.unwrap_or(2.0) * EXTENSION_MARGIN;
                let extension = extension.clamp(MIN_EXTENSION, MAX_EXTENSION);
                let seconds = trial.duration.as_secs_f64() * extension;
                let duration = Micros::from_secs_f64(seconds).min(longest);
                let longer = SearchStep::Try(Trial { duration, ..trial });
                if trial.duration < longest { Some(longer) } else { Self::again(last) }
            }
            LevelVerdict::Failed => Self::again(last),
            LevelVerdict::Generator => {
                let faults = levels.counts(trial.in_flight).generator;
                (faults < GENERATOR_FAULTS).then_some(SearchStep::Try(trial))
            }
            _ => None,
        }
    }

    /// The same level without the stall of the server's dispatcher.
    fn again(last: &TrialResult) -> Option<SearchStep> {
        let trial = Trial { purpose: Purpose::Again, ..last.trial };
        last.is_the_dispatchers().then_some(SearchStep::Try(trial))
    }

    /// The lowest passed level right after the first failed one, until it passes again or time is up.
    fn recovery(&self) -> Option<SearchStep> {
        let watch_for = self.rules.settings.recover?.micros();
        let (failed_at, failed) = self.first_failed()?;
        let probes = &self.results[failed_at + 1..];
        let is_over = probes.iter().any(|probe| {
            probe.trial.purpose != Purpose::Recover || probe.verdict == LevelVerdict::Passed
        });
        let now = self.results.last().map_or(Micros::ZERO, |last| last.end);
        if is_over || now.saturating_sub(failed.end) >= watch_for {
            return None;
        }
        Some(self.run_level(Purpose::Recover, self.lowest_passed_before(failed_at)?))
    }

    /// The first session that failed its level, with its index.
    pub(super) fn first_failed(&self) -> Option<(usize, &TrialResult)> {
        self.results.iter().enumerate().find(|(_, result)| {
            let decides = result.trial.purpose.decides_level() && !result.is_the_dispatchers();
            result.verdict == LevelVerdict::Failed && decides
        })
    }

    fn lowest_passed_before(&self, index: usize) -> Option<u32> {
        self.results[..index]
            .iter()
            .filter(|result| result.verdict == LevelVerdict::Passed)
            .map(|result| result.trial.in_flight)
            .min()
    }

    /// A repetition of a level, with the duration of its last decided session.
    fn confirm(&self, level: u32) -> SearchStep {
        let decided = self.results.iter().rev().find(|result| {
            result.trial.in_flight == level
                && result.trial.purpose.decides_level()
                && matches!(result.verdict, LevelVerdict::Passed | LevelVerdict::Failed)
        });
        let duration = decided
            .map_or_else(|| self.rules.initial_duration(level), |result| result.trial.duration);
        SearchStep::Try(Trial { purpose: Purpose::Confirm, in_flight: level, duration })
    }

    fn step_or_bisect(&self, levels: &LevelVerdicts) -> Option<SearchStep> {
        let settings = &self.rules.settings;
        let (lowest, highest) = levels.ends()?;
        let failed = levels.failed();
        if failed.is_none() && levels.generator_limited().is_none() && highest < settings.most {
            return Some(self.run_level(Purpose::Step, self.step_up(highest)));
        }
        let Some(passed) = levels.passed() else {
            return (lowest > 1).then(|| self.run_level(Purpose::Step, (lowest / 2).max(1)));
        };
        let undecided = levels.undecided();
        let above = undecided.first().copied().or(failed);
        let below_failed = undecided.last().copied();
        let gaps = [above.map(|above| (passed, above)), below_failed.zip(failed)];
        let is_wide = |gap: &(u32, u32)| !self.rules.is_within_width(gap.0, gap.1);
        let (low, high) = gaps.into_iter().flatten().find(is_wide)?;
        let middle = low.midpoint(high);
        let is_deliverable = levels.generator_limited().is_none_or(|limit| middle < limit);
        is_deliverable.then(|| self.run_level(Purpose::Bisect, middle))
    }

    fn step_up(&self, from: u32) -> u32 {
        let settings = &self.rules.settings;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let next = (f64::from(from) * settings.factor).ceil() as u32;
        next.max(from.saturating_add(1)).min(settings.most)
    }

    /// A repetition of the last passed or the first failed level.
    fn confirmation(&self, levels: &LevelVerdicts) -> Option<SearchStep> {
        let open = |level: &u32| !levels.counts(*level).is_confirmed_or_cannot_be();
        let ends = [levels.failed(), levels.passed()];
        ends.into_iter().flatten().find(open).map(|level| self.confirm(level))
    }

    fn burst(&self, levels: &LevelVerdicts) -> Option<SearchStep> {
        let level = levels.passed().filter(|_| self.rules.settings.burst)?;
        let of = |purpose| self.results.iter().find(move |result| result.trial.purpose == purpose);
        match (of(Purpose::Burst), of(Purpose::BurstAgain)) {
            (None, _) => Some(self.run_level(Purpose::Burst, level)),
            (Some(burst), None) if burst.stalled => {
                Some(self.run_level(Purpose::BurstAgain, burst.trial.in_flight))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
