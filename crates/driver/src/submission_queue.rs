//! [`SubmissionQueue`]: fills submissions with runs, sends them at the rate, and retries those that may be.

use std::collections::{HashMap, VecDeque};

use super::rate_limiter::RateLimiter;
use rushhour_core::units::{Micros, Mode, Rate, RunIndex, SessionTime};

/// The wait before the first retry, where the service does not say; it doubles with each retry,
const FIRST_BACKOFF: Micros = Micros::from_millis(500);
/// up to this.
const MAX_BACKOFF: Micros = Micros::from_secs(30);
/// A submission is not retried where the service asks for a longer wait.
const MAX_RETRY_AFTER: Micros = Micros::from_secs(600);

/// One request to the evaluator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submission {
    pub(super) request: u64,
    /// Its runs, and when each was queued.
    pub(super) runs: Vec<(RunIndex, SessionTime)>,
    /// How often it was sent, including this time.
    pub(super) attempt: u32,
    /// When the limiter last admitted it.
    pub(super) admitted: SessionTime,
}

/// A retry of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubmissionRetry {
    pub(super) wait: Micros,
    /// How often it was sent so far.
    pub(super) attempt: u32,
    pub(super) runs: Vec<RunIndex>,
}

/// Runs, and when each was queued.
type Runs = VecDeque<(RunIndex, SessionTime)>;

/// Runs that wait to be submitted, and submissions until their response.
pub(super) struct SubmissionQueue {
    entries_per_request: usize,
    fill_within: Micros,
    /// Runs that wait for a request to fill up, for each mode: a request has one mode.
    unfilled: [Runs; 2],
    /// Filled submissions, and when each may be sent at the earliest.
    queued: VecDeque<(SessionTime, Submission)>,
    in_flight: HashMap<u64, Submission>,
    limiter: RateLimiter,
    not_before: SessionTime,
    next_request: u64,
}

impl SubmissionQueue {
    pub(super) fn new(rate: Rate, entries_per_request: u32, fill_within: Micros) -> Self {
        Self {
            entries_per_request: entries_per_request.max(1) as usize,
            fill_within,
            unfilled: Mode::ALL.map(|_| VecDeque::new()),
            queued: VecDeque::new(),
            in_flight: HashMap::new(),
            limiter: RateLimiter::new(rate),
            not_before: SessionTime::START,
            next_request: 0,
        }
    }

    /// Numbers submissions from `request` on: those before are of the crashed process.
    pub(super) fn set_next_request(&mut self, request: u64) {
        self.next_request = request;
    }

    /// Queues a run.
    pub(super) fn push(&mut self, run: RunIndex, mode: Mode, now: SessionTime) {
        let runs = Mode::ALL.iter().zip(&mut self.unfilled).find(|(own, _)| **own == mode);
        if let Some((_, runs)) = runs {
            runs.push_back((run, now));
        }
    }

    /// Removes a run that was not sent yet.
    pub(super) fn withdraw(&mut self, run: RunIndex) {
        for runs in &mut self.unfilled {
            runs.retain(|(other, _)| *other != run);
        }
        for (_, submission) in &mut self.queued {
            submission.runs.retain(|(other, _)| *other != run);
        }
        self.queued.retain(|(_, submission)| !submission.runs.is_empty());
    }

    /// When a submission may be sent next.
    pub(super) fn next_due(&self) -> SessionTime {
        let filled = self.unfilled.iter().map(|runs| match runs.front() {
            Some(_) if runs.len() >= self.entries_per_request => SessionTime::START,
            Some((_, since)) => *since + self.fill_within,
            None => SessionTime::NEVER,
        });
        let filled = filled.min().unwrap_or(SessionTime::NEVER);
        let queued =
            self.queued.front().map_or(SessionTime::NEVER, |(at, _)| (*at).max(self.not_before));
        filled.min(queued)
    }

    /// The next submission, if it may be sent now.
    pub(super) fn take(&mut self, now: SessionTime) -> Option<Submission> {
        self.fill(now);
        if self.queued.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        if let Err(later) = self.limiter.admit(now) {
            self.not_before = later;
            return None;
        }
        let (_, mut submission) = self.queued.pop_front()?;
        submission.attempt += 1;
        submission.admitted = now;
        self.in_flight.insert(submission.request, submission.clone());
        Some(submission)
    }

    /// Removes and returns a submission that will not be retried.
    pub(super) fn settle(&mut self, request: u64) -> Option<Submission> {
        self.in_flight.remove(&request)
    }

    /// Queues a submission again that was certainly not accepted; `None` where it was sent `attempts` times already, or
    /// the service asks for too long a wait.
    pub(super) fn retry(
        &mut self,
        request: u64,
        attempts: u32,
        retry_after: Option<Micros>,
        now: SessionTime,
    ) -> Option<SubmissionRetry> {
        let attempt = self.in_flight.get(&request).filter(|sent| sent.attempt < attempts)?.attempt;
        if retry_after.is_some_and(|wait| wait > MAX_RETRY_AFTER) {
            return None;
        }
        let doubled = Micros(FIRST_BACKOFF.0.saturating_mul(1 << (attempt - 1).min(16)));
        let wait = retry_after.unwrap_or_else(|| doubled.min(MAX_BACKOFF));
        let submission = self.in_flight.remove(&request)?;
        let runs = submission.runs.iter().map(|(run, _)| *run).collect();
        // In the order of requests, so that a retry does not put a run behind all others.
        let position = self.queued.partition_point(|(_, other)| other.request < request);
        self.queued.insert(position, (now + wait, submission));
        Some(SubmissionRetry { wait, attempt, runs })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let runs: usize = self.unfilled.iter().map(Runs::len).sum();
        runs + self.queued.len() + self.in_flight.len()
    }

    /// Sends nothing before `until`.
    pub(super) fn pause(&mut self, until: SessionTime) {
        self.limiter.pause(until);
        self.not_before = self.not_before.max(until);
    }

    fn fill(&mut self, now: SessionTime) {
        let (entries, within) = (self.entries_per_request, self.fill_within);
        let is_due = |runs: &&mut Runs| {
            let waited = runs.front().is_some_and(|(_, since)| *since + within <= now);
            waited || runs.len() >= entries
        };
        // The mode that has waited longer goes first, so that neither gains by the other's queue.
        let longest = |runs: &&mut Runs| runs.front().map(|(run, since)| (*since, *run));
        while let Some(runs) = self.unfilled.iter_mut().filter(is_due).min_by_key(longest) {
            let count = runs.len().min(entries);
            let runs: Vec<(RunIndex, SessionTime)> = runs.drain(..count).collect();
            let request = self.next_request;
            self.next_request += 1;
            let submission = Submission { request, runs, attempt: 0, admitted: now };
            self.queued.push_back((now, submission));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(entries: u32) -> SubmissionQueue {
        SubmissionQueue::new("10/s".parse().unwrap(), entries, Micros::from_secs(1))
    }

    fn runs(submission: &Submission) -> Vec<u64> {
        submission.runs.iter().map(|(run, _)| run.0).collect()
    }

    #[test]
    fn single_entries_are_sent_in_order_at_the_rate() {
        let mut queue = queue(1);
        queue.push(RunIndex(1), Mode::Voice, SessionTime(0));
        queue.push(RunIndex(2), Mode::Voice, SessionTime(5));
        let first = queue.take(SessionTime(5)).unwrap();
        assert_eq!((runs(&first), first.attempt), (vec![1], 1));
        assert_eq!(queue.take(SessionTime(6)), None);
        assert_eq!(queue.next_due(), SessionTime(100_005));
        assert_eq!(runs(&queue.take(SessionTime(100_005)).unwrap()), [2]);
        assert_eq!(queue.next_due(), SessionTime::NEVER);
    }

    #[test]
    fn shared_requests_wait_a_limited_time_to_fill_up() {
        let mut queue = queue(3);
        for run in 0..4 {
            queue.push(RunIndex(run), Mode::Voice, SessionTime(10));
        }
        assert_eq!(runs(&queue.take(SessionTime(10)).unwrap()), [0, 1, 2]);
        assert_eq!(queue.take(SessionTime(500_000)), None);
        assert_eq!(queue.next_due(), SessionTime(1_000_010));
        assert_eq!(runs(&queue.take(SessionTime(1_000_010)).unwrap()), [3]);
    }

    #[test]
    fn a_request_has_one_mode_and_neither_mode_waits_for_the_other() {
        let mut queue = queue(3);
        for run in 0..6 {
            let mode = if run % 2 == 0 { Mode::Chat } else { Mode::Voice };
            queue.push(RunIndex(run), mode, SessionTime(10 + run));
        }
        assert_eq!(runs(&queue.take(SessionTime(20)).unwrap()), [0, 2, 4]);
        assert_eq!(runs(&queue.take(SessionTime(200_000)).unwrap()), [1, 3, 5]);
        queue.push(RunIndex(6), Mode::Voice, SessionTime(300_000));
        queue.push(RunIndex(7), Mode::Chat, SessionTime(400_000));
        assert_eq!(queue.next_due(), SessionTime(1_300_000));
        assert_eq!(runs(&queue.take(SessionTime(1_300_000)).unwrap()), [6]);
        assert_eq!(runs(&queue.take(SessionTime(1_400_000)).unwrap()), [7]);
    }

    #[test]
    fn retries_stop_after_the_configured_attempts() {
        let mut queue = queue(1);
        queue.push(RunIndex(1), Mode::Voice, SessionTime(0));
        let request = queue.take(SessionTime(0)).unwrap().request;
        let retry = SubmissionRetry { wait: FIRST_BACKOFF, attempt: 1, runs: vec![RunIndex(1)] };
        assert_eq!(queue.retry(request, 3, None, SessionTime(0)), Some(retry));
        assert_eq!(queue.take(SessionTime(499_999)), None);
        assert_eq!(queue.take(SessionTime(500_000)).unwrap().attempt, 2);
        let wait = Micros::from_secs(90);
        let retry = queue.retry(request, 3, Some(wait), SessionTime(500_000)).unwrap();
        assert_eq!((retry.wait, retry.attempt), (wait, 2));
        assert_eq!(queue.take(SessionTime(90_500_000)).unwrap().attempt, 3);
        assert_eq!(queue.retry(request, 3, None, SessionTime(90_500_000)), None);
        assert_eq!(queue.settle(request).unwrap().runs.len(), 1);
    }

    #[test]
    fn a_withdrawn_run_is_not_sent() {
        let mut queue = queue(2);
        for run in 0..3 {
            queue.push(RunIndex(run), Mode::Voice, SessionTime(0));
        }
        queue.withdraw(RunIndex(1));
        assert_eq!(runs(&queue.take(SessionTime(0)).unwrap()), [0, 2]);
    }
}
