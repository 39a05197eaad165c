//! `[judging]` as written.

use crate::profile::from_node::{Json, Named};
use crate::profile::table::{choice, raw_table};
use crate::units::{Percent, PositiveDuration, Rate, Usd};

raw_table! {
    /// Which runs of native callers Cekura reruns and judges, and how.
    RawJudging {
        /// Who judges.
        by: RawJudge,
        /// The share of runs in the random sample.
        sample: Percent,
        /// Whether to judge every failure that can be rerun.
        failures: bool,
        /// The most runs to judge.
        most: u32,
        /// Submissions to the service.
        requests: Rate,
        /// Judged runs in flight at once.
        in_flight: u32,
        /// How long a judged run may take from its acceptance to its end.
        run_timeout: PositiveDuration,
        /// The most that the judging may cost at list prices; no run starts that could exceed it.
        budget: Usd,
        /// The service's base URL.
        url: String,
        /// A file that holds the key, instead of CEKURA_API_KEY; relative to the profile.
        key_file: String,
        /// Cekura's agent, if its scenarios have none assigned; chat only.
        agent: u64,
        /// A data message for the evaluator to publish in the room; chat only.
        publish_data_message: Named<Json>,
        /// How often to poll a run that may have ended.
        poll_every: PositiveDuration,
        /// The path that starts voice runs.
        voice_path: String,
        /// The path that starts chat runs.
        chat_path: String,
        /// The path that returns the status of runs.
        runs_path: String,
        /// The path that ends one run; `{id}` stands for the run.
        end_call_path: String,
    }
}

choice! {
    /// Who judges.
    pub(crate) RawJudge {
        /// Cekura's service.
        Cekura = "cekura",
        /// The embedded stand-in for Cekura.
        Sandbox = "sandbox",
    }
}
