//! The hosts that a worker is willing to call. Whoever may send it commands chooses the address.

use std::collections::BTreeSet;
use std::str::FromStr;

use rushhour_core::profile::{TargetKind, target_kind};
use url::Url;

/// The hosts that a worker's callers may connect to: this machine, and those that were named.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(BTreeSet<String>);

/// A text is not the name or address of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not the name or the address of a host: write one such as livekit.example.com, without a scheme or port"
)]
pub struct InvalidHost;

/// A host that may be called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowedHost(String);

impl FromStr for AllowedHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let url = Url::parse(&format!("ws://{text}")).map_err(|_| InvalidHost)?;
        // A port that is the scheme's own is no port of the parsed address.
        let after = text.rsplit_once(']').map_or(text, |(_, after)| after);
        let is_host = !after.contains(':')
            && url.path() == "/"
            && url.username().is_empty()
            && url.query().is_none()
            && !text.contains(['/', '@', ' ']);
        let host = url.host_str().filter(|host| is_host && !host.is_empty());
        host.map(|host| Self(plain(host))).ok_or(InvalidHost)
    }
}

impl AllowedHosts {
    /// This machine, and these.
    pub fn new(hosts: impl IntoIterator<Item = AllowedHost>) -> Self {
        Self(hosts.into_iter().map(|host| host.0).collect())
    }

    /// The host of an address, if it may not be called.
    pub(super) fn refuses(&self, livekit_url: &str) -> Option<String> {
        let Ok(url) = Url::parse(livekit_url) else { return Some("that address".to_owned()) };
        let is_signalling = matches!(url.scheme(), "ws" | "wss");
        let host = url.host_str().unwrap_or_default();
        if is_signalling && target_kind(&url) == TargetKind::Loopback {
            return None;
        }
        let is_allowed = is_signalling && !host.is_empty() && self.0.contains(&plain(host));
        (!is_allowed).then(|| host.to_owned())
    }
}

/// A host as it is compared: a fully qualified name may end in a dot.
fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_hosts_that_were_named_may_be_called() {
        let hosts = ["LiveKit.example", "10.0.0.7", "[fd00::7]"].map(|host| host.parse().unwrap());
        let allowed = AllowedHosts::new(hosts);
        for good in [
            "ws://127.0.0.1:7880",
            "ws://localhost",
            "wss://livekit.example/",
            "wss://LIVEKIT.example.:443",
            "ws://10.0.0.7:7880",
            "ws://[fd00::7]:7880",
        ] {
            assert_eq!(allowed.refuses(good), None, "{good}");
        }
        for (bad, host) in [
            ("ws://evil.example", "evil.example"),
            ("wss://livekit.example.evil", "livekit.example.evil"),
            ("wss://livekit.example@evil.example", "evil.example"),
            ("http://livekit.example", "livekit.example"),
            ("ws://169.254.169.254", "169.254.169.254"),
            ("nonsense", "that address"),
        ] {
            assert_eq!(allowed.refuses(bad).as_deref(), Some(host), "{bad}");
        }
        for invalid in ["", "ws://a", "a:80", "a/b", "a b", "me@a"] {
            assert_eq!(invalid.parse::<AllowedHost>(), Err(InvalidHost), "{invalid}");
        }
    }
}
