//! Resolves the whole profile, section by section.

use super::agent_health::resolve_agent_health;
use super::bill::{Services, resolve_bill};
use super::caller::resolve_caller;
use super::capacity::resolve_capacity;
use super::evaluator::resolve_evaluator;
use super::judging::resolve_judging;
use super::limits::resolve_limits;
use super::livekit::resolve_livekit;
use super::network::resolve_networks;
use super::notify::resolve_notify;
use super::recording::resolve_recording;
use super::resolver::{ResolvedSetting, Resolver};
use super::sandbox::resolve_sandbox;
use super::scenarios::{ScenarioContext, resolve_scenarios};
use super::script::RawScripts;
use super::soak::resolve_soak;
use super::speech::resolve_synthesis;
use super::stages::resolve_stages;
use super::thresholds::{check_heard_thresholds, check_quality_thresholds, resolve_thresholds};
use super::workers::resolve_workers;
use crate::profile::diagnostic::{Diagnostics, Located, SourceText};
use crate::profile::raw::RawProfile;
use crate::profile::settings::evaluator::EvaluatorSettings;
use crate::profile::settings::prices::Prices;
use crate::profile::settings::profile::Profile;
use crate::profile::settings::session_mode::SessionMode;
use crate::units::Mode;

/// A raw profile and the files that it names.
pub(crate) struct ResolveInput<'a> {
    pub(crate) raw: &'a RawProfile,
    /// The name of the profile's file without its extension.
    pub(crate) file_stem: &'a str,
    pub(crate) scripts: &'a RawScripts,
    pub(crate) prices: Prices,
    pub(crate) sources: &'a [SourceText],
}

/// Resolves every setting. The profile is valid only if this added no diagnostics.
pub(crate) fn resolve_profile(
    input: ResolveInput<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Profile, Vec<ResolvedSetting>)> {
    let ResolveInput { raw, file_stem, scripts, prices, sources } = input;
    let mut resolver = Resolver::new(sources, raw.has_errors, diagnostics);
    let name = resolve_name(raw.name.as_ref(), file_stem, &mut resolver);
    let seed = resolver.or_default("seed", raw.seed.as_ref(), 1);
    let mode = resolver.or_default("mode", raw.mode.as_ref(), SessionMode::Voice);
    let livekit = resolve_livekit(raw.livekit.as_ref(), &mut resolver);
    let caller = resolve_caller(raw.caller.as_ref(), &mut resolver);
    let evaluator =
        resolve_evaluator(raw.evaluator.as_ref(), raw.livekit.as_ref(), mode, &mut resolver);
    let native = matches!(evaluator, Some(EvaluatorSettings::Native(_)));
    let speech = raw.speech.as_ref().and_then(|at| resolve_synthesis(at, native, &mut resolver));
    let context = ScenarioContext { scripts, mode, native, synthesises: raw.speech.is_some() };
    let mix = resolve_scenarios(raw.scenario.as_ref(), &context, &mut resolver);
    let stages = resolve_stages(raw.stage.as_ref(), raw.scenario.as_ref(), &mut resolver);
    let networks = resolve_networks(raw.network.as_ref(), native, &mut resolver);
    let limits = resolve_limits(raw.limits.as_ref(), native, &mut resolver);
    let thresholds = resolve_thresholds(raw.thresholds.as_ref(), &mut resolver);
    let hears = native && mode.modes().contains(&Mode::Voice);
    if let Some(mix) = &mix {
        check_heard_thresholds(raw.thresholds.as_ref(), mix, hears, resolver.diagnostics);
    }
    check_quality_thresholds(raw.thresholds.as_ref(), hears, resolver.diagnostics);
    let sandbox = resolve_sandbox(raw.sandbox.as_ref(), &mut resolver);
    let capacity = resolve_capacity(raw.capacity.as_ref(), mix.as_ref(), &limits, &mut resolver);
    let soak = raw.soak.as_ref().map(|at| resolve_soak(&at.value, &mut resolver));
    let agent_health =
        raw.agent_health.as_ref().and_then(|at| resolve_agent_health(at, &mut resolver));
    let notify = raw.notify.as_ref().map(|at| resolve_notify(&at.value, &mut resolver));
    let services = Services { mode, livekit: livekit.as_ref(), evaluator: evaluator.as_ref() };
    let bill = resolve_bill(raw, prices.clone(), services, &mut resolver);
    let judging = resolve_judging(raw, &prices, services, &mut resolver);
    let recording = resolve_recording(raw, native, mode, &mut resolver);
    let workers = raw.workers.as_ref().and_then(|at| resolve_workers(at, native, &mut resolver));
    let settings = resolver.into_settings();
    let profile = Profile {
        name,
        seed,
        mode,
        livekit: livekit?,
        caller,
        evaluator: evaluator?,
        mix: mix?,
        stages,
        networks,
        limits,
        thresholds,
        sandbox,
        bill,
        capacity,
        soak,
        agent_health,
        notify,
        judging,
        recording,
        judges: None,
        workers,
        speech,
    };
    Some((profile, settings))
}

fn resolve_name(
    given: Option<&Located<String>>,
    file_stem: &str,
    resolver: &mut Resolver<'_>,
) -> String {
    let is_valid = |name: &str| {
        (1..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !name.starts_with('.')
    };
    if let Some(at) = given.filter(|at| !is_valid(&at.value)) {
        resolver.diagnostics.invalid(
            &at.span,
            "this is not a valid name for a folder",
            "use 1 to 64 letters, digits, `-`, `_` or `.`, and do not begin with a dot",
        );
    }
    let default = if is_valid(file_stem) { file_stem } else { "session" };
    resolver.or_default("name", given, default.to_owned())
}
