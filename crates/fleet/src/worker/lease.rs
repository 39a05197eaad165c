//! How long a worker holds its callers without a word of the coordinator.

use rushhour_core::units::{Micros, SessionTime};

/// The lease of a session, on the worker's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    length: Micros,
    heard: SessionTime,
}

impl Lease {
    pub(super) const fn new(length: Micros, now: SessionTime) -> Self {
        Self { length, heard: now }
    }

    /// The coordinator was heard of.
    pub(super) fn renew(&mut self, now: SessionTime) {
        self.heard = self.heard.max(now);
    }

    /// Whether the callers must go.
    pub(super) const fn is_over(&self, now: SessionTime) -> bool {
        now.since(self.heard).0 >= self.length.0
    }

    pub(super) const fn length(&self) -> Micros {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_from_the_last_word() {
        let mut lease = Lease::new(Micros::from_secs(5), SessionTime(1_000_000));
        assert!(!lease.is_over(SessionTime(5_999_999)) && lease.is_over(SessionTime(6_000_000)));
        lease.renew(SessionTime(5_000_000));
        lease.renew(SessionTime(2_000_000));
        assert!(!lease.is_over(SessionTime(9_999_999)) && lease.is_over(SessionTime(10_000_000)));
    }
}
