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

/// How many runs a status poll is about: fewer after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BulkSize {
    now: usize,
    most: usize,
}

impl BulkSize {
    pub(super) const fn new(most: usize) -> Self {
        Self { now: most, most }
    }

    pub(super) const fn get(self) -> usize {
        self.now
    }

    /// A poll about so many runs was refused.
    fn refused(&mut self, runs: usize, too_many: bool) {
        self.now = (runs / 2).max(1);
        if too_many {
            self.most = self.now;
        }
    }

    /// A poll about so many runs was answered: where one of them was the reason for a refusal, the next may be larger.
    fn answered(&mut self, runs: usize) {
        if runs >= self.now {
            self.now = (self.now * 2).min(self.most);
        }
    }
}

impl Session {
    pub(super) fn poll_statuses(&mut self, now: SessionTime) {
        let evaluator = self.settings.evaluator;
        let soon = now + Micros(evaluator.poll_every.0 / 2);
        loop {
            let due = self.status_polls.take(now, soon, self.bulk_size.get());
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
                self.bulk_size.answered(runs.len());
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
            Err(PollError { kind: PollErrorKind::BulkRefused { too_many }, message, .. })
                if runs.len() > 1 =>
            {
                self.bulk_size.refused(runs.len(), too_many);
                tracing::info!(
                    runs = runs.len(),
                    error = %message,
                    size = self.bulk_size.get(),
                    "status poll refused, split"
                );
                for run in runs {
                    self.with_run(run, now, |run, _, effects| run.poll_again(now, effects));
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
                let message = error.detail();
                for run in runs {
                    self.with_run(run, now, |run, _, effects| {
                        run.poll_failed(&message, retry, effects);
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_was_too_large_is_not_tried_again() {
        let mut size = BulkSize::new(100);
        size.refused(80, true);
        assert_eq!(size.get(), 40);
        size.answered(40);
        assert_eq!(size.get(), 40);
        // One run that is not known yet is found by halving, and the size recovers.
        size.refused(40, false);
        size.refused(20, false);
        assert_eq!(size.get(), 10);
        size.answered(3);
        assert_eq!(size.get(), 10, "a small poll says nothing");
        size.answered(10);
        size.answered(20);
        assert_eq!(size.get(), 40);
        size.refused(1, true);
        assert_eq!(size.get(), 1);
    }
}
