//! How much a network carries: `64 kbit/s`, `1.5 Mbit/s`.

use std::fmt;
use std::str::FromStr;

use super::as_text::as_text;
use super::parse_error::ParseUnitError;

const HINT: &str = "write a number of bits per second, such as \"64 kbit/s\" or \"1.5 Mbit/s\"";
/// Slower than this, no conversation is set up.
const LEAST: f64 = 1e3;
const MOST: f64 = 1e10;

/// Bits per second: from 1 kbit/s to 10 Gbit/s.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Bandwidth(f64);

impl Bandwidth {
    /// Bits per second.
    pub const fn bits_per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Bandwidth {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let units = [("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9), ("bit/s", 1.0)];
        let (number, factor) = units
            .iter()
            .find_map(|(unit, factor)| Some((trimmed.strip_suffix(unit)?, factor)))
            .ok_or_else(|| ParseUnitError::new(format!("`{text}` has no unit"), HINT))?;
        let number: f64 = number.trim().parse().map_err(|_| {
            ParseUnitError::new(format!("`{}` is not a number", number.trim()), HINT)
        })?;
        let bits = number * factor;
        if (LEAST..=MOST).contains(&bits) {
            Ok(Self(bits))
        } else {
            let message = format!("`{text}` is not between 1 kbit/s and 10 Gbit/s");
            Err(ParseUnitError::new(message, HINT))
        }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        let text = match self.0 {
            bits if bits >= 1e9 => format!("{} Gbit/s", rounded(bits / 1e9)),
            bits if bits >= 1e6 => format!("{} Mbit/s", rounded(bits / 1e6)),
            bits => format!("{} kbit/s", rounded(bits / 1e3)),
        };
        f.pad(&text)
    }
}

as_text!(
    Bandwidth,
    r"^\s*[0-9.]+\s*[kMG]?bit/s\s*$",
    "Bits per second, from 1 kbit/s to 10 Gbit/s.",
    ["64 kbit/s", "1.5 Mbit/s"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths_parse_and_format() {
        for (text, bits, back) in [
            ("64 kbit/s", 64e3, "64 kbit/s"),
            ("1.5Mbit/s", 1.5e6, "1.5 Mbit/s"),
            ("2000 bit/s", 2e3, "2 kbit/s"),
            ("1 Gbit/s", 1e9, "1 Gbit/s"),
        ] {
            let bandwidth: Bandwidth = text.parse().unwrap();
            assert!((bandwidth.bits_per_second() - bits).abs() < 1e-3, "{text}");
            assert_eq!(bandwidth.to_string(), back);
        }
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<Bandwidth>().unwrap_err().message;
        assert_eq!(wrong("64"), "`64` has no unit");
        assert_eq!(wrong("64 kB/s"), "`64 kB/s` has no unit");
        assert_eq!(wrong("much kbit/s"), "`much` is not a number");
        for text in ["0 kbit/s", "-1 Mbit/s", "NaN kbit/s", "11 Gbit/s", "999 bit/s"] {
            assert_eq!(wrong(text), format!("`{text}` is not between 1 kbit/s and 10 Gbit/s"));
        }
    }
}
