//! [`Series`]: values in order of time.

use super::super::convert::{count, median};
use super::super::sample::normalised;

/// One or more finite values at finite times in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    times: Vec<f64>,
    values: Vec<f64>,
}

/// Why points are not a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// There is no point at all.
    #[error("there are no points")]
    Empty,
    /// A time or value is NaN, infinite, or too large.
    #[error("point {index} is not a finite number of reasonable size")]
    NotFinite {
        /// Its position, counted from 0.
        index: usize,
    },
    /// A point is earlier than the one before it.
    #[error("point {index} is earlier than the one before it")]
    OutOfOrder {
        /// Its position, counted from 0.
        index: usize,
    },
}

impl Series {
    /// Points of time and value, in order of time.
    ///
    /// # Errors
    /// [`SeriesError`] for none, for a number that is not finite, and for times out of order.
    pub fn new(points: impl IntoIterator<Item = (f64, f64)>) -> Result<Self, SeriesError> {
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for (index, (time, value)) in points.into_iter().enumerate() {
            let finite = |number| normalised(number).ok_or(SeriesError::NotFinite { index });
            let (time, value) = (finite(time)?, finite(value)?);
            if times.last().is_some_and(|&before| time < before) {
                return Err(SeriesError::OutOfOrder { index });
            }
            times.push(time);
            values.push(value);
        }
        if times.is_empty() { Err(SeriesError::Empty) } else { Ok(Self { times, values }) }
    }

    /// The times, ascending.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The values in order of time.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many points there are; at least 1.
    pub fn size(&self) -> u64 {
        count(self.values.len())
    }

    /// The first time.
    pub fn begin(&self) -> f64 {
        self.times.first().copied().unwrap_or_default()
    }

    /// The last time.
    pub fn end(&self) -> f64 {
        self.times.last().copied().unwrap_or_default()
    }

    /// A series of at most `max_points` points, in which medians replace groups of neighbours.
    pub(super) fn condensed(self, max_points: usize) -> Self {
        let group = self.values.len().div_ceil(max_points.max(1)).max(1);
        if group == 1 {
            return self;
        }
        let medians = |numbers: &[f64]| {
            numbers.chunks(group).map(|part| median(&mut part.to_vec())).collect()
        };
        Self { times: medians(&self.times), values: medians(&self.values) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_points_are_refused() {
        assert_eq!(Series::new([]), Err(SeriesError::Empty));
        let nan = Series::new([(0.0, 1.0), (1.0, f64::NAN)]);
        assert_eq!(nan, Err(SeriesError::NotFinite { index: 1 }));
        let endless = Series::new([(f64::INFINITY, 1.0)]);
        assert_eq!(endless, Err(SeriesError::NotFinite { index: 0 }));
        let back = Series::new([(1.0, 1.0), (1.0, 2.0), (0.5, 1.0)]);
        assert_eq!(back, Err(SeriesError::OutOfOrder { index: 2 }));
    }

    #[test]
    fn condensing_keeps_order_and_middle() {
        let series = Series::new((0..10).map(|i| (f64::from(i), f64::from(i * i)))).unwrap();
        assert_eq!(series.clone().condensed(10), series);
        let condensed = series.condensed(4);
        assert_eq!(condensed.times(), [1.0, 4.0, 7.0, 9.0]);
        assert_eq!(condensed.values(), [1.0, 16.0, 49.0, 81.0]);
    }
}
