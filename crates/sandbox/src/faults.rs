//! The faults that can be injected, and how often.

use std::collections::BTreeMap;

pub use rushhour_core::profile::Fault;
use rushhour_core::rng::KeyedDraw;
use rushhour_core::units::Percent;

/// Mutually exclusive faults: a request, dispatch or run is affected by at most one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FaultGroup {
    name: &'static str,
    faults: &'static [Fault],
}

impl FaultGroup {
    pub(crate) const ROOM_CALL: Self = Self::new(
        "a room call",
        &[
            Fault::RoomUnavailable,
            Fault::RoomSlow,
            Fault::LivekitReset,
            Fault::LivekitResetAfter,
            Fault::LivekitHtml,
            Fault::LivekitTooMany,
            Fault::LivekitExhausted,
        ],
    );
    pub(crate) const CREATE_DISPATCH: Self = Self::new(
        "a dispatch request",
        &[
            Fault::DispatchUnavailable,
            Fault::LivekitReset,
            Fault::LivekitResetAfter,
            Fault::LivekitHtml,
            Fault::LivekitTooMany,
            Fault::LivekitExhausted,
        ],
    );
    pub(crate) const DISPATCH_CALL: Self = Self::new(
        "another dispatch call",
        &[
            Fault::LivekitReset,
            Fault::LivekitResetAfter,
            Fault::LivekitHtml,
            Fault::LivekitTooMany,
            Fault::LivekitExhausted,
        ],
    );
    pub(crate) const DISPATCH: Self =
        Self::new("a dispatch", &[Fault::DispatchLost, Fault::AgentNeverJoins, Fault::AgentLate]);
    pub(crate) const SUBMISSION: Self = Self::new(
        "a submission",
        &[
            Fault::SubmitSlow,
            Fault::SubmitSilent,
            Fault::SubmitTooManySeconds,
            Fault::SubmitTooManyDate,
            Fault::SubmitTooManyBare,
            Fault::SubmitErrorBefore,
            Fault::SubmitErrorAfter,
            Fault::SubmitHtml,
            Fault::SubmitResetBefore,
            Fault::SubmitResetAfter,
            Fault::SubmitTruncated,
            Fault::SubmitHuge,
            Fault::SubmitEmpty,
            Fault::RunsReordered,
            Fault::RunsMissing,
            Fault::SubmitInvalid,
            Fault::SubmitNoBalance,
            Fault::SubmitNotFound,
        ],
    );
    pub(crate) const POLL: Self = Self::new(
        "a poll",
        &[
            Fault::PollTooMany,
            Fault::PollError,
            Fault::PollHtml,
            Fault::PollReset,
            Fault::PollSlow,
            Fault::PollBulkRefused,
            Fault::PollPaged,
            Fault::PollOtherForm,
            Fault::PollUpperCase,
        ],
    );
    pub(crate) const MISSING_RUN: Self = Self::new("a run in a poll", &[Fault::PollMissingRun]);
    pub(crate) const RUN: Self = Self::new(
        "a run",
        &[
            Fault::RunNeverEnds,
            Fault::RunFails,
            Fault::RunTimesOut,
            Fault::RunUnknownStatus,
            Fault::JudgedFailure,
        ],
    );
    const ALL: [Self; 8] = [
        Self::ROOM_CALL,
        Self::CREATE_DISPATCH,
        Self::DISPATCH_CALL,
        Self::DISPATCH,
        Self::SUBMISSION,
        Self::POLL,
        Self::MISSING_RUN,
        Self::RUN,
    ];

    /// Also the purpose of the group's random draws: another name would change which faults a seed injects.
    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    const fn new(name: &'static str, faults: &'static [Fault]) -> Self {
        Self { name, faults }
    }
}

/// How often each fault is injected, as a share of the requests, dispatches or runs that it can affect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults(BTreeMap<Fault, Percent>);

impl Faults {
    /// No faults.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Every fault with this share.
    pub fn each(share: Percent) -> Self {
        Self(Fault::ALL.iter().map(|fault| (*fault, share)).collect())
    }

    /// One fault, injected wherever possible.
    pub fn always(fault: Fault) -> Self {
        Self::NONE.with(fault, Percent::from_fraction(1.0).unwrap_or_default())
    }

    /// Sets the share of a fault.
    #[must_use]
    pub fn with(mut self, fault: Fault, share: Percent) -> Self {
        self.0.insert(fault, share);
        self
    }

    /// The share of a fault.
    pub fn share(&self, fault: Fault) -> Percent {
        self.0.get(&fault).copied().unwrap_or_default()
    }

    /// Checks that the shares are possible.
    ///
    /// # Errors
    /// If mutually exclusive faults add up to more than 100%.
    pub fn check(&self) -> Result<(), TooManyFaults> {
        for group in FaultGroup::ALL {
            let sum: f64 = group.faults.iter().map(|fault| self.share(*fault).fraction()).sum();
            // The shares come from decimal text, so their sum may exceed 1 by a rounding error.
            if sum > 1.0 + 1e-9 {
                return Err(TooManyFaults { what: group.name, percent: sum * 100.0 });
            }
        }
        Ok(())
    }

    /// Chooses a fault of the group, or none. It draws a random number only if one of the faults has a share.
    pub(crate) fn choose(
        &self,
        group: FaultGroup,
        draw: impl FnOnce() -> KeyedDraw,
    ) -> Option<Fault> {
        if group.faults.iter().all(|fault| self.share(*fault) == Percent::ZERO) {
            return None;
        }
        let mut remaining = draw().uniform();
        group.faults.iter().copied().find(|fault| {
            let share = self.share(*fault).fraction();
            remaining -= share;
            remaining < 0.0
        })
    }
}

/// Mutually exclusive faults add up to more than 100%.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the faults of {what} add up to {percent:.1}%; lower them to at most 100%, because only one can occur at a time"
)]
pub struct TooManyFaults {
    what: &'static str,
    percent: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::rng::KeyedRng;

    #[test]
    fn every_fault_is_in_a_group() {
        for fault in Fault::ALL {
            assert!(FaultGroup::ALL.iter().any(|group| group.faults.contains(fault)), "{fault}");
        }
    }

    #[test]
    fn each_fault_occurs_in_its_share_of_the_draws() {
        let share = Percent::from_fraction(0.04).unwrap();
        let faults = Faults::each(share).with(Fault::SubmitSlow, Percent::ZERO);
        let mut counts: BTreeMap<Option<Fault>, u32> = BTreeMap::new();
        for n in 0..20_000 {
            let draw = || KeyedRng::new(11).draw("submission", &n.to_string());
            *counts.entry(faults.choose(FaultGroup::SUBMISSION, draw)).or_default() += 1;
        }
        assert_eq!(counts.get(&Some(Fault::SubmitSlow)), None);
        for fault in
            FaultGroup::SUBMISSION.faults.iter().filter(|fault| **fault != Fault::SubmitSlow)
        {
            let seen = f64::from(counts[&Some(*fault)]);
            // Six standard deviations of a binomial count with mean 800.
            assert!((seen - 800.0).abs() < 6.0 * 27.7, "{fault}: {seen}");
        }
        let none = f64::from(counts[&None]);
        assert!((none - 20_000.0 * 0.32).abs() < 6.0 * 70.2, "{none}");
    }

    #[test]
    fn a_group_without_shares_draws_nothing_and_one_of_100_percent_always_has_a_fault() {
        let draw = || panic!("no draw is needed");
        assert_eq!(Faults::NONE.choose(FaultGroup::POLL, draw), None);
        let always = Faults::always(Fault::PollHtml);
        for n in 0..100 {
            let draw = || KeyedRng::new(1).draw("poll", &n.to_string());
            assert_eq!(always.choose(FaultGroup::POLL, draw), Some(Fault::PollHtml));
        }
    }

    #[test]
    fn shares_above_100_percent_are_refused() {
        let third = Percent::from_fraction(0.34).unwrap();
        let faults = Faults::NONE
            .with(Fault::RunFails, third)
            .with(Fault::RunTimesOut, third)
            .with(Fault::JudgedFailure, third);
        let error = faults.check().unwrap_err().to_string();
        assert!(error.starts_with("the faults of a run add up to 102.0%"), "{error}");
        assert_eq!(Faults::each(Percent::from_fraction(0.03).unwrap()).check(), Ok(()));
    }
}
