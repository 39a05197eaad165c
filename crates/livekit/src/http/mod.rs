//! The HTTP client that everything of Rushhour uses: TLS by rustls, no redirects, no retries, bounded responses,
//! and errors that say whether the server may have received the request. What it trusts ([`TrustStore`]) and the proxy
//! that it goes through ([`ProxyServer`]) serve WebSockets too.

mod certificate;
mod client;
mod error;
mod proxy;
mod response;
mod stream;
mod trust;

pub use certificate::CertificateProblem;
pub use client::HttpClient;
pub use error::{TransportError, TransportErrorKind};
pub use proxy::ProxyServer;
pub use response::HttpResponse;
pub use stream::{StreamError, connect_stream};
pub use trust::{TrustError, TrustStore};
