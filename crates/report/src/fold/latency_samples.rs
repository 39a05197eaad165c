//! The latencies that follow from one run.

use super::quality::QualityOfRun;
use super::run_record::{RunRecord, SubmissionTimes, TimeSpan};
use rushhour_core::event::Outcome;
use rushhour_core::units::{Metric, Micros, Mode, SessionTime};

/// One measured latency; where it comes from polling, its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencySample {
    /// What was measured.
    pub metric: Metric,
    /// The lower bound.
    pub low: Micros,
    /// The upper bound; the figure that reports show.
    pub high: Micros,
}

impl LatencySample {
    pub(super) const fn exact(metric: Metric, latency: Micros) -> Self {
        Self { metric, low: latency, high: latency }
    }

    /// From an exact moment to one within a span.
    const fn until(metric: Metric, from: SessionTime, to: TimeSpan) -> Self {
        Self { metric, low: to.from.since(from), high: to.to.since(from) }
    }

    /// From a moment within one span to a moment within a later one.
    const fn between(metric: Metric, from: TimeSpan, to: TimeSpan) -> Self {
        Self { metric, low: to.from.since(from.to), high: to.to.since(from.from) }
    }
}

impl RunRecord {
    /// The latencies of the run. Only a completed run has those that end with it: the duration of a failure is not the
    /// latency of a success.
    pub fn samples(&self) -> Vec<LatencySample> {
        let mut samples = Vec::with_capacity(16);
        let mut exact = |metric, latency: Option<Micros>| {
            samples.extend(latency.map(|latency| LatencySample::exact(metric, latency)));
        };
        exact(Metric::ScheduleLag, self.started.map(|started| started.since(self.slot_free)));
        exact(Metric::InFlightWait, self.started.map(|_| self.slot_free.since(self.intended)));
        exact(Metric::Room, self.room_created.map(TimeSpan::length));
        exact(Metric::Dispatch, self.dispatched.map(TimeSpan::length));
        let submission = self.submission.as_ref();
        exact(Metric::LimiterWait, submission.map(|s| s.admitted.since(s.ready)));
        exact(Metric::SubmissionService, submission.map(|s| s.span.length()));
        let observed = submission.filter(|s| !self.waited_unobserved_until(s.span.from));
        exact(Metric::SubmissionResponse, observed.map(|s| s.span.to.since(self.intended)));
        if let (Some(sent), Some(agent)) = (self.agent_requested, self.agent) {
            exact(
                Metric::AgentJoinServer,
                agent.joined.filter(|joined| *joined >= sent).map(|joined| joined.since(sent)),
            );
            if !self.may_be_unobserved(agent.seen) {
                samples.push(LatencySample::until(Metric::AgentJoin, sent, agent.seen));
            }
            if let Some(ready) = self.agent_ready.filter(|ready| !self.may_be_unobserved(*ready)) {
                samples.push(LatencySample::until(Metric::AgentReady, sent, ready));
            }
        }
        self.conversation_samples(&mut samples);
        if let (Some(submission), Some(ending)) = (submission, &self.ending)
            && matches!(ending.outcome, Outcome::Completed { .. })
        {
            self.completion_samples(submission, ending.seen, &mut samples);
        }
        samples
    }

    /// What our own caller heard or read. An unanswered turn is a failure and has no latency.
    fn conversation_samples(&self, samples: &mut Vec<LatencySample>) {
        let mut exact = |metric, latency: Option<Micros>| {
            samples.extend(latency.map(|latency| LatencySample::exact(metric, latency)));
        };
        // Both were seen by one clock, however well the session's is known to it.
        let joined = self.agent.map(|agent| agent.seen.middle());
        exact(Metric::Greeting, self.greeted.zip(joined).map(|(at, joined)| at.since(joined)));
        for reconnect in &self.reconnects {
            exact(Metric::Reconnect, Some(reconnect.duration()));
        }
        let quality = QualityOfRun::of(self);
        exact(Metric::SpeechLongestGap, quality.longest_gap());
        exact(Metric::DeadAir, quality.dead_air);
        // What was measured while the caller's connection was away is no latency of the agent.
        for turn in self.turns.iter().filter(|turn| !turn.away) {
            let since_said = |at: Option<SessionTime>| at.map(|at| at.since(turn.said));
            match self.mode {
                Mode::Chat => {
                    exact(Metric::TurnChatAny, since_said(turn.first_any));
                    exact(Metric::TurnChatFirst, since_said(turn.first));
                    exact(Metric::TurnChatFinal, since_said(turn.last));
                    exact(Metric::TurnChatDone, since_said(turn.done));
                }
                Mode::Voice => {
                    exact(Metric::TurnVoiceAny, since_said(turn.first_any));
                    exact(Metric::TurnVoice, since_said(turn.first));
                    exact(Metric::TurnVoiceDone, since_said(turn.done));
                }
            }
            exact(Metric::TimeToYield, turn.yielded);
            exact(Metric::AgentTranscription, turn.parts.transcription);
            exact(Metric::AgentEndOfTurn, turn.parts.end_of_turn);
            exact(Metric::AgentLlmFirstToken, turn.parts.llm_first_token);
            exact(Metric::AgentTtsFirstByte, turn.parts.tts_first_byte);
            exact(Metric::AgentEndToEnd, turn.parts.end_to_end);
        }
    }

    /// A phase between two polls was not seen: it lies where the next one was seen.
    fn completion_samples(
        &self,
        submission: &SubmissionTimes,
        ended: TimeSpan,
        samples: &mut Vec<LatencySample>,
    ) {
        let judging = self.judging.unwrap_or(ended);
        let running = self.running.unwrap_or(judging);
        let observed = |moment| !self.may_be_unobserved(moment);
        let mut push = |known: bool, sample| samples.extend(known.then_some(sample));
        let sent = submission.span.from;
        push(observed(running), LatencySample::until(Metric::Queue, submission.span.to, running));
        // A worker saw both with one clock; what the coordinator saw has no width.
        let seen_by_worker = |span: TimeSpan| span.length() > Micros::ZERO;
        let same_clock =
            submission.worker.is_some() && seen_by_worker(running) && seen_by_worker(judging);
        let conversation = if same_clock {
            let length = judging.middle().since(running.middle());
            LatencySample::exact(Metric::Conversation, length)
        } else {
            LatencySample::between(Metric::Conversation, running, judging)
        };
        push(observed(running) && observed(judging), conversation);
        push(
            observed(judging) && observed(ended),
            LatencySample::between(Metric::Judging, judging, ended),
        );
        push(observed(ended), LatencySample::until(Metric::CompletionService, sent, ended));
        push(
            observed(ended) && !self.waited_unobserved_until(sent),
            LatencySample::until(Metric::CompletionResponse, self.intended, ended),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_record::tests::{completed, span};
    use super::super::run_record::{AgentTimes, RunOutcome};
    use super::*;
    use rushhour_core::event::FailureClass;

    fn found(record: &RunRecord, metric: Metric) -> Option<(u64, u64)> {
        let sample = record.samples().into_iter().find(|sample| sample.metric == metric)?;
        Some((sample.low.0, sample.high.0))
    }

    #[test]
    fn each_latency_runs_between_its_two_moments() {
        let record = completed();
        for (metric, low, high) in [
            (Metric::ScheduleLag, 100, 100),
            (Metric::InFlightWait, 500, 500),
            (Metric::Room, 200, 200),
            (Metric::Dispatch, 300, 300),
            (Metric::AgentJoin, 500, 700),
            (Metric::AgentJoinServer, 600, 600),
            (Metric::LimiterWait, 100, 100),
            (Metric::SubmissionService, 200, 200),
            (Metric::SubmissionResponse, 2_100, 2_100),
            (Metric::Queue, 900, 1_900),
            (Metric::Conversation, 3_000, 5_000),
            (Metric::Judging, 1_000, 3_000),
            (Metric::CompletionService, 7_100, 8_100),
            (Metric::CompletionResponse, 9_000, 10_000),
        ] {
            assert_eq!(found(&record, metric), Some((low, high)), "{metric}");
        }
        assert_eq!(found(&record, Metric::AgentReady), None);
    }

    #[test]
    fn unseen_phases_are_bounded_by_the_next_one_seen() {
        let record = RunRecord { running: None, judging: None, ..completed() };
        assert_eq!(found(&record, Metric::Queue), Some((6_900, 7_900)));
        assert_eq!(found(&record, Metric::Conversation), Some((0, 1_000)));
        assert_eq!(found(&record, Metric::Judging), Some((0, 1_000)));
    }

    #[test]
    fn a_failure_has_no_completion_latency() {
        let mut record = completed();
        record.ending = Some(RunOutcome {
            outcome: Outcome::failed(FailureClass::EvaluatorFailed, ""),
            seen: span(10_000, 11_000),
            conversation_duration: None,
        });
        assert_eq!(found(&record, Metric::CompletionResponse), None);
        assert_eq!(found(&record, Metric::SubmissionResponse), Some((2_100, 2_100)));
    }

    #[test]
    fn what_one_worker_saw_is_exact_however_far_its_clock_is_known() {
        let mut record = completed();
        record.running = Some(span(3_000, 3_200));
        record.judging = Some(span(9_000, 9_200));
        record.agent = record.agent.map(|agent| AgentTimes { seen: span(3_000, 3_200), ..agent });
        record.greeted = Some(SessionTime(3_600));
        assert_eq!(found(&record, Metric::Greeting), Some((500, 500)));
        assert_eq!(found(&record, Metric::Conversation), Some((5_800, 6_200)));
        if let Some(submission) = &mut record.submission {
            submission.worker = Some(rushhour_core::units::WorkerId::new(1));
        }
        assert_eq!(found(&record, Metric::Conversation), Some((6_000, 6_000)));
        record.judging = Some(span(9_000, 9_000));
        assert_eq!(
            found(&record, Metric::Conversation),
            Some((5_800, 6_000)),
            "the coordinator's end"
        );
    }

    #[test]
    fn an_end_while_nobody_observed_the_run_has_no_latency() {
        let mut record = completed();
        record.add_unobserved(span(10_000, 10_900), true);
        for metric in [Metric::CompletionService, Metric::CompletionResponse, Metric::Judging] {
            assert_eq!(found(&record, metric), None, "{metric}");
        }
        assert_eq!(found(&record, Metric::Conversation), Some((3_000, 5_000)));
        // An end that was observed is as exact as any other.
        let mut record = completed();
        record.add_unobserved(span(5_500, 7_500), true);
        assert_eq!(found(&record, Metric::CompletionService), Some((7_100, 8_100)));
    }
}
