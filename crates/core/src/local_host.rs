//! Which requests to our own servers on this machine come from it.

use std::net::IpAddr;

/// Whether a request's Host header (RFC 9110, section 7.2) names this machine by address or as `localhost`. A web page
/// that had its own name resolve to this machine (DNS rebinding) would send that name.
pub fn is_local_host(host: Option<&str>) -> bool {
    // Browsers always send one.
    let Some(host) = host else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_resolves_to_this_machine_is_refused_by_its_name() {
        for local in [None, Some("127.0.0.1:8081"), Some("localhost"), Some("[::1]:80")] {
            assert!(is_local_host(local), "{local:?}");
        }
        for foreign in
            ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "", "localhost.evil"]
        {
            assert!(!is_local_host(Some(foreign)), "{foreign}");
        }
    }
}
