//! The arrival rate of a stage as a piecewise linear function, and the inverse of its integral.

use crate::profile::ArrivalRate;
use crate::units::Micros;

/// A rate over a stage: consecutive linear pieces, times in seconds from the start of the stage. The area
/// under the curve up to a time is the number of starts until then.
#[derive(Debug, Clone)]
pub(super) struct RateCurve {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    start: f64,
    /// Infinite if the stage has no end.
    length: f64,
    from: f64,
    to: f64,
    /// The area before this piece.
    before: f64,
}

impl Piece {
    fn area(&self) -> f64 {
        if self.length.is_infinite() {
            f64::INFINITY
        } else {
            self.length * f64::midpoint(self.from, self.to)
        }
    }

    /// Solves `from * t + slope * t^2 / 2 = area` for its smallest root that is not negative.
    fn time_of(&self, area: f64) -> f64 {
        let slope =
            if self.length.is_infinite() { 0.0 } else { (self.to - self.from) / self.length };
        // This form of the root is exact for small slopes, and also holds for a slope of 0.
        let discriminant = (self.from * self.from + 2.0 * slope * area).max(0.0);
        2.0 * area / (self.from + discriminant.sqrt())
    }
}

impl RateCurve {
    /// `lasts`: the stage's duration, `None` without an end.
    pub(super) fn new(curve: &ArrivalRate, lasts: Option<Micros>) -> Self {
        let seconds = lasts.map_or(f64::INFINITY, Micros::as_secs_f64);
        let rates: Vec<(f64, f64)> = match curve {
            ArrivalRate::Constant(rate) => vec![(rate.per_second(), rate.per_second())],
            ArrivalRate::Ramp { from, to } => vec![(from.per_second(), to.per_second())],
            ArrivalRate::Steps { from, to, steps } => {
                let (from, to) = (from.per_second(), to.per_second());
                (0..*steps)
                    .map(|step| {
                        let rate = from + (to - from) * f64::from(step) / f64::from(steps - 1);
                        (rate, rate)
                    })
                    .collect()
            }
        };
        let length = seconds / rates.len() as f64;
        let mut before = 0.0;
        let pieces = rates
            .into_iter()
            .enumerate()
            .map(|(index, (from, to))| {
                // An endless curve has one piece: infinity times zero is not a number.
                let start = if index == 0 { 0.0 } else { length * index as f64 };
                let piece = Piece { start, length, from, to, before };
                before += piece.area();
                piece
            })
            .collect();
        Self { pieces }
    }

    /// The area under the whole curve; infinite if it has no end.
    pub(super) fn total(&self) -> f64 {
        self.pieces.last().map_or(0.0, |piece| piece.before + piece.area())
    }

    /// The highest rate, per second.
    pub(super) fn peak(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.from.max(piece.to)).fold(0.0, f64::max)
    }

    /// Seconds from the start of the stage until the area reaches `area`; `None` if it never does.
    pub(super) fn time_of(&self, area: f64) -> Option<f64> {
        // Sums of many pieces have a rounding error: a start within a millionth of the end counts as after it.
        if area >= self.total() - 1e-6 {
            return None;
        }
        let index = self.pieces.partition_point(|piece| piece.before <= area) - 1;
        let piece = &self.pieces[index];
        Some(piece.start + piece.time_of(area - piece.before).min(piece.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    fn rate(per_second: f64) -> Rate {
        Rate::new(per_second).unwrap()
    }

    fn times(curve: &ArrivalRate, seconds: u64, areas: &[f64]) -> Vec<Option<f64>> {
        let curve = RateCurve::new(curve, Some(Micros::from_secs(seconds)));
        areas.iter().map(|area| curve.time_of(*area).map(|t| (t * 1e6).round() / 1e6)).collect()
    }

    #[test]
    fn a_constant_rate_reaches_areas_in_proportion() {
        let found = times(&ArrivalRate::Constant(rate(2.0)), 10, &[0.0, 1.0, 19.0, 20.0]);
        assert_eq!(found, [Some(0.0), Some(0.5), Some(9.5), None]);
    }

    #[test]
    fn a_ramp_solves_a_quadratic_equation() {
        let up = ArrivalRate::Ramp { from: rate(1.0), to: rate(3.0) };
        // Area t + t^2/10 over 10 s: 20 in all, 7.5 after 5 s.
        assert_eq!(times(&up, 10, &[0.0, 7.5, 20.0]), [Some(0.0), Some(5.0), None]);
        let down = ArrivalRate::Ramp { from: rate(3.0), to: rate(1.0) };
        assert_eq!(times(&down, 10, &[0.0, 12.5, 19.999]), [Some(0.0), Some(5.0), Some(9.999)]);
    }

    #[test]
    fn steps_are_intervals_of_constant_rate() {
        let steps = ArrivalRate::Steps { from: rate(1.0), to: rate(3.0), steps: 3 };
        let curve = RateCurve::new(&steps, Some(Micros::from_secs(30)));
        assert!((curve.total() - 60.0).abs() < 1e-9);
        assert!((curve.peak() - 3.0).abs() < 1e-12);
        assert_eq!(
            times(&steps, 30, &[5.0, 10.0, 20.0, 33.0]),
            [Some(5.0), Some(10.0), Some(15.0), Some(21.0)]
        );
    }

    #[test]
    fn a_curve_without_an_end_reaches_every_area() {
        let curve = RateCurve::new(&ArrivalRate::Constant(rate(4.0)), None);
        assert_eq!(curve.time_of(1e6), Some(250_000.0));
    }
}
