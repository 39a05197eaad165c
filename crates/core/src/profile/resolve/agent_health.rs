//! Resolves `[agent_health]`. Rushhour asks workers on this machine only, and a Prometheus server anywhere.

use url::{Host, Url};

use super::resolver::Resolver;
use crate::profile::address::{AddressProblem, parse_service_url, refuse_secrets};
use crate::profile::diagnostic::{DiagnosticKind, Located};
use crate::profile::raw::monitoring::{RawAgentHealth, RawPrometheus};
use crate::profile::settings::soak::{AgentHealthSettings, MAX_OTHERS, PrometheusQueries};
use crate::units::PositiveDuration;

/// The longest query, in bytes.
const MAX_QUERY: usize = 4_096;

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
    let has_address = table.url.is_some() || table.metrics.is_some() || others.is_some();
    if let Some(prometheus) = table.prometheus.as_ref().filter(|_| has_address) {
        let message = "workers are asked either by their addresses or through Prometheus";
        let hint = "leave out [agent_health.prometheus], or url, metrics and others";
        resolver.diagnostics.invalid(&prometheus.span, message, hint);
    }
    if !has_address && table.prometheus.is_none() {
        let hint = "add url = \"http://127.0.0.1:8081/worker\", or metrics, or both, or [agent_health.prometheus]";
        resolver.diagnostics.missing_at(&raw.span, "[agent_health] has no URL", hint);
        return None;
    }
    let listed = others.map(|at| Located { value: at.value.join(", "), span: at.span.clone() });
    resolver.optional("agent_health.others", listed.as_ref());
    Some(AgentHealthSettings {
        url: resolver.optional("agent_health.url", table.url.as_ref()),
        metrics: resolver.optional("agent_health.metrics", table.metrics.as_ref()),
        others: others.map(|at| at.value.clone()).unwrap_or_default(),
        prometheus: table.prometheus.as_ref().and_then(|at| resolve_prometheus(at, resolver)),
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

fn resolve_prometheus(
    raw: &Located<RawPrometheus>,
    resolver: &mut Resolver<'_>,
) -> Option<PrometheusQueries> {
    let table = &raw.value;
    if let Some(url) = &table.url
        && let Err(problem) = parse_prometheus_url(&url.value)
    {
        resolver.diagnostics.at(problem.kind, &url.span, problem.message, problem.hint);
    }
    let queries = [&table.jobs, &table.load, &table.memory, &table.processes];
    for query in queries.into_iter().flatten() {
        if query.value.trim().is_empty() || query.value.len() > MAX_QUERY {
            let message = format!("a query has between 1 and {MAX_QUERY} bytes");
            let hint = "write it in PromQL, such as 'sum by (pod) (lk_agents_active_job_count)'";
            resolver.diagnostics.invalid(&query.span, message, hint);
        }
    }
    let has_query = queries.into_iter().any(Option::is_some);
    if !table.has_errors && (table.url.is_none() || !has_query) {
        let message = "[agent_health.prometheus] needs a URL and a query";
        let hint = "add url, and at least one of jobs, load, memory and processes";
        resolver.diagnostics.missing_at(&raw.span, message, hint);
    }
    let mut text = |name: &str, given: Option<&Located<String>>| {
        resolver.optional(&format!("agent_health.prometheus.{name}"), given)
    };
    let url = text("url", table.url.as_ref())?;
    Some(PrometheusQueries {
        url,
        jobs: text("jobs", table.jobs.as_ref()),
        load: text("load", table.load.as_ref()),
        memory: text("memory", table.memory.as_ref()),
        processes: text("processes", table.processes.as_ref()),
    })
}

/// Checks the URL of a Prometheus server.
///
/// # Errors
/// It is not one, or would send an authorization in clear over other networks.
pub(crate) fn parse_prometheus_url(text: &str) -> Result<Url, AddressProblem> {
    let hint = "write a URL such as \"http://127.0.0.1:9090\", or one that begins with https:// for a server elsewhere; RUSHHOUR_PROMETHEUS_AUTHORIZATION holds what it asks for";
    let url = parse_service_url(text).map_err(|problem| AddressProblem {
        message: match problem.kind {
            DiagnosticKind::Secret => problem.message,
            _ => "this is not the URL of a Prometheus server".to_owned(),
        },
        hint: hint.to_owned(),
        kind: problem.kind,
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AddressProblem {
            kind: DiagnosticKind::InvalidValue,
            message: "the URL of a Prometheus server has no query".to_owned(),
            hint: hint.to_owned(),
        });
    }
    Ok(url)
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
    use super::{parse_prometheus_url, worker_rejection};
    use crate::profile::diagnostic::DiagnosticKind;
    use crate::profile::testing::load_text;

    const URL: &str = "[agent_health.prometheus]\nurl = \"http://127.0.0.1:9090/\"\n";

    #[test]
    fn workers_are_asked_by_their_addresses_or_through_prometheus() {
        let load = |health: &str| {
            load_text(&format!(
                "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n[agent_health]\n{health}"
            ))
        };
        let loaded = load(&format!("{URL}jobs = \"sum by (pod) (jobs)\"\n")).unwrap();
        let queries = loaded.profile.agent_health.unwrap().prometheus.unwrap();
        assert_eq!(queries.query_url(), "http://127.0.0.1:9090/api/v1/query");
        assert_eq!(queries.each().count(), 1);
        for refused in [
            "",
            URL,
            "[agent_health.prometheus]\njobs = \"jobs\"\n",
            &format!("{URL}jobs = \" \"\n"),
            &format!("url = \"http://127.0.0.1:8081/worker\"\n{URL}jobs = \"jobs\"\n"),
        ] {
            assert!(load(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_prometheus_server_may_be_elsewhere_if_nobody_on_the_way_can_read() {
        for url in [
            "http://127.0.0.1:9090",
            "http://prometheus.monitoring.svc:9090/",
            "https://prom.example.com/prefix",
        ] {
            assert!(parse_prometheus_url(url).is_ok(), "{url}");
        }
        for url in ["http://prom.example.com", "prom:9090", "https://prom.example.com?x=1", ""] {
            assert!(parse_prometheus_url(url).is_err(), "{url}");
        }
        let secret = parse_prometheus_url("https://me:hunter2@prom.example.com").unwrap_err();
        assert_eq!(secret.kind, DiagnosticKind::Secret);
        assert!(!format!("{secret:?}").contains("hunter2"), "{secret:?}");
    }

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
