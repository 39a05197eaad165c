//! One side of a comparison: what was measured of each run, in the order of intended starts.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Outcome;
use crate::record::{Folded, RunRecord, Told};
use crate::stats::BlockLength;
use crate::units::{Metric, Micros, RunIndex, SessionTime};

/// Neighbouring runs share the state of the network, the agent and the evaluator: a minute stays together,
const MINUTE: u64 = 60_000_000;
/// a shorter session is cut into so many parts,
const PARTS: usize = 30;
/// and where each value carries over to the next, into at least so many.
const FEWEST_PARTS: usize = 16;

/// A duration of one run, in microseconds; one that had not ended was longer.
#[derive(Debug, Clone, Copy)]
struct Value {
    metric: Metric,
    time: Micros,
    /// How far apart the two looks were that it ended between.
    grain: Micros,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed { judged: Option<bool> },
    Failed,
    Open,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    intended: SessionTime,
    index: RunIndex,
    scenario: u32,
    end: End,
    values: (usize, usize),
}

/// Collects one side while its session is folded.
#[derive(Debug, Default)]
pub struct ArmBuilder {
    runs: Vec<(u32, Run)>,
    values: Vec<Value>,
}

impl ArmBuilder {
    /// Takes in what an event told of outcomes.
    pub fn add(&mut self, told: &Told) {
        if let Told::Run(record) = told {
            self.add_run(record, SessionTime::START);
        }
    }

    fn add_run(&mut self, record: &RunRecord, until: SessionTime) {
        let end = match record.ending.as_ref().map(|ending| &ending.outcome) {
            None => End::Open,
            Some(Outcome::Completed { judged }) => End::Completed { judged: *judged },
            Some(Outcome::Failed { .. }) => End::Failed,
            Some(Outcome::Skipped) => return,
        };
        let from = self.values.len();
        let value = |ended| {
            move |sample: crate::record::Sample| Value {
                metric: sample.metric,
                time: sample.high,
                grain: sample.high.saturating_sub(sample.low),
                ended,
            }
        };
        self.values.extend(record.samples().into_iter().map(value(true)));
        self.values.extend(record.unfinished(until).into_iter().map(value(false)));
        let values = (from, self.values.len());
        let (intended, scenario) = (record.intended, record.scenario);
        self.runs.push((record.stage, Run { intended, index: record.run, scenario, end, values }));
    }

    /// The side of a session that was folded to its end.
    pub fn finish(mut self, folded: Folded) -> Arm {
        for record in &folded.open {
            self.add_run(record, folded.last_event);
        }
        let mut runs: Vec<Run> = self
            .runs
            .into_iter()
            .filter(|(stage, _)| folded.names.is_measured(*stage))
            .map(|(_, run)| run)
            .collect();
        runs.sort_unstable_by_key(|run| (run.intended, run.index));
        Arm { folded, runs, values: self.values }
    }
}

/// One side of a comparison.
#[derive(Debug)]
pub struct Arm {
    pub(super) folded: Folded,
    runs: Vec<Run>,
    values: Vec<Value>,
}

/// A duration with the groups that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observed<'a> {
    pub(super) scenario: &'a str,
    pub(super) block: u32,
    /// In microseconds.
    pub(super) time: f64,
    /// How far apart the two looks were that it ended between, in microseconds.
    pub(super) grain: f64,
    pub(super) ended: bool,
}

/// Yes and no in one block of neighbouring runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Votes {
    pub(super) yes: u64,
    pub(super) of: u64,
}

/// What a share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Failed,
    JudgedFailed,
}

impl Arm {
    /// Names at the evaluator of the scenarios that measured runs are of, with each one's number of runs.
    pub(super) fn scenarios(&self) -> BTreeMap<String, u64> {
        let mut counted = BTreeMap::new();
        for run in &self.runs {
            *counted.entry(self.scenario(run).to_owned()).or_default() += 1;
        }
        counted
    }

    fn scenario(&self, run: &Run) -> &str {
        self.folded.names.scenarios.get(run.scenario as usize).map_or("", |name| name)
    }

    /// The durations of one metric of the runs of some scenarios, in the order of intended starts.
    pub(super) fn observed(&self, metric: Metric, of: &BTreeSet<String>) -> Vec<Observed<'_>> {
        let mut observed = Vec::new();
        let mut span = (SessionTime::NEVER, SessionTime::START);
        for run in self.runs.iter().filter(|run| of.contains(self.scenario(run))) {
            let (from, to) = run.values;
            let found = self.values[from..to].iter().find(|value| value.metric == metric);
            if let Some(value) = found {
                span = (span.0.min(run.intended), span.1.max(run.intended));
                observed.push(Observed {
                    scenario: self.scenario(run),
                    block: 0,
                    time: value.time.0 as f64,
                    grain: value.grain.0 as f64,
                    ended: value.ended,
                });
            }
        }
        let times: Vec<f64> = observed.iter().map(|one| one.time.max(1.0).ln()).collect();
        let parts = parts(span.1.since(span.0), &times);
        let n = observed.len();
        for (rank, one) in observed.iter_mut().enumerate() {
            one.block = u32::try_from(rank * parts / n).unwrap_or(u32::MAX);
        }
        observed
    }

    /// A share of the runs of some scenarios whose outcome is known, in blocks of neighbouring runs.
    pub(super) fn votes(&self, share: Share, of: &BTreeSet<String>) -> Vec<Votes> {
        let runs = self.runs.iter().filter(|run| of.contains(self.scenario(run)));
        let counted: Vec<(SessionTime, bool)> = runs
            .filter_map(|run| {
                let yes = match (share, run.end) {
                    (Share::Failed, End::Completed { .. }) => false,
                    (Share::Failed, End::Failed) => true,
                    (Share::JudgedFailed, End::Completed { judged }) => !judged?,
                    (_, End::Open) | (Share::JudgedFailed, End::Failed) => return None,
                };
                Some((run.intended, yes))
            })
            .collect();
        let (Some(first), Some(last)) = (counted.first(), counted.last()) else {
            return Vec::new();
        };
        let values: Vec<f64> = counted.iter().map(|(_, yes)| f64::from(u8::from(*yes))).collect();
        let parts = parts(last.0.since(first.0), &values);
        let mut votes = vec![Votes::default(); parts];
        for (rank, (_, yes)) in counted.iter().enumerate() {
            let vote = &mut votes[rank * parts / counted.len()];
            vote.of += 1;
            vote.yes += u64::from(*yes);
        }
        votes
    }

    /// How many measured runs have no outcome, because the session was killed.
    pub(super) fn open(&self) -> u64 {
        self.runs.iter().filter(|run| run.end == End::Open).count() as u64
    }
}

/// Into how many blocks values in order of time are cut: minutes, or parts of a short session; fewer and
/// longer ones where each value carries over to the next.
fn parts(span: Micros, values: &[f64]) -> usize {
    let n = values.len();
    if n == 0 {
        return 1;
    }
    let minutes = usize::try_from(span.0 / MINUTE).unwrap_or(usize::MAX);
    let fine = minutes.max(PARTS).min(n / 2);
    let carried = n / BlockLength::automatic(values).length();
    fine.min(carried).max(FEWEST_PARTS).min(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values without an order, the same everywhere.
    fn noise(n: u64) -> Vec<f64> {
        let mixed = |n: u64| {
            let n = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((n ^ (n >> 31)) >> 40) as f64
        };
        (0..n).map(mixed).collect()
    }

    #[test]
    fn neighbours_stay_together_for_a_minute_or_a_part_of_a_short_session() {
        let minutes = |minutes: u64| Micros::from_secs(60 * minutes);
        assert_eq!(parts(minutes(120), &noise(1_000)), 120);
        assert_eq!(parts(minutes(5), &noise(1_000)), 30);
        assert_eq!(parts(Micros::ZERO, &noise(40)), 20);
        assert_eq!(parts(minutes(5), &noise(3)), 3);
        assert_eq!(parts(minutes(5), &[]), 1);
        let drifting: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(parts(minutes(120), &drifting), FEWEST_PARTS);
    }
}
