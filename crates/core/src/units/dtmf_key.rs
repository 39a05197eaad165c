//! The keys of a telephone.

/// A key of a telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfKey(char);

impl DtmfKey {
    /// The key with this sign: `0` to `9`, `*`, `#`, `A` to `D`.
    pub const fn new(sign: char) -> Option<Self> {
        match sign {
            '0'..='9' | '*' | '#' | 'A'..='D' => Some(Self(sign)),
            _ => None,
        }
    }

    /// Its sign.
    pub const fn sign(self) -> char {
        self.0
    }

    /// Its event code (RFC 4733, section 3.2).
    pub const fn code(self) -> u32 {
        match self.0 {
            '*' => 10,
            '#' => 11,
            'A'..='D' => self.0 as u32 - 'A' as u32 + 12,
            digit => digit as u32 - '0' as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_event_codes_of_rfc_4733() {
        let codes: Vec<u32> =
            "0123456789*#ABCD".chars().map(|sign| DtmfKey::new(sign).unwrap().code()).collect();
        assert_eq!(codes, (0..16).collect::<Vec<u32>>());
        for sign in ['a', 'w', ' ', 'E', '٣'] {
            assert_eq!(DtmfKey::new(sign), None, "{sign}");
        }
    }
}
