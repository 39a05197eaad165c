//! A turn that is not over: what is known of it so far.

use super::prepared_script::PreparedTurn;
use super::utterances::{Utterance, Utterances};
use rushhour_core::event::{Turn, TurnEnding, TurnParts};
use rushhour_core::units::{Micros, SessionTime};

/// A turn that is not over.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OpenTurn {
    /// Its place in the script, from 0.
    pub(super) index: usize,
    /// When our first audible frame was sent, where the agent was speaking then.
    pub(super) spoke_over: Option<SessionTime>,
    /// How long the agent then spoke on.
    pub(super) yielded: Option<Micros>,
    /// When the last of ours was sent.
    pub(super) said: Option<SessionTime>,
    /// When the agent began to speak before we had finished.
    pub(super) early: Option<SessionTime>,
    /// The first of the answer.
    pub(super) first: Option<SessionTime>,
    /// The last of it.
    pub(super) last: Option<SessionTime>,
    /// What the agent tells of it.
    pub(super) parts: TurnParts,
}

/// What an agent has written in answer to a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing yet.
    Nothing,
    /// An answer is being written.
    Going,
    /// The answer is there.
    Whole,
    /// What is there is not what was expected; that may come yet.
    Another,
}

impl OpenTurn {
    /// Looks for the answer among what the agent wrote: the first segment that began after we had finished,
    /// or where something is expected the first that is as expected.
    pub(super) fn read(&mut self, prompt: &PreparedTurn, utterances: &Utterances) -> Written {
        let Some(said) = self.said else { return Written::Nothing };
        let written: Vec<&Utterance> =
            utterances.since(said).filter(|one| one.first.is_some()).collect();
        let whole = |one: &&&Utterance| one.ended.is_some();
        let fits = |one: &&&Utterance| {
            prompt.expect.as_ref().is_none_or(|expect| expect.is_match(&one.words))
        };
        let Some(first) = written.first() else { return Written::Nothing };
        let answer = match &prompt.expect {
            None => Some(first),
            Some(_) => written.iter().filter(whole).find(fits),
        };
        let chosen = answer.unwrap_or(first);
        (self.first, self.last) = (chosen.first, chosen.ended);
        match (answer, chosen.ended) {
            (Some(_), Some(_)) => Written::Whole,
            (None, Some(_)) if written.iter().all(|one| one.ended.is_some()) => Written::Another,
            _ => Written::Going,
        }
    }

    /// Takes in what the agent tells of its own times; what it told before stays.
    pub(super) fn tell(&mut self, parts: TurnParts) {
        let TurnParts { transcription, end_of_turn, llm_first_token, tts_first_byte, end_to_end } =
            parts;
        let own = &mut self.parts;
        own.transcription = own.transcription.or(transcription);
        own.end_of_turn = own.end_of_turn.or(end_of_turn);
        own.llm_first_token = own.llm_first_token.or(llm_first_token);
        own.tts_first_byte = own.tts_first_byte.or(tts_first_byte);
        own.end_to_end = own.end_to_end.or(end_to_end);
    }

    /// The turn as it is told, once it was said.
    pub(super) fn close(&self, ending: TurnEnding) -> Option<Turn> {
        Some(Turn {
            number: u32::try_from(self.index + 1).unwrap_or(u32::MAX),
            said: self.said?,
            first: self.first,
            last: self.last,
            ending,
            yielded: self.yielded,
            parts: self.parts,
        })
    }
}
