//! Which recordings are kept: decided when a run has ended, within the bounds of the profile.

use std::collections::BTreeMap;

use super::conversation_record::KeptFor;
use crate::profile::{KeepRecordings, RecordingSettings};
use crate::rng::KeyedRng;
use crate::units::{Micros, RunIndex};

/// A recording whose run has ended.
#[derive(Debug, Clone, Copy)]
pub struct FinishedRecording {
    /// The run.
    pub run: RunIndex,
    /// Whether the run failed, or an answer was not as expected.
    pub has_failed: bool,
    /// The longest wait for an answer, if there was one.
    pub longest_wait: Option<Micros>,
    /// What it takes on the disk.
    pub bytes: u64,
}

/// A recording that an earlier process of the session kept.
#[derive(Debug, Clone)]
pub struct EarlierRecording {
    /// The run.
    pub run: RunIndex,
    /// Why it was kept; nothing where that is not known any more.
    pub kept_for: Vec<KeptFor>,
    /// The longest wait for an answer, if there was one.
    pub longest_wait: Option<Micros>,
    /// What it takes on the disk.
    pub bytes: u64,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingDecision {
    /// Why the recording is kept, the strongest reason first; it is deleted if there is none.
    pub kept_for: Vec<KeptFor>,
    /// Recordings that were kept before, and make room for it.
    pub deleted: Vec<RunIndex>,
}

/// The recordings that are kept so far.
#[derive(Debug, Clone)]
pub struct RecordingSelection {
    settings: RecordingSettings,
    seed: u64,
    kept: BTreeMap<RunIndex, KeptRecording>,
    bytes: u64,
    /// Recordings that would have been kept, had there been room.
    refused: u64,
}

#[derive(Debug, Clone, Copy)]
struct KeptRecording {
    /// The strongest reason.
    reason: KeptFor,
    /// Whether it is among the slowest.
    is_slow: bool,
    longest_wait: Micros,
    bytes: u64,
}

/// A place among the slowest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlowPlace {
    /// There is none.
    None,
    /// One that no run has.
    Free,
    /// That of the fastest of them, which leaves them.
    Of(RunIndex),
}

impl RecordingSelection {
    /// None are kept yet.
    pub const fn new(settings: RecordingSettings, seed: u64) -> Self {
        Self { settings, seed, kept: BTreeMap::new(), bytes: 0, refused: 0 }
    }

    /// Whether a run is recorded at all: it may be kept.
    pub fn may_keep(&self, run: RunIndex) -> bool {
        self.settings.records_all() || self.is_sampled(run)
    }

    /// The recordings that are kept.
    pub fn count(&self) -> usize {
        self.kept.len()
    }

    /// What they take on the disk.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Recordings that would have been kept, had there been room.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes in a recording that an earlier process of the session kept, as if this one had kept it.
    pub fn add_earlier(&mut self, earlier: &EarlierRecording) {
        let EarlierRecording { run, kept_for, longest_wait, bytes } = earlier;
        // One of which nothing is known makes room for no other.
        let reason = kept_for.iter().min().copied().unwrap_or(KeptFor::Failure);
        let is_slow = kept_for.contains(&KeptFor::Slow);
        let longest_wait = longest_wait.unwrap_or_default();
        self.insert(*run, KeptRecording { reason, is_slow, longest_wait, bytes: *bytes });
        // A failure that was one of the slowest stays when slower runs come, and its record still says that it was.
        let slow = || self.kept.iter().filter(|(_, kept)| kept.is_slow);
        if slow().count() > self.settings.slowest as usize
            && let Some(fastest) = slow().min_by_key(|(_, kept)| kept.longest_wait)
        {
            let run = *fastest.0;
            if let Some(kept) = self.kept.get_mut(&run) {
                kept.is_slow = false;
            }
        }
    }

    /// Decides about a recording, and takes it in if it is kept.
    pub fn decide(&mut self, finished: &FinishedRecording) -> RecordingDecision {
        let FinishedRecording { run, has_failed, longest_wait, bytes } = *finished;
        let settings = &self.settings;
        let place = longest_wait.map_or(SlowPlace::None, |wait| self.slow_place_of(wait));
        let reasons = [
            (KeptFor::Failure, has_failed && settings.keep != KeepRecordings::None),
            (KeptFor::Slow, place != SlowPlace::None),
            (KeptFor::Sample, self.is_sampled(run)),
            (KeptFor::All, settings.keep == KeepRecordings::All),
        ];
        let kept_for: Vec<KeptFor> =
            reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect();
        let Some(&reason) = kept_for.first() else { return RecordingDecision::default() };
        let ousted = match place {
            SlowPlace::Of(run) => Some(run),
            SlowPlace::None | SlowPlace::Free => None,
        };
        let goes =
            |run: &RunIndex| self.kept.get(run).is_some_and(|kept| kept.reason == KeptFor::Slow);
        let mut deleted: Vec<RunIndex> = ousted.filter(goes).into_iter().collect();
        while !self.has_room(&deleted, bytes) {
            let Some(weaker) = self.weakest_below(reason, &deleted) else {
                self.refused += 1;
                return RecordingDecision::default();
            };
            deleted.push(weaker);
        }
        if let Some(ousted) = ousted.and_then(|run| self.kept.get_mut(&run)) {
            ousted.is_slow = false;
        }
        for run in &deleted {
            if let Some(kept) = self.kept.remove(run) {
                self.bytes -= kept.bytes;
            }
        }
        let is_slow = kept_for.contains(&KeptFor::Slow);
        let longest_wait = longest_wait.unwrap_or_default();
        self.insert(run, KeptRecording { reason, is_slow, longest_wait, bytes });
        RecordingDecision { kept_for, deleted }
    }

    /// A recording could not be kept after all.
    pub fn forget(&mut self, run: RunIndex) {
        if let Some(kept) = self.kept.remove(&run) {
            self.bytes -= kept.bytes;
        }
    }

    fn insert(&mut self, run: RunIndex, kept: KeptRecording) {
        self.bytes += kept.bytes;
        self.kept.insert(run, kept);
    }

    fn is_sampled(&self, run: RunIndex) -> bool {
        let drawn = KeyedRng::new(self.seed).draw("recording", &run.0.to_string()).uniform();
        drawn < self.settings.sample.fraction()
    }

    /// The place of a run with this wait among the slowest.
    fn slow_place_of(&self, wait: Micros) -> SlowPlace {
        let slow = || self.kept.iter().filter(|(_, kept)| kept.is_slow);
        if slow().count() < self.settings.slowest as usize {
            return SlowPlace::Free;
        }
        match slow().min_by_key(|(_, kept)| kept.longest_wait) {
            Some((run, least)) if least.longest_wait < wait => SlowPlace::Of(*run),
            _ => SlowPlace::None,
        }
    }

    fn has_room(&self, deleted: &[RunIndex], bytes: u64) -> bool {
        let freed = deleted.iter().filter_map(|run| self.kept.get(run)).map(|kept| kept.bytes);
        let runs = self.kept.len() - deleted.len();
        runs < self.settings.max_runs as usize
            && self.bytes - freed.sum::<u64>() + bytes <= self.settings.max_bytes.bytes()
    }

    /// The recording that is given up first for one with `reason`: the one with the weakest reason, of slow ones the
    /// fastest, of others the latest.
    fn weakest_below(&self, reason: KeptFor, deleted: &[RunIndex]) -> Option<RunIndex> {
        self.kept
            .iter()
            .filter(|(run, kept)| kept.reason > reason && !deleted.contains(run))
            .max_by_key(|(run, kept)| (kept.reason, std::cmp::Reverse(kept.longest_wait), **run))
            .map(|(run, _)| *run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ByteSize;

    const SETTINGS: RecordingSettings = RecordingSettings {
        keep: KeepRecordings::None,
        slowest: 0,
        sample: crate::units::Percent::ZERO,
        max_runs: 5,
        max_bytes: ByteSize::megabytes(1),
    };

    const fn finished(run: u64, has_failed: bool, wait: u64) -> FinishedRecording {
        FinishedRecording {
            run: RunIndex(run),
            has_failed,
            longest_wait: Some(Micros(wait)),
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
        assert_eq!((selection.bytes(), selection.refused()), (600_000, 2));
    }
}
