//! When agents' speech began to break up: the clear rises of its rate of gaps in the course of a session.

use schemars::JsonSchema;
use serde::Serialize;

use super::quality_summary::{QualityFigure, estimated_ratio};
use super::time_bins::{LoadedWindow, spoken_windows};
use crate::fold::{FoldedSession, MILLISECONDS_PER_MINUTE};
use rushhour_core::profile::{QualityMeasure, ThresholdMeasure};
use rushhour_core::units::SessionTime;
use rushhour_stats::{Bootstrap, ClusteredRatio, Confidence, ExposedCount, rate_rise};

/// The most slices of about as much speech.
const SLICES: u64 = 40;
/// The orders of the slices that a rise is compared with.
const ORDERS: u32 = 999;
/// A rise has at most this probability where there is none.
const FALSE_ALARMS: f64 = 0.01;
/// A rise is at least to this multiple of the rate before it,
pub(crate) const MATERIAL_RATIO: f64 = 2.0;
/// and by so many gaps a minute.
pub(crate) const MATERIAL_RISE: f64 = 0.25;

/// The slices at the start of a session without a rise that tell whether speech broke up from the start.
const FIRST_PART: usize = 3;
/// Speech breaks up that has at least so many gaps a minute, by the lower end of the interval.
pub(crate) const BREAKS_UP: f64 = 1.0;

/// A stretch of a session between clear rises of the rate of gaps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct GapStretch {
    /// When it begins, in microseconds since the session's start.
    pub from_us: u64,
    /// The most conversations at once: of the first stretch in all of it, of a later one when the rate rose.
    pub in_flight: u64,
    /// `speech.gaps` in it, with the interval over turns.
    pub gaps_per_minute: QualityFigure,
}

impl GapStretch {
    pub(crate) const fn begins(&self) -> SessionTime {
        SessionTime(self.from_us)
    }
}

/// Neighbouring windows with about as much speech as others.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slice {
    from: SessionTime,
    in_flight: u64,
    gaps: ClusteredRatio,
    counted: ExposedCount,
}

impl Slice {
    fn of(spoken: &LoadedWindow<'_>) -> Self {
        let sound = &spoken.window.quality.sound;
        let counted =
            ExposedCount { events: sound.gaps(), exposure: (sound.speech.0 / 1_000).max(1) };
        let (from, in_flight) = (spoken.from, spoken.at_once);
        Self { from, in_flight, gaps: spoken.window.gaps, counted }
    }

    fn plus(self, next: &Self) -> Self {
        let (one, other) = (self.counted, next.counted);
        let counted = ExposedCount {
            events: one.events + other.events,
            exposure: one.exposure + other.exposure,
        };
        let in_flight = self.in_flight.max(next.in_flight);
        Self { from: self.from, in_flight, gaps: self.gaps.plus(&next.gaps), counted }
    }

    /// All of them together.
    fn sum(slices: &[Self]) -> Option<Self> {
        let (first, rest) = slices.split_first()?;
        Some(rest.iter().fold(*first, Self::plus))
    }

    fn gaps_per_minute(&self) -> f64 {
        self.gaps.ratio().unwrap_or(0.0) * MILLISECONDS_PER_MINUTE
    }
}

/// The stretches of a session between clear rises of the rate of gaps, the first before the first rise. Without a rise, the
/// first part of the session where its speech broke up from the start; else nothing.
///
/// The clearest rise is looked for, and then others before and after it in the same way, so that the first one is where
/// speech began to break up, however much worse it became later.
pub(crate) fn break_up(folded: &FoldedSession) -> Vec<GapStretch> {
    let slices = slices(folded);
    let mut rises = Vec::new();
    find_rises(&slices, 0, &mut rises);
    if rises.is_empty() {
        let first = slices.get(..FIRST_PART).and_then(|part| stretch(part, 0));
        return first.into_iter().filter(|first| first.gaps_per_minute.low >= BREAKS_UP).collect();
    }
    let begins = std::iter::once(0).chain(rises.iter().copied());
    let ends = rises.iter().copied().chain([slices.len()]);
    begins.zip(ends).filter_map(|(begin, end)| stretch(slices.get(begin..end)?, begin)).collect()
}

fn stretch(slices: &[Slice], begin: usize) -> Option<GapStretch> {
    let (all, first) = (Slice::sum(slices)?, slices.first()?);
    let measure = ThresholdMeasure::Quality(QualityMeasure::Gaps);
    let figure = estimated_ratio(measure, &all.gaps, MILLISECONDS_PER_MINUTE)?;
    Some(GapStretch {
        from_us: first.from.0,
        in_flight: if begin == 0 { all.in_flight } else { first.in_flight },
        gaps_per_minute: figure.into(),
    })
}

/// Adds the first slices of higher rates in ascending order; `offset` slices precede these.
fn find_rises(slices: &[Slice], offset: usize, rises: &mut Vec<usize>) {
    let Some(position) = clear_rise(slices) else { return };
    let (before, after) = slices.split_at(position);
    find_rises(before, offset, rises);
    rises.push(offset + position);
    find_rises(after, offset + position, rises);
}

/// The first slice of a higher rate, if the rise is neither chance nor too small to matter.
fn clear_rise(slices: &[Slice]) -> Option<usize> {
    let plan = Bootstrap::new(0, ORDERS, Confidence::default())
        .expect("999 resamples are enough for 95 %");
    let counted: Vec<ExposedCount> = slices.iter().map(|slice| slice.counted).collect();
    let rise = rate_rise(&counted, &plan)?;
    let (before, after) = slices.split_at_checked(rise.position)?;
    let (before, after) =
        (Slice::sum(before)?.gaps_per_minute(), Slice::sum(after)?.gaps_per_minute());
    let is_material = after >= MATERIAL_RATIO * before && after >= before + MATERIAL_RISE;
    (rise.p_value.is_significant_at(FALSE_ALARMS) && is_material).then_some(rise.position)
}

/// The session's speech in slices of about the same length, in order.
fn slices(folded: &FoldedSession) -> Vec<Slice> {
    let least = (folded.quality.sum.sound.speech.0 / 1_000 / SLICES).max(1);
    let mut slices: Vec<Slice> = Vec::new();
    for spoken in spoken_windows(folded) {
        let next = Slice::of(&spoken);
        match slices.last_mut().filter(|last| last.counted.exposure < least) {
            Some(last) => *last = last.plus(&next),
            None => slices.push(next),
        }
    }
    // What is left at the end is no slice of its own.
    if let Some(rest) = slices.pop_if(|last| last.counted.exposure < least / 2) {
        match slices.last_mut() {
            Some(last) => *last = last.plus(&rest),
            None => slices.push(rest),
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_sessions::{FEW_GAPS, SessionBuilder, spoken as session};

    #[test]
    fn speech_that_breaks_up_with_more_conversations_is_found_where_it_began() {
        let folded = session(&[(2, 120, FEW_GAPS), (6, 60, &[3, 1, 2]), (14, 60, &[9, 4, 5, 3])]);
        let [before, began, worse] = &*break_up(&folded) else {
            panic!("{:?}", break_up(&folded));
        };
        // A session of more than four minutes has windows of two seconds.
        assert_eq!((before.from_us, before.in_flight), (2_000_000, 2));
        assert_eq!(began.in_flight, 6, "{began:?}");
        assert!((120..130).contains(&(began.from_us / 1_000_000)), "{began:?}");
        assert_eq!(worse.in_flight, 14, "{worse:?}");
        assert!((180..190).contains(&(worse.from_us / 1_000_000)), "{worse:?}");
        let QualityFigure { value, low, high } = began.gaps_per_minute;
        assert!((value - 12.0).abs() < 1e-9 && low > 6.0 && high < 20.0, "{began:?}");
    }

    #[test]
    fn speech_that_breaks_up_from_the_start_on_and_hardly_more_later_is_told_as_such() {
        let folded = session(&[(2, 120, &[8, 6, 9]), (8, 60, &[9, 10, 8]), (24, 60, &[9, 8, 7])]);
        let [first] = &*break_up(&folded) else { panic!("{:?}", break_up(&folded)) };
        assert_eq!(first.in_flight, 2, "{first:?}");
        assert!((40.0..60.0).contains(&first.gaps_per_minute.value), "{first:?}");
    }

    #[test]
    fn nothing_is_found_where_the_counts_do_not_show_it() {
        // As often throughout, in clusters; too little speech.
        let clusters = session(&[(6, 240, &[0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 5])]);
        assert!(break_up(&clusters).len() < 2, "no rise: {:?}", break_up(&clusters));
        let little = session(&[(1, 40, &[0]), (2, 40, &[0, 3])]);
        assert_eq!(break_up(&little), []);
        assert_eq!(break_up(&session(&[(2, 60, &[0])])), []);
        assert_eq!(break_up(&SessionBuilder::chat("").closed().0), []);
    }
}
