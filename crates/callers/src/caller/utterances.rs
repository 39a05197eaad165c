//! What the agent writes: its text streams, with their segments and times.
//!
//! LiveKit's agent framework sends one stream for each segment of speech on the topic `lk.transcription`, named by the
//! attribute `lk.segment_id`. Transcriptions of the caller come on the same topic, in the caller's name.

use std::borrow::Cow;

use serde_json::Value;

use super::caller_transcript::CallerTranscript;
use crate::data::DataEvent;
use rushhour_core::units::{Identity, Micros, SessionTime};

/// The topic of an agent's transcriptions.
const TRANSCRIPTION_TOPIC: &str = "lk.transcription";
/// The topic of chat, on which an agent may answer too.
pub(super) const CHAT_TOPIC: &str = "lk.chat";
/// The attribute that names a segment.
const SEGMENT_ID: &str = "lk.segment_id";
/// The attribute that names the track whose words these are.
pub(super) const TRANSCRIBED_TRACK: &str = "lk.transcribed_track_id";
/// The attribute that says whether a transcript is final: what comes before changes still.
const TRANSCRIPTION_FINAL: &str = "lk.transcription_final";
/// A text and the speech that says it begin this close to each other, as far as they belong together.
pub(super) const TEXT_SLACK: Micros = Micros::from_millis(500);
/// A text that comes on a stream and in a packet comes in both within this time.
const SAME_TEXT_WITHIN: Micros = Micros::from_secs(2);
/// Utterances that are kept, and segments that are remembered, at most.
const MAX_UTTERANCES: usize = 64;
/// Own tracks that are kept, at most: a caller publishes two.
const MAX_OWN_TRACKS: usize = 16;
/// The longest id of a stream, a segment or a track that is kept, in bytes.
pub(super) const MAX_ID: usize = 256;
/// Characters of one utterance that are kept, at most.
pub(super) const MAX_TEXT: usize = 16 << 10;

/// One segment of the agent: a text stream, and those that repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Utterance {
    stream_id: String,
    pub(super) sender: Identity,
    segment: Option<String>,
    pub(super) opened_at: SessionTime,
    /// When its first text arrived.
    pub(super) first_text_at: Option<SessionTime>,
    pub(super) closed_at: Option<SessionTime>,
    /// Its text so far, as it came.
    text: String,
    /// Whether it came in transcription packets, the form before streams.
    is_legacy: bool,
    /// Whether it was never closed, and is only taken to be over.
    is_given_up: bool,
}

/// The agent's text streams, the latest last.
#[derive(Debug, Default)]
pub(super) struct Utterances {
    list: Vec<Utterance>,
    /// The SIDs of the caller's own tracks: their transcripts are the caller's words, whoever sends them.
    own_tracks: Vec<String>,
    /// The caller's identity: what is written in its name are its words too.
    own_identity: Option<Identity>,
    /// When the agent last wrote what it heard of the caller.
    pub(super) caller_heard_at: Option<SessionTime>,
    /// What the agent heard of the caller.
    pub(super) caller_transcript: CallerTranscript,
    /// Whether the agent writes on streams: then its transcription packets only repeat them.
    has_streams: bool,
}

impl Utterances {
    /// The caller published a track.
    pub(super) fn add_own_track(&mut self, sid: String) {
        if self.own_tracks.len() < MAX_OWN_TRACKS && sid.len() <= MAX_ID {
            self.own_tracks.push(sid);
        }
    }

    /// Whether this is one of the caller's tracks.
    pub(super) fn is_own_track(&self, sid: &str) -> bool {
        self.own_tracks.iter().any(|own| own == sid)
    }

    /// The caller joined under this identity.
    pub(super) fn set_own_identity(&mut self, identity: Identity) {
        self.own_identity = Some(identity);
    }

    /// Whether this is the caller's own identity.
    pub(super) fn is_own(&self, identity: &Identity) -> bool {
        self.own_identity.as_ref() == Some(identity)
    }

    /// Handles an event that arrived at `at`. Returns whether it is part of a text stream of the agent.
    pub(super) fn handle_data(
        &mut self,
        event: &DataEvent,
        at: SessionTime,
        is_agent: impl Fn(&Identity) -> bool,
    ) -> bool {
        match event {
            DataEvent::TextStreamOpened { stream_id, sender, topic, attributes } => {
                let is_own = self.own_identity.as_ref() == Some(sender)
                    || attributes
                        .get(TRANSCRIBED_TRACK)
                        .is_some_and(|track| self.own_tracks.contains(track));
                if is_own && topic == TRANSCRIPTION_TOPIC {
                    self.caller_heard_at = Some(at);
                    if attributes
                        .get(TRANSCRIPTION_FINAL)
                        .is_some_and(|is_final| is_final == "true")
                    {
                        self.caller_transcript.open(stream_id, attributes.get(SEGMENT_ID), at);
                    }
                }
                let is_text = [TRANSCRIPTION_TOPIC, CHAT_TOPIC].contains(&topic.as_str());
                if is_own || !is_text || !is_agent(sender) {
                    return false;
                }
                if !std::mem::replace(&mut self.has_streams, true) {
                    self.list.retain(|one| !one.is_legacy);
                }
                self.open(stream_id, sender, attributes.get(SEGMENT_ID), at);
            }
            DataEvent::TextChunk { stream_id, text } => {
                if self.caller_transcript.add_text(stream_id, text) {
                    return false;
                }
                let Some(utterance) = self.find_open(stream_id) else { return false };
                if !text.is_empty() {
                    utterance.first_text_at.get_or_insert(at);
                }
                if std::mem::take(&mut utterance.is_given_up) {
                    // It was not over after all.
                    utterance.closed_at = None;
                }
                let free = MAX_TEXT.saturating_sub(utterance.text.len());
                utterance.text.extend(text.chars().take(free));
            }
            DataEvent::TextStreamClosed { stream_id, .. } => {
                if self.caller_transcript.close(stream_id) {
                    return false;
                }
                let Some(utterance) = self.find_open(stream_id) else { return false };
                (utterance.closed_at, utterance.is_given_up) = (Some(at), false);
            }
            DataEvent::TextReceived { sender, text } => {
                // Who writes a text in two forms has said it once.
                let is_known = self.list.last().is_some_and(|last| {
                    !last.stream_id.is_empty()
                        && at.since(last.opened_at) < SAME_TEXT_WITHIN
                        && last.text_so_far().trim() == text.trim()
                });
                if !is_agent(sender) || is_known || text.trim().is_empty() {
                    return false;
                }
                self.open("", sender, None, at);
                let one = self.list.last_mut().expect("it was opened above");
                (one.first_text_at, one.closed_at) = (Some(at), Some(at));
                one.text = text.chars().take(MAX_TEXT).collect();
            }
            DataEvent::SegmentTranscribed {
                sender,
                speaker,
                track_sid,
                segment,
                text,
                is_final,
            } => {
                let is_own = self.own_tracks.contains(track_sid)
                    || self.own_identity.as_ref() == Some(speaker);
                if is_own {
                    self.caller_heard_at = Some(at);
                    if *is_final {
                        self.caller_transcript.add_packet(segment, text, at);
                    }
                }
                let is_agents = is_agent(sender) && is_agent(speaker);
                if self.has_streams || is_own || !is_agents || text.trim().is_empty() {
                    return false;
                }
                self.transcribe(sender, segment, text, *is_final, at);
            }
            DataEvent::TextIncomplete { stream_id } => {
                return self.find_open(stream_id).is_some();
            }
            DataEvent::ByteStreamReceived { .. }
            | DataEvent::RpcCalled { .. }
            | DataEvent::DtmfReceived { .. }
            | DataEvent::Encrypted => return false,
        }
        true
    }

    /// A segment of a transcription packet, with its whole text so far.
    fn transcribe(
        &mut self,
        sender: &Identity,
        segment: &String,
        text: &str,
        is_final: bool,
        at: SessionTime,
    ) {
        let is_it = |one: &&mut Utterance| one.is_legacy && one.segment.as_ref() == Some(segment);
        if self.list.iter_mut().rev().find(is_it).is_none() {
            self.open("", sender, Some(segment), at);
            let one = self.list.last_mut().expect("it was opened above");
            (one.is_legacy, one.first_text_at) = (true, Some(at));
        }
        let Some(one) = self.list.iter_mut().rev().find(is_it) else { return };
        one.text = text.chars().take(MAX_TEXT).collect();
        // Who writes more of a segment has not finished it.
        one.closed_at = is_final.then_some(at);
    }

    /// An agent handed over and left: what it was writing is over, as far as it came.
    pub(super) fn close_streams_of_others(
        &mut self,
        at: SessionTime,
        is_agent: impl Fn(&Identity) -> bool,
    ) {
        for one in self.list.iter_mut().filter(|one| !is_agent(&one.sender)) {
            one.closed_at.get_or_insert(at);
        }
    }

    /// Of what is still open nothing more is expected: it was over at `at`, unless more of it comes.
    pub(super) fn give_up_open_streams(&mut self, at: SessionTime) {
        for one in self.list.iter_mut().filter(|one| one.closed_at.is_none()) {
            (one.closed_at, one.is_given_up) = (Some(at.max(one.opened_at)), true);
        }
    }

    fn open(
        &mut self,
        stream_id: &str,
        sender: &Identity,
        segment: Option<&String>,
        at: SessionTime,
    ) {
        let known = self
            .list
            .iter_mut()
            .rev()
            .find(|one| segment.is_some_and(|segment| one.segment.as_ref() == Some(segment)));
        if let Some(utterance) = known {
            // The whole text again: the last one holds. It remains the utterance that it was.
            stream_id.clone_into(&mut utterance.stream_id);
            utterance.text.clear();
            (utterance.closed_at, utterance.is_given_up) = (None, false);
            return;
        }
        if self.list.len() >= MAX_UTTERANCES {
            self.list.remove(0);
        }
        self.list.push(Utterance {
            stream_id: stream_id.to_owned(),
            sender: sender.clone(),
            segment: segment.filter(|segment| segment.len() <= MAX_ID).cloned(),
            opened_at: at,
            first_text_at: None,
            closed_at: None,
            text: String::new(),
            is_legacy: false,
            is_given_up: false,
        });
    }

    fn find_open(&mut self, stream_id: &str) -> Option<&mut Utterance> {
        let mut latest_first = self.list.iter_mut().rev();
        let is_open = |one: &Utterance| one.closed_at.is_none() || one.is_given_up;
        latest_first.find(|one| one.stream_id == stream_id && is_open(one))
    }

    /// Whether a stream is open.
    pub(super) fn is_writing(&self) -> bool {
        self.list.iter().any(|one| one.closed_at.is_none())
    }

    /// What the agent wrote, as far as it is kept, and when each began; `complete` leaves out what it is still writing.
    pub(super) fn said(&self, complete: bool) -> impl Iterator<Item = (SessionTime, Cow<'_, str>)> {
        let at = |one: &Utterance| one.first_text_at.unwrap_or(one.opened_at);
        let list = self.list.iter().filter(move |one| one.closed_at.is_some() || !complete);
        list.map(move |one| (at(one), one.text_so_far()))
    }

    /// Whether some of it will soon be left out for what comes.
    pub(super) const fn are_nearly_full(&self) -> bool {
        self.list.len() >= MAX_UTTERANCES / 2 || self.caller_transcript.is_nearly_full()
    }

    /// When the first text of the latest open stream arrived.
    pub(super) fn writing_since(&self) -> Option<SessionTime> {
        self.list.iter().rev().find(|one| one.closed_at.is_none())?.first_text_at
    }

    /// Whether the agent has written anything.
    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a segment that was begun by `time` is still open at `at`, and none has been begun since: what the agent
    /// says from `at` on belongs to it.
    pub(super) fn continues(&self, time: SessionTime, at: SessionTime) -> bool {
        let is_open = |one: &Utterance| {
            one.opened_at <= time && one.closed_at.is_none_or(|closed| closed >= at)
        };
        self.list.iter().any(is_open)
            && !self.since(time).any(|one| one.opened_at <= at + TEXT_SLACK)
    }

    /// The segments that were begun after `time`.
    pub(super) fn since(&self, time: SessionTime) -> impl Iterator<Item = &Utterance> {
        self.list.iter().filter(move |one| one.opened_at > time)
    }

    /// Whether it is the first that its sender wrote.
    pub(super) fn is_first_of_its_sender(&self, utterance: &Utterance) -> bool {
        let first = self.list.iter().find(|one| one.sender == utterance.sender);
        first.is_some_and(|first| first.opened_at == utterance.opened_at)
    }

    /// Whether the agent began to write within [`TEXT_SLACK`] of `at`.
    pub(super) fn has_begun_near(&self, at: SessionTime) -> bool {
        self.list.iter().any(|one| one.opened_at.0.abs_diff(at.0) <= TEXT_SLACK.0)
    }

    /// The text of the segments that were begun after `time`.
    pub(super) fn text_since(&self, time: SessionTime) -> String {
        self.since(time).map(Utterance::text_so_far).collect::<Vec<_>>().join(" ")
    }
}

impl Utterance {
    /// What it says. Where an agent writes its transcripts as lines of JSON, their texts.
    pub(super) fn text_so_far(&self) -> Cow<'_, str> {
        if !self.text.starts_with('{') {
            return Cow::Borrowed(&self.text);
        }
        let text_of = |line: &str| -> Option<String> {
            let timed: Value = serde_json::from_str(line).ok()?;
            Some(timed.get("text")?.as_str()?.to_owned())
        };
        let lines = self.text.lines().filter(|line| !line.trim().is_empty());
        let texts: Option<String> = lines.map(text_of).collect();
        texts.map_or(Cow::Borrowed(&self.text), Cow::Owned)
    }
}

#[cfg(test)]
mod tests;
