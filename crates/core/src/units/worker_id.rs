//! [`WorkerId`]: one process that holds callers for a session on another machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A worker: a random number of its process, never the name of its machine, so that a process that was started again is
/// another worker. Written as eight hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId(u32);

impl WorkerId {
    /// From a random number.
    pub const fn new(random: u32) -> Self {
        Self(random)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:08x}", self.0))
    }
}

/// A text is not the id of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a worker's id is eight hexadecimal digits, such as 3f09ac12")]
pub struct InvalidWorkerId;

impl FromStr for WorkerId {
    type Err = InvalidWorkerId;

    fn from_str(text: &str) -> Result<Self, InvalidWorkerId> {
        let is_id = text.len() == 8
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let number = is_id.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(InvalidWorkerId)
    }
}

impl TryFrom<String> for WorkerId {
    type Error = InvalidWorkerId;

    fn try_from(text: String) -> Result<Self, InvalidWorkerId> {
        text.parse()
    }
}

impl From<WorkerId> for String {
    fn from(id: WorkerId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is_one() {
        for number in [0, 7, 0x3f09_ac12, u32::MAX] {
            let id = WorkerId::new(number);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        }
        for text in ["", "3f09ac1", "3f09ac123", "3F09AC12", "+f09ac12", "a.b.c.de", "*", ">"] {
            assert!(text.parse::<WorkerId>().is_err(), "{text}");
        }
    }
}
