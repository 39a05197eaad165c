//! What all sessions of an agent share.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::sounds::Sounds;
use crate::behaviour::{AgentLoad, Behaviour};
use crate::truth::TruthSink;
use rushhour_callers::participant::{ReconnectBounds, ReconnectPolicy};
use rushhour_core::units::SessionTime;

/// How an agent and its avatar stay in their room: after a restart of the server, one that joined anew would make rooms
/// anew that are deleted.
pub(super) fn staying() -> ReconnectPolicy {
    ReconnectPolicy::Resume(ReconnectBounds::default())
}

/// What all sessions of an agent share.
#[derive(Debug)]
pub(crate) struct AgentContext {
    pub(super) behaviour: Arc<Behaviour>,
    pub(crate) truth: TruthSink,
    pub(super) sounds: Sounds,
    sessions: AtomicUsize,
    leaked: Mutex<Vec<Vec<u8>>>,
}

impl AgentContext {
    pub(crate) const fn new(behaviour: Arc<Behaviour>, truth: TruthSink, sounds: Sounds) -> Self {
        Self {
            behaviour,
            truth,
            sounds,
            sessions: AtomicUsize::new(0),
            leaked: Mutex::new(Vec::new()),
        }
    }

    /// Whether each agent has an avatar.
    pub(crate) fn has_avatar(&self) -> bool {
        self.behaviour.avatar
    }

    /// The number of sessions that are in their rooms.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.load(Relaxed)
    }

    /// Bytes that sessions have leaked on purpose.
    pub(crate) fn leaked(&self) -> usize {
        let leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
        leaked.iter().map(Vec::len).sum()
    }

    pub(super) fn load(&self, now: SessionTime) -> AgentLoad {
        AgentLoad { sessions: self.sessions(), uptime: now.since(SessionTime::START) }
    }

    pub(super) fn session_joined(&self) {
        self.sessions.fetch_add(1, Relaxed);
        let bytes = self.behaviour.leak_per_session;
        if bytes > 0 {
            // Pages of zeros would not be resident.
            let leak = vec![1; bytes];
            self.leaked.lock().unwrap_or_else(PoisonError::into_inner).push(leak);
        }
    }

    pub(super) fn session_left(&self) {
        self.sessions.fetch_sub(1, Relaxed);
    }
}
