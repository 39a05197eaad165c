//! A session against the nights before it of the same profile: is it worse than they were, has it been getting worse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nightly_run::{History, NightlyRun};
use super::series::{SeriesUnit, TrackedSeries, percent};
use super::series_judgement::share_words;
use rushhour_stats::{
    Baseline, Confidence, Cusum, CusumLimits, Proportion, newcombe_difference, prediction_interval,
    self_starting_scores,
};

/// Nights that it takes.
pub const FEWEST_NIGHTS: usize = 4;
/// Nights that are looked back on.
const MOST_NIGHTS: usize = 28;
/// Nights that are named.
const NAMED: usize = 7;
/// The chance that a night like those before is called worse or better in any of its series,
const FALSE_BAND: f64 = 0.03;
/// and that nights all alike are called creeping in any of their series.
const FALSE_CREEP: f64 = 0.02;

/// What is found of one series against the nights before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NightFinding {
    /// As the nights before.
    Within,
    /// Above what they lead one to expect, by more than what matters.
    Above,
    /// Below it.
    Below,
    /// It has been growing from night to night, by more than what matters.
    Creeps,
}

impl NightFinding {
    /// Whether it is worse than the nights before.
    pub const fn is_worse(self) -> bool {
        matches!(self, Self::Above | Self::Creeps)
    }
}

/// One series against the nights before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightJudgement {
    /// The series.
    pub series: String,
    /// What it is in.
    pub unit: SeriesUnit,
    /// How many nights before have it.
    pub nights: u64,
    /// What it was in this session.
    pub level: f64,
    /// The mean of the nights before.
    pub mean: f64,
    /// One more night like them lies above this,
    pub low: f64,
    /// and below this.
    pub high: f64,
    /// What has gathered above their mean, in standard deviations (CUSUM),
    pub gathered: f64,
    /// and from where on it is more than chance.
    pub limit: f64,
    /// What is found.
    pub finding: NightFinding,
    /// The same in words.
    pub words: String,
}

/// A session against the nights before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightlyComparison {
    /// Nights of the same profile that it is compared with.
    pub compared: u64,
    /// Nights of the same profile that say nothing: too short, or the generator's fault.
    pub left_out: u64,
    /// Nights of other profiles, or of this one before it was changed.
    pub other_profiles: u64,
    /// Of the last nights, at most seven, how many there are
    pub last: u64,
    /// and in how many of them anything grew.
    pub last_drifted: u64,
    /// Each series that enough nights have.
    pub series: Vec<NightJudgement>,
}

impl NightlyComparison {
    /// Compares a night with those before it.
    pub fn judge(tonight: &NightlyRun, history: &History) -> Self {
        let before: Vec<&NightlyRun> = history.before(&tonight.started, &tonight.session).collect();
        let same = |night: &&&NightlyRun| night.profile_hash == tonight.profile_hash;
        let of_profile: Vec<&NightlyRun> = before.iter().filter(same).copied().collect();
        let counting: Vec<&NightlyRun> =
            of_profile.iter().filter(|night| night.counts()).copied().collect();
        let from = counting.len().saturating_sub(MOST_NIGHTS);
        let nights = &counting[from..];
        let last = &nights[nights.len().saturating_sub(NAMED)..];
        let mut against = Self {
            compared: nights.len() as u64,
            left_out: (of_profile.len() - counting.len()) as u64,
            other_profiles: (before.len() - of_profile.len()) as u64,
            last: last.len() as u64,
            last_drifted: last.iter().filter(|night| night.drifted()).count() as u64,
            series: Vec::new(),
        };
        if !tonight.counts() {
            return against;
        }
        let values = |name: &str| -> Vec<f64> {
            nights.iter().filter_map(|night| Some(night.series.get(name)?.level)).collect()
        };
        let names = tonight.series.keys().map(|name| (name, values(name)));
        let enough: Vec<(&String, Vec<f64>)> =
            names.filter(|(_, values)| values.len() >= FEWEST_NIGHTS).collect();
        let family = enough.len();
        let judged = enough.into_iter().filter_map(|(name, values)| {
            let figure = tonight.series.get(name)?;
            let asked = Asked { name, unit: figure.unit, level: figure.level, family, tonight };
            let mut judged = asked.judge(&values)?;
            if *name == TrackedSeries::Failed.name() && !more_fail(tonight, nights, family) {
                judged.finding = NightFinding::Within;
            }
            judged.words = asked.words(&judged, last.len());
            Some(judged)
        });
        against.series = judged.collect();
        against
    }

    /// What a reader has to know of what was compared, and what not.
    pub(super) fn notes(&self, history: &History) -> Vec<String> {
        let mut notes = Vec::new();
        if self.compared < FEWEST_NIGHTS as u64 {
            notes.push(format!(
                "nights before of this profile: {}; from {FEWEST_NIGHTS} on it is compared with them",
                self.compared
            ));
        }
        if self.left_out > 0 {
            notes.push(format!(
                "nights before that say nothing, and are left out: {}",
                self.left_out
            ));
        }
        if self.other_profiles > 0 {
            notes.push(format!(
                "nights of other profiles, or of this one before it was changed, are not compared: {}",
                self.other_profiles
            ));
        }
        if history.unreadable > 0 {
            notes.push(format!("lines of the history that cannot be read: {}", history.unreadable));
        }
        notes
    }

    /// Whether anything is worse than in the nights before.
    pub fn is_worse(&self) -> bool {
        self.series.iter().any(|one| one.finding.is_worse())
    }
}

struct Asked<'a> {
    name: &'a str,
    unit: SeriesUnit,
    level: f64,
    family: usize,
    tonight: &'a NightlyRun,
}

impl Asked<'_> {
    /// What has to change for the change to count.
    fn material(&self, mean: f64) -> f64 {
        match self.unit {
            SeriesUnit::Share => self.tonight.material_failures,
            SeriesUnit::Microseconds | SeriesUnit::Bytes => self.tonight.material * mean.abs(),
        }
    }

    fn judge(&self, before: &[f64]) -> Option<NightJudgement> {
        let family = self.family.max(1) as f64;
        let confidence = Confidence::from_fraction(1.0 - FALSE_BAND / family)?;
        let band = prediction_interval(before, confidence).ok()?;
        let mean = f64::midpoint(band.low(), band.high());
        let all: Vec<f64> = before.iter().copied().chain([self.level]).collect();
        let scores = self_starting_scores(&all).ok()?;
        let looks = (scores.len() * self.family.max(1)) as u64;
        let limits = CusumLimits::for_values(looks, FALSE_CREEP);
        let cusum = Cusum::of(&scores, Baseline::new(0.0, 1.0)?, limits).ok()?;
        let gathered = cusum.points.last()?.above;
        let material = self.material(mean);
        let finding = if self.level > band.high() && self.level - mean > material {
            NightFinding::Above
        } else if self.level < band.low() && mean - self.level > material {
            NightFinding::Below
        } else if gathered > limits.decision() && has_crept(&all, &cusum, material) {
            NightFinding::Creeps
        } else {
            NightFinding::Within
        };
        Some(NightJudgement {
            series: self.name.to_owned(),
            unit: self.unit,
            nights: before.len() as u64,
            level: self.level,
            mean,
            low: band.low(),
            high: band.high(),
            gathered,
            limit: limits.decision(),
            finding,
            words: String::new(),
        })
    }

    fn words(&self, judged: &NightJudgement, last: usize) -> String {
        let amount = |value: f64| self.unit.words(value);
        let (level, mean) = (judged.level, judged.mean);
        let by = match self.unit {
            SeriesUnit::Share => {
                format!("{} points", percent((level - mean).abs()).trim_end_matches(" %"))
            }
            SeriesUnit::Microseconds | SeriesUnit::Bytes => share_words(level - mean, mean),
        };
        let than =
            format!("the nights before ({} of them, {} on average)", judged.nights, amount(mean));
        match judged.finding {
            NightFinding::Above => {
                format!("{} of {} is above {than}: {by}", self.name, amount(level))
            }
            NightFinding::Below => {
                format!("{} of {} is below {than}: {by}", self.name, amount(level))
            }
            NightFinding::Creeps => {
                format!(
                    "{} has been growing from night to night: {} now, {by} against {than}",
                    self.name,
                    amount(level)
                )
            }
            NightFinding::Within => format!(
                "{} of {} is as in the last {last} nights ({} to {})",
                self.name,
                amount(level),
                amount(judged.low.max(0.0)),
                amount(judged.high)
            ),
        }
    }
}

/// Whether the nights since the sum left zero are above those before by more than what matters.
fn has_crept(all: &[f64], cusum: &Cusum, material: f64) -> bool {
    // The first two nights have no score.
    let unscored = all.len() - cusum.points.len();
    let began = cusum.points.iter().rposition(|point| point.above <= 0.0);
    let began = unscored + began.map_or(0, |place| place + 1);
    let (before, since) = all.split_at(began.min(all.len()));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    !before.is_empty() && !since.is_empty() && mean(since) - mean(before) > material
}

/// Whether more or fewer runs fail than in the nights before beyond what chance does to counts.
fn more_fail(tonight: &NightlyRun, before: &[&NightlyRun], family: usize) -> bool {
    let (failed, runs) = before
        .iter()
        .fold((0, 0), |(failed, runs), night| (failed + night.failed, runs + night.runs));
    let confidence = Confidence::from_fraction(1.0 - FALSE_BAND / family.max(1) as f64);
    let shares =
        (Proportion::new(failed, runs), Proportion::new(tonight.failed, tonight.runs), confidence);
    let (Ok(from), Ok(to), Some(confidence)) = shares else { return false };
    !newcombe_difference(from, to, confidence).interval.contains(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::nightly_run::tests::night;
    use super::*;

    fn history(levels: &[f64]) -> History {
        let nights = levels.iter().enumerate().map(|(n, level)| night(n, &[("turn p50", *level)]));
        History { nights: nights.collect(), unreadable: 0 }
    }

    fn against(before: &[f64], tonight: f64) -> NightlyComparison {
        let tonight = night(before.len(), &[("turn p50", tonight)]);
        NightlyComparison::judge(&tonight, &history(before))
    }

    const CALM: [f64; 7] = [300e3, 304e3, 297e3, 301e3, 299e3, 303e3, 296e3];

    #[test]
    fn a_worse_night_is_above_and_one_like_the_others_is_not() {
        let found = |tonight| against(&CALM, tonight).series[0].finding;
        assert_eq!(found(302e3), NightFinding::Within);
        assert_eq!(found(360e3), NightFinding::Above);
        assert_eq!(found(240e3), NightFinding::Below);
        assert_eq!(found(325e3), NightFinding::Within, "shown, but it does not matter");
        let words = &against(&CALM, 360e3).series[0].words;
        assert_eq!(
            words,
            "turn p50 of 360ms is above the nights before (7 of them, 300ms on average): +20 %"
        );
    }

    #[test]
    fn nights_that_creep_are_found_though_none_stands_out() {
        let creeping: Vec<f64> = CALM
            .into_iter()
            .chain((1..=12).map(|night| {
                300e3 + 6e3 * f64::from(night) + if night % 2 == 0 { 3e3 } else { -3e3 }
            }))
            .collect();
        let found = against(&creeping, 381e3);
        assert_eq!(found.series[0].finding, NightFinding::Creeps, "{found:?}");
    }

    #[test]
    fn other_profiles_and_nights_that_say_nothing_are_left_out() {
        let mut history = history(&CALM);
        history.nights[0].profile_hash = "another".to_owned();
        history.nights[1].standing = super::super::soak::SoakVerdict::Invalid;
        let tonight = night(7, &[("turn p50", 300e3), ("new", 1.0)]);
        let found = NightlyComparison::judge(&tonight, &history);
        assert_eq!((found.compared, found.left_out, found.other_profiles), (5, 1, 1));
        assert_eq!(found.series.len(), 1, "a series without nights is not judged");
        assert!(against(&CALM[..3], 900e3).series.is_empty(), "three nights are too few");
        let alike = against(&[300e3; 6], 300e3);
        assert_eq!(alike.series[0].finding, NightFinding::Within);
        assert_eq!(against(&[0.0; 6], 0.0).series[0].finding, NightFinding::Within);
    }

    #[test]
    fn failures_need_more_than_a_band() {
        let with = |number: usize, failed: u64| {
            let mut one = night(number, &[("failed", failed as f64 / 1_000.0)]);
            one.failed = failed;
            one.series.values_mut().for_each(|figure| figure.unit = SeriesUnit::Share);
            one
        };
        let nights: Vec<NightlyRun> = (0..7).map(|number| with(number, 0)).collect();
        let history = History { nights, unreadable: 0 };
        let found = |failed| NightlyComparison::judge(&with(8, failed), &history).series[0].finding;
        assert_eq!(found(5), NightFinding::Within);
        assert_eq!(found(60), NightFinding::Above);
    }
}
