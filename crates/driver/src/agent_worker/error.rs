//! Why a worker reported nothing.

use rushhour_core::units::ForeignText;
use rushhour_livekit::http::TransportError;

/// How much is kept of what is wrong with a response, in bytes: it may quote all of it.
const MAX_QUOTED: usize = 200;

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
    /// The response is not JSON of the expected form.
    #[error("not the expected response: {0}")]
    Json(ForeignText),
    /// The response of `/worker` has none of the fields.
    #[error("not a worker's response: it has neither active_jobs nor worker_load")]
    NoFields,
    /// The Prometheus metrics are of something else.
    #[error("not a worker's metrics: there is no lk_agents_*")]
    NoMetrics,
    /// Prometheus cannot answer a query.
    #[error("Prometheus refused the query: {0}")]
    QueryRefused(ForeignText),
    /// The answer is not that to an instant query.
    #[error("not an answer of Prometheus to an instant query")]
    NotAQuery,
    /// An answer has too many series.
    #[error("the query has {found} series, and {most} are read: sum them up by worker")]
    TooManySeries {
        /// How many it has.
        found: usize,
        /// How many are read.
        most: usize,
    },
}

impl From<serde_json::Error> for WorkerPollError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(ForeignText::at_most(&error.to_string(), MAX_QUOTED))
    }
}
