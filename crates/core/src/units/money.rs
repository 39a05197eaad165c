//! Money in US dollars, in whole millionths so that sums are exact.

use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::parse_error::ParseUnitError;

const HINT: &str = "write an amount with its currency, such as \"20 USD\" or \"0.05 USD\"";
const MOST: f64 = 1e9;

/// An amount of US dollars in whole millionths: not negative, at most a billion dollars when parsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd {
    micros: u64,
}

impl Usd {
    /// Zero dollars.
    pub const ZERO: Self = Self { micros: 0 };

    /// An amount in dollars, rounded to the millionth; negative amounts and NaN become zero.
    pub fn from_dollars(dollars: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        Self { micros: (dollars * 1e6).round() as u64 }
    }

    /// The amount in dollars.
    pub fn dollars(self) -> f64 {
        self.micros as f64 / 1e6
    }

    /// The amount in millionths of a dollar.
    pub const fn micros(self) -> u64 {
        self.micros
    }

    /// The price of `amount` if `per` of it cost this much, rounded up to the millionth; `per` is at least 1.
    #[must_use]
    pub fn for_amount(self, amount: u64, per: u64) -> Self {
        let micros =
            (u128::from(self.micros) * u128::from(amount)).div_ceil(u128::from(per.max(1)));
        Self { micros: u64::try_from(micros).unwrap_or(u64::MAX) }
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self { micros: self.micros.saturating_sub(other.micros) }
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { micros: self.micros.saturating_add(other.micros) }
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl FromStr for Usd {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let number =
            trimmed.strip_suffix("USD").or_else(|| trimmed.strip_prefix('$')).ok_or_else(|| {
                ParseUnitError::new(format!("`{text}` is not an amount in USD"), HINT)
            })?;
        let dollars: f64 = number.trim().replace(',', "").parse().map_err(|_| {
            ParseUnitError::new(format!("`{}` is not a number", number.trim()), HINT)
        })?;
        if !(0.0..=MOST).contains(&dollars) {
            return Err(ParseUnitError::new(
                format!("`{text}` is not between 0 and {MOST} USD"),
                HINT,
            ));
        }
        Ok(Self::from_dollars(dollars))
    }
}

impl fmt::Display for Usd {
    /// Two decimals from one dollar, all digits below, at least two: `20.00 USD`, `0.0085 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.micros >= 1_000_000 || self.micros.is_multiple_of(10_000) {
            format!("{:.2} USD", self.dollars())
        } else {
            format!("{} USD", format!("{:.6}", self.dollars()).trim_end_matches('0'))
        };
        f.pad(&text)
    }
}

impl Serialize for Usd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6} USD", self.dollars()))
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Usd {
    fn schema_name() -> Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An amount of US dollars.",
            "examples": ["20 USD", "0.05 USD"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_parse_and_format() {
        for (text, dollars, back) in [
            ("20 USD", 20.0, "20.00 USD"),
            ("$0.05", 0.05, "0.05 USD"),
            ("0.0085USD", 0.0085, "0.0085 USD"),
            ("1,250 USD", 1250.0, "1250.00 USD"),
            ("0 USD", 0.0, "0.00 USD"),
        ] {
            let amount: Usd = text.parse().unwrap();
            assert!((amount.dollars() - dollars).abs() < 1e-9, "{text}");
            assert_eq!(amount.to_string(), back);
        }
    }

    #[test]
    fn sums_are_exact() {
        let cent = Usd::from_dollars(0.01);
        assert_eq!(std::iter::repeat_n(cent, 1000).sum::<Usd>(), Usd::from_dollars(10.0));
    }

    #[test]
    fn a_part_costs_its_share_rounded_up() {
        let price = Usd::from_dollars(0.0077);
        assert_eq!(price.for_amount(90, 60), Usd::from_dollars(0.01155));
        assert_eq!(price.for_amount(1, 60_000_000), Usd { micros: 1 });
        assert_eq!(price.for_amount(0, 60), Usd::ZERO);
        assert_eq!(price.for_amount(u64::MAX, 1), Usd { micros: u64::MAX });
    }

    #[test]
    fn the_message_names_the_mistake() {
        let wrong = |text: &str| text.parse::<Usd>().unwrap_err().message;
        assert_eq!(wrong("20"), "`20` is not an amount in USD");
        assert_eq!(wrong("20 EUR"), "`20 EUR` is not an amount in USD");
        assert_eq!(wrong("-1 USD"), "`-1 USD` is not between 0 and 1000000000 USD");
        assert_eq!(wrong("much USD"), "`much` is not a number");
    }
}
