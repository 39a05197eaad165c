//! A TCP connection to a service for what is not HTTP: direct, or through the proxy that stands between.

use std::error::Error;
use std::io;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use super::error::innermost_cause;
use super::proxy::{ProxyServer, http_form};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The address has no host.
    #[error("the address has no host")]
    Address,
    /// The service's name cannot be resolved, or nothing accepts a connection there.
    #[error("{}", innermost_cause(.0.as_ref()))]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The proxy cannot be reached, or makes no connection to the service.
    #[error("no connection through the proxy {proxy}: {}", innermost_cause(source.as_ref()))]
    Proxy {
        /// The proxy.
        proxy: ProxyServer,
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The proxy speaks something else than HTTP.
    #[error("the proxy {proxy} has an address of {scheme}://, and WebSockets take one of http://")]
    ProxyScheme {
        /// The proxy.
        proxy: ProxyServer,
        /// The scheme of its address.
        scheme: String,
    },
}

impl StreamError {
    /// The system's error that caused it, where that is one.
    pub fn io_error(&self) -> Option<&io::Error> {
        let mut cause: &(dyn Error + 'static) = self;
        loop {
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                return Some(error);
            }
            cause = cause.source()?;
        }
    }
}

/// Connects to the service at `url`, through `proxy` where one stands between. Of a name's addresses of both families
/// the first that answers is taken (RFC 8305).
///
/// # Errors
/// Neither can be reached, or the proxy refuses.
pub async fn connect_stream(
    url: &str,
    proxy: Option<&ProxyServer>,
) -> Result<TcpStream, StreamError> {
    let service = Url::parse(&http_form(url)).map_err(|_| StreamError::Address)?;
    let (Some(host), Some(port)) = (service.host_str(), service.port_or_known_default()) else {
        return Err(StreamError::Address);
    };
    let service = format!("{}://{host}:{port}", service.scheme())
        .parse()
        .map_err(|_| StreamError::Address)?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let Some(proxy) = proxy else {
        let stream = connector.call(service).await;
        return Ok(stream.map_err(|error| StreamError::Connect(Box::new(error)))?.into_inner());
    };
    let address = proxy.intercept().uri().clone();
    if let Some(scheme) = address.scheme_str().filter(|scheme| *scheme != "http") {
        return Err(StreamError::ProxyScheme { proxy: proxy.clone(), scheme: scheme.to_owned() });
    }
    let mut tunnel = Tunnel::new(address, connector);
    if let Some(password) = proxy.intercept().basic_auth() {
        tunnel = tunnel.with_auth(password.clone());
    }
    let stream = tunnel
        .call(service)
        .await
        .map_err(|error| StreamError::Proxy { proxy: proxy.clone(), source: Box::new(error) })?;
    Ok(stream.into_inner())
}
