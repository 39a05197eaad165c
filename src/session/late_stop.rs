//! A stop that comes when the runs of a session have ended: nothing that costs may follow it.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::control::Control;
use rushhour_driver::SessionInput;

/// Whether somebody has stopped a session after its runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct LateStop {
    is_requested: watch::Sender<bool>,
}

impl LateStop {
    pub(crate) fn request(&self) {
        self.is_requested.send_replace(true);
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.is_requested.borrow()
    }

    /// Waits until somebody requests it.
    pub(crate) async fn requested(&self) {
        // Its sender is here, so it is not closed.
        let _ = self.is_requested.subscribe().wait_for(|is_requested| *is_requested).await;
    }
}

/// Listens for a late stop: while reports are written, and until a session that judges the runs listens itself.
#[derive(Default)]
pub(crate) struct StopListener {
    late_stop: LateStop,
    listening: Mutex<Option<(Option<Control>, Runtime)>>,
}

impl StopListener {
    /// The listener that a session had, on its runtime.
    pub(crate) const fn new(
        late_stop: LateStop,
        control: Option<Control>,
        runtime: Runtime,
    ) -> Self {
        Self { late_stop, listening: Mutex::new(Some((control, runtime))) }
    }

    pub(crate) fn is_stop_requested(&self) -> bool {
        self.late_stop.is_requested()
    }

    /// Listens no more: the session that has these inputs does, and is stopped if this one was. Must be called within a
    /// runtime.
    pub(crate) fn hand_over(&self, inputs: UnboundedSender<SessionInput>) {
        self.close();
        // An answer that is under way says that it was stopped.
        let late_stop = self.late_stop.clone();
        tokio::spawn(async move {
            late_stop.requested().await;
            // The session may have ended by itself.
            let _ = inputs.send(SessionInput::Stop);
        });
    }

    fn close(&self) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((control, runtime)) = listening.take() {
            drop(control);
            runtime.shutdown_background();
        }
    }
}

impl Drop for StopListener {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::session::control::{ControlAnswer, ControlError, ControlRequest, ask};
    use rushhour_driver::SessionClock;
    use rushhour_report::journal::Journal;

    #[test]
    fn a_stop_between_the_runs_and_their_judging_reaches_the_judging() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sink = Arc::new(Journal::create(&elsewhere.path().join("journal.jsonl")).unwrap());
        let runtime = Runtime::new().unwrap();
        let late_stop = LateStop::default();
        let (inputs, ended) = mpsc::unbounded_channel();
        drop(ended);
        let clock = SessionClock::start(0);
        let control = runtime.block_on(async {
            Control::listen(folder.path(), clock, sink, inputs, late_stop.clone())
        });
        let listener = StopListener::new(late_stop, control.ok(), runtime);
        let judging = Runtime::new().unwrap();
        judging.block_on(async {
            let stop = ControlRequest::Stop { now: false };
            assert!(!listener.is_stop_requested());
            assert_eq!(ask(folder.path(), &stop).await.unwrap(), ControlAnswer::Ended);
            assert!(listener.is_stop_requested());
            let (inputs, mut input) = mpsc::unbounded_channel();
            listener.hand_over(inputs);
            assert!(matches!(input.recv().await, Some(SessionInput::Stop)));
            let nobody = ask(folder.path(), &stop).await.unwrap_err();
            assert!(matches!(nobody, ControlError::NotRunning(_)), "the judging listens itself");
        });
    }
}
