//! The ratio of a candidate to its baseline, for quantiles and means.

use super::super::convert::{count, real};
use super::super::interval::{Interval, TooFew};
use super::super::order_statistic::min_sample_size;
use super::super::p_value::PValue;
use super::super::quantile::Quantile;
use super::super::rng::StatsRng;
use super::super::sample::Sample;
use super::clusters::{ClusteredSample, PairedSample};
use super::independent_draws::IndependentDraws;
use super::percentile::{DegreesOfFreedom, p_value, percentile_interval};
use super::plan::{Bootstrap, BootstrapError};

/// A baseline counts as zero up to here: ratios to it would have no meaning.
const ZERO: f64 = 1e-100;

/// Two arms of a comparison, and how their values are correlated.
#[derive(Debug, Clone, Copy)]
pub enum Arms<'a> {
    /// All values are independent.
    Independent {
        /// The baseline.
        baseline: &'a Sample,
        /// The candidate.
        candidate: &'a Sample,
    },
    /// Values are correlated within clusters; each arm has its own.
    Clustered {
        /// The baseline.
        baseline: &'a ClusteredSample,
        /// The candidate.
        candidate: &'a ClusteredSample,
    },
    /// Clusters of the two arms correspond, and are resampled together.
    Paired(&'a PairedSample),
}

/// A candidate as a multiple of its baseline: 1.25 is a quarter more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ratio of the two point estimates.
    pub point: f64,
    /// The range that holds the true ratio with the confidence asked for.
    pub interval: Interval,
    /// The probability of a ratio at least this far from 1 if the arms did not differ.
    pub p_value: PValue,
}

/// The ratio at one quantile, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileRatio {
    /// Which quantile.
    pub quantile: Quantile,
    /// The ratio there.
    pub ratio: Result<Ratio, BootstrapError>,
}

/// Writes the statistics of the next resample of the baseline and of the candidate.
type Draws<'a> = Box<dyn FnMut(&mut [f64], &mut [f64]) + 'a>;

impl Arms<'_> {
    /// The ratio of each quantile, candidate to baseline, in ascending order and each once. The
    /// resamples are joint; adjust the p-values as a family with [`holm`](crate::holm).
    ///
    /// A ratio is an error below [`min_sample_size`] values on either side, below 6 clusters (at 95 %),
    /// or where the baseline is not above zero. The cost per resample does not depend on the number of independent
    /// values; in clusters it is one addition per value.
    pub fn quantile_ratios(&self, quantiles: &[Quantile], plan: &Bootstrap) -> Vec<QuantileRatio> {
        let mut ascending = quantiles.to_vec();
        ascending.sort_unstable();
        ascending.dedup();
        let draws = self.require_freedom(plan).map(|()| {
            ResampledStatistics::draw(plan, ascending.len(), self.quantile_draws(&ascending, plan))
        });
        // Percentiles of resampled quantiles of independent values need no widening: they are order statistics.
        let independent = matches!(self, Self::Independent { .. });
        let freedom = if independent { DegreesOfFreedom::UNLIMITED } else { self.freedom() };
        let ratio = |index: usize, quantile: Quantile| {
            self.require_values(quantile, plan)?;
            let (from, to) =
                (self.baseline().quantile(quantile), self.candidate().quantile(quantile));
            draws.as_ref().map_err(|&error| error)?.ratio(index, from, to, freedom, plan)
        };
        let each = ascending.iter().enumerate();
        each.map(|(index, &quantile)| QuantileRatio { quantile, ratio: ratio(index, quantile) })
            .collect()
    }

    /// The ratio of the means, candidate to baseline, for values whose sum matters, such as costs. Draws one random
    /// number per independent value and resample, or one per cluster.
    ///
    /// # Errors
    /// [`BootstrapError`] below 6 values or clusters (at 95 %), or where the baseline is not above
    /// zero.
    pub fn mean_ratio(&self, plan: &Bootstrap) -> Result<Ratio, BootstrapError> {
        self.require_freedom(plan)?;
        let draws = ResampledStatistics::draw(plan, 1, self.mean_draws(plan));
        draws.ratio(0, self.baseline().mean(), self.candidate().mean(), self.freedom(), plan)
    }

    /// All values of the baseline.
    pub const fn baseline(&self) -> &Sample {
        match self {
            Self::Independent { baseline, .. } => baseline,
            Self::Clustered { baseline, .. } => baseline.sample(),
            Self::Paired(paired) => paired.baseline.sample(),
        }
    }

    /// All values of the candidate.
    pub const fn candidate(&self) -> &Sample {
        match self {
            Self::Independent { candidate, .. } => candidate,
            Self::Clustered { candidate, .. } => candidate.sample(),
            Self::Paired(paired) => paired.candidate.sample(),
        }
    }

    fn freedom(&self) -> DegreesOfFreedom {
        match self {
            Self::Independent { baseline, candidate } => {
                DegreesOfFreedom::of_units(baseline.size())
                    .min(DegreesOfFreedom::of_units(candidate.size()))
            }
            Self::Clustered { baseline, candidate } => baseline.freedom().min(candidate.freedom()),
            Self::Paired(paired) => paired.baseline.freedom(),
        }
    }

    fn require_freedom(&self, plan: &Bootstrap) -> Result<(), BootstrapError> {
        match (self, plan.require_clusters(self.freedom())) {
            (Self::Independent { .. }, Err(BootstrapError::TooFewClusters(few))) => {
                Err(BootstrapError::TooFewValues(few))
            }
            (_, result) => result,
        }
    }

    fn require_values(&self, quantile: Quantile, plan: &Bootstrap) -> Result<(), BootstrapError> {
        let n = self.baseline().size().min(self.candidate().size());
        let needs = min_sample_size(quantile, plan.confidence());
        if n < needs { Err(BootstrapError::TooFewValues(TooFew { n, needs })) } else { Ok(()) }
    }

    fn quantile_draws<'b>(&'b self, quantiles: &'b [Quantile], plan: &Bootstrap) -> Draws<'b> {
        let (mut left, mut right) = (plan.rng(0), plan.rng(1));
        let mut times = Vec::new();
        match self {
            Self::Independent { baseline, candidate } => {
                let mut from = IndependentDraws::new(baseline, quantiles, left);
                let mut to = IndependentDraws::new(candidate, quantiles, right);
                Box::new(move |a, b| {
                    from.draw(a);
                    to.draw(b);
                })
            }
            Self::Clustered { baseline, candidate } => Box::new(move |a, b| {
                baseline.draw_multiplicities(&mut left, &mut times);
                baseline.quantiles(&times, quantiles, a);
                candidate.draw_multiplicities(&mut right, &mut times);
                candidate.quantiles(&times, quantiles, b);
            }),
            Self::Paired(PairedSample { baseline, candidate, .. }) => Box::new(move |a, b| {
                baseline.draw_multiplicities(&mut left, &mut times);
                baseline.quantiles(&times, quantiles, a);
                candidate.quantiles(&times, quantiles, b);
            }),
        }
    }

    fn mean_draws<'b>(&'b self, plan: &Bootstrap) -> Draws<'b> {
        let (mut left, mut right) = (plan.rng(0), plan.rng(1));
        let mut times = Vec::new();
        match self {
            Self::Independent { baseline, candidate } => Box::new(move |a, b| {
                a[0] = resampled_mean(baseline.ascending(), &mut left);
                b[0] = resampled_mean(candidate.ascending(), &mut right);
            }),
            Self::Clustered { baseline, candidate } => Box::new(move |a, b| {
                baseline.draw_multiplicities(&mut left, &mut times);
                a[0] = baseline.mean(&times);
                candidate.draw_multiplicities(&mut right, &mut times);
                b[0] = candidate.mean(&times);
            }),
            Self::Paired(PairedSample { baseline, candidate, .. }) => Box::new(move |a, b| {
                baseline.draw_multiplicities(&mut left, &mut times);
                a[0] = baseline.mean(&times);
                b[0] = candidate.mean(&times);
            }),
        }
    }
}

/// Resampled statistics of both arms, one list for each statistic.
pub(super) struct ResampledStatistics {
    baseline: Vec<Vec<f64>>,
    candidate: Vec<Vec<f64>>,
}

impl ResampledStatistics {
    pub(super) fn draw(
        plan: &Bootstrap,
        statistics: usize,
        mut next: impl FnMut(&mut [f64], &mut [f64]),
    ) -> Self {
        let mut pairs = Self {
            baseline: vec![Vec::new(); statistics],
            candidate: vec![Vec::new(); statistics],
        };
        let (mut from, mut to) = (vec![0.0; statistics], vec![0.0; statistics]);
        for _ in 0..plan.resamples() {
            next(&mut from, &mut to);
            for (index, (&a, &b)) in from.iter().zip(&to).enumerate() {
                pairs.baseline[index].push(a);
                pairs.candidate[index].push(b);
            }
        }
        pairs
    }

    /// Whether the statistic is finite in every resample, in both arms.
    pub(super) fn all_finite(&self, statistic: usize) -> bool {
        let sides = [&self.baseline[statistic], &self.candidate[statistic]];
        sides.into_iter().flatten().all(|draw| draw.is_finite())
    }

    pub(super) fn ratio(
        &self,
        statistic: usize,
        from: f64,
        to: f64,
        freedom: DegreesOfFreedom,
        plan: &Bootstrap,
    ) -> Result<Ratio, BootstrapError> {
        let (baseline, candidate) = (&self.baseline[statistic], &self.candidate[statistic]);
        if from <= ZERO || baseline.iter().any(|&draw| draw <= ZERO) {
            return Err(BootstrapError::ZeroBaseline);
        }
        let mut draws: Vec<f64> = candidate.iter().zip(baseline).map(|(b, a)| b / a).collect();
        let p_value = p_value(&draws, 1.0, freedom);
        let interval = percentile_interval(&mut draws, freedom, plan.confidence());
        Ok(Ratio { point: to / from, interval, p_value })
    }
}

fn resampled_mean(values: &[f64], rng: &mut StatsRng) -> f64 {
    let sum: f64 = values.iter().map(|_| values[rng.index(values.len())]).sum();
    sum / real(count(values.len()).max(1))
}

#[cfg(test)]
mod tests {
    use super::super::super::confidence::Confidence;
    use super::super::super::sample::SampleError;
    use super::*;

    const TAIL: [Quantile; 4] = [Quantile::P99, Quantile::P50, Quantile::P95, Quantile::P50];

    fn plan() -> Bootstrap {
        Bootstrap::new(11, 400, Confidence::PERCENT_95).unwrap()
    }

    fn skewed(n: u32, scale: f64) -> Vec<(u32, f64)> {
        let value = |i: u32| scale * (1.0 + f64::from(i * 7919 % n).powi(2) / f64::from(n));
        (0..n).map(|i| (i / 10, value(i))).collect()
    }

    fn sample(values: Vec<(u32, f64)>) -> Result<Sample, SampleError> {
        Sample::new(values.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn a_doubled_arm_is_twice_its_baseline_in_every_design() {
        let (slow, fast) = (skewed(500, 2.0), skewed(500, 1.0));
        let (from, to) = (sample(fast.clone()).unwrap(), sample(slow.clone()).unwrap());
        let clusters = |values: &[(u32, f64)]| ClusteredSample::new(values.to_vec()).unwrap();
        let (grouped_from, grouped_to) = (clusters(&fast), clusters(&slow));
        let paired = PairedSample::new(fast, slow).unwrap();
        let designs = [
            Arms::Independent { baseline: &from, candidate: &to },
            Arms::Clustered { baseline: &grouped_from, candidate: &grouped_to },
            Arms::Paired(&paired),
        ];
        for arms in designs {
            let ratios = arms.quantile_ratios(&TAIL, &plan());
            let names: Vec<Quantile> = ratios.iter().map(|ratio| ratio.quantile).collect();
            assert_eq!(names, [Quantile::P50, Quantile::P95, Quantile::P99]);
            for QuantileRatio { quantile, ratio } in ratios {
                let ratio = ratio.unwrap();
                assert!((ratio.point - 2.0).abs() < 1e-12, "{quantile}: {ratio:?}");
                assert!(ratio.interval.contains(2.0), "{quantile}: {ratio:?}");
                assert!(ratio.interval.is_above(1.0), "{quantile}: {ratio:?}");
                assert!(ratio.p_value.probability() < 0.02, "{quantile}: {ratio:?}");
            }
            assert_eq!(arms.quantile_ratios(&TAIL, &plan()), arms.quantile_ratios(&TAIL, &plan()));
            let means = arms.mean_ratio(&plan()).unwrap();
            assert!((means.point - 2.0).abs() < 1e-12 && means.interval.is_above(1.5), "{means:?}");
        }
        // What the arms share cancels: scaled copies of each other differ by exactly the scale.
        let exact = Arms::Paired(&paired).quantile_ratios(&TAIL, &plan());
        assert!(exact.iter().all(|one| one.ratio.unwrap().interval.width() < 1e-9), "{exact:?}");
    }

    #[test]
    fn identical_arms_show_no_difference() {
        let same = sample(skewed(400, 1.0)).unwrap();
        let arms = Arms::Independent { baseline: &same, candidate: &same };
        for QuantileRatio { ratio, .. } in arms.quantile_ratios(&TAIL, &plan()) {
            let ratio = ratio.unwrap();
            assert!((ratio.point - 1.0).abs() < 1e-12 && ratio.interval.contains(1.0), "{ratio:?}");
            assert!(ratio.p_value.probability() > 0.5, "{ratio:?}");
        }
        let constant = Sample::new(vec![3.0; 100]).unwrap();
        let arms = Arms::Independent { baseline: &constant, candidate: &constant };
        let ratio = arms.quantile_ratios(&[Quantile::P95], &plan())[0].ratio.unwrap();
        assert_eq!((Some(ratio.interval), ratio.p_value), (Interval::new(1.0, 1.0), PValue::ONE));
    }

    #[test]
    fn where_there_is_no_ratio_the_reason_is_given() {
        let many = sample(skewed(400, 1.0)).unwrap();
        let few = sample(skewed(50, 1.0)).unwrap();
        let arms = Arms::Independent { baseline: &many, candidate: &few };
        let ratios = arms.quantile_ratios(&TAIL, &plan());
        assert!(ratios[0].ratio.is_ok());
        let needs_72 = BootstrapError::TooFewValues(TooFew { n: 50, needs: 72 });
        assert_eq!(ratios[1].ratio, Err(needs_72));

        let one = Sample::new(vec![1.0]).unwrap();
        let lonely = Arms::Independent { baseline: &one, candidate: &one };
        let needs_6 = BootstrapError::TooFewValues(TooFew { n: 1, needs: 6 });
        assert_eq!(lonely.mean_ratio(&plan()), Err(needs_6));

        let grouped = ClusteredSample::new((0..400).map(|i| (i / 100, f64::from(i)))).unwrap();
        let arms = Arms::Clustered { baseline: &grouped, candidate: &grouped };
        let groups = BootstrapError::TooFewClusters(TooFew { n: 4, needs: 6 });
        assert_eq!(arms.quantile_ratios(&[Quantile::P50], &plan())[0].ratio, Err(groups));

        let zero = Sample::new(vec![0.0; 400]).unwrap();
        let from_zero = Arms::Independent { baseline: &zero, candidate: &many };
        let ratio = from_zero.quantile_ratios(&[Quantile::P50], &plan())[0].ratio;
        assert_eq!(ratio, Err(BootstrapError::ZeroBaseline));
        let to_zero = Arms::Independent { baseline: &many, candidate: &zero };
        let ratio = to_zero.quantile_ratios(&[Quantile::P50], &plan())[0].ratio.unwrap();
        assert_eq!(Some(ratio.interval), Interval::new(0.0, 0.0));
    }
}
