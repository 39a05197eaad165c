//! The expected bill of a plan.

use super::bill::Bill;
use super::provenance::Provenance;
use super::run_usage::RunUsage;
use super::tariff::{Tariff, scripted_messages};
use crate::event::ModelUsage;
use crate::profile::Profile;
use crate::units::Usd;

/// The expected bill of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillForecast {
    /// The bill if every conversation lasts as long as the profile expects.
    pub expected: Bill,
    /// The most that one run can cost: the budget reserves it for each run in flight.
    pub worst_run: Usd,
    /// The number of runs.
    pub runs: u64,
}

impl BillForecast {
    /// The forecast for a number of runs of a profile; `None` if nothing is charged.
    pub fn new(profile: &Profile, runs: u64) -> Option<Self> {
        let tariff = Tariff::new(profile)?;
        let mut expected = Bill::new(&tariff);
        let shares = profile.mix.shares();
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
                    conversation_reported: false,
                    messages: scripted_messages(scenario),
                    model_usage: ModelUsage::default(),
                    judged: true,
                };
                expected.add(&tariff, &usage, count);
            }
        }
        for row in &mut expected.rows {
            row.provenance = Provenance::Assumed;
        }
        Some(Self { expected, worst_run: tariff.cost(tariff.worst()), runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;
    use crate::profile::PriceItem;
    use crate::rng::SeededRng;
    use crate::units::{Micros, Mode};

    #[test]
    fn a_forecast_weights_every_scenario_by_its_share() {
        let plan = plan_of(
            "[[scenario]]\nid = 1\ncopies = 30\nlasts = \"50s\"\n[[scenario]]\nid = 2\ncopies = 10\nlasts = \"70s\"\n[[stage]]\nrate = \"1/s\"\n",
        );
        let forecast = BillForecast::new(plan.profile(), 40).unwrap();
        // 30 of one minute and 10 of two.
        assert_eq!(forecast.expected.evaluator(), Usd::from_dollars(50.0 * 0.25));
        assert!(forecast.worst_run > Usd::from_dollars(5.75));
        assert!(!forecast.expected.rows.is_empty());
        assert!(forecast.expected.rows.iter().all(|row| row.provenance == Provenance::Assumed));
        let own = plan.profile().clone();
        let free = Profile { bill: crate::profile::BillSettings::default(), ..own };
        assert_eq!(BillForecast::new(&free, 40), None);
    }

    /// Lognormal durations around `mean` seconds, with a sigma of 0.3.
    fn durations(seed: u64, count: usize, mean: f64) -> Vec<Micros> {
        let mut rng = SeededRng::new(seed);
        // The sum of twelve uniform numbers is close to normal, with variance 1.
        let mut normal = || (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
        (0..count).map(|_| Micros::from_secs_f64(mean * (0.3 * normal() - 0.045).exp())).collect()
    }

    /// The median relative error of the forecast for 200 voice runs, over 100 sessions: of the whole bill,
    /// of an item that is rounded up to minutes, and of one that is not rounded.
    fn median_errors(mean: u64) -> [f64; 3] {
        let text = format!(
            "[[scenario]]\nid = 1\ncopies = 200\nlasts = \"{mean}s\"\n[[stage]]\nrate = \"1/s\"\n"
        );
        let plan = plan_of(&text);
        let forecast = BillForecast::new(plan.profile(), 200).unwrap().expected;
        let tariff = Tariff::new(plan.profile()).unwrap();
        let cost_of = |bill: &Bill, item: PriceItem| {
            bill.rows.iter().find(|row| row.item == item).unwrap().list.dollars()
        };
        let mut errors: [Vec<f64>; 3] = Default::default();
        for seed in 0..100 {
            let mut bill = Bill::new(&tariff);
            for duration in durations(seed, 200, mean as f64) {
                let usage = RunUsage {
                    mode: Mode::Voice,
                    agent: duration,
                    caller: duration,
                    conversation: duration,
                    conversation_reported: false,
                    messages: None,
                    model_usage: ModelUsage::default(),
                    judged: true,
                };
                bill.add(&tariff, &usage, 1);
            }
            let error = |billed: f64, forecast: f64| billed / forecast - 1.0;
            errors[0].push(error(bill.list().dollars(), forecast.list().dollars()));
            for (errors, item) in
                errors[1..].iter_mut().zip([PriceItem::EvaluatorVoice, PriceItem::SpeechToText])
            {
                errors.push(error(cost_of(&bill, item), cost_of(&forecast, item)));
            }
        }
        errors.map(|mut errors| {
            errors.sort_by(f64::total_cmp);
            errors[50]
        })
    }

    #[test]
    fn a_forecast_errs_by_rounding_to_minutes_and_little_else() {
        for (mean, low, high) in
            [(20, -0.01, 0.02), (40, 0.05, 0.15), (60, 0.35, 0.55), (150, -0.05, 0.05)]
        {
            let [all, rounded, exact] = median_errors(mean);
            assert!((low..high).contains(&all), "{mean} s, all: {all:+.3}");
            assert!((all - rounded).abs() < 0.06, "{mean} s: {all:+.3} {rounded:+.3}");
            assert!(exact.abs() < 0.02, "{mean} s, not rounded: {exact:+.3}");
        }
    }
}
