//! `turns.csv`: every turn of Rushhour's own callers, in the order in which their runs ended.

use std::io::Write;

use super::cells::{SPEECH_COLUMNS, count, duration, ratio, speech_cells};
use crate::fold::{RunRecord, StageNames};
use crate::render::csv::write_record;
use rushhour_core::event::{SessionHeader, Turn};
use rushhour_core::units::SessionTime;

/// `first_us`, `last_us` and `first_any_us` count from `said_us`, which counts from the session's start.
const HEADER: [&str; 34] = [
    "run",
    "stage",
    "measured",
    "scenario",
    "mode",
    "dispatch_method",
    "room",
    "turn",
    "ending",
    "said_us",
    "first_us",
    "last_us",
    "time_to_yield_us",
    "agent.transcription_us",
    "agent.end_of_turn_us",
    "agent.llm_first_token_us",
    "agent.tts_first_byte_us",
    "agent.end_to_end_us",
    "heard.words_said",
    "heard.wer",
    "heard.cer",
    "heard.key_words",
    "heard.key_words_heard",
    "speech_us",
    "speech.gaps",
    "speech.gaps_starved",
    "speech.gaps_late",
    "speech.gaps_lost",
    "speech.concealed_us",
    "speech.longest_gap_us",
    "dead_air_us",
    "overlap_us",
    "talk_over",
    "first_any_us",
];

/// An answer that came while the caller's connection was away: its times are no latency of the agent.
const AWAY: &str = "away";

const fn ending_name(turn: &Turn) -> &'static str {
    if turn.away && turn.ending.is_answered() { AWAY } else { turn.ending.name() }
}

/// Writes turns, run by run.
pub struct TurnsCsv<W: Write> {
    csv: csv::Writer<W>,
    names: StageNames,
    method: &'static str,
}

impl<W: Write> TurnsCsv<W> {
    /// Starts the file of a session.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(opening: &SessionHeader, to: W) -> csv::Result<Self> {
        let mut csv = csv::Writer::from_writer(to);
        write_record(&mut csv, HEADER)?;
        let method = opening.profile.livekit.dispatch.method().name();
        Ok(Self { csv, names: StageNames::of(opening), method })
    }

    /// Writes the turns of a run.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write(&mut self, record: &RunRecord) -> csv::Result<()> {
        let (stage, measured) =
            self.names.stages.get(record.stage as usize).map_or(("", false), |(n, m)| (n, *m));
        let scenario = self.names.scenarios.get(record.scenario as usize);
        let scenario = scenario.map_or("", String::as_str);
        for turn in &record.turns {
            let since_said = |at: Option<SessionTime>| duration(at.map(|at| at.since(turn.said)));
            let parts = turn.parts;
            let (sound, taking) = (turn.sound, turn.taking);
            let before: [String; HEADER.len() - SPEECH_COLUMNS - 4] = [
                record.run.to_string(),
                stage.to_owned(),
                measured.to_string(),
                scenario.to_owned(),
                record.mode.name().to_owned(),
                self.method.to_owned(),
                record.room.as_ref().map_or("", |room| room.as_str()).to_owned(),
                turn.number.to_string(),
                ending_name(turn).to_owned(),
                turn.said.0.to_string(),
                since_said(turn.first),
                since_said(turn.last),
                duration(turn.yielded),
                duration(parts.transcription),
                duration(parts.end_of_turn),
                duration(parts.llm_first_token),
                duration(parts.tts_first_byte),
                duration(parts.end_to_end),
                count(turn.heard.map(|heard| heard.said())),
                ratio(turn.heard.and_then(|heard| heard.rate())),
                ratio(turn.heard_characters.and_then(|heard| heard.rate())),
                count(turn.key_words.map(|key_words| u64::from(key_words.of))),
                count(turn.key_words.map(|key_words| u64::from(key_words.heard()))),
            ];
            let talked_over = taking.map(|taking| taking.talked_over.to_string());
            let after = [
                duration(taking.map(|taking| taking.dead_air)),
                duration(taking.map(|taking| taking.overlap)),
                talked_over.unwrap_or_default(),
                since_said(turn.first_any),
            ];
            let line = before.into_iter().chain(speech_cells(sound)).chain(after);
            write_record(&mut self.csv, line)?;
        }
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> csv::Result<()> {
        self.csv.flush()?;
        Ok(())
    }
}
