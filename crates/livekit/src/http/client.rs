//! Sending a request and taking in its answer.

use std::time::{Duration, SystemTime};

use super::response::{HttpResponse, retry_after};
use super::transport::TransportError;

/// An HTTP client; cheap to clone, all clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct HttpClient(reqwest::Client);

impl HttpClient {
    /// A client whose requests may each take `timeout` from sending to the end of the answer.
    ///
    /// # Errors
    /// Where the machine offers no TLS, which is told in words.
    pub fn new(timeout: Duration) -> Result<Self, TransportError> {
        // Another provider may have been installed by the program that uses this library; either serves.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rushhour/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(TransportError::sort)
    }

    /// Begins a GET request.
    pub fn get(&self, url: &str) -> reqwest::RequestBuilder {
        self.0.get(url)
    }

    /// Begins a POST request.
    pub fn post(&self, url: &str) -> reqwest::RequestBuilder {
        self.0.post(url)
    }

    /// Sends a request and takes in at most `largest` bytes of its answer.
    ///
    /// # Errors
    /// Where no whole answer came, sorted by whether the request can have been taken in.
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
        largest: usize,
    ) -> Result<HttpResponse, TransportError> {
        let mut response = request.send().await.map_err(TransportError::sort)?;
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        #[expect(clippy::disallowed_methods, reason = "a date in a header is on the wall clock")]
        let now = SystemTime::now();
        let retry_after = retry_after(header("retry-after"), header("date"), now);
        let date = header("date").and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let mut cut = false;
        while let Some(chunk) = response.chunk().await.map_err(TransportError::sort)? {
            let room = largest - body.len();
            if chunk.len() > room {
                body.extend_from_slice(&chunk[..room]);
                cut = true;
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, retry_after, date, body, cut })
    }
}
