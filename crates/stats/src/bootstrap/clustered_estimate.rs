//! Quantiles and the mean of one clustered sample, with intervals that account for the clusters.

use super::super::interval::{Estimate, TooFew};
use super::super::order_statistic::min_sample_size;
use super::super::quantile::Quantile;
use super::clusters::ClusteredSample;
use super::plan::{Bootstrap, BootstrapError};

impl ClusteredSample {
    /// A quantile with its interval, clusters resampled.
    ///
    /// # Errors
    /// [`BootstrapError`] below [`min_sample_size`] values or below 6 clusters (at 95 %).
    pub fn quantile_estimate(
        &self,
        quantile: Quantile,
        plan: &Bootstrap,
    ) -> Result<Estimate, BootstrapError> {
        let (n, needs) = (self.sample().size(), min_sample_size(quantile, plan.confidence()));
        if n < needs {
            return Err(BootstrapError::TooFewValues(TooFew { n, needs }));
        }
        self.estimate_of(self.sample().quantile(quantile), plan, |multiplicities| {
            let mut found = [0.0];
            self.quantiles(multiplicities, &[quantile], &mut found);
            found[0]
        })
    }

    /// The mean with its interval, clusters resampled. Values of 0 and 1 give the share of failures that come in
    /// bursts.
    ///
    /// # Errors
    /// [`BootstrapError`] below 6 clusters (at 95 %).
    pub fn mean_estimate(&self, plan: &Bootstrap) -> Result<Estimate, BootstrapError> {
        self.estimate_of(self.sample().mean(), plan, |multiplicities| self.mean(multiplicities))
    }

    fn estimate_of(
        &self,
        point: f64,
        plan: &Bootstrap,
        statistic: impl Fn(&[u32]) -> f64,
    ) -> Result<Estimate, BootstrapError> {
        plan.require_clusters(self.freedom())?;
        let (mut rng, mut multiplicities) = (plan.rng(0), Vec::new());
        plan.estimate(point, self.freedom(), || {
            self.draw_multiplicities(&mut rng, &mut multiplicities);
            statistic(&multiplicities)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::confidence::Confidence;
    use super::super::super::proportion::Proportion;
    use super::*;

    fn plan() -> Bootstrap {
        Bootstrap::new(3, 999, Confidence::PERCENT_95).unwrap()
    }

    #[test]
    fn clusters_of_one_value_give_the_interval_of_independent_values() {
        let alone = ClusteredSample::new((0..400).map(|i| (i, f64::from(i)))).unwrap();
        let estimate = alone.quantile_estimate(Quantile::P50, &plan()).unwrap();
        let ranks =
            alone.sample().quantile_interval(Quantile::P50, Confidence::PERCENT_95).unwrap();
        assert!((estimate.point - 199.0).abs() < 1e-12, "{estimate:?}");
        assert!(
            (estimate.interval.width() / ranks.width() - 1.0).abs() < 0.1,
            "{estimate:?} {ranks:?}"
        );
    }

    #[test]
    fn failures_in_bursts_have_a_wider_interval_than_wilsons() {
        // In three of 30 minutes all 20 runs failed.
        let values = (0..600).map(|run| (run / 20, if run / 20 % 10 == 0 { 1.0 } else { 0.0 }));
        let bursts = ClusteredSample::new(values).unwrap().mean_estimate(&plan()).unwrap();
        let wilson = Proportion::new(60, 600).unwrap().wilson_interval(Confidence::PERCENT_95);
        assert!((bursts.point - 0.1).abs() < 1e-12, "{bursts:?}");
        assert!(bursts.interval.width() > 3.0 * wilson.width(), "{bursts:?} {wilson:?}");
    }

    #[test]
    fn too_few_values_or_clusters_are_an_error() {
        let few = ClusteredSample::new((0..50).map(|i| (i % 5, f64::from(i)))).unwrap();
        let values = BootstrapError::TooFewValues(TooFew { n: 50, needs: 72 });
        assert_eq!(few.quantile_estimate(Quantile::P95, &plan()), Err(values));
        let clusters = BootstrapError::TooFewClusters(TooFew { n: 5, needs: 6 });
        assert_eq!(few.mean_estimate(&plan()), Err(clusters));
    }
}
