//! The answer of a search: how many conversations at once, what fails first and why, burst and recovery.

use super::finding::{TrialFinding, TrialThreshold};
use super::level_quality::{QualityLoss, quality_losses};
use super::level_verdicts::VerdictCounts;
use super::search::{CapacitySearch, SearchEnd};
use super::trial::{LevelVerdict, Purpose, TrialResult};
use crate::session::Estimated;
use rushhour_core::profile::ThresholdMeasure;
use rushhour_core::units::Micros;

/// One end of the range: a level, and the number of sessions with its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacityBound {
    /// Conversations at once.
    pub in_flight: u32,
    /// Sessions with that verdict.
    pub sessions: u32,
}

/// Why no failing level was found above the last that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceiling {
    /// The profile allows no more.
    Most,
    /// The generator could not deliver this level.
    Generator(u32),
    /// Levels above cannot be decided; this is the lowest.
    Undecided(u32),
    /// The search ended early.
    Ended,
}

/// How many conversations the agent can have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityRange {
    /// The highest level that passed, and the lowest that failed.
    Between(CapacityBound, CapacityBound),
    /// The highest level that passed; none failed.
    AtLeast(CapacityBound, Ceiling),
    /// The lowest level that failed; none passed.
    FewerThan(CapacityBound),
    /// No level was decided.
    Unknown,
}

/// The first threshold that fails.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstFailure<'a> {
    /// The session of the lowest failed level with the most runs.
    pub finding: &'a TrialFinding,
    /// The first of the profile's thresholds that does not hold in it.
    pub threshold: &'a TrialThreshold,
    /// The lowest level that passed, with the figure of the same threshold there.
    pub before: Option<(u32, Estimated)>,
}

/// The highest level that passed, started simultaneously, and the same level ramped.
#[derive(Debug, Clone, PartialEq)]
pub struct BurstAnswer<'a> {
    /// Started simultaneously.
    pub burst: &'a TrialFinding,
    /// The first of them, if the server's dispatcher held dispatches back in it; the burst is another one if it could be
    /// held again.
    pub stalled: Option<&'a TrialFinding>,
    /// Ramped.
    pub ramped: &'a TrialFinding,
}

/// How soon the lowest level passed again after the first level that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The level that failed.
    pub failed_level: u32,
    /// The level that was run afterwards.
    pub probed_level: u32,
    /// The lower bound: from the end of the failed level's last run to the start of the last probe that failed. Zero
    /// where none failed.
    pub earliest: Micros,
    /// The upper bound: to the end of the first probe that passed. None where none passed.
    pub latest: Option<Micros>,
    /// To the end of the last probe.
    pub observed_for: Micros,
}

/// Whether the agent can have as many conversations at once as the profile needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeededVerdict {
    /// It can.
    Met(u32),
    /// It cannot.
    NotMet(u32),
    /// Undecided.
    Unknown(u32),
}

/// The answer of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityAnswer<'a> {
    /// How many conversations at once.
    pub range: CapacityRange,
    /// Why the search ended.
    pub ending: SearchEnd,
    /// The first threshold that fails.
    pub first_failure: Option<FirstFailure<'a>>,
    /// Where quality gives way of which the profile does not say how much is too much, the lowest level first.
    pub quality_losses: Vec<QualityLoss>,
    /// Levels within the range that could not be decided.
    pub undecided: Vec<u32>,
    /// The highest level that passed, started simultaneously.
    pub burst: Option<BurstAnswer<'a>>,
    /// How soon the agent recovered.
    pub recovery: Option<Recovery>,
    /// Sessions of levels in which the server's dispatcher held dispatches back.
    pub stalled: Vec<&'a TrialFinding>,
    /// Whether the range reaches the number needed; none where the profile needs none.
    pub needed: Option<NeededVerdict>,
}

impl<'a> CapacityAnswer<'a> {
    /// The answer of a search from the findings of its sessions, in the same order.
    pub fn of(search: &CapacitySearch, findings: &'a [TrialFinding], ending: SearchEnd) -> Self {
        let levels = search.level_verdicts();
        let bound = |level: u32, sessions: fn(&VerdictCounts) -> u32| CapacityBound {
            in_flight: level,
            sessions: sessions(&levels.counts(level)),
        };
        let passed = levels.passed().map(|level| bound(level, |counts| counts.passed));
        let failed = levels.failed().map(|level| bound(level, |counts| counts.failed));
        let undecided = levels.undecided();
        let most = search.rules().settings.most;
        let range = match (passed, failed) {
            (Some(passed), Some(failed)) => CapacityRange::Between(passed, failed),
            (Some(passed), None) => {
                let ceiling = if passed.in_flight >= most {
                    Ceiling::Most
                } else if let Some(level) = levels.generator_limited() {
                    Ceiling::Generator(level)
                } else if let (Some(level), SearchEnd::Complete) = (undecided.first(), ending) {
                    Ceiling::Undecided(*level)
                } else {
                    Ceiling::Ended
                };
                CapacityRange::AtLeast(passed, ceiling)
            }
            (None, Some(failed)) => CapacityRange::FewerThan(failed),
            (None, None) => CapacityRange::Unknown,
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
            range,
            ending,
            first_failure: failed.and_then(|failed| first_failure(failed.in_flight, findings)),
            quality_losses: quality_losses(findings),
            undecided,
            burst: burst(findings),
            recovery: recovery(search),
            stalled: findings
                .iter()
                .filter(|finding| finding.stalled.is_some() && finding.purpose().decides_level())
                .collect(),
            needed,
        }
    }
}

impl CapacityAnswer<'_> {
    /// What gives way first, within the levels that pass by the profile's thresholds.
    pub fn first_loss(&self) -> Option<&QualityLoss> {
        let passed = match self.range {
            CapacityRange::Between(passed, _) | CapacityRange::AtLeast(passed, _) => passed,
            CapacityRange::FewerThan(_) | CapacityRange::Unknown => return None,
        };
        self.quality_losses.first().filter(|loss| loss.in_flight <= passed.in_flight)
    }
}

/// The session with the most runs that gave a level this verdict.
fn with_most_runs(
    findings: &[TrialFinding],
    level: u32,
    verdict: LevelVerdict,
) -> Option<&TrialFinding> {
    let matches = |finding: &&TrialFinding| {
        finding.in_flight() == level
            && finding.result.verdict == verdict
            && finding.purpose().decides_level()
            && !finding.result.is_the_dispatchers()
    };
    findings.iter().filter(matches).max_by_key(|finding| finding.runs)
}

fn first_failure(level: u32, findings: &[TrialFinding]) -> Option<FirstFailure<'_>> {
    let finding = with_most_runs(findings, level, LevelVerdict::Failed)?;
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
    let of = |purpose| findings.iter().find(move |finding| finding.purpose() == purpose);
    let first = of(Purpose::Burst)?;
    let stalled = first.stalled.as_ref().map(|_| first);
    let burst = match of(Purpose::BurstAgain) {
        // One that says nothing about the agent replaces none that does.
        Some(again) if again.result.verdict != LevelVerdict::Generator => again,
        _ => first,
    };
    let ramped = with_most_runs(findings, burst.in_flight(), LevelVerdict::Passed)?;
    Some(BurstAnswer { burst, stalled, ramped })
}

fn recovery(search: &CapacitySearch) -> Option<Recovery> {
    let (index, failed) = search.first_failed()?;
    let probes: Vec<_> = search.results()[index + 1..]
        .iter()
        .take_while(|result| result.trial.purpose == Purpose::Recover)
        .collect();
    let since = |at: Micros| at.saturating_sub(failed.end);
    // One whose dispatches the server held back says nothing about the agent.
    let failed_itself =
        |probe: &&&TrialResult| probe.verdict == LevelVerdict::Failed && !probe.stalled;
    let last_failed = probes.iter().rfind(failed_itself);
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
    /// Whether the threshold is on a share of runs, which failures explain, rather than on a latency.
    pub(crate) const fn is_share(&self) -> bool {
        matches!(self.threshold.threshold.measure, ThresholdMeasure::Share(_))
    }
}
