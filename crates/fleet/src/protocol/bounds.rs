//! Every bound on what the other side may send, and every interval.

use std::time::Duration;

/// The most bytes of a message: servers of NATS carry 1 MiB unless told otherwise.
pub(crate) const MAX_MESSAGE: usize = 1_000_000;
/// The most bytes of a script or clip in one message, before base64 makes them a third longer.
pub(crate) const BLOB_CHUNK: usize = 512 * 1_024;
/// The most bytes of one script or clip.
pub(crate) const MAX_BLOB: usize = 100 * 1_024 * 1_024;
/// The most bytes of scripts and clips that a worker keeps.
pub(crate) const MAX_CACHE: usize = 512 * 1_024 * 1_024;
/// The most scripts of a session.
pub(crate) const MAX_SCRIPTS: usize = 10_000;
/// The most updates in one message: each is some 2 kB at most.
pub(crate) const UPDATES_PER_BATCH: usize = 128;
/// Updates that a worker keeps for each caller that it may hold, until they are acknowledged; above it takes no more
/// runs. A conversation has some six, and one for each turn.
pub(crate) const UPDATES_PER_CALLER: usize = 64;
/// Updates that a worker keeps in any case.
pub(crate) const LEAST_UPDATES: usize = 1_024;
/// The most workers of one namespace.
pub(crate) const MAX_WORKERS: usize = 1_000;
/// The most callers that a worker may be said to hold.
pub(crate) const MAX_CAPACITY: u32 = 100_000;
/// The most joins per second of one worker: more at once would delay each other.
pub(crate) const MAX_JOINS: u32 = 1_000;

/// How often a worker says that it is there, and a coordinator that it still commands.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How long a roll call is collected.
pub(crate) const ROLL_CALL: Duration = Duration::from_secs(2);
/// How long one request may take before it is repeated.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Updates that are not acknowledged for so long are sent again.
pub(crate) const RESEND_AFTER: Duration = Duration::from_secs(3);
/// How long a message may wait for a connection that is not there; what is worth more is repeated.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_millis(100);
/// How often the offset of a worker's clock is measured, and how often at first.
pub(crate) const CLOCK_EVERY: Duration = Duration::from_secs(5);
/// Measures of a clock before the session begins.
pub(crate) const FIRST_CLOCK_SAMPLES: usize = 8;
/// How long a coordinator waits beyond the lease before it gives up the runs of a worker, so that their callers are gone.
pub(crate) const LEASE_MARGIN: Duration = Duration::from_secs(2);
