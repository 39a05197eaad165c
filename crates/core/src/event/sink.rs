//! The interface between the driver, which produces events, and the journal, which stores them.

use super::event_kind::Event;
use crate::BoxFuture;

/// Events could not be written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct EventSinkError(pub String);

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
