//! Scales from values to positions on an axis, and their ticks. Positions are finite for any value.

use rushhour_core::units::Micros;

/// A scale from values to positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Linear from zero to a positive value.
    Linear { to: f64 },
    /// Logarithmic, from at least one.
    Log { from: f64, to: f64 },
}

/// A tick of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// The position on the axis, from 0 to 1.
    pub(super) position: f64,
    pub(super) label: String,
}

/// An axis of a chart.
pub(super) struct Axis<'a> {
    pub(super) name: &'a str,
    pub(super) ticks: &'a [Tick],
}

impl Scale {
    /// A linear scale from zero to slightly more than the largest value.
    pub(super) fn up_to(largest: f64) -> Self {
        let to = if largest.is_finite() && largest > 0.0 { largest * 1.08 } else { 1.0 };
        Self::Linear { to }
    }

    /// A linear scale of session time.
    pub(super) fn time(end: Micros) -> Self {
        Self::Linear { to: (end.0 as f64).max(1.0) }
    }

    /// A logarithmic scale of latencies with a margin on both sides.
    pub(super) fn latency(smallest: Micros, largest: Micros) -> Self {
        let from = (smallest.0 as f64 / 1.25).max(1.0);
        let to = (largest.0 as f64 * 1.25).max(from * 2.0);
        Self::Log { from, to }
    }

    /// The position of a value, from 0 to 1. Values outside the scale are at the nearer end.
    pub(super) fn at(self, value: f64) -> f64 {
        let position = match self {
            Self::Linear { to } => value / to,
            Self::Log { from, to } => (value.max(from) / from).ln() / (to / from).ln(),
        };
        if position.is_finite() { position.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// At most `most` ticks of a linear scale.
    pub(super) fn number_ticks(self, most: usize) -> Vec<Tick> {
        let step = self.step(most);
        let decimals = if step >= 0.999 {
            0
        } else if step > 0.09 {
            1
        } else {
            3
        };
        self.ticks(most, |value| format!("{value:.decimals$}"))
    }

    /// At most `most` ticks of a linear scale, with labels of their own.
    pub(super) fn ticks(self, most: usize, label: impl Fn(f64) -> String) -> Vec<Tick> {
        let Self::Linear { to } = self else { return Vec::new() };
        steps(to, self.step(most)).map(|value| self.tick(value, label(value))).collect()
    }

    /// The round distance of at most `most` ticks on a linear scale.
    fn step(self, most: usize) -> f64 {
        let Self::Linear { to } = self else { return 1.0 };
        let mut step = 0.001;
        let mut factors = [2.0, 2.5, 2.0].into_iter().cycle();
        while to / step > most as f64 {
            step *= factors.next().unwrap_or(10.0);
        }
        step
    }

    /// At most `most` ticks of a scale of session time.
    pub(super) fn time_ticks(self, most: usize) -> Vec<Tick> {
        const STEPS: [u64; 19] = [
            1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800,
            43_200, 86_400, 172_800,
        ];
        let Self::Linear { to } = self else { return Vec::new() };
        let fits = |step: &&u64| to / (**step as f64 * 1e6) <= most as f64;
        let step = STEPS.iter().find(fits).copied().unwrap_or(604_800) as f64 * 1e6;
        steps(to, step).map(|value| self.tick(value, duration_label(value))).collect()
    }

    /// Ticks of a scale of latencies, at least 1/`most` apart. Rounder values have priority.
    pub(super) fn latency_ticks(self, most: usize) -> Vec<Tick> {
        /// With fewer ticks, less round values are used too.
        const FEW: usize = 3;
        const LAST_ROUND: usize = 3;
        let Self::Log { from, to } = self else { return Vec::new() };
        let gap = 1.0 / most.max(1) as f64;
        let mut chosen: Vec<f64> = Vec::new();
        for (rank, values) in durations_by_roundness().into_iter().enumerate() {
            if rank > LAST_ROUND && chosen.len() >= FEW {
                break;
            }
            for value in values.into_iter().filter(|value| (from..=to).contains(value)) {
                let apart = |other: &f64| (self.at(*other) - self.at(value)).abs() >= gap;
                if chosen.iter().all(apart) {
                    chosen.push(value);
                }
            }
        }
        chosen.sort_by(f64::total_cmp);
        chosen.into_iter().map(|value| self.tick(value, duration_label(value))).collect()
    }

    fn tick(self, value: f64, label: String) -> Tick {
        Tick { position: self.at(value), label }
    }
}

/// Durations from a microsecond to a day, in microseconds, the roundest first.
fn durations_by_roundness() -> Vec<Vec<f64>> {
    const OF_TEN: [&[f64]; 5] = [&[1.0], &[5.0], &[2.0], &[3.0], &[4.0, 6.0, 7.0, 8.0, 9.0]];
    const MINUTES: [&[f64]; 5] = [
        &[1.0, 10.0, 60.0, 600.0],
        &[5.0, 30.0, 300.0, 1_440.0],
        &[2.0, 20.0, 120.0],
        &[3.0, 15.0, 180.0],
        &[4.0, 6.0, 7.0, 8.0, 40.0, 90.0],
    ];
    let below_a_minute = |of_ten: &'static [f64]| {
        (0..8)
            .flat_map(move |power| of_ten.iter().map(move |n| n * 10_f64.powi(power)))
            .filter(|value| *value < 59e6)
    };
    OF_TEN
        .into_iter()
        .zip(MINUTES)
        .map(|(of_ten, minutes)| {
            below_a_minute(of_ten).chain(minutes.iter().map(|minute| minute * 60e6)).collect()
        })
        .collect()
}

fn steps(to: f64, step: f64) -> impl Iterator<Item = f64> {
    (0..1_000_u32).map(move |n| f64::from(n) * step).take_while(move |value| *value <= to)
}

/// A round duration, such as `0`, `20ms`, `3s`, `5m` or `2h`.
fn duration_label(micros: f64) -> String {
    let us = Micros::from_secs_f64(micros / 1e6).0;
    match us {
        0 => "0".to_owned(),
        _ if us.is_multiple_of(3_600_000_000) => format!("{}h", us / 3_600_000_000),
        _ if us.is_multiple_of(60_000_000) && us > 3_600_000_000 => {
            format!("{}h{:02}m", us / 3_600_000_000, us / 60_000_000 % 60)
        }
        _ if us.is_multiple_of(60_000_000) => format!("{}m", us / 60_000_000),
        _ if us.is_multiple_of(1_000_000) && us > 60_000_000 => {
            format!("{}m{:02}s", us / 60_000_000, us / 1_000_000 % 60)
        }
        _ if us.is_multiple_of(1_000_000) => format!("{}s", us / 1_000_000),
        _ if us.is_multiple_of(1_000) => format!("{}ms", us / 1_000),
        _ => format!("{us}us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_on_the_axis() {
        let scales = [
            Scale::up_to(f64::NAN),
            Scale::up_to(0.0),
            Scale::time(Micros::ZERO),
            Scale::latency(Micros::ZERO, Micros::ZERO),
            Scale::latency(Micros(5), Micros(5)),
            Scale::latency(Micros(1), Micros(u64::MAX)),
        ];
        for scale in scales {
            for value in [0.0, 1.0, -3.0, 5.0, f64::MAX, f64::NAN, f64::INFINITY] {
                assert!((0.0..=1.0).contains(&scale.at(value)), "{scale:?} {value}");
            }
            assert!(scale.number_ticks(6).len() <= 7, "{scale:?}");
        }
    }

    #[test]
    fn ticks_are_few_and_round() {
        let shown = |ticks: Vec<Tick>| ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        let latency = Scale::Log { from: 90e3, to: 40e6 };
        assert_eq!(shown(latency.latency_ticks(6)), ["100ms", "300ms", "1s", "3s", "10s", "30s"]);
        // A narrow range, as of a few runs: no labels overlap.
        let narrow = Scale::Log { from: 380e3, to: 1_050e3 };
        assert_eq!(shown(narrow.latency_ticks(4)), ["500ms", "700ms", "1s"]);
        for ratio in 1..200 {
            let scale = Scale::Log { from: 333.0, to: 333.0 * 1.07_f64.powi(ratio) };
            for most in [4, 7, 12] {
                let ticks = scale.latency_ticks(most);
                let positions: Vec<f64> = ticks.iter().map(|tick| tick.position).collect();
                let apart = positions.windows(2).all(|two| two[1] - two[0] >= 1.0 / most as f64);
                assert!(apart, "{scale:?} {ticks:?}");
            }
        }
        let day = Scale::time(Micros::from_secs(86_400));
        assert_eq!(shown(day.time_ticks(4)), ["0", "8h", "16h", "24h"]);
        assert_eq!(shown(Scale::up_to(3.2).number_ticks(5)), ["0", "1", "2", "3"]);
        assert_eq!(shown(Scale::up_to(0.4).number_ticks(5)), ["0.0", "0.1", "0.2", "0.3", "0.4"]);
    }
}
