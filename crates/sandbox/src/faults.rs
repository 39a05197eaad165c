//! The faults that can be asked for, and which of them strikes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rushhour_core::units::Percent;

use rushhour_core::rng::KeyedDraw;

/// One table: variant, name in profiles and logs, what it does.
macro_rules! faults {
    ($($kind:ident $name:literal $about:literal)*) => {
        /// A way in which the outside world lets a client down.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $(#[doc = $about] $kind,)*
        }

        impl Fault {
            /// Every fault there is.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name in profiles, logs and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What it does, as a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$kind => $about,)* }
            }
        }
    };
}

faults! {
    RoomUnavailable "room_unavailable" "A room call is refused: Twirp `unavailable`, 503."
    RoomSlow "room_slow" "A room call takes seconds."
    DispatchUnavailable "dispatch_unavailable" "`CreateDispatch` is refused: Twirp `unavailable`, 503."
    LivekitReset "livekit_reset" "A LiveKit call's connection is reset; nothing was done."
    LivekitResetAfter "livekit_reset_after" "A LiveKit call is done, then its connection is reset."
    LivekitHtml "livekit_html" "A LiveKit call meets a proxy's HTML page with 502; nothing was done."
    DispatchLost "dispatch_lost" "A dispatch is accepted and never becomes a job."
    AgentNeverJoins "agent_never_joins" "A job is assigned and its agent never joins."
    AgentLate "agent_late" "An agent joins long after its job was assigned."
    SubmitSlow "submit_slow" "A submission is accepted and answered seconds later."
    SubmitSilent "submit_silent" "A submission is accepted and never answered."
    SubmitTooManySeconds "submit_429_seconds" "A submission is refused with 429, Retry-After in seconds."
    SubmitTooManyDate "submit_429_date" "A submission is refused with 429, Retry-After as a date."
    SubmitTooManyBare "submit_429_bare" "A submission is refused with 429, without Retry-After."
    SubmitErrorBefore "submit_500_before" "A submission makes no run and is answered with 500."
    SubmitErrorAfter "submit_500_after" "A submission makes its runs and is answered with 500."
    SubmitHtml "submit_html_502" "A submission meets a proxy's HTML page with 502; nothing was made."
    SubmitResetBefore "submit_reset_before" "A submission's connection is reset; nothing was made."
    SubmitResetAfter "submit_reset_after" "A submission makes its runs, then its connection is reset."
    SubmitTruncated "submit_truncated" "A submission is accepted; half of the answer arrives, then the end."
    SubmitHuge "submit_huge" "A submission is accepted with an answer of 50 MB."
    SubmitEmpty "submit_empty" "A submission is accepted with an answer of no bytes."
    RunsReordered "runs_reordered" "The runs of an accepted submission are listed in another order."
    RunsMissing "runs_missing" "The last run of an accepted submission is made and not listed."
    PollTooMany "poll_429" "A poll is refused with 429, Retry-After in seconds."
    PollError "poll_500" "A poll is answered with 500."
    PollHtml "poll_html" "A poll meets a proxy's HTML page with 502."
    PollReset "poll_reset" "A poll's connection is reset."
    PollSlow "poll_slow" "A poll is answered seconds later."
    PollMissingRun "poll_missing_run" "A poll leaves out a run that it was asked about."
    RunNeverEnds "run_never_ends" "A run stays in progress for ever."
    RunFails "run_fails" "A run fails in the middle of its conversation."
    RunTimesOut "run_times_out" "A run exceeds its longest duration: status `timeout`."
    RunUnknownStatus "run_unknown_status" "A run has an undocumented status for a while, then goes on."
    JudgedFailure "judged_failure" "A run completes and is judged a failure."
}

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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text is no fault's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fault; `rushhour sandbox --help` lists them")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|fault| fault.name() == text);
        found.copied().ok_or_else(|| UnknownFault(text.to_owned()))
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
        let mut left = draw().unit();
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
    fn every_fault_is_in_a_group_and_its_name_reads_back() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            assert!(Group::ALL.iter().any(|group| group.1.contains(fault)), "{fault}");
            assert!(fault.about().ends_with('.'));
        }
        assert!("submit_429".parse::<Fault>().unwrap_err().to_string().contains("`submit_429`"));
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
