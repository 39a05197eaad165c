//! `runs.csv`: every run with its times and its outcome, in the order in which the runs ended.

use std::io::Write;

use super::cells::{SPEECH_COLUMNS, count, duration, ratio, speech_cells};
use crate::fold::{
    EndedRuns, HeardOfRun, QualityOfRun, RunRecord, StageNames, SubmissionTimes, TimeSpan,
};
use crate::render::csv::write_record;
use rushhour_core::bill::Tariff;
use rushhour_core::event::{Outcome, RunMapping, SessionHeader};
use rushhour_core::profile::Profile;
use rushhour_core::units::{Metric, Micros, SessionTime};

const HEADER: [&str; 84] = [
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
    "network",
    "worker",
    "heard.words_said",
    "heard.wer",
    "heard.cer",
    "heard.key_words",
    "heard.key_words_heard",
    "heard.words",
    "speech_us",
    "speech.gaps",
    "speech.gaps_starved",
    "speech.gaps_late",
    "speech.gaps_lost",
    "speech.concealed_us",
    "speech.longest_gap_us",
    "dead_air_us",
    "overlap_us",
    "turns_talked_over",
    "interruptions",
    "interruptions_ignored",
    "backchannels",
    "backchannels_stopped_for",
    "received.loss",
    "received.jitter_us",
    "ended",
    "agent_last_active_us",
    "hand_offs",
];

/// The columns from `speech_us` to `received.jitter_us`.
const QUALITY_COLUMNS: usize = SPEECH_COLUMNS + 9;
/// The columns after them, on the end of the conversation.
const END_COLUMNS: usize = 3;

/// Writes runs, one by one.
pub struct RunsCsv<W: Write> {
    csv: csv::Writer<W>,
    names: StageNames,
    method: &'static str,
    anchor: jiff::Timestamp,
    profile: Profile,
    tariff: Option<Tariff>,
}

impl<W: Write> RunsCsv<W> {
    /// Starts the file of a session.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(opening: &SessionHeader, to: W) -> csv::Result<Self> {
        let mut csv = csv::Writer::from_writer(to);
        write_record(&mut csv, HEADER)?;
        let profile = &opening.profile;
        let names = StageNames::of(opening);
        let method = profile.livekit.dispatch.method().name();
        let anchor = opening.anchor.parse().unwrap_or_default();
        let tariff = Tariff::new(profile);
        let profile = profile.clone();
        Ok(Self { csv, names, method, anchor, profile, tariff })
    }

    /// Writes the outcomes that an event reported.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write(&mut self, ended: &EndedRuns) -> csv::Result<()> {
        match ended {
            EndedRuns::Nothing => Ok(()),
            EndedRuns::Run(record) => self.write_run(record),
            EndedRuns::NotStarted { from, count, class } => {
                for run in from.0..from.0 + count {
                    let mut line = vec![String::new(); HEADER.len()];
                    line[0] = run.to_string();
                    "not_started".clone_into(&mut line[8]);
                    class.name().clone_into(&mut line[9]);
                    write_record(&mut self.csv, line)?;
                }
                Ok(())
            }
        }
    }

    /// Writes a run without an outcome, which was under way when the session was killed.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write_open(&mut self, record: &RunRecord) -> csv::Result<()> {
        self.write_run(record)
    }

    /// Completes the file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> csv::Result<()> {
        self.csv.flush()?;
        Ok(())
    }

    fn write_run(&mut self, record: &RunRecord) -> csv::Result<()> {
        let samples = record.samples();
        let sample = |metric| samples.iter().find(|sample| sample.metric == metric);
        let high = |metric| duration(sample(metric).map(|sample| sample.high));
        let low = |metric| duration(sample(metric).map(|sample| sample.low));
        let (stage, measured) =
            self.names.stages.get(record.stage as usize).map_or(("", false), |(n, m)| (n, *m));
        let scenario = self.names.scenarios.get(record.scenario as usize);
        let scenario = scenario.map_or("", String::as_str);
        let (outcome, class, detail, judged) = outcome_cells(record);
        let submission = record.submission.as_ref();
        let ended = record.ending.as_ref();
        let heard = HeardOfRun::of(record);
        let heard = (heard != HeardOfRun::default()).then_some(heard);
        let line: [String; HEADER.len() - QUALITY_COLUMNS - END_COLUMNS] = [
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
            duration(record.room_created.map(TimeSpan::length)),
            duration(record.dispatched.map(TimeSpan::length)),
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
            evaluator_result(submission).to_owned(),
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
            duration(ended.and_then(|ending| ending.conversation_duration)),
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
            self.names.network(record.network).to_owned(),
            submission
                .and_then(|submission| submission.worker)
                .map_or(String::new(), |worker| worker.to_string()),
            count(heard.map(|heard| heard.words.said())),
            ratio(heard.and_then(|heard| heard.words.rate())),
            ratio(heard.and_then(|heard| heard.characters.rate())),
            count(heard.map(|heard| heard.key_words)),
            count(heard.map(|heard| heard.key_words_heard)),
            ratio(heard.and_then(|heard| heard.key_word_share())),
        ];
        write_record(
            &mut self.csv,
            line.into_iter().chain(quality_cells(record)).chain(end_cells(record)),
        )
    }

    /// In dollars with six decimals; empty if nothing is charged, or if the run has no outcome.
    fn cost(&self, record: &RunRecord) -> String {
        let Some((tariff, ending)) = self.tariff.as_ref().zip(record.ending.as_ref()) else {
            return String::new();
        };
        let usage = record.usage(&self.profile, ending.seen.to);
        format!("{:.6}", tariff.cost(&usage).dollars())
    }

    fn wall(&self, time: SessionTime) -> String {
        let since_start =
            jiff::SignedDuration::from_micros(i64::try_from(time.0).unwrap_or(i64::MAX));
        match self.anchor.checked_add(since_start) {
            Ok(wall) => format!("{wall:.6}"),
            Err(_) => String::new(),
        }
    }
}

/// How the agent sounded, took turns, and was interrupted; empty where nothing is known of it.
fn quality_cells(record: &RunRecord) -> impl Iterator<Item = String> {
    let quality = QualityOfRun::of(record);
    let sound = Some(quality.sound).filter(|sound| sound.speech > Micros::ZERO);
    let turns_taken = Some(quality).filter(|quality| quality.turns > 0);
    let cut_in = (!record.turns.is_empty()).then_some(quality.interruptions);
    let received = record.connections.received;
    let others: [String; QUALITY_COLUMNS - SPEECH_COLUMNS] = [
        duration(quality.dead_air),
        duration(turns_taken.map(|quality| quality.overlap)),
        count(turns_taken.map(|quality| quality.talked_over)),
        count(cut_in.map(|counts| counts.interruptions())),
        count(cut_in.map(|counts| counts.ignored)),
        count(cut_in.map(|counts| counts.backchannels)),
        count(cut_in.map(|counts| counts.stopped_for)),
        ratio(received.and_then(|received| received.loss())),
        duration(received.map(|received| received.jitter)),
    ];
    speech_cells(sound).into_iter().chain(others)
}

/// How the conversation ended; empty where the journal does not say: nothing was special about it, or it was not ours.
fn end_cells(record: &RunRecord) -> [String; END_COLUMNS] {
    let end = record.conversation;
    [
        end.map_or("", |end| end.ended.name()).to_owned(),
        moment(end.and_then(|end| end.agent_last_active)),
        count(end.map(|end| end.hand_offs.into())),
    ]
}

fn outcome_cells(record: &RunRecord) -> (&str, &str, &str, &str) {
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

fn evaluator_result(submission: Option<&SubmissionTimes>) -> &str {
    submission.and_then(|s| s.result.as_ref()).map_or("", |result| result.as_str())
}

const fn mapping_word(submission: Option<&SubmissionTimes>) -> &'static str {
    match submission {
        Some(SubmissionTimes { mapping: RunMapping::Proven, .. }) => "proven",
        Some(SubmissionTimes { mapping: RunMapping::Assumed, .. }) => "assumed",
        None => "",
    }
}

fn moment(time: Option<SessionTime>) -> String {
    time.map_or(String::new(), |time| time.0.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Fold;
    use crate::session::test_sessions::taken;
    use rushhour_core::event::{ConversationEnd, ConversationSummary, EventKind};

    #[test]
    fn the_last_columns_have_interruptions_back_channels_and_the_end_of_the_conversation() {
        let mut session = taken(&[(2, 40, 4)]);
        session.tell_of_conversations(|summary| ConversationSummary {
            ended: ConversationEnd::ProcessGone,
            hand_offs: 1,
            last_active: Some(SessionTime(7_000_000)),
            ..summary
        });
        let EventKind::Opened(header) = &session.events()[0].kind else { panic!("not opened") };
        let (mut bytes, mut fold) = (Vec::new(), Fold::default());
        let mut csv = RunsCsv::new(header, &mut bytes).unwrap();
        for event in session.events() {
            csv.write(&fold.add(event).unwrap()).unwrap();
        }
        csv.finish().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let ends: Vec<&str> = text
            .lines()
            .map(|line| {
                let (at, _) = line.rmatch_indices(',').nth(8).unwrap();
                &line[at + 1..]
            })
            .collect();
        let expected = [
            "interruptions,interruptions_ignored,backchannels,backchannels_stopped_for,\
             received.loss,received.jitter_us,ended,agent_last_active_us,hand_offs",
            "1,1,2,1,,,process_gone,7000000,1",
            "1,0,2,0,,,process_gone,7000000,1",
            "1,0,2,0,,,process_gone,7000000,1",
            "1,0,2,0,,,process_gone,7000000,1",
        ];
        assert_eq!(ends, expected);
    }
}
