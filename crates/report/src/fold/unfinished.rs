//! Right-censored latencies: of a run that was cut off, only the time so far is known.

use super::latency_samples::LatencySample;
use super::run_record::{RunOutcome, RunRecord};
use rushhour_core::event::{FailureClass, Outcome};
use rushhour_core::units::{Metric, SessionTime};

impl RunRecord {
    /// Lower bounds of the latencies of a run that was cut off: the time until it was last known to be in progress, and
    /// the time it waited for an agent in vain. A run without an outcome was in progress at `until`.
    pub fn unfinished(&self, until: SessionTime) -> Vec<LatencySample> {
        let mut samples = Vec::new();
        let mut longer_than = |metric, from: SessionTime, last: SessionTime| {
            samples.push(LatencySample::exact(metric, last.since(from)));
        };
        if let (Some(sent), None, Some(last)) =
            (self.agent_requested, self.agent, self.last_without_agent(until))
        {
            longer_than(Metric::AgentJoin, sent, last);
        }
        if let Some(last) = self.last_before_end(until) {
            let sent = self.submission.as_ref().map(|submission| submission.span.from);
            if let Some(sent) = sent {
                longer_than(Metric::CompletionService, sent, last);
            }
            if !self.waited_unobserved_until(sent.unwrap_or(last)) {
                longer_than(Metric::CompletionResponse, self.intended, last);
            }
        }
        samples
    }

    /// When it was last known to be in progress; none where its end was seen.
    fn last_before_end(&self, until: SessionTime) -> Option<SessionTime> {
        let Some(RunOutcome { outcome, seen, .. }) = &self.ending else { return Some(until) };
        let censored = match outcome {
            Outcome::Completed { .. } => self.may_be_unobserved(*seen),
            Outcome::Failed { .. } | Outcome::Skipped => outcome.class().is_some_and(cuts_off),
        };
        censored.then_some(seen.from)
    }

    /// When its agent was last known to be missing; none where the run ended for another reason.
    fn last_without_agent(&self, until: SessionTime) -> Option<SessionTime> {
        let Some(ending) = &self.ending else { return Some(until) };
        let class = ending.outcome.class()?;
        let given_up =
            matches!(class, FailureClass::AgentNeverJoined | FailureClass::DispatchUnassigned);
        (given_up || cuts_off(class)).then_some(ending.seen.from)
    }
}

/// Whether a failure of this class cuts off a run in progress. All other failures are ends of the run itself.
const fn cuts_off(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::EvaluatorTimeout | FailureClass::Cancelled | FailureClass::GeneratorFault
    )
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::{completed, span};
    use super::*;

    #[test]
    fn an_end_while_nobody_observed_the_run_came_later_than_it_was_last_seen() {
        let mut record = completed();
        record.add_unobserved(span(10_000, 10_900), true);
        let unfinished = record.unfinished(SessionTime(99_000));
        let lengths: Vec<u64> = unfinished.into_iter().map(|sample| sample.low.0).collect();
        assert_eq!(lengths, [7_100, 9_000]);
    }

    #[test]
    fn only_runs_that_were_cut_off_are_censored() {
        let ended = |class| {
            let outcome = Outcome::failed(class, "");
            let ending = Some(RunOutcome {
                outcome,
                seen: span(10_000, 11_000),
                conversation_duration: None,
            });
            RunRecord { ending, ..completed() }.unfinished(SessionTime(99_000))
        };
        let lengths = |samples: Vec<LatencySample>| -> Vec<(Metric, u64, u64)> {
            samples.into_iter().map(|s| (s.metric, s.low.0, s.high.0)).collect()
        };
        let both = [(Metric::CompletionService, 7_100), (Metric::CompletionResponse, 9_000)];
        for class in [FailureClass::EvaluatorTimeout, FailureClass::Cancelled] {
            assert_eq!(lengths(ended(class)), both.map(|(metric, time)| (metric, time, time)));
        }
        assert_eq!(ended(FailureClass::EvaluatorFailed), []);
        assert_eq!(completed().unfinished(SessionTime(99_000)), []);
        let open = RunRecord { ending: None, submission: None, ..completed() };
        let found = lengths(open.unfinished(SessionTime(99_000)));
        assert_eq!(found, [(Metric::CompletionResponse, 98_000, 98_000)]);
    }

    #[test]
    fn an_agent_that_never_joined_would_have_joined_later() {
        let waited = |class, agent| {
            let outcome = Outcome::failed(class, "");
            let ending = Some(RunOutcome {
                outcome,
                seen: span(10_000, 10_000),
                conversation_duration: None,
            });
            let agent_requested = Some(SessionTime(1_500));
            let record =
                RunRecord { ending, submission: None, agent, agent_requested, ..completed() };
            let samples = record.unfinished(SessionTime(99_000));
            samples.iter().find(|s| s.metric == Metric::AgentJoin).map(|s| (s.low.0, s.high.0))
        };
        let longer = Some((8_500, 8_500));
        for class in [
            FailureClass::AgentNeverJoined,
            FailureClass::DispatchUnassigned,
            FailureClass::Cancelled,
        ] {
            assert_eq!(waited(class, None), longer, "{class:?}");
        }
        assert_eq!(waited(FailureClass::DispatchFailed, None), None);
        assert_eq!(waited(FailureClass::AgentNeverJoined, completed().agent), None);
    }
}
