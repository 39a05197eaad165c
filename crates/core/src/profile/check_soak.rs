//! What a soak is judged by, and that the agent's worker is asked on this machine alone.

use url::{Host, Url};

use super::check::Resolver;
use super::diagnostic::Located;
use super::raw::{RawAgentHealth, RawSoak};
use super::soak_settings::{AgentHealthSettings, SoakSettings};
use crate::units::PositiveDuration;

/// Decides how a session is judged as a soak.
pub(super) fn check_soak(raw: &RawSoak, checker: &mut Resolver<'_>) -> SoakSettings {
    let usual = SoakSettings::usual();
    SoakSettings {
        material: checker.or_default("soak.material", raw.material.as_ref(), usual.material),
        material_failures: checker.or_default(
            "soak.material_failures",
            raw.material_failures.as_ref(),
            usual.material_failures,
        ),
        window: checker.optional("soak.window", raw.window.as_ref()),
    }
}

/// Decides where the agent's worker is asked how it is; nothing where no address is given, which is a fault.
pub(super) fn check_agent_health(
    raw: &Located<RawAgentHealth>,
    checker: &mut Resolver<'_>,
) -> Option<AgentHealthSettings> {
    let table = &raw.value;
    for address in [&table.url, &table.metrics].into_iter().flatten() {
        if let Some(what) = refused(&address.value) {
            let hint = "the worker on this machine, such as \"http://127.0.0.1:8081/worker\"";
            checker.faults.at(&address.place, what, hint);
        }
    }
    if table.url.is_none() && table.metrics.is_none() {
        let hint = "add url = \"http://127.0.0.1:8081/worker\", or metrics, or both";
        checker.faults.at(&raw.place, "nobody is named who could be asked", hint);
        return None;
    }
    Some(AgentHealthSettings {
        url: checker.optional("agent_health.url", table.url.as_ref()),
        metrics: checker.optional("agent_health.metrics", table.metrics.as_ref()),
        every: checker.or_default(
            "agent_health.every",
            table.every.as_ref(),
            PositiveDuration::secs(10),
        ),
        settle: checker.or_default(
            "agent_health.settle",
            table.settle.as_ref(),
            PositiveDuration::secs(30),
        ),
    })
}

/// Why an address is not asked.
fn refused(address: &str) -> Option<String> {
    let Ok(url) = Url::parse(address) else {
        return Some(format!("`{address}` is no address"));
    };
    if url.scheme() != "http" {
        return Some(format!("`{}` is not asked; a worker answers `http`", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("an address with a user's name or password is not asked".to_owned());
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    (!loopback).then(|| "only a worker on this machine is asked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn only_this_machine_is_asked() {
        for address in [
            "http://127.0.0.1:8081/worker",
            "http://localhost:8081/metrics",
            "http://[::1]:9/worker",
            "http://127.9.9.9/worker",
        ] {
            assert_eq!(refused(address), None, "{address}");
        }
        for address in [
            "worker",
            "https://127.0.0.1/worker",
            "http://example.com/worker",
            "http://10.0.0.1/worker",
            "http://me:secret@127.0.0.1/worker",
            "http://127.0.0.1.example.com/",
            "file:///etc/passwd",
        ] {
            assert!(refused(address).is_some(), "{address}");
        }
    }
}
