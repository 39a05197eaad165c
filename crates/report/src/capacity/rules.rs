//! What is searched for, and how long a level is held: a profile's settings, with all that follows from it.

use rushhour_core::profile::{
    CapacitySettings, Profile, Threshold, ThresholdMeasure, ThresholdOperator,
};
use rushhour_core::units::Micros;
use rushhour_stats::{Confidence, Proportion, Quantile, min_sample_size};

/// A level is held at least for so many conversations one after the other.
const CONVERSATIONS: u64 = 3;
/// How many more samples than the fewest that could decide a threshold are collected: with the fewest, one
/// failure leaves it open.
const SPARE: f64 = 1.5;
/// How many times as long an undecided level may be held, unless the profile says otherwise.
const LONGEST: u64 = 4;
/// Samples beyond which no level is planned; a threshold that needs more is undecided.
const MOST_SAMPLES: u64 = 100_000;

/// What is searched for, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRules {
    /// The settings.
    pub settings: CapacitySettings,
    /// The longest that a conversation is expected to last.
    pub conversation: Micros,
    /// The mean length of a conversation, in seconds.
    pub mean_seconds: f64,
    /// Runs that decide every threshold where nothing goes wrong.
    pub samples: u64,
}

impl SearchRules {
    /// The rules of a profile, whether it has a `[capacity]` or not.
    pub fn of(profile: &Profile) -> Self {
        let settings = profile
            .capacity
            .unwrap_or_else(|| CapacitySettings::usual(&profile.mix, &profile.limits));
        let lasts = profile.mix.scenarios().into_iter().map(|scenario| scenario.lasts.micros());
        let fewest = profile.thresholds.iter().map(fewest_samples).max().unwrap_or(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "is positive")]
        let samples = (fewest as f64 * SPARE).ceil() as u64;
        Self {
            settings,
            conversation: lasts.max().unwrap_or(Micros::from_secs(1)),
            mean_seconds: profile.mix.mean_seconds(profile.mode),
            samples,
        }
    }

    /// How long a level's measured stretch is at first.
    pub fn first_stretch(&self, in_flight: u32) -> Micros {
        if let Some(lasts) = self.settings.lasts {
            return lasts.micros();
        }
        let needed = self.samples as f64 * self.mean_seconds / f64::from(in_flight.max(1));
        let rounds = Micros(self.conversation.0.saturating_mul(CONVERSATIONS));
        let stretch = rounds.max(Micros::from_secs_f64(needed.ceil()));
        self.settings.longest.map_or(stretch, |longest| stretch.min(longest.micros()))
    }

    /// How long it may become where it leaves the level undecided.
    pub fn longest_stretch(&self, in_flight: u32) -> Micros {
        let first = self.first_stretch(in_flight);
        let usual = Micros(first.0.saturating_mul(LONGEST));
        self.settings.longest.map_or(usual, |longest| longest.micros().max(first))
    }

    /// How many bursts of so many at once give enough runs to judge by: from 1 to 5.
    pub fn bursts(&self, in_flight: u32) -> u32 {
        u32::try_from(self.samples.div_ceil(u64::from(in_flight.max(1)))).unwrap_or(5).clamp(1, 5)
    }

    /// Whether a failed level is near enough to a passed one below it.
    pub(super) fn is_narrow(&self, passed: u32, failed: u32) -> bool {
        let gap = failed.saturating_sub(passed);
        gap <= 1 || f64::from(gap) <= self.settings.width.fraction() * f64::from(passed)
    }
}

/// The fewest samples with which a threshold can pass.
fn fewest_samples(threshold: &Threshold) -> u64 {
    let confidence = Confidence::default();
    match threshold.measure {
        ThresholdMeasure::Latency { percentile, .. } => {
            let quantile = Quantile::from_fraction(percentile.fraction()).unwrap_or(Quantile::P50);
            min_sample_size(quantile, confidence)
        }
        ThresholdMeasure::Share(_) => {
            let bound = threshold.bound_number();
            let passes = |n: u64| {
                let (count, below) = match threshold.comparison {
                    ThresholdOperator::Below => (0, true),
                    ThresholdOperator::Above => (n, false),
                };
                Proportion::new(count, n).is_ok_and(|share| {
                    let interval = share.wilson_interval(confidence);
                    if below { interval.high() <= bound } else { interval.low() >= bound }
                })
            };
            let mut n = 1;
            while n < MOST_SAMPLES && !passes(n) {
                n += 1 + n / 50;
            }
            n
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::profile::testing::profile_of;

    fn rules(thresholds: &str, capacity: &str) -> SearchRules {
        let text = format!(
            "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\nlasts = \"40s\"\n[[stage]]\nhold = 2\nlasts = \"1m\"\n[thresholds]\n{thresholds}\n[capacity]\n{capacity}\n"
        );
        SearchRules::of(&profile_of(&text))
    }

    #[test]
    fn a_level_is_held_for_as_long_as_its_thresholds_need() {
        // 72 values have an interval of their p95; half as many again are 108, of 40 s at 10 at once.
        let few = rules("\"agent_join p95\" = \"< 5s\"", "");
        assert_eq!((few.samples, few.first_stretch(10)), (108, Micros::from_secs(432)));
        assert_eq!(few.first_stretch(100), Micros::from_secs(120), "three conversations");
        assert_eq!(few.longest_stretch(100), Micros::from_secs(480));
        // No failure in 73 has an upper end of 5 %.
        let share = rules("failed = \"< 5%\"", "");
        assert!((110..115).contains(&share.samples), "{}", share.samples);
        assert!(rules("failed = \"< 0%\"", "").samples >= MOST_SAMPLES);
    }

    #[test]
    fn the_profile_has_the_last_word_on_how_long() {
        let own = rules("failed = \"< 1%\"", "lasts = \"30s\"\nlongest = \"70s\"");
        let stretches = (own.first_stretch(3), own.longest_stretch(3));
        assert_eq!(stretches, (Micros::from_secs(30), Micros::from_secs(70)));
        let capped = rules("failed = \"< 1%\"", "longest = \"5m\"");
        assert_eq!(capped.first_stretch(2), Micros::from_secs(300));
    }

    #[test]
    fn near_enough_is_the_width_or_a_neighbour() {
        let rules = rules("failed = \"< 5%\"", "width = \"10%\"");
        assert!(rules.is_narrow(3, 4) && rules.is_narrow(100, 110));
        assert!(!rules.is_narrow(3, 5) && !rules.is_narrow(100, 111));
    }
}
