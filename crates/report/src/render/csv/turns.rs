//! `turns.csv`: every turn of Rushhour's own callers, in the order in which their runs ended.

use std::io::Write;

use crate::fold::{RunRecord, StageNames};
use crate::render::csv::write_record;
use rushhour_core::event::{SessionHeader, Turn};
use rushhour_core::units::{Micros, SessionTime};

/// `first_us` and `last_us` count from `said_us`, which counts from the session's start.
const HEADER: [&str; 33] = [
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
        let micros =
            |length: Option<Micros>| length.map_or(String::new(), |length| length.0.to_string());
        let count = |count: Option<u64>| count.map_or(String::new(), |count| count.to_string());
        // A share with six decimals.
        let ratio = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.6}"));
        for turn in &record.turns {
            let since_said = |at: Option<SessionTime>| micros(at.map(|at| at.since(turn.said)));
            let parts = turn.parts;
            let (sound, taking) = (turn.sound, turn.taking);
            write_record(
                &mut self.csv,
                [
                    record.run.to_string().as_str(),
                    stage,
                    if measured { "true" } else { "false" },
                    scenario,
                    record.mode.name(),
                    self.method,
                    record.room.as_ref().map_or("", |room| room.as_str()),
                    &turn.number.to_string(),
                    ending_name(turn),
                    &turn.said.0.to_string(),
                    &since_said(turn.first),
                    &since_said(turn.last),
                    &micros(turn.yielded),
                    &micros(parts.transcription),
                    &micros(parts.end_of_turn),
                    &micros(parts.llm_first_token),
                    &micros(parts.tts_first_byte),
                    &micros(parts.end_to_end),
                    &count(turn.heard.map(|heard| heard.said())),
                    &ratio(turn.heard.and_then(|heard| heard.rate())),
                    &ratio(turn.heard_characters.and_then(|heard| heard.rate())),
                    &count(turn.key_words.map(|key_words| u64::from(key_words.of))),
                    &count(turn.key_words.map(|key_words| u64::from(key_words.heard()))),
                    &micros(sound.map(|sound| sound.speech)),
                    &count(sound.map(|sound| sound.gaps())),
                    &count(sound.map(|sound| sound.starved.into())),
                    &count(sound.map(|sound| sound.late.into())),
                    &count(sound.map(|sound| sound.lost.into())),
                    &micros(sound.map(|sound| sound.unheard())),
                    &micros(sound.map(|sound| sound.longest_gap)),
                    &micros(taking.map(|taking| taking.dead_air)),
                    &micros(taking.map(|taking| taking.overlap)),
                    taking.map_or("", |taking| if taking.talked_over { "true" } else { "false" }),
                ],
            )?;
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
