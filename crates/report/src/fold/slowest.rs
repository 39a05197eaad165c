//! The slowest runs of each latency that is shown over time: where to look first.

use std::collections::BTreeMap;

use super::run_record::{LatencySample, RunRecord};
use super::timeline::WINDOWED;
use rushhour_core::units::{EvaluatorRunId, Metric, Micros, Mode, RoomName, RunIndex, SessionTime};

/// Runs kept of each latency.
const KEPT: usize = 10;

/// A run and its latency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowRun {
    /// The run.
    pub run: RunIndex,
    /// Its stage's position in the profile.
    pub stage: u32,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// When it was meant to start.
    pub intended: SessionTime,
    /// The latency was not shorter than this.
    pub low: Micros,
    /// It was not longer than this; the figure that reports show.
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
    /// Keeps a run where it is among the slowest; of equals the one that ended first.
    pub(super) fn add(&mut self, record: &RunRecord, sample: &LatencySample) {
        if !WINDOWED.contains(&sample.metric) {
            return;
        }
        let kept = self.by_metric.entry((sample.metric, record.mode)).or_default();
        let place = kept.partition_point(|slow| slow.high >= sample.high);
        if place >= KEPT {
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
        kept.insert(place, slow);
        kept.truncate(KEPT);
    }

    /// The slowest runs of one latency, the slowest first.
    pub fn of(&self, metric: Metric, mode: Mode) -> &[SlowRun] {
        self.by_metric.get(&(metric, mode)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::completed;
    use super::*;

    #[test]
    fn the_slowest_are_kept_in_order_and_no_more() {
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
