//! Signals between two sessions of a search, when no session listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::CliError;

/// Notes from now on whether a signal asked for an end.
pub(crate) struct Interruption {
    asked: Arc<AtomicBool>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Interruption {
    pub(crate) fn listen() -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()
            .map_err(CliError::internal)?;
        let asked = Arc::new(AtomicBool::new(false));
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = {
                let _inside = runtime.enter();
                signal(kind).map_err(CliError::internal)?
            };
            let asked = asked.clone();
            runtime.spawn(async move {
                while signals.recv().await.is_some() {
                    asked.store(true, Ordering::Relaxed);
                }
            });
        }
        Ok(Self { asked, runtime: Some(runtime) })
    }

    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
