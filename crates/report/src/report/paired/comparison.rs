//! Voice against chat over all pairs of a session: what each came to, what differs, and what that rests on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::money::CostEach;
use super::difference::{
    PairValue, PairedDifference, difference, difference_of_each, plan, share_difference,
};
use super::money::Premium;
use super::words::{answer, notes};
use crate::fold::{FoldedSession, PairTable, PairedEnd, PairedRun, RunPair};
use rushhour_core::units::{Micros, Mode};
use rushhour_stats::{Bootstrap, PairedVotes};

/// Voice against chat over all pairs of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedComparison {
    /// What it comes to, in a sentence.
    pub answer: String,
    /// How many pairs came out how.
    pub pairs: PairCounts,
    /// The spoken runs.
    pub voice: ModeFigures,
    /// The written runs.
    pub chat: ModeFigures,
    /// What differs, voice less chat; empty where the generator did not deliver its load.
    pub differences: Vec<PairedDifference>,
    /// What the difference in cost is made of; absent where nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub premium: Option<Premium>,
    /// What the reader has to know.
    pub notes: Vec<String>,
}

/// How many pairs came out how. Only runs of measured stages are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PairCounts {
    /// Pairs of which a run was started or skipped.
    pub seen: u64,
    /// Both runs were completed.
    pub completed: u64,
    /// Only the spoken run was completed, and the written one failed.
    pub only_voice: u64,
    /// Only the written run was completed, and the spoken one failed.
    pub only_chat: u64,
    /// Both runs failed.
    pub failed: u64,
    /// One of the runs was not started, is of another stage, or has no outcome: the pair is in no
    /// difference.
    pub half: u64,
}

/// What the runs of one mode came to; only runs of measured stages that came to an end of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModeFigures {
    /// Runs, completed or failed.
    pub runs: u64,
    /// Of these, completed.
    pub completed: u64,
    /// Of these, judged.
    pub judged: u64,
    /// Of these, judged as passed.
    pub successful: u64,
    /// How long a completed conversation lasted, on average, in microseconds.
    pub conversation_us: Option<f64>,
    /// Turns of a completed conversation, on average; none where they were not counted.
    pub turns: Option<f64>,
    /// What they cost at list prices; absent where nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<CostEach>,
    /// The same where this mode alone uses up what base fees include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_included: Option<CostEach>,
}

impl PairedComparison {
    /// The comparison; none for a session of one mode.
    pub(in super::super) fn of(folded: &FoldedSession, is_valid: bool) -> Option<Self> {
        let pairs = folded.pairs.as_ref()?;
        let mut comparison = Self {
            answer: String::new(),
            pairs: counts(pairs),
            voice: figures(pairs, Mode::Voice),
            chat: figures(pairs, Mode::Chat),
            differences: Vec::new(),
            premium: None,
            notes: Vec::new(),
        };
        if is_valid {
            comparison.differences = differences(pairs, &plan(folded.opening.profile.seed));
            comparison.premium = Premium::of(pairs.iter().map(|(_, pair)| pair));
        }
        comparison.answer = answer(&comparison, folded, is_valid);
        comparison.notes = notes(&comparison, folded);
        Some(comparison)
    }

    /// The difference of one measure.
    pub(super) fn difference(&self, measure: &str) -> Option<&PairedDifference> {
        self.differences.iter().find(|difference| difference.measure == measure)
    }

    /// What the runs of a mode came to.
    pub const fn mode(&self, mode: Mode) -> &ModeFigures {
        match mode {
            Mode::Voice => &self.voice,
            Mode::Chat => &self.chat,
        }
    }
}

/// The names of measures that words speak of.
pub(super) const COST: &str = "cost of a run";
pub(super) const HEARD_OR_BEGUN: &str = "answer heard, against begun to be read";
pub(super) const HEARD_OR_READ: &str = "answer heard, against read to its end";

fn counts(pairs: &PairTable) -> PairCounts {
    let mut counts = PairCounts::default();
    for (_, pair) in pairs.iter() {
        counts.seen += 1;
        let ended = pair.ended().map(|(voice, chat)| (voice.is_completed(), chat.is_completed()));
        match ended {
            Some((true, true)) => counts.completed += 1,
            Some((true, false)) => counts.only_voice += 1,
            Some((false, true)) => counts.only_chat += 1,
            Some((false, false)) => counts.failed += 1,
            None => counts.half += 1,
        }
    }
    counts
}

fn figures(pairs: &PairTable, mode: Mode) -> ModeFigures {
    let ended: Vec<&PairedRun> = pairs.runs(mode).filter(|run| run.is_ended()).collect();
    let completed: Vec<&PairedRun> =
        ended.iter().copied().filter(|run| run.is_completed()).collect();
    let judged = |wanted: &dyn Fn(bool) -> bool| {
        let judged = completed.iter().filter_map(|run| judged(run));
        judged.filter(|passed| wanted(*passed)).count() as u64
    };
    let (all, passed) = (judged(&|_| true), judged(&|passed| passed));
    let mean = |values: Vec<f64>| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let bill = pairs.bill(mode);
    let (runs, done) = (ended.len() as u64, completed.len() as u64);
    let cost = |total| CostEach::of(total, runs, done, (all > 0).then_some(passed));
    let is_charged = !bill.rows.is_empty();
    ModeFigures {
        runs,
        completed: done,
        judged: all,
        successful: passed,
        conversation_us: mean(
            completed.iter().filter_map(|run| Some(run.conversation?.0 as f64)).collect(),
        ),
        turns: mean(completed.iter().filter_map(|run| Some(run.turns? as f64)).collect()),
        list: is_charged.then(|| cost(bill.list())),
        after_included: is_charged.then(|| cost(bill.after_included())),
    }
}

const fn judged(run: &PairedRun) -> Option<bool> {
    match run.end {
        PairedEnd::Completed { judged } => judged,
        _ => None,
    }
}

fn differences(pairs: &PairTable, plan: &Bootstrap) -> Vec<PairedDifference> {
    let mut in_time: Vec<&RunPair> = pairs.iter().map(|(_, pair)| pair).collect();
    in_time.sort_by_key(|pair| pair.voice.iter().chain(&pair.chat).map(|run| run.intended).min());
    let ended = |value: &dyn Fn(&PairedRun) -> Option<f64>| -> Vec<PairValue> {
        let both = in_time.iter().filter_map(|pair| Some((pair.scenario, pair.ended()?)));
        both.filter_map(|(scenario, (voice, chat))| {
            let (at, voice, chat) =
                (voice.intended.min(chat.intended), value(voice)?, value(chat)?);
            Some(PairValue { scenario, at, voice, chat })
        })
        .collect()
    };
    let completed = |value: &dyn Fn(&PairedRun) -> Option<f64>| {
        let done = |run: &PairedRun| if run.is_completed() { value(run) } else { None };
        ended(&done)
    };
    let micros = |time: Option<Micros>| time.map(|time| time.0 as f64);
    let tokens = |count: Option<u64>| count.map(|count| count as f64);
    let cost = |run: &PairedRun| (!run.charges.is_empty()).then(|| run.cost().dollars());
    let one = |yes: bool| Some(f64::from(u8::from(yes)));
    let costs = ended(&cost);
    let per = |values: Vec<PairValue>| -> Vec<(PairValue, PairValue)> {
        costs.iter().copied().zip(values).collect()
    };
    let per_completed = per(ended(&|run| cost(run).and(one(run.is_completed()))));
    let per_successful = per(ended(&|run| cost(run).and(one(judged(run) == Some(true)))));
    let mut votes = (PairedVotes::default(), PairedVotes::default());
    for (voice, chat) in in_time.iter().filter_map(|pair| pair.ended()) {
        votes.0.add(chat.is_completed(), voice.is_completed());
        if let (Some(voice), Some(chat)) = (judged(voice), judged(chat)) {
            votes.1.add(chat, voice);
        }
    }
    let heard = |written: fn(&PairedRun) -> Option<Micros>| -> Vec<PairValue> {
        let both = in_time.iter().filter_map(|pair| Some((pair.scenario, pair.ended()?)));
        both.filter_map(|(scenario, (voice, chat))| {
            let at = voice.intended.min(chat.intended);
            let (voice, chat) = (micros(voice.mean_first_response)?, micros(written(chat))?);
            Some(PairValue { scenario, at, voice, chat })
        })
        .collect()
    };
    [
        difference(COST, "USD", &costs, plan),
        difference_of_each("cost of a completed task", "USD", &per_completed, plan),
        difference_of_each("cost of a successful task", "USD", &per_successful, plan),
        difference("conversation", "us", &completed(&|run| micros(run.conversation)), plan),
        difference("turns", "turns", &completed(&|run| run.turns.map(|n| n as f64)), plan),
        difference(
            "tokens read",
            "tokens",
            &completed(&|run| tokens(run.model_usage?.tokens_read)),
            plan,
        ),
        difference(
            "tokens written",
            "tokens",
            &completed(&|run| tokens(run.model_usage?.tokens_written)),
            plan,
        ),
        difference(HEARD_OR_BEGUN, "us", &heard(|run| run.mean_first_response), plan),
        difference(HEARD_OR_READ, "us", &heard(|run| run.mean_last_response), plan),
        share_difference("completed", votes.0),
        share_difference("judged as passed", votes.1),
    ]
    .into_iter()
    .flatten()
    .collect()
}
