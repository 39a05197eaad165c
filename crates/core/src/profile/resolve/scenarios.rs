//! Resolves `[[scenario]]`.

use std::collections::BTreeSet;

use super::resolver::Resolver;
use super::script::{RawScripts, resolve_script};
use super::speech::resolve_voice;
use crate::profile::diagnostic::Located;
use crate::profile::raw::scenario::RawScenario;
use crate::profile::settings::scenario::{Scenario, ScenarioMix};
use crate::profile::settings::session_mode::SessionMode;
use crate::units::{PositiveDuration, ScenarioId};

/// The most runs of one session: more are a slip of the pen.
pub(super) const MOST_RUNS: u64 = 20_000_000;

/// The rest of the profile that scenarios depend on.
pub(super) struct ScenarioContext<'a> {
    pub(super) scripts: &'a RawScripts,
    pub(super) mode: SessionMode,
    /// Whether the evaluator is native callers.
    pub(super) native: bool,
    /// Whether turns without a clip are synthesised.
    pub(super) synthesises: bool,
}

/// `None` if no scenario could be run.
pub(super) fn resolve_scenarios(
    raw: Option<&Located<Vec<RawScenario>>>,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> Option<ScenarioMix> {
    let Some(raw) = raw.filter(|at| !at.value.is_empty()) else {
        resolver.missing_table(
            "the profile has no scenario",
            "add [[scenario]] with an `id`, and `copies` or `weight`",
        );
        return None;
    };
    let mut copies = Vec::new();
    let mut weights = Vec::new();
    let mut ids = BTreeSet::new();
    let has_copies = raw.value.iter().any(|scenario| scenario.copies.is_some());
    for (index, scenario) in raw.value.iter().enumerate() {
        let Some(id) = &scenario.id else {
            if !scenario.has_errors {
                resolver.diagnostics.missing_at(
                    &raw.span,
                    format!("scenario {} has no `id`", index + 1),
                    "add the number that it has at the evaluator",
                );
            }
            continue;
        };
        if !ids.insert(id.value.clone()) {
            resolver.diagnostics.conflict(
                &id.span,
                format!("scenario {} is listed twice", id.value),
                "use `copies` to run the same scenario many times",
            );
        }
        let resolved = resolve_scenario(id, scenario, context, resolver);
        let path = format!("scenario.{}", id.value);
        if has_copies {
            if let Some(at) = &scenario.weight {
                resolver.diagnostics.conflict(
                    &at.span,
                    "`weight` and `copies` cannot be combined",
                    "give every scenario `copies`, or every scenario `weight`",
                );
            }
            let number =
                resolver.at_least(&format!("{path}.copies"), scenario.copies.as_ref(), 1, 1);
            copies.push((resolved, number));
        } else {
            let weight =
                resolver.or_default(&format!("{path}.weight"), scenario.weight.as_ref(), 1.0);
            let is_valid = |weight: f64| weight > 0.0 && weight.is_finite();
            if let Some(at) = scenario.weight.as_ref().filter(|at| !is_valid(at.value)) {
                resolver.diagnostics.invalid(
                    &at.span,
                    format!("{weight} is not a valid weight"),
                    "write a number above 0, such as 1 or 2.5",
                );
            }
            weights.push((resolved, weight));
        }
    }
    if has_copies {
        let total: u64 = copies.iter().map(|(_, number)| u64::from(*number)).sum();
        if total > MOST_RUNS {
            resolver.diagnostics.invalid(
                &raw.span,
                format!("{total} runs are too many for one session"),
                format!("write at most {MOST_RUNS} copies in all"),
            );
        }
        (!copies.is_empty()).then_some(ScenarioMix::Copies(copies))
    } else {
        (!weights.is_empty()).then_some(ScenarioMix::Weights(weights))
    }
}

fn resolve_scenario(
    id: &Located<ScenarioId>,
    raw: &RawScenario,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> Scenario {
    let path = format!("scenario.{}", id.value);
    let scenario = Scenario {
        id: id.value.clone(),
        name: resolver
            .optional(&format!("{path}.name"), raw.name.as_ref())
            .unwrap_or_else(|| id.value.to_string()),
        lasts: resolver.or_default(
            &format!("{path}.lasts"),
            raw.lasts.as_ref(),
            PositiveDuration::secs(120),
        ),
        chat_lasts: resolver.optional(&format!("{path}.chat_lasts"), raw.chat_lasts.as_ref()),
        script: resolve_script(&path, raw, context, resolver),
        cekura: resolver.optional(&format!("{path}.cekura"), raw.cekura.as_ref()),
        voice: raw
            .voice
            .as_ref()
            .map(|voice| resolve_voice(&path, voice, context.native, resolver)),
    };
    if let (Some(at), false) = (&raw.chat_lasts, context.mode.is_paired()) {
        resolver.diagnostics.conflict(
            &at.span,
            "`chat_lasts` applies to paired sessions only",
            "write `lasts`, or set mode = \"paired\"",
        );
    }
    if context.native && raw.script.is_none() && !raw.has_errors {
        resolver.diagnostics.missing_at(
            &id.span,
            format!("scenario {} has no script for native callers", id.value),
            "add `script`, a TOML file of turns such as scripts/book-a-table.toml",
        );
    }
    scenario
}
