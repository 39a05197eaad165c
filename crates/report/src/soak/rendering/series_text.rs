//! What was found of one series, in a sentence.

use super::amounts::{percent, relative_change};
use super::wall_clock::WallClock;
use crate::soak::{
    SeriesFinding, SeriesJudgement, SeriesStep, SeriesUnit, Slope, SoakAnalysis, TrackedSeries,
};
use rushhour_core::units::Micros;

/// What was found of a series of a soak, without a full stop.
pub(crate) fn series_sentence(soak: &SoakAnalysis, judged: &SeriesJudgement) -> String {
    sentence(judged, soak.windows.span(), WallClock::of(&soak.started))
}

fn sentence(judged: &SeriesJudgement, span: Micros, wall: WallClock) -> String {
    if judged.series == TrackedSeries::Failed {
        return failed_sentence(judged);
    }
    let (name, unit) = (judged.series.name(), judged.series.unit());
    if let (Some(step), true) = (&judged.step, judged.finding.is_change()) {
        return format!("since {}, {name} {}", wall.short(step.at), step_text(step, unit));
    }
    let Some(slope) = &judged.slope else {
        return format!("{name}: {} windows are too few to tell", judged.points.len());
    };
    match judged.finding {
        SeriesFinding::Rises => format!("{name} grows {}", growth(slope, unit, span)),
        SeriesFinding::Falls => format!("{name} shrinks {}", growth(slope, unit, span)),
        SeriesFinding::Immaterial => {
            format!("{name} changes by {}, too little to matter", unit.amount(slope.change))
        }
        _ => format!(
            "{name}: no drift found (change between {} and {} over the session)",
            unit.amount(slope.change_low),
            unit.amount(slope.change_high)
        ),
    }
}

fn failed_sentence(judged: &SeriesJudgement) -> String {
    let Some(slope) = &judged.slope else {
        return "failed: too few runs to tell".to_owned();
    };
    let finding = match judged.finding {
        SeriesFinding::Rises => "more runs fail as the session goes on",
        SeriesFinding::Falls => "fewer runs fail as the session goes on",
        _ => "failed: no drift found",
    };
    let (first, last) = (percent(slope.start), percent(slope.end));
    format!("{finding} ({first} in the first third, {last} in the last)")
}

fn step_text(step: &SeriesStep, unit: SeriesUnit) -> String {
    let direction = if step.after > step.before { "up" } else { "down" };
    format!(
        "is {}, {direction} from {} ({})",
        unit.amount(step.after),
        unit.amount(step.before),
        relative_change(step.after - step.before, step.before)
    )
}

/// By how much, in the units that suit the session: per hour, per hundred runs, over all of it.
fn growth(slope: &Slope, unit: SeriesUnit, span: Micros) -> String {
    let over = format!(
        "from {} to {} ({}) over {span}",
        unit.amount(slope.start),
        unit.amount(slope.end),
        relative_change(slope.change, slope.start),
    );
    if let Some(per_hundred) = slope.per_hundred_runs {
        return format!("by {} per hundred runs, {over}", unit.amount(per_hundred.abs()));
    }
    if span < Micros::from_secs(3_600) || slope.start <= 0.0 {
        return over;
    }
    format!("by {} per hour, {over}", percent((slope.per_hour / slope.start).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::units::{Metric, SessionTime};

    fn judged(series: TrackedSeries, finding: SeriesFinding) -> SeriesJudgement {
        SeriesJudgement {
            series,
            points: Vec::new(),
            level: 0.3e6,
            slope: Some(Slope {
                start: 0.3e6,
                end: 0.36e6,
                change: 0.06e6,
                change_low: 0.02e6,
                change_high: 0.1e6,
                per_hour: 0.03e6,
                per_hundred_runs: None,
                carried_over: 0.0,
            }),
            step: None,
            first_last: None,
            finding,
        }
    }

    fn said(judged: &SeriesJudgement) -> String {
        sentence(judged, Micros::from_secs(7_200), WallClock::of("2026-11-22T21:30:15Z"))
    }

    #[test]
    fn drift_is_described_in_the_unit_of_the_series() {
        let turns = TrackedSeries::Median(Metric::TurnVoice);
        assert_eq!(
            said(&judged(turns, SeriesFinding::Rises)),
            "turn.voice p50 grows by 10 % per hour, from 300ms to 360ms (+20 %) over 2h00m"
        );
        assert_eq!(
            said(&judged(turns, SeriesFinding::Steady)),
            "turn.voice p50: no drift found (change between 20.0ms and 100ms over the session)"
        );
        let step = SeriesStep {
            at: SessionTime(16_800_000_000),
            before: 0.3e6,
            after: 0.4e6,
            p_adjusted: 0.0,
        };
        let stepped = SeriesJudgement { step: Some(step), ..judged(turns, SeriesFinding::StepsUp) };
        assert_eq!(
            said(&stepped),
            "since 02:10 UTC, turn.voice p50 is 400ms, up from 300ms (+33 %)"
        );
    }

    #[test]
    fn failures_are_described_in_thirds() {
        let mut failed = judged(TrackedSeries::Failed, SeriesFinding::Rises);
        failed.slope = failed.slope.map(|slope| Slope { start: 0.01, end: 0.05, ..slope });
        assert_eq!(
            said(&failed),
            "more runs fail as the session goes on (1.0 % in the first third, 5.0 % in the last)"
        );
        failed.slope = None;
        assert_eq!(said(&failed), "failed: too few runs to tell");
    }
}
