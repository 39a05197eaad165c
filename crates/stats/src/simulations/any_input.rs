//! Whatever comes in, what comes out is a number or an error.

use proptest::prelude::*;

use super::super::bootstrap::{Arms, BlockLength, Bootstrap, ClusteredSample, PairedSample, Ratio};
use super::super::confidence::Confidence;
use super::super::interval::{Estimate, Interval};
use super::super::power::Spread;
use super::super::quantile::Quantile;
use super::super::sample::{MAX_MAGNITUDE, Sample, mean};
use super::super::survival::{Observation, Reach, SurvivalBracket};
use super::super::trend::{
    Baseline, Cusum, CusumLimits, Materiality, Series, Trend, compare_first_and_last, step_change,
};
use super::super::two_sample::TwoSampleComparison;

/// Numbers of every kind: everyday ones, ties, zeros, the greatest and smallest, and none at all.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..1000.0_f64,
        3 => (0_i32..4).prop_map(f64::from),
        1 => prop::sample::select(vec![
            0.0, -0.0, -1.0, 1e-300, 5e-324, 1e-100, 1e99, -1e100, MAX_MAGNITUDE,
        ]),
    ]
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let foreign = prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e101]);
    prop_oneof![
        8 => prop::collection::vec(number(), 0..60),
        1 => (prop::collection::vec(number(), 0..9), foreign).prop_map(|(mut values, foreign)| {
            values.push(foreign);
            values
        }),
        1 => (number(), 1_usize..60).prop_map(|(value, times)| vec![value; times]),
    ]
}

fn plan() -> Bootstrap {
    Bootstrap::new(1, 39, Confidence::PERCENT_95).expect("39 suffice")
}

fn finite(interval: Interval) -> bool {
    interval.low().is_finite() && interval.high().is_finite() && interval.low() <= interval.high()
}

fn sound(estimate: Estimate) -> bool {
    estimate.point.is_finite() && finite(estimate.interval)
}

fn ratio_is_sound(ratio: Ratio) -> bool {
    let p = ratio.p_value.probability();
    ratio.point.is_finite() && finite(ratio.interval) && (0.0..=1.0).contains(&p)
}

fn keyed(values: &[f64]) -> impl Iterator<Item = (usize, f64)> {
    values.iter().enumerate().map(|(index, &value)| (index % 8, value))
}

proptest! {
    #[test]
    fn two_arms(from in values(), to in values()) {
        let all = [Quantile::P50, Quantile::P75, Quantile::P90];
        let (baseline, candidate) = (Sample::new(from.clone()), Sample::new(to.clone()));
        let usable = |values: &[f64]| {
            !values.is_empty() && values.iter().all(|value| value.abs() <= MAX_MAGNITUDE)
        };
        prop_assert_eq!(baseline.is_ok(), usable(&from));
        let (Ok(baseline), Ok(candidate)) = (baseline, candidate) else { return Ok(()) };
        let comparison = TwoSampleComparison::of(&baseline, &candidate, Confidence::PERCENT_95);
        prop_assert!(comparison.dominance.cliffs_delta().abs() <= 1.0);
        prop_assert!(comparison.mann_whitney.u.is_finite());
        prop_assert!(comparison.shift.estimate.is_finite());
        prop_assert!(comparison.shift.interval.is_err() || comparison.shift.interval.is_ok_and(finite));
        for p_value in [comparison.mann_whitney.p_value, comparison.kolmogorov_smirnov.p_value] {
            prop_assert!((0.0..=1.0).contains(&p_value.probability()), "{comparison:?}");
        }
        prop_assert!((0.0..=1.0).contains(&comparison.kolmogorov_smirnov.distance));
        prop_assert!(Spread::of(&baseline).is_none_or(|spread| spread.sigma() > 0.0));

        let grouped_from = ClusteredSample::new(keyed(&from)).unwrap();
        let grouped_to = ClusteredSample::new(keyed(&to)).unwrap();
        let paired = PairedSample::new(keyed(&from), keyed(&to)).unwrap();
        for arms in [
            Arms::Independent { baseline: &baseline, candidate: &candidate },
            Arms::Clustered { baseline: &grouped_from, candidate: &grouped_to },
            Arms::Paired(&paired),
        ] {
            for one in arms.quantile_ratios(&all, &plan()) {
                prop_assert!(one.ratio.is_err() || one.ratio.is_ok_and(ratio_is_sound), "{one:?}");
            }
            let means = arms.mean_ratio(&plan());
            prop_assert!(means.is_err() || means.is_ok_and(ratio_is_sound), "{means:?}");
        }
        let estimate = grouped_from.quantile_estimate(Quantile::P50, &plan());
        prop_assert!(estimate.is_err() || estimate.is_ok_and(sound), "{estimate:?}");
    }

    #[test]
    fn a_series(values in values(), steps in prop::collection::vec(0.0..3.0_f64, 60)) {
        let times = steps.into_iter().scan(0.0, |time, step| {
            *time += step.floor();
            Some(*time)
        });
        let Ok(series) = Series::new(times.zip(values.clone())) else { return Ok(()) };
        if let Ok(trend) = Trend::of(&series, &plan()) {
            prop_assert!(sound(trend.slope) && sound(trend.change), "{trend:?}");
            prop_assert!(trend.start.is_finite() && trend.autocorrelation.is_finite(), "{trend:?}");
            trend.drift(Materiality::Relative(0.1));
        }
        if let Ok(step) = step_change(&series, &plan()) {
            prop_assert!(finite(step.between) && step.before.is_finite() && step.after.is_finite());
        }
        let halves = compare_first_and_last(&series, 5.0, Confidence::PERCENT_95);
        prop_assert!(halves.is_err() || halves.is_ok_and(|both| both.shift.estimate.is_finite()));
        let block = BlockLength::conservative(series.values());
        prop_assert!((1..=series.values().len()).contains(&block.length()), "{block:?}");
        let by_blocks = plan().interval_of_series(series.values(), block, mean);
        prop_assert!(by_blocks.is_err() || by_blocks.is_ok_and(sound), "{by_blocks:?}");
        if let Ok(baseline) = Baseline::from_values(series.values()) {
            let cusum = Cusum::of(&values, baseline, CusumLimits::for_values(50, 0.05)).unwrap();
            let number = |sum: f64| sum.is_finite() && sum >= 0.0;
            prop_assert!(cusum.points.iter().all(|point| number(point.above) && number(point.below)));
        }
    }

    #[test]
    fn durations(values in values(), kinds in prop::collection::vec(0_u64..4, 60)) {
        let seen = values.iter().zip(kinds).map(|(&value, kind)| match kind {
            0 => (Observation::After(value), 1),
            1 => (Observation::Between(value, value + 1.0), 3),
            kind => (Observation::At(value), kind - 2),
        });
        let Ok(bracket) = SurvivalBracket::new(seen) else { return Ok(()) };
        for curve in [&bracket.earliest, &bracket.latest] {
            for step in curve.steps() {
                prop_assert!((0.0..=1.0).contains(&step.survival), "{step:?}");
                let interval = step.interval(Confidence::PERCENT_95);
                prop_assert!(interval.is_none_or(|interval| interval.contains(step.survival)), "{step:?}");
                prop_assert!(step.standard_error().is_none_or(f64::is_finite), "{step:?}");
            }
        }
        let time = |reach: Reach| match reach {
            Reach::At(time) | Reach::NotReachedBy(time) => time,
        };
        let quantile = bracket.quantile(Quantile::P75, Confidence::PERCENT_95);
        let ends = [quantile.low, quantile.earliest, quantile.latest, quantile.high].map(time);
        prop_assert!(ends.iter().all(|end| end.is_finite()) && ends.is_sorted(), "{quantile:?}");
    }
}
