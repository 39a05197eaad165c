//! The turns of a conversation: receiving the caller's turn, answering it, and yielding to an interruption.

use super::agent_session::AgentSession;
use super::attributes::{TRANSCRIPTION_TOPIC, end_of_segment, open_segment};
use super::avatar::BecameAudible;
use super::breakup::{BreakKind, SpeechBreak};
use super::filler::Filler;
use super::step_queue::Step;
use super::voice::Voice;
use crate::behaviour::JobFault;
use crate::truth::{AgentFact, MeasuredDelay};
use rushhour_callers::data::{AGENT_SESSION_TOPIC, encode_turn_metrics};
use rushhour_callers::engine::ParticipantHandle;
use rushhour_callers::participant::SendOutcome;
use rushhour_core::event::TurnParts;
use rushhour_core::units::{Micros, SessionTime};
use rushhour_livekit::AgentState;

/// The interval between the chunks of an answer that never ends.
const ENDLESS_TEXT_INTERVAL: Micros = Micros::from_millis(100);

/// What an answer responds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    Text,
    /// Speech, and how long after its end the end was detected.
    Speech(Micros),
    /// Nothing: the agent greets.
    Greeting,
}

/// An answer, from the end of the caller's turn to its last word.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) turn: u32,
    pub(super) trigger: Trigger,
    /// The end of the caller's turn.
    pub(super) since: SessionTime,
    /// Before it starts, counted from `since`.
    pub(super) configured_delay: Micros,
    text: String,
    pub(super) filler: Filler,
    /// The open stream of its text, and the number of chunks sent.
    stream: Option<(String, u64)>,
    /// When it started, counted from `since`.
    started_after: Option<Micros>,
}

impl Answer {
    const fn new(
        turn: u32,
        trigger: Trigger,
        since: SessionTime,
        configured_delay: Micros,
        text: String,
    ) -> Self {
        Self {
            turn,
            trigger,
            since,
            configured_delay,
            text,
            filler: Filler::None,
            stream: None,
            started_after: None,
        }
    }

    /// Whether the caller has heard something of it, so that speech of the caller interrupts it.
    pub(super) const fn has_begun(&self) -> bool {
        self.started_after.is_some()
            || matches!(self.filler, Filler::Saying { audible: true } | Filler::Said)
    }

    /// The first chunk, which is a word with the space after it, and the rest.
    fn chunks(&self) -> (&str, &str) {
        let end = self.text.find(' ').map_or(self.text.len(), |space| space + 1);
        self.text.split_at(end)
    }

    /// The two segments of the fault `swapped_segments`.
    fn segments(&self) -> (&str, &str) {
        let middle = self.text.len() / 2;
        let cut = self.text[..self.text.floor_char_boundary(middle)].rfind(' ');
        self.text.split_at(cut.map_or(0, |space| space + 1))
    }

    /// What the agent reports about its own times.
    fn own_times(&self) -> TurnParts {
        let end_of_turn = match self.trigger {
            Trigger::Speech(detected_after) => Some(detected_after),
            Trigger::Text | Trigger::Greeting => None,
        };
        let thinking =
            self.started_after.map(|all| all.saturating_sub(end_of_turn.unwrap_or_default()));
        TurnParts {
            end_of_turn,
            llm_first_token: thinking,
            end_to_end: self.started_after,
            ..TurnParts::default()
        }
    }
}

pub(super) fn segment_id(turn: u32) -> String {
    format!("SG_{turn}")
}

impl AgentSession {
    /// The caller's text has arrived completely.
    pub(super) fn receive_text(
        &mut self,
        text: &str,
        at: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        self.turn += 1;
        let (room, turn) = (self.room.clone(), self.turn);
        self.record(at, AgentFact::HeardText { room, turn, bytes: text.len() });
        self.prepare_answer(Trigger::Text, at, format!("You said: {text}"), handle);
    }

    pub(super) fn prepare_answer(
        &mut self,
        trigger: Trigger,
        since: SessionTime,
        text: String,
        handle: &mut dyn ParticipantHandle,
    ) {
        if self.fault == Some(JobFault::Mute) {
            return;
        }
        self.interrupt(handle);
        let load = self.context.load(handle.now());
        let delay = self.context.behaviour.turn_delay(&self.room, self.turn, load);
        // Nobody begins to think of an answer before the turn is over.
        let delay = match trigger {
            Trigger::Speech(_) => delay + self.end_of_turn_delay(),
            Trigger::Text | Trigger::Greeting => delay,
        };
        let mut answer = Answer::new(self.turn, trigger, since, delay, text);
        if self.context.behaviour.filler.is_some() {
            answer.filler = Filler::ToSay;
        }
        self.answer = Some(answer);
        self.steps.schedule(since + delay, Step::StartAnswer);
        if self.fault == Some(JobFault::StaleSegment) {
            self.steps.schedule(since + Micros(delay.0 / 2), Step::SendStaleSegment);
        }
        self.set_state(&AgentState::Thinking, handle);
    }

    /// Starts the greeting, which is turn 0.
    pub(super) fn greet(&mut self, since: SessionTime, handle: &mut dyn ParticipantHandle) {
        let behaviour = &self.context.behaviour;
        let (Some(greeting), Some(delay)) =
            (&behaviour.greeting, behaviour.greeting_delay(&self.room))
        else {
            return;
        };
        // If the caller was first, the agent answers instead.
        if self.turn > 0 && !greeting.insists {
            return;
        }
        if self.answer.is_some() {
            self.late_greeting = Some(since);
            return;
        }
        let text = greeting.text.clone();
        if greeting.insists {
            let now = handle.now();
            let delay = MeasuredDelay { wanted_us: delay, delay_us: now.since(since) };
            self.record(now, AgentFact::LateGreeting { room: self.room.clone(), delay });
        }
        self.answer = Some(Answer::new(0, Trigger::Greeting, since, delay, text));
        self.start_answer(handle);
    }

    /// Sends an old text again, with its old segment id.
    pub(super) fn send_stale_segment(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(answer) = &self.answer else { return };
        let earlier = answer.turn.saturating_sub(1);
        let text = format!("What was said in turn {earlier}.");
        self.send_stray_segment(&segment_id(earlier), &text, answer, handle);
    }

    fn send_stray_segment(
        &self,
        segment: &str,
        text: &str,
        answer: &Answer,
        handle: &mut dyn ParticipantHandle,
    ) {
        let stream = handle.open_text_stream(TRANSCRIPTION_TOPIC, open_segment(segment));
        handle.write_text_stream(&stream, 0, text);
        handle.close_text_stream(&stream, end_of_segment());
        let (now, room, turn) = (handle.now(), self.room.clone(), answer.turn);
        let delay_us = now.since(answer.since);
        self.record(now, AgentFact::StraySegment { room, turn, delay_us });
    }

    /// The delay is over. A voice agent starts with its next frame, and its text follows.
    pub(super) fn start_answer(&mut self, handle: &mut dyn ParticipantHandle) {
        if let Some(answer) = self.answer.as_mut().filter(|one| one.filler == Filler::ToSay) {
            answer.filler = Filler::Saying { audible: false };
            self.start_filler(handle);
            return;
        }
        match &mut self.voice {
            Some(voice) => voice.speak(self.context.sounds.speech.clone()),
            None => self.send_first_chunk(handle),
        }
    }

    fn send_first_chunk(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(answer) = &self.answer else { return };
        let turn = answer.turn;
        let mut segment = segment_id(turn);
        if self.fault == Some(JobFault::SwappedSegments) {
            let (_, second) = answer.segments();
            self.send_stray_segment(&format!("{segment}_2"), second, answer, handle);
            segment.push_str("_1");
        }
        let stream = handle.open_text_stream(TRANSCRIPTION_TOPIC, open_segment(&segment));
        let outcome = handle.write_text_stream(&stream, 0, answer.chunks().0);
        let now = handle.now();
        let delay_us = now.since(answer.since);
        let delay = MeasuredDelay { wanted_us: answer.configured_delay, delay_us };
        self.record(now, AgentFact::FirstChunk { room: self.room.clone(), turn, delay });
        self.record_if_not_sent(outcome, turn, now);
        if let Some(answer) = &mut self.answer {
            answer.stream = Some((stream, 1));
            answer.started_after.get_or_insert(delay_us);
        }
        self.set_state(&AgentState::Speaking, handle);
        if self.fault == Some(JobFault::EndlessText) {
            self.steps.schedule(now + ENDLESS_TEXT_INTERVAL, Step::ContinueEndlessText);
        } else if self.voice.is_none() {
            let delay = self.context.behaviour.final_delay(&self.room, turn);
            self.steps.schedule(now + delay, Step::FinishAnswer);
        }
    }

    fn record_if_not_sent(&self, outcome: SendOutcome, turn: u32, now: SessionTime) {
        if outcome == SendOutcome::NotSent {
            self.record(now, AgentFact::NotSent { room: self.room.clone(), turn });
        }
    }

    pub(super) fn continue_endless_text(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(answer) = &mut self.answer else { return };
        let turn = answer.turn;
        let Some((stream, chunks)) = &mut answer.stream else { return };
        let outcome = handle.write_text_stream(stream, *chunks, "and on ");
        *chunks += 1;
        let now = handle.now();
        self.record_if_not_sent(outcome, turn, now);
        self.steps.schedule(now + ENDLESS_TEXT_INTERVAL, Step::ContinueEndlessText);
    }

    /// Speaks while the caller does, until that has ended.
    pub(super) fn talk_over(&mut self, since: SessionTime, handle: &mut dyn ParticipantHandle) {
        let Some(voice) = &mut self.voice else { return };
        voice.speak(self.context.sounds.speech.clone());
        let (now, room, turn) = (handle.now(), self.room.clone(), self.turn + 1);
        self.record(now, AgentFact::TalkedOver { room, turn, since_began_us: now.since(since) });
        self.set_state(&AgentState::Speaking, handle);
    }

    /// Records where the agent's speech broke up.
    fn record_breaks(&mut self) {
        let breaks = self.voice.as_mut().map(Voice::take_breaks).unwrap_or_default();
        for SpeechBreak { kind, at, length } in breaks {
            let (room, length_us) = (self.room.clone(), length);
            let fact = match kind {
                BreakKind::Cut => AgentFact::SpeechCut { room, length_us },
                BreakKind::Stall => AgentFact::SpeechStalled { room, length_us },
                BreakKind::Loss => AgentFact::SpeechLost { room, length_us },
            };
            self.record(at, fact);
        }
    }

    /// Sends the audio frames that are due. The text of a spoken answer starts and ends with its audio.
    pub(super) fn send_due_frames(&mut self, handle: &mut dyn ParticipantHandle) {
        if let Some(became) = self.voice.as_mut().and_then(|voice| voice.send_due(handle)) {
            self.became_audible(became, handle);
        }
        self.record_breaks();
        let Some(voice) = &mut self.voice else { return };
        let Some(answer) = &self.answer else { return };
        if voice.is_speaking() {
            return;
        }
        if answer.filler == (Filler::Saying { audible: true }) {
            self.begin_tool(handle);
            return;
        }
        if answer.started_after.is_none() {
            return;
        }
        if self.fault == Some(JobFault::EndlessText) {
            voice.speak(self.context.sounds.speech.clone());
            return;
        }
        let (room, turn) = (self.room.clone(), answer.turn);
        self.record(handle.now(), AgentFact::Spoken { room, turn });
        self.finish_answer(handle);
    }

    /// The first audible frame of a filler or an answer was sent; its text follows.
    fn became_audible(&mut self, became: BecameAudible, handle: &mut dyn ParticipantHandle) {
        let Some(answer) = &mut self.answer else { return };
        if answer.started_after.is_some() {
            return;
        }
        if let Filler::Saying { audible } = &mut answer.filler {
            *audible = true;
            self.send_filler_text(Some(became.at), handle);
            return;
        }
        let (BecameAudible { at, outcome }, turn) = (became, answer.turn);
        let delay_us = at.since(answer.since);
        answer.started_after = Some(delay_us);
        let delay = MeasuredDelay { wanted_us: answer.configured_delay, delay_us };
        self.record(at, AgentFact::FirstAudible { room: self.room.clone(), turn, delay });
        self.record_if_not_sent(outcome, turn, at);
        self.send_first_chunk(handle);
    }

    /// Sends the rest of the answer's text and its metrics, then listens again.
    pub(super) fn finish_answer(&mut self, handle: &mut dyn ParticipantHandle) {
        let Some(answer) = self.answer.take() else { return };
        self.steps.cancel_answer();
        let turn = answer.turn;
        if let Some((stream, chunks)) = &answer.stream {
            let rest = match self.fault {
                Some(JobFault::SwappedSegments) => {
                    let sent = answer.chunks().0.len();
                    answer.segments().0.get(sent..).unwrap_or_default()
                }
                _ => answer.chunks().1,
            };
            let outcome = match rest {
                "" => SendOutcome::Sent,
                rest => handle.write_text_stream(stream, *chunks, rest),
            };
            let end_outcome = handle.close_text_stream(stream, end_of_segment());
            let now = handle.now();
            let (room, delay_us) = (self.room.clone(), now.since(answer.since));
            self.record(now, AgentFact::FinalChunk { room, turn, delay_us });
            let outcome = if outcome == SendOutcome::Sent { end_outcome } else { outcome };
            self.record_if_not_sent(outcome, turn, now);
        }
        if self.context.behaviour.metrics && answer.trigger != Trigger::Greeting {
            let item = format!("item_{turn}");
            let bytes = encode_turn_metrics(&item, &answer.text, &answer.own_times());
            handle.send_bytes(AGENT_SESSION_TOPIC, &bytes);
        }
        if turn > 0 && self.hands_over_after(self.answered + 1) {
            self.answered += 1;
            self.hand_over(handle);
        } else {
            self.end_turn(turn, handle);
        }
    }

    /// Counts an answered turn, then listens again or crashes.
    fn end_turn(&mut self, turn: u32, handle: &mut dyn ParticipantHandle) {
        self.answered += u32::from(turn > 0);
        let enough = self.answered >= self.context.behaviour.crash_after_turns;
        if self.fault == Some(JobFault::CrashAfterTurns) && enough {
            self.crash(handle);
        } else {
            self.set_state(&AgentState::Listening, handle);
            if let Some(since) = self.late_greeting.take() {
                self.greet(since, handle);
            }
        }
    }

    /// Cancels the answer in preparation or in progress.
    pub(super) fn interrupt(&mut self, handle: &mut dyn ParticipantHandle) {
        self.steps.cancel_answer();
        if let Some(voice) = &mut self.voice {
            voice.stop_speaking();
        }
        if let Some((stream, _)) = self.answer.take().and_then(|answer| answer.stream) {
            handle.close_text_stream(&stream, end_of_segment());
        }
    }

    /// Falls silent for the caller, whose speech began at `since`.
    pub(super) fn yield_to_caller(
        &mut self,
        since: SessionTime,
        handle: &mut dyn ParticipantHandle,
    ) {
        let Some(turn) = self.answer.as_ref().map(|answer| answer.turn) else { return };
        self.interrupt(handle);
        let now = handle.now();
        let wanted_us = self.context.behaviour.yield_delay(&self.room, turn);
        let delay = MeasuredDelay { wanted_us, delay_us: now.since(since) };
        self.record(now, AgentFact::Yielded { room: self.room.clone(), turn, delay });
        self.end_turn(turn, handle);
    }
}
