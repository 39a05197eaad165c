//! Signals: each is a wish for an end; the first drains, the second ends now.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use crate::exit::CliError;
use crate::print;

/// What is said at the first, the second and every further signal of a session.
pub(crate) const OF_A_SESSION: [&str; 3] = [
    "nothing more is started, runs under way are finished; once more ends them now",
    "runs under way are ended, rooms deleted, reports written",
    "already ending; wait some seconds for the rooms to be deleted",
];

/// Passes SIGINT, SIGTERM and SIGHUP on, from now until the runtime ends, and says what each leads to.
pub(crate) fn pass_on<T: Send + 'static>(
    stops: UnboundedSender<T>,
    stop: fn() -> T,
    words: [&'static str; 3],
) -> Result<(), CliError> {
    let listen = |kind| signal(kind).map_err(CliError::internal);
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    // A file that may not grow any more (`ulimit -f`) is to be a write that fails, and no end without a word:
    // whoever listens is not killed.
    let mut file_too_large = listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    tokio::spawn(async move { while file_too_large.recv().await.is_some() {} });
    tokio::spawn(async move {
        for count in 0_usize.. {
            let name = tokio::select! {
                _ = interrupt.recv() => "interrupted",
                _ = terminate.recv() => "terminated",
                _ = hang_up.recv() => "the terminal is gone",
            };
            let what = words[count.min(2)];
            print::err(&format!("\n{name}: {what}"));
            if stops.send(stop()).is_err() {
                break;
            }
        }
    });
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn interrupted() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}
