//! The rules of a search: a profile's settings, and how long a level runs.

use rushhour_core::profile::{
    CapacitySettings, Profile, Threshold, ThresholdMeasure, ThresholdOperator,
};
use rushhour_core::units::Micros;
use rushhour_stats::{Confidence, Proportion, Quantile, min_sample_size};

/// The shortest duration of a level, in conversations one after the other.
const MIN_CONVERSATIONS: u64 = 3;
/// The factor on the fewest samples that can decide a threshold. With only the fewest, a single failure leaves it
/// undecided.
const SAMPLES_MARGIN: f64 = 1.5;
/// The most that an undecided level is extended by, as a factor, unless the profile sets a limit.
const MAX_EXTENSION: u64 = 4;
/// The most samples that a level is planned for. A threshold that needs more stays undecided.
const MAX_SAMPLES: u64 = 100_000;

/// Conversations that a threshold on what agents heard needs at least.
const FEWEST_CONVERSATIONS: u64 = 30;

/// The rules of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRules {
    /// The settings.
    pub settings: CapacitySettings,
    /// The longest expected duration of a conversation.
    pub longest_conversation: Micros,
    /// The mean duration of a conversation, in seconds.
    pub mean_conversation_seconds: f64,
    /// The number of runs that decides every threshold if nothing goes wrong.
    pub runs_needed: u64,
}

impl SearchRules {
    /// The rules of a profile, with or without `[capacity]`.
    pub fn of(profile: &Profile) -> Self {
        let settings = profile
            .capacity
            .unwrap_or_else(|| CapacitySettings::default_for(&profile.mix, &profile.limits));
        let lasts = profile.mix.scenarios().into_iter().map(|scenario| scenario.lasts.micros());
        let fewest = profile.thresholds.iter().map(fewest_samples).max().unwrap_or(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "is positive")]
        let samples = (fewest as f64 * SAMPLES_MARGIN).ceil() as u64;
        Self {
            settings,
            longest_conversation: lasts.max().unwrap_or(Micros::from_secs(1)),
            mean_conversation_seconds: profile.mix.mean_seconds(profile.mode),
            runs_needed: samples,
        }
    }

    /// The length of a level's measured stage at first.
    pub fn initial_duration(&self, in_flight: u32) -> Micros {
        if let Some(lasts) = self.settings.lasts {
            return lasts.micros();
        }
        let needed =
            self.runs_needed as f64 * self.mean_conversation_seconds / f64::from(in_flight.max(1));
        let rounds = Micros(self.longest_conversation.0.saturating_mul(MIN_CONVERSATIONS));
        let duration = rounds.max(Micros::from_secs_f64(needed.ceil()));
        self.settings.longest.map_or(duration, |longest| duration.min(longest.micros()))
    }

    /// The length to which the stage of an undecided level may be extended.
    pub fn max_duration(&self, in_flight: u32) -> Micros {
        let initial = self.initial_duration(in_flight);
        let usual = Micros(initial.0.saturating_mul(MAX_EXTENSION));
        self.settings.longest.map_or(usual, |longest| longest.micros().max(initial))
    }

    /// The number of bursts of this size that gives enough runs to judge: 1 to 5.
    pub fn bursts(&self, in_flight: u32) -> u32 {
        u32::try_from(self.runs_needed.div_ceil(u64::from(in_flight.max(1))))
            .unwrap_or(5)
            .clamp(1, 5)
    }

    /// Whether a failed level is close enough to the passed level below it.
    pub(super) fn is_within_width(&self, passed: u32, failed: u32) -> bool {
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
        // How alike the words of a conversation are is not known before.
        ThresholdMeasure::Heard(_) => FEWEST_CONVERSATIONS,
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
            while n < MAX_SAMPLES && !passes(n) {
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
    fn a_level_runs_for_as_long_as_its_thresholds_need() {
        // An interval of p95 needs 72 values. Half as many more are 108: at 10 at once, of 40 s each.
        let few = rules("\"agent_join p95\" = \"< 5s\"", "");
        assert_eq!((few.runs_needed, few.initial_duration(10)), (108, Micros::from_secs(432)));
        assert_eq!(few.initial_duration(100), Micros::from_secs(120), "three conversations");
        assert_eq!(few.max_duration(100), Micros::from_secs(480));
        // With no failure in 73 runs, the upper end of the interval is 5 %.
        let share = rules("failed = \"< 5%\"", "");
        assert!((110..115).contains(&share.runs_needed), "{}", share.runs_needed);
        assert!(rules("failed = \"< 0%\"", "").runs_needed >= MAX_SAMPLES);
    }

    #[test]
    fn the_profile_decides_the_duration() {
        let own = rules("failed = \"< 1%\"", "lasts = \"30s\"\nlongest = \"70s\"");
        let durations = (own.initial_duration(3), own.max_duration(3));
        assert_eq!(durations, (Micros::from_secs(30), Micros::from_secs(70)));
        let capped = rules("failed = \"< 1%\"", "longest = \"5m\"");
        assert_eq!(capped.initial_duration(2), Micros::from_secs(300));
    }

    #[test]
    fn close_enough_is_the_width_or_the_next_level() {
        let rules = rules("failed = \"< 5%\"", "width = \"10%\"");
        assert!(rules.is_within_width(3, 4) && rules.is_within_width(100, 110));
        assert!(!rules.is_within_width(3, 5) && !rules.is_within_width(100, 111));
    }
}
