//! Where events go: the seam between the driver, which makes them, and the journal, which keeps them.

use std::future::Future;
use std::pin::Pin;

use super::event_kind::Event;

/// Events could not be kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct EventSinkError(pub String);

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
