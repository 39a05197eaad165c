//! The settings of the load: scenarios with their shares, and stages with their rates.

use std::collections::BTreeSet;

use super::check::Resolver;
use super::diagnostic::{Located, SourceSpan};
use super::model::{ArrivalRate, Arrivals, Scenario, ScenarioMix, SessionMode, Stage, StageLoad};
use super::raw::{RawRamp, RawRate, RawScenario, RawStage};
use super::script::{RawScripts, check_script};
use crate::units::{PositiveDuration, Rate};

/// Runs in one session at the most; beyond it a plan is a slip of the pen.
const MOST_RUNS: f64 = 20e6;

/// Decides the scenarios; `None` where there is none that could be run.
pub(super) fn check_mix(
    raw: Option<&Located<Vec<RawScenario>>>,
    (scripts, mode, native): (&RawScripts, SessionMode, bool),
    checker: &mut Resolver<'_>,
) -> Option<ScenarioMix> {
    let Some(raw) = raw.filter(|at| !at.value.is_empty()) else {
        checker.missing(
            "the profile has no scenario",
            "add [[scenario]] with an `id`, and `copies` or `weight`",
        );
        return None;
    };
    let mut copies = Vec::new();
    let mut weights = Vec::new();
    let mut ids = BTreeSet::new();
    let counted = raw.value.iter().any(|scenario| scenario.copies.is_some());
    for (index, scenario) in raw.value.iter().enumerate() {
        let Some(id) = &scenario.id else {
            if scenario.spoiled {
                continue;
            }
            checker.faults.at(
                &raw.place,
                format!("scenario {} has no `id`", index + 1),
                "give the number it has at the evaluator",
            );
            continue;
        };
        if !ids.insert(id.value.clone()) {
            checker.faults.at(
                &id.place,
                format!("scenario {} is listed twice", id.value),
                "use `copies` to run the same entry many times",
            );
        }
        let path = format!("scenario.{}", id.value);
        let checked = Scenario {
            id: id.value.clone(),
            name: checker
                .optional(&format!("{path}.name"), scenario.name.as_ref())
                .unwrap_or_else(|| id.value.to_string()),
            lasts: checker.or_default(
                &format!("{path}.lasts"),
                scenario.lasts.as_ref(),
                PositiveDuration::secs(120),
            ),
            chat_lasts: checker
                .optional(&format!("{path}.chat_lasts"), scenario.chat_lasts.as_ref()),
            script: check_script(&path, scenario, scripts, mode, checker),
            cekura: checker.optional(&format!("{path}.cekura"), scenario.cekura.as_ref()),
        };
        if let (Some(at), false) = (&scenario.chat_lasts, mode.is_paired()) {
            checker.faults.at(
                &at.place,
                "`chat_lasts` has a meaning in a paired session only",
                "write `lasts`, or set mode = \"paired\"",
            );
        }
        if native && scenario.script.is_none() && !scenario.spoiled {
            checker.faults.at(
                &id.place,
                format!("scenario {} has no script for our own callers", id.value),
                "add `script`, a TOML file of turns such as scripts/book-a-table.toml",
            );
        }
        if counted {
            if let Some(at) = &scenario.weight {
                checker.faults.at(
                    &at.place,
                    "`weight` and `copies` do not go together",
                    "give every scenario `copies`, or every scenario `weight`",
                );
            }
            let number =
                checker.at_least(&format!("{path}.copies"), scenario.copies.as_ref(), 1, 1);
            copies.push((checked, number));
        } else {
            let weight =
                checker.or_default(&format!("{path}.weight"), scenario.weight.as_ref(), 1.0);
            if let Some(at) =
                scenario.weight.as_ref().filter(|at| !(at.value > 0.0 && at.value.is_finite()))
            {
                checker.faults.at(
                    &at.place,
                    format!("a weight of {weight} is none"),
                    "a number above 0, such as 1 or 2.5",
                );
            }
            weights.push((checked, weight));
        }
    }
    if counted {
        let total: u64 = copies.iter().map(|(_, number)| u64::from(*number)).sum();
        if total as f64 > MOST_RUNS {
            checker.faults.at(&raw.place, format!("{total} runs are too many"), "at most 20000000");
        }
        (!copies.is_empty()).then_some(ScenarioMix::Copies(copies))
    } else {
        (!weights.is_empty()).then_some(ScenarioMix::Weights(weights))
    }
}

/// Decides the stages; empty where something is wrong with them.
pub(super) fn check_stages(
    raw: Option<&Located<Vec<RawStage>>>,
    scenarios: Option<&Located<Vec<RawScenario>>>,
    checker: &mut Resolver<'_>,
) -> Vec<Stage> {
    let Some(raw) = raw.filter(|at| !at.value.is_empty()) else {
        checker.missing(
            "the profile has no stage",
            "add [[stage]] with a `rate` such as \"1/s\" and, where the scenarios have no copies, `lasts`",
        );
        return Vec::new();
    };
    let endless = scenarios.is_some_and(|at| {
        at.value.iter().all(|scenario| scenario.copies.is_none() && !scenario.spoiled)
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
            checker.faults.at(
                &at.place,
                "a stage's name is not empty and not another's",
                "name each stage differently",
            );
        }
        let last = index + 1 == raw.value.len();
        let unsaid = stage.lasts.is_none() && stage.burst.is_none() && !stage.spoiled;
        if unsaid && (endless || !last) {
            checker.faults.at(
                &raw.place,
                format!("stage `{name}` does not say how long it lasts"),
                if endless {
                    "set `lasts`, or give the scenarios `copies`"
                } else {
                    "set `lasts`; only the last stage may go on until the copies are used up"
                },
            );
        }
        let load = check_load(stage, &raw.place, &name, checker);
        let measured =
            checker.or_default(&format!("{path}.measured"), stage.measured.as_ref(), true);
        let lasts = checker.optional(&format!("{path}.lasts"), stage.lasts.as_ref());
        if let Some(load) = load {
            too_many(&load, lasts, &raw.place, checker);
            stages.push(Stage { name, measured, load, lasts });
        }
    }
    if !stages.is_empty() && stages.iter().all(|stage| !stage.measured) {
        checker.faults.at(
            &raw.place,
            "no stage is measured, so there would be nothing to report",
            "leave `measured` out in at least one stage",
        );
    }
    stages
}

fn check_load(
    stage: &RawStage,
    list: &SourceSpan,
    name: &str,
    checker: &mut Resolver<'_>,
) -> Option<StageLoad> {
    let path = format!("stage.{name}");
    let given: Vec<(&str, &SourceSpan)> = [
        stage.rate.as_ref().map(|at| ("rate", &at.place)),
        stage.hold.as_ref().map(|at| ("hold", &at.place)),
        stage.burst.as_ref().map(|at| ("burst", &at.place)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [(kind, _)] = given[..] else {
        match given.get(1) {
            Some((second, place)) => checker.faults.at(
                place,
                format!("`{second}` does not go together with `{}`", given[0].0),
                "a stage has one of `rate`, `hold` and `burst`",
            ),
            None if stage.spoiled => {}
            None => checker.faults.at(
                list,
                format!("stage `{name}` starts nothing"),
                "give it a `rate` such as \"1/s\", a `hold` such as 50, or a `burst` such as 100",
            ),
        }
        return None;
    };
    if let (Some(at), true) = (&stage.arrivals, kind != "rate") {
        checker.faults.at(
            &at.place,
            format!("`arrivals` does not go together with `{kind}`"),
            "only a `rate` has arrivals",
        );
    }
    if let (Some(at), true) = (&stage.ramp, kind != "hold") {
        checker.faults.at(
            &at.place,
            format!("`ramp` does not go together with `{kind}`"),
            "only a `hold` has a ramp; a `rate` can be { from = \"1/s\", to = \"5/s\" }",
        );
    }
    match kind {
        "rate" => {
            let arrivals = checker.or_default(
                &format!("{path}.arrivals"),
                stage.arrivals.as_ref(),
                Arrivals::Even,
            );
            let curve = check_curve(stage, &path, checker)?;
            Some(StageLoad::Open { curve, arrivals })
        }
        "hold" => Some(StageLoad::Hold {
            in_flight: checker.at_least(&format!("{path}.hold"), stage.hold.as_ref(), 1, 1),
            ramp: checker.optional(&format!("{path}.ramp"), stage.ramp.as_ref()),
        }),
        _ => Some(StageLoad::Burst {
            runs: checker.at_least(&format!("{path}.burst"), stage.burst.as_ref(), 1, 1),
        }),
    }
}

fn check_curve(stage: &RawStage, path: &str, checker: &mut Resolver<'_>) -> Option<ArrivalRate> {
    let at = stage.rate.as_ref()?;
    match &at.value {
        RawRate::Constant(rate) => {
            let shown = Located { value: *rate, place: at.place.clone() };
            checker.optional(&format!("{path}.rate"), Some(&shown));
            Some(ArrivalRate::Constant(*rate))
        }
        RawRate::Ramp(ramp) => check_ramp(ramp, stage, &at.place, path, checker),
    }
}

fn check_ramp(
    ramp: &RawRamp,
    stage: &RawStage,
    place: &SourceSpan,
    path: &str,
    checker: &mut Resolver<'_>,
) -> Option<ArrivalRate> {
    let from: Option<Rate> = checker.optional(&format!("{path}.rate.from"), ramp.from.as_ref());
    let to: Option<Rate> = checker.optional(&format!("{path}.rate.to"), ramp.to.as_ref());
    let (Some(from), Some(to)) = (from, to) else {
        if ramp.spoiled {
            return None;
        }
        checker.faults.at(
            place,
            "a changing rate has a `from` and a `to`",
            "such as { from = \"1/s\", to = \"5/s\" }",
        );
        return None;
    };
    if stage.lasts.is_none() && !stage.spoiled {
        checker.faults.at(
            place,
            "a changing rate needs to know how long it takes",
            "set `lasts` in the same stage",
        );
    }
    let Some(steps) = &ramp.steps else { return Some(ArrivalRate::Ramp { from, to }) };
    if steps.value > 1_000 {
        checker.faults.at(
            &steps.place,
            format!("{} steps are too many", steps.value),
            "at most 1000",
        );
    }
    let steps = checker.at_least(&format!("{path}.rate.steps"), Some(steps), 2, 2);
    Some(ArrivalRate::Steps { from, to, steps })
}

fn too_many(
    load: &StageLoad,
    lasts: Option<PositiveDuration>,
    place: &SourceSpan,
    checker: &mut Resolver<'_>,
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
    if runs > MOST_RUNS {
        checker.faults.at(
            place,
            format!("this stage alone would start {runs:.0} runs"),
            "a session has at most 20000000",
        );
    }
}
