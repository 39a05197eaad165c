//! Everything known of one run, and the latencies that follow from it.

use rushhour_core::bill::{BillableTimes, RunUsage};
use rushhour_core::event::{FailureClass, FramesSent, ModelUsage, Outcome, RunMapping, Turn};
use rushhour_core::profile::{EvaluatorSettings, Profile};
use rushhour_core::units::{
    EvaluatorRunId, Metric, Micros, Mode, PairId, ResultId, RoomName, RunIndex, SessionTime,
};

/// Two moments of one request: sent and answered; or of one observation: not yet, and then seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// Sent, or last seen not to be so.
    pub from: SessionTime,
    /// Answered, or first seen to be so.
    pub to: SessionTime,
}

impl TimeSpan {
    /// How long it is.
    pub const fn length(self) -> Micros {
        self.to.since(self.from)
    }
}

/// When the agent came into the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTimes {
    /// The last look without it, and the look with it.
    pub seen: TimeSpan,
    /// The server's own time of its joining.
    pub joined: Option<SessionTime>,
}

/// How a run was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionTimes {
    /// The submission.
    pub request: u64,
    /// When the run was ready for it.
    pub ready: SessionTime,
    /// When the limiter admitted it.
    pub admitted: SessionTime,
    /// Its last attempt.
    pub span: TimeSpan,
    /// How often it was sent.
    pub attempts: u32,
    /// The evaluator's folder.
    pub result: Option<ResultId>,
    /// The run at the evaluator.
    pub evaluator_run: EvaluatorRunId,
    /// How sure it is that it is this one.
    pub mapping: RunMapping,
}

/// How and when a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// How.
    pub outcome: Outcome,
    /// Last seen not ended, and first seen ended.
    pub seen: TimeSpan,
    /// The conversation's length in the evaluator's own words.
    pub talked: Option<Micros>,
}

/// Everything known of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: RunIndex,
    /// Its stage's position in the profile.
    pub stage: u32,
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// How many runs of that scenario came before it.
    pub copy: u32,
    /// How the conversation is held.
    pub mode: Mode,
    /// Its pair, in a paired session.
    pub pair: Option<PairId>,
    /// When it was meant to start.
    pub intended: SessionTime,
    /// When a place in flight was free for it.
    pub free: SessionTime,
    /// When the driver acted; none where it did not start.
    pub started: Option<SessionTime>,
    /// Its room.
    pub room: Option<RoomName>,
    /// The room's making.
    pub room_made: Option<TimeSpan>,
    /// The dispatch.
    pub dispatched: Option<TimeSpan>,
    /// When the request that sends for the agent was sent, whichever it was.
    pub agent_sent_for: Option<SessionTime>,
    /// The agent's coming.
    pub agent: Option<AgentTimes>,
    /// The agent's listening.
    pub agent_ready: Option<TimeSpan>,
    /// When it was about to be submitted.
    pub asked: Option<SessionTime>,
    /// The submission.
    pub submission: Option<SubmissionTimes>,
    /// First seen running.
    pub running: Option<TimeSpan>,
    /// First seen being judged.
    pub judging: Option<TimeSpan>,
    /// First heard or read of the agent.
    pub greeted: Option<SessionTime>,
    /// The turns of the conversation, where our own caller held it.
    pub turns: Vec<Turn>,
    /// The audio that our own caller sent.
    pub frames: Option<FramesSent>,
    /// What the agent says that its models took.
    pub used: Option<ModelUsage>,
    /// The end.
    pub ending: Option<RunOutcome>,
    /// Times in which nobody watched it, because the session's process was dead.
    pub unwatched: Vec<TimeSpan>,
}

/// One measured latency; where it comes from polling, its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencySample {
    /// What was measured.
    pub metric: Metric,
    /// It was not shorter than this.
    pub low: Micros,
    /// It was not longer than this; the figure that reports show.
    pub high: Micros,
}

impl RunRecord {
    /// What it took of everything that may be charged; where it has no outcome, until `until`.
    pub fn usage(&self, profile: &Profile, until: SessionTime) -> RunUsage {
        let own_callers = matches!(profile.evaluator, EvaluatorSettings::Native(_));
        let turns = u32::try_from(self.turns.len()).unwrap_or(u32::MAX);
        let moments = BillableTimes {
            mode: self.mode,
            agent: self.agent.map(|agent| agent.seen.from),
            submitted: self.asked,
            running: self.running.map(|running| running.from),
            judging: self.judging.map(|judging| judging.to),
            turns: own_callers.then_some(turns),
            model_usage: self.used.unwrap_or_default(),
        };
        match &self.ending {
            Some(ending) => moments.usage(ending.seen.to, ending.outcome.class(), ending.talked),
            None => moments.usage(until, None, None),
        }
    }

    /// The latencies that follow. Those of the conversation only where it was completed: how long a
    /// failure took is no latency of a success.
    pub fn samples(&self) -> Vec<LatencySample> {
        let mut samples = Vec::with_capacity(16);
        let mut exact = |metric, length: Option<Micros>| {
            if let Some(length) = length {
                samples.push(LatencySample { metric, low: length, high: length });
            }
        };
        exact(Metric::ScheduleLag, self.started.map(|started| started.since(self.free)));
        exact(Metric::InFlightWait, self.started.map(|_| self.free.since(self.intended)));
        exact(Metric::Room, self.room_made.map(TimeSpan::length));
        exact(Metric::Dispatch, self.dispatched.map(TimeSpan::length));
        let submission = self.submission.as_ref();
        exact(Metric::LimiterWait, submission.map(|s| s.admitted.since(s.ready)));
        exact(Metric::SubmissionService, submission.map(|s| s.span.length()));
        let watched = submission.filter(|s| !self.was_unseen_before(s.span.from));
        exact(Metric::SubmissionResponse, watched.map(|s| s.span.to.since(self.intended)));
        if let (Some(sent), Some(agent)) = (self.agent_sent_for, self.agent) {
            exact(
                Metric::AgentJoinServer,
                agent.joined.filter(|joined| *joined >= sent).map(|joined| joined.since(sent)),
            );
            if !self.was_unseen(agent.seen) {
                samples.push(between(Metric::AgentJoin, sent, agent.seen));
            }
            if let Some(ready) = self.agent_ready.filter(|ready| !self.was_unseen(*ready)) {
                samples.push(between(Metric::AgentReady, sent, ready));
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

    /// What our own caller heard or read. A turn that was not answered is a failure and no latency.
    fn conversation_samples(&self, samples: &mut Vec<LatencySample>) {
        let mut exact = |metric, length: Option<Micros>| {
            if let Some(length) = length {
                samples.push(LatencySample { metric, low: length, high: length });
            }
        };
        let joined = self.agent.map(|agent| agent.seen.to);
        exact(Metric::Greeting, self.greeted.zip(joined).map(|(at, joined)| at.since(joined)));
        for turn in &self.turns {
            let since_said = |at: Option<SessionTime>| at.map(|at| at.since(turn.said));
            match self.mode {
                Mode::Chat => {
                    exact(Metric::TurnChatFirst, since_said(turn.first));
                    exact(Metric::TurnChatFinal, since_said(turn.last));
                }
                Mode::Voice => exact(Metric::TurnVoice, since_said(turn.first)),
            }
            exact(Metric::TimeToYield, turn.yielded);
            exact(Metric::AgentTranscription, turn.parts.transcription);
            exact(Metric::AgentEndOfTurn, turn.parts.end_of_turn);
            exact(Metric::AgentLlmFirstToken, turn.parts.llm_first_token);
            exact(Metric::AgentTtsFirstByte, turn.parts.tts_first_byte);
            exact(Metric::AgentEndToEnd, turn.parts.end_to_end);
        }
    }

    /// How long it had gone on when it was last known not to be over, where it was cut off before its end,
    /// and how long its agent had been waited for in vain: each would have taken longer than that. A run
    /// without an outcome was still going on at `until`.
    pub fn unfinished(&self, until: SessionTime) -> Vec<LatencySample> {
        let mut samples = Vec::new();
        let mut longer_than = |metric, from: SessionTime, last: SessionTime| {
            let length = last.since(from);
            samples.push(LatencySample { metric, low: length, high: length });
        };
        if let (Some(sent), None, Some(last)) =
            (self.agent_sent_for, self.agent, self.last_without_agent(until))
        {
            longer_than(Metric::AgentJoin, sent, last);
        }
        if let Some(last) = self.last_before_end(until) {
            if let Some(sent) = self.submitted() {
                longer_than(Metric::CompletionService, sent, last);
            }
            if !self.was_unseen_before(self.submitted().unwrap_or(last)) {
                longer_than(Metric::CompletionResponse, self.intended, last);
            }
        }
        samples
    }

    /// When it was last known to go on, where its end was not seen.
    fn last_before_end(&self, until: SessionTime) -> Option<SessionTime> {
        let Some(RunOutcome { outcome, seen, .. }) = &self.ending else { return Some(until) };
        let unseen = match outcome {
            Outcome::Completed { .. } => self.was_unseen(*seen),
            Outcome::Failed { .. } | Outcome::Skipped => outcome.class().is_some_and(was_cut_off),
        };
        unseen.then_some(seen.from)
    }

    /// When its agent was last known to be missing, where it was given up or the run was cut off meanwhile.
    fn last_without_agent(&self, until: SessionTime) -> Option<SessionTime> {
        let Some(ending) = &self.ending else { return Some(until) };
        let class = ending.outcome.class()?;
        let given_up =
            matches!(class, FailureClass::AgentNeverJoined | FailureClass::DispatchUnassigned);
        (given_up || was_cut_off(class)).then_some(ending.seen.from)
    }

    /// A state that was passed through unseen lies where the next one was seen.
    fn completion_samples(
        &self,
        submission: &SubmissionTimes,
        ended: TimeSpan,
        samples: &mut Vec<LatencySample>,
    ) {
        let judging = self.judging.unwrap_or(ended);
        let running = self.running.unwrap_or(judging);
        let [ran, judged, over] = [running, judging, ended].map(|moment| !self.was_unseen(moment));
        let mut push = |known: bool, sample| samples.extend(known.then_some(sample));
        push(ran, between(Metric::Queue, submission.span.to, running));
        push(ran && judged, apart(Metric::Conversation, running, judging));
        push(judged && over, apart(Metric::Judging, judging, ended));
        push(over, between(Metric::CompletionService, submission.span.from, ended));
        let response = over && !self.was_unseen_before(submission.span.from);
        push(response, between(Metric::CompletionResponse, self.intended, ended));
    }

    /// Whether a moment of which only this span is known may lie where nobody watched: of what it ends,
    /// only a lower bound is known.
    fn was_unseen(&self, moment: TimeSpan) -> bool {
        self.unwatched.iter().any(|gap| moment.from <= gap.from && gap.to <= moment.to)
    }

    /// Whether nobody watched for a while between its intended start and a moment: it waited for that, and
    /// not for anybody's service.
    fn was_unseen_before(&self, moment: SessionTime) -> bool {
        self.was_unseen(TimeSpan { from: self.intended, to: moment })
    }

    fn submitted(&self) -> Option<SessionTime> {
        self.submission.as_ref().map(|submission| submission.span.from)
    }

    /// Takes in that nobody watched for a while. Where nothing had been sent for it yet, its times move
    /// along with those of all that was still to start.
    pub(super) fn not_watched(&mut self, gap: TimeSpan, nothing_sent: bool) {
        self.unwatched.push(gap);
        if nothing_sent && self.room_made.is_none() && self.asked.is_none() {
            self.intended += gap.length();
            self.free += gap.length();
            self.started = self.started.map(|started| started + gap.length());
        }
    }
}

/// Whether the run was going on when it was given up; all other failures are ends of another kind.
const fn was_cut_off(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::EvaluatorTimeout | FailureClass::Cancelled | FailureClass::GeneratorFault
    )
}

/// From an exact moment to one that lies within a span.
const fn between(metric: Metric, from: SessionTime, to: TimeSpan) -> LatencySample {
    LatencySample { metric, low: to.from.since(from), high: to.to.since(from) }
}

/// From a moment within one span to a moment within a later one.
const fn apart(metric: Metric, from: TimeSpan, to: TimeSpan) -> LatencySample {
    LatencySample { metric, low: to.from.since(from.to), high: to.to.since(from.from) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const fn span(from: u64, to: u64) -> TimeSpan {
        TimeSpan { from: SessionTime(from), to: SessionTime(to) }
    }

    pub(crate) fn completed() -> RunRecord {
        RunRecord {
            run: RunIndex(0),
            stage: 0,
            scenario: 0,
            copy: 0,
            mode: Mode::Chat,
            pair: None,
            intended: SessionTime(1_000),
            free: SessionTime(1_500),
            started: Some(SessionTime(1_600)),
            room: None,
            room_made: Some(span(1_700, 1_900)),
            dispatched: Some(span(2_000, 2_300)),
            agent_sent_for: Some(SessionTime(2_000)),
            agent: Some(AgentTimes { seen: span(2_500, 2_700), joined: Some(SessionTime(2_600)) }),
            agent_ready: None,
            asked: Some(SessionTime(2_800)),
            greeted: None,
            turns: Vec::new(),
            frames: None,
            used: None,
            submission: Some(SubmissionTimes {
                request: 0,
                ready: SessionTime(2_700),
                admitted: SessionTime(2_800),
                span: span(2_900, 3_100),
                attempts: 1,
                result: None,
                evaluator_run: EvaluatorRunId::new("1"),
                mapping: RunMapping::Proven,
            }),
            running: Some(span(4_000, 5_000)),
            judging: Some(span(8_000, 9_000)),
            ending: Some(RunOutcome {
                outcome: Outcome::Completed { judged: None },
                seen: span(10_000, 11_000),
                talked: None,
            }),
            unwatched: Vec::new(),
        }
    }

    fn found(record: &RunRecord, metric: Metric) -> Option<(u64, u64)> {
        let sample = record.samples().into_iter().find(|sample| sample.metric == metric)?;
        Some((sample.low.0, sample.high.0))
    }

    #[test]
    fn each_latency_is_from_its_moment_to_its_moment() {
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
    fn states_passed_through_unseen_are_bounded_by_the_next_one_seen() {
        let record = RunRecord { running: None, judging: None, ..completed() };
        assert_eq!(found(&record, Metric::Queue), Some((6_900, 7_900)));
        assert_eq!(found(&record, Metric::Conversation), Some((0, 1_000)));
        assert_eq!(found(&record, Metric::Judging), Some((0, 1_000)));
    }

    #[test]
    fn a_failure_has_no_latency_of_completion() {
        let mut record = completed();
        record.ending = Some(RunOutcome {
            outcome: Outcome::failed(rushhour_core::event::FailureClass::EvaluatorFailed, ""),
            seen: span(10_000, 11_000),
            talked: None,
        });
        assert_eq!(found(&record, Metric::CompletionResponse), None);
        assert_eq!(found(&record, Metric::SubmissionResponse), Some((2_100, 2_100)));
    }

    #[test]
    fn an_end_that_nobody_watched_is_longer_than_what_was_seen_and_no_latency() {
        let mut record = completed();
        record.not_watched(span(10_000, 10_900), true);
        assert_eq!(record.intended, SessionTime(1_000), "something had been sent for it");
        for metric in [Metric::CompletionService, Metric::CompletionResponse, Metric::Judging] {
            assert_eq!(found(&record, metric), None, "{metric}");
        }
        assert_eq!(found(&record, Metric::Conversation), Some((3_000, 5_000)));
        let unfinished = record.unfinished(SessionTime(99_000));
        let lengths: Vec<u64> = unfinished.into_iter().map(|sample| sample.low.0).collect();
        assert_eq!(lengths, [7_100, 9_000]);
        // An end that was seen to come is as exact as any other.
        let mut record = completed();
        record.not_watched(span(5_500, 7_500), true);
        assert_eq!(found(&record, Metric::CompletionService), Some((7_100, 8_100)));
        let mut waiting = RunRecord { room_made: None, asked: None, ..completed() };
        waiting.not_watched(span(2_000, 5_000), true);
        assert_eq!((waiting.intended, waiting.free), (SessionTime(4_000), SessionTime(4_500)));
    }

    #[test]
    fn what_was_cut_off_took_longer_and_what_failed_otherwise_did_not() {
        let ended = |class| {
            let outcome = Outcome::failed(class, "");
            let ending = Some(RunOutcome { outcome, seen: span(10_000, 11_000), talked: None });
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
    fn an_agent_that_was_waited_for_in_vain_would_have_joined_later_than_that() {
        let waited = |class, agent| {
            let outcome = Outcome::failed(class, "");
            let ending = Some(RunOutcome { outcome, seen: span(10_000, 10_000), talked: None });
            let agent_sent_for = Some(SessionTime(1_500));
            let record =
                RunRecord { ending, submission: None, agent, agent_sent_for, ..completed() };
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
