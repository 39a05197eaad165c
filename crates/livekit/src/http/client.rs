//! Sending a request and reading a bounded response.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::Level;

use super::error::TransportError;
use super::response::{HttpResponse, parse_retry_after};
use rushhour_core::profile::{TargetKind, target_kind};

/// Whether requests go through the proxy that `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY` names; `NO_PROXY` is honoured.
#[derive(Debug, Clone, Copy)]
enum ProxyUse {
    FromEnvironment,
    Never,
}

/// An HTTP client; cheap to clone, all clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct HttpClient(reqwest::Client);

impl HttpClient {
    /// A client for the service at `url` that gives up a request after `timeout`, counted from sending it to the end of
    /// the response. It goes through the proxy that the environment names, unless the service is on this machine.
    ///
    /// # Errors
    /// The machine's root certificates cannot be read.
    pub fn for_service(url: &str, timeout: Duration) -> Result<Self, TransportError> {
        let is_local =
            reqwest::Url::parse(url).is_ok_and(|url| target_kind(&url) == TargetKind::Loopback);
        let proxies = if is_local { ProxyUse::Never } else { ProxyUse::FromEnvironment };
        Self::build(proxies, timeout)
    }

    /// A client that never uses a proxy.
    ///
    /// # Errors
    /// The machine's root certificates cannot be read.
    pub fn direct(timeout: Duration) -> Result<Self, TransportError> {
        Self::build(ProxyUse::Never, timeout)
    }

    fn build(proxies: ProxyUse, timeout: Duration) -> Result<Self, TransportError> {
        // Another provider may have been installed by the program that uses this library; either serves.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = || {
            let builder = reqwest::Client::builder()
                .timeout(timeout)
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("rushhour/", env!("CARGO_PKG_VERSION")));
            match proxies {
                ProxyUse::FromEnvironment => builder,
                ProxyUse::Never => builder.no_proxy(),
            }
        };
        builder()
            .build()
            // A machine without root certificates, such as an empty container, gets those that are built in.
            .or_else(|_| builder().tls_certs_only(built_in_roots()?).build())
            .map(Self)
            .map_err(TransportError::from)
    }

    /// Begins a GET request.
    pub fn get(&self, url: &str) -> reqwest::RequestBuilder {
        self.0.get(url)
    }

    /// Begins a POST request.
    pub fn post(&self, url: &str) -> reqwest::RequestBuilder {
        self.0.post(url)
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
        let result = self.execute(request, max_body).await;
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
        let mut response = self.0.execute(request).await?;
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

/// Mozilla's root certificates.
fn built_in_roots() -> reqwest::Result<Vec<reqwest::Certificate>> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    roots.iter().map(|root| reqwest::Certificate::from_der(root)).collect()
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

    #[test]
    fn the_built_in_roots_make_a_client() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let roots = built_in_roots().unwrap();
        assert!(roots.len() > 100, "{}", roots.len());
        reqwest::Client::builder().tls_certs_only(roots).build().unwrap();
    }
}
