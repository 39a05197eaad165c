//! Values to places on an axis, and where its ticks stand; always finite, whatever the values.

use rushhour_core::units::Micros;

/// An axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// From zero, each unit as long as the next.
    Linear {
        /// The upper end; above zero.
        to: f64,
    },
    /// Each tenfold as long as the next.
    Log {
        /// The lower end; at least one.
        from: f64,
        /// The upper end; above the lower one.
        to: f64,
    },
}

/// A tick's value and its words.
pub(crate) type Tick = (f64, String);

impl Scale {
    /// An axis of counts or rates up to the largest of them.
    pub(crate) fn up_to(largest: f64) -> Self {
        let to = if largest.is_finite() && largest > 0.0 { largest * 1.08 } else { 1.0 };
        Self::Linear { to }
    }

    /// An axis of session time.
    pub(crate) fn time(end: Micros) -> Self {
        Self::Linear { to: (end.0 as f64).max(1.0) }
    }

    /// An axis of latencies that holds both, with some room beside them.
    pub(crate) fn latency(smallest: Micros, largest: Micros) -> Self {
        let from = (smallest.0 as f64 / 1.25).max(1.0);
        let to = (largest.0 as f64 * 1.25).max(from * 2.0);
        Self::Log { from, to }
    }

    /// Where a value stands, from 0 to 1; what lies outside stands at the nearer end.
    pub(crate) fn at(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { to } => value / to,
            Self::Log { from, to } => (value.max(from) / from).ln() / (to / from).ln(),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Ticks of counts or rates, at most so many.
    pub(crate) fn number_ticks(self, most: usize) -> Vec<Tick> {
        let Self::Linear { to } = self else { return Vec::new() };
        let mut step = 0.001;
        let mut factors = [2.0, 2.5, 2.0].into_iter().cycle();
        while to / step > most as f64 {
            step *= factors.next().unwrap_or(10.0);
        }
        let decimals = if step >= 0.999 {
            0
        } else if step > 0.09 {
            1
        } else {
            3
        };
        steps(to, step).map(|value| (value, format!("{value:.decimals$}"))).collect()
    }

    /// Ticks of session time, at most so many.
    pub(crate) fn time_ticks(self, most: usize) -> Vec<Tick> {
        const STEPS: [u64; 19] = [
            1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800,
            43_200, 86_400, 172_800,
        ];
        let Self::Linear { to } = self else { return Vec::new() };
        let fits = |step: &&u64| to / (**step as f64 * 1e6) <= most as f64;
        let step = STEPS.iter().find(fits).copied().unwrap_or(604_800) as f64 * 1e6;
        steps(to, step).map(|value| (value, words(Micros::from_secs_f64(value / 1e6)))).collect()
    }

    /// Ticks of latencies, at most so many: the roundest first, and no two too close to be read.
    pub(crate) fn latency_ticks(self, most: usize) -> Vec<Tick> {
        /// Ticks at least, before those that are not round are looked at.
        const FEW: usize = 3;
        const LAST_ROUND: usize = 3;
        let Self::Log { from, to } = self else { return Vec::new() };
        let gap = 1.0 / most.max(1) as f64;
        let mut chosen: Vec<f64> = Vec::new();
        for (rank, values) in lengths_by_roundness().into_iter().enumerate() {
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
        chosen.into_iter().map(|value| (value, words(Micros::from_secs_f64(value / 1e6)))).collect()
    }
}

/// Lengths from a microsecond to a day, in microseconds, the roundest first.
fn lengths_by_roundness() -> Vec<Vec<f64>> {
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

/// A round length in the shortest words: `0`, `20ms`, `3s`, `5m`, `2h`.
fn words(length: Micros) -> String {
    let us = length.0;
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
    fn every_place_is_on_the_axis() {
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
    fn ticks_are_round_few_and_in_words() {
        let shown = |ticks: Vec<Tick>| ticks.into_iter().map(|(_, w)| w).collect::<Vec<_>>();
        let latency = Scale::Log { from: 90e3, to: 40e6 };
        assert_eq!(shown(latency.latency_ticks(6)), ["100ms", "300ms", "1s", "3s", "10s", "30s"]);
        // Less than tenfold, as a handful of runs has it: none of the words lie on each other.
        let narrow = Scale::Log { from: 380e3, to: 1_050e3 };
        assert_eq!(shown(narrow.latency_ticks(4)), ["500ms", "700ms", "1s"]);
        for ratio in 1..200 {
            let scale = Scale::Log { from: 333.0, to: 333.0 * 1.07_f64.powi(ratio) };
            for most in [4, 7, 12] {
                let ticks = scale.latency_ticks(most);
                let places: Vec<f64> = ticks.iter().map(|(value, _)| scale.at(*value)).collect();
                let apart = places.windows(2).all(|two| two[1] - two[0] >= 1.0 / most as f64);
                assert!(apart, "{scale:?} {ticks:?}");
            }
        }
        let day = Scale::time(Micros::from_secs(86_400));
        assert_eq!(shown(day.time_ticks(4)), ["0", "8h", "16h", "24h"]);
        assert_eq!(shown(Scale::up_to(3.2).number_ticks(5)), ["0", "1", "2", "3"]);
        assert_eq!(shown(Scale::up_to(0.4).number_ticks(5)), ["0.0", "0.1", "0.2", "0.3", "0.4"]);
    }
}
