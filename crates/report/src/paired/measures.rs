//! The measures that both runs of a pair have, and their differences.

use super::difference::{
    PairMetric, PairValue, PairedDifference, PairedMeasure, bootstrap, difference,
    difference_of_each, share_difference,
};
use crate::fold::{PairTable, PairedEnd, PairedRun, RunPair};
use rushhour_core::units::Micros;
use rushhour_stats::PairedVotes;

/// Whether a run passed, if it was judged.
pub(super) const fn judged(run: &PairedRun) -> Option<bool> {
    match run.end {
        PairedEnd::Completed { judged } => judged,
        _ => None,
    }
}

/// Every measure that at least one pair has, voice minus chat.
pub(super) fn differences(pairs: &PairTable, seed: u64) -> Vec<PairedDifference> {
    let pairs = PairsInTime::of(pairs);
    let bootstrap = bootstrap(seed);
    let plain = |measure, values: Vec<PairValue>| difference(measure, &values, &bootstrap);
    let costs = pairs.of_ended(&cost);
    let per = |counts: Vec<PairValue>| -> Vec<(PairValue, PairValue)> {
        costs.iter().copied().zip(counts).collect()
    };
    let per_completed =
        per(pairs.of_ended(&|run| cost(run).map(|_| indicator(run.is_completed()))));
    let per_successful =
        per(pairs.of_ended(&|run| cost(run).map(|_| indicator(judged(run) == Some(true)))));
    let answered =
        |chat: &PairMetric<'_>| pairs.of_each(&|run| micros(run.mean_first_response), chat);
    let (completed, passed) = pairs.votes();
    [
        plain(PairedMeasure::CostOfRun, costs.clone()),
        difference_of_each(PairedMeasure::CostOfCompletedTask, &per_completed, &bootstrap),
        difference_of_each(PairedMeasure::CostOfSuccessfulTask, &per_successful, &bootstrap),
        plain(PairedMeasure::Conversation, pairs.of_completed(&|run| micros(run.conversation))),
        plain(PairedMeasure::Turns, pairs.of_completed(&|run| run.turns.map(|n| n as f64))),
        plain(
            PairedMeasure::TokensRead,
            pairs.of_completed(&|run| count(run.model_usage?.tokens_read)),
        ),
        plain(
            PairedMeasure::TokensWritten,
            pairs.of_completed(&|run| count(run.model_usage?.tokens_written)),
        ),
        plain(PairedMeasure::AnswerToFirst, answered(&|run| micros(run.mean_first_response))),
        plain(PairedMeasure::AnswerToLast, answered(&|run| micros(run.mean_last_response))),
        share_difference(PairedMeasure::Completed, completed),
        share_difference(PairedMeasure::JudgedAsPassed, passed),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn micros(time: Option<Micros>) -> Option<f64> {
    time.map(|time| time.0 as f64)
}

fn count(count: Option<u64>) -> Option<f64> {
    count.map(|count| count as f64)
}

fn cost(run: &PairedRun) -> Option<f64> {
    (!run.charges.is_empty()).then(|| run.cost().dollars())
}

fn indicator(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// The pairs in the order of their intended starts.
struct PairsInTime<'a>(Vec<&'a RunPair>);

impl<'a> PairsInTime<'a> {
    fn of(pairs: &'a PairTable) -> Self {
        let mut pairs: Vec<&RunPair> = pairs.iter().map(|(_, pair)| pair).collect();
        pairs.sort_by_key(|pair| pair.voice.iter().chain(&pair.chat).map(|run| run.intended).min());
        Self(pairs)
    }

    /// Different measures of the two runs, of pairs whose runs both ended.
    fn of_each(&self, voice: &PairMetric<'_>, chat: &PairMetric<'_>) -> Vec<PairValue> {
        let ended = self.0.iter().filter_map(|pair| Some((pair.scenario, pair.ended()?)));
        ended
            .filter_map(|(scenario, runs)| {
                let at = runs.0.intended.min(runs.1.intended);
                Some(PairValue { scenario, at, voice: voice(runs.0)?, chat: chat(runs.1)? })
            })
            .collect()
    }

    fn of_ended(&self, metric: &PairMetric<'_>) -> Vec<PairValue> {
        self.of_each(metric, metric)
    }

    fn of_completed(&self, metric: &PairMetric<'_>) -> Vec<PairValue> {
        self.of_ended(&|run| if run.is_completed() { metric(run) } else { None })
    }

    /// Whether each run was completed, and whether each judged run passed.
    fn votes(&self) -> (PairedVotes, PairedVotes) {
        let (mut completed, mut passed) = (PairedVotes::default(), PairedVotes::default());
        for (voice, chat) in self.0.iter().filter_map(|pair| pair.ended()) {
            completed.add(chat.is_completed(), voice.is_completed());
            if let (Some(voice), Some(chat)) = (judged(voice), judged(chat)) {
                passed.add(chat, voice);
            }
        }
        (completed, passed)
    }
}
