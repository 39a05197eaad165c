//! How often something happens: `5/s`, `60/min`, `200/h`.

use std::fmt;
use std::str::FromStr;

use super::as_text::as_text;
use super::parse_error::ParseUnitError;
use super::time::Micros;

const HINT: &str =
    "write a number per second, minute or hour, such as \"5/s\", \"90/min\" or \"200/h\"";
const HIGHEST_PER_SECOND: f64 = 100_000.0;

/// Events per second: above zero, at most 100,000.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// For constants: panics, at compile time, if `count` is zero or above 100,000.
    pub(crate) const fn per_second_const(count: u32) -> Self {
        assert!(count > 0 && count <= 100_000, "a rate is between 0 and 100,000 a second");
        Self(count as f64)
    }

    /// `None` if the rate is not above zero and at most 100,000 per second.
    pub fn new(per_second: f64) -> Option<Self> {
        (per_second > 0.0 && per_second <= HIGHEST_PER_SECOND).then_some(Self(per_second))
    }

    /// Events per second.
    pub const fn per_second(self) -> f64 {
        self.0
    }

    /// The time between two events at this rate.
    pub fn gap(self) -> Micros {
        Micros::from_secs_f64(1.0 / self.0)
    }
}

impl FromStr for Rate {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (count, per) = text
            .split_once('/')
            .ok_or_else(|| ParseUnitError::new(format!("`{text}` has no unit of time"), HINT))?;
        let count: f64 = count.trim().parse().map_err(|_| {
            ParseUnitError::new(format!("`{}` is not a number", count.trim()), HINT)
        })?;
        let seconds = match per.trim() {
            "s" | "sec" | "second" => 1.0,
            "m" | "min" | "minute" => 60.0,
            "h" | "hour" => 3600.0,
            other => {
                return Err(ParseUnitError::new(format!("`{other}` is not s, min or h"), HINT));
            }
        };
        if !count.is_finite() || count <= 0.0 {
            return Err(ParseUnitError::new(format!("`{text}` is not above zero"), HINT));
        }
        Self::new(count / seconds).ok_or_else(|| {
            ParseUnitError::new(
                format!("`{text}` is more than {HIGHEST_PER_SECOND}/s"),
                "write a lower rate: one machine starts some tens of conversations per second",
            )
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        let text = match self.0 {
            r if r >= 1.0 => format!("{}/s", rounded(r)),
            r if r * 60.0 >= 1.0 => format!("{}/min", rounded(r * 60.0)),
            r => format!("{}/h", rounded(r * 3600.0)),
        };
        f.pad(&text)
    }
}

as_text!(
    Rate,
    r"^\s*[0-9.]+\s*/\s*(s|sec|second|m|min|minute|h|hour)\s*$",
    "Events per second, minute or hour.",
    ["5/s", "90/min", "200/h"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_parse_and_format() {
        for (text, per_second, back) in [
            ("5/s", 5.0, "5/s"),
            ("90/min", 1.5, "1.5/s"),
            ("30 / min", 0.5, "30/min"),
            ("12/h", 12.0 / 3600.0, "12/h"),
            ("0.25/s", 0.25, "15/min"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert!((rate.per_second() - per_second).abs() < 1e-12, "{text}");
            assert_eq!(rate.to_string(), back);
        }
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<Rate>().unwrap_err().message;
        assert_eq!(wrong("5"), "`5` has no unit of time");
        assert_eq!(wrong("five/s"), "`five` is not a number");
        assert_eq!(wrong("5/day"), "`day` is not s, min or h");
        assert_eq!(wrong("0/s"), "`0/s` is not above zero");
        assert_eq!(wrong("-1/s"), "`-1/s` is not above zero");
        assert_eq!(wrong("inf/s"), "`inf/s` is not above zero");
        assert_eq!(wrong("1e9/s"), "`1e9/s` is more than 100000/s");
    }
}
