//! Submissions to the evaluator: sent when the limiter admits them, retried only where certainly not accepted.

use super::rejections::SubmissionKind;
use super::session::Session;
use crate::session_effect::SessionEffect;
use crate::session_input::RequestTiming;
use crate::submission_queue::{Submission, SubmissionRetry};
use rushhour_core::evaluator::{AcceptedSubmission, SubmitError, SubmitErrorKind};
use rushhour_core::event::{
    AcceptedRun, EventKind, EventSinkError, FailureClass, RetryReason, StopReason,
};
use rushhour_core::units::{EvaluatorRunId, Micros, RunIndex, SessionTime};

impl Session {
    pub(super) fn send_submissions(&mut self, now: SessionTime) {
        while let Some(submission) = self.submissions.take(now) {
            let mut runs = Vec::with_capacity(submission.runs.len());
            for (run, _) in &submission.runs {
                self.with_run(*run, now, |run, settings, effects| {
                    runs.push(run.planned);
                    run.submission_sent(settings, now, effects);
                });
            }
            if submission.attempt == 1 {
                let indexes = runs.iter().map(|run| run.index).collect();
                let intent = EventKind::SubmitIntent { request: submission.request, runs: indexes };
                self.record(intent, now);
            }
            self.effects.push(SessionEffect::Submit { request: submission.request, runs });
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
        let Some(submission) = self.submissions.settle(request) else { return };
        let Submission { runs, admitted, .. } = submission;
        let paired: Vec<((RunIndex, SessionTime), Option<EvaluatorRunId>)> =
            runs.into_iter().zip(accepted.runs).collect();
        let worker = accepted.worker;
        let accepted_runs = paired
            .iter()
            .filter_map(|((run, ready), evaluator_run)| {
                let evaluator_run = evaluator_run.clone()?;
                Some(AcceptedRun { run: *run, evaluator_run, ready: *ready, worker })
            })
            .collect();
        self.record(
            EventKind::Submitted {
                request,
                admitted,
                sent: timing.sent,
                answered: timing.answered,
                result: accepted.result,
                accepted: accepted_runs,
                mapping: accepted.mapping,
            },
            now,
        );
        let kinds = paired.iter().filter(|(_, id)| id.is_some());
        let kinds: Vec<SubmissionKind> =
            kinds.filter_map(|((run, _), _)| self.kind_of(*run)).collect();
        self.rejections.accepted(kinds);
        for ((run, _), evaluator_run) in paired {
            self.with_run(run, now, |run, settings, effects| match evaluator_run {
                Some(evaluator_run) => run.accepted(evaluator_run, timing, settings, effects),
                None => run.probe_submission(
                    "the evaluator accepted the request and listed no run for this entry",
                    settings,
                    now,
                    effects,
                ),
            });
            if self.stop_state.is_immediate() {
                self.with_run(run, now, |run, _, effects| run.stop_now(now, effects));
            }
        }
    }

    fn not_accepted(&mut self, request: u64, error: &SubmitError, now: SessionTime) {
        let (reason, retry_after) = match error.kind {
            SubmitErrorKind::RateLimited { retry_after } => {
                self.health.throttled += 1;
                (Some(RetryReason::RateLimited), retry_after)
            }
            SubmitErrorKind::NotSent => (Some(RetryReason::ConnectionRefused), None),
            _ => (None, None),
        };
        let retry = reason.filter(|_| !self.stop_state.is_immediate());
        if retry.is_some_and(|reason| self.retry_submission(request, reason, retry_after, now)) {
            return;
        }
        let class = match error.kind {
            SubmitErrorKind::RateLimited { .. } => FailureClass::RateLimited,
            SubmitErrorKind::Unknown => FailureClass::SubmitUnknown,
            SubmitErrorKind::Generator | SubmitErrorKind::GeneratorGone => {
                FailureClass::GeneratorFault
            }
            SubmitErrorKind::NotSent
            | SubmitErrorKind::Unauthorized
            | SubmitErrorKind::Rejected
            | SubmitErrorKind::RejectedAlways => FailureClass::SubmitRejected,
        };
        let Some(submission) = self.submissions.settle(request) else { return };
        let probe = error.kind == SubmitErrorKind::Unknown && !self.stop_state.is_immediate();
        let detail = error.detail();
        let kinds = submission.runs.iter().filter_map(|(run, _)| self.kind_of(*run));
        let kinds: Vec<SubmissionKind> = kinds.collect();
        for (run, _) in submission.runs {
            self.with_run(run, now, |run, settings, effects| {
                if probe {
                    run.probe_submission(&detail, settings, now, effects);
                } else {
                    run.fail(class, detail.clone(), now, effects);
                }
            });
        }
        let reason = match error.kind {
            SubmitErrorKind::Unauthorized => Some(StopReason::Credentials),
            SubmitErrorKind::RejectedAlways => Some(StopReason::Rejected),
            SubmitErrorKind::GeneratorGone => Some(StopReason::Workers),
            SubmitErrorKind::Rejected => {
                self.rejections.rejected(kinds, &error.message);
                let all = self.settings.expected_durations.len() * self.settings.modes.len();
                self.rejections.are_for_all(all).then_some(StopReason::Rejected)
            }
            _ => None,
        };
        if let Some(reason) = reason {
            self.stop_before_submission(reason, &detail, now);
        }
    }

    fn kind_of(&self, run: RunIndex) -> Option<SubmissionKind> {
        self.runs.get(&run).map(|run| (run.planned.scenario, run.planned.mode))
    }

    /// Stops the session, and with it the runs that were not submitted yet: no agent is sent for whom nobody calls.
    fn stop_before_submission(&mut self, reason: StopReason, detail: &str, now: SessionTime) {
        self.stop_for(reason, detail.to_owned(), now);
        for run in self.run_indexes() {
            self.with_run(run, now, |run, _, effects| {
                if run.is_before_submission() {
                    let detail =
                        format!("not submitted, because another run was rejected: {detail}");
                    run.fail(FailureClass::Cancelled, detail, now, effects);
                }
            });
        }
    }

    /// Queues the submission again, unless it was sent too often or the service asks for too long a wait; returns
    /// whether it did.
    fn retry_submission(
        &mut self,
        request: u64,
        reason: RetryReason,
        retry_after: Option<Micros>,
        now: SessionTime,
    ) -> bool {
        let attempts = self.settings.attempts;
        let Some(retry) = self.submissions.retry(request, attempts, retry_after, now) else {
            return false;
        };
        let SubmissionRetry { wait, attempt, runs } = retry;
        tracing::info!(
            request,
            attempt,
            reason = ?reason,
            wait_ms = wait.0 / 1_000,
            "submission not accepted, retrying"
        );
        if retry_after.is_some() {
            // The service asks it of all requests, not only of this one.
            tracing::info!(wait_ms = wait.0 / 1_000, "submissions paused, as the evaluator asks");
            self.submissions.pause(now + wait);
        }
        for run in &runs {
            self.with_run(*run, now, |run, _, _| run.submission_postponed());
        }
        self.record(EventKind::SubmitRetry { request, attempt, reason, wait }, now);
        self.give_up_postponed(runs, now + wait, now);
        true
    }

    /// The submission was not sent, because the events before it are not durable.
    pub(super) fn not_durable(&mut self, request: u64, error: &EventSinkError, now: SessionTime) {
        let Some(submission) = self.submissions.settle(request) else { return };
        for (run, _) in submission.runs {
            self.with_run(run, now, |run, _, effects| {
                let detail = format!("not submitted, because its events are not durable: {error}");
                run.fail(FailureClass::GeneratorFault, detail, now, effects);
            });
        }
        self.stop_for(StopReason::Journal, error.to_string(), now);
    }
}
