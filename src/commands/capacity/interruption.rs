//! Signals between two sessions of a search, when no session listens for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::CliError;

/// Remembers whether a signal has asked for an end.
pub(crate) struct Interruption {
    requested: Arc<AtomicBool>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Interruption {
    pub(crate) fn listen() -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()
            .map_err(CliError::from_internal)?;
        let requested = Arc::new(AtomicBool::new(false));
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = {
                let _context = runtime.enter();
                signal(kind).map_err(CliError::from_internal)?
            };
            let requested = requested.clone();
            runtime.spawn(async move {
                while signals.recv().await.is_some() {
                    requested.store(true, Ordering::Relaxed);
                }
            });
        }
        Ok(Self { requested, runtime: Some(runtime) })
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
