//! One session analysed: percentiles, thresholds, validity, cost, and the summary of all of it. Data only; every
//! sentence about it is written in `render`.

mod bill;
mod bound_test;
mod break_up;
mod conversations_summary;
mod dispatch_stall;
mod funnel_rows;
mod heard_summary;
mod measured_latency;
mod overall_verdict;
mod percentiles;
mod quality_summary;
mod scale_out;
mod summary;
mod summary_parts;
#[cfg(test)]
pub(crate) mod test_sessions;
mod threshold;
mod time_bins;
mod unfinished;
mod validity;
mod verdict;

pub use bill::{BillItem, BillSummary, BillTotals, CostEach, LimitsUsed, OldPrices};
pub use break_up::GapStretch;
pub(crate) use break_up::{BREAKS_UP, MATERIAL_RATIO, MATERIAL_RISE, break_up};
pub use conversations_summary::ConversationsSummary;
pub use dispatch_stall::{DispatchStall, StalledJoins, WORKERS_AWAITED, WORKERS_KEPT};
pub(crate) use funnel_rows::{FunnelRow, Loss, funnel_rows, single_mode};
pub use heard_summary::{HeardSummary, KeyWordSummary, MissedKeyWord};
pub(crate) use measured_latency::{MeasuredLatency, measured_latencies};
pub(crate) use overall_verdict::OverallVerdict;
pub(crate) use percentiles::{PercentileFigure, listed_percentiles, quantile_of};
pub use quality_summary::{
    AgentRtcSummary, ConnectionSummary, InterruptionSummary, QualityFigure, QualitySummary,
    ReceivedSummary,
};
pub(crate) use quality_summary::{estimated_heard, estimated_quality, estimated_ratio};
pub(crate) use scale_out::{ScaleOut, scale_outs};
pub use summary::{SUMMARY_VERSION, Summary, summary_schema};
pub(crate) use summary_parts::scope_of;
pub use summary_parts::{
    GeneratorSummary, LatencySummary, OutcomeCounts, PercentileSummary, ResumptionSummary,
    RoomCounts, StopSummary, ThresholdSummary, UnfinishedSummary, ValidityCheck,
};
pub use threshold::{Criterion, Estimated, ThresholdFigure, ThresholdResult, Verdict};
pub(crate) use time_bins::{
    Bin, BinFigure, FEWEST_FOR_P95, LoadTurns, TurnSums, count_bins, latency_bins, sound_bins,
    turns_by_load,
};
pub(crate) use unfinished::{ReachedFigure, WithUnfinished};
pub use validity::{StartRates, Validity, ValidityFigure, ValidityRule};
pub(crate) use validity::{limits, start_rates};
pub use verdict::{NothingCompleted, SessionVerdict};
