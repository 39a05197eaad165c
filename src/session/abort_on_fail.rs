//! Stops a session before its plan ends, once a threshold with `abort` fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tracing::info;

use super::progress::ProgressSink;
use crate::print;
use rushhour_driver::{SessionClock, SessionInput};

const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks the thresholds until one fails. Must be called within a runtime.
pub(crate) fn spawn(
    sink: &Arc<ProgressSink>,
    clock: SessionClock,
    inputs: UnboundedSender<SessionInput>,
) -> JoinHandle<()> {
    let sink = Arc::clone(sink);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(CHECK_INTERVAL);
        loop {
            ticks.tick().await;
            if let Some(message) = sink.failed_abort_threshold(clock.now()) {
                info!(threshold = message, "a threshold aborts the session");
                print::stderr(&super::progress::draining(&message));
                // Fails where the session has ended meanwhile.
                let _ = inputs.send(SessionInput::Abort { message });
                return;
            }
        }
    })
}
