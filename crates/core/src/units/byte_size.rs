//! How much a disk holds: `500 MB`, `1.5 GB`.

use std::fmt;
use std::str::FromStr;

use super::as_text::as_text;
use super::parse_error::ParseUnitError;

const HINT: &str = "write a number of bytes, such as \"500 MB\" or \"1.5 GB\"";
const LEAST: u64 = 1_000;
const MOST: u64 = 1_000_000_000_000_000;

/// Bytes: from 1 kB to 1,000 TB, in steps of a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many megabytes.
    pub const fn megabytes(count: u64) -> Self {
        Self(count * 1_000_000)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A number of bytes for people: the largest unit of which there is at least one.
pub fn format_bytes(bytes: u64) -> String {
    let (unit, factor) = match bytes {
        1_000_000_000_000.. => ("TB", 1e12),
        1_000_000_000.. => ("GB", 1e9),
        1_000_000.. => ("MB", 1e6),
        1_000.. => ("kB", 1e3),
        _ => return format!("{bytes} B"),
    };
    format!("{} {unit}", (bytes as f64 / factor * 10.0).round() / 10.0)
}

impl FromStr for ByteSize {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let units = [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)];
        let (number, factor) = units
            .iter()
            .find_map(|(unit, factor)| Some((trimmed.strip_suffix(unit)?, factor)))
            .ok_or_else(|| ParseUnitError::new(format!("`{text}` has no unit"), HINT))?;
        let number: f64 = number.trim().parse().map_err(|_| {
            ParseUnitError::new(format!("`{}` is not a number", number.trim()), HINT)
        })?;
        let bytes = number * factor;
        if (LEAST as f64..=MOST as f64).contains(&bytes) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
            let bytes = bytes.round() as u64;
            Ok(Self(bytes))
        } else {
            let message = format!("`{text}` is not between 1 kB and 1000 TB");
            Err(ParseUnitError::new(message, HINT))
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing is rounded: a journal repeats what the profile says.
        let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000)];
        let exact = units.iter().find(|(_, factor)| self.0.is_multiple_of(*factor));
        match exact {
            Some((unit, factor)) => f.pad(&format!("{} {unit}", self.0 / factor)),
            None => f.pad(&format!("{} kB", self.0 as f64 / 1e3)),
        }
    }
}

as_text!(
    ByteSize,
    r"^\s*[0-9.]+\s*[kMGT]B\s*$",
    "Bytes, from 1 kB to 1000 TB.",
    ["500 MB", "1.5 GB"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_and_format() {
        for (text, bytes, back) in [
            ("500 MB", 500_000_000, "500 MB"),
            ("1.5GB", 1_500_000_000, "1500 MB"),
            ("2 TB", 2_000_000_000_000, "2 TB"),
            ("1.25 kB", 1_250, "1.25 kB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes, "{text}");
            assert_eq!(size.to_string(), back);
            assert_eq!(back.parse::<ByteSize>().unwrap(), size);
        }
        assert_eq!(format_bytes(999), "999 B");
        assert_eq!(format_bytes(3_449_000), "3.4 MB");
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<ByteSize>().unwrap_err().message;
        assert_eq!(wrong("500"), "`500` has no unit");
        assert_eq!(wrong("much GB"), "`much` is not a number");
        for text in ["0 kB", "-1 MB", "NaN MB", "1e9 TB"] {
            assert_eq!(wrong(text), format!("`{text}` is not between 1 kB and 1000 TB"));
        }
    }
}
