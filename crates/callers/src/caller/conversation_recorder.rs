//! Records a conversation as it happens: both sides as Ogg Opus, the turns, and what was said and written.

use super::utterances::Utterances;
use crate::audio::{DueFrame, FRAME_DURATION, SpeechCut, TrackRecorder};
use crate::participant::AudioPacket;
use crate::recording_store::{RecordedSide, RecordingSink};
use rushhour_core::event::{Outcome, SpeechQuality, Turn};
use rushhour_core::recording::{
    ConversationRecord, MAX_RECORDED_TURNS, RECORD_VERSION, RecordedSpeaker, RecordedText,
    RecordedTurn,
};
use rushhour_core::units::{ForeignText, Micros, Mode, RunIndex, SessionTime};

/// Bytes of one side that are held in memory, about two seconds of speech.
const HELD_BYTES: usize = 8 << 10;

/// Who sends a text twice sends it again within this time.
const SAME_TEXT_WITHIN: Micros = Micros::from_secs(1);

/// Records a conversation, as long as there is somebody to keep it.
#[derive(Default)]
pub(super) struct ConversationRecorder(Option<OpenRecording>);

struct OpenRecording {
    sink: Box<dyn RecordingSink>,
    run: RunIndex,
    mode: Mode,
    /// From when the caller can be spoken to.
    begun: Option<BegunRecording>,
}

struct BegunRecording {
    at: SessionTime,
    /// In voice.
    caller: Option<TrackRecorder>,
    agent: Option<TrackRecorder>,
    /// The number of the next frame that the caller sends.
    next_sequence: u16,
    caller_speaks_since: Option<SessionTime>,
    agent_speaks_since: Option<SessionTime>,
    turns: Vec<RecordedTurn>,
    /// How the agent's speech arrived.
    sound: SpeechQuality,
    texts: Vec<RecordedText>,
    /// The latest text of the agent, and the latest transcript of the caller, that was noted.
    agent_noted: Option<SessionTime>,
    heard_noted: Option<SessionTime>,
    is_shortened: bool,
}

impl ConversationRecorder {
    pub(super) fn new(sink: Option<Box<dyn RecordingSink>>, run: RunIndex, mode: Mode) -> Self {
        Self(sink.map(|sink| OpenRecording { sink, run, mode, begun: None }))
    }

    /// The caller can be spoken to.
    pub(super) fn begin(&mut self, at: SessionTime) {
        let Some(open) = self.0.as_mut().filter(|open| open.begun.is_none()) else { return };
        let run = open.run;
        let track = |side: RecordedSide, serial| {
            let title = format!("TITLE=Run {run}, {}", side.name());
            (open.mode == Mode::Voice).then(|| TrackRecorder::new(at, serial, &[title]))
        };
        open.begun = Some(BegunRecording {
            at,
            caller: track(RecordedSide::Caller, 1),
            agent: track(RecordedSide::Agent, 2),
            next_sequence: 0,
            caller_speaks_since: None,
            agent_speaks_since: None,
            turns: Vec::new(),
            sound: SpeechQuality::default(),
            texts: Vec::new(),
            agent_noted: None,
            heard_noted: None,
            is_shortened: false,
        });
    }

    /// The caller sent a frame.
    pub(super) fn caller_sent(&mut self, frame: &DueFrame, at: SessionTime) {
        let Some(begun) = self.begun() else { return };
        if frame.is_first_audible {
            begun.caller_speaks_since = Some(at);
        }
        let spoke = frame.is_last_audible.then(|| begun.caller_speaks_since.take()).flatten();
        let sequence = begun.next_sequence;
        begun.next_sequence = sequence.wrapping_add(1);
        let Some(track) = &mut begun.caller else { return };
        let (payload, rtp_time) = (frame.payload.clone(), frame.rtp_time);
        track.handle_packet(&AudioPacket { ssrc: 0, sequence, rtp_time, payload, at });
        if let Some(from) = spoke {
            track.add_speech(from, at + FRAME_DURATION);
        }
        self.pass_on(RecordedSide::Caller);
    }

    /// A packet of the agent's voice came.
    pub(super) fn agent_sent(&mut self, packet: &AudioPacket) {
        let Some(track) = self.begun().and_then(|begun| begun.agent.as_mut()) else { return };
        track.handle_packet(packet);
        self.pass_on(RecordedSide::Agent);
    }

    /// Digital silence cut the agent's speech.
    pub(super) fn agent_was_cut(&mut self, cut: SpeechCut) {
        if let Some(track) = self.begun().and_then(|begun| begun.agent.as_mut()) {
            track.add_cut(cut);
        }
    }

    /// The agent began to speak.
    pub(super) fn agent_began(&mut self, at: SessionTime) {
        if let Some(begun) = self.begun() {
            begun.agent_speaks_since.get_or_insert(at);
        }
    }

    /// The agent fell silent after its last audible packet.
    pub(super) fn agent_fell_silent(&mut self, last_audible_at: SessionTime) {
        let Some(begun) = self.begun() else { return };
        if let (Some(from), Some(track)) = (begun.agent_speaks_since.take(), &mut begun.agent) {
            track.add_speech(from, last_audible_at + FRAME_DURATION);
        }
    }

    /// The caller begins to say something.
    pub(super) fn caller_says(&mut self, text: &str, at: SessionTime) {
        if let Some(begun) = self.begun() {
            begun.note(RecordedSpeaker::Caller, text, at);
        }
    }

    /// A turn is over, which the caller had begun at `began`.
    pub(super) fn turn_ended(&mut self, turn: &Turn, began: SessionTime, utterances: &Utterances) {
        let Some(begun) = self.begun() else { return };
        if utterances.are_nearly_full() {
            begun.note_texts(utterances, true);
        }
        if let Some(sound) = turn.sound.filter(|_| !turn.away) {
            begun.sound = begun.sound.plus(&sound);
        }
        if begun.turns.len() >= MAX_RECORDED_TURNS {
            begun.is_shortened = true;
            return;
        }
        let since = |at: SessionTime| at.since(begun.at);
        let recorded = RecordedTurn {
            number: turn.number,
            began: since(began),
            said: since(turn.said),
            first: turn.first.map(since),
            last: turn.last.map(since),
            ending: turn.ending,
        };
        begun.turns.push(recorded);
    }

    /// The conversation is over.
    pub(super) fn finish(&mut self, outcome: &Outcome, at: SessionTime, utterances: &Utterances) {
        // A caller that could never be spoken to has no recording.
        let Some(OpenRecording { mut sink, run, mode, begun: Some(begun) }) = self.0.take() else {
            return;
        };
        let mut begun = begun;
        begun.note_texts(utterances, false);
        begun.texts.sort_by_key(|text| text.at);
        let sides = [
            (RecordedSide::Caller, begun.caller.take(), begun.caller_speaks_since),
            (RecordedSide::Agent, begun.agent.take(), begun.agent_speaks_since),
        ];
        let mut tracks = [None, None];
        for (slot, (side, track, speaks_since)) in tracks.iter_mut().zip(sides) {
            let Some(mut track) = track else { continue };
            if let Some(from) = speaks_since {
                track.add_speech(from, at);
            }
            let (bytes, recorded) = track.finish(at);
            if !sink.write(side, bytes) {
                return;
            }
            *slot = Some(recorded);
        }
        let [caller, agent] = tracks;
        sink.finish(ConversationRecord {
            version: RECORD_VERSION,
            run,
            mode,
            began: begun.at,
            duration: at.since(begun.at),
            outcome: outcome.clone(),
            longest_wait: begun.turns.iter().filter_map(RecordedTurn::wait).max(),
            sound: begun.sound,
            kept_for: Vec::new(),
            caller,
            agent,
            turns: begun.turns,
            texts: begun.texts,
            is_shortened: begun.is_shortened,
        });
    }

    fn begun(&mut self) -> Option<&mut BegunRecording> {
        self.0.as_mut()?.begun.as_mut()
    }

    /// Passes on what there is of a side. Where nobody keeps it any more, the recording is given up.
    fn pass_on(&mut self, side: RecordedSide) {
        let Some(open) = &mut self.0 else { return };
        let Some(begun) = &mut open.begun else { return };
        let track = match side {
            RecordedSide::Caller => &mut begun.caller,
            RecordedSide::Agent => &mut begun.agent,
        };
        let bytes = track.as_mut().and_then(|track| track.take(HELD_BYTES));
        if bytes.is_some_and(|bytes| !open.sink.write(side, bytes)) {
            self.0 = None;
        }
    }
}

impl BegunRecording {
    fn note(&mut self, speaker: RecordedSpeaker, text: &str, at: SessionTime) {
        let noted =
            RecordedText { at: at.since(self.at), speaker, text: ForeignText::from(text.trim()) };
        // A transcript that is sent in two forms was understood once.
        let is_repeated =
            self.texts.iter().rev().take_while(|one| one.speaker == speaker).any(|one| {
                one.text == noted.text && one.at.0.abs_diff(noted.at.0) < SAME_TEXT_WITHIN.0
            });
        if self.texts.len() >= MAX_RECORDED_TURNS {
            self.is_shortened = true;
        } else if !noted.text.is_empty() && !is_repeated {
            self.texts.push(noted);
        }
    }

    /// Notes what the agent wrote, and what it understood, since the last time; `complete` leaves the rest for later.
    fn note_texts(&mut self, utterances: &Utterances, complete: bool) {
        let is_new = |noted: Option<SessionTime>, at| noted.is_none_or(|noted| at > noted);
        for (at, text) in utterances.said(complete) {
            if is_new(self.agent_noted, at) {
                self.note(RecordedSpeaker::Agent, &text, at);
            }
        }
        for (at, text) in utterances.caller_transcript.said() {
            if is_new(self.heard_noted, at) {
                self.note(RecordedSpeaker::Heard, text, at);
            }
        }
        self.agent_noted = self.agent_noted.max(utterances.said(complete).map(|(at, _)| at).max());
        let heard = utterances.caller_transcript.said().map(|(at, _)| at).max();
        self.heard_noted = self.heard_noted.max(heard);
    }
}
