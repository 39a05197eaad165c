//! Polling the evaluator for the status of runs.

use std::collections::HashMap;

use super::session::Session;
use crate::run::RunMachine;
use crate::session_effect::SessionEffect;
use crate::session_input::RequestTiming;
use rushhour_core::evaluator::{PollError, PollErrorKind, RunStatus};
use rushhour_core::units::{EvaluatorRunId, Micros, RunIndex, SessionTime};

/// After failed polls in a row, the wait for the next one doubles up to this many times.
const MAX_BACKOFF_DOUBLINGS: u32 = 2;

impl Session {
    pub(super) fn poll_statuses(&mut self, now: SessionTime) {
        let evaluator = self.settings.evaluator;
        let soon = now + Micros(evaluator.poll_every.0 / 2);
        loop {
            let due = self.status_polls.take(now, soon, evaluator.runs_per_poll);
            if due.is_empty() {
                break;
            }
            let runs: Vec<(RunIndex, EvaluatorRunId)> = due
                .into_iter()
                .filter_map(|run| Some((run, self.runs.get(&run)?.polled_run()?.clone())))
                .collect();
            if !runs.is_empty() {
                self.effects.push(SessionEffect::PollStatus { runs });
            }
        }
    }

    pub(super) fn status_polled(
        &mut self,
        runs: Vec<RunIndex>,
        timing: RequestTiming,
        result: Result<Vec<RunStatus>, PollError>,
        now: SessionTime,
    ) {
        match result {
            Ok(statuses) => {
                self.health.polls += 1;
                self.failed_polls_in_a_row = 0;
                let mut by_id: HashMap<EvaluatorRunId, RunStatus> =
                    statuses.into_iter().map(|status| (status.run.clone(), status)).collect();
                for run in runs {
                    let id = self.runs.get(&run).and_then(RunMachine::polled_run);
                    let status = id.and_then(|id| by_id.remove(id));
                    self.with_run(run, now, |run, settings, effects| {
                        run.status_polled(status, timing, settings, now, effects);
                    });
                }
            }
            Err(error) => {
                self.health.polls_failed += 1;
                let doublings = self.failed_polls_in_a_row.min(MAX_BACKOFF_DOUBLINGS);
                self.failed_polls_in_a_row += 1;
                let backoff = Micros(self.settings.evaluator.poll_every.0 << doublings);
                let wait = error.retry_after.unwrap_or(backoff);
                tracing::info!(
                    runs = runs.len(),
                    error = %error.message,
                    hint = error.hint,
                    wait_ms = wait.0 / 1_000,
                    "status poll failed, retrying"
                );
                let retry = now + wait;
                if error.kind == PollErrorKind::RateLimited {
                    self.health.throttled += 1;
                    self.status_polls.pause(retry);
                }
                for run in runs {
                    self.with_run(run, now, |run, _, effects| run.poll_failed(retry, effects));
                }
            }
        }
    }
}
