//! One measure of both modes, pair by pair: the difference of the means with its interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::blocks::{Blocks, SideTiming, TimedValue};
use rushhour_core::units::SessionTime;
use rushhour_stats::{
    Bootstrap, BootstrapError, Confidence, Estimate, Interval, PairedRuns, PairedVotes,
};

/// Resamples that the intervals rest on.
const RESAMPLES: u32 = 4_000;
/// Fewer pairs than this say nothing of a share.
const FEWEST: u64 = 6;

/// What one measure of a pair is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairValue {
    pub(super) scenario: u32,
    pub(super) at: SessionTime,
    pub(super) voice: f64,
    pub(super) chat: f64,
}

/// One measure of both modes: its means, and how far voice exceeds chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedDifference {
    /// What was measured.
    pub measure: String,
    /// `USD`, `us`, `turns`, `tokens` or `share`.
    pub unit: String,
    /// Pairs of which both runs have it.
    pub pairs: u64,
    /// The mean of the spoken runs.
    pub voice: f64,
    /// The mean of the written runs.
    pub chat: f64,
    /// How much more voice takes than chat.
    pub difference: f64,
    /// The lower end of its 95 % interval; none where there are too few pairs.
    pub difference_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub difference_high: Option<f64>,
    /// Voice as a multiple of chat; none where chat is zero, or of a share.
    pub ratio: Option<f64>,
    /// The lower end of its 95 % interval.
    pub ratio_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub ratio_high: Option<f64>,
    /// `voice is more`, `chat is more` or `no difference shown`; none where there are too few pairs.
    pub finding: Option<String>,
    /// Why there is no interval, or what it does not tell.
    pub note: Option<String>,
}

impl PairedDifference {
    /// Of means and what resampling says of their difference and their ratio.
    fn resampled(
        (measure, unit): (&str, &str),
        pairs: u64,
        (voice, chat): (f64, f64),
        (found, ratio): (Result<Estimate, BootstrapError>, Option<Estimate>),
    ) -> Self {
        let (interval, note) = match found {
            Ok(found) => (Some(found.interval), None),
            Err(error) => (None, Some(too_few(error, pairs))),
        };
        Self {
            measure: measure.to_owned(),
            unit: unit.to_owned(),
            pairs,
            voice,
            chat,
            difference: voice - chat,
            difference_low: interval.map(Interval::low),
            difference_high: interval.map(Interval::high),
            ratio: ratio.map(|ratio| ratio.point),
            ratio_low: ratio.map(|ratio| ratio.interval.low()),
            ratio_high: ratio.map(|ratio| ratio.interval.high()),
            finding: interval.map(|interval| finding(interval).to_owned()),
            note,
        }
    }
}

/// Resampling with a seed.
pub(super) fn plan(seed: u64) -> Bootstrap {
    Bootstrap::new(seed, RESAMPLES, Confidence::default())
        .unwrap_or_else(|_| Bootstrap::seeded(seed))
}

/// A measure of pairs, given in order of time; none where no pair has it.
pub(super) fn difference(
    measure: &str,
    unit: &str,
    values: &[PairValue],
    plan: &Bootstrap,
) -> Option<PairedDifference> {
    let blocks = blocks_of(values);
    let keyed = values
        .iter()
        .zip(&blocks)
        .map(|(value, block)| (value.scenario, *block, value.chat, value.voice));
    let runs = PairedRuns::new(keyed).ok()?;
    let mean = |of: fn(&PairValue) -> f64| values.iter().map(of).sum::<f64>() / values.len() as f64;
    let (voice, chat) = (mean(|value| value.voice), mean(|value| value.chat));
    let ratio = runs.mean_ratio(plan).ok();
    let ratio = ratio.map(|ratio| Estimate { point: ratio.point, interval: ratio.interval });
    let resampled = (runs.mean_difference(plan), ratio);
    Some(PairedDifference::resampled((measure, unit), runs.pairs(), (voice, chat), resampled))
}

/// A share of the pairs' runs; none where no pair has a vote on both sides.
pub(super) fn share_difference(measure: &str, votes: PairedVotes) -> Option<PairedDifference> {
    let found = votes.difference(Confidence::default()).ok()?;
    let n = votes.pairs();
    let share = |count: u64| count as f64 / n as f64;
    let interval = (n >= FEWEST).then_some(found.interval);
    Some(PairedDifference {
        measure: measure.to_owned(),
        unit: "share".to_owned(),
        pairs: n,
        voice: share(votes.both + votes.only_candidate),
        chat: share(votes.both + votes.only_baseline),
        difference: found.point,
        difference_low: interval.map(Interval::low),
        difference_high: interval.map(Interval::high),
        ratio: None,
        ratio_low: None,
        ratio_high: None,
        finding: interval.map(|interval| finding(interval).to_owned()),
        note: interval.is_none().then(|| format!("{n} pairs, an interval needs {FEWEST}")),
    })
}

/// What each side took in all and what it took that for, block by block: the difference of what each one
/// cost. What both sums of a block are of stays together.
pub(super) fn difference_of_each(
    measure: &str,
    unit: &str,
    parts: &[(PairValue, PairValue)],
    plan: &Bootstrap,
) -> Option<PairedDifference> {
    let took: Vec<PairValue> = parts.iter().map(|(took, _)| *took).collect();
    let mut sums: Vec<[f64; 4]> = Vec::new();
    for (block, (took, of)) in blocks_of(&took).into_iter().zip(parts) {
        if block >= sums.len() {
            sums.resize(block + 1, [0.0; 4]);
        }
        let more = [took.voice, of.voice, took.chat, of.chat];
        sums[block].iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
    let each = |sums: &[[f64; 4]]| {
        let mut all = [0.0; 4];
        for block in sums {
            all.iter_mut().zip(block).for_each(|(sum, more)| *sum += more);
        }
        (all[0] / all[1], all[2] / all[3])
    };
    let (voice, chat) = each(&sums);
    if !(voice.is_finite() && chat.is_finite()) {
        return None;
    }
    let found = plan.interval_of(&sums, |sums| {
        let (voice, chat) = each(sums);
        voice - chat
    });
    let ratio = plan.interval_of(&sums, |sums| {
        let (voice, chat) = each(sums);
        voice / chat
    });
    let pairs = parts.len() as u64;
    Some(PairedDifference::resampled((measure, unit), pairs, (voice, chat), (found, ratio.ok())))
}

/// Neighbours in time share the state of the network, the agent and the evaluator.
fn blocks_of(values: &[PairValue]) -> Vec<usize> {
    let timed: Vec<TimedValue> = values
        .iter()
        .map(|value| TimedValue { at: value.at, value: value.voice - value.chat })
        .collect();
    Blocks::cut(&timed, &[], SideTiming::Apart).baseline
}

fn finding(interval: Interval) -> &'static str {
    if interval.is_above(0.0) {
        "voice is more"
    } else if interval.is_below(0.0) {
        "chat is more"
    } else {
        "no difference shown"
    }
}

fn too_few(error: BootstrapError, pairs: u64) -> String {
    match error {
        BootstrapError::TooFewValues(few) | BootstrapError::TooFewClusters(few) => {
            format!("{pairs} pairs, an interval needs {}", few.needs)
        }
        BootstrapError::NotFinite | BootstrapError::ZeroBaseline => {
            "some resamples hold nothing to divide by".to_owned()
        }
    }
}
