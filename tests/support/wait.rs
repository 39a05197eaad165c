//! Waiting for something to happen, instead of sleeping and hoping.

use std::time::{Duration, Instant};

/// How long a test waits before it fails: much longer than a slow machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Polls until `condition` holds, and panics with `what` when it does not within [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(POLL_EVERY);
    }
}
