//! From the raw profile to the valid one: defaults, ranges and contradictions.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::check_bill::check_bill;
use super::check_capacity::check_capacity;
use super::check_evaluator::check_evaluator;
use super::check_judging::check_judging;
use super::check_livekit::check_livekit;
use super::check_load::{check_mix, check_stages};
use super::check_soak::{check_agent_health, check_soak};
use super::diagnostic::{Diagnostics, Located, Origin, SourceSpan, SourceText};
use super::model::{
    EvaluatorSettings, LatencyModel, Limits, Profile, SandboxSettings, SessionMode, WhenFull,
};
use super::prices::Prices;
use super::raw::{RawLatency, RawLimits, RawProfile, RawSandbox, RawThreshold};
use super::script::RawScripts;
use super::threshold::{Threshold, parse_bound, parse_measure};
use crate::units::{PositiveDuration, Rate, Usd};

/// One setting as it was decided, and who decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedSetting {
    /// Its path in the profile, such as `limits.in_flight`.
    pub path: String,
    /// Its value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Decides settings one by one, keeping who decided and what is wrong.
pub(super) struct Resolver<'a> {
    pub(super) faults: &'a mut Diagnostics,
    sources: &'a [SourceText],
    settings: Vec<ResolvedSetting>,
    spoiled: bool,
}

impl Resolver<'_> {
    /// The value given, or the default.
    pub(super) fn or_default<T: Clone + Display>(
        &mut self,
        path: &str,
        given: Option<&Located<T>>,
        default: T,
    ) -> T {
        self.note(path, given, &default);
        given.map_or(default, |at| at.value.clone())
    }

    /// The value given, or the default where nobody said anything and nothing is shown either.
    pub(super) fn optional<T: Clone + Display>(
        &mut self,
        path: &str,
        given: Option<&Located<T>>,
    ) -> Option<T> {
        if given.is_some() {
            self.note(path, given, &"");
        }
        given.map(|at| at.value.clone())
    }

    /// A whole number of at least `least`, or the default.
    pub(super) fn at_least(
        &mut self,
        path: &str,
        given: Option<&Located<u32>>,
        least: u32,
        default: u32,
    ) -> u32 {
        if let Some(at) = given.filter(|at| at.value < least) {
            self.faults.at(
                &at.place,
                format!("{} is too few", at.value),
                format!("at least {least}"),
            );
        }
        self.or_default(path, given, default)
    }

    /// Decides settings that are shown under other paths, or nowhere.
    pub(super) fn shown_as<T>(
        &mut self,
        path: impl Fn(&str) -> Option<String>,
        decide: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.settings.len();
        let decided = decide(self);
        let settings = self.settings.split_off(before);
        self.settings.extend(settings.into_iter().filter_map(|setting| {
            let path = path(&setting.path)?;
            Some(ResolvedSetting { path, ..setting })
        }));
        decided
    }

    /// Notes that a whole table is missing, unless it may be the one whose name was misspelt.
    pub(super) fn missing(&mut self, what: &str, hint: &str) {
        if !self.spoiled {
            self.faults.missing(what, hint);
        }
    }

    fn note<T: Display>(&mut self, path: &str, given: Option<&Located<T>>, default: &dyn Display) {
        let (value, origin) = match given {
            Some(at) => (at.value.to_string(), self.origin(&at.place)),
            None => (default.to_string(), Origin::Default),
        };
        self.settings.push(ResolvedSetting { path: path.to_owned(), value, origin });
    }

    pub(super) fn origin(&self, place: &SourceSpan) -> Origin {
        self.sources.get(place.source.0).map_or(Origin::Default, |source| source.origin)
    }
}

/// Decides every setting. `None`, or a profile with faults noted, where something is wrong.
pub(super) fn check(
    raw: &RawProfile,
    file_stem: &str,
    (scripts, prices): (&RawScripts, Prices),
    sources: &[SourceText],
    faults: &mut Diagnostics,
) -> Option<(Profile, Vec<ResolvedSetting>)> {
    let mut checker = Resolver { faults, sources, settings: Vec::new(), spoiled: raw.spoiled };
    let name = check_name(raw.name.as_ref(), file_stem, &mut checker);
    let seed = checker.or_default("seed", raw.seed.as_ref(), 1);
    let mode = checker.or_default("mode", raw.mode.as_ref(), SessionMode::Voice);
    let livekit = check_livekit(raw, &mut checker);
    let evaluator =
        check_evaluator(raw.evaluator.as_ref(), raw.livekit.as_ref(), mode, &mut checker);
    let native = matches!(evaluator, Some(EvaluatorSettings::Native(_)));
    let mix = check_mix(raw.scenario.as_ref(), (scripts, mode, native), &mut checker);
    let stages = check_stages(raw.stage.as_ref(), raw.scenario.as_ref(), &mut checker);
    let limits = check_limits(raw.limits.as_ref(), native, &mut checker);
    let thresholds = check_thresholds(raw, &mut checker);
    let sandbox = check_sandbox(raw.sandbox.as_ref(), &mut checker);
    let capacity = check_capacity(raw.capacity.as_ref(), mix.as_ref(), &limits, &mut checker);
    let soak = raw.soak.as_ref().map(|at| check_soak(&at.value, &mut checker));
    let agent_health =
        raw.agent_health.as_ref().and_then(|at| check_agent_health(at, &mut checker));
    let sides = (mode, livekit.as_ref(), evaluator.as_ref());
    let bill = check_bill(raw, prices.clone(), sides, &mut checker);
    let judging = check_judging(raw, &prices, sides, &mut checker);
    let settings = checker.settings;
    let profile = Profile {
        name,
        seed,
        mode,
        livekit: livekit?,
        evaluator: evaluator?,
        mix: mix?,
        stages,
        limits,
        thresholds,
        sandbox,
        bill,
        capacity,
        soak,
        agent_health,
        judging,
        judges: None,
    };
    Some((profile, settings))
}

fn check_name(
    given: Option<&Located<String>>,
    file_stem: &str,
    checker: &mut Resolver<'_>,
) -> String {
    let fits = |name: &str| {
        (1..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !name.starts_with('.')
    };
    if let Some(at) = given.filter(|at| !fits(&at.value)) {
        checker.faults.at(
            &at.place,
            "this cannot name a folder",
            "1 to 64 letters, digits, `-`, `_` or `.`, not beginning with a dot",
        );
    }
    let default = if fits(file_stem) { file_stem } else { "session" };
    checker.or_default("name", given, default.to_owned())
}

fn check_limits(
    raw: Option<&Located<RawLimits>>,
    native: bool,
    checker: &mut Resolver<'_>,
) -> Limits {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    let run_timeout = checker.or_default(
        "limits.run_timeout",
        raw.run_timeout.as_ref(),
        PositiveDuration::secs(20 * 60),
    );
    let limits = Limits {
        requests: checker.or_default(
            "limits.requests",
            raw.requests.as_ref(),
            // Our own callers cost nobody anything; the stages say how many start.
            Rate::per_second_const(if native { 1_000 } else { 5 }),
        ),
        polls: checker.or_default("limits.polls", raw.polls.as_ref(), Rate::per_second_const(2)),
        looks: checker.or_default("limits.looks", raw.looks.as_ref(), Rate::per_second_const(20)),
        in_flight: checker.at_least("limits.in_flight", raw.in_flight.as_ref(), 1, 100),
        when_full: checker.or_default("limits.when_full", raw.when_full.as_ref(), WhenFull::Wait),
        attempts: checker.at_least("limits.attempts", raw.attempts.as_ref(), 1, 5),
        livekit_timeout: checker.or_default(
            "limits.livekit_timeout",
            raw.livekit_timeout.as_ref(),
            PositiveDuration::secs(10),
        ),
        submit_timeout: checker.or_default(
            "limits.submit_timeout",
            raw.submit_timeout.as_ref(),
            PositiveDuration::secs(120),
        ),
        poll_timeout: checker.or_default(
            "limits.poll_timeout",
            raw.poll_timeout.as_ref(),
            PositiveDuration::secs(30),
        ),
        run_timeout,
        watch_unknown: checker.or_default(
            "limits.watch_unknown",
            raw.watch_unknown.as_ref(),
            PositiveDuration::secs(30),
        ),
        drain: checker.or_default("limits.drain", raw.drain.as_ref(), run_timeout),
        budget: checker.optional("limits.budget", raw.budget.as_ref()),
        max_runs: checker.optional("limits.max_runs", raw.max_runs.as_ref()),
        max_minutes: checker.optional("limits.max_minutes", raw.max_minutes.as_ref()),
    };
    let nothing = [
        raw.budget.as_ref().filter(|at| at.value == Usd::ZERO).map(|at| &at.place),
        raw.max_runs.as_ref().filter(|at| at.value == 0).map(|at| &at.place),
        raw.max_minutes.as_ref().filter(|at| at.value == 0).map(|at| &at.place),
    ];
    for place in nothing.into_iter().flatten() {
        checker.faults.at(place, "this lets nothing start", "more than 0, or leave it out");
    }
    if let Some(at) = raw.in_flight.as_ref().filter(|at| at.value > 100_000) {
        checker.faults.at(
            &at.place,
            format!("{} is more than one machine follows", at.value),
            "at most 100000",
        );
    }
    limits
}

fn check_thresholds(raw: &RawProfile, checker: &mut Resolver<'_>) -> Vec<Threshold> {
    let Some(named) = &raw.thresholds else { return Vec::new() };
    let mut thresholds = Vec::new();
    for (key, bound) in &named.value.0 {
        let measure = match parse_measure(&key.value) {
            Ok(measure) => measure,
            Err(error) => {
                checker.faults.at(&key.place, error.what, error.hint);
                continue;
            }
        };
        let Some((bound, abort_after)) = bound_of(bound, checker.faults) else { continue };
        match parse_bound(&measure, &bound.value) {
            Ok((comparison, value)) => {
                checker.optional(&format!("thresholds.{:?}", key.value), Some(&bound));
                thresholds.push(Threshold { measure, comparison, bound: value, abort_after });
            }
            Err(error) => checker.faults.at(&bound.place, error.what, error.hint),
        }
    }
    thresholds
}

/// A threshold's bound, and from when on it may end the session, if it may.
fn bound_of(
    raw: &Located<RawThreshold>,
    faults: &mut Diagnostics,
) -> Option<(Located<String>, Option<PositiveDuration>)> {
    let table = match &raw.value {
        RawThreshold::Bound(bound) => {
            return Some((Located { value: bound.clone(), place: raw.place.clone() }, None));
        }
        RawThreshold::Table(table) => table,
    };
    let Some(bound) = &table.bound else {
        let hint = "add one, such as bound = \"< 10%\"";
        faults.at(&raw.place, "this threshold has no bound".to_owned(), hint);
        return None;
    };
    let may_abort = table.abort.as_ref().is_some_and(|abort| abort.value);
    if let (false, Some(after)) = (may_abort, &table.after) {
        let hint = "add abort = true, or leave `after` out";
        faults.at(&after.place, "`after` has no meaning without `abort`".to_owned(), hint);
        return None;
    }
    let after = table.after.as_ref().map_or(PositiveDuration::secs(1), |after| after.value);
    Some((bound.clone(), may_abort.then_some(after)))
}

/// The faults that the sandbox can have, by name.
pub const SANDBOX_FAULTS: &[&str] = &[
    "room_unavailable",
    "room_slow",
    "dispatch_unavailable",
    "livekit_reset",
    "livekit_reset_after",
    "livekit_html",
    "dispatch_lost",
    "agent_never_joins",
    "agent_late",
    "submit_slow",
    "submit_silent",
    "submit_429_seconds",
    "submit_429_date",
    "submit_429_bare",
    "submit_500_before",
    "submit_500_after",
    "submit_html_502",
    "submit_reset_before",
    "submit_reset_after",
    "submit_truncated",
    "submit_huge",
    "submit_empty",
    "runs_reordered",
    "runs_missing",
    "poll_429",
    "poll_500",
    "poll_html",
    "poll_reset",
    "poll_slow",
    "poll_missing_run",
    "run_never_ends",
    "run_fails",
    "run_times_out",
    "run_unknown_status",
    "judged_failure",
];

fn check_sandbox(raw: Option<&Located<RawSandbox>>, checker: &mut Resolver<'_>) -> SandboxSettings {
    let given = raw.is_some();
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    let mut latency = |name: &str, given: Option<&Located<RawLatency>>, median_ms, p95_ms| {
        check_latency(&format!("sandbox.{name}"), given, median_ms, p95_ms, checker)
    };
    let settings = SandboxSettings {
        agent_join: latency("agent_join", raw.agent_join.as_ref(), 350, 900),
        submission: latency("submission", raw.submission.as_ref(), 80, 250),
        queue: latency("queue", raw.queue.as_ref(), 300, 1_000),
        conversation: latency("conversation", raw.conversation.as_ref(), 3_000, 6_000),
        judging: latency("judging", raw.judging.as_ref(), 500, 1_500),
        late_by: checker
            .optional("sandbox.late_by", raw.late_by.as_ref())
            .unwrap_or(PositiveDuration::secs(30)),
        concurrency: match &raw.concurrency {
            Some(at) => checker.at_least("sandbox.concurrency", Some(at), 1, 1),
            None => 2_000,
        },
        faults: raw
            .faults
            .iter()
            .flat_map(|at| &at.value.0)
            .filter_map(|(key, share)| {
                if !SANDBOX_FAULTS.contains(&key.value.as_str()) {
                    checker.faults.at(
                        &key.place,
                        format!("the sandbox has no fault `{}`", key.value),
                        format!("one of: {}", SANDBOX_FAULTS.join(", ")),
                    );
                    return None;
                }
                checker.optional(&format!("sandbox.faults.{}", key.value), Some(share));
                Some((key.value.clone(), share.value))
            })
            .collect(),
    };
    if !given {
        checker.settings.retain(|setting| !setting.path.starts_with("sandbox."));
    }
    settings
}

fn check_latency(
    path: &str,
    given: Option<&Located<RawLatency>>,
    median_ms: u64,
    p95_ms: u64,
    checker: &mut Resolver<'_>,
) -> LatencyModel {
    let raw = given.map(|at| at.value.clone()).unwrap_or_default();
    let median = checker
        .optional(&format!("{path}.median"), raw.median.as_ref())
        .unwrap_or(PositiveDuration::millis(median_ms));
    let stretched = median.micros().0 * p95_ms / median_ms;
    let p95 = checker
        .optional(&format!("{path}.p95"), raw.p95.as_ref())
        .unwrap_or(PositiveDuration::millis(stretched.div_ceil(1000).max(1)));
    if let Some(at) = raw.p95.as_ref().filter(|at| at.value < median) {
        checker.faults.at(
            &at.place,
            format!("the 95th percentile is below the median of {median}"),
            "a p95 is at least the median",
        );
    }
    LatencyModel { median, p95 }
}
