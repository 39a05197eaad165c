//! How the embedded stand-ins behave, and the faults that they can inject.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{Percent, PositiveDuration};

/// One row per fault: variant, name in profiles and logs, what it does.
macro_rules! faults {
    ($($variant:ident $name:literal $about:literal)*) => {
        /// A failure that the sandbox can inject.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Fault {
            $(#[doc = $about] #[serde(rename = $name)] $variant,)*
        }

        impl Fault {
            /// Every fault, grouped by the request that it affects.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name used in profiles, logs and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it does, in one sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

faults! {
    RoomUnavailable "room_unavailable" "A room call is refused: Twirp `unavailable`, 503."
    RoomSlow "room_slow" "A room call takes seconds."
    DispatchUnavailable "dispatch_unavailable" "`CreateDispatch` is refused: Twirp `unavailable`, 503."
    LivekitReset "livekit_reset" "A LiveKit call's connection is reset before the call takes effect."
    LivekitResetAfter "livekit_reset_after" "A LiveKit call takes effect, then its connection is reset."
    LivekitTooMany "livekit_429" "A LiveKit call is refused with 429, Retry-After in seconds."
    LivekitExhausted "livekit_exhausted" "A LiveKit call is refused: Twirp `resource_exhausted`, 429, no Retry-After."
    LivekitHtml "livekit_html" "A proxy answers a LiveKit call with HTML and 502; the call has no effect."
    DispatchLost "dispatch_lost" "A dispatch is accepted and never becomes a job."
    AgentNeverJoins "agent_never_joins" "A job is assigned and its agent never joins."
    AgentLate "agent_late" "An agent joins long after its job was assigned."
    SubmitSlow "submit_slow" "A submission is accepted and answered seconds later."
    SubmitSilent "submit_silent" "A submission is accepted and never answered."
    SubmitTooManySeconds "submit_429_seconds" "A submission is refused with 429, Retry-After in seconds."
    SubmitTooManyDate "submit_429_date" "A submission is refused with 429, Retry-After as a date."
    SubmitTooManyBare "submit_429_bare" "A submission is refused with 429, without Retry-After."
    SubmitInvalid "submit_400" "A submission is refused with 400: a field is invalid."
    SubmitNoBalance "submit_402" "A submission is refused with 402: the balance does not cover it."
    SubmitNotFound "submit_404" "A submission is answered with 404, as at a wrong path."
    SubmitErrorBefore "submit_500_before" "A submission creates no run and is answered with 500."
    SubmitErrorAfter "submit_500_after" "A submission creates its runs and is answered with 500."
    SubmitHtml "submit_html_502" "A proxy answers a submission with HTML and 502; no run is created."
    SubmitResetBefore "submit_reset_before" "A submission's connection is reset; no run is created."
    SubmitResetAfter "submit_reset_after" "A submission creates its runs, then its connection is reset."
    SubmitTruncated "submit_truncated" "A submission is accepted; its answer breaks off in the middle."
    SubmitHuge "submit_huge" "A submission is accepted with an answer of 50 MB."
    SubmitEmpty "submit_empty" "A submission is accepted with an empty answer."
    RunsReordered "runs_reordered" "The answer lists the runs of an accepted submission in another order."
    RunsMissing "runs_missing" "The answer leaves out the last run of an accepted submission."
    PollTooMany "poll_429" "A poll is refused with 429, Retry-After in seconds."
    PollError "poll_500" "A poll is answered with 500."
    PollHtml "poll_html" "A proxy answers a poll with an HTML page and 502."
    PollReset "poll_reset" "A poll's connection is reset."
    PollSlow "poll_slow" "A poll is answered seconds later."
    PollBulkRefused "poll_400_bulk" "A poll of several runs is refused with 400; one of a single run is answered."
    PollPaged "poll_paged" "A poll is answered in pages of two runs, with a link to the next one."
    PollOtherForm "poll_other_form" "A poll is answered with 200 and something that lists no runs."
    PollUpperCase "poll_upper_case" "A poll is answered with statuses in capitals."
    PollMissingRun "poll_missing_run" "A poll's answer leaves out a run that the poll named."
    RunNeverEnds "run_never_ends" "A run stays in progress for ever."
    RunFails "run_fails" "A run fails in the middle of its conversation."
    RunTimesOut "run_times_out" "A run exceeds its longest duration: status `timeout`."
    RunUnknownStatus "run_unknown_status" "A run has an undocumented status for a while, then goes on."
    JudgedFailure "judged_failure" "A run completes and is judged a failure."
}

impl Ord for Fault {
    /// By name: the order of the keys in a profile's JSON, which its hash depends on.
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for Fault {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that does not name a fault.
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

/// A lognormal latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyModel {
    /// The median.
    pub median: PositiveDuration,
    /// The 95th percentile; at least the median.
    pub p95: PositiveDuration,
}

/// How the embedded stand-ins behave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SandboxSettings {
    /// From the dispatch until the agent is in the room.
    pub agent_join: LatencyModel,
    /// From a submission to its answer.
    pub submission: LatencyModel,
    /// From the answer to the start of the conversation.
    pub queue: LatencyModel,
    /// The duration of a conversation.
    pub conversation: LatencyModel,
    /// The duration of the judging after it.
    pub judging: LatencyModel,
    /// How much later an agent joins under [`Fault::AgentLate`].
    pub late_by: PositiveDuration,
    /// Conversations at once; more are queued.
    pub concurrency: u32,
    /// The probability of each fault.
    pub faults: BTreeMap<Fault, Percent>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_parses_from_its_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
            assert!(fault.about().ends_with('.'));
        }
        assert!("submit_429".parse::<Fault>().unwrap_err().to_string().contains("`submit_429`"));
    }
}
