//! Signals: each is a wish for an end; the first drains, the second ends now.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use super::exit::Trouble;
use super::print;

/// Passes SIGINT, SIGTERM and SIGHUP on, from now until the runtime ends.
pub(super) fn pass_on(stops: UnboundedSender<()>) -> Result<(), Trouble> {
    let listen = |kind| signal(kind).map_err(Trouble::internal);
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    tokio::spawn(async move {
        for count in 1_u32.. {
            let name = tokio::select! {
                _ = interrupt.recv() => "interrupted",
                _ = terminate.recv() => "terminated",
                _ = hang_up.recv() => "the terminal is gone",
            };
            let what = match count {
                1 => {
                    "nothing more is started, runs under way are finished; once more ends them now"
                }
                2 => "runs under way are ended, rooms deleted, reports written",
                _ => "already ending; wait some seconds for the rooms to be deleted",
            };
            print::err(&format!("\n{name}: {what}"));
            if stops.send(()).is_err() {
                break;
            }
        }
    });
    Ok(())
}
