//! The sentences of a soak.
//!
//! `headline` is the answer; `series_text`, `leak_text` and `nightly_text` say in a sentence what was found of one
//! series, resource or nightly comparison; `notes` lists what else a reader has to know, and `notice`
//! tells the end in a few lines. `amounts` and `wall_clock`
//! format numbers and times.

mod amounts;
mod headline;
mod leak_text;
mod nightly_text;
mod notes;
mod notice;
mod series_text;
mod wall_clock;

pub(crate) use amounts::percent;
pub(crate) use headline::soak_headline;
pub(crate) use leak_text::leak_sentence;
pub(crate) use nightly_text::nightly_sentence;
pub(crate) use notes::soak_notes;
pub(crate) use notice::session_faults;
pub use notice::soak_notice;
pub(crate) use series_text::series_sentence;
pub(crate) use wall_clock::WallClock;
