//! What is told of the agent: as JSON like livekit-agents' `/worker`, and as Prometheus text under its names.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::session::AgentContext;
use crate::worker::Worker;
use rushhour_core::units::{AgentName, SessionTime};

/// The figures, kept up to date by the worker.
#[derive(Debug)]
pub struct WorkerStats {
    agent: AgentName,
    common: Arc<AgentContext>,
    jobs: AtomicUsize,
    load_millionths: AtomicU64,
    registered: AtomicBool,
}

impl WorkerStats {
    /// A board that knows nothing of jobs yet.
    pub const fn new(agent: AgentName, common: Arc<AgentContext>) -> Self {
        Self {
            agent,
            common,
            jobs: AtomicUsize::new(0),
            load_millionths: AtomicU64::new(0),
            registered: AtomicBool::new(false),
        }
    }

    /// Takes note of how the worker is.
    pub fn note(&self, worker: &Worker) {
        self.jobs.store(worker.jobs(), Relaxed);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        self.load_millionths.store((worker.load() * 1e6) as u64, Relaxed);
        self.registered.store(worker.is_registered(), Relaxed);
    }

    /// Whether LiveKit has it as a worker.
    pub fn is_registered(&self) -> bool {
        self.registered.load(Relaxed)
    }

    fn load(&self) -> f64 {
        self.load_millionths.load(Relaxed) as f64 / 1e6
    }

    /// The JSON of `GET /worker`; `memory` is what the process has in memory, in bytes, where that is known.
    pub fn worker(&self, now: SessionTime, memory: Option<u64>) -> Value {
        json!({
            "agent_name": self.agent,
            "worker_type": "JT_ROOM",
            "worker_load": self.load(),
            "active_jobs": self.jobs.load(Relaxed),
            "sessions": self.common.sessions(),
            "registered": self.is_registered(),
            "uptime_s": now.as_secs_f64(),
            "memory_bytes": memory,
            "leaked_bytes": self.common.leaked(),
            "truth_lost": self.common.truth.lost(),
            "sdk_version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// The text of `GET /metrics`.
    pub fn metrics(&self, memory: Option<u64>) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, value: f64| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        };
        let jobs = self.jobs.load(Relaxed) as f64;
        gauge("lk_agents_active_job_count", "Jobs that are accepted and not over.", jobs);
        gauge("lk_agents_worker_load", "Share of the capacity that is taken.", self.load());
        if let Some(memory) = memory {
            let help = "Resident memory of the process.";
            gauge("process_resident_memory_bytes", help, memory as f64);
        }
        text
    }
}
