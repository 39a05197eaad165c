//! The types that all crates of Rushhour share: units and ids, seeded random numbers, profiles, plans,
//! bills, events, recordings, and the [`Evaluator`](evaluator::Evaluator) trait.
//!
//! Nothing here reads a clock, a file, a socket or an unseeded random source.

pub mod bill;
pub mod evaluator;
pub mod event;
mod local_host;
pub mod plan;
pub mod profile;
pub mod recording;
pub mod rng;
pub mod units;

use std::pin::Pin;

pub use local_host::is_local_host;

/// The cause of an error, shared so that errors can be cloned.
pub type ErrorSource = std::sync::Arc<dyn std::error::Error + Send + Sync>;

/// A future returned by a method of a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
