//! How agents sounded and took turns on two sides: the difference with its interval.

use schemars::JsonSchema;
use serde::Serialize;

use super::arm::ArmPair;
use super::finding::{ComparisonFinding, FigureNote};
use crate::fold::QualityTally;
use crate::session::{Estimated, estimated_quality};
use rushhour_core::profile::QualityMeasure;

/// The fewest conversations of a side.
const FEWEST_CONVERSATIONS: u64 = 6;

/// The measures that are compared.
const COMPARED: [QualityMeasure; 4] = QualityMeasure::ALL;

/// One measure of quality on two sides: gaps in each minute of speech, or a share. It is information only: thresholds say
/// what is good enough.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QualityComparison {
    /// `speech.gaps`, in each minute of speech; `speech.concealed`, `overlap` or `talk_over`, as fractions of 1.
    pub measure: String,
    /// The baseline's number of conversations.
    pub baseline_n: u64,
    /// The candidate's number of conversations.
    pub candidate_n: u64,
    /// The baseline's figure.
    pub baseline: f64,
    /// The candidate's figure.
    pub candidate: f64,
    /// The candidate's figure minus the baseline's.
    pub difference: Option<f64>,
    /// The lower end of its 95 % interval.
    pub difference_low: Option<f64>,
    /// The upper end of its 95 % interval.
    pub difference_high: Option<f64>,
    /// What was found.
    pub finding: ComparisonFinding,
    /// Why nothing was found.
    pub note: Option<FigureNote>,
}

impl QualityComparison {
    /// Which measure it is.
    pub(crate) fn kind(&self) -> QualityMeasure {
        let kind = COMPARED.into_iter().find(|measure| measure.name() == self.measure);
        kind.unwrap_or(QualityMeasure::Gaps)
    }
}

/// Compares every measure that both sides have.
pub(super) fn compare_quality(arms: ArmPair<'_>) -> Vec<QualityComparison> {
    let sides = [arms.baseline, arms.candidate].map(|arm| arm.quality(arms.scenarios));
    COMPARED.into_iter().filter_map(|measure| compare(measure, &sides)).collect()
}

fn compare(measure: QualityMeasure, [from, to]: &[QualityTally; 2]) -> Option<QualityComparison> {
    let (baseline, candidate) =
        (estimated_quality(from, measure)?, estimated_quality(to, measure)?);
    let n = [from, to].map(|tally| tally.ratio(measure).0.clusters());
    let fewest = n[0].min(n[1]);
    let is_enough = fewest >= FEWEST_CONVERSATIONS;
    let (difference, low, high) = difference(&baseline, &candidate);
    let finding = match (is_enough, low > 0.0, high < 0.0) {
        (false, ..) => ComparisonFinding::NotEnoughData,
        (true, true, _) => ComparisonFinding::More,
        (true, false, true) => ComparisonFinding::Fewer,
        (true, false, false) => ComparisonFinding::NoDifference,
    };
    let known = |value: f64| is_enough.then_some(value);
    Some(QualityComparison {
        measure: measure.name().to_owned(),
        baseline_n: n[0],
        candidate_n: n[1],
        baseline: baseline.value,
        candidate: candidate.value,
        difference: known(difference),
        difference_low: known(low),
        difference_high: known(high),
        finding,
        note: (!is_enough)
            .then_some(FigureNote::TooFewRuns { n: fewest, needs: FEWEST_CONVERSATIONS }),
    })
}

/// The difference of two estimates with its interval, from theirs, as Newcombe's of two shares (R. G. Newcombe,
/// Statistics in Medicine 17 (1998), 873-890, method 10).
fn difference(from: &Estimated, to: &Estimated) -> (f64, f64, f64) {
    let point = to.value - from.value;
    let low = (to.value - to.low).hypot(from.high - from.value);
    let high = (to.high - to.value).hypot(from.value - from.low);
    (point, point - low, point + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::QualityOfRun;
    use rushhour_core::event::SpeechQuality;
    use rushhour_core::units::Micros;

    fn tally(runs: u64, gaps: u32) -> QualityTally {
        let mut tally = QualityTally::default();
        for number in 0..runs {
            let speech = Micros::from_secs(30);
            let starved = gaps + u32::from(number % 2 == 0);
            let sound = SpeechQuality { speech, starved, ..SpeechQuality::default() };
            tally.add(&QualityOfRun { sound, ..QualityOfRun::default() });
        }
        tally
    }

    #[test]
    fn more_gaps_are_found_where_there_are_more_and_enough_conversations() {
        let of = |from, to| compare(QualityMeasure::Gaps, &[from, to]).unwrap();
        let more = of(tally(50, 0), tally(50, 2));
        assert_eq!((more.finding, more.note), (ComparisonFinding::More, None));
        assert!((more.difference.unwrap() - 4.0).abs() < 1e-9, "{more:?}");
        assert_eq!(of(tally(50, 1), tally(50, 1)).finding, ComparisonFinding::NoDifference);
        let few = of(tally(4, 0), tally(50, 2));
        assert_eq!((few.finding, few.difference), (ComparisonFinding::NotEnoughData, None));
        assert_eq!(compare(QualityMeasure::Overlap, &[tally(9, 0), tally(9, 0)]), None);
    }
}
