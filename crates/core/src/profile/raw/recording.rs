//! `[recording]` as written.

use crate::profile::settings::recording::KeepRecordings;
use crate::profile::table::raw_table;
use crate::units::{ByteSize, Percent};

raw_table! {
    /// Which conversations of native callers are kept as sound and text, in the folder `recordings` of the session.
    RawRecording {
        /// Which runs to keep by how they ended: those that failed or were not answered as expected ("failures"), every one ("all"), or none.
        keep: KeepRecordings,
        /// How many of the runs that waited longest for an answer to keep.
        slowest: u32,
        /// How many of the runs with the most gaps in the agent's speech to keep, in voice.
        choppiest: u32,
        /// The share of the runs to keep at random, drawn from the seed.
        sample: Percent,
        /// The most runs to keep. If there are more, failures take precedence over slow runs, these over choppy ones, and those over others.
        max_runs: u32,
        /// The most that all recordings of a session may take on the disk, those of runs in flight included. If they are more, what is kept for the weakest reasons is deleted first.
        max_bytes: ByteSize,
    }
}
