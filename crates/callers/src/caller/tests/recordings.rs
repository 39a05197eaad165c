//! Conversations that are recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::super::prepared_script::{PreparedBackchannel, PreparedTurn};
use super::scene::{Scene, script, speaks, tone, writes};
use crate::audio::{Clip, DecodeRate, Decoder, FRAME_DURATION, FRAME_SAMPLES};
use crate::engine::LeaveReason;
use crate::recording_store::{RecordedSide, RecordingSink};
use rushhour_core::event::Outcome;
use rushhour_core::recording::{
    ConversationRecord, RecordedGap, RecordedGapCause, RecordedSpeaker,
};
use rushhour_core::units::{Micros, Mode};

/// What came of a recording.
#[derive(Default)]
struct Kept {
    sides: BTreeMap<RecordedSide, Vec<u8>>,
    record: Option<ConversationRecord>,
    is_dropped: bool,
    /// Refuses to be written to.
    is_full: bool,
}

struct KeepingSink(Arc<Mutex<Kept>>);

impl RecordingSink for KeepingSink {
    fn write(&mut self, side: RecordedSide, bytes: Vec<u8>) -> bool {
        let mut kept = self.0.lock().unwrap();
        kept.sides.entry(side).or_default().extend(bytes);
        !kept.is_full
    }

    fn finish(self: Box<Self>, record: ConversationRecord) {
        self.0.lock().unwrap().record = Some(record);
    }
}

impl Drop for KeepingSink {
    fn drop(&mut self) {
        self.0.lock().unwrap().is_dropped = true;
    }
}

fn sink() -> (Arc<Mutex<Kept>>, Box<dyn RecordingSink>) {
    let kept = Arc::new(Mutex::new(Kept::default()));
    (kept.clone(), Box::new(KeepingSink(kept)))
}

/// When a side of a recording is audible for the first and for the last time, in milliseconds.
fn heard(kept: &Kept, side: RecordedSide) -> (u64, u64) {
    let clip = Clip::from_bytes(&kept.sides[&side]).unwrap();
    let at = |frame: usize| frame as u64 * FRAME_DURATION.0 / 1_000;
    (at(clip.first_audible()), at(clip.last_audible() + 1))
}

#[test]
fn both_sides_of_a_spoken_conversation_are_kept_with_their_timing() {
    let (kept, sink) = sink();
    let mut turn = speaks(&tone(600));
    turn.spoken = Some("Good evening.".to_owned());
    let mut scene = Scene::recorded(Mode::Voice, script(vec![turn]), sink);
    // The turn begins when the agent has been silent for half a second.
    scene.until(1_900);
    scene.answers(2_400, "SG_1", "Good evening to you.");
    scene.agent_speaks(2_500, &tone(1_000));
    scene.until(5_000);
    let (turns, outcome, _) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    let kept = kept.lock().unwrap();
    let record = kept.record.as_ref().expect("it was finished");
    // The data channel opened at 200 ms.
    assert_eq!(record.began.0, 200_000);
    let (caller, agent) = (heard(&kept, RecordedSide::Caller), heard(&kept, RecordedSide::Agent));
    let since = |at: u64| (at - record.began.0) / 1_000;
    let near = |found: u64, expected: u64| found.abs_diff(expected) <= 40;
    assert!(near(caller.1, since(turns[0].said.0)), "{caller:?} {turns:?}");
    assert!(near(agent.0, since(turns[0].first.unwrap().0)), "{agent:?} {turns:?}");
    assert!(near(agent.1, since(turns[0].last.unwrap().0)), "{agent:?} {turns:?}");
    let spans = |side: &Option<rushhour_core::recording::RecordedTrack>| {
        let speech = side.as_ref().unwrap().speech.iter();
        speech.map(|span| (span.from.0 / 1_000, span.to.0 / 1_000)).collect::<Vec<_>>()
    };
    let (said, answered) = (spans(&record.caller), spans(&record.agent));
    assert!(said.len() == 1 && near(said[0].0, caller.0) && near(said[0].1, caller.1), "{said:?}");
    assert!(answered.len() == 1 && near(answered[0].0, agent.0), "{answered:?}");
    let texts: Vec<_> = record.texts.iter().map(|one| (one.speaker, one.text.as_str())).collect();
    let expected = [
        (RecordedSpeaker::Caller, "Good evening."),
        (RecordedSpeaker::Agent, "Good evening to you."),
    ];
    assert_eq!(texts, expected);
    assert_eq!((record.turns.len(), record.longest_wait), (1, record.turns[0].wait()));
    assert!(record.overlaps().is_empty());
}

#[test]
fn where_the_synthesis_starves_a_gap_is_marked_on_the_agent_s_track() {
    let (after, frames) = (72, 20);
    let mut decoder = Decoder::new(DecodeRate::Fullband).unwrap();
    let (mut samples, mut frame) = (Vec::new(), Vec::new());
    for (number, payload) in tone(3_000).frames().iter().enumerate() {
        if number == after {
            samples.resize(samples.len() + frames * FRAME_SAMPLES, 0.0);
        }
        decoder.decode(payload, &mut frame).unwrap();
        samples.extend_from_slice(&frame);
    }
    let clip = Clip::from_samples(&samples).unwrap();
    let (kept, sink) = sink();
    let mut scene = Scene::recorded(Mode::Voice, script(vec![speaks(&tone(600))]), sink);
    scene.until(1_900);
    scene.agent_speaks(2_500, &clip);
    scene.until(9_000);
    let (turns, ..) = scene.end();
    let kept = kept.lock().unwrap();
    let record = kept.record.as_ref().expect("it was finished");
    assert_eq!((record.sound.starved, Some(record.sound)), (1, turns[0].sound));
    let gaps = &record.agent.as_ref().unwrap().gaps;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let RecordedGap { from, to, cause } = gaps[0];
    assert_eq!((cause, to.saturating_sub(from)), (RecordedGapCause::Starved, record.sound.silent));
    // The recording began at 200 ms.
    let expected = 2_500 - 200 + 20 * after as u64;
    assert!((from.0 / 1_000).abs_diff(expected) <= 40, "{gaps:?}, not at {expected} ms");
}

#[test]
fn a_backchannel_is_kept_with_its_words() {
    let (kept, sink) = sink();
    let backchannel = PreparedBackchannel {
        clip: tone(200),
        spoken: Some("Mm-hm.".to_owned()),
        after: Micros::from_secs(1),
    };
    let turn = PreparedTurn { backchannel: Some(backchannel), ..speaks(&tone(600)) };
    let mut scene = Scene::recorded(Mode::Voice, script(vec![turn]), sink);
    scene.agent_speaks(2_500, &tone(3_000));
    scene.until(8_000);
    scene.end();
    let kept = kept.lock().unwrap();
    let record = kept.record.as_ref().expect("it was finished");
    let said = record.texts.iter().map(|one| (one.text.as_str(), one.at.0 / 1_000));
    let said: Vec<_> = said.collect();
    let [("(a clip)", _), ("Mm-hm.", at)] = said[..] else { panic!("{said:?}") };
    // The answer began at 2,520 ms, and the recording at 200 ms.
    assert!((3_320..=3_340).contains(&at), "{said:?}");
}

#[test]
fn a_chat_is_kept_as_text() {
    let (kept, sink) = sink();
    let mut scene = Scene::recorded(Mode::Chat, script(vec![writes("one"), writes("two")]), sink);
    scene.until(1_500);
    scene.answers(1_600, "SG_1", "first");
    scene.until(3_000);
    scene.answers(3_100, "SG_2", "second");
    scene.until(5_000);
    let (turns, ..) = scene.end();
    let kept = kept.lock().unwrap();
    let record = kept.record.as_ref().expect("it was finished");
    assert_eq!((turns.len(), record.turns.len(), kept.sides.len()), (2, 2, 0));
    let texts: Vec<&str> = record.texts.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["one", "first", "two", "second"]);
    assert!(record.caller.is_none() && record.agent.is_none());
}

#[test]
fn a_recording_that_nobody_keeps_is_given_up_and_the_conversation_goes_on() {
    let (kept, sink) = sink();
    kept.lock().unwrap().is_full = true;
    let mut scene = Scene::recorded(Mode::Voice, script(vec![speaks(&tone(600))]), sink);
    scene.until(1_900);
    scene.agent_speaks(2_500, &tone(1_000));
    scene.until(5_000);
    let (_, outcome, _) = scene.end();
    assert_eq!(outcome, Outcome::Completed { judged: None });
    let kept = kept.lock().unwrap();
    assert!(kept.is_dropped && kept.record.is_none());
}

#[test]
fn a_caller_that_was_never_connected_has_no_recording() {
    let (kept, sink) = sink();
    let mut scene =
        Scene::joining_recorded(Mode::Voice, script(vec![speaks(&tone(600))]), Some(sink));
    scene.left(300, LeaveReason::ClientInitiated);
    let kept = kept.lock().unwrap();
    assert!(kept.is_dropped && kept.record.is_none() && kept.sides.is_empty());
}
