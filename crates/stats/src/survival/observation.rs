//! What is known of one duration: its length, a range, or only that it was longer.

use super::super::sample::normalised;

/// What is known of one duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observation {
    /// It lasted exactly this long.
    At(f64),
    /// It ended after the first and at or before the second, such as two polls.
    Between(f64, f64),
    /// It had not ended after this long (right-censored).
    After(f64),
}

/// Why observations are unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObservationError {
    /// There is none, or all weights are 0.
    #[error("there are no observations")]
    Empty,
    /// A time is NaN, infinite, or too large.
    #[error("observation {index} is not a finite number of reasonable size")]
    NotFinite {
        /// Its position, counted from 0, in the order given.
        index: usize,
    },
    /// A range whose first time exceeds its second.
    #[error("observation {index} ends before it begins")]
    Reversed {
        /// Its position, counted from 0, in the order given.
        index: usize,
    },
}

/// An end that was seen, or the time of a right-censored observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct EndObservation {
    pub(super) time: f64,
    pub(super) seen: bool,
    pub(super) count: u64,
}

/// Which end of a range counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeEnd {
    Lower,
    Upper,
}

impl Observation {
    /// The same observation with finite times in order, or what is wrong with it.
    pub(super) fn checked(self, index: usize) -> Result<Self, ObservationError> {
        let finite = |time| normalised(time).ok_or(ObservationError::NotFinite { index });
        match self {
            Self::At(time) => Ok(Self::At(finite(time)?)),
            Self::After(time) => Ok(Self::After(finite(time)?)),
            Self::Between(lower, upper) => {
                let (lower, upper) = (finite(lower)?, finite(upper)?);
                let ordered = lower <= upper;
                ordered
                    .then_some(Self::Between(lower, upper))
                    .ok_or(ObservationError::Reversed { index })
            }
        }
    }

    pub(super) fn ending(self, count: u64, end: RangeEnd) -> EndObservation {
        let (time, seen) = match (self, end) {
            (Self::After(time), _) => (time, false),
            (Self::At(time), _)
            | (Self::Between(time, _), RangeEnd::Lower)
            | (Self::Between(_, time), RangeEnd::Upper) => (time, true),
        };
        EndObservation { time, seen, count }
    }
}
