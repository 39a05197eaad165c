//! The vertical axis of a series: logarithmic for latencies, linear from zero for memory and shares.

use super::scale::{Scale, Tick};
use crate::soak::SeriesUnit;
use rushhour_core::units::Micros;

/// The most ticks.
const TICKS: usize = 6;

/// The vertical axis of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ValueAxis {
    unit: SeriesUnit,
    scale: Scale,
}

impl ValueAxis {
    /// An axis that includes all values.
    pub(super) fn of(unit: SeriesUnit, values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            least = least.min(value);
            most = most.max(value);
        }
        let micros = |value: f64| Micros::from_secs_f64(value / 1e6);
        let scale = match unit {
            SeriesUnit::Microseconds if least.is_finite() => {
                Scale::latency(micros(least), micros(most))
            }
            SeriesUnit::Microseconds => Scale::latency(Micros(1), Micros(1)),
            SeriesUnit::Bytes => Scale::up_to(most / 1e6),
            SeriesUnit::Share => Scale::up_to(most * 100.0),
            SeriesUnit::PerMinute => Scale::up_to(most),
        };
        Self { unit, scale }
    }

    /// The position of a value, from 0 to 1.
    pub(super) fn at(self, value: f64) -> f64 {
        match self.unit {
            SeriesUnit::Microseconds | SeriesUnit::PerMinute => self.scale.at(value),
            SeriesUnit::Bytes => self.scale.at(value / 1e6),
            SeriesUnit::Share => self.scale.at(value * 100.0),
        }
    }

    pub(super) fn ticks(self) -> Vec<Tick> {
        match self.unit {
            SeriesUnit::Microseconds => self.scale.latency_ticks(TICKS),
            SeriesUnit::Bytes | SeriesUnit::Share | SeriesUnit::PerMinute => {
                self.scale.number_ticks(TICKS)
            }
        }
    }

    /// The name of the axis: the series with its unit.
    pub(super) fn name(self, series: &str) -> String {
        match self.unit {
            SeriesUnit::Microseconds => series.to_owned(),
            SeriesUnit::Bytes => format!("{series}, MB"),
            SeriesUnit::Share => format!("{series}, %"),
            SeriesUnit::PerMinute => format!("{series}, a minute"),
        }
    }
}
