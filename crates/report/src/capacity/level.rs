//! The profile of a trial's session: the search's profile with other stages.

use super::rules::SearchRules;
use super::trial::{Purpose, Trial};
use crate::session::{WORKERS_AWAITED, WORKERS_KEPT};
use rushhour_core::profile::{Limits, Profile, ScenarioMix, Stage, StageLoad};
use rushhour_core::units::{Micros, PositiveDuration, Usd};

/// From the end of the server's look for workers to a burst.
const AFTER_LOOK: Micros = Micros::from_secs(3);
/// After so long without a dispatch, the server's list of workers is out of date.
const QUIET: Micros = Micros(WORKERS_KEPT.0 + 2_000_000);
/// The longest name of a session, as of a profile.
const MAX_NAME: usize = 64;
/// The pause between bursts in conversations, in addition to the wait for the agent.
const CONVERSATIONS_BETWEEN_BURSTS: u64 = 2;

/// What the sessions of a search have spent of its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchSpend {
    /// Money at list prices.
    pub money: Usd,
    /// Runs started.
    pub runs: u64,
    /// The duration of all conversations together.
    pub conversation_duration: Micros,
}

impl SearchSpend {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            money: self.money + other.money,
            runs: self.runs + other.runs,
            conversation_duration: self.conversation_duration + other.conversation_duration,
        }
    }
}

/// The profile of a session; `number` is its number in the search, from 1. Its limits are reduced by what was spent.
/// None where a limit leaves nothing to start with.
pub fn level_profile(
    profile: &Profile,
    rules: &SearchRules,
    trial: Trial,
    number: u32,
    spent: SearchSpend,
) -> Option<Profile> {
    let mut name = profile.name.clone();
    let suffix = format!("-{}-{}", trial.purpose.name(), trial.in_flight);
    name.truncate(MAX_NAME - suffix.len());
    Some(Profile {
        name: name + &suffix,
        // Every session has a seed of its own, or a repeated level would repeat the same plan.
        seed: profile.seed.wrapping_add(u64::from(number)),
        // Copies would run out, so they become weights.
        mix: weighted(&profile.mix),
        stages: stages(profile, rules, trial),
        limits: remaining_limits(&profile.limits, spent)?,
        capacity: None,
        ..profile.clone()
    })
}

fn weighted(mix: &ScenarioMix) -> ScenarioMix {
    match mix {
        ScenarioMix::Weights(_) => mix.clone(),
        ScenarioMix::Copies(list) => ScenarioMix::Weights(
            list.iter().map(|(scenario, copies)| (scenario.clone(), f64::from(*copies))).collect(),
        ),
    }
}

fn remaining_limits(limits: &Limits, spent: SearchSpend) -> Option<Limits> {
    let mut remaining = limits.clone();
    if let Some(budget) = &mut remaining.budget {
        *budget = budget.saturating_sub(spent.money);
        (*budget > Usd::ZERO).then_some(())?;
    }
    if let Some(runs) = &mut remaining.max_runs {
        *runs = runs.checked_sub(spent.runs).filter(|left| *left > 0)?;
    }
    if let Some(minutes) = &mut remaining.max_minutes {
        let used = spent.conversation_duration.0.div_ceil(60_000_000);
        *minutes = minutes.checked_sub(used).filter(|left| *left > 0)?;
    }
    Some(remaining)
}

fn stages(profile: &Profile, rules: &SearchRules, trial: Trial) -> Vec<Stage> {
    let in_flight = trial.in_flight;
    let ramp = rules.settings.ramp;
    let hold = |name: String, measured, ramp, lasts: Micros| Stage {
        name,
        measured,
        load: StageLoad::Hold { in_flight, ramp },
        lasts: PositiveDuration::new(lasts),
    };
    let reached = Micros(ramp.gap().0.saturating_mul(u64::from(in_flight)));
    match trial.purpose {
        Purpose::Step | Purpose::Bisect | Purpose::Confirm | Purpose::Again => {
            let looked_before = match trial.purpose {
                Purpose::Again => vec![call(0, QUIET), call(1, WORKERS_AWAITED + AFTER_LOOK)],
                _ => Vec::new(),
            };
            let settle = reached + rules.settings.settle.micros();
            let level = [
                hold("settle".into(), false, Some(ramp), settle),
                hold(format!("hold-{in_flight}"), true, None, trial.duration),
                // The runs that started last need as many others around them as the first did.
                hold("stay".into(), false, None, rules.longest_conversation),
            ];
            looked_before.into_iter().chain(level).collect()
        }
        Purpose::Recover => {
            vec![hold(format!("again-{in_flight}"), true, Some(ramp), reached + trial.duration)]
        }
        Purpose::Burst | Purpose::BurstAgain => {
            let conversations =
                Micros(rules.longest_conversation.0.saturating_mul(CONVERSATIONS_BETWEEN_BURSTS));
            let lasts =
                PositiveDuration::new(profile.livekit.give_up_after.micros() + conversations);
            let one = |number, lasts| burst(format!("burst-{number}"), true, in_flight, lasts);
            let numbers = 1..=rules.bursts(in_flight);
            if trial.purpose == Purpose::Burst {
                return numbers.map(|number| one(number, lasts)).collect();
            }
            let lasts = PositiveDuration::new(lasts.map_or(QUIET, |it| it.micros().max(QUIET)));
            let again = |number| [call(number, WORKERS_AWAITED + AFTER_LOOK), one(number, lasts)];
            std::iter::once(call(0, QUIET)).chain(numbers.flat_map(again)).collect()
        }
    }
}

fn burst(name: String, measured: bool, runs: u32, lasts: Option<PositiveDuration>) -> Stage {
    Stage { name, measured, load: StageLoad::Burst { runs }, lasts }
}

/// One dispatch: after a minute without any, it makes the server look for workers. Once it has, those that follow find the
/// list fresh.
fn call(number: u32, lasts: Micros) -> Stage {
    burst(format!("call-{number}"), false, 1, PositiveDuration::new(lasts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::plan::{Forecast, Plan};
    use rushhour_core::profile::testing::profile_of;

    const PROFILE: &str = "name = \"desk\"\nseed = 5\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\ncopies = 3\nlasts = \"10s\"\n[[stage]]\nhold = 2\n[thresholds]\nfailed = \"< 5%\"\n[limits]\nmax_runs = 500\nbudget = \"9 USD\"\n[capacity]\nramp = \"4/s\"\nlasts = \"50s\"\n";

    fn profile() -> Profile {
        profile_of(PROFILE)
    }

    fn level(purpose: Purpose, spent: SearchSpend) -> Option<Profile> {
        let rules = SearchRules::of(&profile());
        let trial = Trial { purpose, in_flight: 20, duration: rules.initial_duration(20) };
        level_profile(&profile(), &rules, trial, 3, spent)
    }

    #[test]
    fn a_level_is_ramped_settles_and_is_then_measured() {
        let level = level(Purpose::Step, SearchSpend::default()).unwrap();
        assert_eq!((level.name.as_str(), level.seed), ("desk-step-20", 8));
        let shown: Vec<(&str, bool, u64)> = level
            .stages
            .iter()
            .map(|stage| {
                let lasts = stage.lasts.unwrap().micros().0 / 1_000_000;
                (stage.name.as_str(), stage.measured, lasts)
            })
            .collect();
        assert_eq!(shown, [("settle", false, 15), ("hold-20", true, 50), ("stay", false, 10)]);
        let forecast = Forecast::new(&Plan::new(level));
        assert_eq!(forecast.stages[1].runs, 100, "copies do not run out");
    }

    #[test]
    fn a_burst_is_repeated_until_there_are_enough_runs_to_judge() {
        let level = level(Purpose::Burst, SearchSpend::default()).unwrap();
        let bursts =
            level.stages.iter().filter(|stage| stage.load == StageLoad::Burst { runs: 20 });
        assert_eq!(bursts.count(), 5, "110 runs or so");
        assert_eq!(
            level.stages[0].lasts,
            Some(PositiveDuration::secs(60)),
            "40 s for the agent, and two conversations"
        );
    }

    #[test]
    fn a_burst_again_follows_a_minute_of_silence_and_one_call() {
        let level = level(Purpose::BurstAgain, SearchSpend::default()).unwrap();
        let shown: Vec<(&str, bool, u64)> = level.stages[..4]
            .iter()
            .map(|stage| {
                let lasts = stage.lasts.unwrap().micros().0 / 1_000_000;
                (stage.name.as_str(), stage.measured, lasts)
            })
            .collect();
        let expected = [
            ("call-0", false, 62),
            ("call-1", false, 8),
            ("burst-1", true, 62),
            ("call-2", false, 8),
        ];
        assert_eq!(shown, expected);
        assert_eq!(level.stages.len(), 11);
    }

    #[test]
    fn a_level_again_follows_a_minute_of_silence_and_one_call() {
        let level = level(Purpose::Again, SearchSpend::default()).unwrap();
        assert_eq!(level.name, "desk-again-20");
        let names: Vec<&str> = level.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["call-0", "call-1", "settle", "hold-20", "stay"]);
        let measured = level.stages.iter().filter(|stage| stage.measured).count();
        assert_eq!((measured, level.stages[0].lasts), (1, Some(PositiveDuration::secs(62))));
    }

    #[test]
    fn limits_apply_to_the_whole_search() {
        let spent = SearchSpend {
            runs: 480,
            money: Usd::from_dollars(7.5),
            conversation_duration: Micros::ZERO,
        };
        let level_of = |spent| level(Purpose::Step, spent).map(|level| level.limits);
        let limits = level_of(spent).unwrap();
        assert_eq!((limits.max_runs, limits.budget), (Some(20), Some(Usd::from_dollars(1.5))));
        assert_eq!(level_of(spent.plus(SearchSpend { runs: 20, ..SearchSpend::default() })), None);
        let all = SearchSpend { money: Usd::from_dollars(9.0), ..SearchSpend::default() };
        assert_eq!(level_of(all), None);
    }
}
