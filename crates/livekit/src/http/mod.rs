//! The one HTTP client: rustls, no redirects, no hidden retries, bounded answers, trouble sorted by what it means.

mod client;
mod response;
mod transport;

pub use client::HttpClient;
pub use response::HttpResponse;
pub use transport::{TransportError, TransportErrorKind};
