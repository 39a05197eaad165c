//! `report.html`: one page to read and to send, without network or script; and its sisters, `soak.html` (`soak`)
//! and `history.html` (`nights`).
//!
//! `document` is the order in which it is read. Charts are drawn by `chart` on the axes of `scale`:
//! `over_time`, `distribution` and `load`, with `stages` behind them and `bins` below. `funnel`, `tables`,
//! `definitions` and `provenance` are words and numbers. Its size does not grow with the number of runs:
//! everything drawn comes from histograms and windows.

mod bill;
mod bins;
mod chart;
mod definitions;
mod distribution;
mod document;
mod funnel;
mod judged;
mod load;
mod nights;
mod over_time;
mod pairs;
mod provenance;
mod scale;
mod soak;
mod stages;
mod tables;
#[cfg(test)]
mod tests;
mod upward;

pub(crate) use chart::{ChartFigure, LineStyle, place, through};
pub use document::page;
pub(crate) use document::{framed, section};
pub use nights::{JudgedNights, history_page};
pub(crate) use scale::{Scale, Tick};
pub use soak::soak_page;
pub(crate) use tables::{over_interval, scrolled, sideways};
