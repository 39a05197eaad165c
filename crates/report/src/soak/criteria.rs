//! What a soak is asked: what matters, how sure the answer shall be, and by which resamples.

use rushhour_core::profile::SoakSettings;
use rushhour_stats::{Bootstrap, Confidence};

/// The chance that a steady session is called drifting because of any of its series' slopes,
pub(super) const FALSE_SLOPES: f64 = 0.04;
/// and because of any of its series' steps: together 5 %.
pub(super) const FALSE_STEPS: f64 = 0.01;

/// What a soak is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoakCriteria {
    /// What matters, and how wide windows are.
    pub settings: SoakSettings,
    /// Seeds the resampling.
    pub seed: u64,
    /// How often each series is resampled.
    pub resamples: u32,
}

impl SoakCriteria {
    /// The question with a profile's settings, or the usual ones.
    pub fn of(settings: Option<SoakSettings>) -> Self {
        let settings = settings.unwrap_or_else(SoakSettings::usual);
        Self { settings, seed: 1, resamples: Bootstrap::DEFAULT_RESAMPLES }
    }

    /// How sure the interval of each slope is, in a family of so many series (Bonferroni).
    pub(super) fn confidence(family: usize) -> Confidence {
        let each = FALSE_SLOPES / family.max(1) as f64;
        Confidence::from_fraction(1.0 - each).unwrap_or_default()
    }

    /// The resampling for a family of so many series.
    pub(super) fn plan(&self, family: usize) -> Option<Bootstrap> {
        Bootstrap::new(self.seed, self.resamples, Self::confidence(family)).ok()
    }
}
