//! Durations as people write them in a profile: `30s`, `10m`, `1h30m`, `250ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::parse_error::ParseUnitError;
use super::time::Micros;

const HINT: &str = "write a number with its unit, such as \"250ms\", \"30s\", \"10m\" or \"1h30m\"";
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// A duration in a profile: more than zero, at most 31 days when parsed, in whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PositiveDuration(Micros);

impl PositiveDuration {
    /// For constants.
    ///
    /// # Panics
    /// If `seconds` is zero; in a constant, at compile time.
    pub const fn secs(seconds: u64) -> Self {
        assert!(seconds > 0, "a duration is above zero");
        Self(Micros::from_secs(seconds))
    }

    /// For constants.
    ///
    /// # Panics
    /// If `millis` is zero; in a constant, at compile time.
    pub const fn millis(millis: u64) -> Self {
        assert!(millis > 0, "a duration is above zero");
        Self(Micros::from_millis(millis))
    }

    /// `None` if the duration is zero.
    pub fn new(duration: Micros) -> Option<Self> {
        (duration > Micros::ZERO).then_some(Self(duration))
    }

    /// The duration in microseconds.
    pub const fn micros(self) -> Micros {
        self.0
    }

    /// The duration as the standard library's type.
    pub const fn as_duration(self) -> Duration {
        self.0.as_duration()
    }
}

/// Parses a duration such as `1h30m`, from zero to 31 days.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, ParseUnitError> {
    if text.trim().chars().all(|c| c.is_ascii_digit() || c == '.') && !text.trim().is_empty() {
        return Err(ParseUnitError::new(format!("`{text}` has no unit"), HINT));
    }
    let signed: SignedDuration = text
        .parse()
        .map_err(|_| ParseUnitError::new(format!("`{text}` is not a duration"), HINT))?;
    let duration = Duration::try_from(signed)
        .map_err(|_| ParseUnitError::new(format!("`{text}` is negative"), HINT))?;
    if duration > LONGEST {
        return Err(ParseUnitError::new(
            format!("`{text}` is longer than 31 days"),
            "write at most \"744h\"",
        ));
    }
    Ok(duration)
}

/// Formats a duration so that [`parse_duration`] can parse it.
pub(crate) fn format_duration(duration: Duration) -> String {
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
            return Err(ParseUnitError::new(format!("`{text}` is zero"), HINT));
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
            "description": "A duration: a number with its unit.",
            "examples": ["250ms", "30s", "10m", "1h30m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_and_format() {
        for (text, micros, back) in [
            ("250ms", 250_000, "250ms"),
            ("30s", 30_000_000, "30s"),
            ("1.5s", 1_500_000, "1s500ms"),
            ("90m", 5_400_000_000, "1h30m"),
            ("1h 30m", 5_400_000_000, "1h30m"),
            ("15us", 15, "15us"),
        ] {
            let duration: PositiveDuration = text.parse().unwrap();
            assert_eq!(duration.micros().0, micros, "{text}");
            assert_eq!(duration.to_string(), back);
            assert_eq!(back.parse::<PositiveDuration>().unwrap(), duration);
        }
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<PositiveDuration>().unwrap_err().message;
        assert_eq!(wrong("30"), "`30` has no unit");
        assert_eq!(wrong("soon"), "`soon` is not a duration");
        assert_eq!(wrong("-5s"), "`-5s` is negative");
        assert_eq!(wrong("0s"), "`0s` is zero");
        assert_eq!(wrong("900h"), "`900h` is longer than 31 days");
        assert_eq!(wrong(""), "`` is not a duration");
    }
}
