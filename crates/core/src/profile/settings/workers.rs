//! Where native callers run, if not in the session's own process.

use serde::{Deserialize, Serialize};

use crate::units::PositiveDuration;

/// The workers that hold a session's native callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkersSettings {
    /// The NATS server, `nats://` or `tls://`.
    pub nats: String,
    /// What the subjects begin with.
    pub namespace: String,
    /// How many workers must be ready before the session begins, at least 1.
    pub at_least: u32,
    /// How long to wait for them.
    pub ready_within: PositiveDuration,
    /// How long a session and its workers go on without hearing of each other.
    pub lease: PositiveDuration,
}

impl WorkersSettings {
    /// The namespace where a profile names none.
    pub const NAMESPACE: &str = "rushhour";
    /// The lease where a profile names none: longer than a server of NATS takes to start again.
    pub const LEASE: PositiveDuration = PositiveDuration::secs(15);
    /// The shortest lease: a worker is heard of every second.
    pub const SHORTEST_LEASE: PositiveDuration = PositiveDuration::secs(3);

    /// Whether a text can be a part of a subject of NATS, and of nobody else's.
    pub fn is_namespace(text: &str) -> bool {
        (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    }
}
