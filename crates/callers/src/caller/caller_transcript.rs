//! What the agent heard of the caller: the final transcripts that it writes in the caller's name.
//!
//! LiveKit's agent framework sends a stream of its own for each state of a transcript, and says in its header which one is
//! final. Models that hear by themselves write theirs late, when the answer has begun.

use super::caller::Caller;
use super::utterances::{MAX_ID, MAX_TEXT};
use rushhour_core::event::{KeyWords, TranscriptionErrors, Turn};
use rushhour_core::units::SessionTime;

/// Transcripts that are kept, at most.
const MAX_SEGMENTS: usize = 64;

/// The final transcripts of the caller, the latest last.
#[derive(Debug, Default)]
pub(super) struct CallerTranscript(Vec<HeardSegment>);

#[derive(Debug)]
struct HeardSegment {
    /// Empty for one that came in a packet, the form before streams.
    stream_id: String,
    segment: Option<String>,
    began_at: SessionTime,
    is_complete: bool,
    text: String,
}

impl CallerTranscript {
    /// A stream with a final transcript was opened. It replaces an earlier one of the same segment.
    pub(super) fn open(&mut self, stream_id: &str, segment: Option<&String>, at: SessionTime) {
        let segment = segment.filter(|segment| segment.len() <= MAX_ID);
        let is_it = |one: &HeardSegment| segment.is_some() && one.segment.as_ref() == segment;
        let known = self.0.iter().position(is_it);
        let began_at = known.map_or(at, |known| self.0.remove(known).began_at);
        if self.0.len() >= MAX_SEGMENTS {
            self.0.remove(0);
        }
        self.0.push(HeardSegment {
            stream_id: stream_id.to_owned(),
            segment: segment.cloned(),
            began_at,
            is_complete: false,
            text: String::new(),
        });
    }

    /// A final transcript came in a packet. Who writes on streams repeats them so.
    pub(super) fn add_packet(&mut self, segment: &String, text: &str, at: SessionTime) {
        if self.0.iter().any(|one| !one.stream_id.is_empty()) {
            return;
        }
        self.open("", Some(segment), at);
        if let Some(one) = self.0.last_mut() {
            one.text = text.chars().take(MAX_TEXT).collect();
            one.is_complete = true;
        }
    }

    /// Text of a stream. Returns whether the stream is one of these.
    pub(super) fn add_text(&mut self, stream_id: &str, text: &str) -> bool {
        let Some(one) = self.find_open(stream_id) else { return false };
        let free = MAX_TEXT.saturating_sub(one.text.len());
        one.text.extend(text.chars().take(free));
        true
    }

    /// A stream was closed. Returns whether it was one of these.
    pub(super) fn close(&mut self, stream_id: &str) -> bool {
        let Some(one) = self.find_open(stream_id) else { return false };
        one.is_complete = true;
        true
    }

    /// The transcripts that are complete, as far as they are kept, and when each began.
    pub(super) fn said(&self) -> impl Iterator<Item = (SessionTime, &str)> {
        self.0.iter().filter(|one| one.is_complete).map(|one| (one.began_at, one.text.as_str()))
    }

    /// Whether some of them will soon be left out for what comes.
    pub(super) const fn is_nearly_full(&self) -> bool {
        self.0.len() >= MAX_SEGMENTS / 2
    }

    fn find_open(&mut self, stream_id: &str) -> Option<&mut HeardSegment> {
        self.0.iter_mut().rev().find(|one| one.stream_id == stream_id && !one.is_complete)
    }

    /// What was heard of a turn that began at `began`; `None` where nothing was, which says nothing about the agent's hearing.
    ///
    /// A back-channel, the time at which the caller began it and its words, is no part of the turn. What is transcribed
    /// after it is taken for it, however it was heard, unless the turn itself has no transcript yet.
    pub(super) fn of_turn(
        &self,
        began: SessionTime,
        backchannel: Option<(SessionTime, Option<&str>)>,
    ) -> Option<String> {
        let since = |time: SessionTime| {
            self.0.iter().filter(move |one| one.is_complete && one.began_at >= time)
        };
        let (until, words) = backchannel.unwrap_or((SessionTime::NEVER, None));
        let mut texts: Vec<&str> =
            since(began).filter(|one| one.began_at < until).map(|one| one.text.as_str()).collect();
        if texts.is_empty() {
            let is_backchannel = |text: &str| {
                let errors = words.and_then(|words| TranscriptionErrors::by_word(words, text));
                errors.is_some_and(|errors| errors.errors() == 0)
            };
            let later = since(until).map(|one| one.text.as_str());
            texts.extend(later.filter(|text| !is_backchannel(text)));
        }
        (!texts.is_empty()).then(|| texts.join(" "))
    }
}

impl Caller {
    /// What the agent's transcript of the caller since `began` got wrong of what a turn's clip says. Without a transcript
    /// nothing is known.
    pub(super) fn note_hearing(
        &self,
        turn: &mut Turn,
        index: usize,
        began: SessionTime,
        backchannel_at: Option<SessionTime>,
    ) {
        let Some(prompt) = self.config.script.turn(index) else { return };
        let backchannel = backchannel_at.zip(prompt.backchannel.as_ref());
        let backchannel = backchannel.map(|(at, one)| (at, one.spoken.as_deref()));
        let transcript = &self.utterances.caller_transcript;
        let Some(heard) = transcript.of_turn(began, backchannel) else { return };
        if let Some(spoken) = &prompt.spoken {
            turn.heard = TranscriptionErrors::by_word(spoken, &heard);
            turn.heard_characters = TranscriptionErrors::by_character(spoken, &heard);
        }
        if !prompt.key_words.is_empty() {
            let key_words = prompt.key_words.iter().map(String::as_str);
            turn.key_words = Some(KeyWords::of(key_words, &heard));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_transcript_of_a_segment_counts_once_it_is_complete() {
        let mut transcript = CallerTranscript::default();
        let (one, two) = ("SG_1".to_owned(), "SG_2".to_owned());
        transcript.open("a", Some(&one), SessionTime(10));
        assert!(transcript.add_text("a", "A table") && !transcript.add_text("b", "x"));
        assert_eq!(transcript.of_turn(SessionTime(0), None), None, "it is not complete");
        assert!(transcript.close("a") && !transcript.close("a"));
        transcript.open("b", Some(&one), SessionTime(20));
        transcript.add_text("b", "A table for four");
        transcript.close("b");
        transcript.open("c", Some(&two), SessionTime(30));
        transcript.add_text("c", "please");
        transcript.close("c");
        transcript.add_packet(&two, "please, repeated", SessionTime(31));
        let since = |time| transcript.of_turn(SessionTime(time), None);
        assert_eq!(since(5).as_deref(), Some("A table for four please"));
        assert_eq!(since(11).as_deref(), Some("please"), "the first began before");
        assert_eq!(since(31), None);
    }

    /// What is heard of a turn from 10 on, with a back-channel at 50, of transcripts that begin so.
    fn heard_beside_a_backchannel(heard: &[(u64, &str)], words: Option<&str>) -> Option<String> {
        let mut transcript = CallerTranscript::default();
        for (at, text) in heard {
            let stream = at.to_string();
            transcript.open(&stream, None, SessionTime(*at));
            transcript.add_text(&stream, text);
            transcript.close(&stream);
        }
        transcript.of_turn(SessionTime(10), Some((SessionTime(50), words)))
    }

    #[test]
    fn a_backchannel_is_no_part_of_what_was_heard_of_a_turn() {
        let heard = heard_beside_a_backchannel;
        let turn = (20, "A table for four.");
        let words = Some("mm-hm");
        for (text, why) in [("Mm-hm.", "as it was said"), ("Um.", "misheard"), ("", "not at all")] {
            let found = heard(&[turn, (60, text)], words);
            assert_eq!(found.as_deref(), Some("A table for four."), "{why}");
        }
        assert_eq!(heard(&[turn], words).as_deref(), Some("A table for four."));
        // A model that hears by itself writes late.
        let late = [(60, "Mm, hm!"), (70, "A table for four.")];
        assert_eq!(heard(&late, words).as_deref(), Some("A table for four."));
        assert_eq!(heard(&late[..1], words), None, "nothing was heard of the turn");
        assert_eq!(heard(&late[1..], None).as_deref(), Some("A table for four."));
    }

    #[test]
    fn an_agent_that_writes_without_end_takes_little_memory() {
        let mut transcript = CallerTranscript::default();
        for number in 0..1_000 {
            transcript.open(&number.to_string(), None, SessionTime(number));
            for _ in 0..3 {
                transcript.add_text(&number.to_string(), &"x".repeat(10_000));
            }
            transcript.close(&number.to_string());
        }
        assert_eq!(transcript.0.len(), MAX_SEGMENTS);
        assert!(transcript.0.iter().all(|one| one.text.len() <= MAX_TEXT));
    }
}
