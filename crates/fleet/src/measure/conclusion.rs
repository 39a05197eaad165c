//! What follows from the levels that were measured. Pure.

use std::time::Duration;

use super::processor_time::ProcessorTime;
use rushhour_core::event::CallersHealth;
use rushhour_core::units::Micros;

/// The share of late ticks from which callers measure themselves, as in the check of a session's validity.
const LATE_TICKS: f64 = 0.05;
/// The share of the cores that callers may use: joins cost most, and a core that is busy all the time ticks late.
const FOR_CALLERS: f64 = 0.5;
/// The share of the cores from which the machine is full with callers and their agents together.
const FULL: f64 = 0.85;

/// One level that was held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelFigures {
    /// Callers at its end.
    pub callers: u32,
    /// The share of their ticks that began more than 5 ms late.
    pub late: f64,
    /// The longest delay of a tick.
    pub latest: Micros,
    /// How many cores the callers alone used; `None` where the system does not say.
    pub callers_cores: Option<f64>,
    /// The same with the agents.
    pub process_cores: Option<f64>,
}

impl LevelFigures {
    pub(super) fn new(
        callers: u32,
        health: CallersHealth,
        used: Option<ProcessorTime>,
        over: Duration,
    ) -> Self {
        let late =
            if health.ticks == 0 { 0.0 } else { health.late_ticks as f64 / health.ticks as f64 };
        let cores = |time: Duration| time.as_secs_f64() / over.as_secs_f64().max(1e-3);
        Self {
            callers,
            late,
            latest: health.latest_tick,
            callers_cores: used.map(|used| cores(used.callers)),
            process_cores: used.map(|used| cores(used.process)),
        }
    }

    /// Whether too many ticks were late.
    pub fn is_too_much(&self) -> bool {
        self.late > LATE_TICKS
    }

    /// Whether callers and agents together have all that there is.
    pub(super) fn is_machine_full(&self, cores: u32) -> bool {
        self.process_cores.is_some_and(|used| used > f64::from(cores) * FULL)
    }
}

/// Levels, and what became of the conversations.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityMeasured {
    /// The cores that callers may use.
    pub cores: u32,
    /// In the order in which they were held.
    pub levels: Vec<LevelFigures>,
    /// Conversations that ended.
    pub ended: u64,
    /// Of these, how many failed.
    pub failed: u64,
    /// Why the first one failed.
    pub first_failure: Option<String>,
}

/// What limits the capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasuredLimit {
    /// Half of the cores, reckoned from what a caller costs.
    Processor,
    /// Ticks were late with more, although the processor had time left.
    Ticks,
    /// Nobody tried more.
    Tried,
}

impl CapacityMeasured {
    /// What one caller costs, in cores, by the largest level that kept its ticks.
    pub fn cost(&self) -> Option<f64> {
        let level = self.largest_kept()?;
        level.callers_cores.filter(|cores| *cores > 0.0).map(|used| used / f64::from(level.callers))
    }

    /// The largest level that kept its ticks.
    pub fn largest_kept(&self) -> Option<&LevelFigures> {
        let kept = self.levels.iter().filter(|level| !level.is_too_much() && level.callers > 0);
        kept.max_by_key(|level| level.callers)
    }

    /// How many callers the machine holds, and why no more; `None` if it kept its ticks with none.
    pub fn capacity(&self) -> Option<(u32, MeasuredLimit)> {
        let kept = self.largest_kept()?.callers;
        let too_much = self.levels.iter().find(|level| level.is_too_much());
        // Late because the agents of this measure had the processor says nothing of the callers.
        let is_late = too_much.is_some_and(|level| !level.is_machine_full(self.cores));
        let Some(cost) = self.cost() else {
            let limit = if is_late { MeasuredLimit::Ticks } else { MeasuredLimit::Tried };
            return Some((kept, limit));
        };
        let reckoned = f64::from(self.cores) * FOR_CALLERS / cost;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and casts of floats saturate"
        )]
        let reckoned = (reckoned as u32).max(1);
        if is_late && kept < reckoned {
            Some((kept, MeasuredLimit::Ticks))
        } else {
            Some((reckoned, MeasuredLimit::Processor))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(callers: u32, late: f64, callers_cores: f64, process_cores: f64) -> LevelFigures {
        LevelFigures {
            callers,
            late,
            latest: Micros::ZERO,
            callers_cores: Some(callers_cores),
            process_cores: Some(process_cores),
        }
    }

    fn measured(levels: &[LevelFigures]) -> CapacityMeasured {
        let levels = levels.to_vec();
        CapacityMeasured { cores: 2, levels, ended: 9, failed: 0, first_failure: None }
    }

    #[test]
    fn half_of_the_cores_are_for_callers_by_what_one_costs() {
        let found = measured(&[level(20, 0.0, 0.06, 0.2), level(40, 0.001, 0.1, 0.35)]);
        assert_eq!(found.cost(), Some(0.0025));
        assert_eq!(found.capacity(), Some((400, MeasuredLimit::Processor)));
    }

    #[test]
    fn ticks_that_are_late_on_a_full_machine_are_the_agents_and_on_another_the_callers() {
        let kept = level(160, 0.0, 0.4, 1.3);
        let full = measured(&[kept, level(320, 0.4, 0.7, 1.9)]);
        assert_eq!(full.capacity(), Some((400, MeasuredLimit::Processor)));
        let not_full = measured(&[kept, level(320, 0.4, 0.7, 1.2)]);
        assert_eq!(not_full.capacity(), Some((160, MeasuredLimit::Ticks)));
        // More than half of the cores are not for callers, however well they kept their ticks.
        let dear = measured(&[level(20, 0.0, 1.6, 1.65)]);
        assert_eq!(dear.capacity(), Some((12, MeasuredLimit::Processor)));
    }

    #[test]
    fn where_the_system_counts_no_processor_time_only_what_was_tried_is_known() {
        let blind = |callers, late| LevelFigures {
            callers_cores: None,
            process_cores: None,
            ..level(callers, late, 0.0, 0.0)
        };
        assert_eq!(measured(&[blind(40, 0.0)]).capacity(), Some((40, MeasuredLimit::Tried)));
        let late = measured(&[blind(40, 0.0), blind(80, 0.3)]);
        assert_eq!(late.capacity(), Some((40, MeasuredLimit::Ticks)));
        assert_eq!(measured(&[blind(20, 0.3)]).capacity(), None);
        assert_eq!(measured(&[]).capacity(), None);
    }
}
