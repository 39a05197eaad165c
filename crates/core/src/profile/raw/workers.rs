//! `[workers]` as written.

use crate::profile::table::raw_table;
use crate::units::PositiveDuration;

raw_table! {
    /// Where the native callers run, if not in this process.
    RawWorkers {
        /// The NATS server that this session and its workers share, such as "nats://10.0.0.5:4222"; "tls://" insists on TLS. How to log in comes from the environment: NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_NKEY or NATS_CREDS.
        nats: String,
        /// What the subjects begin with, so that several teams can share a server: letters, digits, `-` and `_`. Workers are started with the same one.
        namespace: String,
        /// The session begins once this many workers are ready.
        at_least: u32,
        /// How long to wait for them.
        ready_within: PositiveDuration,
        /// How long workers and session go on without hearing of each other. After it the workers end their callers, and the runs of a worker count as `generator_fault`.
        lease: PositiveDuration,
    }
}
