//! Resolves `[capacity]`.

use super::resolver::Resolver;
use crate::profile::diagnostic::{Diagnostics, Located};
use crate::profile::raw::capacity::RawCapacity;
use crate::profile::settings::capacity::{CapacitySettings, RECOVER_WITHIN};
use crate::profile::settings::limits::Limits;
use crate::profile::settings::scenario::ScenarioMix;
use crate::units::Percent;

/// `None` if the profile has no `[capacity]`.
pub(super) fn resolve_capacity(
    raw: Option<&Located<RawCapacity>>,
    mix: Option<&ScenarioMix>,
    limits: &Limits,
    resolver: &mut Resolver<'_>,
) -> Option<CapacitySettings> {
    let (raw, defaults) = (&raw?.value, CapacitySettings::default_for(mix?, limits));
    let most = resolver.at_least("capacity.most", raw.most.as_ref(), 1, defaults.most);
    let start =
        resolver.at_least("capacity.start", raw.start.as_ref(), 1, defaults.start.min(most));
    let recover = resolver.or_default("capacity.recover", raw.recover.as_ref(), true);
    let within =
        resolver.or_default("capacity.recover_within", raw.recover_within.as_ref(), RECOVER_WITHIN);
    let settings = CapacitySettings {
        start,
        most,
        factor: resolver.or_default("capacity.factor", raw.factor.as_ref(), defaults.factor),
        width: resolver.or_default("capacity.width", raw.width.as_ref(), defaults.width),
        ramp: resolver.or_default("capacity.ramp", raw.ramp.as_ref(), defaults.ramp),
        settle: resolver.or_default("capacity.settle", raw.settle.as_ref(), defaults.settle),
        lasts: resolver.optional("capacity.lasts", raw.lasts.as_ref()),
        longest: resolver.optional("capacity.longest", raw.longest.as_ref()),
        recover: recover.then_some(within),
        burst: resolver.or_default("capacity.burst", raw.burst.as_ref(), defaults.burst),
        needed: resolver.optional("capacity.needed", raw.needed.as_ref()),
        within: resolver.or_default("capacity.within", raw.within.as_ref(), defaults.within),
    };
    check_contradictions(raw, &settings, limits, resolver.diagnostics);
    Some(settings)
}

fn check_contradictions(
    raw: &RawCapacity,
    settings: &CapacitySettings,
    limits: &Limits,
    diagnostics: &mut Diagnostics,
) {
    if let Some(at) = raw.most.as_ref().filter(|at| at.value > limits.in_flight) {
        let message = format!(
            "{} conversations at once exceed limits.in_flight of {}",
            at.value, limits.in_flight
        );
        let hint = "raise limits.in_flight, or lower capacity.most";
        diagnostics.conflict(&at.span, message, hint);
    }
    if let Some(at) = raw.start.as_ref().filter(|at| at.value > settings.most) {
        let most = settings.most;
        let message =
            format!("the search would begin at {}, above its highest level of {most}", at.value);
        diagnostics.conflict(&at.span, message, "write at most capacity.most");
    }
    if let Some(at) = raw.factor.as_ref().filter(|at| !(at.value > 1.0 && at.value <= 10.0)) {
        let message = format!("{} is not a valid factor", at.value);
        let hint = "write a number above 1 and at most 10, such as 1.5 or 2";
        diagnostics.invalid(&at.span, message, hint);
    }
    if let Some(at) = raw.width.as_ref().filter(|at| at.value <= Percent::ZERO) {
        let hint = "write more than 0%, such as \"10%\"";
        diagnostics.invalid(&at.span, "the search cannot reach a width of 0%", hint);
    }
    if let (Some(lasts), Some(at)) = (settings.lasts, &raw.longest)
        && at.value < lasts
    {
        let message = format!("`longest` of {} is shorter than `lasts` of {lasts}", at.value);
        diagnostics.conflict(&at.span, message, "write at least capacity.lasts");
    }
    if let Some(at) = raw.needed.as_ref().filter(|at| at.value == 0 || at.value > settings.most) {
        let message = format!("the search has no level of {} conversations at once", at.value);
        let hint = format!("write a number from 1 to capacity.most, which is {}", settings.most);
        diagnostics.conflict(&at.span, message, hint);
    }
    if let (Some(at), None) = (&raw.recover_within, settings.recover) {
        let hint = "set recover = true, or remove `recover_within`";
        diagnostics.conflict(&at.span, "`recover_within` has no effect without `recover`", hint);
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::testing::load_text;
    use crate::profile::{CapacitySettings, LoadedProfile, ProfileError};
    use crate::units::{PositiveDuration, Rate};

    fn loaded(capacity: &str) -> Result<LoadedProfile, ProfileError> {
        let text = format!(
            "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 2\nlasts = \"1m\"\n[limits]\nin_flight = 60\nrequests = \"4/s\"\n{capacity}"
        );
        load_text(&text)
    }

    fn mistake(capacity: &str) -> String {
        let refused = loaded(&format!("[capacity]\n{capacity}\n")).unwrap_err();
        assert_eq!(refused.diagnostics.len(), 1, "{:?}", refused.diagnostics);
        assert!(refused.diagnostics[0].span.is_some(), "{capacity} is underlined");
        refused.diagnostics[0].message.clone()
    }

    #[test]
    fn defaults_follow_from_the_rest_of_the_profile() {
        let profile = loaded("").unwrap().profile;
        assert_eq!(profile.capacity, None);
        let defaults = CapacitySettings::default_for(&profile.mix, &profile.limits);
        assert_eq!((defaults.start, defaults.most), (5, 60));
        assert_eq!(
            (defaults.settle, defaults.ramp),
            (PositiveDuration::secs(40), Rate::per_second_const(4))
        );
        assert_eq!(loaded("[capacity]\n").unwrap().profile.capacity, Some(defaults));
        let own = "[capacity]\nstart = 3\nmost = 50\nrecover = false\nneeded = 20\nlasts = \"2m\"";
        let own = loaded(own).unwrap().profile.capacity.unwrap();
        assert_eq!((own.start, own.most, own.needed), (3, 50, Some(20)));
        assert_eq!((own.recover, own.lasts), (None, Some(PositiveDuration::secs(120))));
    }

    #[test]
    fn contradictions_are_reported() {
        for (capacity, message) in [
            ("most = 61", "61 conversations at once exceed limits.in_flight of 60"),
            ("start = 61", "the search would begin at 61, above its highest level of 60"),
            ("start = 0", "0 is too small"),
            ("factor = 1", "1 is not a valid factor"),
            ("width = \"0%\"", "the search cannot reach a width of 0%"),
            ("lasts = \"2m\"\nlongest = \"1m\"", "`longest` of 1m is shorter than `lasts` of 2m"),
            ("needed = 70", "the search has no level of 70 conversations at once"),
            ("lats = \"2m\"", "unknown key `lats`"),
            (
                "recover = false\nrecover_within = \"1m\"",
                "`recover_within` has no effect without `recover`",
            ),
        ] {
            assert_eq!(mistake(capacity), message);
        }
    }
}
