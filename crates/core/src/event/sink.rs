//! The interface between the driver, which produces events, and the journal, which stores them.

use std::io;
use std::sync::Arc;

use super::event_kind::Event;
use crate::BoxFuture;

/// Why events could not be written.
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

/// Writes events in order.
pub trait EventSink: Send + Sync {
    /// Queues an event after all events before it.
    fn record(&self, event: Event);

    /// Resolves when all events queued so far are durable.
    ///
    /// # Errors
    /// If they could not be written. All later calls fail too.
    fn flush(&self) -> BoxFuture<'_, Result<(), EventSinkError>>;
}
