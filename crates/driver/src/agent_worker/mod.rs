//! The health of the agent's own worker: jobs, load, processes and memory, as the worker reports them.
//!
//! `worker_status` parses what livekit-agents serves at `/worker`, `metrics` its Prometheus metrics, `prometheus` what a
//! Prometheus server knows of all workers; [`WorkerClient`] polls them.

mod client;
mod error;
mod metrics;
mod prometheus;
mod worker_status;

pub use client::WorkerClient;
pub use error::WorkerPollError;
pub use metrics::parse_metrics;
pub use prometheus::{QueriedValue, parse_query_answer};
pub use worker_status::parse_status;
