//! Ending a session before its plan does, once a threshold that may do so fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use crate::print;
use crate::progress::ProgressSink;
use rushhour_driver::{SessionClock, SessionInput};

/// How often thresholds are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at the thresholds until one fails; must be called within a runtime.
pub(crate) fn watch(
    watched: &Arc<ProgressSink>,
    clock: SessionClock,
    wishes: UnboundedSender<SessionInput>,
) -> JoinHandle<()> {
    let watched = Arc::clone(watched);
    tokio::spawn(async move {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Some(words) = watched.aborts(clock.now()) {
                print::err(&format!(
                    "{words}: nothing more is started, the runs under way are finished"
                ));
                // The session may have ended by itself meanwhile.
                let _ = wishes.send(SessionInput::Abort { message: words });
                return;
            }
        }
    })
}
