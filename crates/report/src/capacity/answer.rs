//! What a search comes to: how many are held, what gives way first and why, burst and recovery.

use super::finding::{TrialFinding, TrialThreshold};
use super::search::{CapacitySearch, SearchEnd};
use super::trial::{LevelVerdict, Purpose};
use crate::report::Estimated;
use rushhour_core::profile::ThresholdMeasure;
use rushhour_core::units::Micros;

/// One end of the answer: a level, and how many sessions say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacityBound {
    /// The level.
    pub in_flight: u32,
    /// Sessions with that verdict.
    pub sessions: u32,
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
pub enum HeldRange {
    /// The last that passed, and the first that failed.
    Between(CapacityBound, CapacityBound),
    /// The last that passed; none was seen to fail.
    AtLeast(CapacityBound, Ceiling),
    /// The lowest that failed; none was seen to pass.
    FewerThan(CapacityBound),
    /// No level was decided.
    Unknown,
}

/// The first thing that gave way.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstFailure<'a> {
    /// The session of the lowest failed level that shows it.
    pub finding: &'a TrialFinding,
    /// The threshold, the first of the profile's that does not hold there.
    pub threshold: &'a TrialThreshold,
    /// The same threshold at the lowest level that passed, where there is one.
    pub before: Option<(u32, Estimated)>,
}

/// The last passed level at one instant, beside the same level ramped.
#[derive(Debug, Clone, PartialEq)]
pub struct BurstAnswer<'a> {
    /// At one instant.
    pub burst: &'a TrialFinding,
    /// Ramped.
    pub ramped: &'a TrialFinding,
}

/// How soon the lowest level was well again after the first failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The level that failed.
    pub failed_level: u32,
    /// The level that was tried then.
    pub probed_level: u32,
    /// From the end of the former's last run to the beginning of the last session of the latter that
    /// failed; nothing where none did.
    pub earliest: Micros,
    /// To the end of the first session that passed; none where none did.
    pub latest: Option<Micros>,
    /// For how long it was watched.
    pub observed_for: Micros,
}

/// Whether as many as needed are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeededVerdict {
    /// They are.
    Met(u32),
    /// They are not.
    NotMet(u32),
    /// It cannot be said.
    Unknown(u32),
}

/// What a search comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityAnswer<'a> {
    /// How many are held.
    pub range: HeldRange,
    /// Why it ended.
    pub ending: SearchEnd,
    /// What gave way first.
    pub first_failure: Option<FirstFailure<'a>>,
    /// Levels between the ends that could not be decided.
    pub undecided: Vec<u32>,
    /// The last passed level at one instant.
    pub burst: Option<BurstAnswer<'a>>,
    /// How soon it was well again.
    pub recovery: Option<Recovery>,
    /// Whether as many as needed are held.
    pub needed: Option<NeededVerdict>,
}

impl<'a> CapacityAnswer<'a> {
    /// From the search and what its sessions say, in the same order.
    pub fn of(search: &CapacitySearch, findings: &'a [TrialFinding], ending: SearchEnd) -> Self {
        let standings = search.level_verdicts();
        let end_of = |level: u32, count: fn(&super::level_verdicts::VerdictCounts) -> u32| {
            CapacityBound { in_flight: level, sessions: count(&standings.record(level)) }
        };
        let passed = standings.passed().map(|level| end_of(level, |record| record.passed));
        let failed = standings.failed().map(|level| end_of(level, |record| record.failed));
        let undecided = standings.undecided();
        let most = search.rules().settings.most;
        let holds = match (passed, failed) {
            (Some(passed), Some(failed)) => HeldRange::Between(passed, failed),
            (Some(passed), None) => {
                let ceiling = if passed.in_flight >= most {
                    Ceiling::Most
                } else if let Some(level) = standings.generator_limited() {
                    Ceiling::Generator(level)
                } else if let (Some(level), SearchEnd::Complete) = (undecided.first(), ending) {
                    Ceiling::Undecided(*level)
                } else {
                    Ceiling::Ended
                };
                HeldRange::AtLeast(passed, ceiling)
            }
            (None, Some(failed)) => HeldRange::FewerThan(failed),
            (None, None) => HeldRange::Unknown,
        };
        let needed = search.rules().settings.needed.map(|needed| {
            if passed.is_some_and(|passed| passed.in_flight >= needed) {
                NeededVerdict::Met(needed)
            } else if failed.is_some_and(|failed| failed.in_flight <= needed) {
                NeededVerdict::NotMet(needed)
            } else {
                NeededVerdict::Unknown(needed)
            }
        });
        Self {
            range: holds,
            ending,
            first_failure: failed.and_then(|failed| gave_way(failed.in_flight, findings)),
            undecided,
            burst: burst(findings),
            recovery: recovery(search),
            needed,
        }
    }
}

fn of_level(findings: &[TrialFinding], level: u32, verdict: LevelVerdict) -> Option<&TrialFinding> {
    let says = |finding: &&TrialFinding| {
        finding.in_flight() == level
            && finding.result.verdict == verdict
            && finding.purpose().decides_level()
    };
    findings.iter().filter(says).max_by_key(|finding| finding.runs.0)
}

fn gave_way(level: u32, findings: &[TrialFinding]) -> Option<FirstFailure<'_>> {
    let finding = of_level(findings, level, LevelVerdict::Failed)?;
    let threshold = finding.failed_thresholds().next()?;
    let lowest = findings
        .iter()
        .filter(|other| other.result.verdict == LevelVerdict::Passed)
        .filter(|other| other.purpose().decides_level())
        .min_by_key(|other| other.in_flight());
    let before = lowest.and_then(|lowest| {
        let same = lowest.thresholds.iter().find(|found| found.threshold == threshold.threshold)?;
        Some((lowest.in_flight(), same.estimated?))
    });
    Some(FirstFailure { finding, threshold, before })
}

fn burst(findings: &[TrialFinding]) -> Option<BurstAnswer<'_>> {
    let burst = findings.iter().find(|finding| finding.purpose() == Purpose::Burst)?;
    let ramped = of_level(findings, burst.in_flight(), LevelVerdict::Passed)?;
    Some(BurstAnswer { burst, ramped })
}

fn recovery(search: &CapacitySearch) -> Option<Recovery> {
    let (place, failed) = search.first_failed()?;
    let probes: Vec<_> = search.results()[place + 1..]
        .iter()
        .take_while(|tried| tried.trial.purpose == Purpose::Recover)
        .collect();
    let since = |at: Micros| at.saturating_sub(failed.end);
    let last_failed = probes.iter().rfind(|probe| probe.verdict == LevelVerdict::Failed);
    Some(Recovery {
        failed_level: failed.trial.in_flight,
        probed_level: probes.first()?.trial.in_flight,
        earliest: last_failed.map_or(Micros::ZERO, |probe| since(probe.start)),
        latest: probes
            .iter()
            .find(|probe| probe.verdict == LevelVerdict::Passed)
            .map(|probe| since(probe.end)),
        observed_for: since(probes.last()?.end),
    })
}

impl FirstFailure<'_> {
    /// Whether it is a share of runs, which failures explain, rather than a latency.
    pub(super) const fn is_share(&self) -> bool {
        matches!(self.threshold.threshold.measure, ThresholdMeasure::Share(_))
    }
}
