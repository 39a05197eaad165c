//! The faults that can be asked for, and which of them strikes.

use std::collections::BTreeMap;

pub use rushhour_core::profile::Fault;
use rushhour_core::rng::KeyedDraw;
use rushhour_core::units::Percent;

/// Faults of which at most one strikes one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(&'static str, &'static [Fault]);

impl Group {
    pub(crate) const ROOM_CALL: Self = Self(
        "a room call",
        &[
            Fault::RoomUnavailable,
            Fault::RoomSlow,
            Fault::LivekitReset,
            Fault::LivekitResetAfter,
            Fault::LivekitHtml,
        ],
    );
    pub(crate) const CREATE_DISPATCH: Self = Self(
        "a dispatch request",
        &[
            Fault::DispatchUnavailable,
            Fault::LivekitReset,
            Fault::LivekitResetAfter,
            Fault::LivekitHtml,
        ],
    );
    pub(crate) const DISPATCH_CALL: Self = Self(
        "another dispatch call",
        &[Fault::LivekitReset, Fault::LivekitResetAfter, Fault::LivekitHtml],
    );
    pub(crate) const DISPATCH: Self =
        Self("a dispatch", &[Fault::DispatchLost, Fault::AgentNeverJoins, Fault::AgentLate]);
    pub(crate) const SUBMISSION: Self = Self(
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
        ],
    );
    pub(crate) const POLL: Self = Self(
        "a poll",
        &[Fault::PollTooMany, Fault::PollError, Fault::PollHtml, Fault::PollReset, Fault::PollSlow],
    );
    pub(crate) const MISSING_RUN: Self = Self("a run in a poll", &[Fault::PollMissingRun]);
    pub(crate) const RUN: Self = Self(
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

    /// The group's name, the question that its draw answers.
    pub(crate) const fn name(self) -> &'static str {
        self.0
    }
}

/// How often each fault strikes, as a share of the things it can strike.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults(BTreeMap<Fault, Percent>);

impl Faults {
    /// Nothing ever goes wrong.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Every fault strikes this share.
    pub fn each(share: Percent) -> Self {
        Self(Fault::ALL.iter().map(|fault| (*fault, share)).collect())
    }

    /// One fault alone, always where it can.
    pub fn always(fault: Fault) -> Self {
        Self::NONE.with(fault, Percent::from_fraction(1.0).unwrap_or_default())
    }

    /// The same, with this fault's share.
    #[must_use]
    pub fn with(mut self, fault: Fault, share: Percent) -> Self {
        self.0.insert(fault, share);
        self
    }

    /// The share that this fault strikes.
    pub fn share(&self, fault: Fault) -> Percent {
        self.0.get(&fault).copied().unwrap_or_default()
    }

    /// Whether the shares can be kept.
    ///
    /// # Errors
    /// Where the faults of which one at most can strike the same thing add up to more than 100%.
    pub fn check(&self) -> Result<(), TooManyFaults> {
        for group in Group::ALL {
            let sum: f64 = group.1.iter().map(|fault| self.share(*fault).fraction()).sum();
            // The shares come from decimal text: their sum may pass 1 by a rounding error.
            if sum > 1.0 + 1e-9 {
                return Err(TooManyFaults { what: group.0, percent: sum * 100.0 });
            }
        }
        Ok(())
    }

    /// Which of the group's faults strikes on this draw; the draw is asked for only where one can.
    pub(crate) fn choose(&self, group: Group, draw: impl FnOnce() -> KeyedDraw) -> Option<Fault> {
        if group.1.iter().all(|fault| self.share(*fault) == Percent::ZERO) {
            return None;
        }
        let mut left = draw().uniform();
        group.1.iter().copied().find(|fault| {
            let share = self.share(*fault).fraction();
            left -= share;
            left < 0.0
        })
    }
}

/// The faults that may strike one thing add up to more than all of them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the faults of {what} add up to {percent:.1}%; one at most strikes, so keep their sum within 100%"
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
            assert!(Group::ALL.iter().any(|group| group.1.contains(fault)), "{fault}");
        }
    }

    #[test]
    fn each_fault_strikes_its_share_and_one_at_most() {
        let share = Percent::from_fraction(0.04).unwrap();
        let faults = Faults::each(share).with(Fault::SubmitSlow, Percent::ZERO);
        let mut counts: BTreeMap<Option<Fault>, u32> = BTreeMap::new();
        for n in 0..20_000 {
            let draw = || KeyedRng::new(11).draw("submission", &n.to_string());
            *counts.entry(faults.choose(Group::SUBMISSION, draw)).or_default() += 1;
        }
        assert_eq!(counts.get(&Some(Fault::SubmitSlow)), None);
        for fault in Group::SUBMISSION.1.iter().filter(|fault| **fault != Fault::SubmitSlow) {
            let seen = f64::from(counts[&Some(*fault)]);
            // Six standard deviations of a binomial count with mean 800.
            assert!((seen - 800.0).abs() < 6.0 * 27.7, "{fault}: {seen}");
        }
        let none = f64::from(counts[&None]);
        assert!((none - 20_000.0 * 0.44).abs() < 6.0 * 70.2, "{none}");
    }

    #[test]
    fn an_absent_group_costs_no_draw_and_a_full_one_always_strikes() {
        let draw = || panic!("no draw is needed");
        assert_eq!(Faults::NONE.choose(Group::POLL, draw), None);
        let always = Faults::always(Fault::PollHtml);
        for n in 0..100 {
            let draw = || KeyedRng::new(1).draw("poll", &n.to_string());
            assert_eq!(always.choose(Group::POLL, draw), Some(Fault::PollHtml));
        }
    }

    #[test]
    fn shares_that_cannot_be_kept_are_refused_by_name() {
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
