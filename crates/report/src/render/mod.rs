//! Everything that makes bytes or sentences: text, Markdown, HTML, CSV, JSON, JUnit, HdrHistogram logs.
//!
//! Nothing here measures, reads a clock or opens a file, so the same journal gives the same bytes. `tables` defines each
//! table once for all formats, and `sentences` holds the text that formats share.

mod csv;
mod file_wording;
mod hlog;
mod html;
mod json;
mod junit;
mod markdown;
mod metrics;
mod sentences;
mod table;
mod tables;
mod text;
mod visible;

pub use csv::{
    RunsCsv, TurnsCsv, agent_health_csv, capacity_csv, comparison_csv, funnel_csv, histogram_csv,
    judged_csv, pairs_csv, percentiles_csv, soak_csv, timeseries_csv,
};
pub use hlog::{HlogError, hlog};
pub use html::{
    JudgedHistory, LevelSoFar, LiveContext, LivePart, PageParts, RecordedRuns, capacity_page,
    capacity_parts, history_page, live_drift, live_frame, live_parts, live_style, live_title,
    session_page, session_page_with, session_parts, soak_and_session_parts, soak_page,
};
pub use json::{
    CAPACITY_VERSION, CapacitySummary, LeakSummary, NightlySeriesSummary, NightlySummary,
    SeriesStepSummary, SeriesSummary, SoakSummary, capacity_schema, session_json, soak_schema,
};
pub use junit::{JunitError, junit};
pub use markdown::{comparison_markdown, session_markdown};
pub use metrics::{MetricsFormat, session_metrics};
#[cfg(feature = "otlp")]
pub use metrics::{OtlpEncoding, rejected_points, session_otlp};
pub use sentences::capacity::{capacity_headline, capacity_remarks, trial_line, trial_result_line};
pub use sentences::judging::judging_sentences;
pub use sentences::session::session_notice;
pub use sentences::soak::soak_notice;
pub use sentences::threshold::abort_reason;
pub use sentences::{counted, listed};
pub use table::Style;
pub use text::{comparison_text, history_text, session_text, soak_text};
pub(crate) use visible::visible;
