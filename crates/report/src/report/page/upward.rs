//! The upward axis of an amount: latencies each tenfold as high as the next, memory and shares from zero.

use super::scale::{Scale, Tick};
use crate::soak::SeriesUnit;
use rushhour_core::units::Micros;

/// Ticks up, at most.
const TICKS: usize = 6;

/// An upward axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Upward {
    unit: SeriesUnit,
    scale: Scale,
}

impl Upward {
    /// An axis that holds all of these amounts.
    pub(super) fn of(unit: SeriesUnit, amounts: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for amount in amounts.filter(|amount| amount.is_finite() && *amount > 0.0) {
            least = least.min(amount);
            most = most.max(amount);
        }
        let micros = |amount: f64| Micros::from_secs_f64(amount / 1e6);
        let scale = match unit {
            SeriesUnit::Microseconds if least.is_finite() => {
                Scale::latency(micros(least), micros(most))
            }
            SeriesUnit::Microseconds => Scale::latency(Micros(1), Micros(1)),
            SeriesUnit::Bytes => Scale::up_to(most / 1e6),
            SeriesUnit::Share => Scale::up_to(most * 100.0),
        };
        Self { unit, scale }
    }

    /// Where an amount stands, from 0 to 1.
    pub(super) fn at(self, amount: f64) -> f64 {
        match self.unit {
            SeriesUnit::Microseconds => self.scale.at(amount),
            SeriesUnit::Bytes => self.scale.at(amount / 1e6),
            SeriesUnit::Share => self.scale.at(amount * 100.0),
        }
    }

    /// Its ticks.
    pub(super) fn ticks(self) -> Vec<Tick> {
        let ticks = match self.unit {
            SeriesUnit::Microseconds => self.scale.latency_ticks(TICKS),
            SeriesUnit::Bytes | SeriesUnit::Share => self.scale.number_ticks(TICKS),
        };
        ticks.into_iter().map(|(value, words)| (self.scale.at(value), words)).collect()
    }

    /// What stands above it.
    pub(super) fn name(self, series: &str) -> String {
        match self.unit {
            SeriesUnit::Microseconds => series.to_owned(),
            SeriesUnit::Bytes => format!("{series}, MB"),
            SeriesUnit::Share => format!("{series}, %"),
        }
    }
}
