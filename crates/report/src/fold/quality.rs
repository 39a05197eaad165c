//! How agents sounded to our own callers, and how they took turns, summed over runs.

use super::conversations::InterruptionCounts;
use super::run_record::RunRecord;
use rushhour_core::event::{SpeechQuality, Turn};
use rushhour_core::profile::QualityMeasure;
use rushhour_core::units::Micros;
use rushhour_stats::ClusteredRatio;

/// A frame of audio: the unit of what is heard of speech.
const FRAME: u64 = 20_000;
/// Gaps are counted for each millisecond of speech, and reported for each minute.
const MILLISECOND: u64 = 1_000;
pub(crate) const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;

/// Adds a cluster of gaps: those of a conversation, or of a turn.
pub(super) fn add_gaps(gaps: &mut ClusteredRatio, sound: &SpeechQuality) {
    gaps.add(sound.gaps(), sound.speech.0.div_ceil(MILLISECOND));
}

/// How the agent sounded, and how it took turns: in one run, or the sums of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QualityOfRun {
    /// How its speech arrived.
    pub sound: SpeechQuality,
    /// Turns of which it is known how they were taken.
    pub turns: u64,
    /// Those in which the agent talked over the caller.
    pub talked_over: u64,
    /// How long the caller spoke.
    pub caller_speech: Micros,
    /// For how much of that the agent spoke too.
    pub overlap: Micros,
    /// The longest silence in which it was the agent's turn; `None` where no turn says.
    pub dead_air: Option<Micros>,
    /// How callers cut in while it spoke, and what it made of it; belongs to no turn.
    pub interruptions: InterruptionCounts,
}

impl QualityOfRun {
    /// Of a run.
    pub fn of(record: &RunRecord) -> Self {
        let turns = record
            .turns
            .iter()
            .map(Self::of_turn)
            .fold(Self::default(), |all, turn| all.plus(&turn));
        Self { interruptions: InterruptionCounts::of(record), ..turns }
    }

    /// Of a turn. What was measured while the caller's connection was away is not the agent's.
    pub(super) fn of_turn(turn: &Turn) -> Self {
        let mut own = Self::default();
        if turn.away {
            return own;
        }
        own.sound = turn.sound.unwrap_or_default();
        if let Some(taking) = &turn.taking {
            own.turns = 1;
            own.talked_over = u64::from(taking.talked_over);
            own.caller_speech = taking.caller_speech;
            own.overlap = taking.overlap;
            own.dead_air = Some(taking.dead_air);
        }
        own
    }

    /// The sums of both; of gaps and of dead air, the longest.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            sound: self.sound.plus(&other.sound),
            turns: self.turns + other.turns,
            talked_over: self.talked_over + other.talked_over,
            caller_speech: self.caller_speech + other.caller_speech,
            overlap: self.overlap + other.overlap,
            dead_air: self.dead_air.max(other.dead_air),
            interruptions: self.interruptions.plus(&other.interruptions),
        }
    }

    /// Turns in which the agent talked over the caller, of all.
    pub fn talk_over_share(&self) -> Option<f64> {
        (self.turns > 0).then(|| self.talked_over as f64 / self.turns as f64)
    }

    /// What callers said while the agent spoke, of all that they said.
    pub fn overlap_share(&self) -> Option<f64> {
        let said = self.caller_speech.as_secs_f64();
        (said > 0.0).then(|| self.overlap.as_secs_f64() / said)
    }

    /// The longest gap; `None` where the agent did not speak.
    pub fn longest_gap(&self) -> Option<Micros> {
        (self.sound.speech > Micros::ZERO).then_some(self.sound.longest_gap)
    }

    /// What is known of how the agent sounded and took turns; `None` where nothing is.
    pub fn known(self) -> Option<Self> {
        let nothing = Self { interruptions: self.interruptions, ..Self::default() };
        (self != nothing).then_some(self)
    }
}

/// How agents sounded in runs, and how they took turns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QualityTally {
    /// Runs in which the agent spoke.
    pub runs: u64,
    /// The sum of all runs; of dead air, the longest.
    pub sum: QualityOfRun,
    gaps: ClusteredRatio,
    concealed: ClusteredRatio,
    overlap: ClusteredRatio,
    talk_over: ClusteredRatio,
}

impl QualityTally {
    /// Adds a run.
    pub fn add(&mut self, run: &QualityOfRun) {
        let sound = &run.sound;
        self.runs += u64::from(sound.speech > Micros::ZERO);
        self.sum = self.sum.plus(run);
        let frames = |length: Micros| length.0.div_ceil(FRAME);
        add_gaps(&mut self.gaps, sound);
        self.concealed.add(frames(sound.unheard()), frames(sound.speech));
        self.overlap.add(frames(run.overlap), frames(run.caller_speech));
        self.talk_over.add(run.talked_over, run.turns);
    }

    /// The ratio behind a measure, over conversations, and what to multiply it by for the unit of the measure.
    pub const fn ratio(&self, measure: QualityMeasure) -> (&ClusteredRatio, f64) {
        match measure {
            QualityMeasure::Gaps => (&self.gaps, MILLISECONDS_PER_MINUTE),
            QualityMeasure::Concealed => (&self.concealed, 1.0),
            QualityMeasure::Overlap => (&self.overlap, 1.0),
            QualityMeasure::TalkOver => (&self.talk_over, 1.0),
        }
    }

    /// Gaps in each minute of speech; `None` without speech.
    pub fn gaps_per_minute(&self) -> Option<f64> {
        Some(self.gaps.ratio()? * MILLISECONDS_PER_MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_stats::Confidence;

    fn run(gaps: u32, seconds: u64) -> QualityOfRun {
        let (speech, silent) =
            (Micros::from_secs(seconds), Micros::from_millis(100 * u64::from(gaps)));
        let sound = SpeechQuality { speech, starved: gaps, silent, ..SpeechQuality::default() };
        QualityOfRun { sound, ..QualityOfRun::default() }
    }

    #[test]
    fn gaps_are_counted_by_the_minute_and_what_was_not_heard_by_the_frame() {
        let mut tally = QualityTally::default();
        assert_eq!(tally.gaps_per_minute(), None);
        for gaps in [0, 1, 2, 1] {
            tally.add(&run(gaps, 30));
        }
        let per_minute = tally.gaps_per_minute().unwrap();
        assert!((per_minute - 2.0).abs() < 1e-9, "{per_minute}");
        let (concealed, factor) = tally.ratio(QualityMeasure::Concealed);
        assert!((concealed.ratio().unwrap() * factor - 0.4 / 120.0).abs() < 1e-9);
        let (gaps, factor) = tally.ratio(QualityMeasure::Gaps);
        let interval = gaps.interval(Confidence::default()).unwrap();
        assert!(interval.low() * factor > 0.2 && interval.high() * factor < 10.0, "{interval:?}");
    }

    #[test]
    fn without_a_gap_the_interval_says_how_many_there_may_be() {
        let mut tally = QualityTally::default();
        (0..100).for_each(|_| tally.add(&run(0, 30)));
        let (gaps, factor) = tally.ratio(QualityMeasure::Gaps);
        let high = gaps.interval(Confidence::default()).unwrap().high() * factor;
        // Four in fifty minutes.
        assert!((0.07..0.09).contains(&high), "{high}");
    }
}
