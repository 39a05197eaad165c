//! Asking the evaluator how its runs are getting on.

use std::collections::HashMap;

use super::session::Session;
use crate::effects::{RequestTiming, SessionEffect};
use crate::run::RunMachine;
use rushhour_core::evaluator::{PollError, RunStatus};
use rushhour_core::units::{EvaluatorRunId, Micros, RunIndex, SessionTime};
/// A question that was not answered is asked again after the usual time, doubled each time up to so often.
const MOST_DOUBLINGS: u32 = 2;

impl Session {
    pub(super) fn ask(&mut self, now: SessionTime) {
        let manner = self.settings.manner;
        let soon = now + Micros(manner.poll_every.0 / 2);
        loop {
            let due = self.asks.take(now, soon, manner.runs_per_poll);
            if due.is_empty() {
                break;
            }
            let runs: Vec<(RunIndex, EvaluatorRunId)> = due
                .into_iter()
                .filter_map(|run| Some((run, self.runs.get(&run)?.followed()?.clone())))
                .collect();
            if !runs.is_empty() {
                self.actions.push(SessionEffect::PollStatus { runs });
            }
        }
    }

    pub(super) fn asked(
        &mut self,
        runs: Vec<RunIndex>,
        timing: RequestTiming,
        result: Result<Vec<RunStatus>, PollError>,
        now: SessionTime,
    ) {
        match result {
            Ok(sights) => {
                self.health.polls += 1;
                self.asks_failed_in_a_row = 0;
                let mut by_name: HashMap<EvaluatorRunId, RunStatus> =
                    sights.into_iter().map(|sight| (sight.run.clone(), sight)).collect();
                for run in runs {
                    let sight = self
                        .runs
                        .get(&run)
                        .and_then(RunMachine::followed)
                        .and_then(|name| by_name.remove(name));
                    self.with_run(run, now, |run, settings, todo| {
                        run.sighted(sight, timing, settings, now, todo);
                    });
                }
            }
            Err(error) => {
                self.health.polls_failed += 1;
                let doublings = self.asks_failed_in_a_row.min(MOST_DOUBLINGS);
                self.asks_failed_in_a_row += 1;
                let usual = Micros(self.settings.manner.poll_every.0 << doublings);
                let again = now + error.retry_after.unwrap_or(usual);
                if error.rate_limited {
                    self.health.throttled += 1;
                    self.asks.pause(again);
                }
                for run in runs {
                    self.with_run(run, now, |run, _, todo| run.not_answered(again, todo));
                }
            }
        }
    }
}
