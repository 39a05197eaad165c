//! The slowest runs of each latency that is shown over time: where to look first.

use std::collections::BTreeMap;

use super::latency_samples::LatencySample;
use super::run_record::RunRecord;
use super::timeline::TIMELINE_METRICS;
use rushhour_core::units::{EvaluatorRunId, Metric, Micros, Mode, RoomName, RunIndex, SessionTime};

/// Runs per metric and mode.
const MAX_RUNS: usize = 10;

/// A run and its latency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowRun {
    /// The run.
    pub run: RunIndex,
    /// Its stage's position in the profile.
    pub stage: u32,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// The intended start.
    pub intended: SessionTime,
    /// The lower bound of the latency.
    pub low: Micros,
    /// The upper bound; the figure that reports show.
    pub high: Micros,
    /// Its room.
    pub room: Option<RoomName>,
    /// The run at the evaluator.
    pub evaluator_run: Option<EvaluatorRunId>,
}

/// The slowest runs of each latency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slowest {
    by_metric: BTreeMap<(Metric, Mode), Vec<SlowRun>>,
}

impl Slowest {
    /// Keeps a run if it is among the slowest; of equal ones, the run that ended first.
    pub(super) fn add(&mut self, record: &RunRecord, sample: &LatencySample) {
        if !TIMELINE_METRICS.contains(&sample.metric) {
            return;
        }
        let kept = self.by_metric.entry((sample.metric, record.mode)).or_default();
        let rank = kept.partition_point(|slow| slow.high >= sample.high);
        if rank >= MAX_RUNS {
            return;
        }
        let slow = SlowRun {
            run: record.run,
            stage: record.stage,
            scenario: record.scenario,
            intended: record.intended,
            low: sample.low,
            high: sample.high,
            room: record.room.clone(),
            evaluator_run: record.submission.as_ref().map(|s| s.evaluator_run.clone()),
        };
        kept.insert(rank, slow);
        kept.truncate(MAX_RUNS);
    }

    /// The slowest runs of one metric, the slowest first.
    pub fn of(&self, metric: Metric, mode: Mode) -> &[SlowRun] {
        self.by_metric.get(&(metric, mode)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::completed;
    use super::*;

    #[test]
    fn only_the_slowest_runs_are_kept_in_order() {
        let mut slowest = Slowest::default();
        for number in 0..100_u64 {
            let mut record = completed();
            record.run = RunIndex(number);
            let high = Micros(number * 37 % 100);
            slowest
                .add(&record, &LatencySample { metric: Metric::AgentJoin, low: Micros(0), high });
            slowest.add(&record, &LatencySample { metric: Metric::Room, low: high, high });
        }
        let kept = slowest.of(Metric::AgentJoin, Mode::Chat);
        let values: Vec<u64> = kept.iter().map(|slow| slow.high.0).collect();
        assert_eq!(values, [99, 98, 97, 96, 95, 94, 93, 92, 91, 90]);
        assert!(kept.iter().all(|slow| slow.run.0 * 37 % 100 == slow.high.0));
        assert!(slowest.of(Metric::Room, Mode::Chat).is_empty(), "it is not shown over time");
    }
}
