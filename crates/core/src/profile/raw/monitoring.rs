//! `[soak]`, `[agent_health]` and `[notify]` as written.

use crate::profile::settings::notify::NoticeFormat;
use crate::profile::table::raw_table;
use crate::units::{Percent, PositiveDuration};

raw_table! {
    /// How `rushhour soak` judges whether the agent stays healthy.
    RawSoak {
        /// A change of a latency or of the agent's memory counts from this share of its initial value.
        material: Percent,
        /// A rise of the failure rate counts from this many percentage points.
        material_failures: Percent,
        /// The width of a window; by default it follows from the session's duration and its runs.
        window: PositiveDuration,
    }
}

raw_table! {
    /// What to ask of a Prometheus server that scrapes the agent's workers, instead of asking each of them; at least one query. Each series of an answer is a worker, named by its labels; one without labels is the figure of all of them. The value of RUSHHOUR_PROMETHEUS_AUTHORIZATION, if it is set, is sent in the header Authorization.
    RawPrometheus {
        /// The server's URL, such as "http://prometheus.monitoring.svc:9090", without `/api/v1/query`.
        url: String,
        /// A query for active jobs, such as 'sum by (pod) (lk_agents_active_job_count)'.
        jobs: String,
        /// A query for load as a fraction, such as 'max by (pod) (lk_agents_worker_load)', or the share of its CPU limit that a pod uses.
        load: String,
        /// A query for memory in bytes, such as 'sum by (pod) (container_memory_working_set_bytes{pod=~"agent-.*"})'.
        memory: String,
        /// A query for child processes, such as 'sum by (pod) (lk_agents_child_process_count)'.
        processes: String,
    }
}

raw_table! {
    /// Where to read the health of the agent's worker.
    RawAgentHealth {
        /// What livekit-agents serves at `/worker`, such as "http://127.0.0.1:8081/worker"; on this machine only.
        url: String,
        /// The worker's Prometheus metrics, such as "http://127.0.0.1:8081/metrics"; on this machine only.
        metrics: String,
        /// Further workers of the agent: the address of each one's `/worker`, such as `["http://127.0.0.1:8082/worker"]`. Jobs, processes and memory are summed, and the highest load counts; the page of `--live` shows each worker.
        others: Vec<String>,
        /// A Prometheus server that scrapes the agent's workers, wherever they are; instead of the addresses.
        prometheus: RawPrometheus,
        /// How often to read it.
        every: PositiveDuration,
        /// How long to go on after the last run, until the worker's jobs and processes are gone.
        settle: PositiveDuration,
    }
}

raw_table! {
    /// A webhook to notify when the session has ended. The value of RUSHHOUR_NOTIFY_AUTHORIZATION, if it is set, is sent in the header Authorization.
    RawNotify {
        /// Where to POST to. RUSHHOUR_NOTIFY_URL takes precedence. An address that is itself a secret, as Slack's and Teams' are, belongs there, because the profile is part of the journal.
        url: String,
        /// What to send.
        format: NoticeFormat,
    }
}
