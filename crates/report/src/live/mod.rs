//! A session while it runs: the fold of its events so far, and the last ones that are worth a line.
//!
//! What is shown of it is what `rushhour report` would say if the journal ended now.

mod live_fold;
mod recent_events;

pub use live_fold::{LastHeard, LiveFold, LiveSnapshot};
pub use recent_events::{RecentEvent, RecentEvents, RecentKind};
