//! `report.html` of a search: the answer, its levels drawn and listed, on one page without network or script.
//!
//! `document` is the order in which it is read, `levels` the sessions in their order, `figures` each
//! threshold against the number at once.

mod document;
mod figures;
mod levels;
mod marks;

pub use document::capacity_page;
