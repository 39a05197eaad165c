//! How an amount is known.

/// How an amount is known. A sum is as certain as its least certain part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    /// Counted, or reported by the service that charges it.
    Measured,
    /// Computed from observed times.
    Derived,
    /// Assumed.
    Assumed,
}

impl Provenance {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Derived => "derived",
            Self::Assumed => "assumed",
        }
    }
}
