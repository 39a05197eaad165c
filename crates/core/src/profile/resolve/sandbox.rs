//! Resolves `[sandbox]`.

use std::collections::BTreeMap;

use super::resolver::Resolver;
use crate::profile::diagnostic::{DiagnosticKind, Located};
use crate::profile::from_node::Named;
use crate::profile::raw::sandbox::{RawLatency, RawSandbox};
use crate::profile::settings::sandbox::{Fault, LatencyModel, SandboxSettings};
use crate::units::{Percent, PositiveDuration};

pub(super) fn resolve_sandbox(
    raw: Option<&Located<RawSandbox>>,
    resolver: &mut Resolver<'_>,
) -> SandboxSettings {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    let mut latency = |name: &str, given: Option<&Located<RawLatency>>, median_ms, p95_ms| {
        resolve_latency(&format!("sandbox.{name}"), given, median_ms, p95_ms, resolver)
    };
    SandboxSettings {
        agent_join: latency("agent_join", raw.agent_join.as_ref(), 350, 900),
        submission: latency("submission", raw.submission.as_ref(), 80, 250),
        queue: latency("queue", raw.queue.as_ref(), 300, 1_000),
        conversation: latency("conversation", raw.conversation.as_ref(), 3_000, 6_000),
        judging: latency("judging", raw.judging.as_ref(), 500, 1_500),
        late_by: resolver
            .optional("sandbox.late_by", raw.late_by.as_ref())
            .unwrap_or(PositiveDuration::secs(30)),
        concurrency: match &raw.concurrency {
            Some(at) => resolver.at_least("sandbox.concurrency", Some(at), 1, 1),
            None => 2_000,
        },
        faults: resolve_faults(raw.faults.as_ref(), resolver),
    }
}

fn resolve_faults(
    raw: Option<&Located<Named<Located<Percent>>>>,
    resolver: &mut Resolver<'_>,
) -> BTreeMap<Fault, Percent> {
    let mut faults = BTreeMap::new();
    for (key, share) in raw.iter().flat_map(|at| &at.value.0) {
        let Ok(fault) = key.value.parse() else {
            let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            resolver.diagnostics.at(
                DiagnosticKind::UnknownKey,
                &key.span,
                format!("the sandbox has no fault `{}`", key.value),
                format!("write one of: {}", names.join(", ")),
            );
            continue;
        };
        resolver.optional(&format!("sandbox.faults.{fault}"), Some(share));
        faults.insert(fault, share.value);
    }
    faults
}

/// The default p95 keeps its ratio to a given median.
fn resolve_latency(
    path: &str,
    given: Option<&Located<RawLatency>>,
    median_ms: u64,
    p95_ms: u64,
    resolver: &mut Resolver<'_>,
) -> LatencyModel {
    let raw = given.map(|at| at.value.clone()).unwrap_or_default();
    let median = resolver
        .optional(&format!("{path}.median"), raw.median.as_ref())
        .unwrap_or(PositiveDuration::millis(median_ms));
    let in_proportion = median.micros().0 * p95_ms / median_ms;
    let p95 = resolver
        .optional(&format!("{path}.p95"), raw.p95.as_ref())
        .unwrap_or(PositiveDuration::millis(in_proportion.div_ceil(1000).max(1)));
    if let Some(at) = raw.p95.as_ref().filter(|at| at.value < median) {
        resolver.diagnostics.conflict(
            &at.span,
            format!("the 95th percentile is below the median of {median}"),
            "write at least the median",
        );
    }
    LatencyModel { median, p95 }
}
