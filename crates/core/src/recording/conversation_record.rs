//! A recorded conversation, apart from its audio: who spoke when, the turns, and the text.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::event::{Outcome, SpeechQuality, TurnEnding, is_default};
use crate::units::{ForeignText, Micros, Mode, RunIndex, SessionTime};

/// The version of the format.
pub const RECORD_VERSION: u32 = 1;
/// The most turns and the most texts of a record.
pub const MAX_RECORDED_TURNS: usize = 1_000;
/// The most parts of a track: when it was audible, and where something is missing.
pub const MAX_RECORDED_PARTS: usize = 500;

/// A recorded conversation. All times but `began` count from the beginning of the recording, as those in its audio do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRecord {
    /// The version of the format.
    pub version: u32,
    /// The run.
    pub run: RunIndex,
    /// The mode of the conversation.
    pub mode: Mode,
    /// When the recording began, on the session's clock.
    pub began: SessionTime,
    /// How long it is.
    pub duration: Micros,
    /// The outcome of the run.
    pub outcome: Outcome,
    /// The longest wait for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_wait: Option<Micros>,
    /// How the agent's speech arrived, but for turns in which the caller's connection was away.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sound: SpeechQuality,
    /// Why it was kept.
    pub kept_for: Vec<KeptFor>,
    /// What the caller sent, in voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<RecordedTrack>,
    /// What came from the agent, in voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<RecordedTrack>,
    /// The turns.
    pub turns: Vec<RecordedTurn>,
    /// What was said and written, in the order of time.
    pub texts: Vec<RecordedText>,
    /// Whether some of it was left out, because there was more than is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_shortened: bool,
}

/// Why a recording is kept, the strongest reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptFor {
    /// The run failed, or an answer was not as the script expects.
    Failure,
    /// It is one of the slowest.
    Slow,
    /// It is one of those in which the agent's speech broke up most.
    Choppy,
    /// It is in the sample.
    Sample,
    /// All are kept.
    All,
}

impl KeptFor {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Slow => "slow",
            Self::Choppy => "choppy",
            Self::Sample => "sample",
            Self::All => "all",
        }
    }
}

/// The sound of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTrack {
    /// When it was audible.
    pub speech: Vec<RecordedSpan>,
    /// Where something is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<RecordedGap>,
    /// Packets in the file.
    pub packets: u64,
}

/// A part of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedSpan {
    /// Its beginning.
    pub from: Micros,
    /// Its end.
    pub to: Micros,
}

impl RecordedSpan {
    /// The part that both have.
    pub fn overlap(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }
}

/// A part in which sound is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedGap {
    /// Its beginning.
    pub from: Micros,
    /// Its end.
    pub to: Micros,
    /// Why.
    pub cause: RecordedGapCause,
}

/// Why sound is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedGapCause {
    /// Sequence numbers are missing: the network lost them.
    Lost,
    /// The packets came, and too late to be played in time.
    Late,
    /// The packets came, and in them digital silence cuts speech: the sender's synthesis starved.
    Starved,
}

impl RecordedGapCause {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Late => "late",
            Self::Starved => "starved",
        }
    }
}

/// A turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTurn {
    /// Its number in the script, from 1.
    pub number: u32,
    /// When the caller began.
    pub began: Micros,
    /// When the caller had finished.
    pub said: Micros,
    /// When the answer began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Micros>,
    /// When the answer was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Micros>,
    /// How it ended.
    pub ending: TurnEnding,
}

impl RecordedTurn {
    /// How long the caller waited for the answer, if one came.
    pub fn wait(&self) -> Option<Micros> {
        self.first.map(|first| first.saturating_sub(self.said))
    }
}

/// Whose words a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedSpeaker {
    /// The caller's, from the script.
    Caller,
    /// The agent's, as it wrote them.
    Agent,
    /// The caller's, as the agent understood them.
    Heard,
}

impl RecordedSpeaker {
    /// What stands before the text.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
            Self::Heard => "agent heard",
        }
    }
}

/// A text and when it began to be said or written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedText {
    /// When.
    pub at: Micros,
    /// Whose.
    pub speaker: RecordedSpeaker,
    /// The text.
    pub text: ForeignText,
}

impl ConversationRecord {
    /// The parts in which both are audible.
    pub fn overlaps(&self) -> Vec<RecordedSpan> {
        let (Some(caller), Some(agent)) = (&self.caller, &self.agent) else { return Vec::new() };
        let of = |one: &RecordedSpan| {
            let one = *one;
            agent.speech.iter().filter_map(move |other| one.overlap(*other))
        };
        // Parts of one side are apart from each other, unless somebody else wrote the file.
        caller.speech.iter().flat_map(of).take(2 * MAX_RECORDED_PARTS).collect()
    }

    /// Whether it is as large as ours are at most; one that somebody else wrote may be larger.
    pub fn is_within_bounds(&self) -> bool {
        let tracks = [&self.caller, &self.agent];
        let mut parts =
            tracks.into_iter().flatten().flat_map(|track| [track.speech.len(), track.gaps.len()]);
        self.turns.len() <= MAX_RECORDED_TURNS
            && self.texts.len() <= MAX_RECORDED_TURNS
            && parts.all(|count| count <= MAX_RECORDED_PARTS)
    }

    /// The conversation as text, a line for each utterance with its time.
    pub fn as_text(&self) -> String {
        let mut lines = format!("Run {}, {}: {}\n\n", self.run, self.mode, self.outcome.name());
        for RecordedText { at, speaker, text } in &self.texts {
            let _ = writeln!(lines, "{:>9.3} s  {}: {text}", at.as_secs_f64(), speaker.label());
        }
        if self.is_shortened {
            lines.push_str("\nThe rest was left out.\n");
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(from: u64, to: u64) -> RecordedSpan {
        RecordedSpan { from: Micros::from_millis(from), to: Micros::from_millis(to) }
    }

    fn record() -> ConversationRecord {
        let track = |speech: &[RecordedSpan]| {
            Some(RecordedTrack { speech: speech.to_vec(), ..RecordedTrack::default() })
        };
        let text = |at, speaker, text: &str| RecordedText {
            at: Micros::from_millis(at),
            speaker,
            text: text.into(),
        };
        ConversationRecord {
            version: RECORD_VERSION,
            run: RunIndex(12),
            mode: Mode::Voice,
            began: SessionTime(5),
            duration: Micros::from_secs(9),
            outcome: Outcome::Completed { judged: None },
            longest_wait: None,
            sound: SpeechQuality::default(),
            kept_for: vec![KeptFor::Slow],
            caller: track(&[span(1_000, 2_000), span(5_000, 6_000)]),
            agent: track(&[span(500, 1_100), span(2_000, 3_000), span(5_900, 7_000)]),
            turns: Vec::new(),
            texts: vec![
                text(1_000, RecordedSpeaker::Caller, "A table\nfor two."),
                text(2_050, RecordedSpeaker::Agent, "Gladly."),
            ],
            is_shortened: false,
        }
    }

    #[test]
    fn both_are_audible_where_their_speech_overlaps() {
        assert_eq!(record().overlaps(), [span(1_000, 1_100), span(5_900, 6_000)]);
    }

    #[test]
    fn the_text_has_a_line_for_each_utterance() {
        let text = record().as_text();
        assert!(text.starts_with("Run 12, voice: completed\n\n"), "{text}");
        assert_eq!(text.lines().count(), 4, "a text from outside cannot add lines: {text}");
        assert!(text.ends_with("    2.050 s  agent: Gladly.\n"), "{text}");
    }

    #[test]
    fn a_record_is_the_same_once_it_was_written_and_read() {
        let json = serde_json::to_string(&record()).unwrap();
        assert_eq!(serde_json::from_str::<ConversationRecord>(&json).unwrap(), record());
    }
}
