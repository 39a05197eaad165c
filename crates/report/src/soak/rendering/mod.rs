//! A soak analysis for readers: `summary` for programs (`soak.json`), and sentences for people.
//!
//! `headline` is the answer; `series_text`, `leak_text` and `nightly_text` say in a sentence what was found of one
//! series, resource or nightly comparison; `notes` lists what else a reader has to know. `amounts` and `wall_clock`
//! format numbers and times.

mod amounts;
mod headline;
mod leak_text;
mod nightly_text;
mod notes;
mod series_text;
mod summary;
mod wall_clock;

pub(crate) use amounts::percent;
pub(crate) use headline::soak_headline;
pub(crate) use leak_text::leak_sentence;
pub(crate) use nightly_text::nightly_sentence;
pub(crate) use notes::soak_notes;
pub(crate) use series_text::series_sentence;
pub use summary::{
    LeakSummary, NightlySeriesSummary, NightlySummary, SeriesStepSummary, SeriesSummary,
    SoakSummary,
};
