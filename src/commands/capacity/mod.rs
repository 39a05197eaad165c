//! `rushhour capacity`: how many conversations an agent holds at once, session after session.
//!
//! `command` holds the sessions that the search asks for, `log` keeps what was decided, `reporting` makes
//! the search's reports from that and the sessions' journals.

mod command;
mod interruption;
mod log;
mod reporting;

pub(crate) use command::capacity;
pub(crate) use reporting::{report, search_folder};
