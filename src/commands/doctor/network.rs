//! Whether a host is known and reached, how securely, and what its clock says.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use url::Url;

use super::finding::Finding;
use super::judgement::{clock, clock_skew_ms};
use rushhour_core::profile::{TargetKind, target_kind};
use rushhour_core::units::Micros;
use rushhour_livekit::http::{HttpClient, TransportErrorKind};

const PATIENCE: Duration = Duration::from_secs(10);
/// A page is not looked at, only that it came.
const LARGEST_PAGE: usize = 64 * 1024;

/// Looks at the host of `address` from the outside: name, connection, encryption, clock.
pub(crate) async fn look(service: &str, address: &str) -> Vec<Finding> {
    let name = |what: &str| format!("{service} {what}");
    let http = match address.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => address.to_owned(),
    };
    let Ok(url) = Url::parse(&http) else {
        return vec![Finding::failed(
            name("address"),
            format!("{address} is no address"),
            "correct it",
        )];
    };
    let mut findings = vec![resolve(&name("dns"), &url).await];
    let client = match HttpClient::new(PATIENCE) {
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
    let sent = wall_ms();
    match client.send(client.get(&http), LARGEST_PAGE).await {
        Ok(answer) => {
            let received = wall_ms();
            findings.push(encryption(&name("tls"), &url));
            let date = answer.date.and_then(|date| Timestamp::try_from(date).ok());
            let skew = date.map(|date| clock_skew_ms(date.as_millisecond(), sent, received));
            findings.push(clock(&name("clock"), skew));
        }
        Err(error) => {
            let advice = match error.kind {
                TransportErrorKind::NotSent => {
                    "check the address, its certificate, and whether a firewall or proxy is in the way"
                }
                TransportErrorKind::TimedOut | TransportErrorKind::Broken => {
                    "check whether a firewall or proxy is in the way"
                }
            };
            findings.push(Finding::failed(name("tls"), error.to_string(), advice));
            findings.push(Finding::not_checked(name("clock"), "nothing answers"));
        }
    }
    findings
}

async fn resolve(check: &str, url: &Url) -> Finding {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Finding::ok(check, format!("{host} is an address, no name to be looked up"));
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let begun = Instant::now();
    match timeout(PATIENCE, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(addresses)) => {
            let count = addresses.count();
            let took = Micros::from(begun.elapsed());
            Finding::ok(check, format!("{host} has {count} addresses, looked up in {took}"))
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
        return Finding::ok(check, "encrypted, and the certificate is valid");
    }
    match target_kind(url) {
        TargetKind::Loopback => {
            Finding::ok(check, "reached; not encrypted, and it stays on this machine")
        }
        TargetKind::Private => Finding::warning(
            check,
            "reached, without encryption: who is in this network can read keys and conversations",
            "use wss:// and https:// outside of tests",
        ),
        TargetKind::LiveKitCloud | TargetKind::Public => Finding::failed(
            check,
            "reached, without encryption, over the open network",
            "use wss:// and https://",
        ),
    }
}

/// This machine's wall clock.
fn wall_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the clock itself is examined")]
    let now = SystemTime::now();
    Timestamp::try_from(now).map_or(0, Timestamp::as_millisecond)
}
