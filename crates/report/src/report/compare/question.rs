//! What is asked of two sessions, and how strictly.

use rushhour_core::units::{Metric, Percent, Percentile};
use rushhour_stats::{Bootstrap, Confidence};

/// Latencies that are judged unless others are asked for: those that the agent and its evaluator answer
/// for. Parts of others and the generator's own are left out, for each more makes every one harder to show.
const JUDGED: [Metric; 11] = [
    Metric::AgentJoin,
    Metric::AgentReady,
    Metric::Greeting,
    Metric::TurnChatFirst,
    Metric::TurnChatFinal,
    Metric::TurnVoice,
    Metric::TimeToYield,
    Metric::SubmissionResponse,
    Metric::Queue,
    Metric::Conversation,
    Metric::CompletionResponse,
];

/// Resamples at the least, where values are many.
const FEWEST_RESAMPLES: u32 = 2_000;
/// Values looked at over all resamples of one side, which bounds the time that it takes.
const LOOKED_AT: u64 = 200_000_000;

/// What is asked of two sessions, and how strictly.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonCriteria {
    /// Seeds the resampling.
    pub seed: u64,
    /// Resamples at the most, where values are few.
    pub resamples: u32,
    /// A latency may be this share longer before it counts as a regression.
    pub tolerance: Percent,
    /// Failures may be this much more, in points of percent, before they count as a regression.
    pub failure_tolerance: Percent,
    /// The latencies to judge.
    pub metrics: Vec<Metric>,
    /// Their percentiles.
    pub percentiles: Vec<Percentile>,
    /// Whether voice may be held against chat.
    pub across_modes: bool,
}

impl Default for ComparisonCriteria {
    fn default() -> Self {
        let [p50, _, p90, p95, p99, _] = Percentile::LISTED;
        Self {
            seed: 1,
            resamples: 20_000,
            tolerance: Percent::from_fraction(0.05).unwrap_or(Percent::ZERO),
            failure_tolerance: Percent::ZERO,
            metrics: JUDGED.to_vec(),
            percentiles: vec![p50, p90, p95, p99],
            across_modes: false,
        }
    }
}

impl ComparisonCriteria {
    /// How to resample so many values: as often as their number allows in bounded time.
    pub(super) fn plan(&self, values: usize) -> Bootstrap {
        let most = self.resamples;
        let affordable = LOOKED_AT / (values as u64).max(1);
        let resamples = u32::try_from(affordable).unwrap_or(most).max(FEWEST_RESAMPLES).min(most);
        Bootstrap::new(self.seed, resamples, Confidence::default())
            .unwrap_or_else(|_| Bootstrap::seeded(self.seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_are_resampled_less_often_and_never_too_rarely() {
        let resamples = |values| ComparisonCriteria::default().plan(values).resamples();
        assert_eq!(resamples(0), 20_000);
        assert_eq!(resamples(20_000), 10_000);
        assert_eq!(resamples(10_000_000), 2_000);
    }
}
