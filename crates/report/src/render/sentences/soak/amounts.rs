//! Amounts for people, in the unit of a series.

use crate::soak::SeriesUnit;
use rushhour_core::units::Micros;

impl SeriesUnit {
    /// An amount with its unit: `312ms`, `1.2 %`, `34.5 MB`.
    pub(crate) fn amount(self, amount: f64) -> String {
        let sign = if amount < 0.0 { "-" } else { "" };
        let size = amount.abs();
        match self {
            Self::Microseconds => format!("{sign}{}", Micros::from_secs_f64(size / 1e6)),
            Self::Share => format!("{sign}{}", percent(size)),
            Self::PerMinute => format!("{sign}{size:.2}/min"),
            Self::Bytes if size >= 1e9 => format!("{sign}{:.2} GB", size / 1e9),
            Self::Bytes if size >= 1e6 => format!("{sign}{:.1} MB", size / 1e6),
            Self::Bytes if size >= 1e3 => format!("{sign}{:.1} kB", size / 1e3),
            Self::Bytes => format!("{sign}{size:.0} B"),
        }
    }
}

/// A fraction as a percentage: `3.0 %`, `0.40 %`, `240 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        size if size >= 9.95 => format!("{percent:.0} %"),
        size if size < 0.005 => "0 %".to_owned(),
        size if size >= 0.095 => format!("{percent:.1} %"),
        _ => format!("{percent:.2} %"),
    }
}

/// A change as a percentage of where it began, with its sign.
pub(super) fn relative_change(change: f64, start: f64) -> String {
    if start <= 0.0 {
        return "from zero".to_owned();
    }
    let sign = if change >= 0.0 { "+" } else { "" };
    format!("{sign}{}", percent(change / start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_unit_of_their_series() {
        assert_eq!(SeriesUnit::Microseconds.amount(312_400.0), "312ms");
        assert_eq!(SeriesUnit::Microseconds.amount(-1_500.0), "-1.50ms");
        assert_eq!(SeriesUnit::Bytes.amount(34_500_000.0), "34.5 MB");
        assert_eq!(SeriesUnit::Share.amount(0.012), "1.2 %");
        assert_eq!(
            [percent(0.03), percent(2.4), percent(0.0), percent(-0.15)],
            ["3.0 %", "240 %", "0 %", "-15 %"]
        );
        assert_eq!(relative_change(-1.0, 4.0), "-25 %");
    }
}
