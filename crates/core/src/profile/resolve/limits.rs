//! Resolves `[limits]`.

use super::resolver::Resolver;
use crate::profile::diagnostic::Located;
use crate::profile::raw::limits::RawLimits;
use crate::profile::settings::limits::{Limits, WhenFull};
use crate::units::{PositiveDuration, Rate, Usd};

/// The most runs in flight that one machine can follow.
const MOST_IN_FLIGHT: u32 = 100_000;

/// `native`: whether the evaluator is native callers.
pub(super) fn resolve_limits(
    raw: Option<&Located<RawLimits>>,
    native: bool,
    resolver: &mut Resolver<'_>,
) -> Limits {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    let run_timeout = resolver.or_default(
        "limits.run_timeout",
        raw.run_timeout.as_ref(),
        PositiveDuration::secs(20 * 60),
    );
    let limits = Limits {
        requests: resolver.or_default(
            "limits.requests",
            raw.requests.as_ref(),
            // Native callers burden no service; the stages alone say how many start.
            Rate::per_second_const(if native { 1_000 } else { 5 }),
        ),
        polls: resolver.or_default("limits.polls", raw.polls.as_ref(), Rate::per_second_const(2)),
        room_polls: resolver.or_default(
            "limits.looks",
            raw.looks.as_ref(),
            Rate::per_second_const(20),
        ),
        in_flight: resolver.at_least("limits.in_flight", raw.in_flight.as_ref(), 1, 100),
        when_full: resolver.or_default("limits.when_full", raw.when_full.as_ref(), WhenFull::Wait),
        attempts: resolver.at_least("limits.attempts", raw.attempts.as_ref(), 1, 5),
        livekit_timeout: resolver.or_default(
            "limits.livekit_timeout",
            raw.livekit_timeout.as_ref(),
            PositiveDuration::secs(10),
        ),
        submit_timeout: resolver.or_default(
            "limits.submit_timeout",
            raw.submit_timeout.as_ref(),
            PositiveDuration::secs(120),
        ),
        poll_timeout: resolver.or_default(
            "limits.poll_timeout",
            raw.poll_timeout.as_ref(),
            PositiveDuration::secs(30),
        ),
        run_timeout,
        watch_unknown: resolver.or_default(
            "limits.watch_unknown",
            raw.watch_unknown.as_ref(),
            PositiveDuration::secs(30),
        ),
        drain: resolver.or_default("limits.drain", raw.drain.as_ref(), run_timeout),
        budget: resolver.optional("limits.budget", raw.budget.as_ref()),
        max_runs: resolver.optional("limits.max_runs", raw.max_runs.as_ref()),
        max_minutes: resolver.optional("limits.max_minutes", raw.max_minutes.as_ref()),
    };
    let zeros = [
        raw.budget.as_ref().filter(|at| at.value == Usd::ZERO).map(|at| &at.span),
        raw.max_runs.as_ref().filter(|at| at.value == 0).map(|at| &at.span),
        raw.max_minutes.as_ref().filter(|at| at.value == 0).map(|at| &at.span),
    ];
    for span in zeros.into_iter().flatten() {
        resolver.diagnostics.invalid(
            span,
            "no run could start with this limit",
            "write more than 0, or remove it",
        );
    }
    if let Some(at) = raw.in_flight.as_ref().filter(|at| at.value > MOST_IN_FLIGHT) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("{} runs in flight are more than one machine can follow", at.value),
            format!("write at most {MOST_IN_FLIGHT}"),
        );
    }
    limits
}
