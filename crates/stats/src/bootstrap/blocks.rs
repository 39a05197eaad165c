//! Blocks of neighbouring values for the bootstrap of a series: their length, and drawing them.

use super::super::convert::{count, real, whole};
use super::super::rng::StatsRng;
use super::super::sample::mean;

/// How many neighbouring values form a block; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockLength(usize);

impl BlockLength {
    /// A length; `None` for 0.
    pub const fn new(length: usize) -> Option<Self> {
        if length == 0 { None } else { Some(Self(length)) }
    }

    /// The automatic length, but at least a twelfth of the values. Where neighbours have an autocorrelation of 0.5
    /// or more, few long blocks, with intervals widened for their number, keep the confidence better than many short
    /// ones.
    pub fn conservative(values: &[f64]) -> Self {
        Self::automatic(values).max(Self::share_of(values.len(), 12))
    }

    /// The length that divides `n` values into `blocks` blocks, at least 1.
    pub(in super::super) fn share_of(n: usize, blocks: usize) -> Self {
        Self((n / blocks.max(1)).max(1))
    }

    /// How many values.
    pub const fn length(self) -> usize {
        self.0
    }

    /// The length that suits how values in order of time depend on their neighbours: 1 when they do
    /// not, at most `min(3 sqrt(n), n / 3)`. Values that are all equal, or fewer than 4, give 1.
    ///
    /// Source: D. N. Politis and H. White, Econometric Reviews 23 (2004), 53-70, for circular
    /// blocks, with the correction of A. Patton and others, Econometric Reviews 28 (2009), 372-375.
    /// Autocorrelations are small from where five (or more) in a row stay below
    /// `2 sqrt(log10(n) / n)`; up to twice that lag they are weighted by a flat-topped window.
    pub fn automatic(values: &[f64]) -> Self {
        let n = values.len();
        let covariances = Autocovariances::of(values);
        let variance = covariances.at(0);
        if n < 4 || variance <= 0.0 {
            return Self(1);
        }
        let size = real(count(n));
        let in_a_row = index(size.log10().sqrt().ceil()).max(5);
        let longest = index(size.sqrt().ceil()) + in_a_row;
        let small = 2.0 * (size.log10() / size).sqrt();
        let is_small = |lag: usize| (covariances.at(lag) / variance).abs() < small;
        let quiet_after =
            (0..longest).find(|lag| (lag + 1..=lag + in_a_row).all(is_small)).unwrap_or(longest);
        let window = (2 * quiet_after).clamp(1, longest);
        let (mut spectrum, mut slope) = (variance, 0.0);
        for lag in 1..=window {
            let share = real(count(lag)) / real(count(window));
            let weight = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
            spectrum += 2.0 * weight * covariances.at(lag);
            slope += 2.0 * weight * real(count(lag)) * covariances.at(lag);
        }
        let ratio = slope / spectrum;
        let ideal = (1.5 * ratio * ratio * size).cbrt();
        let bound = (3.0 * size.sqrt()).min(size / 3.0).ceil();
        // A spectrum near zero gives no finite length: the bound is conservative.
        let length = if ideal.is_finite() { ideal.round().min(bound) } else { bound };
        Self(index(length).max(1))
    }
}

fn index(value: f64) -> usize {
    usize::try_from(whole(value)).unwrap_or(usize::MAX)
}

/// Autocovariances of a series, with divisor `n`.
struct Autocovariances {
    centred: Vec<f64>,
}

impl Autocovariances {
    fn of(values: &[f64]) -> Self {
        let centre = mean(values);
        Self { centred: values.iter().map(|value| value - centre).collect() }
    }

    fn at(&self, lag: usize) -> f64 {
        let later = self.centred.iter().skip(lag);
        let sum: f64 = self.centred.iter().zip(later).map(|(one, other)| one * other).sum();
        sum / real(count(self.centred.len()).max(1))
    }
}

/// Fills `resample` with as many values as there are, in blocks that begin anywhere and wrap around the end.
pub(in super::super) fn resample_circular_blocks(
    values: &[f64],
    block: BlockLength,
    rng: &mut StatsRng,
    resample: &mut Vec<f64>,
) {
    resample.clear();
    while resample.len() < values.len() {
        let begin = rng.index(values.len());
        let length = block.length().min(values.len() - resample.len());
        resample.extend(values.iter().cycle().skip(begin).take(length));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::confidence::Confidence;
    use super::super::super::trend::NILE;
    use super::super::plan::{Bootstrap, BootstrapError};
    use super::*;

    fn autoregressive(n: usize, phi: f64, seed: u64) -> Vec<f64> {
        let mut rng = StatsRng::new(seed, 0);
        let mut value = 0.0;
        let mut next = || {
            value = phi * value + rng.normal();
            value
        };
        (0..50).for_each(|_| {
            next();
        });
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn independent_values_need_short_blocks_and_dependent_ones_long() {
        let lengths = |phi| {
            let mut found: Vec<usize> = (0..21)
                .map(|seed| BlockLength::automatic(&autoregressive(400, phi, seed)).0)
                .collect();
            found.sort_unstable();
            found[10]
        };
        let (none, some, much) = (lengths(0.0), lengths(0.6), lengths(0.9));
        assert!(none <= 4 && some >= 6 && much >= 2 * some, "{none} {some} {much}");
    }

    /// `arch.bootstrap.optimal_block_length(nile)`: 14.118 for circular blocks.
    #[test]
    fn the_length_for_the_nile_is_the_published_one() {
        assert_eq!(BlockLength::automatic(&NILE), BlockLength(14));
        assert_eq!(BlockLength::conservative(&NILE), BlockLength(14));
        assert_eq!(BlockLength::conservative(&autoregressive(360, 0.0, 1)), BlockLength(30));
    }

    #[test]
    fn constant_values_need_no_blocks() {
        for values in [&[][..], &[1.0], &[1.0, 2.0, 3.0], &[5.0; 40]] {
            assert_eq!(BlockLength::automatic(values), BlockLength(1));
        }
        assert_eq!(BlockLength::new(0), None);
        let alternating: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        assert!(BlockLength::automatic(&alternating).0 <= 30);
    }

    #[test]
    fn blocks_keep_their_order_and_wrap_around() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let mut resample = Vec::new();
        let mut rng = StatsRng::new(1, 0);
        let mut wrapped = false;
        for _ in 0..20 {
            resample_circular_blocks(&values, BlockLength(4), &mut rng, &mut resample);
            assert_eq!(resample.len(), 10);
            for block in resample.chunks(4) {
                for pair in block.windows(2) {
                    assert!(((pair[0] + 1.0) % 10.0 - pair[1]).abs() < 1e-12, "{resample:?}");
                    wrapped |= pair[1] < pair[0];
                }
            }
        }
        assert!(wrapped);
    }

    /// The mean of an autoregressive series with coefficient 0.6 varies twice as much (in standard
    /// error) as that of independent values; blocks must show most of that.
    #[test]
    fn dependence_widens_the_interval() {
        let values = autoregressive(800, 0.6, 5);
        let plan = Bootstrap::new(1, 600, Confidence::PERCENT_95).unwrap();
        let blocks =
            plan.interval_of_series(&values, BlockLength::automatic(&values), mean).unwrap();
        let naive = plan.interval_of_series(&values, BlockLength(1), mean).unwrap();
        let ratio = blocks.interval.width() / naive.interval.width();
        assert!((1.5..2.4).contains(&ratio), "{ratio}");
        let long = plan.interval_of_series(&values, BlockLength(200), mean);
        assert!(matches!(long, Err(BootstrapError::TooFewClusters(_))), "{long:?}");
    }
}
