//! What a search comes to: how many are held, what gives way first and why, burst and recovery.

use super::finding::{Finding, ThresholdFinding};
use super::search::{Ending, Search};
use super::trial::{LevelVerdict, Purpose};
use crate::report::Estimated;
use rushhour_core::profile::Measure;
use rushhour_core::units::Micros;

/// One end of the answer: a level, and how many sessions say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The level.
    pub in_flight: u32,
    /// Sessions with that verdict.
    pub times: u32,
}

/// Why no level above was found to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceiling {
    /// No more were allowed.
    Most,
    /// The generator could not hold so many.
    Generator(u32),
    /// Levels above cannot be decided, this one to begin with.
    Undecided(u32),
    /// The search was ended.
    Ended,
}

/// How many are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The last that passed, and the first that failed.
    Between(End, End),
    /// The last that passed; none was seen to fail.
    AtLeast(End, Ceiling),
    /// The lowest that failed; none was seen to pass.
    FewerThan(End),
    /// No level was decided.
    Unknown,
}

/// The first thing that gave way.
#[derive(Debug, Clone, PartialEq)]
pub struct GaveWay<'a> {
    /// The session of the lowest failed level that shows it.
    pub finding: &'a Finding,
    /// The threshold, the first of the profile's that does not hold there.
    pub threshold: &'a ThresholdFinding,
    /// The same threshold at the lowest level that passed, where there is one.
    pub before: Option<(u32, Estimated)>,
}

/// The last passed level at one instant, beside the same level ramped.
#[derive(Debug, Clone, PartialEq)]
pub struct BurstAnswer<'a> {
    /// At one instant.
    pub burst: &'a Finding,
    /// Ramped.
    pub ramped: &'a Finding,
}

/// How soon the lowest level was well again after the first failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The level that failed.
    pub after: u32,
    /// The level that was tried then.
    pub level: u32,
    /// From the end of the former's last run to the beginning of the last session of the latter that
    /// failed; nothing where none did.
    pub not_before: Micros,
    /// To the end of the first session that passed; none where none did.
    pub by: Option<Micros>,
    /// For how long it was watched.
    pub watched: Micros,
}

/// Whether as many as needed are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// They are.
    Met(u32),
    /// They are not.
    NotMet(u32),
    /// It cannot be said.
    Unknown(u32),
}

/// What a search comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    /// How many are held.
    pub holds: Holds,
    /// Why it ended.
    pub ending: Ending,
    /// What gave way first.
    pub gave_way: Option<GaveWay<'a>>,
    /// Levels between the ends that could not be decided.
    pub undecided: Vec<u32>,
    /// The last passed level at one instant.
    pub burst: Option<BurstAnswer<'a>>,
    /// How soon it was well again.
    pub recovery: Option<Recovery>,
    /// Whether as many as needed are held.
    pub needed: Option<Needed>,
}

impl<'a> Answer<'a> {
    /// From the search and what its sessions say, in the same order.
    pub fn of(search: &Search, findings: &'a [Finding], ending: Ending) -> Self {
        let standings = search.standings();
        let end_of = |level: u32, count: fn(&super::standing::Record) -> u32| End {
            in_flight: level,
            times: count(&standings.record(level)),
        };
        let passed = standings.passed().map(|level| end_of(level, |record| record.passed));
        let failed = standings.failed().map(|level| end_of(level, |record| record.failed));
        let undecided = standings.undecided();
        let most = search.rules().settings.most;
        let holds = match (passed, failed) {
            (Some(passed), Some(failed)) => Holds::Between(passed, failed),
            (Some(passed), None) => {
                let ceiling = if passed.in_flight >= most {
                    Ceiling::Most
                } else if let Some(level) = standings.beyond() {
                    Ceiling::Generator(level)
                } else if let (Some(level), Ending::Complete) = (undecided.first(), ending) {
                    Ceiling::Undecided(*level)
                } else {
                    Ceiling::Ended
                };
                Holds::AtLeast(passed, ceiling)
            }
            (None, Some(failed)) => Holds::FewerThan(failed),
            (None, None) => Holds::Unknown,
        };
        let needed = search.rules().settings.needed.map(|needed| {
            if passed.is_some_and(|passed| passed.in_flight >= needed) {
                Needed::Met(needed)
            } else if failed.is_some_and(|failed| failed.in_flight <= needed) {
                Needed::NotMet(needed)
            } else {
                Needed::Unknown(needed)
            }
        });
        Self {
            holds,
            ending,
            gave_way: failed.and_then(|failed| gave_way(failed.in_flight, findings)),
            undecided,
            burst: burst(findings),
            recovery: recovery(search),
            needed,
        }
    }
}

fn of_level(findings: &[Finding], level: u32, verdict: LevelVerdict) -> Option<&Finding> {
    let says = |finding: &&Finding| {
        finding.in_flight() == level
            && finding.tried.verdict == verdict
            && finding.purpose().judges_the_level()
    };
    findings.iter().filter(says).max_by_key(|finding| finding.runs.0)
}

fn gave_way(level: u32, findings: &[Finding]) -> Option<GaveWay<'_>> {
    let finding = of_level(findings, level, LevelVerdict::Failed)?;
    let threshold = finding.failed_thresholds().next()?;
    let lowest = findings
        .iter()
        .filter(|other| other.tried.verdict == LevelVerdict::Passed)
        .filter(|other| other.purpose().judges_the_level())
        .min_by_key(|other| other.in_flight());
    let before = lowest.and_then(|lowest| {
        let same = lowest.thresholds.iter().find(|found| found.threshold == threshold.threshold)?;
        Some((lowest.in_flight(), same.estimated?))
    });
    Some(GaveWay { finding, threshold, before })
}

fn burst(findings: &[Finding]) -> Option<BurstAnswer<'_>> {
    let burst = findings.iter().find(|finding| finding.purpose() == Purpose::Burst)?;
    let ramped = of_level(findings, burst.in_flight(), LevelVerdict::Passed)?;
    Some(BurstAnswer { burst, ramped })
}

fn recovery(search: &Search) -> Option<Recovery> {
    let (place, failed) = search.first_failed()?;
    let probes: Vec<_> = search.tried()[place + 1..]
        .iter()
        .take_while(|tried| tried.trial.purpose == Purpose::Recover)
        .collect();
    let since = |at: Micros| at.saturating_sub(failed.ends);
    let last_failed = probes.iter().rfind(|probe| probe.verdict == LevelVerdict::Failed);
    Some(Recovery {
        after: failed.trial.in_flight,
        level: probes.first()?.trial.in_flight,
        not_before: last_failed.map_or(Micros::ZERO, |probe| since(probe.begins)),
        by: probes
            .iter()
            .find(|probe| probe.verdict == LevelVerdict::Passed)
            .map(|probe| since(probe.ends)),
        watched: since(probes.last()?.ends),
    })
}

impl GaveWay<'_> {
    /// Whether it is a share of runs, which failures explain, rather than a latency.
    pub(super) const fn is_share(&self) -> bool {
        matches!(self.threshold.threshold.measure, Measure::Share(_))
    }
}
