//! Sending a request and reading a bounded response.

use std::time::{Duration, SystemTime};

use rustls::ClientConfig;
use tokio::time::Instant;
use tracing::Level;

use super::error::TransportError;
use super::proxy::ProxyServer;
use super::response::{HttpResponse, parse_retry_after};
use super::trust::TrustStore;

/// How long a connection without a request is kept. Services close theirs after a minute or so, and a request sent at that
/// moment is lost.
const LONGEST_IDLE: Duration = Duration::from_secs(20);

/// An HTTP client; cheap to clone, all clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    /// The proxy that stands between.
    proxy: Option<ProxyServer>,
}

impl HttpClient {
    /// A client for the service at `url` that trusts `trust` and gives up a request after `timeout`, counted from
    /// sending it to the end of the response. It goes through the proxy that the environment names, unless the service
    /// is on this machine.
    ///
    /// # Errors
    /// No client can be built on this machine.
    pub fn for_service(
        url: &str,
        trust: &TrustStore,
        timeout: Duration,
    ) -> Result<Self, TransportError> {
        Self::build(ProxyServer::for_service(url), trust, timeout)
    }

    /// A client that never uses a proxy.
    ///
    /// # Errors
    /// The machine's root certificates cannot be read.
    pub fn direct(timeout: Duration) -> Result<Self, TransportError> {
        Self::build(None, &TrustStore::system()?, timeout)
    }

    fn build(
        proxy: Option<ProxyServer>,
        trust: &TrustStore,
        timeout: Duration,
    ) -> Result<Self, TransportError> {
        let builder = reqwest::Client::builder()
            .timeout(timeout)
            .pool_idle_timeout(LONGEST_IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rushhour/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(ClientConfig::clone(&trust.tls_config()));
        // The library reads the environment as `ProxyServer` does.
        let builder = if proxy.is_some() { builder } else { builder.no_proxy() };
        Ok(Self { client: builder.build()?, proxy })
    }

    /// The proxy that stands between this machine and the service.
    pub const fn proxy(&self) -> Option<&ProxyServer> {
        self.proxy.as_ref()
    }

    /// Begins a GET request.
    pub fn get(&self, url: &str) -> reqwest::RequestBuilder {
        self.client.get(url)
    }

    /// Begins a POST request.
    pub fn post(&self, url: &str) -> reqwest::RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request and reads at most `max_body` bytes of the response. Emits one `debug` event with the method,
    /// host, path, status or kind of error, and duration.
    ///
    /// # Errors
    /// No complete response: the kind says whether the server may have received the request.
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
        max_body: usize,
    ) -> Result<HttpResponse, TransportError> {
        let request = request.build()?;
        let log = RequestLog::start(&request);
        let result = self.execute(request, max_body).await.map_err(|error| match &self.proxy {
            Some(proxy) => error.through(proxy),
            None => error,
        });
        if let Some(log) = log {
            log.finish(&result);
        }
        result
    }

    async fn execute(
        &self,
        request: reqwest::Request,
        max_body: usize,
    ) -> Result<HttpResponse, TransportError> {
        let mut response = self.client.execute(request).await?;
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        #[expect(clippy::disallowed_methods, reason = "a date in a header is on the wall clock")]
        let now = SystemTime::now();
        let retry_after = parse_retry_after(header("retry-after"), header("date"), now);
        let date = header("date").and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let mut truncated = false;
        while let Some(chunk) = response.chunk().await? {
            let room = max_body - body.len();
            if chunk.len() > room {
                body.extend_from_slice(&chunk[..room]);
                truncated = true;
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, retry_after, date, body, truncated })
    }
}

/// What the log says of a request. Never its query, headers or body, which may hold keys and tokens.
struct RequestLog {
    method: reqwest::Method,
    url: reqwest::Url,
    started: Instant,
}

impl RequestLog {
    /// `None` where nobody subscribes.
    fn start(request: &reqwest::Request) -> Option<Self> {
        tracing::enabled!(Level::DEBUG).then(|| Self {
            method: request.method().clone(),
            url: request.url().clone(),
            started: Instant::now(),
        })
    }

    fn finish(self, result: &Result<HttpResponse, TransportError>) {
        let duration = self.started.elapsed().as_millis();
        tracing::debug!(
            method = self.method.as_str(),
            host = self.url.host_str(),
            path = self.url.path(),
            status = result.as_ref().ok().map(|response| response.status),
            error = result.as_ref().err().map(|error| error.kind.name()),
            duration_ms = u64::try_from(duration).unwrap_or(u64::MAX),
            "HTTP request"
        );
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::testing::EventCapture;

    async fn respond_once(listener: TcpListener, response: &'static str) {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = socket.read(&mut request).await.unwrap();
        socket.write_all(response.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn the_log_of_a_request_holds_no_query_header_or_body() {
        let capture = EventCapture::default();
        let _guard = capture.install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(respond_once(
            listener,
            "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 6\r\n\r\nsecret",
        ));
        let client = HttpClient::direct(Duration::from_secs(10)).unwrap();
        let url = format!("http://user:secret@{address}/twirp/path?token=secret");
        let request = client.post(&url).bearer_auth("secret").body("secret");
        assert_eq!(client.send(request, 100).await.unwrap().status, 429);
        server.await.unwrap();
        let refused = client.send(client.get(&url), 100).await.unwrap_err();
        assert_eq!(refused.kind.name(), "not_sent");

        let events = capture.events_of("rushhour_livekit");
        assert_eq!(events.len(), 2, "{events:?}");
        for (event, method, outcome) in
            [(&events[0], "POST", "status=429"), (&events[1], "GET", "error=not_sent")]
        {
            for field in [
                "DEBUG HTTP request",
                &format!("method={method}"),
                "host=127.0.0.1",
                "path=/twirp/path",
                outcome,
                "duration_ms=",
            ] {
                assert!(event.contains(field), "{field} in {event}");
            }
            assert!(!event.contains("secret") && !event.contains("token"), "{event}");
        }
    }
}
