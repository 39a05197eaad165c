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

pub use amounts::percent;
pub use headline::soak_headline;
pub use leak_text::leak_sentence;
pub use nightly_text::nightly_sentence;
pub use notes::soak_notes;
pub use series_text::series_sentence;
pub use summary::{
    LeakSummary, NightSeriesSummary, NightlySummary, SOAK_VERSION, SeriesStepSummary,
    SeriesSummary, SoakSummary,
};
pub use wall_clock::WallClock;
