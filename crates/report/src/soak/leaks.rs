//! Whether jobs, processes and rooms are released after each wave of runs and after the last run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::idle_periods::{CountRange, IdleKind, IdlePeriod};
use super::soak_data::SoakData;
use crate::fold::RoomsListed;
use rushhour_core::units::Micros;

/// What may leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Jobs that the worker counts as active.
    Jobs,
    /// Child processes of the worker.
    Processes,
    /// Rooms at the server.
    Rooms,
}

/// Whether a resource leaked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeakFinding {
    /// Its count went back to what it was before the first run.
    #[serde(rename = "given_back")]
    Released,
    /// Its count stayed higher for as long as it was observed.
    Leaked,
    /// It was not observed, or not for long enough.
    #[serde(rename = "not_looked_at")]
    NotObserved,
}

/// Whether one resource was released, after one wave of runs or at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeakCheck {
    /// The resource.
    pub resource: Resource,
    /// After how many runs; none at the session's end.
    pub after_runs: Option<u64>,
    /// Its highest count before the first run.
    pub before: Option<u64>,
    /// Its lowest count afterwards, while no run was in flight.
    pub after: Option<u64>,
    /// How long the worker was observed afterwards; none where it was not.
    pub observed_for: Option<Micros>,
    /// Rooms that the server still listed after their deletion and that were deleted again.
    pub deleted_again: u64,
    /// What was found.
    pub finding: LeakFinding,
}

/// Checks jobs and processes after each wave of runs and at the end, and rooms at the end. `settle` is the time that
/// the agent has to release them.
pub(super) fn find_leaks(data: &SoakData, settle: Micros) -> Vec<LeakCheck> {
    let before = data.idle_periods.iter().find(|period| period.kind == IdleKind::Before);
    let after: Vec<&IdlePeriod> =
        data.idle_periods.iter().filter(|period| period.kind != IdleKind::Before).collect();
    let (end, waves) = match after.split_last() {
        Some((last, waves)) => (Some(*last), waves),
        None => (None, &[][..]),
    };
    let mut checks = Vec::new();
    for resource in [Resource::Jobs, Resource::Processes] {
        let before = before.and_then(|period| counts(period, resource)).map(|counts| counts.max);
        for wave in waves.iter().filter(|wave| counts(wave, resource).is_some()) {
            let IdleKind::After { runs, .. } = wave.kind else { continue };
            checks.push(LeakCheck {
                after_runs: Some(runs),
                ..check(resource, before, Some(wave), settle)
            });
        }
        checks.push(check(resource, before, end, settle));
    }
    checks.push(check_rooms(data.rooms_listed));
    checks
}

const fn counts(period: &IdlePeriod, resource: Resource) -> Option<CountRange> {
    match resource {
        Resource::Jobs => period.jobs,
        Resource::Processes => period.children,
        Resource::Rooms => None,
    }
}

fn check(
    resource: Resource,
    before: Option<u64>,
    period: Option<&IdlePeriod>,
    settle: Micros,
) -> LeakCheck {
    let seen = period.and_then(|period| counts(period, resource));
    let after = seen.map(|counts| counts.min);
    let observed_for = period.map(|period| period.observed_for(seen));
    let finding = match (before, after) {
        (Some(before), Some(after)) if after <= before => LeakFinding::Released,
        // The last poll may come one interval before the time is up.
        (Some(_), Some(_)) if observed_for.is_some_and(|time| time.0 >= settle.0 / 2) => {
            LeakFinding::Leaked
        }
        _ => LeakFinding::NotObserved,
    };
    LeakCheck { resource, after_runs: None, before, after, observed_for, deleted_again: 0, finding }
}

const fn check_rooms(listed: Option<RoomsListed>) -> LeakCheck {
    let (after, deleted_again, finding) = match listed {
        None => (None, 0, LeakFinding::NotObserved),
        Some(RoomsListed { remaining: 0, deleted_again }) => {
            (Some(0), deleted_again, LeakFinding::Released)
        }
        Some(RoomsListed { remaining, deleted_again }) => {
            (Some(remaining), deleted_again, LeakFinding::Leaked)
        }
    };
    LeakCheck {
        resource: Resource::Rooms,
        after_runs: None,
        before: None,
        after,
        observed_for: None,
        deleted_again,
        finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::event::AgentHealth;
    use rushhour_core::units::SessionTime;

    const SETTLE: Micros = Micros::from_secs(10);

    fn health(jobs: u64) -> AgentHealth {
        AgentHealth { jobs: Some(jobs), ..AgentHealth::default() }
    }

    fn seconds(seconds: u64) -> SessionTime {
        SessionTime(seconds * 1_000_000)
    }

    /// Idle periods, each with polls as (second, jobs): before the first run, after a wave of 10 runs, and at the end.
    fn data(before: Option<u64>, wave: &[(u64, u64)], end: &[(u64, u64)]) -> SoakData {
        let period = |kind, start: u64, polls: &[(u64, u64)]| {
            let ((at, jobs), others) = polls.split_first()?;
            let mut period = IdlePeriod::new(kind, seconds(start), seconds(*at), &health(*jobs));
            for (at, jobs) in others {
                period.add(seconds(*at), &health(*jobs));
            }
            Some(period)
        };
        let first: Vec<(u64, u64)> = before.map(|jobs| (0, jobs)).into_iter().collect();
        let periods = [
            period(IdleKind::Before, 0, &first),
            period(IdleKind::After { stage: 0, runs: 10 }, 100, wave),
            period(IdleKind::After { stage: 1, runs: 20 }, 200, end),
        ];
        SoakData { idle_periods: periods.into_iter().flatten().collect(), ..SoakData::default() }
    }

    fn of_jobs(data: &SoakData) -> Vec<(Option<u64>, LeakFinding)> {
        let checks = find_leaks(data, SETTLE).into_iter();
        checks
            .filter(|one| one.resource == Resource::Jobs)
            .map(|one| (one.after_runs, one.finding))
            .collect()
    }

    #[test]
    fn jobs_that_end_are_released_and_jobs_that_stay_are_leaked() {
        let (wave, end) = (Some(10), None);
        let ends = data(Some(0), &[(101, 4), (103, 0)], &[(201, 2), (205, 0)]);
        assert_eq!(of_jobs(&ends), [(wave, LeakFinding::Released), (end, LeakFinding::Released)]);
        let stays = data(Some(1), &[(101, 4), (112, 3)], &[(201, 4), (211, 3)]);
        assert_eq!(of_jobs(&stays), [(wave, LeakFinding::Leaked), (end, LeakFinding::Leaked)]);
        let short = data(Some(0), &[(101, 4)], &[(201, 0)]);
        let found = [(wave, LeakFinding::NotObserved), (end, LeakFinding::Released)];
        assert_eq!(of_jobs(&short), found, "a second is too short to tell");
    }

    #[test]
    fn a_count_that_was_seen_once_is_no_leak_however_long_others_are_seen() {
        let mut data = data(Some(0), &[], &[(201, 2)]);
        let others = AgentHealth { children: Some(1), ..AgentHealth::default() };
        data.idle_periods[1].add(seconds(212), &others);
        assert_eq!(of_jobs(&data), [(None, LeakFinding::NotObserved)]);
    }

    #[test]
    fn without_polls_nothing_is_claimed() {
        for data in [SoakData::default(), data(None, &[], &[(210, 5)]), data(Some(0), &[], &[])] {
            let checks = find_leaks(&data, SETTLE);
            assert_eq!(checks.len(), 3);
            assert!(checks.iter().all(|one| one.finding == LeakFinding::NotObserved), "{checks:?}");
        }
    }

    #[test]
    fn rooms_that_stay_are_leaked() {
        let finding = |remaining, deleted_again| {
            check_rooms(Some(RoomsListed { remaining, deleted_again })).finding
        };
        assert_eq!(finding(0, 0), LeakFinding::Released);
        assert_eq!(finding(0, 3), LeakFinding::Released);
        assert_eq!(finding(2, 0), LeakFinding::Leaked);
        assert_eq!(check_rooms(None).finding, LeakFinding::NotObserved);
    }
}
