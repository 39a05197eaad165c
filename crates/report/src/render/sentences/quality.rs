//! How agents sounded, and how they took turns, in sentences.

use super::counted;
use crate::fold::FoldedSession;
use crate::session::{Estimated, estimated_quality};
use rushhour_core::event::SpeechQuality;
use rushhour_core::profile::QualityMeasure;

/// A measure's figure in its unit.
pub(crate) fn quality_number(measure: QualityMeasure, value: f64) -> String {
    match measure {
        QualityMeasure::Gaps => format!("{value:.2}/min"),
        QualityMeasure::Concealed | QualityMeasure::Overlap | QualityMeasure::TalkOver => {
            format!("{:.2} %", value * 100.0)
        }
    }
}

/// A measure's figure with its interval.
pub(crate) fn quality_figure(measure: QualityMeasure, estimated: Estimated) -> String {
    let number = |value| quality_number(measure, value);
    let Estimated { value, low, high } = estimated;
    format!("{} [{}, {}]", number(value), number(low), number(high))
}

/// How agents sounded and took turns; nothing where nothing is known of it.
pub(crate) fn quality_notes(folded: &FoldedSession) -> Vec<String> {
    [sound_note(folded), taking_note(folded)].into_iter().flatten().collect()
}

/// Whether the agents' speech broke up.
pub(crate) fn sound_note(folded: &FoldedSession) -> Option<String> {
    let tally = &folded.quality;
    let gaps = estimated_quality(tally, QualityMeasure::Gaps)?;
    let sound = tally.sum.sound;
    let heard = format!("{} of speech in {}", sound.speech, counted(tally.runs, "conversation"));
    if sound.gaps() == 0 {
        return Some(format!(
            "The agent's speech did not break up: no gap in {heard}, at most {:.2} a minute.",
            gaps.high
        ));
    }
    let concealed = estimated_quality(tally, QualityMeasure::Concealed)?;
    Some(format!(
        "The agent's speech broke up {:.2} times a minute [{:.2}, {:.2}]: {} in {heard}, {}. Of the speech {:.2} % was not heard; the longest gap was {}.",
        gaps.value,
        gaps.low,
        gaps.high,
        counted(sound.gaps(), "gap"),
        causes(&sound),
        concealed.value * 100.0,
        sound.longest_gap,
    ))
}

/// How many gaps had which cause.
fn causes(sound: &SpeechQuality) -> String {
    let causes = [
        (sound.starved, "where its synthesis starved"),
        (sound.late, "where its packets came late"),
        (sound.lost, "where the network lost packets"),
    ];
    let named: Vec<String> = causes
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, cause)| format!("{count} {cause}"))
        .collect();
    super::listed(&named)
}

/// How the agents took turns.
fn taking_note(folded: &FoldedSession) -> Option<String> {
    let all = folded.quality.sum;
    let dead_air = all.dead_air?;
    let share = |measure| {
        let estimated = estimated_quality(&folded.quality, measure);
        estimated.map_or(String::from("n/a"), |found| quality_number(measure, found.value))
    };
    Some(format!(
        "The agent talked over the caller in {} of {} ({}), and spoke during {} of what callers said; its longest silence during its own turn was {dead_air}.",
        all.talked_over,
        counted(all.turns, "turn"),
        share(QualityMeasure::TalkOver),
        share(QualityMeasure::Overlap),
    ))
}
