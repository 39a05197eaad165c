//! A forecast of a search before its first session: the maximum over simulated searches of agents with every possible
//! limit.

use std::collections::HashMap;

use super::level::{SearchSpend, level_profile};
use super::rules::SearchRules;
use super::search::{CapacitySearch, SearchStep};
use super::trial::{LevelVerdict, Purpose, Trial, TrialResult};
use rushhour_core::plan::{Forecast, Plan};
use rushhour_core::profile::Profile;
use rushhour_core::units::{Micros, PositiveDuration};

/// The factor from one simulated limit to the next.
const LIMIT_FACTOR: f64 = 1.1;

/// The size of a search; in a forecast, the maximum over all limits that the agent may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchSize {
    /// The number of sessions.
    pub sessions: usize,
    /// The duration of all of them.
    pub duration: Micros,
    /// The number of runs; an estimate.
    pub runs: u64,
}

/// A forecast of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchForecast {
    /// If every level is decided by its first session.
    pub usual: SearchSize,
    /// If every level stays undecided until it ran for as long as allowed.
    pub longest: SearchSize,
}

impl SearchForecast {
    /// The forecast for a profile.
    pub fn of(profile: &Profile) -> Self {
        let mut forecaster =
            Forecaster { profile, rules: SearchRules::of(profile), sessions: HashMap::new() };
        Self { usual: forecaster.largest(false), longest: forecaster.largest(true) }
    }
}

struct Forecaster<'a> {
    profile: &'a Profile,
    rules: SearchRules,
    sessions: HashMap<(Purpose, u32, Micros), (Micros, u64)>,
}

impl Forecaster<'_> {
    fn largest(&mut self, always_extended: bool) -> SearchSize {
        let mut largest = SearchSize::default();
        let highest_limit = self.rules.settings.most;
        let mut limit = 0;
        loop {
            let search = self.search(limit, always_extended);
            largest = SearchSize {
                sessions: largest.sessions.max(search.sessions),
                duration: largest.duration.max(search.duration),
                runs: largest.runs.max(search.runs),
            };
            if limit >= highest_limit {
                return largest;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            let next = (f64::from(limit) * LIMIT_FACTOR) as u32;
            limit = next.max(limit + 1).min(highest_limit);
        }
    }

    fn search(&mut self, limit: u32, always_extended: bool) -> SearchSize {
        let mut search = CapacitySearch::new(self.rules.clone());
        let mut size = SearchSize::default();
        while let SearchStep::Try(trial) = search.next() {
            let (duration, runs) = self.session(trial);
            let start = size.duration;
            size = SearchSize {
                sessions: size.sessions + 1,
                duration: size.duration + duration,
                runs: size.runs + runs,
            };
            let longest = self.rules.max_duration(trial.in_flight);
            let verdict =
                if always_extended && trial.purpose.decides_level() && trial.duration < longest {
                    LevelVerdict::Undecided
                } else if trial.in_flight <= limit {
                    LevelVerdict::Passed
                } else {
                    LevelVerdict::Failed
                };
            search.add(TrialResult {
                trial,
                verdict,
                extension: None,
                stalled: false,
                start,
                end: size.duration,
            });
        }
        size
    }

    /// The duration of a session, and the number of its runs.
    fn session(&mut self, trial: Trial) -> (Micros, u64) {
        let key = (trial.purpose, trial.in_flight, trial.duration);
        if let Some(known) = self.sessions.get(&key) {
            return *known;
        }
        let level = level_profile(self.profile, &self.rules, trial, 1, SearchSpend::default());
        let known = level.map_or((Micros::ZERO, 0), |level| {
            let stages = level.stages.iter().filter_map(|stage| stage.lasts);
            let duration = stages
                .map(PositiveDuration::micros)
                .fold(self.rules.longest_conversation, |sum, stage| sum + stage);
            (duration, Forecast::new(&Plan::new(level)).runs)
        });
        self.sessions.insert(key, known);
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::simulation::profile;

    #[test]
    fn the_forecast_is_the_maximum_over_all_limits() {
        let forecast = SearchForecast::of(&profile("start = 10\nmost = 100\nlasts = \"60s\""));
        let (usual, longest) = (forecast.usual, forecast.longest);
        assert!((11..=16).contains(&usual.sessions), "{usual:?}");
        // A session takes 60 s measured, 10 s each to settle, to stay and to end, and up to 10 s to ramp.
        let each = usual.duration.as_secs_f64() / usual.sessions as f64;
        assert!((80.0..110.0).contains(&each), "{usual:?}");
        assert!(
            longest.duration.0 > usual.duration.0 * 2 && longest.runs > usual.runs * 2,
            "{forecast:?}"
        );
    }

    #[test]
    fn a_search_of_one_level_is_short() {
        let forecast = SearchForecast::of(&profile("start = 1\nmost = 1\nburst = false"));
        assert_eq!(forecast.usual.sessions, 2, "one, and its confirmation");
    }
}
