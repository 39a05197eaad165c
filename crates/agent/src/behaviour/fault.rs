//! The faults of an agent, and how often they occur.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rushhour_core::rng::KeyedDraw;
use rushhour_core::units::Percent;

/// A table of faults: variant, name on the command line and in the truth log, description.
macro_rules! faults {
    ($($kind:ident $name:literal $about:literal)*) => {
        /// A fault of an agent. A job has at most one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum JobFault {
            $(#[doc = $about] $kind,)*
        }

        impl JobFault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name on the command line and in the truth log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What the agent does.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$kind => $about,)* }
            }
        }
    };
}

faults! {
    Reject "reject" "The job is rejected."
    Drop "drop" "The job is accepted, and no agent ever joins."
    CrashAtJoin "crash_at_join" "The agent leaves right after joining, without notice."
    CrashAfterTurns "crash_after_turns" "The agent leaves after some answered turns, without notice."
    Mute "mute" "The agent joins, listens, and never answers."
    StaleSegment "stale_segment" "Before each answer the agent sends an old text again, with its old segment id."
    SwappedSegments "swapped_segments" "An answer has two segments, and the agent sends the second one first."
    EndlessText "endless_text" "An answer never ends."
}

impl fmt::Display for JobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no fault of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fault of an agent; `rushhour agent --help` lists them")]
pub struct UnknownJobFault(String);

impl FromStr for JobFault {
    type Err = UnknownJobFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|fault| fault.name() == text);
        found.copied().ok_or_else(|| UnknownJobFault(text.to_owned()))
    }
}

/// How often each fault occurs, as a share of the jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobFaults(BTreeMap<JobFault, Percent>);

/// The faults add up to more than 100%.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the faults add up to {0:.1}% of the jobs; lower them to at most 100%, because a job has only one"
)]
pub struct TooManyJobFaults(f64);

impl JobFaults {
    /// No faults.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Sets the share of a fault.
    ///
    /// # Errors
    /// If the faults then add up to more than 100%.
    pub fn with(mut self, fault: JobFault, share: Percent) -> Result<Self, TooManyJobFaults> {
        self.0.insert(fault, share);
        let sum: f64 = self.0.values().map(|share| share.fraction()).sum();
        // The shares come from decimal text, so their sum may exceed 1 by a rounding error.
        if sum > 1.0 + 1e-9 { Err(TooManyJobFaults(sum * 100.0)) } else { Ok(self) }
    }

    /// Chooses a fault, or none.
    pub(super) fn choose(&self, draw: KeyedDraw) -> Option<JobFault> {
        let mut remaining = draw.uniform();
        self.0.iter().find_map(|(fault, share)| {
            remaining -= share.fraction();
            (remaining < 0.0).then_some(*fault)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::rng::KeyedRng;

    #[test]
    fn every_name_parses() {
        for fault in JobFault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
        }
        assert!("crash".parse::<JobFault>().unwrap_err().to_string().contains("`crash`"));
    }

    #[test]
    fn each_fault_occurs_in_its_share_of_the_draws() {
        let faults = JobFaults::NONE
            .with(JobFault::Drop, "5%".parse().unwrap())
            .and_then(|faults| faults.with(JobFault::Mute, "20%".parse().unwrap()))
            .unwrap();
        let mut counts: BTreeMap<Option<JobFault>, f64> = BTreeMap::new();
        for n in 0..20_000 {
            let draw = KeyedRng::new(7).draw("fate", &format!("room-{n}"));
            *counts.entry(faults.choose(draw)).or_default() += 1.0;
        }
        // Six standard deviations of binomial counts.
        assert!((counts[&Some(JobFault::Drop)] - 1_000.0).abs() < 6.0 * 30.9);
        assert!((counts[&Some(JobFault::Mute)] - 4_000.0).abs() < 6.0 * 56.6);
        assert_eq!(counts.len(), 3);
    }

    #[test]
    fn shares_above_100_percent_are_refused() {
        let share = "60%".parse().unwrap();
        let error = JobFaults::NONE
            .with(JobFault::Drop, share)
            .and_then(|faults| faults.with(JobFault::Mute, share))
            .unwrap_err();
        assert!(error.to_string().starts_with("the faults add up to 120.0%"), "{error}");
    }
}
