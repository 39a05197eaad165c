//! Submissions on their way out: filled, put in line, let out by the limiter, sent again where that is safe.

use std::collections::{HashMap, VecDeque};

use super::rate_limiter::RateLimiter;
use rushhour_core::units::{Micros, Mode, Rate, RunIndex, SessionTime};

/// The wait before a submission is sent again doubles from this, where the service does not say.
const FIRST_WAIT: Micros = Micros::from_millis(500);
/// And is never longer than this.
const LONGEST_WAIT: Micros = Micros::from_secs(30);
/// A service that asks for a longer wait than this is not waited for.
const LONGEST_ASKED: Micros = Micros::from_secs(600);

/// One submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submission {
    pub(super) request: u64,
    /// Its runs, and when each was ready.
    pub(super) runs: Vec<(RunIndex, SessionTime)>,
    /// How often it was sent, this time included.
    pub(super) attempt: u32,
    /// When the limiter let it out last.
    pub(super) admitted: SessionTime,
}

/// Runs that wait, and since when each was ready.
type Runs = VecDeque<(RunIndex, SessionTime)>;

/// All submissions between a run's being ready and its being accepted.
pub(super) struct SubmissionQueue {
    entries_per_request: usize,
    fill_within: Micros,
    /// Runs that wait for a request to be filled: a request is of one mode.
    filling: [Runs; 2],
    line: VecDeque<(SessionTime, Submission)>,
    sent: HashMap<u64, Submission>,
    limiter: RateLimiter,
    not_before: SessionTime,
    next_request: u64,
}

impl SubmissionQueue {
    pub(super) fn new(rate: Rate, entries_per_request: u32, fill_within: Micros) -> Self {
        Self {
            entries_per_request: entries_per_request.max(1) as usize,
            fill_within,
            filling: Mode::ALL.map(|_| VecDeque::new()),
            line: VecDeque::new(),
            sent: HashMap::new(),
            limiter: RateLimiter::new(rate),
            not_before: SessionTime::START,
            next_request: 0,
        }
    }

    /// Numbers submissions from `request` on, those before having been sent.
    pub(super) fn go_on_from(&mut self, request: u64) {
        self.next_request = request;
    }

    /// A run is ready to be submitted.
    pub(super) fn ready(&mut self, run: RunIndex, mode: Mode, now: SessionTime) {
        let filling = Mode::ALL.iter().zip(&mut self.filling).find(|(own, _)| **own == mode);
        if let Some((_, filling)) = filling {
            filling.push_back((run, now));
        }
    }

    /// Takes a run out that was not sent yet.
    pub(super) fn withdraw(&mut self, run: RunIndex) {
        for filling in &mut self.filling {
            filling.retain(|(other, _)| *other != run);
        }
        for (_, submission) in &mut self.line {
            submission.runs.retain(|(other, _)| *other != run);
        }
        self.line.retain(|(_, submission)| !submission.runs.is_empty());
    }

    /// When something may go out next.
    pub(super) fn next(&self) -> SessionTime {
        let filled = self.filling.iter().map(|filling| match filling.front() {
            Some(_) if filling.len() >= self.entries_per_request => SessionTime::START,
            Some((_, since)) => *since + self.fill_within,
            None => SessionTime::NEVER,
        });
        let filled = filled.min().unwrap_or(SessionTime::NEVER);
        let lined =
            self.line.front().map_or(SessionTime::NEVER, |(at, _)| (*at).max(self.not_before));
        filled.min(lined)
    }

    /// The next submission that may go out now.
    pub(super) fn take(&mut self, now: SessionTime) -> Option<Submission> {
        self.fill(now);
        if self.line.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        if let Err(later) = self.limiter.admit(now) {
            self.not_before = later;
            return None;
        }
        let (_, mut submission) = self.line.pop_front()?;
        submission.attempt += 1;
        submission.admitted = now;
        self.sent.insert(submission.request, submission.clone());
        Some(submission)
    }

    /// A submission was answered for good; gives it back.
    pub(super) fn settle(&mut self, request: u64) -> Option<Submission> {
        self.sent.remove(&request)
    }

    /// A submission was certainly not accepted: puts it in line again, at its front, and gives the wait
    /// before it is sent; `None` where it has been sent `attempts` times already, or the service asks for
    /// a wait beyond all patience.
    pub(super) fn again(
        &mut self,
        request: u64,
        attempts: u32,
        asked_for: Option<Micros>,
        now: SessionTime,
    ) -> Option<Micros> {
        let attempt = self.sent.get(&request).filter(|sent| sent.attempt < attempts)?.attempt;
        if asked_for.is_some_and(|asked| asked > LONGEST_ASKED) {
            return None;
        }
        let doubled = Micros(FIRST_WAIT.0.saturating_mul(1 << (attempt - 1).min(16)));
        let wait = asked_for.unwrap_or_else(|| doubled.min(LONGEST_WAIT));
        let submission = self.sent.remove(&request)?;
        // The oldest goes first, so that one bad answer does not send a run to the end of the line.
        let place = self.line.partition_point(|(_, other)| other.request < request);
        self.line.insert(place, (now + wait, submission));
        Some(wait)
    }

    /// How often a submission in line was sent.
    pub(super) fn attempt_of(&self, request: u64) -> u32 {
        self.in_line(request).map_or(0, |submission| submission.attempt)
    }

    /// The runs of a submission in line.
    pub(super) fn runs_of(&self, request: u64) -> Vec<RunIndex> {
        let runs = self.in_line(request).map(|submission| &submission.runs);
        runs.into_iter().flatten().map(|(run, _)| *run).collect()
    }

    fn in_line(&self, request: u64) -> Option<&Submission> {
        self.line.iter().map(|(_, submission)| submission).find(|other| other.request == request)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let filling: usize = self.filling.iter().map(Runs::len).sum();
        filling + self.line.len() + self.sent.len()
    }

    /// Lets nothing out before `until`, as the service asked.
    pub(super) fn pause(&mut self, until: SessionTime) {
        self.limiter.pause(until);
        self.not_before = self.not_before.max(until);
    }

    fn fill(&mut self, now: SessionTime) {
        let (entries, within) = (self.entries_per_request, self.fill_within);
        let is_due = |filling: &&mut Runs| {
            let waited = filling.front().is_some_and(|(_, since)| *since + within <= now);
            waited || filling.len() >= entries
        };
        // Whichever mode waited longer goes first, so that none gains by the other's queue.
        let longest = |filling: &&mut Runs| filling.front().map(|(run, since)| (*since, *run));
        while let Some(filling) = self.filling.iter_mut().filter(is_due).min_by_key(longest) {
            let count = filling.len().min(entries);
            let runs: Vec<(RunIndex, SessionTime)> = filling.drain(..count).collect();
            let request = self.next_request;
            self.next_request += 1;
            let submission = Submission { request, runs, attempt: 0, admitted: now };
            self.line.push_back((now, submission));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(entries: u32) -> SubmissionQueue {
        SubmissionQueue::new("10/s".parse().unwrap(), entries, Micros::from_secs(1))
    }

    fn runs(submission: &Submission) -> Vec<u64> {
        submission.runs.iter().map(|(run, _)| run.0).collect()
    }

    #[test]
    fn single_entries_go_out_in_order_at_the_rate() {
        let mut outgoing = outgoing(1);
        outgoing.ready(RunIndex(1), Mode::Voice, SessionTime(0));
        outgoing.ready(RunIndex(2), Mode::Voice, SessionTime(5));
        let first = outgoing.take(SessionTime(5)).unwrap();
        assert_eq!((runs(&first), first.attempt), (vec![1], 1));
        assert_eq!(outgoing.take(SessionTime(6)), None);
        assert_eq!(outgoing.next(), SessionTime(100_005));
        assert_eq!(runs(&outgoing.take(SessionTime(100_005)).unwrap()), [2]);
        assert_eq!(outgoing.next(), SessionTime::NEVER);
    }

    #[test]
    fn shared_requests_wait_to_be_filled_but_not_for_ever() {
        let mut outgoing = outgoing(3);
        for run in 0..4 {
            outgoing.ready(RunIndex(run), Mode::Voice, SessionTime(10));
        }
        assert_eq!(runs(&outgoing.take(SessionTime(10)).unwrap()), [0, 1, 2]);
        assert_eq!(outgoing.take(SessionTime(500_000)), None);
        assert_eq!(outgoing.next(), SessionTime(1_000_010));
        assert_eq!(runs(&outgoing.take(SessionTime(1_000_010)).unwrap()), [3]);
    }

    #[test]
    fn a_request_is_of_one_mode_and_neither_mode_waits_for_the_other() {
        let mut outgoing = outgoing(3);
        for run in 0..6 {
            let mode = if run % 2 == 0 { Mode::Chat } else { Mode::Voice };
            outgoing.ready(RunIndex(run), mode, SessionTime(10 + run));
        }
        assert_eq!(runs(&outgoing.take(SessionTime(20)).unwrap()), [0, 2, 4]);
        assert_eq!(runs(&outgoing.take(SessionTime(200_000)).unwrap()), [1, 3, 5]);
        outgoing.ready(RunIndex(6), Mode::Voice, SessionTime(300_000));
        outgoing.ready(RunIndex(7), Mode::Chat, SessionTime(400_000));
        assert_eq!(outgoing.next(), SessionTime(1_300_000));
        assert_eq!(runs(&outgoing.take(SessionTime(1_300_000)).unwrap()), [6]);
        assert_eq!(runs(&outgoing.take(SessionTime(1_400_000)).unwrap()), [7]);
    }

    #[test]
    fn what_was_not_accepted_is_sent_again_so_often_and_no_more() {
        let mut outgoing = outgoing(1);
        outgoing.ready(RunIndex(1), Mode::Voice, SessionTime(0));
        let request = outgoing.take(SessionTime(0)).unwrap().request;
        assert_eq!(outgoing.again(request, 3, None, SessionTime(0)), Some(FIRST_WAIT));
        assert_eq!(outgoing.take(SessionTime(499_999)), None);
        assert_eq!(outgoing.take(SessionTime(500_000)).unwrap().attempt, 2);
        let asked = Some(Micros::from_secs(90));
        assert_eq!(outgoing.again(request, 3, asked, SessionTime(500_000)), asked);
        assert_eq!(outgoing.take(SessionTime(90_500_000)).unwrap().attempt, 3);
        assert_eq!(outgoing.again(request, 3, None, SessionTime(90_500_000)), None);
        assert_eq!(outgoing.settle(request).unwrap().runs.len(), 1);
    }

    #[test]
    fn a_withdrawn_run_is_not_sent() {
        let mut outgoing = outgoing(2);
        for run in 0..3 {
            outgoing.ready(RunIndex(run), Mode::Voice, SessionTime(0));
        }
        outgoing.withdraw(RunIndex(1));
        assert_eq!(runs(&outgoing.take(SessionTime(0)).unwrap()), [0, 2]);
    }
}
