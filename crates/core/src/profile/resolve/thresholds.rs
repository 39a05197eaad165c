//! Resolves `[thresholds]`.

use super::resolver::Resolver;
use crate::profile::diagnostic::{Diagnostics, Located};
use crate::profile::from_node::Named;
use crate::profile::raw::threshold::RawThreshold;
use crate::profile::settings::scenario::ScenarioMix;
use crate::profile::settings::threshold::{
    HeardShare, Threshold, ThresholdMeasure, parse_bound, parse_measure,
};
use crate::units::PositiveDuration;

pub(super) fn resolve_thresholds(
    raw: Option<&Located<Named<Located<RawThreshold>>>>,
    resolver: &mut Resolver<'_>,
) -> Vec<Threshold> {
    let Some(named) = raw else { return Vec::new() };
    let mut thresholds = Vec::new();
    for (key, bound) in &named.value.0 {
        let measure = match parse_measure(&key.value) {
            Ok(measure) => measure,
            Err(error) => {
                resolver.diagnostics.invalid(&key.span, error.message, error.hint);
                continue;
            }
        };
        let Some((bound, abort_after)) = resolve_bound(bound, resolver.diagnostics) else {
            continue;
        };
        match parse_bound(&measure, &bound.value) {
            Ok((comparison, value)) => {
                resolver.optional(&format!("thresholds.{:?}", key.value), Some(&bound));
                thresholds.push(Threshold { measure, comparison, bound: value, abort_after });
            }
            Err(error) => resolver.diagnostics.invalid(&bound.span, error.message, error.hint),
        }
    }
    thresholds
}

/// A share of what callers said needs callers of ours that speak, and scripts that say what.
pub(super) fn check_heard_thresholds(
    raw: Option<&Located<Named<Located<RawThreshold>>>>,
    mix: &ScenarioMix,
    speaks: bool,
    diagnostics: &mut Diagnostics,
) {
    for (key, _) in raw.iter().flat_map(|named| &named.value.0) {
        let Ok(ThresholdMeasure::Heard(share)) = parse_measure(&key.value) else { continue };
        let scripts = mix.scenarios().into_iter().filter_map(|scenario| scenario.script.as_ref());
        let mut turns = scripts.flat_map(|script| &script.turns);
        let (is_known, hint) = match share {
            HeardShare::KeyWords => {
                let hint =
                    "add `hears`, key words, to turns of the scripts, or remove the threshold";
                (turns.any(|turn| !turn.hears.is_empty()), hint)
            }
            HeardShare::WordErrors | HeardShare::CharacterErrors => {
                let hint = "add `say`, the words of the clip, to turns of the scripts, or remove the threshold";
                (turns.any(|turn| turn.say.is_some() && turn.dtmf.is_none()), hint)
            }
        };
        if !speaks {
            diagnostics.conflict(
                &key.span,
                "only native callers in voice know what they said",
                "remove the threshold, or set evaluator.kind = \"native\" and mode = \"voice\"",
            );
        } else if !is_known {
            diagnostics.conflict(
                &key.span,
                format!("no script says what is measured as {}", share.name()),
                hint,
            );
        }
    }
}

/// The bound, and how long after the session's start it may stop the session, if it may.
fn resolve_bound(
    raw: &Located<RawThreshold>,
    diagnostics: &mut Diagnostics,
) -> Option<(Located<String>, Option<PositiveDuration>)> {
    let table = match &raw.value {
        RawThreshold::Bound(bound) => {
            return Some((Located { value: bound.clone(), span: raw.span.clone() }, None));
        }
        RawThreshold::Table(table) => table,
    };
    let Some(bound) = &table.bound else {
        let hint = "add one, such as bound = \"< 10%\"";
        diagnostics.missing_at(&raw.span, "this threshold has no bound", hint);
        return None;
    };
    let may_abort = table.abort.as_ref().is_some_and(|abort| abort.value);
    if let (false, Some(after)) = (may_abort, &table.after) {
        let hint = "add abort = true, or remove `after`";
        diagnostics.conflict(&after.span, "`after` has no effect without `abort`", hint);
        return None;
    }
    let after = table.after.as_ref().map_or(PositiveDuration::secs(1), |after| after.value);
    Some((bound.clone(), may_abort.then_some(after)))
}
