//! Resolves `[agent_health]`. Rushhour reads the worker's health from this machine only.

use url::{Host, Url};

use super::resolver::Resolver;
use crate::profile::address::refuse_secrets;
use crate::profile::diagnostic::Located;
use crate::profile::raw::monitoring::RawAgentHealth;
use crate::profile::settings::soak::{AgentHealthSettings, MAX_OTHERS};
use crate::units::PositiveDuration;

/// `None` if there is no URL.
pub(super) fn resolve_agent_health(
    raw: &Located<RawAgentHealth>,
    resolver: &mut Resolver<'_>,
) -> Option<AgentHealthSettings> {
    let table = &raw.value;
    for url in [&table.url, &table.metrics].into_iter().flatten() {
        if let Some(message) = worker_rejection(&url.value) {
            let hint = "write the URL of a worker on this machine, such as \"http://127.0.0.1:8081/worker\"";
            resolver.diagnostics.invalid(&url.span, message, hint);
        }
    }
    if let Some(others) = &table.others {
        let hint =
            "write the URLs of workers on this machine, such as [\"http://127.0.0.1:8082/worker\"]";
        if let Some(message) = others.value.iter().find_map(|url| worker_rejection(url)) {
            resolver.diagnostics.invalid(&others.span, message, hint);
        } else if others.value.len() > MAX_OTHERS {
            let message = format!("more than {MAX_OTHERS} workers are not asked");
            resolver.diagnostics.invalid(&others.span, message, "name some of them");
        }
    }
    let others = table.others.as_ref();
    if table.url.is_none() && table.metrics.is_none() && others.is_none() {
        let hint = "add url = \"http://127.0.0.1:8081/worker\", or metrics, or both";
        resolver.diagnostics.missing_at(&raw.span, "[agent_health] has no URL", hint);
        return None;
    }
    let listed = others.map(|at| Located { value: at.value.join(", "), span: at.span.clone() });
    resolver.optional("agent_health.others", listed.as_ref());
    Some(AgentHealthSettings {
        url: resolver.optional("agent_health.url", table.url.as_ref()),
        metrics: resolver.optional("agent_health.metrics", table.metrics.as_ref()),
        others: others.map(|at| at.value.clone()).unwrap_or_default(),
        every: resolver.or_default(
            "agent_health.every",
            table.every.as_ref(),
            PositiveDuration::secs(10),
        ),
        settle: resolver.or_default(
            "agent_health.settle",
            table.settle.as_ref(),
            PositiveDuration::secs(30),
        ),
    })
}

/// Why a URL is not that of a worker on this machine.
pub(crate) fn worker_rejection(text: &str) -> Option<String> {
    let Ok(url) = Url::parse(text) else {
        return Some("this is not a URL".to_owned());
    };
    if url.scheme() != "http" {
        return Some(format!("a worker's URL begins with http://, not {}://", url.scheme()));
    }
    if let Err(problem) = refuse_secrets(text, "") {
        return Some(problem.message);
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    (!loopback).then(|| "the worker must run on this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::worker_rejection;

    #[test]
    fn only_workers_on_this_machine_are_accepted() {
        for address in [
            "http://127.0.0.1:8081/worker",
            "http://localhost:8081/metrics",
            "http://[::1]:9/worker",
            "http://127.9.9.9/worker",
        ] {
            assert_eq!(worker_rejection(address), None, "{address}");
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
            assert!(worker_rejection(address).is_some(), "{address}");
        }
    }
}
