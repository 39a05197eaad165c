use super::*;
use crate::units::ByteSize;

const SETTINGS: RecordingSettings = RecordingSettings {
    keep: KeepRecordings::None,
    slowest: 0,
    choppiest: 0,
    sample: crate::units::Percent::ZERO,
    max_runs: 5,
    max_bytes: ByteSize::megabytes(1),
};

const NO_GAPS: SpeechQuality = SpeechQuality {
    speech: Micros::from_secs(9),
    starved: 0,
    late: 0,
    lost: 0,
    silent: Micros::ZERO,
    concealed: Micros::ZERO,
    longest_gap: Micros::ZERO,
};

const fn finished(run: u64, has_failed: bool, wait: u64) -> FinishedRecording {
    FinishedRecording {
        run: RunIndex(run),
        has_failed,
        longest_wait: Some(Micros(wait)),
        sound: NO_GAPS,
        bytes: 1_000,
    }
}

fn kept(selection: &RecordingSelection) -> Vec<u64> {
    selection.kept.keys().map(|run| run.0).collect()
}

#[test]
fn failures_are_kept_and_the_rest_is_deleted() {
    let settings = RecordingSettings { keep: KeepRecordings::Failures, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    assert!(selection.may_keep(RunIndex(0)));
    for run in 0..4 {
        let decision = selection.decide(&finished(run, run % 2 == 1, 5));
        let expected: &[KeptFor] = if run % 2 == 1 { &[KeptFor::Failure] } else { &[] };
        assert_eq!(decision.kept_for, expected);
    }
    assert_eq!((kept(&selection), selection.bytes()), (vec![1, 3], 2_000));
}

#[test]
fn the_slowest_oust_each_other_and_no_failure() {
    let settings = RecordingSettings { keep: KeepRecordings::Failures, slowest: 2, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    let mut decide = |run, failed, wait| selection.decide(&finished(run, failed, wait));
    assert_eq!(decide(0, false, 10).kept_for, [KeptFor::Slow]);
    assert_eq!(decide(1, true, 20).kept_for, [KeptFor::Failure, KeptFor::Slow]);
    assert_eq!(decide(2, false, 5), RecordingDecision::default());
    // The first is the fastest of the two, and nothing else keeps it.
    assert_eq!(decide(3, false, 30).deleted, [RunIndex(0)]);
    // The second is now the fastest, and stays as a failure.
    assert_eq!(decide(4, false, 25).deleted, []);
    assert_eq!(kept(&selection), [1, 3, 4]);
    let silent = FinishedRecording { longest_wait: None, ..finished(5, false, 0) };
    assert!(selection.decide(&silent).kept_for.is_empty(), "it never waited");
}

#[test]
fn the_slowest_are_those_of_the_whole_session_also_where_it_was_resumed() {
    let settings = RecordingSettings { keep: KeepRecordings::Failures, slowest: 2, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    let earlier = |run, kept_for: &[KeptFor], wait| EarlierRecording {
        run: RunIndex(run),
        kept_for: kept_for.to_vec(),
        longest_wait: Some(Micros(wait)),
        sound: SpeechQuality::default(),
        bytes: 1_000,
    };
    // The first was one of the slowest until the others came.
    let both = [KeptFor::Failure, KeptFor::Slow];
    for one in [
        earlier(1, &both, 10),
        earlier(2, &[KeptFor::Slow], 20),
        earlier(3, &[KeptFor::Slow], 40),
        earlier(4, &[], 90),
    ] {
        selection.add_earlier(&one);
    }
    assert_eq!(selection.decide(&finished(5, false, 15)), RecordingDecision::default());
    assert_eq!(selection.decide(&finished(6, false, 30)).deleted, [RunIndex(2)]);
    assert_eq!(kept(&selection), [1, 3, 4, 6]);
    assert_eq!(selection.bytes(), 4_000);
}

#[test]
fn a_sample_is_drawn_from_the_seed() {
    let settings = RecordingSettings { sample: "10%".parse().unwrap(), ..SETTINGS };
    let selection = RecordingSelection::new(settings, 7);
    let of = |selection: &RecordingSelection| {
        (0..10_000).filter(|run| selection.may_keep(RunIndex(*run))).collect::<Vec<u64>>()
    };
    let drawn = of(&selection);
    // Five standard deviations of a binomial are 150.
    assert!(drawn.len().abs_diff(1_000) < 150, "{}", drawn.len());
    assert_eq!(drawn, of(&selection));
    assert_ne!(drawn, of(&RecordingSelection::new(settings, 8)));
    let mut selection = selection;
    let run = drawn[0];
    assert_eq!(selection.decide(&finished(run, false, 0)).kept_for, [KeptFor::Sample]);
}

#[test]
fn within_the_bounds_failures_go_before_slow_runs_and_these_before_others() {
    let settings = RecordingSettings { keep: KeepRecordings::All, slowest: 2, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    for run in 0..5 {
        assert!(!selection.decide(&finished(run, false, 10 - run)).kept_for.is_empty());
    }
    assert_eq!(selection.decide(&finished(5, false, 1)), RecordingDecision::default());
    assert_eq!(selection.refused(), 1);
    for (run, ousted) in [(6, 4), (7, 3), (8, 2), (9, 1), (10, 0)] {
        assert_eq!(selection.decide(&finished(run, true, 0)).deleted, [RunIndex(ousted)]);
    }
    assert_eq!(selection.decide(&finished(11, true, 0)), RecordingDecision::default());
    assert_eq!((kept(&selection), selection.count()), (vec![6, 7, 8, 9, 10], 5));
}

#[test]
fn the_bytes_are_bounded_too() {
    let settings = RecordingSettings { keep: KeepRecordings::All, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    let large =
        |run, has_failed, bytes| FinishedRecording { bytes, ..finished(run, has_failed, 0) };
    assert!(!selection.decide(&large(0, false, 600_000)).kept_for.is_empty());
    assert!(selection.decide(&large(1, false, 600_000)).kept_for.is_empty());
    assert_eq!(selection.decide(&large(2, true, 600_000)).deleted, [RunIndex(0)]);
    assert!(selection.decide(&large(3, true, 1_000_001)).kept_for.is_empty());
    assert_eq!((selection.bytes(), selection.refused()), (600_000, 3), "one made room");
}

#[test]
fn the_choppiest_are_those_with_the_most_gaps_and_of_equally_many_the_most_that_was_not_heard() {
    let settings = RecordingSettings { choppiest: 2, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    assert!(selection.may_keep(RunIndex(0)));
    let mut decide = |run, starved, silent| {
        let silent = Micros::from_millis(silent);
        let sound = SpeechQuality { starved, silent, ..SpeechQuality::default() };
        selection.decide(&FinishedRecording { sound, ..finished(run, false, 0) })
    };
    assert!(decide(0, 0, 0).kept_for.is_empty(), "its speech never broke up");
    for (run, starved, silent, ousted) in
        [(1, 2, 80, None), (2, 2, 90, None), (3, 3, 30, Some(1)), (4, 3, 40, Some(2))]
    {
        let deleted = ousted.map(RunIndex).into_iter().collect();
        let expected = RecordingDecision { kept_for: vec![KeptFor::Choppy], deleted };
        assert_eq!(decide(run, starved, silent), expected);
    }
    assert_eq!(decide(5, 2, 1_000), RecordingDecision::default());
    assert_eq!((kept(&selection), selection.refused()), (vec![3, 4], 0));
}

#[test]
fn who_is_no_longer_one_of_the_slowest_stays_as_long_as_something_else_keeps_it() {
    let settings = RecordingSettings { slowest: 1, choppiest: 1, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    let sound = SpeechQuality { starved: 1, ..SpeechQuality::default() };
    let both = FinishedRecording { sound, ..finished(0, false, 10) };
    assert_eq!(selection.decide(&both).kept_for, [KeptFor::Slow, KeptFor::Choppy]);
    assert_eq!(selection.decide(&finished(1, false, 20)).deleted, []);
    let sound = SpeechQuality { starved: 2, ..sound };
    let choppier = FinishedRecording { sound, ..finished(2, false, 0) };
    assert_eq!(selection.decide(&choppier).deleted, [RunIndex(0)]);
    let settings = RecordingSettings { keep: KeepRecordings::All, slowest: 1, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    for run in 0..5 {
        assert_eq!(selection.decide(&finished(run, false, run + 1)).deleted, [], "all are kept");
    }
    // Those that are slow no longer make room for one that is slower.
    assert_eq!(selection.decide(&finished(5, false, 9)).deleted, [RunIndex(4)]);
    assert_eq!((kept(&selection), selection.refused()), (vec![0, 1, 2, 3, 5], 1));
}

#[test]
fn weaker_recordings_make_room_for_runs_that_may_fail_yet_and_failures_do_not() {
    let settings = RecordingSettings { keep: KeepRecordings::Failures, slowest: 4, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    for (run, has_failed) in [(0, false), (1, true), (2, false)] {
        selection.decide(&finished(run, has_failed, 10 - run));
    }
    assert_eq!(selection.make_room_for(997_000), Some(Vec::new()), "there is room");
    assert_eq!(selection.make_room_for(998_000), Some(vec![RunIndex(2)]));
    assert_eq!(selection.make_room_for(999_001), None);
    assert_eq!((kept(&selection), selection.bytes()), (vec![0, 1], 2_000), "nothing in vain");
    assert_eq!(selection.make_room_for(999_000), Some(vec![RunIndex(0)]));
    assert_eq!((kept(&selection), selection.refused()), (vec![1], 2));
    // Where nothing is kept for failures, a run can be one of the slowest at most.
    let settings = RecordingSettings { slowest: 4, ..SETTINGS };
    let mut selection = RecordingSelection::new(settings, 7);
    selection.decide(&finished(0, true, 5));
    assert_eq!(selection.make_room_for(999_001), None);
}
