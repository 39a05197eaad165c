//! One side of a comparison: the measurements of each run, in the order of intended starts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::at_mark::{RunsAtMark, keep_runs_before};
use super::blocks::{SideTiming, TimedValue};
use super::criteria::ComparisonCriteria;
use super::split::{PartError, SessionPart, Split, SplitBy};
use crate::fold::{
    EndedRuns, FoldedSession, HeardOfRun, LatencySample, QualityOfRun, QualityTally, RunRecord,
};
use rushhour_core::bill::Tariff;
use rushhour_core::event::{Outcome, SessionHeader};
use rushhour_core::profile::{HeardShare, Profile, SessionMode};
use rushhour_core::units::{Metric, Micros, Mode, RunIndex, SessionTime};

/// A latency of one run; a lower bound if it had not ended.
#[derive(Debug, Clone, Copy)]
struct RunDuration {
    metric: Metric,
    time: Micros,
    /// The time between the two polls that its end fell between.
    resolution: Micros,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnding {
    Completed { judged: Option<bool> },
    Failed,
    Open,
}

#[derive(Debug, Clone)]
pub(super) struct ArmRun {
    pub(super) intended: SessionTime,
    /// When it was seen to have ended.
    pub(super) ended: Option<SessionTime>,
    index: RunIndex,
    pub(super) stage: u32,
    pub(super) scenario: u32,
    pub(super) mode: Mode,
    pub(super) network: Option<u32>,
    pub(super) end: RunEnding,
    /// In US dollars; `None` if it did not end, or if nothing is charged.
    cost: Option<f64>,
    /// What the agent heard of the caller, where that is known.
    heard: Option<Box<HeardOfRun>>,
    /// How the agent sounded; `None` where no caller of ours heard it.
    quality: Option<Box<QualityOfRun>>,
    durations: Range<usize>,
}

/// Collects one side while its session is folded.
#[derive(Debug, Default)]
pub struct ArmBuilder {
    charged: Option<(Profile, Tariff)>,
    runs: Vec<ArmRun>,
    durations: Vec<RunDuration>,
}

impl ArmBuilder {
    /// Starts with a session's header, whose profile defines what runs are charged.
    pub fn begin(&mut self, opening: &SessionHeader) {
        let profile = &opening.profile;
        self.charged = Tariff::new(profile).map(|tariff| (profile.clone(), tariff));
    }

    /// Adds the outcome that an event reported.
    pub fn add(&mut self, ended: &EndedRuns) {
        if let EndedRuns::Run(record) = ended {
            self.add_run(record, SessionTime::START);
        }
    }

    fn add_run(&mut self, record: &RunRecord, until: SessionTime) {
        let end = match record.ending.as_ref().map(|ending| &ending.outcome) {
            None => RunEnding::Open,
            Some(Outcome::Completed { judged }) => RunEnding::Completed { judged: *judged },
            Some(Outcome::Failed { .. }) => RunEnding::Failed,
            Some(Outcome::Skipped) => return,
        };
        let from = self.durations.len();
        let duration = |ended| {
            move |sample: LatencySample| RunDuration {
                metric: sample.metric,
                time: sample.high,
                resolution: sample.high.saturating_sub(sample.low),
                ended,
            }
        };
        self.durations.extend(record.samples().into_iter().map(duration(true)));
        self.durations.extend(record.unfinished(until).into_iter().map(duration(false)));
        let durations = from..self.durations.len();
        let cost = self.charged.as_ref().zip(record.ending.as_ref());
        let cost = cost.map(|((profile, tariff), ending)| {
            tariff.cost(&record.usage(profile, ending.seen.to)).dollars()
        });
        let heard = HeardOfRun::of(record);
        let RunRecord { run: index, stage, scenario, mode, network, intended, .. } = *record;
        self.runs.push(ArmRun {
            intended,
            ended: record.ending.as_ref().map(|ending| ending.seen.to),
            index,
            stage,
            scenario,
            mode,
            network,
            end,
            cost,
            heard: (heard != HeardOfRun::default()).then(|| Box::new(heard)),
            quality: QualityOfRun::of(record).known().map(Box::new),
            durations,
        });
    }

    /// The whole session as one side.
    pub fn finish(mut self, folded: FoldedSession) -> Arm {
        for record in &folded.open {
            self.add_run(record, folded.last_event);
        }
        let mut runs = self.runs;
        runs.retain(|run| folded.names.is_measured(run.stage));
        runs.sort_unstable_by_key(|run| (run.intended, run.index));
        let mode = folded.opening.profile.mode;
        let (folded, durations) = (Arc::new(folded), self.durations.into());
        Arm { folded, part: None, at_mark: None, mode, runs, durations }
    }
}

/// One side of a comparison.
#[derive(Debug)]
pub struct Arm {
    pub(super) folded: Arc<FoldedSession>,
    /// `None` if it is the whole session.
    pub(super) part: Option<SessionPart>,
    /// The runs left out of a side that ends at a mark.
    pub(super) at_mark: Option<RunsAtMark>,
    pub(super) mode: SessionMode,
    runs: Vec<ArmRun>,
    durations: Arc<[RunDuration]>,
}

/// A latency of one run, with the groups that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observed<'a> {
    pub(super) scenario: &'a str,
    pub(super) intended: SessionTime,
    pub(super) block: usize,
    /// In microseconds.
    pub(super) time: f64,
    /// The time between the two polls that its end fell between, in microseconds.
    pub(super) resolution: f64,
    pub(super) ended: bool,
}

impl Observed<'_> {
    /// The logarithm of the time, because latencies are compared by their ratio.
    pub(super) fn timed(&self) -> TimedValue {
        TimedValue { at: self.intended, value: self.time.max(1.0).ln() }
    }
}

/// Which share of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArmShare {
    Failed,
    JudgedFailed,
}

impl Arm {
    /// Splits a session into two parts.
    ///
    /// # Errors
    /// If the session has no such part, or a part has no measured run.
    pub fn split(&self, split: &Split) -> Result<(Self, Self), PartError> {
        let (baseline, candidate) = split.parts(&self.folded.names, &self.folded.marks)?;
        Ok((self.only(baseline)?, self.only(candidate)?))
    }

    fn only(&self, part: SessionPart) -> Result<Self, PartError> {
        let names = &self.folded.names;
        let mut runs: Vec<ArmRun> =
            self.runs.iter().filter(|run| part.contains(run, names)).cloned().collect();
        let at_mark = part.end().map(|mark| keep_runs_before(&mut runs, mark));
        let Some(first) = runs.first() else {
            return Err(match at_mark {
                Some(RunsAtMark { in_flight: runs @ 1.., .. }) => PartError::AllInFlight { runs },
                _ => PartError::WithoutRuns { measured: part.is_measured(names), part },
            });
        };
        Ok(Self {
            folded: Arc::clone(&self.folded),
            mode: if part.by == SplitBy::Mode { first.mode.into() } else { self.mode },
            part: Some(part),
            at_mark,
            runs,
            durations: Arc::clone(&self.durations),
        })
    }

    /// Shared if both are parts of one session whose runs overlap in time.
    pub(super) fn timing(&self, other: &Self) -> SideTiming {
        let span = |arm: &Self| Some((arm.runs.first()?.intended, arm.runs.last()?.intended));
        match (span(self), span(other)) {
            (Some(one), Some(two))
                if self.shares_session_with(other) && one.0 < two.1 && two.0 < one.1 =>
            {
                SideTiming::Shared
            }
            _ => SideTiming::Apart,
        }
    }

    /// Whether both are parts of one session.
    pub(super) fn shares_session_with(&self, other: &Self) -> bool {
        let are_parts = self.part.is_some() && other.part.is_some();
        are_parts && Arc::ptr_eq(&self.folded, &other.folded)
    }

    /// The scenarios' names at the evaluator, with their numbers of measured runs.
    pub(super) fn scenarios(&self) -> BTreeMap<String, u64> {
        let mut counted = BTreeMap::new();
        for run in &self.runs {
            *counted.entry(self.scenario(run).to_owned()).or_default() += 1;
        }
        counted
    }

    fn scenario(&self, run: &ArmRun) -> &str {
        self.folded.names.scenarios.get(run.scenario as usize).map_or("", |name| name)
    }

    /// One latency of the runs of some scenarios, in the order of intended starts.
    pub(super) fn observed(&self, metric: Metric, of: &BTreeSet<String>) -> Vec<Observed<'_>> {
        let mut observed = Vec::new();
        for run in self.runs.iter().filter(|run| of.contains(self.scenario(run))) {
            let mut durations = self.durations[run.durations.clone()].iter();
            if let Some(duration) = durations.find(|duration| duration.metric == metric) {
                observed.push(Observed {
                    scenario: self.scenario(run),
                    intended: run.intended,
                    block: 0,
                    time: duration.time.0 as f64,
                    resolution: duration.resolution.0 as f64,
                    ended: duration.ended,
                });
            }
        }
        observed
    }

    /// Whether each run of some scenarios counts towards a share: 1 for yes, 0 for no, in the order of intended
    /// starts. Runs without an outcome are left out.
    pub(super) fn indicators(&self, share: ArmShare, of: &BTreeSet<String>) -> Vec<TimedValue> {
        let runs = self.runs.iter().filter(|run| of.contains(self.scenario(run)));
        runs.filter_map(|run| {
            let yes = match (share, run.end) {
                (ArmShare::Failed, RunEnding::Completed { .. }) => false,
                (ArmShare::Failed, RunEnding::Failed) => true,
                (ArmShare::JudgedFailed, RunEnding::Completed { judged }) => !judged?,
                (_, RunEnding::Open) | (ArmShare::JudgedFailed, RunEnding::Failed) => return None,
            };
            Some(TimedValue { at: run.intended, value: f64::from(u8::from(yes)) })
        })
        .collect()
    }

    /// What was misheard of each run of some scenarios, in the order of intended starts: how much of how much.
    pub(super) fn misheard(
        &self,
        share: HeardShare,
        of: &BTreeSet<String>,
    ) -> Vec<(SessionTime, u64, u64)> {
        let runs = self.runs.iter().filter(|run| of.contains(self.scenario(run)));
        let misheard = |run: &ArmRun| {
            let heard = run.heard.as_ref()?;
            let (wrong, all) = match share {
                HeardShare::WordErrors => (heard.words.errors(), heard.words.said()),
                HeardShare::CharacterErrors => (heard.characters.errors(), heard.characters.said()),
                HeardShare::KeyWords => (heard.key_words - heard.key_words_heard, heard.key_words),
            };
            (all > 0).then_some((run.intended, wrong, all))
        };
        runs.filter_map(misheard).collect()
    }

    /// The cost of each ended run of some scenarios in US dollars, in the order of intended starts.
    pub(super) fn costs(&self, of: &BTreeSet<String>) -> Vec<TimedValue> {
        let runs = self.runs.iter().filter(|run| of.contains(self.scenario(run)));
        runs.filter_map(|run| Some(TimedValue { at: run.intended, value: run.cost? })).collect()
    }

    /// How the agent sounded in the runs of some scenarios.
    pub(super) fn quality(&self, of: &BTreeSet<String>) -> QualityTally {
        let mut tally = QualityTally::default();
        for run in self.runs.iter().filter(|run| of.contains(self.scenario(run))) {
            if let Some(quality) = &run.quality {
                tally.add(quality);
            }
        }
        tally
    }

    /// The number of measured runs that were started.
    pub(super) fn started(&self) -> u64 {
        self.runs.len() as u64
    }

    pub(super) fn completed(&self) -> u64 {
        self.count(|end| matches!(end, RunEnding::Completed { .. }))
    }

    pub(super) fn failed(&self) -> u64 {
        self.count(|end| end == RunEnding::Failed)
    }

    /// The number of runs without an outcome, because the session was killed.
    pub(super) fn open(&self) -> u64 {
        self.count(|end| end == RunEnding::Open)
    }

    fn count(&self, counts: impl Fn(RunEnding) -> bool) -> u64 {
        self.runs.iter().filter(|run| counts(run.end)).count() as u64
    }
}

/// Two sides, and how to compare them.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArmPair<'a> {
    pub(super) baseline: &'a Arm,
    pub(super) candidate: &'a Arm,
    /// The scenarios whose runs are compared.
    pub(super) scenarios: &'a BTreeSet<String>,
    pub(super) criteria: &'a ComparisonCriteria,
}

impl ArmPair<'_> {
    pub(super) fn timing(&self) -> SideTiming {
        self.baseline.timing(self.candidate)
    }
}
