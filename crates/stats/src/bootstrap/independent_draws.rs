//! Quantiles of resamples of independent values without drawing the resamples.

use super::super::convert::{count, index_below, real};
use super::super::quantile::Quantile;
use super::super::rng::StatsRng;
use super::super::sample::Sample;

/// Quantiles of one resample after another, each at a cost that does not depend on the sample's
/// size.
///
/// A resample of `n` ordered values takes the values at `floor(n U)` for `n` uniform numbers `U`;
/// its ordered values stand at the ordered `U`. The spacings between ranks of ordered uniform
/// numbers are gamma numbers (shape: the difference of ranks) divided by the sum of all (L.
/// Devroye, Non-Uniform Random Variate Generation, 1986, chapter V.2). The draws have exactly the
/// distribution of quantiles of drawn resamples, jointly for all quantiles.
pub(super) struct IndependentDraws<'a> {
    ascending: &'a [f64],
    ranks: Vec<u64>,
    sums: Vec<f64>,
    rng: StatsRng,
}

impl<'a> IndependentDraws<'a> {
    /// `quantiles` are in ascending order.
    pub(super) fn new(sample: &'a Sample, quantiles: &[Quantile], rng: StatsRng) -> Self {
        let ranks: Vec<u64> =
            quantiles.iter().filter_map(|quantile| quantile.rank(sample.size())).collect();
        Self { ascending: sample.ascending(), sums: vec![0.0; ranks.len()], ranks, rng }
    }

    /// Writes the quantiles of the next resample.
    pub(super) fn draw(&mut self, quantiles: &mut [f64]) {
        let n = count(self.ascending.len());
        let (mut sum, mut reached) = (0.0, 0);
        for (below, &rank) in self.sums.iter_mut().zip(&self.ranks) {
            sum += spacing(&mut self.rng, rank - reached);
            reached = rank;
            *below = sum;
        }
        let total = sum + spacing(&mut self.rng, n + 1 - reached);
        for (quantile, below) in quantiles.iter_mut().zip(&self.sums) {
            let uniform = below / total;
            *quantile = self.ascending[index_below(uniform * real(n), self.ascending.len())];
        }
    }
}

fn spacing(rng: &mut StatsRng, ranks: u64) -> f64 {
    if ranks == 0 { 0.0 } else { rng.gamma(real(ranks)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resamples drawn in full and resamples drawn by spacings have the same distribution.
    #[test]
    fn drawing_ranks_is_drawing_resamples() {
        let n = 60;
        let sample = Sample::new((0..n).map(f64::from).collect()).unwrap();
        let quantiles = [Quantile::P50, Quantile::P90];
        let mut draws = IndependentDraws::new(&sample, &quantiles, StatsRng::new(1, 0));
        let mut rng = StatsRng::new(1, 1);
        let (mut by_rank, mut in_full) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
        for _ in 0..4000 {
            let mut found = [0.0; 2];
            draws.draw(&mut found);
            by_rank[0].push(found[0]);
            by_rank[1].push(found[1]);
            by_rank[2].push(found[1] - found[0]);
            let resample: Vec<f64> =
                (0..n).map(|_| sample.ascending()[rng.index(sample.ascending().len())]).collect();
            let resample = Sample::new(resample).unwrap();
            let found = quantiles.map(|quantile| resample.quantile(quantile));
            in_full[0].push(found[0]);
            in_full[1].push(found[1]);
            in_full[2].push(found[1] - found[0]);
        }
        for (one, other) in by_rank.into_iter().zip(in_full) {
            let (one, other) = (Sample::new(one).unwrap(), Sample::new(other).unwrap());
            assert!((one.mean() - other.mean()).abs() < 0.4, "{} {}", one.mean(), other.mean());
            for quantile in [Quantile::P50, Quantile::P90, Quantile::P95] {
                let (a, b) = (one.quantile(quantile), other.quantile(quantile));
                assert!((a - b).abs() <= 1.0, "{quantile}: {a} {b}");
            }
        }
    }

    #[test]
    fn quantiles_at_the_same_rank_are_the_same_value() {
        let sample = Sample::new(vec![1.0, 2.0, 3.0]).unwrap();
        let quantiles = [Quantile::P95, Quantile::P99];
        let mut draws = IndependentDraws::new(&sample, &quantiles, StatsRng::new(3, 0));
        for _ in 0..50 {
            let mut found = [0.0; 2];
            draws.draw(&mut found);
            assert!((found[0] - found[1]).abs() < 1e-12);
            assert!(sample.ascending().contains(&found[0]));
        }
    }
}
