//! What a soak is judged by: which change matters, the rate of false alarms, and the resampling.

use rushhour_core::profile::SoakSettings;
use rushhour_stats::{Bootstrap, Confidence};

/// The probability that any slope of a steady session is called a drift.
const SLOPE_FALSE_ALARMS: f64 = 0.04;
/// The probability that any step of a steady session is called a drift.
pub(super) const STEP_FALSE_ALARMS: f64 = 0.01;
/// The probability that a steady session is called drifting.
pub(crate) const FALSE_ALARMS: f64 = SLOPE_FALSE_ALARMS + STEP_FALSE_ALARMS;

/// What a soak is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoakCriteria {
    /// Which change matters, and the width of windows.
    pub settings: SoakSettings,
    /// Seeds the resampling.
    pub seed: u64,
    /// How often each series is resampled.
    pub resamples: u32,
}

impl SoakCriteria {
    /// The criteria with a profile's settings, or with the default ones.
    pub fn of(settings: Option<SoakSettings>) -> Self {
        let settings = settings.unwrap_or_default();
        Self { settings, seed: 1, resamples: Bootstrap::DEFAULT_RESAMPLES }
    }

    /// The confidence of the interval of each slope in a family of so many series (Bonferroni).
    pub(super) fn confidence(family: usize) -> Confidence {
        let each = SLOPE_FALSE_ALARMS / family.max(1) as f64;
        Confidence::from_fraction(1.0 - each).unwrap_or_default()
    }

    /// The resampling for a family of so many series.
    pub(super) fn bootstrap(&self, family: usize) -> Option<Bootstrap> {
        Bootstrap::new(self.seed, self.resamples, Self::confidence(family)).ok()
    }
}
