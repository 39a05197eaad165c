//! Why a worker reported nothing.

use rushhour_livekit::http::TransportError;

/// Why a worker's endpoint reported nothing.
#[derive(Debug, thiserror::Error)]
pub enum WorkerPollError {
    /// No complete response.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The response is larger than any worker's.
    #[error("the response is longer than {max_bytes} bytes")]
    TooLong {
        /// How much is read.
        max_bytes: usize,
    },
    /// The response has another status than success.
    #[error("the response has status {0}")]
    Status(u16),
    /// The response of `/worker` is not JSON of the expected form.
    #[error("not a worker's response: {0}")]
    Json(#[from] serde_json::Error),
    /// The response of `/worker` has none of the fields.
    #[error("not a worker's response: it has neither active_jobs nor worker_load")]
    NoFields,
    /// The Prometheus metrics are of something else.
    #[error("not a worker's metrics: there is no lk_agents_*")]
    NoMetrics,
}
