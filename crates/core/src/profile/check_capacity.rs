//! The settings of a search for capacity.

use super::capacity::CapacitySettings;
use super::check::Resolver;
use super::diagnostic::Located;
use super::model::{Limits, ScenarioMix};
use super::raw_capacity::RawCapacity;
use crate::units::{Percent, PositiveDuration, Rate};

/// The most starts a second at which a level's number is reached, unless the profile says otherwise: a
/// join costs a LiveKit server some 50 ms of processor time.
const RAMP: u32 = 10;
const FACTOR: f64 = 1.5;
const WIDTH: f64 = 0.1;
const START: u32 = 5;
const RECOVER_WITHIN: PositiveDuration = PositiveDuration::secs(5 * 60);
const WITHIN: PositiveDuration = PositiveDuration::secs(8 * 3_600);

impl CapacitySettings {
    /// The settings of a profile that has no `[capacity]`.
    pub fn usual(mix: &ScenarioMix, limits: &Limits) -> Self {
        let longest_scenario = mix.scenarios().iter().map(|scenario| scenario.lasts).max();
        let ramp = Rate::per_second_const(RAMP);
        Self {
            start: START.min(limits.in_flight),
            most: limits.in_flight,
            factor: FACTOR,
            width: Percent::from_fraction(WIDTH).unwrap_or_default(),
            ramp: if limits.requests < ramp { limits.requests } else { ramp },
            settle: longest_scenario.unwrap_or(PositiveDuration::secs(60)),
            lasts: None,
            longest: None,
            recover: Some(RECOVER_WITHIN),
            burst: true,
            needed: None,
            within: WITHIN,
        }
    }
}

/// Decides how capacity is searched for; `None` where the profile says nothing of it.
pub(super) fn check_capacity(
    raw: Option<&Located<RawCapacity>>,
    mix: Option<&ScenarioMix>,
    limits: &Limits,
    checker: &mut Resolver<'_>,
) -> Option<CapacitySettings> {
    let (raw, usual) = (&raw?.value, CapacitySettings::usual(mix?, limits));
    let most = checker.at_least("capacity.most", raw.most.as_ref(), 1, usual.most);
    let start = checker.at_least("capacity.start", raw.start.as_ref(), 1, usual.start.min(most));
    let recover = checker.or_default("capacity.recover", raw.recover.as_ref(), true);
    let within =
        checker.or_default("capacity.recover_within", raw.recover_within.as_ref(), RECOVER_WITHIN);
    let settings = CapacitySettings {
        start,
        most,
        factor: checker.or_default("capacity.factor", raw.factor.as_ref(), usual.factor),
        width: checker.or_default("capacity.width", raw.width.as_ref(), usual.width),
        ramp: checker.or_default("capacity.ramp", raw.ramp.as_ref(), usual.ramp),
        settle: checker.or_default("capacity.settle", raw.settle.as_ref(), usual.settle),
        lasts: checker.optional("capacity.lasts", raw.lasts.as_ref()),
        longest: checker.optional("capacity.longest", raw.longest.as_ref()),
        recover: recover.then_some(within),
        burst: checker.or_default("capacity.burst", raw.burst.as_ref(), usual.burst),
        needed: checker.optional("capacity.needed", raw.needed.as_ref()),
        within: checker.or_default("capacity.within", raw.within.as_ref(), usual.within),
    };
    contradictions(raw, &settings, limits, checker);
    Some(settings)
}

fn contradictions(
    raw: &RawCapacity,
    settings: &CapacitySettings,
    limits: &Limits,
    checker: &mut Resolver<'_>,
) {
    let faults = &mut *checker.faults;
    if let Some(at) = raw.most.as_ref().filter(|at| at.value > limits.in_flight) {
        let what = format!(
            "{} at once are more than limits.in_flight of {} lets through",
            at.value, limits.in_flight
        );
        faults.at(&at.place, what, "raise limits.in_flight, or lower capacity.most");
    }
    if let Some(at) = raw.start.as_ref().filter(|at| at.value > settings.most) {
        let what = format!("the search would begin at {} and end at {}", at.value, settings.most);
        faults.at(&at.place, what, "not above capacity.most");
    }
    if let Some(at) = raw.factor.as_ref().filter(|at| !(at.value > 1.0 && at.value <= 10.0)) {
        let what = format!("levels {} times as high as the one before do not lead up", at.value);
        faults.at(&at.place, what, "above 1 and at most 10, such as 1.5 or 2");
    }
    if let Some(at) = raw.width.as_ref().filter(|at| at.value <= Percent::ZERO) {
        faults.at(&at.place, "no answer is so narrow", "more than 0%, such as \"10%\"");
    }
    if let (Some(lasts), Some(at)) = (settings.lasts, &raw.longest)
        && at.value < lasts
    {
        let what = format!("at the longest {}, and {lasts} to begin with", at.value);
        faults.at(&at.place, what, "not below capacity.lasts");
    }
    if let Some(at) = raw.needed.as_ref().filter(|at| at.value == 0 || at.value > settings.most) {
        let what = format!("whether {} at once are held would never be seen", at.value);
        let hint = format!("from 1 to capacity.most, which is {}", settings.most);
        faults.at(&at.place, what, hint);
    }
    if let (Some(at), None) = (&raw.recover_within, settings.recover) {
        let hint = "add recover = true, or leave `recover_within` out";
        faults.at(&at.place, "`recover_within` has no meaning without `recover`", hint);
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::testing::load_text;
    use crate::profile::{CapacitySettings, InvalidProfile, LoadedProfile};
    use crate::units::{PositiveDuration, Rate};

    fn loaded(capacity: &str) -> Result<LoadedProfile, InvalidProfile> {
        let text = format!(
            "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 2\nlasts = \"1m\"\n[limits]\nin_flight = 60\nrequests = \"4/s\"\n{capacity}"
        );
        load_text(&text)
    }

    fn mistake(capacity: &str) -> String {
        let refused = loaded(&format!("[capacity]\n{capacity}\n")).unwrap_err();
        assert_eq!(refused.faults.len(), 1, "{:?}", refused.faults);
        assert!(refused.faults[0].place.is_some(), "{capacity} is underlined");
        refused.faults[0].message.clone()
    }

    #[test]
    fn what_is_left_out_follows_from_the_rest_of_the_profile() {
        let profile = loaded("").unwrap().profile;
        assert_eq!(profile.capacity, None);
        let usual = CapacitySettings::usual(&profile.mix, &profile.limits);
        assert_eq!((usual.start, usual.most), (5, 60));
        assert_eq!(
            (usual.settle, usual.ramp),
            (PositiveDuration::secs(40), Rate::per_second_const(4))
        );
        assert_eq!(loaded("[capacity]\n").unwrap().profile.capacity, Some(usual));
        let own = "[capacity]\nstart = 3\nmost = 50\nrecover = false\nneeded = 20\nlasts = \"2m\"";
        let own = loaded(own).unwrap().profile.capacity.unwrap();
        assert_eq!((own.start, own.most, own.needed), (3, 50, Some(20)));
        assert_eq!((own.recover, own.lasts), (None, Some(PositiveDuration::secs(120))));
    }

    #[test]
    fn what_leads_nowhere_is_refused_in_words() {
        for (capacity, words) in [
            ("most = 61", "61 at once are more than limits.in_flight of 60 lets through"),
            ("start = 61", "the search would begin at 61 and end at 60"),
            ("start = 0", "0 is too few"),
            ("factor = 1", "levels 1 times as high as the one before do not lead up"),
            ("width = \"0%\"", "no answer is so narrow"),
            ("lasts = \"2m\"\nlongest = \"1m\"", "at the longest 1m, and 2m to begin with"),
            ("needed = 70", "whether 70 at once are held would never be seen"),
            ("lats = \"2m\"", "unknown key `lats`"),
            (
                "recover = false\nrecover_within = \"1m\"",
                "`recover_within` has no meaning without `recover`",
            ),
        ] {
            assert_eq!(mistake(capacity), words);
        }
    }
}
