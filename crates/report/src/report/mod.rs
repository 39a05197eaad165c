//! From what a session comes to, to bytes: one file per format, and the verdicts.
//!
//! Nothing here measures, reads a clock or opens a file: the same journal gives the same bytes.

mod blocks;
mod compare;
mod figures;
mod funnel;
mod headline;
mod histogram_csv;
mod hlog;
mod judged;
mod junit;
mod markdown;
mod measured;
mod money;
mod page;
mod paired;
mod percentiles_csv;
mod runs_csv;
mod session_json;
mod soak;
mod summary;
mod terminal;
#[cfg(test)]
mod test_sessions;
mod timeseries_csv;
mod turns_csv;
mod unfinished;
mod validity;
mod verdict;
mod visible;

pub use compare::{
    Arm, ArmBuilder, COMPARISON_VERSION, ComparisonCriteria, ComparisonFinding, Conclusion,
    CostComparison, Incomparable, LatencyComparison, PartError, QuantileComparison, RateComparison,
    SessionComparison, SessionPart, Shape, Side, Split, SplitBy, SplitError, comparison_csv,
    comparison_markdown, comparison_schema, comparison_text,
};
pub use figures::{PercentileFigure, QuantileFigure, figure};
pub use funnel::funnel_csv;
pub use histogram_csv::histogram_csv;
pub use hlog::{HlogError, hlog};
pub use judged::{
    JudgedFailures, JudgedFigures, JudgedFold, JudgedRun, JudgedStratum, JudgingResult, RunVerdict,
    WeightedShare, judged_csv, judged_words,
};
pub use junit::{JunitError, junit};
pub use markdown::markdown;
pub use money::{BillItem, BillSummary, CostEach, old_prices};
pub(crate) use page::{
    ChartFigure, LineStyle, Scale, Tick, framed, over_interval, place, scrolled, section, sideways,
    through,
};
pub use page::{JudgedNights, history_page, page, soak_page};
pub use paired::{
    ModeFigures, PairCounts, PairedComparison, PairedDifference, Premium, PremiumPart, pairs_csv,
};
pub use percentiles_csv::percentiles_csv;
pub use runs_csv::RunsCsv;
pub use session_json::session_json;
pub use soak::{agent_health_csv, history_text, soak_csv, soak_schema, soak_text};
pub use summary::{SUMMARY_VERSION, Summary, summary_schema};
pub use terminal::{Style, terminal};
pub use timeseries_csv::timeseries_csv;
pub use turns_csv::TurnsCsv;
pub use unfinished::{ReachedFigure, WithUnfinished};
pub use validity::{Validity, ValidityRule};
pub use verdict::{Criterion, Estimated, SessionVerdict, ThresholdResult, Verdict};
pub(crate) use visible::visible;
