//! `report.html` of a search: the answer, its levels in a chart and in a table.
//!
//! `document` is the order in which it is read, `levels` the sessions in order, `figures` each threshold by level.

mod document;
mod figures;
mod levels;
mod verdict_marks;

pub use document::{capacity_page, capacity_parts};
pub(super) use figures::figures;
pub(super) use levels::levels;
