//! Whether a host has an address and can be reached, how securely, and how its clock differs.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use url::Url;

use super::finding::Finding;
use super::rules::{clock, clock_skew_ms};
use rushhour_core::profile::{TargetKind, target_kind};
use rushhour_core::units::Micros;
use rushhour_livekit::http::{HttpClient, TransportErrorKind, TrustStore};

const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of the page that answers. Its content does not matter.
const LARGEST_PAGE: usize = 64 * 1024;

/// Checks the host of `address`: its name, the connection, encryption and clock.
pub(crate) async fn check(service: &str, address: &str, trust: &TrustStore) -> Vec<Finding> {
    let name = |what: &str| format!("{service} {what}");
    let http = match address.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => address.to_owned(),
    };
    let Ok(url) = Url::parse(&http) else {
        return vec![Finding::failed(
            name("address"),
            format!("{address} is not an address"),
            "correct it",
        )];
    };
    let mut findings = vec![resolve(&name("dns"), &url).await];
    let client = match HttpClient::for_service(&http, trust, TIMEOUT) {
        Ok(client) => client,
        Err(error) => {
            findings.push(Finding::failed(
                name("tls"),
                error.to_string(),
                "repair this machine's TLS",
            ));
            return findings;
        }
    };
    if let Some(proxy) = client.proxy() {
        findings.push(Finding::ok(
            name("proxy"),
            format!(
                "through {proxy}, which HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names; NO_PROXY spares a host"
            ),
        ));
    }
    let sent = wall_clock_ms();
    match client.send(client.get(&http), LARGEST_PAGE).await {
        Ok(response) => {
            let received = wall_clock_ms();
            findings.push(match (response.status, client.proxy()) {
                // What the proxy itself answers for a server that it does not reach, or not for us.
                (407 | 502..=504, Some(proxy)) if url.scheme() == "http" => Finding::failed(
                    name("tls"),
                    format!("answered with status {} through the proxy {proxy}", response.status),
                    "check the proxy, or spare the host with NO_PROXY",
                ),
                _ => encryption(&name("tls"), &url),
            });
            let date = response.date.and_then(|date| Timestamp::try_from(date).ok());
            let skew = date.map(|date| clock_skew_ms(date.as_millisecond(), sent, received));
            findings.push(clock(&name("clock"), skew));
        }
        Err(error) => {
            let hint = match error.kind {
                TransportErrorKind::NotSent => {
                    "check the address, its certificate, and whether a firewall or proxy is in the way"
                }
                TransportErrorKind::TimedOut | TransportErrorKind::Broken => {
                    "check whether a firewall or proxy is in the way"
                }
            };
            findings.push(Finding::failed(name("tls"), error.to_string(), hint));
            findings.push(Finding::not_checked(name("clock"), "the server did not answer"));
        }
    }
    findings
}

async fn resolve(check: &str, url: &Url) -> Finding {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Finding::ok(check, format!("{host} is an IP address"));
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let begun = Instant::now();
    match timeout(TIMEOUT, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(addresses)) => {
            let count = addresses.count();
            let elapsed = Micros::from(begun.elapsed());
            Finding::ok(check, format!("{host} has {count} addresses, resolved in {elapsed}"))
        }
        Ok(Err(error)) => Finding::failed(
            check,
            format!("{host}: {error}"),
            "check the address, and this machine's DNS",
        ),
        Err(_) => Finding::failed(check, format!("{host}: no answer"), "check this machine's DNS"),
    }
}

fn encryption(check: &str, url: &Url) -> Finding {
    if url.scheme() == "https" {
        return Finding::ok(check, "encrypted, with a valid certificate");
    }
    match target_kind(url) {
        TargetKind::Loopback => {
            Finding::ok(check, "reachable; not encrypted, but it stays on this machine")
        }
        TargetKind::Private => Finding::warning(
            check,
            "reachable, but not encrypted: anybody in this network can read tokens and conversations",
            "use wss:// and https:// for anything but tests",
        ),
        TargetKind::LiveKitCloud | TargetKind::Public => Finding::warning(
            check,
            "reachable, but not encrypted: tokens and conversations travel in clear over the public network",
            "use wss:// and https://",
        ),
    }
}

/// This machine's wall clock, in milliseconds since 1970.
fn wall_clock_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the clock itself is checked")]
    let now = SystemTime::now();
    Timestamp::try_from(now).map_or(0, Timestamp::as_millisecond)
}
