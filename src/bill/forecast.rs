//! What a plan's runs will come to, before any of them is started.

use super::bill::{Bill, Known};
use super::tariff::{Tariff, scripted_messages};
use super::usage::Usage;
use crate::profile::{Mix, Profile};
use crate::units::Usd;

/// What a plan's runs will come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillForecast {
    /// If every conversation lasts as long as the profile expects; all of it is assumed.
    pub expected: Bill,
    /// One run at its worst, which is what the budget holds back for each that is under way.
    pub worst_run: Usd,
    /// How many were reckoned.
    pub runs: u64,
}

impl BillForecast {
    /// The forecast for so many runs of a profile; none where nothing is charged.
    pub fn new(profile: &Profile, runs: u64) -> Option<Self> {
        let tariff = Tariff::of(profile)?;
        let mut expected = Bill::of(&tariff);
        let shares: Vec<f64> = match &profile.mix {
            Mix::Copies(list) => list.iter().map(|(_, copies)| f64::from(*copies)).collect(),
            Mix::Weights(list) => list.iter().map(|(_, weight)| *weight).collect(),
        };
        let all: f64 = shares.iter().sum();
        let modes = profile.mode.modes();
        for (scenario, share) in profile.mix.scenarios().into_iter().zip(shares) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and not more than all runs"
            )]
            let count = (runs as f64 * share / all / modes.len() as f64).round() as u64;
            for mode in modes {
                let lasts = scenario.lasts_in(*mode).micros();
                let usage = Usage {
                    mode: *mode,
                    agent: lasts,
                    caller: lasts,
                    conversation: lasts,
                    told: false,
                    messages: scripted_messages(scenario),
                    judged: true,
                };
                expected.add(&tariff, &usage, count);
            }
        }
        for row in &mut expected.rows {
            row.known = Known::Assumed;
        }
        Some(Self { expected, worst_run: tariff.cost(tariff.worst()), runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests_support::plan_of;

    #[test]
    fn a_forecast_takes_every_scenario_by_its_share() {
        let plan = plan_of(
            "[[scenario]]\nid = 1\ncopies = 30\nlasts = \"50s\"\n[[scenario]]\nid = 2\ncopies = 10\nlasts = \"70s\"\n[[stage]]\nrate = \"1/s\"\n",
        );
        let forecast = BillForecast::new(plan.profile(), 40).unwrap();
        // 30 of one minute and 10 of two.
        assert_eq!(forecast.expected.evaluator(), Usd::from_dollars(50.0 * 0.25));
        assert!(forecast.worst_run > Usd::from_dollars(5.75));
        assert!(forecast.expected.rows.iter().all(|row| row.known == Known::Assumed));
        let own = plan.profile().clone();
        let free = Profile { bill: crate::profile::BillSettings::default(), ..own };
        assert_eq!(BillForecast::new(&free, 40), None);
    }
}
