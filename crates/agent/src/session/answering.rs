//! The turns of a conversation: hearing the caller out, thinking, answering, and giving way.

use super::agenda::Step;
use super::session::AgentSession;
use super::words::{self, State, TRANSCRIPTION_TOPIC};
use crate::behaviour::JobFault;
use crate::truth::{AgentFact, KeptAudio};
use rushhour_callers::audio::SpeechEdge;
use rushhour_callers::data::{AGENT_SESSION_TOPIC, encode_turn_metrics};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_callers::participant::SendOutcome;
use rushhour_core::event::TurnParts;
use rushhour_core::units::{Micros, SessionTime};

/// How often an answer without end goes on.
const GO_ON_EVERY: Micros = Micros::from_millis(100);

/// What the caller's turn came in as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Text,
    /// Speech, and how long after its end that was sure.
    Speech(Micros),
    /// Nothing: the agent speaks by itself.
    Nothing,
}

/// An answer, from the moment it is thought of to its last word.
#[derive(Debug)]
pub(super) struct Answer {
    turn: u32,
    heard: Heard,
    /// When the caller was heard out.
    since: SessionTime,
    wanted: Micros,
    text: String,
    /// The open stream of its text, and how many parts that has.
    stream: Option<(String, u64)>,
    /// When it began, counted from `since`.
    began_after: Option<Micros>,
}

impl Answer {
    /// The first word of the text with the space behind it, and the rest.
    fn split(&self) -> (&str, &str) {
        let end = self.text.find(' ').map_or(self.text.len(), |space| space + 1);
        self.text.split_at(end)
    }

    /// Where the answer is cut in two segments.
    fn halves(&self) -> (&str, &str) {
        let middle = self.text.len() / 2;
        let cut = self.text[..self.text.floor_char_boundary(middle)].rfind(' ');
        self.text.split_at(cut.map_or(0, |space| space + 1))
    }
}

fn segment(turn: u32) -> String {
    format!("SG_{turn}")
}

impl AgentSession {
    /// The whole of a text has come in from the caller.
    pub(super) fn hear_text(
        &mut self,
        text: &str,
        at: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        self.turn += 1;
        let (room, turn) = (self.room.clone(), self.turn);
        self.tell(at, AgentFact::HeardText { room, turn, bytes: text.len() });
        self.think(Heard::Text, at, format!("You said: {text}"), hand);
    }

    /// Something is known of the caller's speech.
    pub(super) fn hear_edges(&mut self, edges: &[SpeechEdge], hand: &mut dyn ParticipantHandle) {
        for edge in edges.iter().filter(|_| self.ready).copied().collect::<Vec<_>>() {
            match edge {
                SpeechEdge::Started { at } => self.hear_beginning(at, hand),
                SpeechEdge::Ended { last_audible_at } => self.hear_end(last_audible_at, hand),
            }
        }
    }

    fn hear_beginning(&mut self, at: SessionTime, hand: &mut dyn ParticipantHandle) {
        let Some(answer) = &self.answer else { return };
        let turn = answer.turn;
        if answer.began_after.is_some() {
            self.tell(at, AgentFact::BargedIn { room: self.room.clone(), turn });
            let delay = self.common.behaviour.yield_delay(&self.room, turn);
            self.agenda.put(at + delay, Step::Yield { since: at });
        } else if matches!(answer.heard, Heard::Speech(_)) {
            // It was only a pause: the turn goes on, and has the same number when it ends.
            self.turn -= 1;
            self.interrupt(hand);
            hand.set_attributes(State::Listening.attributes());
        }
    }

    fn hear_end(&mut self, last_audible_at: SessionTime, hand: &mut dyn ParticipantHandle) {
        if let Some(since) = self.agenda.yields() {
            // The caller was done before the agent had given way.
            self.yield_to_caller(since, hand);
        }
        self.turn += 1;
        let known_after_us = hand.now().since(last_audible_at);
        let (room, turn) = (self.room.clone(), self.turn);
        self.tell(last_audible_at, AgentFact::HeardSpeech { room, turn, known_after_us });
        if let (Some(caller), true) = (&self.caller, self.common.behaviour.user_transcription) {
            let track = self.voice.as_ref().and_then(|voice| voice.callers_track());
            let attributes = words::heard(&format!("user_{turn}"), track);
            let text = format!("What the caller said, turn {turn}.");
            hand.send_text_as(caller, TRANSCRIPTION_TOPIC, &text, attributes);
        }
        let text = format!("I have heard you, turn {turn}.");
        self.think(Heard::Speech(known_after_us), last_audible_at, text, hand);
    }

    fn think(
        &mut self,
        heard: Heard,
        since: SessionTime,
        text: String,
        hand: &mut dyn ParticipantHandle,
    ) {
        if self.fault == Some(JobFault::Mute) {
            return;
        }
        self.interrupt(hand);
        let turn = self.turn;
        let circumstances = self.common.circumstances(hand.now());
        let wanted = self.common.behaviour.turn_delay(&self.room, turn, circumstances);
        let (stream, began_after) = (None, None);
        self.answer = Some(Answer { turn, heard, since, wanted, text, stream, began_after });
        self.agenda.put(since + wanted, Step::Answer);
        if self.fault == Some(JobFault::StaleSegment) {
            self.agenda.put(since + Micros(wanted.0 / 2), Step::Stray);
        }
        hand.set_attributes(State::Thinking.attributes());
    }

    /// Speaks by itself, which is turn 0.
    pub(super) fn greet(&mut self, since: SessionTime, hand: &mut dyn ParticipantHandle) {
        let behaviour = &self.common.behaviour;
        let (Some(greeting), Some(wanted)) =
            (&behaviour.greeting, behaviour.greeting_delay(&self.room))
        else {
            return;
        };
        // Whoever spoke first is answered instead.
        if self.turn > 0 {
            return;
        }
        let (heard, text) = (Heard::Nothing, greeting.text.clone());
        let (turn, stream, began_after) = (0, None, None);
        self.answer = Some(Answer { turn, heard, since, wanted, text, stream, began_after });
        self.begin_answer(hand);
    }

    /// Sends a whole segment that answers nothing, under an old name.
    pub(super) fn stray(&mut self, hand: &mut dyn ParticipantHandle) {
        let Some(answer) = &self.answer else { return };
        let (turn, since) = (answer.turn, answer.since);
        let stale = format!("What was said in turn {}.", turn.saturating_sub(1));
        self.write_segment(&segment(turn.saturating_sub(1)), &stale, turn, since, hand);
    }

    fn write_segment(
        &self,
        segment: &str,
        text: &str,
        turn: u32,
        since: SessionTime,
        hand: &mut dyn ParticipantHandle,
    ) {
        let stream = hand.open_text_stream(TRANSCRIPTION_TOPIC, words::begun(segment));
        hand.write_text_stream(&stream, 0, text);
        hand.close_text_stream(&stream, words::ended());
        let (now, room) = (hand.now(), self.room.clone());
        self.tell(now, AgentFact::StraySegment { room, turn, delay_us: now.since(since) });
    }

    /// The delay is over: a voice begins with its next frame, and its text with it.
    pub(super) fn begin_answer(&mut self, hand: &mut dyn ParticipantHandle) {
        match &mut self.voice {
            Some(voice) => voice.speak(self.common.speech.clone()),
            None => self.write_first(hand),
        }
    }

    fn write_first(&mut self, hand: &mut dyn ParticipantHandle) {
        let Some(answer) = &self.answer else { return };
        let (turn, since) = (answer.turn, answer.since);
        let mut name = segment(turn);
        if self.fault == Some(JobFault::SwappedSegments) {
            let (_, second) = answer.halves();
            self.write_segment(&format!("{name}_2"), second, turn, since, hand);
            name.push_str("_1");
        }
        let stream = hand.open_text_stream(TRANSCRIPTION_TOPIC, words::begun(&name));
        let sent = hand.write_text_stream(&stream, 0, answer.split().0);
        let now = hand.now();
        let delay_us = now.since(since);
        let kept = KeptAudio { wanted_us: answer.wanted, delay_us };
        let room = self.room.clone();
        self.tell(now, AgentFact::FirstChunk { room, turn, kept });
        self.unless_sent(sent, turn, now);
        if let Some(answer) = &mut self.answer {
            answer.stream = Some((stream, 1));
            answer.began_after.get_or_insert(delay_us);
        }
        hand.set_attributes(State::Speaking.attributes());
        if self.fault == Some(JobFault::EndlessText) {
            self.agenda.put(now + GO_ON_EVERY, Step::GoOn);
        } else if self.voice.is_none() {
            let delay = self.common.behaviour.final_delay(&self.room, turn);
            self.agenda.put(now + delay, Step::Finish);
        }
    }

    fn unless_sent(&self, sent: SendOutcome, turn: u32, now: SessionTime) {
        if sent == SendOutcome::NotSent {
            self.tell(now, AgentFact::NotSent { room: self.room.clone(), turn });
        }
    }

    /// More of an answer without end.
    pub(super) fn go_on(&mut self, hand: &mut dyn ParticipantHandle) {
        let Some(answer) = &mut self.answer else { return };
        let turn = answer.turn;
        let Some((stream, parts)) = &mut answer.stream else { return };
        let sent = hand.write_text_stream(stream, *parts, "and on ");
        *parts += 1;
        let now = hand.now();
        self.unless_sent(sent, turn, now);
        self.agenda.put(now + GO_ON_EVERY, Step::GoOn);
    }

    /// Sends the frames that are due; the answer's text follows its voice.
    pub(super) fn speak_due(&mut self, hand: &mut dyn ParticipantHandle) {
        while let Some((frame, sent)) = self.voice.as_mut().and_then(|voice| voice.send_due(hand)) {
            let Some(answer) = &mut self.answer else { continue };
            if !frame.is_first_audible || answer.began_after.is_some() {
                continue;
            }
            let (now, turn) = (hand.now(), answer.turn);
            let delay_us = now.since(answer.since);
            answer.began_after = Some(delay_us);
            let kept = KeptAudio { wanted_us: answer.wanted, delay_us };
            self.tell(now, AgentFact::FirstAudible { room: self.room.clone(), turn, kept });
            self.unless_sent(sent, turn, now);
            self.write_first(hand);
        }
        let Some(voice) = &mut self.voice else { return };
        if voice.is_speaking() || self.answer.as_ref().is_none_or(|a| a.began_after.is_none()) {
            return;
        }
        if self.fault == Some(JobFault::EndlessText) {
            voice.speak(self.common.speech.clone());
            return;
        }
        if let Some(answer) = &self.answer {
            let (room, turn) = (self.room.clone(), answer.turn);
            self.tell(hand.now(), AgentFact::Spoken { room, turn });
        }
        self.finish(hand);
    }

    /// Sends the rest of the answer's text and listens again.
    pub(super) fn finish(&mut self, hand: &mut dyn ParticipantHandle) {
        let Some(answer) = self.answer.take() else { return };
        self.agenda.forget_answer();
        let turn = answer.turn;
        if let Some((stream, parts)) = &answer.stream {
            let rest = match self.fault {
                Some(JobFault::SwappedSegments) => {
                    let begun = answer.split().0.len();
                    answer.halves().0.get(begun..).unwrap_or_default()
                }
                _ => answer.split().1,
            };
            let sent = match rest {
                "" => SendOutcome::Sent,
                rest => hand.write_text_stream(stream, *parts, rest),
            };
            let ended = hand.close_text_stream(stream, words::ended());
            let now = hand.now();
            let (room, delay_us) = (self.room.clone(), now.since(answer.since));
            self.tell(now, AgentFact::FinalChunk { room, turn, delay_us });
            self.unless_sent(if sent == SendOutcome::Sent { ended } else { sent }, turn, now);
        }
        if self.common.behaviour.metrics && answer.heard != Heard::Nothing {
            let item = format!("item_{turn}");
            let bytes = encode_turn_metrics(&item, &answer.text, &times(&answer));
            hand.send_bytes(AGENT_SESSION_TOPIC, &bytes);
        }
        self.listen_again(turn, hand);
    }

    fn listen_again(&mut self, turn: u32, hand: &mut dyn ParticipantHandle) {
        self.answered += u32::from(turn > 0);
        let enough = self.answered >= self.common.behaviour.crash_after_turns;
        if self.fault == Some(JobFault::CrashAfterTurns) && enough {
            self.crash(hand);
        } else {
            hand.set_attributes(State::Listening.attributes());
        }
    }

    /// Breaks off what is being said or thought of.
    fn interrupt(&mut self, hand: &mut dyn ParticipantHandle) {
        self.agenda.forget_answer();
        if let Some(voice) = &mut self.voice {
            voice.hush();
        }
        if let Some((stream, _)) = self.answer.take().and_then(|answer| answer.stream) {
            hand.close_text_stream(&stream, words::ended());
        }
    }

    /// Falls silent for the caller, who began to speak at `since`.
    pub(super) fn yield_to_caller(&mut self, since: SessionTime, hand: &mut dyn ParticipantHandle) {
        let Some(turn) = self.answer.as_ref().map(|answer| answer.turn) else { return };
        self.interrupt(hand);
        let now = hand.now();
        let wanted_us = self.common.behaviour.yield_delay(&self.room, turn);
        let kept = KeptAudio { wanted_us, delay_us: now.since(since) };
        self.tell(now, AgentFact::Yielded { room: self.room.clone(), turn, kept });
        self.listen_again(turn, hand);
    }
}

/// What the agent says of its own times.
fn times(answer: &Answer) -> TurnParts {
    let end_of_turn = match answer.heard {
        Heard::Speech(known_after) => Some(known_after),
        Heard::Text | Heard::Nothing => None,
    };
    let thought = answer.began_after.map(|all| all.saturating_sub(end_of_turn.unwrap_or_default()));
    TurnParts {
        end_of_turn,
        llm_first_token: thought,
        end_to_end: answer.began_after,
        ..TurnParts::default()
    }
}
