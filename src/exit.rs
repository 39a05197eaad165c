//! The exit codes. Where other load testers have a code for the same outcome, it is theirs.

use std::process::ExitCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything passed.
    Passed = 0,
    /// A bug in Rushhour, or a failure of this machine.
    Internal = 1,
    /// The command line, the credentials or a file cannot be used.
    Usage = 2,
    /// A threshold failed, or no run completed.
    ThresholdFailed = 99,
    /// The profile is not valid.
    ProfileInvalid = 104,
    /// A signal stopped the session; its reports were written.
    Stopped = 105,
    /// There are too few samples to decide the thresholds.
    Undecided = 111,
    /// The load generator did not deliver the load, or no run completed for reasons other than the agent: the session
    /// says nothing about the agent.
    Invalid = 112,
    /// The budget was reached.
    Budget = 113,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
