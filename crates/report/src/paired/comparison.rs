//! Voice compared with chat over all pairs of a session.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{PairedAnswer, PairedNote, notes};
use super::difference::{PairedDifference, PairedMeasure};
use super::measures::{differences, judged};
use super::premium::Premium;
use crate::fold::{FoldedSession, PairTable, PairedRun};
use crate::session::CostEach;
use rushhour_core::units::Mode;

/// Voice compared with chat over all pairs of a session.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PairedComparison {
    /// The conclusion in a sentence.
    pub answer: PairedAnswer,
    /// The pairs by outcome.
    pub pairs: PairCounts,
    /// The voice runs.
    pub voice: ModeFigures,
    /// The chat runs.
    pub chat: ModeFigures,
    /// The differences, voice minus chat; empty if the load generator did not deliver its load.
    pub differences: Vec<PairedDifference>,
    /// The parts of the difference in cost; absent if nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub premium: Option<Premium>,
    /// What the reader must know.
    pub notes: Vec<PairedNote>,
}

/// Pairs by outcome. Only runs of measured stages are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PairCounts {
    /// Pairs of which a run was started or skipped.
    pub seen: u64,
    /// Both runs were completed.
    pub completed: u64,
    /// Only the voice run was completed, and the chat run failed.
    pub only_voice: u64,
    /// Only the chat run was completed, and the voice run failed.
    pub only_chat: u64,
    /// Both runs failed.
    pub failed: u64,
    /// A run was not started, is of an unmeasured stage, or has no outcome. These pairs are in no difference.
    pub half: u64,
}

impl PairCounts {
    fn of(pairs: &PairTable) -> Self {
        let mut counts = Self::default();
        for (_, pair) in pairs.iter() {
            counts.seen += 1;
            let ended =
                pair.ended().map(|(voice, chat)| (voice.is_completed(), chat.is_completed()));
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
}

/// The runs of one mode. Only runs of measured stages that completed or failed are counted.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ModeFigures {
    /// Runs, completed or failed.
    pub runs: u64,
    /// Of these, completed.
    pub completed: u64,
    /// Of these, judged.
    pub judged: u64,
    /// Of these, judged as passed.
    pub successful: u64,
    /// The mean duration of a completed conversation, in microseconds.
    pub conversation_us: Option<f64>,
    /// The mean number of turns of a completed conversation; null if turns were not counted.
    pub turns: Option<f64>,
    /// The cost at list prices; absent if nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<CostEach>,
    /// The same if this mode alone uses up the units that base fees include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_included: Option<CostEach>,
}

impl ModeFigures {
    fn of(pairs: &PairTable, mode: Mode) -> Self {
        let ended: Vec<&PairedRun> = pairs.runs(mode).filter(|run| run.is_ended()).collect();
        let completed: Vec<&PairedRun> =
            ended.iter().copied().filter(|run| run.is_completed()).collect();
        let verdicts: Vec<bool> = completed.iter().filter_map(|run| judged(run)).collect();
        let successful = verdicts.iter().filter(|passed| **passed).count() as u64;
        let mean = |value: &dyn Fn(&PairedRun) -> Option<f64>| {
            let values: Vec<f64> = completed.iter().filter_map(|run| value(run)).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let bill = pairs.bill(mode);
        let (runs, judged) = (ended.len() as u64, verdicts.len() as u64);
        let of_judged = (judged > 0).then_some(successful);
        let cost = |total| CostEach::of(total, runs, completed.len() as u64, of_judged);
        let is_charged = !bill.rows.is_empty();
        Self {
            runs,
            completed: completed.len() as u64,
            judged,
            successful,
            conversation_us: mean(&|run| Some(run.conversation?.0 as f64)),
            turns: mean(&|run| Some(run.turns? as f64)),
            list: is_charged.then(|| cost(bill.list())),
            after_included: is_charged.then(|| cost(bill.after_included())),
        }
    }
}

impl PairedComparison {
    /// Compares the modes of a session; `None` in a session of one mode.
    pub(crate) fn of(folded: &FoldedSession, is_valid: bool) -> Option<Self> {
        let pairs = folded.pairs.as_ref()?;
        let mut comparison = Self {
            answer: PairedAnswer::Invalid,
            pairs: PairCounts::of(pairs),
            voice: ModeFigures::of(pairs, Mode::Voice),
            chat: ModeFigures::of(pairs, Mode::Chat),
            differences: Vec::new(),
            premium: None,
            notes: Vec::new(),
        };
        if is_valid {
            comparison.differences = differences(pairs, folded.opening.profile.seed);
            comparison.premium = Premium::of(pairs.iter().map(|(_, pair)| pair));
        }
        comparison.answer = PairedAnswer::of(&comparison, folded, is_valid);
        comparison.notes = notes(&comparison, folded);
        Some(comparison)
    }

    /// The difference of one measure.
    pub(super) fn difference(&self, measure: PairedMeasure) -> Option<&PairedDifference> {
        self.differences.iter().find(|difference| difference.measure == measure)
    }
}
