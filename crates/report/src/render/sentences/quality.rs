//! How agents sounded, and how they took turns, in sentences.

use super::counted;
use crate::fold::{ConnectionTally, FoldedSession, InterruptionCounts};
use crate::session::{
    BREAKS_UP, Estimated, GapStretch, QualityFigure, break_up, estimated_quality,
};
use rushhour_core::event::SpeechQuality;
use rushhour_core::profile::QualityMeasure;
use rushhour_core::units::SessionTime;

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
    let sound = [sound_note(folded), break_up_note(folded)];
    let connections = [connection_note(folded), rtc_note(folded)];
    sound.into_iter().chain(connections).chain([taking_note(folded)]).flatten().collect()
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

/// When the agents' speech began to break up, or to break up more; nothing where the counts do not show it.
pub(crate) fn break_up_note(folded: &FoldedSession) -> Option<String> {
    let stretches = break_up(folded);
    let rate = |QualityFigure { value, low, high }| format!("{value:.2} [{low:.2}, {high:.2}]");
    let moment = |stretch: &GapStretch| stretch.begins().since(SessionTime::START);
    let [before, first, later @ ..] = &*stretches else {
        return stretches.first().map(|first| {
            format!(
                "The agent's speech broke up from the start on, with at most {} at once: {} gaps a minute in the first part of its speech; no lasting rise after that is clear.",
                counted(first.in_flight, "conversation"),
                rate(first.gaps_per_minute)
            )
        });
    };
    let more = if before.gaps_per_minute.value < BREAKS_UP { "" } else { " more often" };
    let until = match later.first() {
        Some(next) => format!("from then until {}", moment(next)),
        None => "from then on".to_owned(),
    };
    let began = format!(
        "The agent's speech began to break up{more} at {}, with {} at once: {} gaps a minute {until}, against {} before, with at most {} at once.",
        moment(first),
        counted(first.in_flight, "conversation"),
        rate(first.gaps_per_minute),
        rate(before.gaps_per_minute),
        before.in_flight,
    );
    let by_rate = |one: &&GapStretch, other: &&GapStretch| {
        one.gaps_per_minute.value.total_cmp(&other.gaps_per_minute.value)
    };
    let worst = later.iter().max_by(by_rate).map(|worst| {
        format!(
            " It was worst from {} on, with {} at once: {} gaps a minute.",
            moment(worst),
            worst.in_flight,
            rate(worst.gaps_per_minute)
        )
    });
    Some(began + &worst.unwrap_or_default())
}

/// How LiveKit rated the connections of voice conversations, and of others where a rating was bad; nothing where it rated
/// none.
pub(crate) fn connection_note(folded: &FoldedSession) -> Option<String> {
    let (agents, callers) = (&folded.connections.agents, &folded.connections.callers);
    if !folded.connections.are_bad() && folded.quality.sum.known().is_none() {
        return None;
    }
    let whose = [("the agent's connection", agents), ("the caller's own", callers)];
    let rated: Vec<String> = whose
        .iter()
        .filter(|(_, tally)| tally.runs > 0)
        .map(|(whose, tally)| format!("{whose} {}", ratings(tally)))
        .collect();
    (!rated.is_empty()).then(|| format!("LiveKit rated {}.", super::listed(&rated)))
}

/// What the agents' own WebRTC stacks counted; nothing where none told.
fn rtc_note(folded: &FoldedSession) -> Option<String> {
    let (runs, all) = (folded.connections.rtc_runs, &folded.connections.agent_rtc);
    let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64 * 100.0);
    let sent = share(all.sent_lost, all.sent)
        .map(|lost| format!("{lost:.2} % of their packets were lost on the way to LiveKit"));
    let received = share(all.received_lost, all.received + all.received_lost)
        .map(|lost| format!("{lost:.2} % of the callers' were lost on the way to them"));
    let concealed = share(all.concealed, all.samples)
        .map(|concealed| format!("{concealed:.2} % of what they heard was concealed"));
    let round_trip =
        all.round_trip.map(|longest| format!("their longest round trip was {longest}"));
    let known: Vec<String> =
        [sent, received, concealed, round_trip].into_iter().flatten().collect();
    (runs > 0 && !known.is_empty()).then(|| {
        format!(
            "By the agents' own WebRTC statistics ({}), {}.",
            counted(runs, "conversation"),
            super::listed(&known)
        )
    })
}

/// In how many conversations a rating was bad, and for how long.
fn ratings(tally: &ConnectionTally) -> String {
    let of_all = counted(tally.runs, "conversation");
    let bad: Vec<String> = [("poor", tally.poor), ("lost", tally.lost)]
        .into_iter()
        .filter(|(_, runs)| *runs > 0)
        .map(|(rating, runs)| format!("{rating} in {runs}"))
        .collect();
    match tally.below_good_share().filter(|_| !bad.is_empty()) {
        None => format!("good or excellent throughout ({of_all})"),
        Some(share) => {
            let (bad, percent) = (super::listed(&bad), share * 100.0);
            format!("{bad} of {of_all} ({percent:.1} % of the time)")
        }
    }
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
    let interruptions = interruption_note(&all.interruptions).unwrap_or_default();
    Some(format!(
        "The agent talked over the caller in {} of {} ({}), and spoke during {} of what callers said; its longest silence during its own turn was {dead_air}.{interruptions}",
        all.talked_over,
        counted(all.turns, "turn"),
        share(QualityMeasure::TalkOver),
        share(QualityMeasure::Overlap),
    ))
}

/// How callers cut in, and what the agent made of it; nothing where none did.
fn interruption_note(counts: &InterruptionCounts) -> Option<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let ignored = counts.ignored_share().map(|share| {
        let all = counted(counts.interruptions(), "interruption");
        format!("did not yield to {} of {all} ({})", counts.ignored, percent(share))
    });
    let stopped = counts.stopped_for_share().map(|share| {
        let all = counted(counts.backchannels, "back-channel");
        format!("stopped for {} of {all} ({})", counts.stopped_for, percent(share))
    });
    let known: Vec<String> = [ignored, stopped].into_iter().flatten().collect();
    (!known.is_empty()).then(|| format!(" It {}.", super::listed(&known)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::html::session_page;
    use crate::render::markdown::session_markdown;
    use crate::render::table::Style;
    use crate::render::text::session_text;
    use crate::session::test_sessions::{FEW_GAPS, SessionBuilder, spoken};
    use crate::session::{Criterion, SessionVerdict};
    use rushhour_core::event::AgentRtcStats;
    use rushhour_core::units::Micros;

    #[test]
    fn where_speech_began_to_break_up_is_told_in_every_report() {
        let folded = spoken(&[(2, 120, FEW_GAPS), (6, 60, &[3, 1, 2]), (14, 60, &[9, 4, 5, 3])]);
        let told = break_up_note(&folded).unwrap();
        for part in [
            "The agent's speech began to break up at 2m02s, with 6 conversations at once: 12.00 [",
            "] gaps a minute from then until 3m02s, against 0.50 [",
            "] before, with at most 2 at once. It was worst from 3m02s on, with 14 at once: 31.",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let (verdict, criterion) =
            (SessionVerdict::of(&folded, Criterion::Interval), Criterion::Interval);
        let markdown = session_markdown(&folded, &verdict, criterion);
        assert!(markdown.contains("began to break up at 2m02s"), "{markdown}");
        let text = session_text(&folded, &verdict, criterion, Style::Plain);
        assert!(text.contains("began to break up at 2m02s"), "{text}");
        let page = session_page(&folded, &verdict, criterion);
        assert!(
            page.contains("began to break up at 2m02s")
                && page.contains(">began to break up</text>")
        );
    }

    #[test]
    fn livekits_ratings_are_told_beside_how_the_agent_sounded() {
        let mut folded = spoken(&[(6, 120, &[0])]);
        assert_eq!(connection_note(&folded), None, "nothing was rated");
        let good =
            ConnectionTally { runs: 36, rated: Micros::from_secs(400), ..Default::default() };
        (folded.connections.agents, folded.connections.callers) = (good, good);
        let told = "LiveKit rated the agent's connection good or excellent throughout (36 conversations) and the caller's own good or excellent throughout (36 conversations).";
        assert_eq!(connection_note(&folded).as_deref(), Some(told));
        folded.connections.agents =
            ConnectionTally { poor: 3, lost: 1, below_good: Micros::from_secs(20), ..good };
        let told = "LiveKit rated the agent's connection poor in 3 and lost in 1 of 36 conversations (5.0 % of the time) and the caller's own good or excellent throughout (36 conversations).";
        assert_eq!(connection_note(&folded).as_deref(), Some(told));
        let mut written = SessionBuilder::chat("").closed().0;
        written.connections.agents = good;
        assert_eq!(connection_note(&written), None);
        written.connections.callers = ConnectionTally { lost: 2, ..good };
        assert!(
            connection_note(&written)
                .is_some_and(|told| told.contains("the caller's own lost in 2 of 36"))
        );
    }

    #[test]
    fn the_agents_own_statistics_are_told() {
        let mut folded = spoken(&[(6, 120, &[0])]);
        assert_eq!(rtc_note(&folded), None);
        folded.connections.rtc_runs = 36;
        folded.connections.agent_rtc = AgentRtcStats {
            sent: 1_000,
            sent_lost: 5,
            received: 990,
            received_lost: 10,
            samples: 0,
            concealed: 0,
            round_trip: Some(Micros::from_millis(12)),
        };
        let told = "By the agents' own WebRTC statistics (36 conversations), 0.50 % of their packets were lost on the way to LiveKit, 1.00 % of the callers' were lost on the way to them and their longest round trip was 12.0ms.";
        assert_eq!(rtc_note(&folded).as_deref(), Some(told));
        assert!(quality_notes(&folded).iter().any(|note| note == told));
    }

    #[test]
    fn nothing_is_told_of_speech_that_seldom_breaks_up_and_as_often_throughout() {
        let broken = spoken(&[(2, 120, &[8, 6, 9]), (8, 60, &[9, 10, 8]), (24, 60, &[9, 8, 7])]);
        let told = break_up_note(&broken).unwrap();
        assert!(told.starts_with("The agent's speech broke up from the start on, with at most 2 conversations at once: 4"), "{told}");
        let steady = spoken(&[(6, 120, &[0, 1, 0, 0])]);
        assert_eq!(break_up_note(&steady), None);
        assert!(sound_note(&steady).is_some());
    }
}
