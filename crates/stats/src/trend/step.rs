//! A sudden step of a series: its time, the levels before and after it, and its p-value.

use super::super::bootstrap::Bootstrap;
use super::super::convert::{count, median, real};
use super::super::interval::{Interval, TooFew};
use super::super::p_value::PValue;
use super::dependence::Dependence;
use super::series::Series;
use super::theil_sen::MAX_POINTS;

/// Two levels and the position between them.
const PARAMETERS: f64 = 3.0;

/// The most likely step in a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepChange {
    /// The time of the last value before it and of the first after it.
    pub between: Interval,
    /// The median before it.
    pub before: f64,
    /// The median after it.
    pub after: f64,
    /// The probability of a step at least this clear in a series without one.
    pub p_value: PValue,
}

/// Looks for one lasting step, by ranks, so that outliers do not look like one. A temporary bump does not either: its
/// autocorrelation explains it.
///
/// The statistic is the greatest `|2 R_k - k (n + 1)|`, with `R_k` the sum of the first `k` ranks
/// (A. N. Pettitt, Applied Statistics 28 (1979), 126-135). Pettitt's p-value takes values as
/// independent; here the statistic is compared with that of noise with the autocorrelation of the residuals, its
/// uncertainty included. The position is the one at which two medians leave the least absolute deviations. Takes time
/// proportional to the square of the points; above 1,000, medians replace groups of neighbours first.
///
/// # Errors
/// [`TooFew`] below twice the 6 values (at 95 %) that either side needs for its median.
pub fn step_change(series: &Series, plan: &Bootstrap) -> Result<StepChange, TooFew> {
    let series = series.clone().condensed(MAX_POINTS);
    let (n, needs) = (series.size(), 2 * plan.min_clusters());
    if n < needs {
        return Err(TooFew { n, needs });
    }
    let TwoLevels { position, before, after, residuals } = best_position(series.values());
    let mut ranks = Ranks::default();
    let found = ranks.clearest_step(series.values());
    let dependence = Dependence::of_residuals(&residuals, PARAMETERS);
    let (mut rng, mut noise) = (plan.rng(0), vec![0.0; residuals.len()]);
    let clearer = (0..plan.resamples()).filter(|_| {
        dependence.normal_noise(&mut rng, &mut noise);
        ranks.clearest_step(&noise) >= found
    });
    let p_value = PValue::of_resamples(clearer.count(), plan.resamples());
    Ok(StepChange {
        between: Interval::between(series.times()[position - 1], series.times()[position]),
        before,
        after,
        p_value,
    })
}

/// The position, with values on either side, at which the medians before and after it leave the least absolute
/// deviations.
fn best_position(values: &[f64]) -> TwoLevels {
    let fit = |position: usize| {
        let (left, right) = values.split_at(position);
        let (before, after) = (median(&mut left.to_vec()), median(&mut right.to_vec()));
        let residuals: Vec<f64> =
            left.iter().map(|v| v - before).chain(right.iter().map(|v| v - after)).collect();
        TwoLevels { position, before, after, residuals }
    };
    let first = fit(1.min(values.len()));
    (2..values.len())
        .map(fit)
        .fold(first, |best, next| if next.deviation() < best.deviation() { next } else { best })
}

/// Two levels and the residuals from them.
struct TwoLevels {
    position: usize,
    before: f64,
    after: f64,
    residuals: Vec<f64>,
}

impl TwoLevels {
    fn deviation(&self) -> f64 {
        self.residuals.iter().map(|residual| residual.abs()).sum()
    }
}

/// Buffers for ranking values again and again.
#[derive(Default)]
struct Ranks {
    order: Vec<usize>,
    ranks: Vec<f64>,
}

impl Ranks {
    /// Pettitt's statistic.
    fn clearest_step(&mut self, values: &[f64]) -> f64 {
        self.rank(values);
        let n = real(count(values.len()) + 1);
        let (mut sum, mut clearest) = (0.0, 0.0_f64);
        for (before, rank) in (1..).zip(&self.ranks) {
            sum += rank;
            clearest = clearest.max((2.0 * sum - real(before) * n).abs());
        }
        clearest
    }

    /// Ranks from 1, equal values sharing their mean rank.
    fn rank(&mut self, values: &[f64]) {
        self.order.clear();
        self.order.extend(0..values.len());
        self.order.sort_unstable_by(|&one, &other| values[one].total_cmp(&values[other]));
        self.ranks.clear();
        self.ranks.resize(values.len(), 0.0);
        let mut passed = 0;
        for equal in
            self.order.chunk_by(|&one, &other| values[one].total_cmp(&values[other]).is_eq())
        {
            let shared = real(passed) + real(count(equal.len()) + 1) / 2.0;
            for &position in equal {
                self.ranks[position] = shared;
            }
            passed += count(equal.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::confidence::Confidence;
    use super::super::super::rng::StatsRng;
    use super::super::NILE;
    use super::*;

    fn plan() -> Bootstrap {
        Bootstrap::new(2, 199, Confidence::PERCENT_95).unwrap()
    }

    /// The Nile at Aswan fell after 1898: G. W. Cobb, Biometrika 65 (1978), 243-251. Pettitt's
    /// statistic from `scipy.stats.rankdata` is 1617.
    #[test]
    fn the_nile_steps_after_1898() {
        assert!((Ranks::default().clearest_step(&NILE) - 1617.0).abs() < 1e-9);
        let series = Series::new((1871..).map(f64::from).zip(NILE)).unwrap();
        let step = step_change(&series, &plan()).unwrap();
        assert_eq!(Some(step.between), Interval::new(1898.0, 1899.0));
        assert_eq!((step.before, step.after), (1130.0, 842.5));
        assert!(step.p_value.is_significant_at(0.01), "{step:?}");
    }

    #[test]
    fn a_temporary_bump_is_no_lasting_step() {
        let mut rng = StatsRng::new(1, 0);
        let mut found = |level: &dyn Fn(u32) -> f64| {
            let points = (0..120).map(|i| (f64::from(i), level(i) + rng.normal()));
            step_change(&Series::new(points).unwrap(), &plan()).unwrap()
        };
        let bump = found(&|i| if (40..80).contains(&i) { 4.0 } else { 0.0 });
        assert!(!bump.p_value.is_significant_at(0.05), "{bump:?}");
        let lasting = found(&|i| if i >= 80 { 4.0 } else { 0.0 });
        assert!(lasting.p_value.is_significant_at(0.01), "{lasting:?}");
        assert_eq!(Some(lasting.between), Interval::new(79.0, 80.0));
    }

    #[test]
    fn no_step_is_found_where_there_is_none() {
        let flat = Series::new((0..40).map(|i| (f64::from(i), 1.0))).unwrap();
        assert_eq!(step_change(&flat, &plan()).unwrap().p_value, PValue::ONE);
        let few = Series::new((0..11).map(|i| (f64::from(i), f64::from(i)))).unwrap();
        assert_eq!(step_change(&few, &plan()), Err(TooFew { n: 11, needs: 12 }));
    }
}
