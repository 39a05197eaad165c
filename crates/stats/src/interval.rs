//! Intervals, estimates, and the error of too small a sample.

/// A closed range of finite numbers; `low` never exceeds `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    /// The range from `low` to `high`; `None` if either is not finite or they are out of order.
    pub fn new(low: f64, high: f64) -> Option<Self> {
        (low.is_finite() && high.is_finite() && low <= high).then_some(Self { low, high })
    }

    /// The range between two finite numbers in whichever order they come.
    pub(super) fn between(one: f64, other: f64) -> Self {
        debug_assert!(one.is_finite() && other.is_finite(), "{one} and {other} are not finite");
        Self { low: one.min(other), high: one.max(other) }
    }

    /// The lower end.
    pub const fn low(self) -> f64 {
        self.low
    }

    /// The upper end.
    pub const fn high(self) -> f64 {
        self.high
    }

    /// The distance between the ends.
    pub fn width(self) -> f64 {
        self.high - self.low
    }

    /// Whether `value` lies inside, ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Whether the whole range lies below `limit`.
    pub fn is_below(self, limit: f64) -> bool {
        self.high < limit
    }

    /// Whether the whole range lies above `limit`.
    pub fn is_above(self, limit: f64) -> bool {
        self.low > limit
    }
}

/// A point estimate and the interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The single best value.
    pub point: f64,
    /// The confidence interval.
    pub interval: Interval,
}

/// Fewer values than a finite interval with the requested confidence needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{n} are too few: {needs} are needed")]
pub struct TooFew {
    /// How many there are.
    pub n: u64,
    /// How many are needed.
    pub needs: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_ordered_ends_make_an_interval() {
        assert_eq!(Interval::new(2.0, 1.0), None);
        assert_eq!(Interval::new(f64::NAN, 1.0), None);
        assert_eq!(Interval::new(0.0, f64::INFINITY), None);
        assert_eq!(Interval::new(1.0, 1.0).map(Interval::width), Some(0.0));
        assert_eq!(Some(Interval::between(2.0, 1.0)), Interval::new(1.0, 2.0));
    }

    #[test]
    fn a_limit_is_outside_only_beyond_the_ends() {
        let interval = Interval::between(1.0, 2.0);
        assert!(interval.contains(1.0) && interval.contains(2.0) && !interval.contains(2.1));
        assert!(interval.is_below(2.1) && !interval.is_below(2.0));
        assert!(interval.is_above(0.9) && !interval.is_above(1.0));
    }
}
