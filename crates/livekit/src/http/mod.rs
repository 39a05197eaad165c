//! The HTTP client that everything of Rushhour uses: TLS by rustls, no redirects, no retries, bounded responses,
//! and errors that say whether the server may have received the request.

mod client;
mod error;
mod response;

pub use client::HttpClient;
pub use error::{TransportError, TransportErrorKind};
pub use response::HttpResponse;
