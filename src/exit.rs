//! How the process ends: the codes, and the errors that lead to them.

use std::fmt::Display;
use std::process::ExitCode;

/// How the process ends. Where other load testers have a code for the same thing, it is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything passed.
    Passed = 0,
    /// A bug, or a machine that failed us.
    Internal = 1,
    /// The command line, the credentials or the files are not right.
    Usage = 2,
    /// A threshold does not hold.
    ThresholdFailed = 99,
    /// The profile is not valid.
    ProfileInvalid = 104,
    /// Stopped by a signal; reports were written.
    Stopped = 105,
    /// Too few samples to say whether the thresholds hold.
    Undecided = 111,
    /// The generator did not deliver the load, so nothing is said of the agent.
    Invalid = 112,
    /// The budget was reached.
    Budget = 113,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not be carried out, in words, and how the process then ends.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl CliError {
    /// The reader has to change something.
    pub(crate) fn usage(words: impl Display) -> Self {
        Self { exit: Exit::Usage, message: words.to_string() }
    }

    /// It is not the reader's doing.
    pub(crate) fn internal(words: impl Display) -> Self {
        Self { exit: Exit::Internal, message: words.to_string() }
    }
}
