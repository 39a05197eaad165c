//! Drift, steps and departures: false alarms where neighbours resemble each other, and findings.

use super::super::bootstrap::{BlockLength, Bootstrap};
use super::super::confidence::Confidence;
use super::super::rng::StatsRng;
use super::super::sample::mean;
use super::super::trend::{
    Baseline, Cusum, CusumLimits, Drift, Materiality, Series, Trend, step_change, theil_sen,
};
use super::trials::{expect_share, share, shares};

/// A plan with a seed of its own: trials that share resamples would err together.
fn plan(rng: &mut StatsRng, resamples: u32) -> Bootstrap {
    Bootstrap::new(rng.index(1 << 40) as u64, resamples, Confidence::PERCENT_95).unwrap()
}

/// Windows with an autocorrelation of 0.6 and a standard deviation of 1.
fn windows(rng: &mut StatsRng, n: u32) -> Vec<f64> {
    let mut value = rng.normal();
    let mut next = || {
        let now = value;
        value = 0.6 * value + 0.8 * rng.normal();
        now
    };
    (0..n).map(|_| next()).collect()
}

/// Windows around 100 with a standard deviation of `noise`, rising by `rise` over all.
fn series(rng: &mut StatsRng, n: u32, noise: f64, rise: f64) -> Series {
    let values = windows(rng, n).into_iter().zip(0..n).map(|(stray, at)| {
        let along = f64::from(at) / f64::from(n - 1);
        (f64::from(at), 100.0 + rise * along + noise * stray)
    });
    Series::new(values).unwrap()
}

/// Noise of 10 % is a hard case: what 48 such windows do by chance often exceeds the 10 % that
/// matter, so that the interval alone must hold.
#[test]
fn drift_is_seldom_seen_where_there_is_none() {
    let ten_percent = Materiality::Relative(0.1);
    let [shown, material] = shares(300, 20, |rng| {
        let series = series(rng, 48, 10.0, 0.0);
        let drift = Trend::of(&series, &plan(rng, 119)).unwrap().drift(ten_percent);
        [drift != Drift::NotShown, matches!(drift, Drift::Material(_))]
    });
    expect_share("drift shown where there is none", shown, 0.0..=0.05);
    expect_share("material drift where there is none", material, 0.0..=0.05);
    let naive = share(100, 20, |rng| {
        let series = series(rng, 48, 10.0, 0.0);
        let points: Vec<_> =
            series.times().iter().zip(series.values()).map(|(&t, &v)| (t, v)).collect();
        let slope = |points: &[(f64, f64)]| {
            let mut ordered = points.to_vec();
            ordered.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
            theil_sen(&Series::new(ordered).unwrap()).unwrap().slope
        };
        let alone = plan(rng, 59).interval_of(&points, slope).unwrap();
        !alone.interval.contains(0.0)
    });
    expect_share("the same, windows taken as independent", naive, 0.1..=0.5);
}

#[test]
fn drift_that_matters_is_found_and_what_does_not_is_told_apart() {
    let ten_percent = Materiality::Relative(0.1);
    let verdict = |rng: &mut StatsRng, rise| {
        let series = series(rng, 48, 2.0, rise);
        Trend::of(&series, &plan(rng, 119)).unwrap().drift(ten_percent)
    };
    let found = share(60, 21, |rng| matches!(verdict(rng, 30.0), Drift::Material(_)));
    expect_share("a rise of 30 % found in 2 % noise", found, 0.95..=1.0);
    let small = share(60, 22, |rng| matches!(verdict(rng, 5.0), Drift::Material(_)));
    expect_share("a rise of 5 % called material", small, 0.0..=0.05);
}

#[test]
fn steps_are_seldom_seen_where_there_are_none() {
    let [alarms, found] = shares(300, 23, |rng| {
        let calm = windows(rng, 96);
        let stepped =
            calm.iter().zip(0..).map(|(value, at)| value + if at < 60 { 0.0 } else { 2.5 });
        let plan = plan(rng, 99);
        let p_value = |values: Vec<f64>| {
            let points = values.into_iter().zip(0..).map(|(value, at)| (f64::from(at), value));
            step_change(&Series::new(points).unwrap(), &plan).unwrap().p_value
        };
        let stepped: Vec<f64> = stepped.collect();
        [calm, stepped].map(|values| p_value(values).is_significant_at(0.05))
    });
    expect_share("steps seen where there are none", alarms, 0.0..=0.08);
    expect_share("a step of 2.5 deviations found", found, 0.95..=1.0);
}

#[test]
fn departures_are_seldom_seen_where_there_are_none() {
    let limits = CusumLimits::for_values(288, 0.05);
    let [known, estimated, shifted] = shares(1000, 24, |rng| {
        let mut normal =
            |n: u32, shift: f64| -> Vec<f64> { (0..n).map(|_| shift + rng.normal()).collect() };
        let (good, today, moved) = (normal(288, 0.0), normal(288, 0.0), normal(60, 1.0));
        let truth = Baseline::new(0.0, 1.0).unwrap();
        let estimate = Baseline::from_values(&good).unwrap();
        let alarms =
            |values: &[f64], baseline| Cusum::of(values, baseline, limits).unwrap().alarm.is_some();
        [alarms(&today, truth), alarms(&today, estimate), alarms(&moved, estimate)]
    });
    expect_share("CUSUM false alarms in 288, baseline known", known, 0.03..=0.07);
    expect_share("CUSUM false alarms in 288, baseline from 288", estimated, 0.0..=0.2);
    expect_share("CUSUM finds one deviation within 60", shifted, 0.98..=1.0);
}

#[test]
fn blocks_make_the_mean_of_windows_nearly_honest() {
    let [conservative, automatic, naive] = shares(500, 25, |rng| {
        let values = windows(rng, 150);
        let plan = plan(rng, 199);
        let alone = BlockLength::new(1).unwrap();
        let holds = |block| {
            let found = plan.interval_of_series(&values, block, mean);
            found.is_ok_and(|found| found.interval.contains(0.0))
        };
        [BlockLength::conservative(&values), BlockLength::automatic(&values), alone].map(holds)
    });
    expect_share("mean of 150 windows by conservative blocks", conservative, 0.92..=0.97);
    expect_share("mean of 150 windows by automatic blocks", automatic, 0.87..=0.95);
    expect_share("mean of 150 windows one by one", naive, 0.5..=0.8);
}
