//! One side of a comparison: what was measured of each run, in the order of intended starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::blocks::{SideTiming, TimedValue};
use super::split::{PartError, SessionPart, Split, SplitBy};
use crate::fold::{EndedRuns, FoldedSession, RunRecord};
use rushhour_core::bill::Tariff;
use rushhour_core::event::{Outcome, SessionHeader};
use rushhour_core::profile::{Profile, SessionMode};
use rushhour_core::units::{Metric, Micros, Mode, RunIndex, SessionTime};

/// A duration of one run, in microseconds; one that had not ended was longer.
#[derive(Debug, Clone, Copy)]
struct RunDuration {
    metric: Metric,
    time: Micros,
    /// How far apart the two looks were that it ended between.
    grain: Micros,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunEnding {
    Completed { judged: Option<bool> },
    Failed,
    Open,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ArmRun {
    intended: SessionTime,
    index: RunIndex,
    pub(super) stage: u32,
    pub(super) scenario: u32,
    pub(super) mode: Mode,
    end: RunEnding,
    /// What it cost in US dollars, where it came to an end and anything is charged.
    cost: Option<f64>,
    values: (usize, usize),
}

/// Collects one side while its session is folded.
#[derive(Debug, Default)]
pub struct ArmBuilder {
    charged: Option<(Profile, Tariff)>,
    runs: Vec<ArmRun>,
    values: Vec<RunDuration>,
}

impl ArmBuilder {
    /// Begins with a session, whose profile says what its runs are charged.
    pub fn begin(&mut self, opening: &SessionHeader) {
        let profile = &opening.profile;
        self.charged = Tariff::of(profile).map(|tariff| (profile.clone(), tariff));
    }

    /// Takes in what an event told of outcomes.
    pub fn add(&mut self, told: &EndedRuns) {
        if let EndedRuns::Run(record) = told {
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
        let from = self.values.len();
        let value = |ended| {
            move |sample: crate::fold::LatencySample| RunDuration {
                metric: sample.metric,
                time: sample.high,
                grain: sample.high.saturating_sub(sample.low),
                ended,
            }
        };
        self.values.extend(record.samples().into_iter().map(value(true)));
        self.values.extend(record.unfinished(until).into_iter().map(value(false)));
        let values = (from, self.values.len());
        let cost = self.charged.as_ref().zip(record.ending.as_ref());
        let cost = cost.map(|((profile, tariff), ending)| {
            tariff.cost(&record.usage(profile, ending.seen.to)).dollars()
        });
        let RunRecord { run: index, stage, scenario, mode, intended, .. } = *record;
        self.runs.push(ArmRun { intended, index, stage, scenario, mode, end, cost, values });
    }

    /// The side of a session that was folded to its end.
    pub fn finish(mut self, folded: FoldedSession) -> Arm {
        for record in &folded.open {
            self.add_run(record, folded.last_event);
        }
        let mut runs = self.runs;
        runs.retain(|run| folded.names.is_measured(run.stage));
        runs.sort_unstable_by_key(|run| (run.intended, run.index));
        let mode = folded.opening.profile.mode;
        let (folded, values) = (Arc::new(folded), self.values.into());
        Arm { folded, part: None, mode, runs, values }
    }
}

/// One side of a comparison.
#[derive(Debug)]
pub struct Arm {
    pub(super) folded: Arc<FoldedSession>,
    /// Which part of its session it is; none where it is all of it.
    pub(super) part: Option<SessionPart>,
    /// How its conversations were held.
    pub(super) mode: SessionMode,
    runs: Vec<ArmRun>,
    values: Arc<[RunDuration]>,
}

/// A duration with the groups that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observed<'a> {
    pub(super) scenario: &'a str,
    pub(super) intended: SessionTime,
    pub(super) block: usize,
    /// In microseconds.
    pub(super) time: f64,
    /// How far apart the two looks were that it ended between, in microseconds.
    pub(super) grain: f64,
    pub(super) ended: bool,
}

impl Observed<'_> {
    /// The duration on the scale on which it is compared, at its moment.
    pub(super) fn timed(&self) -> TimedValue {
        TimedValue { at: self.intended, value: self.time.max(1.0).ln() }
    }
}

/// What a share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArmShare {
    Failed,
    JudgedFailed,
}

impl Arm {
    /// Two parts of one session, each with the runs that are of it.
    ///
    /// # Errors
    /// Where the session has no such parts, or no measured run of one of them.
    pub fn split(&self, split: &Split) -> Result<(Self, Self), PartError> {
        let (baseline, candidate) = split.parts(&self.folded.names)?;
        Ok((self.only(baseline)?, self.only(candidate)?))
    }

    fn only(&self, part: SessionPart) -> Result<Self, PartError> {
        let names = &self.folded.names;
        let runs: Vec<ArmRun> =
            self.runs.iter().filter(|run| part.holds(run, names)).copied().collect();
        let Some(first) = runs.first() else {
            return Err(PartError::WithoutRuns { measured: part.is_measured(names), part });
        };
        Ok(Self {
            folded: Arc::clone(&self.folded),
            mode: if part.by == SplitBy::Mode { first.mode.into() } else { self.mode },
            part: Some(part),
            runs,
            values: Arc::clone(&self.values),
        })
    }

    /// Whether two sides ran at the same time: parts of one session whose runs overlap.
    pub(super) fn timing(&self, other: &Self) -> SideTiming {
        let span = |arm: &Self| Some((arm.runs.first()?.intended, arm.runs.last()?.intended));
        match (span(self), span(other)) {
            (Some(one), Some(two))
                if self.is_of_one_session_with(other) && one.0 < two.1 && two.0 < one.1 =>
            {
                SideTiming::Shared
            }
            _ => SideTiming::Apart,
        }
    }

    /// Whether both were split from one session.
    pub(super) fn is_of_one_session_with(&self, other: &Self) -> bool {
        let are_parts = self.part.is_some() && other.part.is_some();
        are_parts && Arc::ptr_eq(&self.folded, &other.folded)
    }

    /// Names at the evaluator of the scenarios that measured runs are of, with each one's number of runs.
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

    /// The durations of one metric of the runs of some scenarios, in the order of intended starts.
    pub(super) fn observed(&self, metric: Metric, of: &BTreeSet<String>) -> Vec<Observed<'_>> {
        let mut observed = Vec::new();
        for run in self.runs.iter().filter(|run| of.contains(self.scenario(run))) {
            let (from, to) = run.values;
            let found = self.values[from..to].iter().find(|value| value.metric == metric);
            if let Some(value) = found {
                observed.push(Observed {
                    scenario: self.scenario(run),
                    intended: run.intended,
                    block: 0,
                    time: value.time.0 as f64,
                    grain: value.grain.0 as f64,
                    ended: value.ended,
                });
            }
        }
        observed
    }

    /// A share of the runs of some scenarios whose outcome is known: 1 for yes, 0 for no, in the order of
    /// intended starts.
    pub(super) fn votes(&self, share: ArmShare, of: &BTreeSet<String>) -> Vec<TimedValue> {
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

    /// What the runs of some scenarios cost that came to an end, in the order of intended starts.
    pub(super) fn costs(&self, of: &BTreeSet<String>) -> Vec<TimedValue> {
        let runs = self.runs.iter().filter(|run| of.contains(self.scenario(run)));
        runs.filter_map(|run| Some(TimedValue { at: run.intended, value: run.cost? })).collect()
    }

    /// How many measured runs were started.
    pub(super) fn started(&self) -> u64 {
        self.runs.len() as u64
    }

    /// How many of them were completed.
    pub(super) fn completed(&self) -> u64 {
        self.count(|end| matches!(end, RunEnding::Completed { .. }))
    }

    /// How many of them failed.
    pub(super) fn failed(&self) -> u64 {
        self.count(|end| end == RunEnding::Failed)
    }

    /// How many of them have no outcome, because the session was killed.
    pub(super) fn open(&self) -> u64 {
        self.count(|end| end == RunEnding::Open)
    }

    fn count(&self, ended: impl Fn(RunEnding) -> bool) -> u64 {
        self.runs.iter().filter(|run| ended(run.end)).count() as u64
    }
}
