//! What a search may come to before any of it is held: the searches of agents with every possible limit.

use std::collections::HashMap;

use super::level::{SearchSpend, level_profile};
use super::rules::SearchRules;
use super::search::{CapacitySearch, SearchStep};
use super::trial::{LevelVerdict, Purpose, Trial, TrialResult};
use rushhour_core::plan::{Forecast, Plan};
use rushhour_core::profile::Profile;
use rushhour_core::units::{Micros, PositiveDuration};

/// From one limit that is reckoned with to the next.
const NEXT_LIMIT: f64 = 1.1;

/// The most that a search of one kind comes to, over all limits that the agent may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchMaximum {
    /// Sessions.
    pub sessions: usize,
    /// How long all of them take.
    pub duration: Micros,
    /// Runs; an estimate.
    pub runs: u64,
}

/// What a search may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchForecast {
    /// Where every level is decided at first.
    pub usual: SearchMaximum,
    /// Where every level is undecided until it has been held as long as allowed.
    pub longest: SearchMaximum,
}

impl SearchForecast {
    /// Of a profile's search.
    pub fn of(profile: &Profile) -> Self {
        let mut forecaster =
            Forecaster { profile, rules: SearchRules::of(profile), known: HashMap::new() };
        Self { usual: forecaster.most(false), longest: forecaster.most(true) }
    }
}

struct Forecaster<'a> {
    profile: &'a Profile,
    rules: SearchRules,
    known: HashMap<(Purpose, u32, Micros), (Micros, u64)>,
}

impl Forecaster<'_> {
    fn most(&mut self, hesitant: bool) -> SearchMaximum {
        let mut most = SearchMaximum::default();
        let top = self.rules.settings.most;
        let mut limit = 0;
        loop {
            let one = self.search(limit, hesitant);
            most = SearchMaximum {
                sessions: most.sessions.max(one.sessions),
                duration: most.duration.max(one.duration),
                runs: most.runs.max(one.runs),
            };
            if limit >= top {
                return most;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            let next = (f64::from(limit) * NEXT_LIMIT) as u32;
            limit = next.max(limit + 1).min(top);
        }
    }

    fn search(&mut self, limit: u32, hesitant: bool) -> SearchMaximum {
        let mut search = CapacitySearch::new(self.rules.clone());
        let mut all = SearchMaximum::default();
        while let SearchStep::Try(trial) = search.next() {
            let (lasts, runs) = self.session(trial);
            let begins = all.duration;
            all = SearchMaximum {
                sessions: all.sessions + 1,
                duration: all.duration + lasts,
                runs: all.runs + runs,
            };
            let longest = self.rules.max_duration(trial.in_flight);
            let verdict = if hesitant && trial.purpose.decides_level() && trial.duration < longest {
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
                start: begins,
                end: all.duration,
            });
        }
        all
    }

    /// How long a session takes, and how many runs it starts.
    fn session(&mut self, trial: Trial) -> (Micros, u64) {
        let key = (trial.purpose, trial.in_flight, trial.duration);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let level = level_profile(self.profile, &self.rules, trial, 1, SearchSpend::default());
        let known = level.map_or((Micros::ZERO, 0), |level| {
            let stages = level.stages.iter().filter_map(|stage| stage.lasts);
            let lasts = stages
                .map(PositiveDuration::micros)
                .fold(self.rules.longest_conversation, |all, one| all + one);
            (lasts, Forecast::new(&Plan::new(level)).runs)
        });
        self.known.insert(key, known);
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::simulation::profile;

    #[test]
    fn the_outlook_is_the_worst_over_all_limits() {
        let outlook = SearchForecast::of(&profile("start = 10\nmost = 100\nlasts = \"60s\""));
        let (usual, longest) = (outlook.usual, outlook.longest);
        assert!((11..=16).contains(&usual.sessions), "{usual:?}");
        // A session takes 60 s measured, 10 s each to settle, to stay and to end, and up to 10 s to be reached.
        let each = usual.duration.as_secs_f64() / usual.sessions as f64;
        assert!((80.0..110.0).contains(&each), "{usual:?}");
        assert!(
            longest.duration.0 > usual.duration.0 * 2 && longest.runs > usual.runs * 2,
            "{outlook:?}"
        );
    }

    #[test]
    fn a_search_that_may_not_go_far_is_short() {
        let outlook = SearchForecast::of(&profile("start = 1\nmost = 1\nburst = false"));
        assert_eq!(outlook.usual.sessions, 2, "once, and once more");
    }
}
