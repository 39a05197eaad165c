//! The proxy between this machine and a service, as the environment names it.

use std::fmt;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use rushhour_core::profile::{TargetKind, target_kind};

/// The proxy that `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` names for a service that `NO_PROXY` does not. Shown as its
/// host and port: its address may hold a password.
#[derive(Clone)]
pub struct ProxyServer(Intercept);

impl ProxyServer {
    /// The proxy for the service at `url`: `http(s)://`, or `ws(s)://`, which goes the same way. None for a service on
    /// this machine, which no proxy reaches.
    pub fn for_service(url: &str) -> Option<Self> {
        Self::of(&Matcher::from_env(), url)
    }

    fn of(proxies: &Matcher, url: &str) -> Option<Self> {
        let service = Url::parse(&http_form(url)).ok()?;
        if target_kind(&service) == TargetKind::Loopback {
            return None;
        }
        proxies.intercept(&service.as_str().parse().ok()?).map(Self)
    }

    pub(super) const fn intercept(&self) -> &Intercept {
        &self.0
    }
}

/// The address with the scheme of HTTP.
pub(super) fn http_form(url: &str) -> String {
    match url.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => url.to_owned(),
    }
}

impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.0.uri();
        write!(f, "{}", uri.host().unwrap_or_default())?;
        uri.port_u16().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn websockets_go_through_the_proxy_of_http_and_this_machine_through_none() {
        let proxies = Matcher::builder()
            .http("http://user:secret@plain.example:3128")
            .https("http://tls.example:3129")
            .no("spared.example,10.0.0.0/8")
            .build();
        let proxy = |url| ProxyServer::of(&proxies, url).map(|proxy| proxy.to_string());
        for url in ["ws://livekit.example", "http://livekit.example:7880"] {
            assert_eq!(proxy(url).as_deref(), Some("plain.example:3128"), "{url}");
        }
        for url in ["wss://livekit.example", "https://livekit.example"] {
            assert_eq!(proxy(url).as_deref(), Some("tls.example:3129"), "{url}");
        }
        for url in [
            "ws://127.0.0.1:7880",
            "http://localhost:7880",
            "http://[::1]:7880",
            "ws://livekit.spared.example",
            "wss://10.1.2.3",
        ] {
            assert_eq!(proxy(url), None, "{url}");
        }
    }
}
