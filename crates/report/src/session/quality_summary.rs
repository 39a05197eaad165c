//! How agents sounded and how they took turns, as files have it.

use schemars::JsonSchema;
use serde::Serialize;

use super::break_up::{GapStretch, break_up};
use super::threshold::Estimated;
use crate::fold::{
    ConnectionTallies, ConnectionTally, FoldedSession, HeardTally, InterruptionCounts, QualityTally,
};
use rushhour_core::profile::{HeardShare, QualityMeasure, ThresholdMeasure};
use rushhour_core::units::Micros;
use rushhour_stats::{ClusteredRatio, Confidence};

/// What one conversation may have at most, where it is the only one: a gap in every second.
const MOST_GAPS: f64 = 60.0;

/// A measure of quality with its 95 % interval over conversations; `None` where nothing was measured.
pub(crate) fn estimated_quality(
    tally: &QualityTally,
    measure: QualityMeasure,
) -> Option<Estimated> {
    let (ratio, factor) = tally.ratio(measure);
    estimated_ratio(ThresholdMeasure::Quality(measure), ratio, factor)
}

/// A share of what callers said with its 95 % interval over conversations, whose words are misheard together; `None` where
/// nothing was measured.
pub(crate) fn estimated_heard(tally: &HeardTally, share: HeardShare) -> Option<Estimated> {
    estimated_ratio(ThresholdMeasure::Heard(share), tally.ratio(share), 1.0)
}

/// The ratio behind a measure with its 95 % interval over clusters, multiplied by `factor` for the measure's unit.
pub(crate) fn estimated_ratio(
    measure: ThresholdMeasure,
    ratio: &ClusteredRatio,
    factor: f64,
) -> Option<Estimated> {
    let value = ratio.ratio()?;
    let (low, high) = match ratio.interval(Confidence::default()) {
        Some(interval) => (interval.low() * factor, interval.high() * factor),
        // One conversation says nothing of the next.
        None if measure == ThresholdMeasure::Quality(QualityMeasure::Gaps) => {
            (0.0, MOST_GAPS.max(value * factor))
        }
        None => (0.0, (value * factor).max(1.0)),
    };
    Some(Estimated { value: value * factor, low, high })
}

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct QualityFigure {
    /// The figure.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl QualityFigure {
    fn of(tally: &QualityTally, measure: QualityMeasure) -> Option<Self> {
        Some(Self::from(estimated_quality(tally, measure)?))
    }
}

impl From<Estimated> for QualityFigure {
    fn from(Estimated { value, low, high }: Estimated) -> Self {
        Self { value, low, high }
    }
}

/// How agents sounded to our own callers in measured runs, and how they took turns.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QualitySummary {
    /// Runs in which the agent spoke.
    pub runs: u64,
    /// How long agents spoke, in microseconds.
    pub speech_us: u64,
    /// `speech.gaps`: gaps in each minute of speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps_per_minute: Option<QualityFigure>,
    /// Gaps because speech was cut by digital silence: the agent's synthesis starved.
    pub gaps_starved: u64,
    /// Gaps because packets came late, and then at once: the agent's machine starved, or the network held them.
    pub gaps_late: u64,
    /// Gaps because packets never came: the network lost them.
    pub gaps_lost: u64,
    /// `speech.concealed`: the share of speech that a listener does not hear, silent or concealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concealed: Option<QualityFigure>,
    /// The longest gap, in microseconds.
    pub longest_gap_us: u64,
    /// Turns of which it is known how they were taken.
    pub turns: u64,
    /// Those in which the agent talked over the caller.
    pub turns_talked_over: u64,
    /// `talk_over`: their share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talk_over: Option<QualityFigure>,
    /// `overlap`: the share of what callers said during which the agent spoke too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<QualityFigure>,
    /// The longest silence in which it was the agent's turn, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_air_us: Option<u64>,
    /// How callers cut in while the agent spoke, and what it made of it; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruptions: Option<InterruptionSummary>,
    /// The session between clear rises of `speech.gaps`, the first stretch before the first of them. Without a rise, the first
    /// part of the speech, if it broke up from the start; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gap_stretches: Vec<GapStretch>,
    /// How LiveKit rated the agents' connections; absent where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_connections: Option<ConnectionSummary>,
    /// How LiveKit rated our own callers' connections; absent where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_connections: Option<ConnectionSummary>,
    /// What agents' own WebRTC stacks counted; absent where none told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_rtc: Option<AgentRtcSummary>,
}

/// How callers cut in while the agent spoke, and what it made of it, in measured runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct InterruptionSummary {
    /// How often callers interrupted the agent.
    pub interruptions: u64,
    /// Interruptions to which it did not yield, or after which it went on.
    pub ignored: u64,
    /// Their share; absent where nobody interrupted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored_share: Option<f64>,
    /// How often callers showed that they listen.
    pub backchannels: u64,
    /// How often the agent stopped for it.
    pub backchannels_stopped_for: u64,
    /// Their share; absent where there was no back-channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_for_share: Option<f64>,
}

impl InterruptionSummary {
    fn of(counts: &InterruptionCounts) -> Option<Self> {
        (*counts != InterruptionCounts::default()).then(|| Self {
            interruptions: counts.interruptions(),
            ignored: counts.ignored,
            ignored_share: counts.ignored_share(),
            backchannels: counts.backchannels,
            backchannels_stopped_for: counts.stopped_for,
            stopped_for_share: counts.stopped_for_share(),
        })
    }
}

/// What agents' own WebRTC stacks had counted at the end of measured runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AgentRtcSummary {
    /// Runs in which the agent told it.
    pub runs: u64,
    /// Packets of audio that agents sent.
    pub sent: u64,
    /// Packets of them that did not reach LiveKit.
    pub sent_lost: u64,
    /// Packets of audio that agents received.
    pub received: u64,
    /// Packets that they should have received, and did not.
    pub received_lost: u64,
    /// Samples of audio that they took in.
    pub samples: u64,
    /// Samples of them that the jitter buffer made up, silence aside.
    pub concealed: u64,
    /// The longest of the round trips between an agent and LiveKit, in microseconds; each agent tells its latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
}

impl AgentRtcSummary {
    fn of(tallies: &ConnectionTallies) -> Option<Self> {
        let (runs, stats) = (tallies.rtc_runs, &tallies.agent_rtc);
        (runs > 0).then(|| Self {
            runs,
            sent: stats.sent,
            sent_lost: stats.sent_lost,
            received: stats.received,
            received_lost: stats.received_lost,
            samples: stats.samples,
            concealed: stats.concealed,
            round_trip_us: stats.round_trip.map(|longest| longest.0),
        })
    }
}

/// How LiveKit rated connections in measured runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConnectionSummary {
    /// Runs in which it rated them.
    pub runs: u64,
    /// Those with `poor` as the worst rating.
    pub poor: u64,
    /// Those in which one was `lost`.
    pub lost: u64,
    /// For how long there was a rating, in microseconds.
    pub rated_us: u64,
    /// For how much of that it was `poor` or `lost`, in microseconds.
    pub below_good_us: u64,
}

impl ConnectionSummary {
    fn of(tally: &ConnectionTally) -> Option<Self> {
        let ConnectionTally { runs, poor, lost, rated, below_good } = *tally;
        let (rated_us, below_good_us) = (rated.0, below_good.0);
        (runs > 0).then_some(Self { runs, poor, lost, rated_us, below_good_us })
    }
}

impl QualitySummary {
    /// `None` where nothing is known.
    pub(crate) fn of(folded: &FoldedSession) -> Option<Self> {
        let tally = &folded.quality;
        let all = tally.sum.known()?;
        let figure = |measure| QualityFigure::of(tally, measure);
        Some(Self {
            runs: tally.runs,
            speech_us: all.sound.speech.0,
            gaps_per_minute: figure(QualityMeasure::Gaps),
            gaps_starved: all.sound.starved.into(),
            gaps_late: all.sound.late.into(),
            gaps_lost: all.sound.lost.into(),
            concealed: figure(QualityMeasure::Concealed),
            longest_gap_us: all.sound.longest_gap.0,
            turns: all.turns,
            turns_talked_over: all.talked_over,
            talk_over: figure(QualityMeasure::TalkOver),
            overlap: figure(QualityMeasure::Overlap),
            dead_air_us: all.dead_air.map(|longest: Micros| longest.0),
            interruptions: InterruptionSummary::of(&all.interruptions),
            gap_stretches: break_up(folded),
            agent_connections: ConnectionSummary::of(&folded.connections.agents),
            caller_connections: ConnectionSummary::of(&folded.connections.callers),
            agent_rtc: AgentRtcSummary::of(&folded.connections),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::{spoken, taken};

    #[test]
    fn interruptions_and_back_channels_have_counts_and_shares() {
        let summary = QualitySummary::of(&taken(&[(4, 100, 5)]).closed().0).unwrap();
        let expected = InterruptionSummary {
            interruptions: 20,
            ignored: 4,
            ignored_share: Some(0.2),
            backchannels: 40,
            backchannels_stopped_for: 4,
            stopped_for_share: Some(0.1),
        };
        assert_eq!(summary.interruptions, Some(expected));
        let none = QualitySummary::of(&spoken(&[(2, 40, &[0])])).unwrap();
        assert_eq!(none.interruptions, None);
    }
}
