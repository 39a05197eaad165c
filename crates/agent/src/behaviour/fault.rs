//! What can be wrong with the agent of a room, and with which rooms it is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rushhour_core::rng::KeyedDraw;
use rushhour_core::units::Percent;

/// One table: variant, name on the command line and in the truth log, what it does.
macro_rules! faults {
    ($($kind:ident $name:literal $about:literal)*) => {
        /// A way in which an agent lets its caller down. One job has one at most.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum JobFault {
            $(#[doc = $about] $kind,)*
        }

        impl JobFault {
            /// Every fault there is.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name on the command line and in the truth log.
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
    Reject "reject" "The job is declined."
    Drop "drop" "The job is accepted, and no agent ever joins."
    CrashAtJoin "crash_at_join" "The agent leaves without a word right after joining."
    CrashAfterTurns "crash_after_turns" "The agent leaves without a word once it has answered some turns."
    Mute "mute" "The agent joins, listens, and never answers."
    StaleSegment "stale_segment" "Before each answer comes an old text once more, under its old segment."
    SwappedSegments "swapped_segments" "An answer has two segments, and the second comes first."
    EndlessText "endless_text" "An answer goes on for ever."
}

impl fmt::Display for JobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text is no fault's name.
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

/// How often each fault strikes, as a share of the jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobFaults(BTreeMap<JobFault, Percent>);

/// The shares add up to more than all jobs.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the faults add up to {0:.1}% of the jobs; one at most strikes a job, so keep their sum within 100%"
)]
pub struct TooManyJobFaults(f64);

impl JobFaults {
    /// Nothing is ever wrong.
    pub const NONE: Self = Self(BTreeMap::new());

    /// The same, with this fault's share; refused where the shares then add up to more than 100%.
    ///
    /// # Errors
    /// Where they do.
    pub fn with(mut self, fault: JobFault, share: Percent) -> Result<Self, TooManyJobFaults> {
        self.0.insert(fault, share);
        let sum: f64 = self.0.values().map(|share| share.fraction()).sum();
        // The shares come from decimal text: their sum may pass 1 by a rounding error.
        if sum > 1.0 + 1e-9 { Err(TooManyJobFaults(sum * 100.0)) } else { Ok(self) }
    }

    /// The shares that were set.
    pub fn shares(&self) -> impl Iterator<Item = (JobFault, Percent)> {
        self.0.iter().map(|(fault, share)| (*fault, *share))
    }

    /// Which fault, if any, strikes on this draw.
    pub fn choose(&self, draw: KeyedDraw) -> Option<JobFault> {
        let mut left = draw.uniform();
        self.0.iter().find_map(|(fault, share)| {
            left -= share.fraction();
            (left < 0.0).then_some(*fault)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::rng::KeyedRng;

    #[test]
    fn every_name_reads_back_and_every_fault_is_explained() {
        for fault in JobFault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            assert!(fault.about().ends_with('.'));
        }
        assert!("crash".parse::<JobFault>().unwrap_err().to_string().contains("`crash`"));
    }

    #[test]
    fn each_fault_strikes_its_share() {
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
    fn more_than_all_jobs_cannot_be_struck() {
        let share = "60%".parse().unwrap();
        let error = JobFaults::NONE
            .with(JobFault::Drop, share)
            .and_then(|faults| faults.with(JobFault::Mute, share))
            .unwrap_err();
        assert!(error.to_string().starts_with("the faults add up to 120.0%"), "{error}");
    }
}
