//! The pairs of a paired session: what became of either run, and what it took.

use std::collections::BTreeMap;

use super::run_record::RunRecord;
use rushhour_core::bill::{Bill, Tariff};
use rushhour_core::event::{ModelUsage, Outcome};
use rushhour_core::profile::{PriceItem, Profile};
use rushhour_core::units::{Micros, Mode, PairId, RunIndex, SessionTime, Usd};

/// How a run of a pair came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairedEnd {
    /// It was completed, and perhaps judged.
    Completed {
        /// Whether it passed, where it was judged.
        judged: Option<bool>,
    },
    /// It failed.
    Failed,
    /// It was not started, because no place was free.
    Skipped,
    /// It has no outcome, because the session was killed.
    Open,
}

/// One run of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedRun {
    /// The run.
    pub run: RunIndex,
    /// When it was meant to start.
    pub intended: SessionTime,
    /// How it came out.
    pub end: PairedEnd,
    /// How long the conversation lasted, where it was completed.
    pub conversation: Option<Micros>,
    /// Turns, where the caller was our own.
    pub turns: Option<u64>,
    /// The mean time from the end of what we said to the first of the answer.
    pub first: Option<Micros>,
    /// The mean time from the end of what we said to the last of the answer.
    pub last: Option<Micros>,
    /// What the agent says that its models took.
    pub used: Option<ModelUsage>,
    /// What it cost, item by item; empty where nothing is charged or it has no outcome.
    pub charges: Vec<(PriceItem, Usd)>,
}

impl PairedRun {
    /// Whether it was completed.
    pub const fn is_completed(&self) -> bool {
        matches!(self.end, PairedEnd::Completed { .. })
    }

    /// Whether it came to an end of its own, completed or failed.
    pub const fn is_ended(&self) -> bool {
        matches!(self.end, PairedEnd::Completed { .. } | PairedEnd::Failed)
    }

    /// What it cost in all.
    pub fn cost(&self) -> Usd {
        self.charges.iter().map(|(_, cost)| *cost).sum()
    }

    fn of(record: &RunRecord, profile: &Profile, tariff: Option<&Tariff>) -> Self {
        let ending = record.ending.as_ref();
        let end = match ending.map(|ending| &ending.outcome) {
            None => PairedEnd::Open,
            Some(Outcome::Completed { judged }) => PairedEnd::Completed { judged: *judged },
            Some(Outcome::Failed { .. }) => PairedEnd::Failed,
            Some(Outcome::Skipped) => PairedEnd::Skipped,
        };
        let until = ending.map_or(record.intended, |ending| ending.seen.to);
        let usage = record.usage(profile, until);
        let own_callers = profile.evaluator.cekura().is_none();
        let times = |at: fn(&rushhour_core::event::Turn) -> Option<SessionTime>| {
            mean(record.turns.iter().filter_map(|turn| Some(at(turn)?.since(turn.said))))
        };
        let charges = tariff.filter(|_| ending.is_some()).map(|tariff| {
            tariff.charges(&usage).map(|charge| (charge.item, charge.cost)).collect()
        });
        Self {
            run: record.run,
            intended: record.intended,
            conversation: matches!(end, PairedEnd::Completed { .. }).then_some(usage.conversation),
            turns: own_callers.then_some(record.turns.len() as u64),
            first: times(|turn| turn.first),
            last: times(|turn| turn.last),
            used: record.used,
            charges: charges.unwrap_or_default(),
            end,
        }
    }
}

fn mean(times: impl Iterator<Item = Micros>) -> Option<Micros> {
    let (sum, count) = times.fold((0, 0), |(sum, count), time| (sum + time.0, count + 1));
    (count > 0).then(|| Micros(sum / count))
}

/// One pair, as far as its runs are of measured stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPair {
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// The spoken run; none where it was not started, or is of an unmeasured stage.
    pub voice: Option<PairedRun>,
    /// The written run; likewise.
    pub chat: Option<PairedRun>,
}

impl RunPair {
    /// The run of a mode.
    pub const fn run(&self, mode: Mode) -> Option<&PairedRun> {
        match mode {
            Mode::Voice => self.voice.as_ref(),
            Mode::Chat => self.chat.as_ref(),
        }
    }

    /// Both runs, where both came to an end of their own: the spoken one, and the written one.
    pub fn ended(&self) -> Option<(&PairedRun, &PairedRun)> {
        let (voice, chat) = self.voice.as_ref().zip(self.chat.as_ref())?;
        (voice.is_ended() && chat.is_ended()).then_some((voice, chat))
    }

    /// Both runs, where both were completed: the spoken one, and the written one.
    pub fn completed(&self) -> Option<(&PairedRun, &PairedRun)> {
        self.ended().filter(|(voice, chat)| voice.is_completed() && chat.is_completed())
    }
}

/// The pairs of a session that are of measured stages, in the order in which they were planned, and what
/// each mode came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PairTable {
    by_number: BTreeMap<PairId, RunPair>,
    voice: Bill,
    chat: Bill,
}

impl PairTable {
    pub(super) fn of(tariff: Option<&Tariff>) -> Self {
        let bill = tariff.map(Bill::new).unwrap_or_default();
        let only = |mode: Mode| {
            let rows = bill.rows.iter().filter(|row| row.item.applies_to(mode)).copied().collect();
            Bill { rows }
        };
        Self { by_number: BTreeMap::new(), voice: only(Mode::Voice), chat: only(Mode::Chat) }
    }

    /// Takes in a run of a measured stage; one that is of no pair is none of its business.
    pub(super) fn add(&mut self, record: &RunRecord, profile: &Profile, tariff: Option<&Tariff>) {
        let Some(pair) = record.pair else { return };
        let run = PairedRun::of(record, profile, tariff);
        if let Some((tariff, ending)) =
            tariff.zip(record.ending.as_ref()).filter(|_| run.is_ended())
        {
            let usage = record.usage(profile, ending.seen.to);
            match record.mode {
                Mode::Voice => self.voice.add(tariff, &usage, 1),
                Mode::Chat => self.chat.add(tariff, &usage, 1),
            }
        }
        let empty = RunPair { scenario: record.scenario, voice: None, chat: None };
        let pair = self.by_number.entry(pair).or_insert(empty);
        match record.mode {
            Mode::Voice => pair.voice = Some(run),
            Mode::Chat => pair.chat = Some(run),
        }
    }

    /// Every pair with its number.
    pub fn iter(&self) -> impl Iterator<Item = (PairId, &RunPair)> {
        self.by_number.iter().map(|(number, pair)| (*number, pair))
    }

    /// Every run of a mode.
    pub fn runs(&self, mode: Mode) -> impl Iterator<Item = &PairedRun> {
        self.by_number.values().filter_map(move |pair| pair.run(mode))
    }

    /// What the runs of a mode cost that came to an end of their own, as if nothing else had used up what
    /// base fees include.
    pub const fn bill(&self, mode: Mode) -> &Bill {
        match mode {
            Mode::Voice => &self.voice,
            Mode::Chat => &self.chat,
        }
    }
}
