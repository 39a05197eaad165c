use super::super::session_page_with;
use super::super::tests::check_page;
use super::*;
use crate::session::Criterion;
use crate::session::test_sessions::{Fate, HOSTILE, SessionBuilder, ordinary};
use rushhour_core::event::{SpeechQuality, TurnEnding};
use rushhour_core::recording::{KeptFor, RECORD_VERSION, RecordedSpeaker, RecordedText};
use rushhour_core::units::{Mode, SessionTime};

const fn millis(from: u64) -> Micros {
    Micros::from_millis(from)
}

fn voice(run: u64, outcome: Outcome) -> ConversationRecord {
    let track = |spans: &[(u64, u64)]| RecordedTrack {
        speech: spans
            .iter()
            .map(|(from, to)| RecordedSpan { from: millis(*from), to: millis(*to) })
            .collect(),
        ..RecordedTrack::default()
    };
    let gap = |from, cause| RecordedGap { from: millis(from), to: millis(from + 200), cause };
    let gaps = vec![gap(3_100, RecordedGapCause::Lost), gap(3_500, RecordedGapCause::Starved)];
    ConversationRecord {
        version: RECORD_VERSION,
        run: RunIndex(run),
        mode: Mode::Voice,
        began: SessionTime(0),
        duration: millis(8_000),
        outcome,
        longest_wait: Some(millis(700)),
        sound: SpeechQuality { starved: 1, lost: 1, ..SpeechQuality::default() },
        kept_for: vec![KeptFor::Failure, KeptFor::Slow],
        caller: Some(track(&[(1_000, 2_000)])),
        agent: Some(RecordedTrack { gaps, ..track(&[(1_900, 2_300), (2_700, 4_000)]) }),
        turns: vec![RecordedTurn {
            number: 1,
            began: millis(990),
            said: millis(2_000),
            first: Some(millis(2_700)),
            last: Some(millis(4_000)),
            ending: TurnEnding::Answered,
        }],
        texts: vec![RecordedText {
            at: millis(1_000),
            speaker: RecordedSpeaker::Caller,
            text: HOSTILE.into(),
        }],
        is_shortened: false,
    }
}

fn page_with(records: Vec<ConversationRecord>) -> String {
    let mut builder = SessionBuilder::chat("");
    for run in 0..20 {
        builder.run(SessionTime(run * 100_000), Micros::ZERO, Fate::Fails("it broke"));
    }
    let (folded, verdict) = builder.closed();
    let page =
        session_page_with(&folded, &verdict, Criterion::Interval, &RecordedRuns::new(records));
    // All that a page may load.
    check_page(&page.replace("src=\"recordings/run-", "data-is=\""));
    page
}

#[test]
fn a_recording_is_played_from_beside_the_page_and_linked_from_its_failure() {
    let failed = Outcome::failed(FailureClass::TurnTimeout, "no answer");
    let page = page_with(vec![voice(3, failed)]);
    assert!(page.contains("media-src 'self' file:"));
    for side in ["caller", "agent"] {
        let source = format!(
            "preload=\"none\" aria-label=\"Run 3, the {side}\" src=\"recordings/run-3-{side}.opus\""
        );
        assert!(page.contains(&source), "{page}");
    }
    assert!(
        page.contains("<code>turn_timeout</code>: <a href=\"#recording-3\">run 3</a>"),
        "{page}"
    );
    assert!(page.contains("id=\"recording-3\""));
    assert!(page.contains(
        "Run 3, voice: failed, turn_timeout; 8.00 s, longest wait 700ms, 2 gaps in the agent's speech; kept as failure and slow"
    ), "{page}");
    assert!(
        page.contains("both at once for 0.10 s. Packets were missing for 0.20 s. The agent's synthesis starved for 0.20 s. 1 turn."),
        "{page}"
    );
    assert_eq!(page.matches("class=\"both\"").count(), 4, "each canvas has it, and its legend");
    for cause in ["missing", "starved"] {
        assert_eq!(page.matches(&format!("class=\"{cause}\"")).count(), 4, "{cause}");
    }
    assert!(page.contains("starved</td>"), "in the table");
}

#[test]
fn slow_runs_link_to_theirs_and_chats_have_no_sound() {
    let (folded, verdict) = ordinary(300, "");
    let (metric, mode) = (crate::fold::TIMELINE_METRICS[0], Mode::Chat);
    let slowest = folded.slowest.of(metric, mode)[0].run;
    let chat = ConversationRecord {
        mode,
        caller: None,
        agent: None,
        ..voice(slowest.0, Outcome::Completed { judged: None })
    };
    let recordings = RecordedRuns::new([chat]);
    let page = session_page_with(&folded, &verdict, Criterion::Interval, &recordings);
    check_page(&page);
    assert!(
        page.contains(&format!("<a class=\"term\" href=\"#recording-{slowest}\">{slowest}</a>"))
    );
    assert!(!page.contains("<audio"));
}

#[test]
fn without_recordings_a_page_may_load_nothing() {
    let page = page_with(Vec::new());
    assert!(!page.contains("media-src") && !page.contains("recordings/"), "{page}");
}
