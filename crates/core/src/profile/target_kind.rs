//! What kind of network a URL points to.

use std::net::IpAddr;

use url::{Host, Url};

/// What kind of network a host is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// This machine.
    Loopback,
    /// A private network.
    Private,
    /// LiveKit Cloud, where the acceptable use policy covers load tests.
    LiveKitCloud,
    /// Any other server.
    Public,
}

/// Classifies a URL's host by its address or its name, without looking the name up.
pub fn target_kind(url: &Url) -> TargetKind {
    // A fully qualified name may end in a dot.
    let host = url.host().map(|host| match host {
        Host::Domain(domain) => {
            let domain = domain.strip_suffix('.').unwrap_or(domain);
            // Of schemes that are not the web's, such as NATS', an IPv4 address is read as a name.
            domain.parse().map_or(Host::Domain(domain), Host::Ipv4)
        }
        other => other,
    });
    match host {
        Some(Host::Ipv4(address)) => ip_kind(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => ip_kind(IpAddr::V6(address)),
        Some(Host::Domain(domain)) if domain.eq_ignore_ascii_case("localhost") => {
            TargetKind::Loopback
        }
        Some(Host::Domain(domain))
            if domain.ends_with(".livekit.cloud") || domain.ends_with(".livekit.run") =>
        {
            TargetKind::LiveKitCloud
        }
        Some(Host::Domain(domain))
            if !domain.contains('.')
                || [".local", ".internal", ".lan", ".svc"]
                    .iter()
                    .any(|end| domain.ends_with(end)) =>
        {
            TargetKind::Private
        }
        Some(Host::Domain(_)) | None => TargetKind::Public,
    }
}

/// Whether what is sent to an address is not encrypted and leaves this machine.
pub(crate) fn travels_in_clear(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        matches!(url.scheme(), "ws" | "http") && target_kind(&url) != TargetKind::Loopback
    })
}

fn ip_kind(address: IpAddr) -> TargetKind {
    // Not what answers on a link: services of clouds do, such as the one that gives away a machine's credentials.
    let private = match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    };
    match (address.is_loopback(), private) {
        (true, _) => TargetKind::Loopback,
        (false, true) => TargetKind::Private,
        (false, false) => TargetKind::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_of_other_machines_travel_in_clear() {
        for clear in ["ws://10.0.0.7", "http://livekit:7880", "ws://livekit.example.com"] {
            assert!(travels_in_clear(clear), "{clear}");
        }
        for other in ["wss://10.0.0.7", "ws://127.0.0.1:7880", "ws://localhost", ""] {
            assert!(!travels_in_clear(other), "{other}");
        }
    }

    #[test]
    fn hosts_are_classified_by_address_and_name() {
        for (url, kind) in [
            ("ws://127.0.0.1:7880", TargetKind::Loopback),
            ("ws://localhost:7880", TargetKind::Loopback),
            ("ws://[::1]:7880", TargetKind::Loopback),
            ("nats://127.0.0.1:4222", TargetKind::Loopback),
            ("nats://LocalHost:4222", TargetKind::Loopback),
            ("tls://[::1]:4222", TargetKind::Loopback),
            ("nats://10.0.0.7:4222", TargetKind::Private),
            ("ws://10.0.0.7", TargetKind::Private),
            ("ws://livekit", TargetKind::Private),
            ("ws://livekit.default.svc", TargetKind::Private),
            ("wss://acme.livekit.cloud", TargetKind::LiveKitCloud),
            ("wss://acme.livekit.cloud.", TargetKind::LiveKitCloud),
            ("wss://livekit.example.com", TargetKind::Public),
            ("wss://8.8.8.8", TargetKind::Public),
            ("ws://[fd00::7]", TargetKind::Private),
            ("ws://169.254.169.254", TargetKind::Public),
            ("ws://[fe80::1]", TargetKind::Public),
        ] {
            assert_eq!(target_kind(&Url::parse(url).unwrap()), kind, "{url}");
        }
    }
}
