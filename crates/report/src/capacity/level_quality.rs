//! How agents sounded, heard and took turns at a level, whether or not the profile has a threshold for it; and the lowest
//! level at which it clearly gives way.

use std::collections::BTreeMap;

use super::finding::TrialFinding;
use crate::fold::{FoldedSession, MILLISECONDS_PER_MINUTE};
use crate::session::{BREAKS_UP, Estimated, MATERIAL_RATIO, MATERIAL_RISE, estimated_ratio};
use rushhour_core::profile::{HeardShare, QualityMeasure, Threshold, ThresholdMeasure};
use rushhour_stats::{ClusteredRatio, Confidence};

/// A share gives way that rises by at least this much.
const MATERIAL_SHARE: f64 = 0.02;

/// A measure of quality that every level has in voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelMeasure {
    /// `speech.gaps`.
    Gaps,
    /// `heard.wer`.
    WordErrors,
    /// `talk_over`.
    TalkOver,
}

impl LevelMeasure {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Gaps, Self::WordErrors, Self::TalkOver];

    /// The same measure of a threshold.
    pub const fn of_threshold(self) -> ThresholdMeasure {
        match self {
            Self::Gaps => ThresholdMeasure::Quality(QualityMeasure::Gaps),
            Self::WordErrors => ThresholdMeasure::Heard(HeardShare::WordErrors),
            Self::TalkOver => ThresholdMeasure::Quality(QualityMeasure::TalkOver),
        }
    }

    /// Whether a profile says itself how much of it is too much.
    pub fn has_threshold(self, thresholds: &[Threshold]) -> bool {
        thresholds.iter().any(|threshold| threshold.measure == self.of_threshold())
    }

    const fn factor(self) -> f64 {
        match self {
            Self::Gaps => MILLISECONDS_PER_MINUTE,
            Self::WordErrors | Self::TalkOver => 1.0,
        }
    }
}

/// The quality of a session, by conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LevelQuality {
    gaps: ClusteredRatio,
    word_errors: ClusteredRatio,
    talk_over: ClusteredRatio,
}

impl LevelQuality {
    /// Of measured runs.
    pub(super) fn of(folded: &FoldedSession) -> Self {
        Self {
            gaps: *folded.quality.ratio(QualityMeasure::Gaps).0,
            word_errors: *folded.heard.ratio(HeardShare::WordErrors),
            talk_over: *folded.quality.ratio(QualityMeasure::TalkOver).0,
        }
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            gaps: self.gaps.plus(&other.gaps),
            word_errors: self.word_errors.plus(&other.word_errors),
            talk_over: self.talk_over.plus(&other.talk_over),
        }
    }

    const fn ratio(&self, measure: LevelMeasure) -> &ClusteredRatio {
        match measure {
            LevelMeasure::Gaps => &self.gaps,
            LevelMeasure::WordErrors => &self.word_errors,
            LevelMeasure::TalkOver => &self.talk_over,
        }
    }

    /// In how many conversations it was measured.
    pub const fn conversations(&self, measure: LevelMeasure) -> u64 {
        self.ratio(measure).clusters()
    }

    /// A measure with its 95 % interval over conversations; `None` where nothing was measured.
    pub fn estimated(&self, measure: LevelMeasure) -> Option<Estimated> {
        estimated_ratio(measure.of_threshold(), self.ratio(measure), measure.factor())
    }

    /// Every measure that is known.
    pub fn known(&self) -> impl Iterator<Item = (LevelMeasure, Estimated)> {
        LevelMeasure::ALL.into_iter().filter_map(|one| Some((one, self.estimated(one)?)))
    }

    /// The interval that levels are compared by: many are, and each should be told apart by chance in few searches.
    fn strict_interval(&self, measure: LevelMeasure) -> Option<(f64, f64)> {
        let interval = self.ratio(measure).interval(Confidence::PERCENT_99)?;
        Some((interval.low() * measure.factor(), interval.high() * measure.factor()))
    }

    /// Whether a measure is clearly worse than at a lower level, and by so much that it matters.
    fn is_worse_than(&self, lower: &Self, measure: LevelMeasure) -> bool {
        let intervals = self.strict_interval(measure).zip(lower.strict_interval(measure));
        let figures = self.estimated(measure).zip(lower.estimated(measure));
        let is_clear = intervals.is_some_and(|((low, _), (_, high))| low > high);
        let is_material = figures.is_some_and(|(now, before)| match measure {
            LevelMeasure::Gaps => {
                now.value >= MATERIAL_RATIO * before.value
                    && now.value >= before.value + MATERIAL_RISE
            }
            LevelMeasure::WordErrors | LevelMeasure::TalkOver => {
                now.value >= before.value + MATERIAL_SHARE
            }
        });
        is_clear && is_material
    }

    /// Whether speech breaks up, whatever it does at lower levels.
    fn breaks_up(&self, measure: LevelMeasure) -> bool {
        let low = || self.strict_interval(measure).map(|(low, _)| low);
        measure == LevelMeasure::Gaps && low().is_some_and(|low| low >= BREAKS_UP)
    }
}

/// The lowest level at which a measure gives way of which the profile does not say how much is too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityLoss {
    /// Of what.
    pub measure: LevelMeasure,
    /// The level: conversations at once.
    pub in_flight: u32,
    /// The figure there, of all its sessions.
    pub estimated: Estimated,
    /// The lowest level of the search with its figure; `None` where that is the level itself.
    pub before: Option<(u32, Estimated)>,
}

/// What gives way, the lowest level first. A session whose load was not delivered says nothing, nor does a burst.
pub(super) fn quality_losses(findings: &[TrialFinding]) -> Vec<QualityLoss> {
    let judged = findings.iter().flat_map(|finding| &finding.thresholds);
    let thresholds: Vec<Threshold> = judged.map(|found| found.threshold).collect();
    let mut levels: BTreeMap<u32, LevelQuality> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.purpose().decides_level()) {
        if finding.generator_faults.is_empty() {
            let level = levels.entry(finding.in_flight()).or_default();
            *level = level.plus(&finding.quality);
        }
    }
    let without_threshold = LevelMeasure::ALL.iter().filter(|one| !one.has_threshold(&thresholds));
    let mut losses: Vec<QualityLoss> =
        without_threshold.filter_map(|measure| first_loss(*measure, &levels)).collect();
    losses.sort_by_key(|loss| loss.in_flight);
    losses
}

fn first_loss(measure: LevelMeasure, levels: &BTreeMap<u32, LevelQuality>) -> Option<QualityLoss> {
    let mut measured = levels.iter().filter(|(_, level)| level.conversations(measure) > 0);
    let (lowest, lowest_level) = measured.next()?;
    let before = Some((*lowest, lowest_level.estimated(measure)?));
    let (in_flight, level, before) = if lowest_level.breaks_up(measure) {
        (lowest, lowest_level, None)
    } else {
        let (in_flight, level) = measured.find(|(_, level)| {
            level.breaks_up(measure) || level.is_worse_than(lowest_level, measure)
        })?;
        (in_flight, level, before)
    };
    let estimated = level.estimated(measure)?;
    Some(QualityLoss { measure, in_flight: *in_flight, estimated, before })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::capacity::simulation::finding;
    use crate::capacity::{LevelVerdict, Purpose};
    use rushhour_core::event::FailureClass;

    /// A hundred conversations of half a minute of speech and ten turns each; a tenth of them has so many gaps, and turns
    /// talked over.
    pub(crate) fn quality(gaps: u64, talked_over: u64) -> LevelQuality {
        let mut level = LevelQuality::default();
        for conversation in 0..100 {
            let is_bad = conversation % 10 == 0;
            let of = |count: u64| if is_bad { count } else { 0 };
            level.gaps.add(of(gaps), 30_000);
            level.talk_over.add(of(talked_over), 10);
        }
        level
    }

    fn at(number: u32, level: u32, verdict: LevelVerdict, quality: LevelQuality) -> TrialFinding {
        let finding = finding(number, Purpose::Step, level, verdict, 0, FailureClass::Cancelled);
        TrialFinding { quality, ..finding }
    }

    fn losses(findings: &[TrialFinding]) -> Vec<(LevelMeasure, u32, Option<u32>)> {
        let found = quality_losses(findings);
        let told = found.iter().map(|one| (one.measure, one.in_flight, one.before.map(|b| b.0)));
        told.collect()
    }

    #[test]
    fn what_gives_way_is_the_lowest_level_that_is_clearly_worse_and_bad() {
        use LevelVerdict::Passed;
        let findings = [
            at(1, 10, Passed, quality(2, 0)),
            at(2, 20, Passed, quality(3, 0)),
            at(3, 40, Passed, quality(20, 0)),
            at(4, 60, Passed, quality(30, 6)),
        ];
        let (gaps, talk_over) = (LevelMeasure::Gaps, LevelMeasure::TalkOver);
        assert_eq!(losses(&findings), [(gaps, 40, Some(10)), (talk_over, 60, Some(10))]);
        let found = quality_losses(&findings)[0];
        assert!((found.estimated.value - 4.0).abs() < 1e-9, "{found:?}");
        assert_eq!(losses(&findings[..2]), [], "hardly more");
    }

    #[test]
    fn speech_that_breaks_up_at_the_lowest_level_is_told_without_a_level_to_compare_with() {
        let findings = [at(1, 10, LevelVerdict::Passed, quality(30, 0))];
        assert_eq!(losses(&findings), [(LevelMeasure::Gaps, 10, None)]);
        // Talk-over has no level that is bad in itself.
        assert_eq!(losses(&[at(1, 10, LevelVerdict::Passed, quality(0, 9))]), []);
    }

    #[test]
    fn a_threshold_a_burst_and_the_generators_limit_leave_nothing_to_tell() {
        let low = at(1, 10, LevelVerdict::Passed, quality(2, 0));
        let high = at(2, 40, LevelVerdict::Passed, quality(30, 0));
        assert_eq!(losses(&[low.clone(), high.clone()]).len(), 1);
        let mut bounded = high.clone();
        bounded.thresholds[0].threshold.measure = LevelMeasure::Gaps.of_threshold();
        assert_eq!(losses(&[low.clone(), bounded]), []);
        let mut burst = high.clone();
        burst.result.trial.purpose = Purpose::Burst;
        assert_eq!(losses(&[low.clone(), burst]), []);
        let generator = at(2, 40, LevelVerdict::Generator, quality(30, 0));
        assert_eq!(losses(&[low, generator]), []);
    }

    #[test]
    fn sessions_of_a_level_are_taken_together() {
        let one = at(1, 10, LevelVerdict::Passed, quality(4, 0));
        let other = at(2, 10, LevelVerdict::Passed, quality(0, 0));
        let high = at(3, 40, LevelVerdict::Failed, quality(30, 0));
        let found = quality_losses(&[one, other, high]);
        let before = found[0].before.expect("a lower level");
        assert!((before.1.value - 0.4).abs() < 1e-9, "{found:?}");
    }
}
