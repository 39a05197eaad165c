//! How one series compares with previous nightly runs, in a sentence.

use super::amounts::{percent, relative_change};
use crate::soak::{NightlyComparison, NightlyFinding, NightlyJudgement, SeriesUnit};

/// How a series compares with previous nightly runs, without a full stop.
pub(crate) fn nightly_sentence(
    comparison: &NightlyComparison,
    judged: &NightlyJudgement,
) -> String {
    let NightlyJudgement { series, unit, previous_runs, level, mean, .. } = judged;
    let amount = |value: f64| unit.amount(value);
    let change = match unit {
        SeriesUnit::Share => {
            format!("{} points", percent((level - mean).abs()).trim_end_matches(" %"))
        }
        SeriesUnit::Microseconds | SeriesUnit::Bytes | SeriesUnit::PerMinute => {
            relative_change(level - mean, *mean)
        }
    };
    let previous =
        format!("previous nightly runs ({previous_runs} of them, {} on average)", amount(*mean));
    match judged.finding {
        NightlyFinding::Above => {
            format!("{series} of {} is higher than in {previous}: {change}", amount(*level))
        }
        NightlyFinding::Below => {
            format!("{series} of {} is lower than in {previous}: {change}", amount(*level))
        }
        NightlyFinding::Creeps => format!(
            "{series} has been growing from one nightly run to the next: {} now, {change} compared with {previous}",
            amount(*level)
        ),
        NightlyFinding::Within => format!(
            "{series} of {} is as expected from the last {} nightly runs ({} to {})",
            amount(*level),
            comparison.last,
            amount(judged.low.max(0.0)),
            amount(judged.high)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worse_series_is_compared_with_the_mean_of_previous_runs() {
        let judged = NightlyJudgement {
            series: "turn p50".to_owned(),
            unit: SeriesUnit::Microseconds,
            previous_runs: 7,
            level: 360e3,
            mean: 300e3,
            low: 290e3,
            high: 310e3,
            cusum: 0.0,
            limit: 5.0,
            finding: NightlyFinding::Above,
        };
        let comparison = NightlyComparison { last: 7, ..NightlyComparison::default() };
        assert_eq!(
            nightly_sentence(&comparison, &judged),
            "turn p50 of 360ms is higher than in previous nightly runs (7 of them, 300ms on average): +20 %"
        );
        let within = NightlyJudgement { finding: NightlyFinding::Within, level: 301e3, ..judged };
        assert_eq!(
            nightly_sentence(&comparison, &within),
            "turn p50 of 301ms is as expected from the last 7 nightly runs (290ms to 310ms)"
        );
    }
}
