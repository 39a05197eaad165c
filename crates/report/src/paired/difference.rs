//! One measure of both modes compared: the difference of the means with its interval.

use schemars::JsonSchema;
use serde::Serialize;

use crate::compare::{Blocks, SideTiming, TimedValue};
use crate::fold::PairedRun;
use rushhour_core::units::SessionTime;
use rushhour_stats::{
    Bootstrap, BootstrapError, Confidence, Estimate, Interval, PairedRuns, PairedVotes,
};

/// The number of resamples behind the intervals.
const RESAMPLES: u32 = 4_000;
/// The fewest pairs for the interval of a share.
const FEWEST_PAIRS: u64 = 6;

/// Reads a measure from a run; `None` if the run does not have it.
pub(super) type PairMetric<'a> = dyn Fn(&PairedRun) -> Option<f64> + 'a;

/// One measure of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairValue {
    pub(super) scenario: u32,
    pub(super) at: SessionTime,
    pub(super) voice: f64,
    pub(super) chat: f64,
}

/// What is compared between the modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairedMeasure {
    /// The cost of a run.
    CostOfRun,
    /// The cost of all runs per completed run.
    CostOfCompletedTask,
    /// The cost of all runs per run that was judged as passed.
    CostOfSuccessfulTask,
    /// The duration of the conversation.
    Conversation,
    /// The number of turns.
    Turns,
    /// Tokens read by the agent's language model.
    TokensRead,
    /// Tokens written by the agent's language model.
    TokensWritten,
    /// The time to an answer: to its first audible frame in voice, to its first chunk in chat.
    AnswerToFirst,
    /// The time to an answer: to its first audible frame in voice, to its last chunk in chat.
    AnswerToLast,
    /// The share of completed runs.
    Completed,
    /// The share of judged runs that passed.
    JudgedAsPassed,
}

/// The unit of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairedUnit {
    /// US dollars.
    Usd,
    /// Microseconds.
    Micros,
    /// Turns.
    Turns,
    /// Tokens.
    Tokens,
    /// A share from 0 to 1.
    Share,
}

impl PairedMeasure {
    /// The name in `summary.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CostOfRun => "cost of a run",
            Self::CostOfCompletedTask => "cost of a completed task",
            Self::CostOfSuccessfulTask => "cost of a successful task",
            Self::Conversation => "conversation",
            Self::Turns => "turns",
            Self::TokensRead => "tokens read",
            Self::TokensWritten => "tokens written",
            Self::AnswerToFirst => "answer heard, against begun to be read",
            Self::AnswerToLast => "answer heard, against read to its end",
            Self::Completed => "completed",
            Self::JudgedAsPassed => "judged as passed",
        }
    }

    const fn unit(self) -> PairedUnit {
        match self {
            Self::CostOfRun | Self::CostOfCompletedTask | Self::CostOfSuccessfulTask => {
                PairedUnit::Usd
            }
            Self::Conversation | Self::AnswerToFirst | Self::AnswerToLast => PairedUnit::Micros,
            Self::Turns => PairedUnit::Turns,
            Self::TokensRead | Self::TokensWritten => PairedUnit::Tokens,
            Self::Completed | Self::JudgedAsPassed => PairedUnit::Share,
        }
    }
}

impl PairedUnit {
    /// The name in `summary.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Micros => "us",
            Self::Turns => "turns",
            Self::Tokens => "tokens",
            Self::Share => "share",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairedFinding {
    /// Voice is significantly more.
    VoiceMore,
    /// Chat is significantly more.
    ChatMore,
    /// The difference is not significant.
    NoDifference,
}

impl PairedFinding {
    fn of(interval: Interval) -> Self {
        if interval.is_above(0.0) {
            Self::VoiceMore
        } else if interval.is_below(0.0) {
            Self::ChatMore
        } else {
            Self::NoDifference
        }
    }

    /// The words used in files and reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::VoiceMore => "voice is more",
            Self::ChatMore => "chat is more",
            Self::NoDifference => "no difference shown",
        }
    }
}

/// Why there is no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceNote {
    /// Too few pairs.
    TooFewPairs {
        /// How many there are.
        pairs: u64,
        /// How many an interval needs.
        needs: u64,
    },
    /// Some resamples have nothing to divide by, such as no completed run.
    NothingToDivideBy,
}

impl DifferenceNote {
    const fn of(error: BootstrapError, pairs: u64) -> Self {
        match error {
            BootstrapError::TooFewValues(few) | BootstrapError::TooFewClusters(few) => {
                Self::TooFewPairs { pairs, needs: few.needs }
            }
            BootstrapError::NotFinite | BootstrapError::ZeroBaseline => Self::NothingToDivideBy,
        }
    }
}

/// One measure of both modes: the means, and their difference, voice minus chat.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PairedDifference {
    /// What was measured.
    pub measure: PairedMeasure,
    /// `USD`, `us`, `turns`, `tokens` or `share`.
    pub unit: PairedUnit,
    /// Pairs of which both runs have the measure.
    pub pairs: u64,
    /// The mean of the voice runs.
    pub voice: f64,
    /// The mean of the chat runs.
    pub chat: f64,
    /// Voice minus chat.
    pub difference: f64,
    /// The lower end of its 95 % interval; null if there are too few pairs.
    pub difference_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub difference_high: Option<f64>,
    /// Voice as a multiple of chat; null if chat is zero, and for shares.
    pub ratio: Option<f64>,
    /// The lower end of its 95 % interval.
    pub ratio_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub ratio_high: Option<f64>,
    /// `voice is more`, `chat is more` or `no difference shown`; null if there are too few pairs.
    pub finding: Option<PairedFinding>,
    /// Why there is no interval.
    pub note: Option<DifferenceNote>,
}

/// The means of both modes over a number of pairs.
struct PairMeans {
    pairs: u64,
    voice: f64,
    chat: f64,
}

impl PairedDifference {
    fn resampled(
        measure: PairedMeasure,
        means: &PairMeans,
        difference: Result<Estimate, BootstrapError>,
        ratio: Option<Estimate>,
    ) -> Self {
        let interval = difference.as_ref().ok().map(|found| found.interval);
        Self {
            measure,
            unit: measure.unit(),
            pairs: means.pairs,
            voice: means.voice,
            chat: means.chat,
            difference: means.voice - means.chat,
            difference_low: interval.map(Interval::low),
            difference_high: interval.map(Interval::high),
            ratio: ratio.map(|ratio| ratio.point),
            ratio_low: ratio.map(|ratio| ratio.interval.low()),
            ratio_high: ratio.map(|ratio| ratio.interval.high()),
            finding: interval.map(PairedFinding::of),
            note: difference.err().map(|error| DifferenceNote::of(error, means.pairs)),
        }
    }
}

pub(super) fn bootstrap(seed: u64) -> Bootstrap {
    Bootstrap::new(seed, RESAMPLES, Confidence::default())
        .unwrap_or_else(|_| Bootstrap::seeded(seed))
}

/// The difference of one measure of pairs in order of time; `None` if no pair has it.
pub(super) fn difference(
    measure: PairedMeasure,
    values: &[PairValue],
    bootstrap: &Bootstrap,
) -> Option<PairedDifference> {
    let blocks = blocks_of(values);
    let keyed = values
        .iter()
        .zip(&blocks)
        .map(|(value, block)| (value.scenario, *block, value.chat, value.voice));
    let runs = PairedRuns::new(keyed).ok()?;
    let mean = |of: fn(&PairValue) -> f64| values.iter().map(of).sum::<f64>() / values.len() as f64;
    let means = PairMeans {
        pairs: runs.pairs(),
        voice: mean(|value| value.voice),
        chat: mean(|value| value.chat),
    };
    let ratio = runs.mean_ratio(bootstrap).ok();
    let ratio = ratio.map(|ratio| Estimate { point: ratio.point, interval: ratio.interval });
    Some(PairedDifference::resampled(measure, &means, runs.mean_difference(bootstrap), ratio))
}

/// The difference of a share; `None` if no pair has a vote on both sides.
pub(super) fn share_difference(
    measure: PairedMeasure,
    votes: PairedVotes,
) -> Option<PairedDifference> {
    let found = votes.difference(Confidence::default()).ok()?;
    let pairs = votes.pairs();
    let share = |count: u64| count as f64 / pairs as f64;
    let interval = (pairs >= FEWEST_PAIRS).then_some(found.interval);
    let too_few = DifferenceNote::TooFewPairs { pairs, needs: FEWEST_PAIRS };
    Some(PairedDifference {
        measure,
        unit: measure.unit(),
        pairs,
        voice: share(votes.both + votes.only_candidate),
        chat: share(votes.both + votes.only_baseline),
        difference: found.point,
        difference_low: interval.map(Interval::low),
        difference_high: interval.map(Interval::high),
        ratio: None,
        ratio_low: None,
        ratio_high: None,
        finding: interval.map(PairedFinding::of),
        note: interval.is_none().then_some(too_few),
    })
}

/// The difference of a quotient of sums, such as the cost of all runs per completed run. `parts` holds numerator and
/// denominator of each pair. Both sums of a block are resampled together.
pub(super) fn difference_of_each(
    measure: PairedMeasure,
    parts: &[(PairValue, PairValue)],
    bootstrap: &Bootstrap,
) -> Option<PairedDifference> {
    let numerators: Vec<PairValue> = parts.iter().map(|(numerator, _)| *numerator).collect();
    // Of each block: the sums of voice's numerator and denominator, and of chat's.
    let mut sums: Vec<[f64; 4]> = Vec::new();
    for (block, (numerator, denominator)) in blocks_of(&numerators).into_iter().zip(parts) {
        if block >= sums.len() {
            sums.resize(block + 1, [0.0; 4]);
        }
        let more = [numerator.voice, denominator.voice, numerator.chat, denominator.chat];
        sums[block].iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
    let quotients = |sums: &[[f64; 4]]| {
        let mut all = [0.0; 4];
        for block in sums {
            all.iter_mut().zip(block).for_each(|(sum, more)| *sum += more);
        }
        (all[0] / all[1], all[2] / all[3])
    };
    let (voice, chat) = quotients(&sums);
    if !(voice.is_finite() && chat.is_finite()) {
        return None;
    }
    let difference = bootstrap.interval_of(&sums, |sums| {
        let (voice, chat) = quotients(sums);
        voice - chat
    });
    let ratio = bootstrap.interval_of(&sums, |sums| {
        let (voice, chat) = quotients(sums);
        voice / chat
    });
    let means = PairMeans { pairs: parts.len() as u64, voice, chat };
    Some(PairedDifference::resampled(measure, &means, difference, ratio.ok()))
}

/// Neighbours in time share the state of the network, the agent and the evaluator.
fn blocks_of(values: &[PairValue]) -> Vec<usize> {
    let timed: Vec<TimedValue> = values
        .iter()
        .map(|value| TimedValue { at: value.at, value: value.voice - value.chat })
        .collect();
    Blocks::cut(&timed, &[], SideTiming::Apart).baseline
}
