//! `[recording]` as written.

use crate::profile::settings::recording::KeepRecordings;
use crate::profile::table::raw_table;
use crate::units::{ByteSize, Percent};

raw_table! {
    /// Which conversations of native callers are kept as sound and text, in the folder `recordings` of the session.
    RawRecording {
        /// Which runs to keep by how they ended: those that failed or were not answered as expected ("failures"), every one ("all"), or none.
        keep: KeepRecordings,
        /// Keeps so many of the runs that waited longest for an answer.
        slowest: u32,
        /// Keeps a random share of the runs, by the seed.
        sample: Percent,
        /// The most runs to keep. Where there are more, failures go before slow runs, and slow runs before others.
        max_runs: u32,
        /// The most that all recordings of a session may take on the disk, those of runs in flight included.
        max_bytes: ByteSize,
    }
}
