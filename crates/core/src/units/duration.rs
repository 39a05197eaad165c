//! Lengths of time as people write them in a profile: `30s`, `10m`, `1h30m`, `250ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Micros, ParseUnitError};

const HINT: &str = "write a number with its unit, such as \"250ms\", \"30s\", \"10m\" or \"1h30m\"";
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// A length of time that a profile states: more than zero, at most 31 days, kept in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PositiveDuration(Micros);

impl PositiveDuration {
    /// A length for defaults written in code.
    ///
    /// # Panics
    /// In a constant, at compile time, where `seconds` is zero.
    pub const fn secs(seconds: u64) -> Self {
        assert!(seconds > 0, "a length is more than zero");
        Self(Micros::from_secs(seconds))
    }

    /// A length for defaults written in code.
    ///
    /// # Panics
    /// In a constant, at compile time, where `millis` is zero.
    pub const fn millis(millis: u64) -> Self {
        assert!(millis > 0, "a length is more than zero");
        Self(Micros::from_millis(millis))
    }

    /// A computed length; `None` where it is no time at all.
    pub fn new(length: Micros) -> Option<Self> {
        (length > Micros::ZERO).then_some(Self(length))
    }

    /// The length in microseconds.
    pub const fn micros(self) -> Micros {
        self.0
    }

    /// The length as the standard library's type.
    pub const fn as_duration(self) -> Duration {
        self.0.as_duration()
    }
}

/// Reads a length of time such as `1h30m`; zero is allowed.
///
/// # Errors
/// Where the text is no duration, is negative, or is longer than 31 days.
pub fn parse_duration(text: &str) -> Result<Duration, ParseUnitError> {
    if text.trim().chars().all(|c| c.is_ascii_digit() || c == '.') && !text.trim().is_empty() {
        return Err(ParseUnitError::new(format!("`{text}` has no unit"), HINT));
    }
    let signed: SignedDuration = text
        .parse()
        .map_err(|_| ParseUnitError::new(format!("`{text}` is not a length of time"), HINT))?;
    let duration = Duration::try_from(signed)
        .map_err(|_| ParseUnitError::new(format!("`{text}` is negative"), HINT))?;
    if duration > LONGEST {
        return Err(ParseUnitError::new(
            format!("`{text}` is longer than 31 days"),
            "a session lasts hours; write \"744h\" at the most",
        ));
    }
    Ok(duration)
}

/// Writes a length of time in the form that [`parse_duration`] reads.
pub fn format_duration(duration: Duration) -> String {
    let micros = Micros::from(duration).0;
    let (hours, rest) = (micros / 3_600_000_000, micros % 3_600_000_000);
    let (minutes, rest) = (rest / 60_000_000, rest % 60_000_000);
    let (seconds, rest) = (rest / 1_000_000, rest % 1_000_000);
    let parts =
        [(hours, "h"), (minutes, "m"), (seconds, "s"), (rest / 1_000, "ms"), (rest % 1_000, "us")];
    let text: String =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

impl FromStr for PositiveDuration {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let micros = Micros::from(parse_duration(text)?);
        if micros == Micros::ZERO {
            return Err(ParseUnitError::new(format!("`{text}` is no time at all"), HINT));
        }
        Ok(Self(micros))
    }
}

impl fmt::Display for PositiveDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format_duration(self.as_duration()))
    }
}

impl Serialize for PositiveDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PositiveDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for PositiveDuration {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time: a number with its unit.",
            "examples": ["250ms", "30s", "10m", "1h30m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for (text, micros, back) in [
            ("250ms", 250_000, "250ms"),
            ("30s", 30_000_000, "30s"),
            ("1.5s", 1_500_000, "1s500ms"),
            ("90m", 5_400_000_000, "1h30m"),
            ("1h 30m", 5_400_000_000, "1h30m"),
            ("15us", 15, "15us"),
        ] {
            let length: PositiveDuration = text.parse().unwrap();
            assert_eq!(length.micros().0, micros, "{text}");
            assert_eq!(length.to_string(), back);
            assert_eq!(back.parse::<PositiveDuration>().unwrap(), length);
        }
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<PositiveDuration>().unwrap_err().what;
        assert_eq!(wrong("30"), "`30` has no unit");
        assert_eq!(wrong("soon"), "`soon` is not a length of time");
        assert_eq!(wrong("-5s"), "`-5s` is negative");
        assert_eq!(wrong("0s"), "`0s` is no time at all");
        assert_eq!(wrong("900h"), "`900h` is longer than 31 days");
        assert_eq!(wrong(""), "`` is not a length of time");
    }
}
