//! The pairs of a paired session: the outcome, duration and cost of either run.

use std::collections::BTreeMap;

use super::run_record::RunRecord;
use rushhour_core::bill::{Bill, Tariff};
use rushhour_core::event::{ModelUsage, Outcome};
use rushhour_core::profile::{PriceItem, Profile};
use rushhour_core::units::{Micros, Mode, PairId, RunIndex, SessionTime, Usd};

/// The outcome of a run of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairedEnd {
    /// It completed, and may have been judged.
    Completed {
        /// Whether it passed; none where it was not judged.
        judged: Option<bool>,
    },
    /// It failed.
    Failed,
    /// It was skipped, because no slot was free.
    Skipped,
    /// It has no outcome, because the session was killed.
    Open,
}

/// One run of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedRun {
    /// The run.
    pub run: RunIndex,
    /// The intended start.
    pub intended: SessionTime,
    /// Its outcome.
    pub end: PairedEnd,
    /// The length of the conversation, where it completed.
    pub conversation: Option<Micros>,
    /// The number of turns, where the caller was ours.
    pub turns: Option<u64>,
    /// The mean time from the end of the caller's turn to the first of the answer.
    pub mean_first_response: Option<Micros>,
    /// The mean time from the end of the caller's turn to the end of the answer.
    pub mean_last_response: Option<Micros>,
    /// The usage of models that the agent reported.
    pub model_usage: Option<ModelUsage>,
    /// Its cost, item by item; empty where nothing is charged or it has no outcome.
    pub charges: Vec<(PriceItem, Usd)>,
}

impl PairedRun {
    /// Whether it completed.
    pub const fn is_completed(&self) -> bool {
        matches!(self.end, PairedEnd::Completed { .. })
    }

    /// Whether it completed or failed.
    pub const fn is_ended(&self) -> bool {
        matches!(self.end, PairedEnd::Completed { .. } | PairedEnd::Failed)
    }

    /// Its total cost.
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
        let mean_since_said = |at: fn(&rushhour_core::event::Turn) -> Option<SessionTime>| {
            mean(
                record
                    .turns
                    .iter()
                    .filter(|turn| !turn.away)
                    .filter_map(|turn| Some(at(turn)?.since(turn.said))),
            )
        };
        let charges = tariff.filter(|_| ending.is_some()).map(|tariff| {
            tariff.charges(&usage).map(|charge| (charge.item, charge.cost)).collect()
        });
        Self {
            run: record.run,
            intended: record.intended,
            conversation: matches!(end, PairedEnd::Completed { .. }).then_some(usage.conversation),
            turns: own_callers.then_some(record.turns.len() as u64),
            mean_first_response: mean_since_said(|turn| turn.first),
            mean_last_response: mean_since_said(|turn| turn.last),
            model_usage: record.model_usage,
            charges: charges.unwrap_or_default(),
            end,
        }
    }
}

fn mean(times: impl Iterator<Item = Micros>) -> Option<Micros> {
    let (sum, count) = times.fold((0, 0), |(sum, count), time| (sum + time.0, count + 1));
    (count > 0).then(|| Micros(sum / count))
}

/// One pair; only runs of measured stages count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPair {
    /// Its scenario's position in the profile.
    pub scenario: u32,
    /// The voice run; none where it was not started, or belongs to an unmeasured stage.
    pub voice: Option<PairedRun>,
    /// The chat run; likewise.
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

    /// The voice run and the chat run, where both completed or failed.
    pub fn ended(&self) -> Option<(&PairedRun, &PairedRun)> {
        let (voice, chat) = self.voice.as_ref().zip(self.chat.as_ref())?;
        (voice.is_ended() && chat.is_ended()).then_some((voice, chat))
    }

    /// The voice run and the chat run, where both completed.
    pub fn completed(&self) -> Option<(&PairedRun, &PairedRun)> {
        self.ended().filter(|(voice, chat)| voice.is_completed() && chat.is_completed())
    }
}

/// The pairs of measured stages, in the order of the plan, and the cost of each mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PairTable {
    by_id: BTreeMap<PairId, RunPair>,
    voice: Bill,
    chat: Bill,
}

impl PairTable {
    pub(super) fn of(tariff: Option<&Tariff>) -> Self {
        let bill = tariff.map(Bill::new).unwrap_or_default();
        let bill_of = |mode: Mode| {
            let rows = bill.rows.iter().filter(|row| row.item.applies_to(mode)).copied().collect();
            Bill { rows }
        };
        Self { by_id: BTreeMap::new(), voice: bill_of(Mode::Voice), chat: bill_of(Mode::Chat) }
    }

    /// Adds a run of a measured stage; a run without a pair is ignored.
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
        let pair = self.by_id.entry(pair).or_insert(empty);
        match record.mode {
            Mode::Voice => pair.voice = Some(run),
            Mode::Chat => pair.chat = Some(run),
        }
    }

    /// Every pair with its id.
    pub fn iter(&self) -> impl Iterator<Item = (PairId, &RunPair)> {
        self.by_id.iter().map(|(id, pair)| (*id, pair))
    }

    /// Every run of a mode.
    pub fn runs(&self, mode: Mode) -> impl Iterator<Item = &PairedRun> {
        self.by_id.values().filter_map(move |pair| pair.run(mode))
    }

    /// The cost of the runs of a mode that completed or failed, as if nothing else used what base fees include.
    pub const fn bill(&self, mode: Mode) -> &Bill {
        match mode {
            Mode::Voice => &self.voice,
            Mode::Chat => &self.chat,
        }
    }
}
