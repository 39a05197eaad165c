//! Values that are correlated within clusters, resampled cluster by cluster.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::convert::{at_rank, count, real};
use super::super::quantile::Quantile;
use super::super::rng::StatsRng;
use super::super::sample::{Sample, SampleError, normalised};
use super::percentile::DegreesOfFreedom;

/// How many ordered values the search for a rank skips at once.
const CHUNK: usize = 128;

/// A sample whose values belong to clusters, such as one scenario in one minute, that are resampled whole;
/// optionally within strata, such as scenarios, whose shares then stay the same.
///
/// A resample gives each cluster a multiplicity. Quantiles are read from the values, sorted once,
/// by adding up multiplicities to the rank: exact, and about 0.1 ms per resample of 100,000.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusteredSample {
    sample: Sample,
    cluster_of: Vec<u32>,
    sizes: Vec<u64>,
    sums: Vec<f64>,
    strata: Vec<Range<usize>>,
}

type Groups<S, K> = BTreeMap<(S, K), Vec<f64>>;

impl ClusteredSample {
    /// Values with their clusters.
    ///
    /// # Errors
    /// [`SampleError`] for none, or for a value that is not finite.
    pub fn new<K: Ord>(values: impl IntoIterator<Item = (K, f64)>) -> Result<Self, SampleError> {
        Self::stratified(values.into_iter().map(|(cluster, value)| ((), cluster, value)))
    }

    /// Values with their stratum and, within it, their cluster. Clusters are resampled within their stratum, so
    /// that the mix of strata counts as fixed and does not widen the interval.
    ///
    /// # Errors
    /// [`SampleError`] for none, or for a value that is not finite.
    pub fn stratified<S: Ord, K: Ord>(
        values: impl IntoIterator<Item = (S, K, f64)>,
    ) -> Result<Self, SampleError> {
        Self::from_groups(group(values)?)
    }

    fn from_groups<S: Ord, K>(groups: Groups<S, K>) -> Result<Self, SampleError> {
        let mut owned: Vec<(f64, u32)> = Vec::new();
        let (mut sizes, mut sums) = (Vec::new(), Vec::new());
        let mut strata: Vec<(S, Range<usize>)> = Vec::new();
        for (index, ((stratum, _), values)) in groups.into_iter().enumerate() {
            let cluster = u32::try_from(index).unwrap_or(u32::MAX);
            sizes.push(count(values.len()));
            sums.push(values.iter().sum());
            owned.extend(values.into_iter().map(|value| (value, cluster)));
            match strata.last_mut().filter(|(last, _)| *last == stratum) {
                Some((_, clusters)) => clusters.end = index + 1,
                None => strata.push((stratum, index..index + 1)),
            }
        }
        owned.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let (values, cluster_of): (Vec<f64>, Vec<u32>) = owned.into_iter().unzip();
        let strata = strata.into_iter().map(|(_, clusters)| clusters).collect();
        Ok(Self { sample: Sample::new(values)?, cluster_of, sizes, sums, strata })
    }

    /// All values, without their clusters.
    pub const fn sample(&self) -> &Sample {
        &self.sample
    }

    /// How many clusters there are.
    pub fn clusters(&self) -> u64 {
        count(self.sizes.len())
    }

    pub(super) fn freedom(&self) -> DegreesOfFreedom {
        let units = self.clusters();
        DegreesOfFreedom { units, degrees: units.saturating_sub(count(self.strata.len())) }
    }

    /// Draws how often each cluster occurs in the next resample.
    pub(super) fn draw_multiplicities(&self, rng: &mut StatsRng, multiplicities: &mut Vec<u32>) {
        multiplicities.clear();
        multiplicities.resize(self.sizes.len(), 0);
        for stratum in &self.strata {
            for _ in stratum.clone() {
                multiplicities[stratum.start + rng.index(stratum.len())] += 1;
            }
        }
    }

    /// Writes the quantiles, given in ascending order, of the resample.
    pub(super) fn quantiles(
        &self,
        multiplicities: &[u32],
        quantiles: &[Quantile],
        out: &mut [f64],
    ) {
        let total: u64 = self
            .sizes
            .iter()
            .zip(multiplicities)
            .map(|(size, &times)| size * u64::from(times))
            .sum();
        let ascending = self.sample.ascending();
        let times = |cluster: &u32| u64::from(multiplicities[*cluster as usize]);
        let mut passed = 0;
        let mut begin = 0;
        let mut chunk_total = None;
        for (quantile, out) in quantiles.iter().zip(out) {
            let rank = quantile.rank(total).unwrap_or(1);
            // Whole chunks first; then, within the chunk that holds the rank, one by one.
            let mut position = loop {
                let end = (begin + CHUNK).min(ascending.len());
                let here: u64 = *chunk_total
                    .get_or_insert_with(|| self.cluster_of[begin..end].iter().map(times).sum());
                if passed + here >= rank || end == ascending.len() {
                    break begin;
                }
                passed += here;
                begin = end;
                chunk_total = None;
            };
            let mut reached = passed;
            for cluster in &self.cluster_of[begin..] {
                reached += times(cluster);
                if reached >= rank {
                    break;
                }
                position += 1;
            }
            *out = at_rank(ascending, count(position) + 1);
        }
    }

    /// The mean of the resample.
    pub(super) fn mean(&self, multiplicities: &[u32]) -> f64 {
        let (mut sum, mut total) = (0.0, 0);
        for ((&times, &size), part) in multiplicities.iter().zip(&self.sizes).zip(&self.sums) {
            sum += f64::from(times) * part;
            total += u64::from(times) * size;
        }
        sum / real(total.max(1))
    }
}

/// Two samples with common clusters, such as the same scenario in both arms: one draw decides for both, so that
/// common effects cancel.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedSample {
    pub(super) baseline: ClusteredSample,
    pub(super) candidate: ClusteredSample,
    unpaired: u64,
}

impl PairedSample {
    /// Values with the key of their cluster; values whose key only one sample has are left out and counted in
    /// [`PairedSample::unpaired`].
    ///
    /// # Errors
    /// [`SampleError::Empty`] when the samples have no key in common; [`SampleError::NotFinite`].
    pub fn new<K: Ord>(
        baseline: impl IntoIterator<Item = (K, f64)>,
        candidate: impl IntoIterator<Item = (K, f64)>,
    ) -> Result<Self, SampleError> {
        let keyed = |(key, value)| ((), key, value);
        let mut from = group(baseline.into_iter().map(keyed))?;
        let mut to = group(candidate.into_iter().map(keyed))?;
        let before = size_of(&from) + size_of(&to);
        from.retain(|key, _| to.contains_key(key));
        to.retain(|key, _| from.contains_key(key));
        let unpaired = before - size_of(&from) - size_of(&to);
        let baseline = ClusteredSample::from_groups(from)?;
        let candidate = ClusteredSample::from_groups(to)?;
        Ok(Self { baseline, candidate, unpaired })
    }

    /// The baseline.
    pub const fn baseline(&self) -> &ClusteredSample {
        &self.baseline
    }

    /// The candidate.
    pub const fn candidate(&self) -> &ClusteredSample {
        &self.candidate
    }

    /// How many values had no counterpart and were left out.
    pub const fn unpaired(&self) -> u64 {
        self.unpaired
    }
}

fn group<S: Ord, K: Ord>(
    values: impl IntoIterator<Item = (S, K, f64)>,
) -> Result<Groups<S, K>, SampleError> {
    let mut groups = Groups::new();
    for (index, (stratum, cluster, value)) in values.into_iter().enumerate() {
        let value = normalised(value).ok_or(SampleError::NotFinite { index })?;
        groups.entry((stratum, cluster)).or_default().push(value);
    }
    if groups.is_empty() { Err(SampleError::Empty) } else { Ok(groups) }
}

fn size_of<S, K>(groups: &Groups<S, K>) -> u64 {
    groups.values().map(|values| count(values.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reading a rank from multiplicities is sorting the resample and taking its rank.
    #[test]
    fn weighted_quantiles_are_those_of_the_written_out_resample() {
        let mut rng = StatsRng::new(4, 0);
        let quantiles = [
            Quantile::P50,
            Quantile::P75,
            Quantile::P90,
            Quantile::P95,
            Quantile::P99,
            Quantile::P99_9,
        ];
        for n in [1_usize, 2, 127, 128, 129, 1000] {
            let values: Vec<(usize, f64)> =
                (0..n).map(|_| (rng.index(n.div_ceil(9)), real(count(rng.index(200))))).collect();
            let clustered = ClusteredSample::new(values.clone()).unwrap();
            let keys: std::collections::BTreeSet<usize> =
                values.iter().map(|&(key, _)| key).collect();
            let mut multiplicities = Vec::new();
            for _ in 0..20 {
                clustered.draw_multiplicities(&mut rng, &mut multiplicities);
                let resample: Vec<f64> = keys
                    .iter()
                    .zip(&multiplicities)
                    .flat_map(|(key, &times)| {
                        let members = values.iter().filter(move |(of, _)| of == key);
                        members
                            .flat_map(move |&(_, value)| std::iter::repeat_n(value, times as usize))
                    })
                    .collect();
                let resample = Sample::new(resample).unwrap();
                let mut found = [0.0; 6];
                clustered.quantiles(&multiplicities, &quantiles, &mut found);
                let expected = quantiles.map(|quantile| resample.quantile(quantile));
                assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{n}");
                assert!((clustered.mean(&multiplicities) - resample.mean()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn strata_keep_their_shares() {
        let values = (0..30).map(|i| (i % 3, i / 6, f64::from(i)));
        let clustered = ClusteredSample::stratified(values).unwrap();
        assert_eq!((clustered.clusters(), clustered.freedom().degrees), (15, 12));
        let (mut rng, mut multiplicities) = (StatsRng::new(1, 0), Vec::new());
        for _ in 0..10 {
            clustered.draw_multiplicities(&mut rng, &mut multiplicities);
            for stratum in multiplicities.chunks(5) {
                assert_eq!(stratum.iter().sum::<u32>(), 5);
            }
        }
    }

    #[test]
    fn pairs_are_the_keys_on_both_sides() {
        let paired =
            PairedSample::new([("a", 1.0), ("b", 2.0), ("b", 3.0)], [("b", 4.0), ("c", 5.0)])
                .unwrap();
        assert_eq!(paired.baseline().sample().ascending(), [2.0, 3.0]);
        assert_eq!(paired.candidate().sample().ascending(), [4.0]);
        assert_eq!((paired.unpaired(), paired.baseline().clusters()), (2, 1));
        assert_eq!(PairedSample::new([("a", 1.0)], [("b", 1.0)]), Err(SampleError::Empty));
    }

    #[test]
    fn empty_and_non_finite_values_are_refused() {
        assert_eq!(ClusteredSample::new::<u8>([]), Err(SampleError::Empty));
        let nan = ClusteredSample::new([(1, 1.0), (1, f64::NAN)]);
        assert_eq!(nan, Err(SampleError::NotFinite { index: 1 }));
    }
}
