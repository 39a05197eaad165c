//! Conversions between counts, ranks and real numbers, each justified once.

/// A length as a count.
pub(super) fn count(length: usize) -> u64 {
    length as u64
}

/// A count as a real number: exact below 2^53, which no count here reaches.
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

/// The value at a rank counted from 1, clamped to the slice; 0 for an empty slice.
pub(super) fn at_rank(ascending: &[f64], rank: u64) -> f64 {
    let last = ascending.len().saturating_sub(1);
    let index = usize::try_from(rank.saturating_sub(1)).map_or(last, |index| index.min(last));
    ascending.get(index).copied().unwrap_or_default()
}

/// The whole part of a number as a count: 0 for a negative number or NaN, saturating above.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the whole part is wanted, and the cast saturates at both ends"
)]
pub(super) fn whole(value: f64) -> u64 {
    value as u64
}

/// The whole part of a number as an index below `length`.
pub(super) fn index_below(value: f64, length: usize) -> usize {
    let last = length.saturating_sub(1);
    usize::try_from(whole(value)).map_or(last, |index| index.min(last))
}

/// The median: the middle value, or the mean of the two middle ones; 0 for none. Reorders `values`.
pub(super) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if even { f64::midpoint(lower, *upper) } else { *upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_parts_saturate() {
        assert_eq!([whole(-1.0), whole(f64::NAN), whole(2.9), whole(1e300)], [0, 0, 2, u64::MAX]);
        assert_eq!([index_below(0.5, 3), index_below(9.0, 3), index_below(1.0, 0)], [0, 2, 0]);
    }

    #[test]
    fn ranks_stay_inside_the_slice() {
        let values = [1.0, 2.0, 3.0];
        let found = [0, 1, 3, 9].map(|rank| at_rank(&values, rank));
        assert_eq!(found.map(whole), [1, 1, 3, 3]);
        assert_eq!(whole(at_rank(&[], 1)), 0);
    }

    #[test]
    fn medians_of_odd_even_and_none() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&mut [4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
        assert!(median(&mut []).abs() < 1e-12);
    }
}
