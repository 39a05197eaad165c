//! The worker's figures, as JSON like livekit-agents' `/worker` and in Prometheus' text format.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::session::AgentContext;
use crate::worker::Worker;
use rushhour_core::units::{AgentName, SessionTime};

/// The figures, which the worker keeps up to date.
#[derive(Debug)]
pub(crate) struct WorkerStats {
    agent: AgentName,
    context: Arc<AgentContext>,
    jobs: AtomicUsize,
    load_millionths: AtomicU64,
    registered: AtomicBool,
}

impl WorkerStats {
    pub(crate) const fn new(agent: AgentName, context: Arc<AgentContext>) -> Self {
        Self {
            agent,
            context,
            jobs: AtomicUsize::new(0),
            load_millionths: AtomicU64::new(0),
            registered: AtomicBool::new(false),
        }
    }

    pub(crate) fn update(&self, worker: &Worker) {
        self.jobs.store(worker.jobs(), Relaxed);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        self.load_millionths.store((worker.load() * 1e6) as u64, Relaxed);
        self.registered.store(worker.is_registered(), Relaxed);
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.registered.load(Relaxed)
    }

    fn load(&self) -> f64 {
        self.load_millionths.load(Relaxed) as f64 / 1e6
    }

    /// The response to `GET /worker`; `memory` is the process's resident memory in bytes.
    pub(crate) fn to_json(&self, now: SessionTime, memory: Option<u64>) -> Value {
        json!({
            "agent_name": self.agent,
            "worker_type": "JT_ROOM",
            "worker_load": self.load(),
            "active_jobs": self.jobs.load(Relaxed),
            "sessions": self.context.sessions(),
            "registered": self.is_registered(),
            "uptime_s": now.as_secs_f64(),
            "memory_bytes": memory,
            "leaked_bytes": self.context.leaked(),
            "truth_lost": self.context.truth.lost(),
            "sdk_version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// The response to `GET /metrics`; `memory` is the process's resident memory in bytes.
    pub(crate) fn to_prometheus(&self, memory: Option<u64>) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, value: f64| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        };
        let jobs = self.jobs.load(Relaxed) as f64;
        gauge("lk_agents_active_job_count", "Accepted jobs that have not ended.", jobs);
        gauge("lk_agents_worker_load", "Share of the capacity in use.", self.load());
        if let Some(memory) = memory {
            let help = "Resident memory of the process.";
            gauge("process_resident_memory_bytes", help, memory as f64);
        }
        text
    }
}
