//! Signals that stop a session: the first one drains, the second one ends it at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tracing::info;

use crate::error::CliError;
use crate::print;

/// What to say at the first, the second and every further signal.
pub(crate) type SignalMessages = [&'static str; 3];

pub(crate) const SESSION_SIGNALS: SignalMessages = [
    "no more runs will start, and the runs in flight will be finished; interrupt again to end them now",
    "ending the runs in flight, deleting their rooms and writing the reports",
    "already ending; deleting the rooms takes a few seconds",
];

/// What to say where there is nothing left to stop.
pub(crate) const EVERY_RUN_HAS_ENDED: &str =
    "every run has ended, and nothing is waited for any longer";

/// Sends `stop()` for every SIGINT, SIGTERM and SIGHUP, from now until the runtime ends, and prints what each leads to;
/// when nobody takes them any longer, that is what `when_ended` says.
pub(crate) fn forward<T: Send + 'static>(
    inputs: UnboundedSender<T>,
    stop: fn() -> T,
    messages: SignalMessages,
    when_ended: impl Fn() -> &'static str + Send + 'static,
) -> Result<(), CliError> {
    let listen = |kind| {
        signal(kind)
            .map_err(|error| CliError::internal("cannot listen for signals").caused_by(error))
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    // With a listener, a file that may not grow further (`ulimit -f`) fails the write instead of killing the process.
    let mut file_too_large = listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    tokio::spawn(async move { while file_too_large.recv().await.is_some() {} });
    tokio::spawn(async move {
        for count in 0_usize.. {
            let name = tokio::select! {
                _ = interrupt.recv() => "interrupted",
                _ = terminate.recv() => "terminated",
                _ = hang_up.recv() => "the terminal was closed",
            };
            info!(signal = name, count = count + 1, "stop requested");
            let is_taken = inputs.send(stop()).is_ok();
            let message = if is_taken { messages[count.min(2)] } else { when_ended() };
            print::stderr(&format!("\n{name}: {message}"));
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
