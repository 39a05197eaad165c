//! Resolves `[workers]`.

use super::resolver::Resolver;
use crate::profile::address::parse_nats_url;
use crate::profile::diagnostic::Located;
use crate::profile::raw::workers::RawWorkers;
use crate::profile::settings::workers::WorkersSettings;
use crate::units::PositiveDuration;

/// `None` if there is no server.
pub(super) fn resolve_workers(
    raw: &Located<RawWorkers>,
    is_native: bool,
    resolver: &mut Resolver<'_>,
) -> Option<WorkersSettings> {
    let table = &raw.value;
    if !is_native {
        resolver.diagnostics.conflict(
            &raw.span,
            "[workers] holds native callers, and this profile has none",
            "set evaluator.kind = \"native\", or remove [workers]: Cekura's callers are on its own machines",
        );
    }
    let Some(nats) = &table.nats else {
        let hint = "add nats = \"nats://127.0.0.1:4222\"";
        resolver.diagnostics.missing_at(&raw.span, "[workers] has no server", hint);
        return None;
    };
    if let Err(problem) = parse_nats_url(&nats.value) {
        resolver.diagnostics.at(problem.kind, &nats.span, problem.message, problem.hint);
    }
    if let Some(at) =
        table.namespace.as_ref().filter(|at| !WorkersSettings::is_namespace(&at.value))
    {
        resolver.diagnostics.invalid(
            &at.span,
            "this cannot be the beginning of a subject",
            "use 1 to 32 letters, digits, `-` or `_`",
        );
    }
    let shortest = WorkersSettings::SHORTEST_LEASE;
    if let Some(at) = table.lease.as_ref().filter(|at| at.value.micros() < shortest.micros()) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("a lease of {} is too short", at.value),
            format!("write at least {shortest}: workers are heard of once a second"),
        );
    }
    Some(WorkersSettings {
        nats: resolver.or_default("workers.nats", Some(nats), String::new()),
        namespace: resolver.or_default(
            "workers.namespace",
            table.namespace.as_ref(),
            WorkersSettings::NAMESPACE.to_owned(),
        ),
        at_least: resolver.at_least("workers.at_least", table.at_least.as_ref(), 1, 1),
        ready_within: resolver.or_default(
            "workers.ready_within",
            table.ready_within.as_ref(),
            PositiveDuration::secs(30),
        ),
        lease: resolver.or_default("workers.lease", table.lease.as_ref(), WorkersSettings::LEASE),
    })
}

#[cfg(test)]
mod tests {
    use crate::profile::testing::load_text;

    fn mistakes(kind: &str, workers: &str) -> Vec<String> {
        let text = format!(
            "[livekit]\nurl = \"ws://127.0.0.1:7880\"\nagent = \"a\"\n[evaluator]\nkind = \"{kind}\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n[workers]\n{workers}\n"
        );
        let error = load_text(&text).unwrap_err();
        error.diagnostics.into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_message() {
        let nats = "nats = \"nats://127.0.0.1:4222\"\n";
        for (kind, workers, message) in [
            ("native", "", "[workers] has no server"),
            (
                "native",
                "nats = \"nats://a:b@c\"",
                "a URL must not contain a user name or a password",
            ),
            ("native", "nats = \"http://c\"", "this is not the URL of a NATS server"),
            (
                "native",
                &format!("{nats}namespace = \"a.b\""),
                "this cannot be the beginning of a subject",
            ),
            ("native", &format!("{nats}lease = \"1s\""), "a lease of 1s is too short"),
            ("native", &format!("{nats}at_least = 0"), "0 is too small"),
            ("sandbox", nats, "[workers] holds native callers, and this profile has none"),
        ] {
            let found = mistakes(kind, workers);
            assert!(found.iter().any(|one| one == message), "{workers}: {found:?}");
        }
        // A profile without files has no script.
        let found = mistakes("native", &format!("{nats}lease = \"5s\"\nat_least = 2"));
        assert!(found.iter().all(|one| one.contains("script")), "{found:?}");
    }
}
