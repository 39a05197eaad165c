//! `runs.csv`: every run with its moments and its one outcome, in the order in which they ended.

use std::io::Write;

use crate::fold::{EndedRuns, RunRecord, SubmissionTimes, TimeSpan};
use rushhour_core::bill::Tariff;
use rushhour_core::event::{Outcome, RunMapping, SessionHeader};
use rushhour_core::profile::Profile;
use rushhour_core::units::{Metric, Micros, SessionTime};

/// Columns that every run has, whatever became of it.
const HEADER: [&str; 57] = [
    "run",
    "stage",
    "measured",
    "scenario",
    "copy",
    "mode",
    "dispatch_method",
    "room",
    "outcome",
    "failure_class",
    "detail",
    "judged",
    "intended_us",
    "started_us",
    "ended_us",
    "schedule_lag_us",
    "in_flight_wait_us",
    "room_us",
    "dispatch_us",
    "agent_join_low_us",
    "agent_join_us",
    "agent_join.server_us",
    "agent_ready_low_us",
    "agent_ready_us",
    "ready_us",
    "limiter_wait_us",
    "submitted_us",
    "submission.service_us",
    "submission.response_us",
    "attempts",
    "request",
    "evaluator_result",
    "evaluator_run",
    "mapping",
    "queue_low_us",
    "queue_us",
    "conversation_low_us",
    "conversation_us",
    "judging_low_us",
    "judging_us",
    "completion.service_low_us",
    "completion.service_us",
    "completion.response_low_us",
    "completion.response_us",
    "talked_us",
    "greeting_us",
    "turns",
    "turns_answered",
    "frames_sent",
    "frames_late",
    "frames_given_up",
    "intended_utc",
    "cost_usd",
    "pair",
    "agent.tokens_read",
    "agent.tokens_written",
    "agent.characters",
];

/// Writes runs one by one.
pub struct RunsCsv<W: Write> {
    csv: csv::Writer<W>,
    names: (Vec<(String, bool)>, Vec<String>),
    method: &'static str,
    anchor: jiff::Timestamp,
    profile: Profile,
    tariff: Option<Tariff>,
}

impl<W: Write> RunsCsv<W> {
    /// Begins the file of a session.
    ///
    /// # Errors
    /// Where the writer refuses.
    pub fn new(opening: &SessionHeader, to: W) -> csv::Result<Self> {
        let mut csv = csv::Writer::from_writer(to);
        csv.write_record(HEADER)?;
        let profile = &opening.profile;
        let stages = profile.stages.iter().map(|s| (s.name.clone(), s.measured)).collect();
        let scenarios = profile.mix.scenarios().iter().map(|s| s.name.clone()).collect();
        let method = profile.livekit.dispatch.method().word();
        let anchor = opening.anchor.parse().unwrap_or_default();
        let tariff = Tariff::of(profile);
        let profile = profile.clone();
        Ok(Self { csv, names: (stages, scenarios), method, anchor, profile, tariff })
    }

    /// Writes what an event told of outcomes.
    ///
    /// # Errors
    /// Where the writer refuses.
    pub fn write(&mut self, told: &EndedRuns) -> csv::Result<()> {
        match told {
            EndedRuns::Nothing => Ok(()),
            EndedRuns::Run(record) => self.write_run(record),
            EndedRuns::NotStarted { from, count, class } => {
                for run in from.0..from.0 + count {
                    let mut line = vec![String::new(); HEADER.len()];
                    line[0] = run.to_string();
                    "not_started".clone_into(&mut line[8]);
                    class.name().clone_into(&mut line[9]);
                    self.csv.write_record(line)?;
                }
                Ok(())
            }
        }
    }

    /// Writes a run that was under way when the session was killed: its outcome is open.
    ///
    /// # Errors
    /// Where the writer refuses.
    pub fn write_open(&mut self, record: &RunRecord) -> csv::Result<()> {
        self.write_run(record)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Where the writer refuses.
    pub fn finish(mut self) -> csv::Result<()> {
        self.csv.flush()?;
        Ok(())
    }

    fn write_run(&mut self, record: &RunRecord) -> csv::Result<()> {
        let samples = record.samples();
        let sample = |metric| samples.iter().find(|sample| sample.metric == metric);
        let high = |metric| text(sample(metric).map(|sample| sample.high));
        let low = |metric| text(sample(metric).map(|sample| sample.low));
        let (stage, measured) =
            self.names.0.get(record.stage as usize).map_or(("", false), |(n, m)| (n, *m));
        let scenario = self.names.1.get(record.scenario as usize).map_or("", String::as_str);
        let (outcome, class, detail, judged) = outcome_words(record);
        let submission = record.submission.as_ref();
        let ended = record.ending.as_ref();
        let line: [String; HEADER.len()] = [
            record.run.to_string(),
            stage.to_owned(),
            measured.to_string(),
            scenario.to_owned(),
            record.copy.to_string(),
            record.mode.name().to_owned(),
            self.method.to_owned(),
            record.room.as_ref().map_or("", |room| room.as_str()).to_owned(),
            outcome.to_owned(),
            class.to_owned(),
            detail.to_owned(),
            judged.to_owned(),
            record.intended.0.to_string(),
            moment(record.started),
            moment(ended.map(|ending| ending.seen.to)),
            high(Metric::ScheduleLag),
            high(Metric::InFlightWait),
            text(record.room_created.map(TimeSpan::length)),
            text(record.dispatched.map(TimeSpan::length)),
            low(Metric::AgentJoin),
            high(Metric::AgentJoin),
            high(Metric::AgentJoinServer),
            low(Metric::AgentReady),
            high(Metric::AgentReady),
            moment(submission.map(|s| s.ready)),
            high(Metric::LimiterWait),
            moment(submission.map(|s| s.span.from)),
            high(Metric::SubmissionService),
            high(Metric::SubmissionResponse),
            submission.map_or(String::new(), |s| s.attempts.to_string()),
            submission.map_or(String::new(), |s| s.request.to_string()),
            submission
                .and_then(|s| s.result.as_ref())
                .map_or("", |result| result.as_str())
                .to_owned(),
            submission.map_or("", |s| s.evaluator_run.as_str()).to_owned(),
            mapping_word(submission).to_owned(),
            low(Metric::Queue),
            high(Metric::Queue),
            low(Metric::Conversation),
            high(Metric::Conversation),
            low(Metric::Judging),
            high(Metric::Judging),
            low(Metric::CompletionService),
            high(Metric::CompletionService),
            low(Metric::CompletionResponse),
            high(Metric::CompletionResponse),
            text(ended.and_then(|ending| ending.conversation_duration)),
            high(Metric::Greeting),
            record.turns.len().to_string(),
            record.turns.iter().filter(|turn| turn.ending.is_answered()).count().to_string(),
            count(record.frames.map(|frames| frames.sent)),
            count(record.frames.map(|frames| frames.late)),
            count(record.frames.map(|frames| frames.given_up)),
            self.wall(record.intended),
            self.cost(record),
            count(record.pair.map(|pair| pair.0)),
            count(record.model_usage.and_then(|used| used.tokens_read)),
            count(record.model_usage.and_then(|used| used.tokens_written)),
            count(record.model_usage.and_then(|used| used.characters)),
        ];
        self.csv.write_record(line)
    }

    /// In dollars, to the millionth; nothing where nothing is charged or the end is not known.
    fn cost(&self, record: &RunRecord) -> String {
        let Some((tariff, ending)) = self.tariff.as_ref().zip(record.ending.as_ref()) else {
            return String::new();
        };
        let usage = record.usage(&self.profile, ending.seen.to);
        format!("{:.6}", tariff.cost(&usage).dollars())
    }

    fn wall(&self, time: SessionTime) -> String {
        let length = jiff::SignedDuration::from_micros(i64::try_from(time.0).unwrap_or(i64::MAX));
        match self.anchor.checked_add(length) {
            Ok(wall) => format!("{wall:.6}"),
            Err(_) => String::new(),
        }
    }
}

fn outcome_words(record: &RunRecord) -> (&str, &str, &str, &str) {
    match record.ending.as_ref().map(|ending| &ending.outcome) {
        None => ("open", "", "", ""),
        Some(Outcome::Skipped) => ("skipped", "", "", ""),
        Some(Outcome::Completed { judged }) => {
            let judged = match judged {
                Some(true) => "passed",
                Some(false) => "failed",
                None => "",
            };
            ("completed", "", "", judged)
        }
        Some(Outcome::Failed { class, detail }) => ("failed", class.name(), detail, ""),
    }
}

const fn mapping_word(submission: Option<&SubmissionTimes>) -> &'static str {
    match submission {
        Some(SubmissionTimes { mapping: RunMapping::Proven, .. }) => "proven",
        Some(SubmissionTimes { mapping: RunMapping::Assumed, .. }) => "assumed",
        None => "",
    }
}

fn text(micros: Option<Micros>) -> String {
    micros.map_or(String::new(), |micros| micros.0.to_string())
}

fn count(of: Option<u64>) -> String {
    of.map_or(String::new(), |of| of.to_string())
}

fn moment(time: Option<SessionTime>) -> String {
    time.map_or(String::new(), |time| time.0.to_string())
}
