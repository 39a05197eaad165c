//! Numbers with their units.

use std::fmt;

use rushhour_core::units::Micros;

/// The unit of a number, and how many decimals are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Micros,
    /// US dollars: cents, or four decimals below ten cents.
    Usd,
    /// US dollars with this many decimals, in a column whose heading states the unit.
    UsdBare(usize),
    /// A fraction of 1, shown in percent with this many decimals.
    Percent(usize),
    /// A difference of fractions of 1, shown in signed percentage points.
    Points,
    /// A quotient: two decimals, or none from 10 on.
    Ratio,
    /// A plain number with this many decimals.
    Plain(usize),
}

/// A number with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    value: f64,
    unit: Unit,
    is_signed: bool,
}

impl Number {
    pub(crate) const fn new(value: f64, unit: Unit) -> Self {
        Self { value, unit, is_signed: false }
    }

    pub(crate) const fn micros(micros: Micros) -> Self {
        Self::new(micros.0 as f64, Unit::Micros)
    }

    /// Shown with a sign even if it is positive.
    pub(crate) const fn signed(self) -> Self {
        Self { is_signed: true, ..self }
    }

    /// The number as CSV files have it.
    pub(super) fn raw(self) -> String {
        match self.unit {
            Unit::Count | Unit::Micros => format!("{:.0}", self.value),
            _ => self.value.to_string(),
        }
    }

    /// What follows an interval of such numbers.
    pub(super) const fn suffix(self) -> &'static str {
        match self.unit {
            Unit::Points => " points",
            _ => "",
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (self.value < 0.0, self.is_signed) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let size = self.value.abs();
        match self.unit {
            Unit::Micros => write!(f, "{sign}{}", Micros::from_secs_f64(size / 1e6)),
            Unit::Usd if size != 0.0 && size < 0.1 => write!(f, "{sign}{size:.4} USD"),
            Unit::Usd => write!(f, "{sign}{size:.2} USD"),
            Unit::UsdBare(decimals) | Unit::Plain(decimals) => {
                write!(f, "{sign}{size:.decimals$}")
            }
            Unit::Percent(decimals) => write!(f, "{sign}{:.decimals$} %", size * 100.0),
            Unit::Points => write!(f, "{:+.1}", self.value * 100.0),
            Unit::Ratio if size < 10.0 => write!(f, "{sign}{size:.2}"),
            Unit::Count | Unit::Ratio => write!(f, "{sign}{size:.0}"),
        }
    }
}
