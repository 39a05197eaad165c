//! The one HTTP client: rustls, no redirects, no hidden retries, bounded answers, trouble sorted by what it means.

mod answer;
mod client;
mod transport;

pub use answer::HttpResponse;
pub use client::HttpClient;
pub use transport::{TransportError, TransportErrorKind};
