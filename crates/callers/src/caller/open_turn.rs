//! A turn in progress: what is known of it so far.

use super::prepared_script::PreparedTurn;
use super::utterances::{Utterance, Utterances};
use rushhour_core::event::{Turn, TurnEnding, TurnParts};
use rushhour_core::units::{Micros, SessionTime};

/// A turn in progress.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OpenTurn {
    /// Its index in the script, from 0.
    pub(super) index: usize,
    /// When the caller's first audible frame was sent, if the agent was speaking then.
    pub(super) barged_in_at: Option<SessionTime>,
    /// How long the agent then continued to speak.
    pub(super) yielded: Option<Micros>,
    /// When the caller had finished: its text or its last audible frame was sent.
    pub(super) said_at: Option<SessionTime>,
    /// When the agent began to speak before the caller had finished.
    pub(super) early_at: Option<SessionTime>,
    /// When the answer began.
    pub(super) answer_began: Option<SessionTime>,
    /// When the answer ended.
    pub(super) answer_ended: Option<SessionTime>,
    /// The latencies that the agent reported for its answer.
    pub(super) parts: TurnParts,
}

/// How far the agent's written answer to a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenAnswer {
    /// The agent has written nothing.
    None,
    /// An answer is being written.
    InProgress,
    /// The answer is complete.
    Complete,
    /// What the agent has written is complete, but not as expected. The expected answer may follow.
    Unexpected,
}

impl OpenTurn {
    /// Looks for the answer in what the agent wrote after the caller had finished: the first segment, or the first
    /// that is as expected. Sets the answer's times.
    pub(super) fn find_answer(
        &mut self,
        prompt: &PreparedTurn,
        utterances: &Utterances,
    ) -> WrittenAnswer {
        let Some(said_at) = self.said_at else { return WrittenAnswer::None };
        let written: Vec<&Utterance> =
            utterances.since(said_at).filter(|one| one.first_text_at.is_some()).collect();
        let Some(first) = written.first() else { return WrittenAnswer::None };
        let answer = match &prompt.expect {
            None => Some(first),
            Some(expect) => {
                written.iter().find(|one| one.closed_at.is_some() && expect.is_match(&one.text))
            }
        };
        let shown = answer.unwrap_or(first);
        (self.answer_began, self.answer_ended) = (shown.first_text_at, shown.closed_at);
        match (answer, shown.closed_at) {
            (Some(_), Some(_)) => WrittenAnswer::Complete,
            (None, Some(_)) if written.iter().all(|one| one.closed_at.is_some()) => {
                WrittenAnswer::Unexpected
            }
            _ => WrittenAnswer::InProgress,
        }
    }

    /// Adds latencies that the agent reported; the first report of each counts.
    pub(super) fn add_parts(&mut self, reported: TurnParts) {
        let known = &mut self.parts;
        known.transcription = known.transcription.or(reported.transcription);
        known.end_of_turn = known.end_of_turn.or(reported.end_of_turn);
        known.llm_first_token = known.llm_first_token.or(reported.llm_first_token);
        known.tts_first_byte = known.tts_first_byte.or(reported.tts_first_byte);
        known.end_to_end = known.end_to_end.or(reported.end_to_end);
    }

    /// The turn as it is reported; `None` if the caller did not finish speaking.
    pub(super) fn finish(&self, ending: TurnEnding) -> Option<Turn> {
        Some(Turn {
            number: u32::try_from(self.index + 1).unwrap_or(u32::MAX),
            said: self.said_at?,
            first: self.answer_began,
            last: self.answer_ended,
            ending,
            yielded: self.yielded,
            parts: self.parts,
        })
    }
}
