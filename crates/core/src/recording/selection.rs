//! Which recordings are kept: decided when a run has ended, within the bounds of the profile.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::conversation_record::KeptFor;
use crate::event::SpeechQuality;
use crate::profile::{KeepRecordings, RecordingSettings};
use crate::rng::KeyedRng;
use crate::units::{Micros, RunIndex};

/// What only so many recordings are kept for: those that rank highest.
const RANKED: [KeptFor; 2] = [KeptFor::Slow, KeptFor::Choppy];

/// A recording whose run has ended.
#[derive(Debug, Clone, Copy)]
pub struct FinishedRecording {
    /// The run.
    pub run: RunIndex,
    /// Whether the run failed, or an answer was not as expected.
    pub has_failed: bool,
    /// The longest wait for an answer, if there was one.
    pub longest_wait: Option<Micros>,
    /// How the agent's speech arrived.
    pub sound: SpeechQuality,
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
    /// How the agent's speech arrived.
    pub sound: SpeechQuality,
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
    /// Recordings that would be kept, had there been room.
    refused: u64,
}

#[derive(Debug, Clone)]
struct KeptRecording {
    /// The strongest reason first; those that rank too low by now are no longer among them.
    kept_for: Vec<KeptFor>,
    ranks: Ranks,
    bytes: u64,
}

impl KeptRecording {
    /// The strongest reason that is left once a run has lost its places.
    fn reason_without(&self, run: RunIndex, lost: &[LostPlace]) -> Option<KeptFor> {
        self.kept_for.iter().copied().find(|reason| !lost.contains(&(run, *reason)))
    }
}

/// What runs are ranked by.
#[derive(Debug, Clone, Copy)]
struct Ranks {
    longest_wait: Option<Micros>,
    sound: SpeechQuality,
}

impl Ranks {
    /// How high a run ranks; `None` for one that has nothing of what is ranked.
    fn of(&self, ranking: KeptFor) -> Option<(u64, Micros)> {
        match ranking {
            KeptFor::Slow => self.longest_wait.map(|wait| (0, wait)),
            KeptFor::Choppy => {
                let gaps = self.sound.gaps();
                (gaps > 0).then(|| (gaps, self.sound.unheard()))
            }
            KeptFor::Failure | KeptFor::Sample | KeptFor::All => None,
        }
    }
}

/// A run that leaves a ranking.
type LostPlace = (RunIndex, KeptFor);

/// A place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// There is none.
    None,
    /// One that no run has.
    Free,
    /// That of the lowest run, which leaves it.
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

    /// Recordings that would be kept, had there been room.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes in a recording that an earlier process of the session kept, as if this one had kept it.
    pub fn add_earlier(&mut self, earlier: &EarlierRecording) {
        let EarlierRecording { run, mut kept_for, longest_wait, sound, bytes } = earlier.clone();
        if kept_for.is_empty() {
            // One of which nothing is known makes room for no other.
            kept_for.push(KeptFor::Failure);
        }
        kept_for.sort_unstable();
        let ranks = Ranks { longest_wait, sound };
        self.insert(run, KeptRecording { kept_for, ranks, bytes });
        // A failure that was one of the slowest stays when slower runs come, and its record still says that it was.
        for ranking in RANKED {
            if self.ranked(ranking).count() > self.places(ranking)
                && let Some((lowest, _)) = self.lowest(ranking)
            {
                self.leave(lowest, ranking);
            }
        }
    }

    /// Decides about a recording, and takes it in if it is kept.
    pub fn decide(&mut self, finished: &FinishedRecording) -> RecordingDecision {
        let FinishedRecording { run, has_failed, longest_wait, sound, bytes } = *finished;
        let settings = &self.settings;
        let ranks = Ranks { longest_wait, sound };
        let [slow, choppy] = RANKED.map(|ranking| self.place_of(&ranks, ranking));
        let reasons = [
            (KeptFor::Failure, has_failed && settings.keep != KeepRecordings::None),
            (KeptFor::Slow, slow != Place::None),
            (KeptFor::Choppy, choppy != Place::None),
            (KeptFor::Sample, self.is_sampled(run)),
            (KeptFor::All, settings.keep == KeepRecordings::All),
        ];
        let kept_for: Vec<KeptFor> =
            reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect();
        let Some(&reason) = kept_for.first() else { return RecordingDecision::default() };
        let lost: Vec<LostPlace> = RANKED
            .into_iter()
            .zip([slow, choppy])
            .filter_map(|(ranking, place)| match place {
                Place::Of(run) => Some((run, ranking)),
                Place::None | Place::Free => None,
            })
            .collect();
        let goes = |(run, kept): (&RunIndex, &KeptRecording)| {
            kept.reason_without(*run, &lost).is_none().then_some(*run)
        };
        let mut deleted: Vec<RunIndex> = self.kept.iter().filter_map(goes).collect();
        let outranked = deleted.len();
        while !self.has_room(&deleted, bytes) {
            let Some(weaker) = self.weakest_below(reason, &deleted, &lost) else {
                self.refused += 1;
                return RecordingDecision::default();
            };
            deleted.push(weaker);
        }
        self.refused += (deleted.len() - outranked) as u64;
        for (run, ranking) in lost {
            self.leave(run, ranking);
        }
        for run in &deleted {
            self.forget(*run);
        }
        self.insert(run, KeptRecording { kept_for: kept_for.clone(), ranks, bytes });
        RecordingDecision { kept_for, deleted }
    }

    /// Makes room for so many bytes of runs of which it is not known yet whether they are kept: they may be for a stronger
    /// reason than some that are. Returns those that are to be deleted, or `None` if even that leaves no room.
    pub fn make_room_for(&mut self, unfinished: u64) -> Option<Vec<RunIndex>> {
        let mut deleted = Vec::new();
        while self.bytes_without(&deleted) + unfinished > self.settings.max_bytes.bytes() {
            deleted.push(self.weakest_below(self.strongest_reason(), &deleted, &[])?);
        }
        self.refused += deleted.len() as u64;
        for run in &deleted {
            self.forget(*run);
        }
        Some(deleted)
    }

    /// A recording is not kept after all.
    pub fn forget(&mut self, run: RunIndex) {
        if let Some(kept) = self.kept.remove(&run) {
            self.bytes -= kept.bytes;
        }
    }

    fn insert(&mut self, run: RunIndex, kept: KeptRecording) {
        self.bytes += kept.bytes;
        self.kept.insert(run, kept);
    }

    fn leave(&mut self, run: RunIndex, ranking: KeptFor) {
        if let Some(kept) = self.kept.get_mut(&run) {
            kept.kept_for.retain(|reason| *reason != ranking);
        }
    }

    fn is_sampled(&self, run: RunIndex) -> bool {
        let drawn = KeyedRng::new(self.seed).draw("recording", &run.0.to_string()).uniform();
        drawn < self.settings.sample.fraction()
    }

    /// The strongest reason for which a run may be kept.
    fn strongest_reason(&self) -> KeptFor {
        if self.settings.keep != KeepRecordings::None {
            return KeptFor::Failure;
        }
        let ranked = RANKED.into_iter().find(|ranking| self.places(*ranking) > 0);
        ranked.unwrap_or(KeptFor::Sample)
    }

    /// How many are kept for this.
    const fn places(&self, ranking: KeptFor) -> usize {
        match ranking {
            KeptFor::Slow => self.settings.slowest as usize,
            KeptFor::Choppy => self.settings.choppiest as usize,
            KeptFor::Failure | KeptFor::Sample | KeptFor::All => 0,
        }
    }

    fn ranked(&self, ranking: KeptFor) -> impl Iterator<Item = (RunIndex, &KeptRecording)> {
        self.kept
            .iter()
            .filter(move |(_, kept)| kept.kept_for.contains(&ranking))
            .map(|(run, kept)| (*run, kept))
    }

    /// The run that leaves a ranking first, and how high it ranks.
    fn lowest(&self, ranking: KeptFor) -> Option<(RunIndex, Option<(u64, Micros)>)> {
        let ranks = self.ranked(ranking).map(|(run, kept)| (run, kept.ranks.of(ranking)));
        ranks.min_by_key(|(_, rank)| *rank)
    }

    /// The place of a run in a ranking.
    fn place_of(&self, ranks: &Ranks, ranking: KeptFor) -> Place {
        let rank = ranks.of(ranking);
        if rank.is_none() {
            return Place::None;
        }
        if self.ranked(ranking).count() < self.places(ranking) {
            return Place::Free;
        }
        match self.lowest(ranking) {
            Some((run, lowest)) if lowest < rank => Place::Of(run),
            _ => Place::None,
        }
    }

    fn has_room(&self, deleted: &[RunIndex], bytes: u64) -> bool {
        let runs = self.kept.len() - deleted.len();
        runs < self.settings.max_runs as usize
            && self.bytes_without(deleted) + bytes <= self.settings.max_bytes.bytes()
    }

    fn bytes_without(&self, deleted: &[RunIndex]) -> u64 {
        let freed = deleted.iter().filter_map(|run| self.kept.get(run)).map(|kept| kept.bytes);
        self.bytes - freed.sum::<u64>()
    }

    /// The recording that is given up first for one with `reason`: the one with the weakest reason, of slow ones the
    /// fastest, of choppy ones that with the fewest gaps, of others the latest.
    fn weakest_below(
        &self,
        reason: KeptFor,
        deleted: &[RunIndex],
        lost: &[LostPlace],
    ) -> Option<RunIndex> {
        let weaker = self.kept.iter().filter_map(|(run, kept)| {
            let own = kept.reason_without(*run, lost)?;
            let is_weaker = own > reason && !deleted.contains(run);
            is_weaker.then(|| (own, Reverse(kept.ranks.of(own)), *run))
        });
        weaker.max().map(|(_, _, run)| run)
    }
}

#[cfg(test)]
mod tests;
