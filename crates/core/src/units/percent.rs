//! A share of a whole: `2%`, between 0 and 100.

use std::fmt;
use std::str::FromStr;

use super::as_text::as_text;
use super::parse_error::ParseUnitError;

const HINT: &str = "write a percentage between \"0%\" and \"100%\", such as \"2%\" or \"0.5%\"";

/// A share of a whole, stored as a fraction between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// 0%.
    pub const ZERO: Self = Self(0.0);

    /// From a fraction between 0 and 1; `None` outside.
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then_some(Self(fraction))
    }

    /// The share as a fraction between 0 and 1.
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text
            .trim()
            .strip_suffix('%')
            .ok_or_else(|| ParseUnitError::new(format!("`{text}` has no percent sign"), HINT))?;
        let number: f64 = number.trim().parse().map_err(|_| {
            ParseUnitError::new(format!("`{}` is not a number", number.trim()), HINT)
        })?;
        Self::from_fraction(number / 100.0).ok_or_else(|| {
            ParseUnitError::new(format!("`{text}` is not between 0% and 100%"), HINT)
        })
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", (self.0 * 1e8).round() / 1e6))
    }
}

as_text!(
    Percent,
    r"^\s*[0-9.]+\s*%\s*$",
    "A share of a whole, between 0% and 100%.",
    ["2%", "0.5%"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_parse_and_format() {
        for (text, fraction, back) in
            [("2%", 0.02, "2%"), ("0.5 %", 0.005, "0.5%"), ("100%", 1.0, "100%"), ("0%", 0.0, "0%")]
        {
            let share: Percent = text.parse().unwrap();
            assert!((share.fraction() - fraction).abs() < 1e-12, "{text}");
            assert_eq!(share.to_string(), back);
        }
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<Percent>().unwrap_err().message;
        assert_eq!(wrong("0.02"), "`0.02` has no percent sign");
        assert_eq!(wrong("few%"), "`few` is not a number");
        assert_eq!(wrong("101%"), "`101%` is not between 0% and 100%");
        assert_eq!(wrong("NaN%"), "`NaN%` is not between 0% and 100%");
    }
}
