//! Whether what a wave of runs took is given back: jobs, processes and rooms, looked at while nothing is under way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::soak_data::SoakData;
use rushhour_core::event::AgentHealth;
use rushhour_core::units::{Micros, SessionTime};

/// Which stretch without a run under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleKind {
    /// Before the first run.
    Before,
    /// After some runs.
    After {
        /// The stage that the last of them was of, by its position in the profile.
        stage: u32,
        /// How many had been started by then.
        runs: u64,
    },
}

impl IdleKind {
    /// Whether both are after runs of one stage.
    pub const fn has_stage_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::Before, Self::Before) => true,
            (Self::After { stage, .. }, Self::After { stage: later, .. }) => stage == later,
            _ => false,
        }
    }
}

/// A stretch in which no run was under way and the worker was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdlePeriod {
    /// Which.
    pub kind: IdleKind,
    /// When the last run before it ended; the session's beginning where there was none.
    pub since: SessionTime,
    /// The last look.
    pub last: SessionTime,
    /// The fewest and the most jobs that were seen.
    pub jobs: Option<(u64, u64)>,
    /// The fewest and the most processes that were seen.
    pub children: Option<(u64, u64)>,
}

impl IdlePeriod {
    /// A rest with its first look.
    pub fn begin(
        stretch: IdleKind,
        since: SessionTime,
        at: SessionTime,
        said: &AgentHealth,
    ) -> Self {
        let mut rest = Self { kind: stretch, since, last: at, jobs: None, children: None };
        rest.take(at, said);
        rest
    }

    /// Takes in another look.
    pub fn take(&mut self, at: SessionTime, said: &AgentHealth) {
        let widen = |range: Option<(u64, u64)>, value: Option<u64>| match (range, value) {
            (Some((low, high)), Some(value)) => Some((low.min(value), high.max(value))),
            (None, Some(value)) => Some((value, value)),
            (range, None) => range,
        };
        self.last = at;
        self.jobs = widen(self.jobs, said.jobs);
        self.children = widen(self.children, said.children);
    }
}

/// What may stay behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Jobs that the worker counts as active.
    Jobs,
    /// Processes that the worker started.
    Processes,
    /// Rooms at the server.
    Rooms,
}

impl Resource {
    const fn words(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Processes => "processes",
            Self::Rooms => "rooms",
        }
    }
}

/// Whether something stayed behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeakFinding {
    /// It went back to what it was before.
    Released,
    /// It stayed above that for as long as was waited.
    Leaked,
    /// Nothing was looked at, or not for long enough.
    NotObserved,
}

/// Whether one thing went back to what it was, after one wave or at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeakCheck {
    /// What may stay behind.
    pub resource: Resource,
    /// After how many runs; absent where it is the session's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_runs: Option<u64>,
    /// The most of it before the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The least of it that was seen afterwards, while no run was under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// What it comes to.
    pub finding: LeakFinding,
    /// The same in words.
    pub words: String,
}

/// Looks whether jobs, processes and rooms went back to what they were, after each wave and at the end;
/// `settle` is how long they are given.
pub(super) fn leaks(gathered: &SoakData, settle: Micros) -> Vec<LeakCheck> {
    let before = gathered.idle_periods.iter().find(|rest| rest.kind == IdleKind::Before);
    let after: Vec<&IdlePeriod> =
        gathered.idle_periods.iter().filter(|rest| rest.kind != IdleKind::Before).collect();
    let (end, waves) = match after.split_last() {
        Some((last, waves)) => (Some(*last), waves),
        None => (None, &[][..]),
    };
    let mut checks = Vec::new();
    for kept in [Resource::Jobs, Resource::Processes] {
        for wave in waves {
            checks.extend(check(kept, before, Some(wave), settle, true));
        }
        checks.extend(check(kept, before, end, settle, false));
    }
    checks.push(rooms(gathered.rooms_listed));
    checks
}

fn of(rest: &IdlePeriod, kept: Resource) -> Option<(u64, u64)> {
    match kept {
        Resource::Jobs => rest.jobs,
        Resource::Processes => rest.children,
        Resource::Rooms => None,
    }
}

fn check(
    kept: Resource,
    before: Option<&IdlePeriod>,
    rest: Option<&IdlePeriod>,
    settle: Micros,
    wave: bool,
) -> Option<LeakCheck> {
    let most_before = before.and_then(|before| of(before, kept)).map(|(_, most)| most);
    let fewest = rest.and_then(|rest| of(rest, kept)).map(|(fewest, _)| fewest);
    if wave && fewest.is_none() {
        return None;
    }
    let name = kept.words();
    let after_runs = rest.filter(|_| wave).and_then(|rest| match rest.kind {
        IdleKind::Before => None,
        IdleKind::After { runs, .. } => Some(runs),
    });
    let moment =
        after_runs.map_or("after the last run".to_owned(), |runs| format!("after {runs} runs"));
    let waited = rest.map_or(Micros::ZERO, |rest| rest.last.since(rest.since));
    let (finding, words) = match (most_before, fewest) {
        (Some(most), Some(fewest)) if fewest <= most => {
            let words = format!("{name} {moment}: {fewest}, {most} before the first; given back");
            (LeakFinding::Released, words)
        }
        // The last look may come one interval before the time is up.
        (Some(most), Some(fewest)) if waited.0 >= settle.0 / 2 => {
            let words =
                format!("{name} {moment}: still {fewest} {waited} later, {most} before the first");
            (LeakFinding::Leaked, words)
        }
        (Some(_), Some(fewest)) => {
            let words =
                format!("{name} {moment}: {fewest}; looked at for {waited} only, too short to say");
            (LeakFinding::NotObserved, words)
        }
        (None, Some(_)) => {
            (LeakFinding::NotObserved, format!("{name}: not looked at before the first run"))
        }
        (_, None) if rest.is_some() => (
            LeakFinding::NotObserved,
            format!("{name}: not looked at, the worker does not tell them"),
        ),
        (_, None) => (LeakFinding::NotObserved, format!("{name}: not looked at {moment}")),
    };
    Some(LeakCheck {
        resource: kept,
        after_runs,
        before: most_before,
        after: fewest,
        finding,
        words,
    })
}

fn rooms(listed: Option<(u64, u64)>) -> LeakCheck {
    let (finding, words) = match listed {
        Some((0, 0)) => (LeakFinding::Released, "rooms: the server lists none any more".to_owned()),
        Some((0, again)) => {
            let words = format!(
                "rooms: the server lists none any more; {again} that it still listed after their deletion were deleted once more"
            );
            (LeakFinding::Released, words)
        }
        Some((rooms, _)) => {
            let words =
                format!("rooms: the server still lists {rooms}; `rushhour sweep` deletes them");
            (LeakFinding::Leaked, words)
        }
        None => (LeakFinding::NotObserved, "rooms: not looked at after the end".to_owned()),
    };
    let (kept, after_runs, before) = (Resource::Rooms, None, None);
    LeakCheck {
        resource: kept,
        after_runs,
        before,
        after: listed.map(|(rooms, _)| rooms),
        finding,
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Micros = Micros::from_secs(10);

    fn said(jobs: u64) -> AgentHealth {
        AgentHealth { jobs: Some(jobs), ..AgentHealth::default() }
    }

    fn seconds(seconds: u64) -> SessionTime {
        SessionTime(seconds * 1_000_000)
    }

    /// Rests with jobs by second: before, after a wave of 10 runs, and at the end.
    fn gathered(before: Option<u64>, wave: &[(u64, u64)], end: &[(u64, u64)]) -> SoakData {
        let rest = |stretch, since: u64, looks: &[(u64, u64)]| {
            let (first, rest) = looks.split_first()?;
            let begin =
                IdlePeriod::begin(stretch, seconds(since), seconds(first.0), &said(first.1));
            Some(rest.iter().fold(begin, |mut rest, (at, jobs)| {
                rest.take(seconds(*at), &said(*jobs));
                rest
            }))
        };
        let looks: Vec<(u64, u64)> = before.map(|jobs| (0, jobs)).into_iter().collect();
        let rests = [
            rest(IdleKind::Before, 0, &looks),
            rest(IdleKind::After { stage: 0, runs: 10 }, 100, wave),
            rest(IdleKind::After { stage: 1, runs: 20 }, 200, end),
        ];
        SoakData { idle_periods: rests.into_iter().flatten().collect(), ..SoakData::default() }
    }

    fn of_jobs(gathered: &SoakData) -> Vec<(Option<u64>, LeakFinding)> {
        let checks = leaks(gathered, SETTLE).into_iter();
        checks
            .filter(|one| one.resource == Resource::Jobs)
            .map(|one| (one.after_runs, one.finding))
            .collect()
    }

    #[test]
    fn jobs_that_go_are_given_back_and_those_that_stay_are_left_behind() {
        let (wave, end) = (Some(10), None);
        let back = gathered(Some(0), &[(101, 4), (103, 0)], &[(201, 2), (205, 0)]);
        assert_eq!(of_jobs(&back), [(wave, LeakFinding::Released), (end, LeakFinding::Released)]);
        let stays = gathered(Some(1), &[(101, 4), (112, 3)], &[(201, 4), (211, 3)]);
        assert_eq!(of_jobs(&stays), [(wave, LeakFinding::Leaked), (end, LeakFinding::Leaked)]);
        let short = gathered(Some(0), &[(101, 4)], &[(201, 0)]);
        let found = [(wave, LeakFinding::NotObserved), (end, LeakFinding::Released)];
        assert_eq!(of_jobs(&short), found, "a second is too short to say");
    }

    #[test]
    fn what_was_not_looked_at_is_said_to_be_so() {
        for gathered in
            [SoakData::default(), gathered(None, &[], &[(210, 5)]), gathered(Some(0), &[], &[])]
        {
            let checks = leaks(&gathered, SETTLE);
            assert_eq!(checks.len(), 3);
            assert!(checks.iter().all(|one| one.finding == LeakFinding::NotObserved), "{checks:?}");
        }
    }

    #[test]
    fn rooms_that_stay_are_left_behind() {
        assert_eq!(rooms(Some((0, 0))).finding, LeakFinding::Released);
        assert_eq!(rooms(Some((0, 3))).finding, LeakFinding::Released);
        assert_eq!(rooms(Some((2, 0))).finding, LeakFinding::Leaked);
        assert_eq!(rooms(None).finding, LeakFinding::NotObserved);
    }
}
