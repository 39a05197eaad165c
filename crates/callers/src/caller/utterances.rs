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
                let free = MAX_TEXT.saturating_sub(utterance.text.len());
                utterance.text.extend(text.chars().take(free));
            }
            DataEvent::TextStreamClosed { stream_id, .. } => {
                if self.caller_transcript.close(stream_id) {
                    return false;
                }
                let Some(utterance) = self.find_open(stream_id) else { return false };
                utterance.closed_at = Some(at);
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
            utterance.closed_at = None;
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
        });
    }

    fn find_open(&mut self, stream_id: &str) -> Option<&mut Utterance> {
        let mut latest_first = self.list.iter_mut().rev();
        latest_first.find(|one| one.stream_id == stream_id && one.closed_at.is_none())
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
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn opened(stream: &str, sender: &str, segment: &str) -> DataEvent {
        DataEvent::TextStreamOpened {
            stream_id: stream.to_owned(),
            sender: Identity::new(sender),
            topic: TRANSCRIPTION_TOPIC.to_owned(),
            attributes: HashMap::from([(SEGMENT_ID.to_owned(), segment.to_owned())]),
        }
    }

    fn chunk(stream: &str, text: &str) -> DataEvent {
        DataEvent::TextChunk { stream_id: stream.to_owned(), text: text.to_owned() }
    }

    fn closed(stream: &str) -> DataEvent {
        DataEvent::TextStreamClosed { stream_id: stream.to_owned(), attributes: HashMap::new() }
    }

    fn received(events: &[(DataEvent, u64)]) -> Utterances {
        let mut utterances = Utterances::default();
        for (event, at) in events {
            utterances.handle_data(event, SessionTime(*at), |sender| sender.as_str() == "agent");
        }
        utterances
    }

    #[test]
    fn an_utterance_has_its_times_and_its_text() {
        let utterances = received(&[
            (opened("s", "agent", "a"), 10),
            (chunk("s", ""), 11),
            (chunk("s", "Good "), 12),
            (chunk("s", "evening"), 13),
        ]);
        assert!(utterances.is_writing());
        assert_eq!(utterances.writing_since(), Some(SessionTime(12)));
        let utterances = received(&[
            (opened("s", "agent", "a"), 10),
            (chunk("s", "Good evening"), 12),
            (closed("s"), 14),
        ]);
        let one = utterances.since(SessionTime(5)).next().unwrap();
        assert_eq!(
            (one.first_text_at, one.closed_at),
            (Some(SessionTime(12)), Some(SessionTime(14)))
        );
        assert_eq!(utterances.text_since(SessionTime(5)), "Good evening");
        assert!(!utterances.is_writing());
    }

    #[test]
    fn transcriptions_of_the_caller_are_left_out_whoever_sends_them() {
        let own = HashMap::from([(TRANSCRIBED_TRACK.to_owned(), "TR_own".to_owned())]);
        let mut utterances = Utterances::default();
        utterances.add_own_track("TR_own".to_owned());
        let header = DataEvent::TextStreamOpened {
            stream_id: "e".to_owned(),
            sender: Identity::new("agent"),
            topic: TRANSCRIPTION_TOPIC.to_owned(),
            attributes: own,
        };
        assert!(!utterances.handle_data(&header, SessionTime(1), |_| true));
        assert!(!utterances.handle_data(&chunk("e", "Two please"), SessionTime(2), |_| true));
        assert!(utterances.is_empty());
        assert_eq!(utterances.caller_heard_at, Some(SessionTime(1)));
        let utterances = received(&[
            (opened("e", "caller", "u"), 10),
            (chunk("e", "I would like"), 11),
            (opened("s", "agent", "a"), 20),
            (closed("s"), 21),
            (opened("t", "agent", "a"), 30),
            (opened("v", "agent", "b"), 40),
        ]);
        let segments: Vec<_> =
            utterances.since(SessionTime(0)).map(|one| one.segment.clone().unwrap()).collect();
        assert_eq!(segments, ["a", "b"]);
    }

    #[test]
    fn a_segment_whose_whole_text_comes_again_and_again_grows() {
        let mut events = vec![(opened("0", "agent", "z"), 5), (closed("0"), 6)];
        for (number, text) in [(1, "Good"), (2, "Good day"), (3, "Good day to you")] {
            let stream = number.to_string();
            events.push((opened(&stream, "agent", "a"), number * 10));
            events.push((chunk(&stream, text), number * 10 + 1));
            events.push((closed(&stream), number * 10 + 2));
        }
        let utterances = received(&events);
        let [one] = utterances.since(SessionTime(6)).collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!(one.text_so_far(), "Good day to you");
        assert_eq!(
            (one.opened_at, one.first_text_at, one.closed_at),
            (SessionTime(10), Some(SessionTime(11)), Some(SessionTime(32)))
        );
    }

    #[test]
    fn what_an_agent_was_writing_when_it_handed_over_is_over() {
        let mut utterances = received(&[(opened("s", "agent", "a"), 1), (chunk("s", "Good"), 2)]);
        utterances.close_streams_of_others(SessionTime(5), |one| one.as_str() == "agent");
        assert!(utterances.is_writing());
        utterances.close_streams_of_others(SessionTime(6), |one| one.as_str() == "agent-2");
        assert!(!utterances.is_writing());
        assert_eq!(utterances.text_since(SessionTime(0)), "Good");
    }

    #[test]
    fn lines_of_json_are_joined() {
        let lines = "{\"text\": \"Good\", \"start_time\": 0.1}\n{\"text\": \" day\"}\n";
        for (text, words) in [(lines, "Good day"), ("{\"a\": 1}", "{\"a\": 1}"), ("Good", "Good")] {
            let utterances = received(&[(opened("s", "agent", "a"), 1), (chunk("s", text), 2)]);
            assert_eq!(utterances.text_since(SessionTime(0)), words);
        }
    }

    #[test]
    fn a_text_in_a_packet_of_its_own_is_complete_and_said_once() {
        let text = |text: &str| {
            let (sender, text) = (Identity::new("agent"), text.to_owned());
            DataEvent::TextReceived { sender, text }
        };
        let utterances = received(&[
            (opened("s", "agent", "a"), 1),
            (chunk("s", "Good day."), 2),
            (closed("s"), 3),
            (text("Good day."), 4),
            (text("Yes."), 5),
            (text("Yes."), 6),
        ]);
        let said: Vec<_> = utterances.since(SessionTime(0)).map(|one| one.text_so_far()).collect();
        assert_eq!(said, ["Good day.", "Yes.", "Yes."], "the same answer to two turns");
        assert!(!utterances.is_writing());
    }

    fn transcribed(segment: &str, speaker: &str, text: &str, is_final: bool) -> DataEvent {
        DataEvent::SegmentTranscribed {
            sender: Identity::new("agent"),
            speaker: Identity::new(speaker),
            track_sid: format!("TR_{speaker}"),
            segment: segment.to_owned(),
            text: text.to_owned(),
            is_final,
        }
    }

    #[test]
    fn transcription_packets_are_read_where_there_are_no_streams() {
        let packets = [
            (transcribed("u", "caller", "Two please", true), 5),
            (transcribed("a", "agent", "Good", false), 10),
            (transcribed("a", "agent", "Good day.", false), 11),
        ];
        let utterances = received(&packets);
        assert!(utterances.is_writing());
        assert_eq!(utterances.text_since(SessionTime(0)), "Good day.", "not the caller's words");
        let more = [
            (transcribed("a", "agent", "Good day.", true), 12),
            (transcribed("b", "agent", "Yes.", true), 20),
        ];
        let utterances = received(&[&packets[..], &more].concat());
        let times: Vec<_> = utterances
            .since(SessionTime(0))
            .map(|one| (one.first_text_at, one.closed_at))
            .collect();
        let at = |time| Some(SessionTime(time));
        assert_eq!(times, [(at(10), at(12)), (at(20), at(20))]);

        // Beside a stream they say the same once more.
        let stream = [(opened("s", "agent", "c"), 21), (chunk("s", "Yes."), 22)];
        let beside = [(transcribed("b", "agent", "Yes.", true), 23)];
        let utterances = received(&[&packets[..], &more, &stream, &beside].concat());
        assert_eq!(utterances.text_since(SessionTime(0)), "Yes.");
    }

    #[test]
    fn what_is_said_while_a_segment_is_open_belongs_to_it() {
        let paused = [(opened("s", "agent", "a"), 10), (chunk("s", "The long"), 12)];
        assert!(received(&paused).continues(SessionTime(20), SessionTime(40)));
        assert!(!received(&paused).continues(SessionTime(9), SessionTime(40)), "begun later");
        let closes = [&paused[..], &[(closed("s"), 30)]].concat();
        assert!(received(&closes).continues(SessionTime(20), SessionTime(25)));
        assert!(!received(&closes).continues(SessionTime(20), SessionTime(40)));
        let goes_on = [&paused[..], &[(opened("t", "agent", "b"), 35)]].concat();
        assert!(!received(&goes_on).continues(SessionTime(20), SessionTime(40)));
    }

    #[test]
    fn an_agent_that_never_stops_writing_uses_bounded_memory() {
        let mut utterances = Utterances::default();
        for number in 0..10_000_u64 {
            let stream = format!("s{number}");
            let header = opened(&stream, "agent", &stream);
            utterances.handle_data(&header, SessionTime(number), |_| true);
            utterances
                .handle_data(&chunk(&stream, &"x".repeat(100)), SessionTime(number), |_| true);
        }
        assert_eq!(utterances.list.len(), MAX_UTTERANCES);
        for _ in 0..10_000 {
            utterances.handle_data(&chunk("s9999", &"x".repeat(100)), SessionTime(1), |_| true);
        }
        assert!(utterances.list.last().unwrap().text.len() <= MAX_TEXT);
    }

    #[test]
    fn a_server_that_never_stops_publishing_our_tracks_uses_bounded_memory() {
        let mut utterances = Utterances::default();
        utterances.add_own_track("x".repeat(1_000_000));
        for number in 0..10_000 {
            utterances.add_own_track(format!("TR_{number}"));
        }
        assert_eq!(utterances.own_tracks.len(), MAX_OWN_TRACKS);
        assert_eq!(utterances.own_tracks[0], "TR_0");
    }
}
