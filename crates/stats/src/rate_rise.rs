//! The most likely moment at which a rate of events rose, such as gaps in the speech of a session.

use super::bootstrap::Bootstrap;
use super::convert::real;
use super::p_value::PValue;

/// Events, and the exposure in which they were counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExposedCount {
    /// The events.
    pub events: u64,
    /// The exposure, in small units such as milliseconds.
    pub exposure: u64,
}

impl ExposedCount {
    const fn plus(self, other: Self) -> Self {
        Self {
            events: self.events.saturating_add(other.events),
            exposure: self.exposure.saturating_add(other.exposure),
        }
    }
}

/// A rise of a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRise {
    /// The first slice of the higher rate.
    pub position: usize,
    /// The probability of a rise at least this clear if the slices came in any order.
    pub p_value: PValue,
}

/// The fewest slices before a rise.
const FEWEST_BEFORE: usize = 2;
/// The fewest slices from a rise on: one burst of events is none.
const FEWEST_AFTER: usize = 3;

/// Looks for the clearest rise in consecutive slices; `None` where the rate rises nowhere, or there are fewer than five.
///
/// At each boundary, the events before it are compared with their share of the exposure by the score of a binomial
/// proportion (Poisson counts, given their sum); the clearest boundary is the rise. Its p-value is that of all orders of
/// the slices, sampled: events that come in clusters within a slice do not look like a rise, and that the best of many
/// boundaries was chosen is allowed for. Slices should have about the same exposure.
pub fn rate_rise(slices: &[ExposedCount], plan: &Bootstrap) -> Option<RateRise> {
    let (position, found) = clearest(slices)?;
    let (mut rng, mut order) = (plan.rng(0), slices.to_vec());
    let clearer = (0..plan.resamples()).filter(|_| {
        for last in (1..order.len()).rev() {
            order.swap(last, rng.index(last + 1));
        }
        clearest(&order).is_some_and(|(_, score)| score >= found)
    });
    let p_value = PValue::of_resamples(clearer.count(), plan.resamples());
    Some(RateRise { position, p_value })
}

/// The boundary with the greatest score, and that score.
fn clearest(slices: &[ExposedCount]) -> Option<(usize, f64)> {
    let all = slices.iter().fold(ExposedCount::default(), |sum, slice| sum.plus(*slice));
    let last = slices.len().checked_sub(FEWEST_AFTER)?;
    let (mut before, mut best) = (ExposedCount::default(), None);
    for (passed, slice) in (1..=last).zip(slices) {
        before = before.plus(*slice);
        if passed < FEWEST_BEFORE {
            continue;
        }
        // In whole numbers, so that a steady rate rises nowhere.
        let product = |one: u64, other: u64| u128::from(one) * u128::from(other);
        let expected = product(all.events, before.exposure);
        let Some(missing) = expected.checked_sub(product(before.events, all.exposure)) else {
            continue;
        };
        let after = real(all.exposure.saturating_sub(before.exposure));
        let variance = real(all.events) * real(before.exposure) * after;
        if missing == 0 || variance <= 0.0 {
            continue;
        }
        let score = missing as f64 / variance.sqrt();
        if best.is_none_or(|(_, clearest)| score > clearest) {
            best = Some((passed, score));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::confidence::Confidence;
    use super::super::rng::StatsRng;
    use super::*;

    fn plan() -> Bootstrap {
        Bootstrap::new(1, 199, Confidence::PERCENT_95).unwrap()
    }

    fn slices(events: impl IntoIterator<Item = u64>) -> Vec<ExposedCount> {
        events.into_iter().map(|events| ExposedCount { events, exposure: 10_000 }).collect()
    }

    #[test]
    fn a_rise_is_found_where_it_is() {
        let events = (0..30).map(|slice| if slice < 12 { slice % 2 } else { 3 + slice % 3 });
        let rise = rate_rise(&slices(events), &plan()).unwrap();
        assert_eq!(rise.position, 12);
        assert!(rise.p_value.is_significant_at(0.01), "{rise:?}");
    }

    #[test]
    fn nothing_rises_in_a_steady_or_falling_rate_nor_in_a_burst_at_the_end() {
        for none in
            [vec![], vec![0; 20], vec![3; 20], vec![9, 9, 9, 9, 1, 1, 1, 1], vec![0, 0, 9, 9]]
        {
            assert_eq!(rate_rise(&slices(none.clone()), &plan()), None, "{none:?}");
        }
        let mut burst = vec![1; 30];
        burst[29] = 40;
        let rise = rate_rise(&slices(burst), &plan()).unwrap();
        assert!(!rise.p_value.is_significant_at(0.05), "{rise:?}");
        let nothing = [ExposedCount::default(); 9];
        assert_eq!(rate_rise(&nothing, &plan()), None);
    }

    /// Slices in which one of ten has a cluster of 8 events, and the same with six times as many from the middle on.
    #[test]
    fn rises_raise_few_alarms_and_are_found() {
        let found = |factor: f64, seed: u64| {
            (0..400_u64)
                .filter(|trial| {
                    let mut rng = StatsRng::new(seed, *trial);
                    let events = (0..36).map(|slice| {
                        let share = if slice < 18 { 0.1 } else { 0.1 * factor };
                        if rng.unit() < share { 8 } else { u64::from(rng.unit() < share) }
                    });
                    let events: Vec<u64> = events.collect();
                    let rise = rate_rise(&slices(events), &plan());
                    rise.is_some_and(|rise| rise.p_value.is_significant_at(0.01))
                })
                .count()
        };
        let (alarms, hits) = (found(1.0, 3), found(6.0, 4));
        assert!(alarms <= 10, "{alarms} of 400");
        assert!(hits > 260, "{hits} of 400");
    }
}
