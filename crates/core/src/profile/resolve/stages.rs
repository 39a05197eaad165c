//! Resolves `[[stage]]`.

use std::collections::BTreeSet;

use super::resolver::Resolver;
use super::scenarios::MOST_RUNS;
use crate::profile::diagnostic::{Located, SourceSpan};
use crate::profile::raw::scenario::RawScenario;
use crate::profile::raw::stage::{RawRamp, RawRate, RawStage};
use crate::profile::settings::stage::{ArrivalRate, Arrivals, Stage, StageLoad};
use crate::units::{PositiveDuration, Rate};

const MOST_STEPS: u32 = 1_000;

/// Empty if the profile has none, or none that could be used.
pub(super) fn resolve_stages(
    raw: Option<&Located<Vec<RawStage>>>,
    scenarios: Option<&Located<Vec<RawScenario>>>,
    resolver: &mut Resolver<'_>,
) -> Vec<Stage> {
    let Some(raw) = raw.filter(|at| !at.value.is_empty()) else {
        resolver.missing_table(
            "the profile has no stage",
            "add [[stage]] with a `rate` such as \"1/s\"; if the scenarios have no copies, also `lasts`",
        );
        return Vec::new();
    };
    let endless = scenarios.is_some_and(|at| {
        at.value.iter().all(|scenario| scenario.copies.is_none() && !scenario.has_errors)
    });
    let mut names = BTreeSet::new();
    let mut stages = Vec::new();
    for (index, stage) in raw.value.iter().enumerate() {
        let default_name = format!("stage-{}", index + 1);
        let name = stage.name.as_ref().map_or(default_name, |at| at.value.clone());
        let path = format!("stage.{name}");
        if let Some(at) = &stage.name
            && (at.value.trim().is_empty() || !names.insert(at.value.clone()))
        {
            resolver.diagnostics.invalid(
                &at.span,
                "a stage's name must be unique and not empty",
                "give each stage a name of its own",
            );
        }
        let last = index + 1 == raw.value.len();
        let is_open_ended = stage.lasts.is_none() && stage.burst.is_none() && !stage.has_errors;
        if is_open_ended && (endless || !last) {
            resolver.diagnostics.missing_at(
                &raw.span,
                format!("stage `{name}` does not say how long it lasts"),
                if endless {
                    "set `lasts`, or give the scenarios `copies`"
                } else {
                    "set `lasts`; only the last stage may last until the copies are used up"
                },
            );
        }
        let load = resolve_load(stage, &raw.span, &name, resolver);
        let measured =
            resolver.or_default(&format!("{path}.measured"), stage.measured.as_ref(), true);
        let lasts = resolver.optional(&format!("{path}.lasts"), stage.lasts.as_ref());
        if let Some(load) = load {
            check_run_count(&load, lasts, &raw.span, resolver);
            stages.push(Stage { name, measured, load, lasts });
        }
    }
    if !stages.is_empty() && stages.iter().all(|stage| !stage.measured) {
        resolver.diagnostics.conflict(
            &raw.span,
            "no stage is measured, so there would be nothing to report",
            "remove `measured = false` from at least one stage",
        );
    }
    stages
}

fn resolve_load(
    stage: &RawStage,
    list: &SourceSpan,
    name: &str,
    resolver: &mut Resolver<'_>,
) -> Option<StageLoad> {
    let path = format!("stage.{name}");
    let given: Vec<(&str, &SourceSpan)> = [
        stage.rate.as_ref().map(|at| ("rate", &at.span)),
        stage.hold.as_ref().map(|at| ("hold", &at.span)),
        stage.burst.as_ref().map(|at| ("burst", &at.span)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [(kind, _)] = given[..] else {
        match given.get(1) {
            Some((second, span)) => resolver.diagnostics.conflict(
                span,
                format!("`{second}` and `{}` cannot be combined", given[0].0),
                "a stage has one of `rate`, `hold` and `burst`",
            ),
            None if stage.has_errors => {}
            None => resolver.diagnostics.missing_at(
                list,
                format!("stage `{name}` starts no runs"),
                "give it a `rate` such as \"1/s\", a `hold` such as 50, or a `burst` such as 100",
            ),
        }
        return None;
    };
    if let (Some(at), true) = (&stage.arrivals, kind != "rate") {
        resolver.diagnostics.conflict(
            &at.span,
            format!("`arrivals` has no effect with `{kind}`"),
            "remove it; it applies to a `rate`",
        );
    }
    if let (Some(at), true) = (&stage.ramp, kind != "hold") {
        resolver.diagnostics.conflict(
            &at.span,
            format!("`ramp` has no effect with `{kind}`"),
            "remove it; it applies to a `hold`, and a `rate` can be { from = \"1/s\", to = \"5/s\" }",
        );
    }
    match kind {
        "rate" => {
            let arrivals = resolver.or_default(
                &format!("{path}.arrivals"),
                stage.arrivals.as_ref(),
                Arrivals::Even,
            );
            let curve = resolve_rate(stage, &path, resolver)?;
            Some(StageLoad::Open { curve, arrivals })
        }
        "hold" => Some(StageLoad::Hold {
            in_flight: resolver.at_least(&format!("{path}.hold"), stage.hold.as_ref(), 1, 1),
            ramp: resolver.optional(&format!("{path}.ramp"), stage.ramp.as_ref()),
        }),
        _ => Some(StageLoad::Burst {
            runs: resolver.at_least(&format!("{path}.burst"), stage.burst.as_ref(), 1, 1),
        }),
    }
}

fn resolve_rate(stage: &RawStage, path: &str, resolver: &mut Resolver<'_>) -> Option<ArrivalRate> {
    let at = stage.rate.as_ref()?;
    match &at.value {
        RawRate::Constant(rate) => {
            let shown = Located { value: *rate, span: at.span.clone() };
            resolver.optional(&format!("{path}.rate"), Some(&shown));
            Some(ArrivalRate::Constant(*rate))
        }
        RawRate::Ramp(ramp) => resolve_ramp(ramp, stage, &at.span, path, resolver),
    }
}

fn resolve_ramp(
    ramp: &RawRamp,
    stage: &RawStage,
    span: &SourceSpan,
    path: &str,
    resolver: &mut Resolver<'_>,
) -> Option<ArrivalRate> {
    let from: Option<Rate> = resolver.optional(&format!("{path}.rate.from"), ramp.from.as_ref());
    let to: Option<Rate> = resolver.optional(&format!("{path}.rate.to"), ramp.to.as_ref());
    let (Some(from), Some(to)) = (from, to) else {
        if ramp.has_errors {
            return None;
        }
        resolver.diagnostics.missing_at(
            span,
            "a changing rate needs `from` and `to`",
            "write { from = \"1/s\", to = \"5/s\" }",
        );
        return None;
    };
    if stage.lasts.is_none() && !stage.has_errors {
        resolver.diagnostics.missing_at(
            span,
            "a changing rate needs the stage's duration",
            "set `lasts` in the same stage",
        );
    }
    let Some(steps) = &ramp.steps else { return Some(ArrivalRate::Ramp { from, to }) };
    if steps.value > MOST_STEPS {
        resolver.diagnostics.invalid(
            &steps.span,
            format!("{} steps are too many", steps.value),
            format!("write at most {MOST_STEPS}"),
        );
    }
    let steps = resolver.at_least(&format!("{path}.rate.steps"), Some(steps), 2, 2);
    Some(ArrivalRate::Steps { from, to, steps })
}

fn check_run_count(
    load: &StageLoad,
    lasts: Option<PositiveDuration>,
    span: &SourceSpan,
    resolver: &mut Resolver<'_>,
) {
    let seconds = lasts.map_or(0.0, |lasts| lasts.micros().as_secs_f64());
    let runs = match load {
        StageLoad::Open { curve: ArrivalRate::Constant(rate), .. } => rate.per_second() * seconds,
        StageLoad::Open {
            curve: ArrivalRate::Ramp { from, to } | ArrivalRate::Steps { from, to, .. },
            ..
        } => f64::midpoint(from.per_second(), to.per_second()) * seconds,
        StageLoad::Hold { .. } => 0.0,
        StageLoad::Burst { runs } => f64::from(*runs),
    };
    if runs > MOST_RUNS as f64 {
        resolver.diagnostics.invalid(
            span,
            format!("this stage alone would start {runs:.0} runs"),
            format!("a session has at most {MOST_RUNS}"),
        );
    }
}
