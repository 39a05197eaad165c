//! What gives way of quality in a search for capacity, in words.

use super::quality::quality_number;
use crate::capacity::{LevelMeasure, QualityLoss};
use crate::session::Estimated;
use rushhour_core::profile::QualityMeasure;

/// Where a measure gives way, without a full stop.
pub(crate) fn quality_loss(loss: &QualityLoss) -> String {
    let (measure, level) = (loss.measure, loss.in_flight);
    let Estimated { value, low, high } = loss.estimated;
    let number = |value| measure_number(measure, value);
    let figure = format!("{} [{}, {}]", number(value), number(low), number(high));
    let Some((lowest, before)) = loss.before else {
        return format!("{} already at {level}: {figure}", verb(measure));
    };
    let before = number(before.value);
    format!("{} at {level}: {figure} against {before} at {lowest}", verb(measure))
}

const fn verb(measure: LevelMeasure) -> &'static str {
    match measure {
        LevelMeasure::Gaps => "the agent's speech breaks up (speech.gaps)",
        LevelMeasure::WordErrors => "the agent mishears more of what callers say (heard.wer)",
        LevelMeasure::TalkOver => "the agent talks over callers in more turns (talk_over)",
    }
}

fn measure_number(measure: LevelMeasure, value: f64) -> String {
    match measure {
        LevelMeasure::Gaps => quality_number(QualityMeasure::Gaps, value),
        LevelMeasure::WordErrors | LevelMeasure::TalkOver => format!("{:.1} %", value * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use crate::capacity::level_quality::tests::quality;
    use crate::capacity::simulation::{finding, search_with};
    use crate::capacity::{CapacityAnswer, LevelVerdict, Purpose, SearchEnd, TrialFinding};
    use crate::render::sentences::capacity::{capacity_headline, capacity_remarks};
    use rushhour_core::event::FailureClass;

    /// The answer to levels with so many gaps in some conversations, and turns talked over.
    fn answered(levels: &[(u32, LevelVerdict, u64, u64)]) -> (String, Vec<String>) {
        let findings: Vec<TrialFinding> = (1..)
            .zip(levels)
            .map(|(number, (level, verdict, gaps, talked_over))| {
                let failed = if *verdict == LevelVerdict::Failed { 20 } else { 0 };
                let class = FailureClass::DispatchUnassigned;
                let finding = finding(number, Purpose::Step, *level, *verdict, failed, class);
                TrialFinding { quality: quality(*gaps, *talked_over), ..finding }
            })
            .collect();
        let (_, search) = search_with("start = 10\nmost = 66", &findings);
        let answer = CapacityAnswer::of(&search, &findings, SearchEnd::Complete);
        (capacity_headline(&answer), capacity_remarks(&answer))
    }

    #[test]
    fn quality_that_gives_way_below_the_first_failed_threshold_is_named_first() {
        use LevelVerdict::{Failed, Passed};
        let (headline, remarks) = answered(&[
            (10, Passed, 2, 0),
            (40, Passed, 20, 0),
            (60, Passed, 30, 0),
            (66, Failed, 30, 6),
        ]);
        assert!(
            headline.starts_with("holds 60 to 66 at once by its thresholds, but the agent's speech breaks up (speech.gaps) at 40: 4.00/min ["),
            "{headline}"
        );
        let rest = "] against 0.40/min at 10; the first threshold to give is the share of runs that fail, at 66,";
        assert!(headline.contains(rest), "{headline}");
        let also = "the agent talks over callers in more turns (talk_over) at 66: 6.0 % [";
        assert!(remarks.iter().any(|remark| remark.starts_with(also)), "{remarks:?}");
    }

    #[test]
    fn quality_that_gives_way_where_a_threshold_fails_too_is_a_remark() {
        use LevelVerdict::{Failed, Passed};
        let (headline, remarks) = answered(&[(10, Passed, 2, 0), (40, Failed, 30, 0)]);
        assert!(
            headline.starts_with("holds 10 to 40 at once; the first thing to give is"),
            "{headline}"
        );
        assert!(remarks.iter().any(|remark| {
            remark.starts_with("the agent's speech breaks up (speech.gaps) at 40: ")
        }));
    }

    #[test]
    fn speech_that_breaks_up_at_every_level_is_told_at_the_lowest() {
        let (headline, _) = answered(&[(10, LevelVerdict::Passed, 30, 0)]);
        assert!(
            headline.contains("breaks up (speech.gaps) already at 10: 6.00/min ["),
            "{headline}"
        );
    }
}
