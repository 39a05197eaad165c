//! Where events go: the seam between the driver, which makes them, and the journal, which keeps them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use super::event_kind::Event;

/// Why events are not durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EventSinkError {
    /// More events wait to be written than the sink takes.
    #[error("the disk does not keep up")]
    TooSlow,
    /// The sink has ended.
    #[error("the journal is closed")]
    Closed,
    /// An event has no written form.
    #[error("an event cannot be written: {0}")]
    Encode(#[source] Arc<serde_json::Error>),
    /// The file refuses to be written.
    #[error("the journal cannot be written: {0}")]
    Write(#[source] Arc<io::Error>),
    /// The file was written and may not survive a crash of the machine.
    #[error("the journal cannot be flushed to disk: {0}")]
    Sync(#[source] Arc<io::Error>),
}

/// Takes events in order.
pub trait EventSink: Send + Sync {
    /// Takes an event; it will be kept after all that were taken before it.
    fn record(&self, event: Event);

    /// Resolves when everything taken so far is kept for good.
    ///
    /// # Errors
    /// Where it could not be; everything after fails too.
    fn flush(&self) -> Pin<Box<dyn Future<Output = Result<(), EventSinkError>> + Send + '_>>;
}
