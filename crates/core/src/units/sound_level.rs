//! Levels of sound, and differences between them: `-47dBFS`, `10dB`.

use std::fmt;
use std::str::FromStr;

use super::as_text::as_text;
use super::parse_error::ParseUnitError;

const LEVEL_HINT: &str = "write a level between \"-90dBFS\" and \"0dBFS\", such as \"-47dBFS\"";
const DIFFERENCE_HINT: &str =
    "write a difference between \"0dB\" and \"60dB\", such as \"10dB\" or \"7.5dB\"";

/// A level of sound in decibels relative to full scale, in tenths: 0 is as loud as a square wave from -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoundLevel(i16);

/// A difference of two levels in decibels, in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decibels(i16);

impl SoundLevel {
    /// Whole decibels relative to full scale.
    pub const fn dbfs(level: i8) -> Self {
        Self(level as i16 * 10)
    }

    /// In decibels relative to full scale.
    pub fn as_dbfs(self) -> f32 {
        f32::from(self.0) / 10.0
    }
}

impl Decibels {
    /// Whole decibels.
    pub const fn whole(decibels: u8) -> Self {
        Self(decibels as i16 * 10)
    }

    /// In decibels.
    pub fn as_db(self) -> f32 {
        f32::from(self.0) / 10.0
    }
}

/// The number before the unit, in tenths.
fn parse_tenths(text: &str, unit: &str, hint: &str) -> Result<f64, ParseUnitError> {
    let number = text
        .trim()
        .strip_suffix(unit)
        .ok_or_else(|| ParseUnitError::new(format!("`{text}` does not end with {unit}"), hint))?;
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| ParseUnitError::new(format!("`{}` is not a number", number.trim()), hint))?;
    Ok((number * 10.0).round())
}

impl FromStr for SoundLevel {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tenths = parse_tenths(text, "dBFS", LEVEL_HINT)?;
        if (-900.0..=0.0).contains(&tenths) {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number in range")]
            return Ok(Self(tenths as i16));
        }
        Err(ParseUnitError::new(format!("`{text}` is not between -90dBFS and 0dBFS"), LEVEL_HINT))
    }
}

impl FromStr for Decibels {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tenths = parse_tenths(text, "dB", DIFFERENCE_HINT)?;
        if (0.0..=600.0).contains(&tenths) {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number in range")]
            return Ok(Self(tenths as i16));
        }
        Err(ParseUnitError::new(format!("`{text}` is not between 0dB and 60dB"), DIFFERENCE_HINT))
    }
}

impl fmt::Display for SoundLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}dBFS", f64::from(self.0) / 10.0))
    }
}

impl fmt::Display for Decibels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}dB", f64::from(self.0) / 10.0))
    }
}

as_text!(
    SoundLevel,
    r"^\s*-?[0-9.]+\s*dBFS\s*$",
    "A level of sound relative to full scale, between -90dBFS and 0dBFS.",
    ["-47dBFS"]
);
as_text!(
    Decibels,
    r"^\s*[0-9.]+\s*dB\s*$",
    "A difference of levels, between 0dB and 60dB.",
    ["10dB"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_differences_parse_and_format() {
        for (text, level, back) in [
            ("-47dBFS", -47.0, "-47dBFS"),
            (" -40.5 dBFS", -40.5, "-40.5dBFS"),
            ("0dBFS", 0.0, "0dBFS"),
        ] {
            let parsed: SoundLevel = text.parse().unwrap();
            assert!((parsed.as_dbfs() - level).abs() < 1e-6, "{text}");
            assert_eq!(parsed.to_string(), back);
        }
        let margin: Decibels = "7.5 dB".parse().unwrap();
        assert_eq!((margin.to_string().as_str(), margin), ("7.5dB", Decibels(75)));
        assert_eq!(Decibels::whole(10).to_string(), "10dB");
        assert_eq!(serde_json::to_string(&SoundLevel::dbfs(-47)).unwrap(), "\"-47dBFS\"");
        assert_eq!(serde_json::from_str::<Decibels>("\"10dB\"").unwrap(), Decibels::whole(10));
    }

    #[test]
    fn the_message_names_the_mistake() {
        let level = |text: &str| text.parse::<SoundLevel>().unwrap_err().message;
        assert_eq!(level("-47"), "`-47` does not end with dBFS");
        assert_eq!(level("lowdBFS"), "`low` is not a number");
        assert_eq!(level("3dBFS"), "`3dBFS` is not between -90dBFS and 0dBFS");
        let margin = |text: &str| text.parse::<Decibels>().unwrap_err().message;
        assert_eq!(margin("10dBFS"), "`10dBFS` does not end with dB");
        assert_eq!(margin("-1dB"), "`-1dB` is not between 0dB and 60dB");
        assert_eq!(margin("NaNdB"), "`NaNdB` is not between 0dB and 60dB");
    }
}
