//! What a plan's runs will come to, before any of them is started.

use super::bill::{Bill, Provenance};
use super::run_usage::RunUsage;
use super::tariff::{Tariff, scripted_messages};
use crate::event::ModelUsage;
use crate::profile::{Profile, ScenarioMix};
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
            ScenarioMix::Copies(list) => {
                list.iter().map(|(_, copies)| f64::from(*copies)).collect()
            }
            ScenarioMix::Weights(list) => list.iter().map(|(_, weight)| *weight).collect(),
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
                let usage = RunUsage {
                    mode: *mode,
                    agent: lasts,
                    caller: lasts,
                    conversation: lasts,
                    told: false,
                    messages: scripted_messages(scenario),
                    used: ModelUsage::default(),
                    judged: true,
                };
                expected.add(&tariff, &usage, count);
            }
        }
        for row in &mut expected.rows {
            row.known = Provenance::Assumed;
        }
        Some(Self { expected, worst_run: tariff.cost(tariff.worst()), runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;
    use crate::profile::PriceItem;
    use crate::units::{Micros, Mode};

    #[test]
    fn a_forecast_takes_every_scenario_by_its_share() {
        let plan = plan_of(
            "[[scenario]]\nid = 1\ncopies = 30\nlasts = \"50s\"\n[[scenario]]\nid = 2\ncopies = 10\nlasts = \"70s\"\n[[stage]]\nrate = \"1/s\"\n",
        );
        let forecast = BillForecast::new(plan.profile(), 40).unwrap();
        // 30 of one minute and 10 of two.
        assert_eq!(forecast.expected.evaluator(), Usd::from_dollars(50.0 * 0.25));
        assert!(forecast.worst_run > Usd::from_dollars(5.75));
        assert!(!forecast.expected.rows.is_empty());
        assert!(forecast.expected.rows.iter().all(|row| row.known == Provenance::Assumed));
        let own = plan.profile().clone();
        let free = Profile { bill: crate::profile::BillSettings::default(), ..own };
        assert_eq!(BillForecast::new(&free, 40), None);
    }

    /// Lengths around `mean`, lognormal with a spread of 0.3, drawn with SplitMix64.
    fn lengths(seed: u64, count: usize, mean: f64) -> Vec<Micros> {
        let mut state = seed;
        let mut uniform = move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut normal = move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        (0..count).map(|_| Micros::from_secs_f64(mean * (0.3 * normal() - 0.045).exp())).collect()
    }

    /// By how much the bill of 200 spoken runs lies above its forecast, in the middle of 100 sessions: all
    /// of it, and the two items that are rounded up the most and not at all.
    fn typical_error(mean: u64) -> [f64; 3] {
        let text = format!(
            "[[scenario]]\nid = 1\ncopies = 200\nlasts = \"{mean}s\"\n[[stage]]\nrate = \"1/s\"\n"
        );
        let plan = plan_of(&text);
        let forecast = BillForecast::new(plan.profile(), 200).unwrap().expected;
        let tariff = Tariff::of(plan.profile()).unwrap();
        let of = |bill: &Bill, item: PriceItem| {
            bill.rows.iter().find(|row| row.item == item).unwrap().list.dollars()
        };
        let mut errors: [Vec<f64>; 3] = Default::default();
        for seed in 0..100 {
            let mut bill = Bill::of(&tariff);
            for length in lengths(seed, 200, mean as f64) {
                let usage = RunUsage {
                    mode: Mode::Voice,
                    agent: length,
                    caller: length,
                    conversation: length,
                    told: false,
                    messages: None,
                    used: ModelUsage::default(),
                    judged: true,
                };
                bill.add(&tariff, &usage, 1);
            }
            let error = |billed: f64, forecast: f64| billed / forecast - 1.0;
            errors[0].push(error(bill.list().dollars(), forecast.list().dollars()));
            for (errors, item) in
                errors[1..].iter_mut().zip([PriceItem::EvaluatorVoice, PriceItem::SpeechToText])
            {
                errors.push(error(of(&bill, item), of(&forecast, item)));
            }
        }
        errors.map(|mut errors| {
            errors.sort_by(f64::total_cmp);
            errors[50]
        })
    }

    #[test]
    fn a_forecast_is_off_by_the_minutes_that_rounding_adds_and_by_little_else() {
        for (mean, low, high) in
            [(20, -0.01, 0.02), (40, 0.05, 0.15), (60, 0.35, 0.55), (150, -0.05, 0.05)]
        {
            let [all, rounded, exact] = typical_error(mean);
            assert!((low..high).contains(&all), "{mean} s, all: {all:+.3}");
            assert!((all - rounded).abs() < 0.06, "{mean} s: {all:+.3} {rounded:+.3}");
            assert!(exact.abs() < 0.02, "{mean} s, by the second: {exact:+.3}");
        }
    }
}
