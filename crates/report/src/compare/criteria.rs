//! What to compare, and how strictly.

use rushhour_core::units::{Metric, Percent, Percentile};
use rushhour_stats::{Bootstrap, Confidence};

/// The latencies that are judged by default: those that the agent and its evaluator are responsible for. Each
/// additional latency makes every difference harder to show, so parts of others and the generator's own are left out.
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

/// The fewest resamples, for many values.
const FEWEST_RESAMPLES: u32 = 2_000;
/// The most values drawn over all resamples of one side, which bounds the computing time.
const MOST_DRAWS: u64 = 200_000_000;

/// What to compare, and how strictly.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonCriteria {
    /// Seeds the resampling.
    pub seed: u64,
    /// The most resamples, for few values.
    pub resamples: u32,
    /// A latency may be longer by this share before it counts as a regression.
    pub tolerance: Percent,
    /// The failure rate may be higher by this many percentage points before it counts as a regression.
    pub failure_tolerance: Percent,
    /// The latencies to judge.
    pub metrics: Vec<Metric>,
    /// Their percentiles.
    pub percentiles: Vec<Percentile>,
    /// Whether voice may be compared with chat.
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
    /// The bootstrap for this many values, with as many resamples as bounded time allows.
    pub(super) fn bootstrap(&self, values: usize) -> Bootstrap {
        let most = self.resamples;
        let affordable = MOST_DRAWS / (values as u64).max(1);
        let resamples = u32::try_from(affordable).unwrap_or(most).max(FEWEST_RESAMPLES).min(most);
        Bootstrap::new(self.seed, resamples, Confidence::default())
            .unwrap_or_else(|_| Bootstrap::seeded(self.seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_get_fewer_resamples_but_never_too_few() {
        let resamples = |values| ComparisonCriteria::default().bootstrap(values).resamples();
        assert_eq!(resamples(0), 20_000);
        assert_eq!(resamples(20_000), 10_000);
        assert_eq!(resamples(10_000_000), 2_000);
    }
}
