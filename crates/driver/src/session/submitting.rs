//! Submissions: sent when the limiter lets them, and what becomes of each.

use super::session::Session;
use crate::effects::{RequestTiming, SessionEffect};
use crate::submission_queue::Submission;
use rushhour_core::evaluator::{AcceptedSubmission, SubmitError, SubmitErrorKind};
use rushhour_core::event::{AcceptedRun, EventKind, FailureClass, RetryReason, StopReason};
use rushhour_core::units::{EvaluatorRunId, RunIndex, SessionTime};

impl Session {
    pub(super) fn submit(&mut self, now: SessionTime) {
        while let Some(submission) = self.outgoing.take(now) {
            let mut runs = Vec::with_capacity(submission.runs.len());
            for (run, _) in &submission.runs {
                self.with_run(*run, now, |run, settings, todo| {
                    runs.push(run.planned);
                    run.submission_sent(settings, now, todo);
                });
            }
            if submission.attempt == 1 {
                let indexes = runs.iter().map(|run| run.index).collect();
                let intent = EventKind::SubmitIntent { request: submission.request, runs: indexes };
                self.record(intent, now);
            }
            self.actions.push(SessionEffect::Submit { request: submission.request, runs });
        }
    }

    pub(super) fn submitted(
        &mut self,
        request: u64,
        timing: RequestTiming,
        result: Result<AcceptedSubmission, SubmitError>,
        now: SessionTime,
    ) {
        match result {
            Ok(accepted) => self.accepted(request, timing, accepted, now),
            Err(error) => self.not_accepted(request, &error, now),
        }
    }

    fn accepted(
        &mut self,
        request: u64,
        timing: RequestTiming,
        accepted: AcceptedSubmission,
        now: SessionTime,
    ) {
        let Some(Submission { runs, admitted, .. }) = self.outgoing.settle(request) else { return };
        let paired: Vec<((RunIndex, SessionTime), Option<EvaluatorRunId>)> =
            runs.into_iter().zip(accepted.runs).collect();
        let entered = paired
            .iter()
            .filter_map(|((run, ready), evaluator_run)| {
                let evaluator_run = evaluator_run.clone()?;
                Some(AcceptedRun { run: *run, evaluator_run, ready: *ready })
            })
            .collect();
        self.record(
            EventKind::Submitted {
                request,
                admitted,
                sent: timing.sent,
                answered: timing.answered,
                result: accepted.result,
                accepted: entered,
                mapping: accepted.mapping,
            },
            now,
        );
        for ((run, _), evaluator_run) in paired {
            self.with_run(run, now, |run, settings, todo| match evaluator_run {
                Some(evaluator_run) => run.accepted(evaluator_run, timing, settings, todo),
                None => run.perhaps_accepted(
                    "the evaluator accepted the request and listed no run for this entry",
                    settings,
                    now,
                    todo,
                ),
            });
            if self.stopping.is_now() {
                self.with_run(run, now, |run, _, todo| run.stop_now(now, todo));
            }
        }
    }

    fn not_accepted(&mut self, request: u64, error: &SubmitError, now: SessionTime) {
        let attempts = self.settings.attempts;
        let (reason, asked_for) = match error.kind {
            SubmitErrorKind::RateLimited { retry_after } => {
                self.health.throttled += 1;
                (Some(RetryReason::RateLimited), retry_after)
            }
            SubmitErrorKind::NotSent => (Some(RetryReason::ConnectionRefused), None),
            _ => (None, None),
        };
        if let Some(reason) = reason.filter(|_| !self.stopping.is_now())
            && let Some(wait) = self.outgoing.again(request, attempts, asked_for, now)
        {
            if asked_for.is_some() {
                // The service speaks for all requests, not for this one.
                self.outgoing.pause(now + wait);
            }
            let attempt = self.outgoing.attempt_of(request);
            let runs = self.outgoing.runs_of(request);
            for run in &runs {
                self.with_run(*run, now, |run, _, _| run.submission_postponed());
            }
            self.record(EventKind::SubmitRetry { request, attempt, reason, wait }, now);
            self.give_up_postponed(runs, now + wait, now);
            return;
        }
        let class = match error.kind {
            SubmitErrorKind::RateLimited { .. } => FailureClass::RateLimited,
            SubmitErrorKind::Unknown => FailureClass::SubmitUnknown,
            SubmitErrorKind::NotSent
            | SubmitErrorKind::Unauthorized
            | SubmitErrorKind::Rejected => FailureClass::SubmitRejected,
        };
        let Some(submission) = self.outgoing.settle(request) else { return };
        let watches = error.kind == SubmitErrorKind::Unknown && !self.stopping.is_now();
        for (run, _) in submission.runs {
            self.with_run(run, now, |run, settings, todo| {
                if watches {
                    run.perhaps_accepted(&error.message, settings, now, todo);
                } else {
                    run.fail(class, error.message.clone(), now, todo);
                }
            });
        }
        if error.kind == SubmitErrorKind::Unauthorized {
            self.stop_for(StopReason::Credentials, error.message.clone(), now);
        }
    }

    pub(super) fn not_kept(&mut self, request: u64, words: &str, now: SessionTime) {
        let Some(submission) = self.outgoing.settle(request) else { return };
        for (run, _) in submission.runs {
            self.with_run(run, now, |run, _, todo| {
                let detail =
                    format!("not submitted, because the journal could not keep it: {words}");
                run.fail(FailureClass::GeneratorFault, detail, now, todo);
            });
        }
        self.stop_for(StopReason::Journal, words.to_owned(), now);
    }
}
